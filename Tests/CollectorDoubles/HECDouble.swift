public import ClawWire
import Foundation
public import HTTPService
import Primitives

/// A double of Splunk's HTTP event collector with its indexers, on loopback.
///
/// It checks token, channel, index and the form of every event, takes concatenated objects, gives out numbers of
/// acknowledgements by channel, confirms each of them once, and has the faults that a test gives it.
public final class HECDouble: Sendable {
    /// What goes wrong with a request.
    public enum Fault: Sendable, Hashable {
        /// 503, code 9: the queues are full.
        case busy(retryAfter: Int? = nil)
        /// 500, code 8.
        case internalError
        /// Taken, and the answer is lost: a proxy says 504.
        case answerLost
        /// Not taken, and no answer.
        case silence
        /// Taken and never confirmed: the indexer died with what it had.
        case indexerLost
        /// The collector starts anew: it knows no channel and no number.
        case restart
        /// A proxy's page.
        case garbage
        /// A proxy's way elsewhere.
        case redirect
    }

    /// What an administrator sets.
    public struct Settings: Sendable {
        /// The token.
        public var token = "planted-hec-0b2f6d1e-token"
        /// Whether the token is enabled.
        public var isEnabled = true
        /// Whether indexer acknowledgement is on.
        public var acknowledges = true
        /// Indexes that the token may write to.
        public var indexes: Set<String> = ["claw"]
        /// Longest body before compression.
        public var maximumBytes = 1 << 20
        /// Questions about a number before it is confirmed.
        public var pollsBeforeConfirmation = 0
        /// Events whose form the collector refuses.
        public var poison: Set<Int64> = []
        /// Whether a refusal says which event it means.
        public var namesInvalidEvents = true
        /// The standard settings.
        public init() {}
    }

    private struct Channel {
        var next: Int64 = 0
        /// Questions left until a number is confirmed; `Int.max` for never.
        var pending: [Int64: Int] = [:]
    }

    private struct State {
        var settings = Settings()
        var channels: [String: Channel] = [:]
        var requests = 0
        var packed = 0
        var channelsSeen: Set<String> = []
        var events: [Int64: JSONValue] = [:]
    }

    /// What goes wrong.
    public let faults = FaultPlan<Fault>()
    /// What is there.
    public let received = ReceivedEvents()
    private let state = Lock(State())
    private let base = Lock("")

    private init() {}

    /// Serves as long as the body runs.
    public static func run<Result: Sendable>(
        tls: HTTPServiceConfiguration.TLS? = nil, _ body: @escaping @Sendable (HECDouble) async throws -> Result
    ) async throws -> Result {
        let double = HECDouble()
        return try await DoubleServer.run(tls: tls, respond: { await double.answer($0) }) { address in
            double.base.withLock { $0 = address }
            return try await body(double)
        }
    }

    /// Its address.
    public var address: String { base.withLock { $0 } }
    /// Changes what an administrator sets.
    public func change(_ body: (inout Settings) -> Void) { state.withLock { body(&$0.settings) } }
    /// Requests with events.
    public var requests: Int { state.withLock { $0.requests } }
    /// Those of them that were compressed.
    public var compressedRequests: Int { state.withLock { $0.packed } }
    /// An event by its number, as it came.
    public func event(_ sequence: Int64) -> JSONValue? { state.withLock { $0.events[sequence] } }
    /// Channels that were used.
    public var channels: Int { state.withLock { $0.channelsSeen.count } }

    private static func json(_ status: Int, _ value: JSONValue, retryAfter: Int? = nil) -> HTTPServiceResponse {
        var fields = [HTTPServiceField("content-type", "application/json")]
        if let retryAfter { fields.append(HTTPServiceField("retry-after", "\(retryAfter)")) }
        return HTTPServiceResponse(status: status, fields: fields, body: JSONWriter.bytes(value))
    }

    private static func refusal(_ status: Int, _ code: Int64, _ text: String, event: Int? = nil) -> HTTPServiceResponse
    {
        var object: JSONObject = ["text": .string(text), "code": .integer(code)]
        object["invalid-event-number"] = event.map { .integer(Int64($0)) }
        return json(status, .object(object))
    }

    private func answer(_ request: HTTPServiceRequest) async -> HTTPServiceResponse {
        let fault = faults.next(request.path)
        switch fault {
        case .busy(let seconds): return Self.json(503, ["text": "Server is busy", "code": 9], retryAfter: seconds)
        case .internalError: return Self.refusal(500, 8, "Internal server error")
        case .silence: return await DoubleServer.silence()
        case .garbage:
            return HTTPServiceResponse(
                status: 200, fields: [HTTPServiceField("content-type", "text/html")], body: Array("<html>".utf8))
        case .redirect:
            return HTTPServiceResponse(
                status: 302, fields: [HTTPServiceField("location", "http://127.0.0.1:1/elsewhere")])
        case .restart:
            state.withLock { $0.channels = [:] }
            return Self.json(503, ["text": "Server is shutting down", "code": 23])
        case .answerLost, .indexerLost, nil: break
        }
        let settings = state.withLock { $0.settings }
        if let refusal = Self.authorize(request, settings) { return refusal }
        let answer: HTTPServiceResponse
        switch (request.method, request.path) {
        case ("POST", "/services/collector/event"): answer = take(request, settings, fault)
        case ("POST", "/services/collector/ack"): answer = confirm(request, settings)
        default: answer = HTTPServiceResponse(status: 404)
        }
        return fault == .answerLost ? HTTPServiceResponse(status: 504) : answer
    }

    private static func authorize(_ request: HTTPServiceRequest, _ settings: Settings) -> HTTPServiceResponse? {
        guard let field = request.field("authorization") else { return refusal(401, 2, "Token is required") }
        guard field.hasPrefix("Splunk ") else { return refusal(401, 3, "Invalid authorization") }
        guard field.dropFirst("Splunk ".count) == settings.token else { return refusal(403, 4, "Invalid token") }
        return settings.isEnabled ? nil : refusal(403, 1, "Token disabled")
    }

    private static func channel(of request: HTTPServiceRequest) -> String? {
        request.field("x-splunk-request-channel")
            ?? request.query?.split(separator: "&").first { $0.hasPrefix("channel=") }.map {
                String($0.dropFirst("channel=".count))
            }
    }

    private func take(
        _ request: HTTPServiceRequest, _ settings: Settings, _ fault: Fault?
    ) -> HTTPServiceResponse {
        state.withLock { state in
            state.requests += 1
            if request.field("content-encoding") == "gzip" { state.packed += 1 }
        }
        let (body, complaint) = DoubleServer.plainBody(request)
        if let complaint {
            received.complain(complaint)
            return Self.refusal(400, 6, "Invalid data format", event: 0)
        }
        guard body.count <= settings.maximumBytes else {
            return HTTPServiceResponse(status: 413, body: Array("Content-Length of \(body.count) too large".utf8))
        }
        guard !body.isEmpty else { return Self.refusal(400, 5, "No data") }
        let channel = Self.channel(of: request)
        if settings.acknowledges {
            guard let channel else { return Self.refusal(400, 10, "Data channel is missing") }
            guard UUID(uuidString: channel) != nil else { return Self.refusal(400, 11, "Invalid data channel") }
        }
        var sequences: [Int64] = []
        for (index, text) in Self.objects(body).enumerated() {
            let place = settings.namesInvalidEvents ? index : nil
            guard let event = try? JSONReader.parse(text), let object = event.object else {
                received.store(sequences)
                return Self.refusal(400, 6, "Invalid data format", event: place)
            }
            if let why = Self.fault(in: object) { received.complain("event \(index) of a request: \(why)") }
            guard let payload = object["event"] else {
                return Self.refusal(400, 12, "Event field is required", event: place)
            }
            if payload.string == "" { return Self.refusal(400, 13, "Event field cannot be blank", event: place) }
            if let name = object["index"]?.string, !settings.indexes.contains(name) {
                return Self.refusal(400, 7, "Incorrect index", event: place)
            }
            guard let sequence = object["fields"]?["sequence"]?.string.flatMap({ Int64($0) }) else {
                received.complain("event \(index) of a request has no number")
                continue
            }
            if settings.poison.contains(sequence) {
                // What stands before it in the request is indexed all the same.
                received.refuse(sequence)
                received.store(sequences)
                return Self.refusal(400, 6, "Invalid data format", event: place)
            }
            sequences.append(sequence)
            state.withLock { $0.events[sequence] = event }
        }
        if fault == .indexerLost {
            // The requests behind it are taken all the same.
            for sequence in sequences { received.refuse(sequence) }
        } else {
            received.store(sequences)
        }
        guard settings.acknowledges, let channel else { return Self.json(200, ["text": "Success", "code": 0]) }
        let number = state.withLock { state in
            state.channelsSeen.insert(channel)
            var known = state.channels[channel] ?? Channel()
            defer { state.channels[channel] = known }
            let number = known.next
            known.next += 1
            known.pending[number] = fault == .indexerLost ? .max : settings.pollsBeforeConfirmation
            return number
        }
        return Self.json(200, ["text": "Success", "code": 0, "ackId": .integer(number)])
    }

    private func confirm(_ request: HTTPServiceRequest, _ settings: Settings) -> HTTPServiceResponse {
        guard settings.acknowledges else { return Self.refusal(400, 14, "ACK is disabled") }
        guard let channel = Self.channel(of: request) else { return Self.refusal(400, 10, "Data channel is missing") }
        guard let numbers = (try? JSONReader.parse(request.body))?["acks"]?.array?.map(\.integer),
            !numbers.isEmpty, !numbers.contains(nil)
        else { return Self.refusal(400, 6, "Invalid data format") }
        var acks = JSONObject()
        state.withLock { state in
            var known = state.channels[channel] ?? Channel()
            for number in numbers.compactMap(\.self) {
                var isConfirmed = false
                if let polls = known.pending[number], polls < .max {
                    isConfirmed = polls == 0
                    // A number that was confirmed is forgotten.
                    known.pending[number] = isConfirmed ? nil : polls - 1
                }
                acks[String(number)] = .bool(isConfirmed)
            }
            state.channels[channel] = known
        }
        return Self.json(200, ["acks": .object(acks)])
    }

    private static func fault(in object: JSONObject) -> String? {
        let known: Set = ["time", "host", "source", "sourcetype", "index", "event", "fields"]
        if let other = object.members.first(where: { !known.contains($0.key) }) { return "unknown key \(other.key)" }
        guard object["time"]?.number != nil else { return "no time" }
        guard let fields = object["fields"]?.object else { return "no fields" }
        return fields.members.allSatisfy { $0.value.string != nil } ? nil : "fields that are no texts"
    }

    /// Objects that stand one after the other without anything between.
    private static func objects(_ body: [UInt8]) -> [[UInt8]] {
        var objects: [[UInt8]] = []
        var (start, depth, isText, isEscaped) = (0, 0, false, false)
        for (index, byte) in body.enumerated() {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 {
                    objects.append(Array(body[start...index]))
                    start = index + 1
                }
            default: break
            }
        }
        if start < body.count { objects.append(Array(body[start...])) }
        return objects
    }
}
