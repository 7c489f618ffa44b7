import ClawWire

/// What an answer of the HTTP event collector means, by its status and code.
enum SplunkHECVerdict: Equatable {
    /// Taken; the number by which the indexers' word is asked for, where there is one.
    case taken(acknowledgement: Int64?)
    /// One event is refused for good: by its place in the request, from 0, or `nil` where the collector does not say which.
    case invalidEvent(Int?)
    /// The request is too long.
    case tooLong
    /// The collector does not know the channel any more.
    case channelUnknown
    /// Busy, or not well.
    case busy(String)
    /// Token, index or setting is wrong.
    case misconfigured(String)

    /// Reads an answer to events.
    init(status: Int, body: [UInt8]) {
        let answer = try? JSONReader.parse(body)
        let code = answer?["code"]?.integer
        let said = "answered \(status)\(code.map { ", code \($0)" } ?? "")"
        switch (status, code) {
        case (200, 0): self = .taken(acknowledgement: answer?["ackId"]?.integer)
        case (400, 6), (400, 12), (400, 13), (400, 15):
            self = .invalidEvent(answer?["invalid-event-number"]?.integer.flatMap { Int(exactly: $0) })
        case (400, 10), (400, 11): self = .channelUnknown
        case (400, 7):
            self = .misconfigured(
                "\(said): the token may not write to the index; correct `index` or the token's indexes")
        case (400, 14):
            self = .misconfigured(
                "\(said): indexer acknowledgement is off for the token; turn it on, or set `acknowledgement: false`")
        case (401, _), (403, _):
            self = .misconfigured(
                "\(said): the token is refused; check that it is whole and enabled, and write a valid one into its file"
            )
        case (413, _): self = .tooLong
        case (429, _), (500..., _): self = .busy(said)
        case (200, _): self = .misconfigured("\(said) in another form than a collector's; check the address")
        default: self = .misconfigured("\(said); check the address and that it is an HTTP event collector's")
        }
    }
}
