public import ClawWire

/// Revocations and cut-offs that are over: no token that they void can be alive. Each is forgotten on the revocations topic
/// by a record of its key without a value.
public struct RevocationEnd: Sendable, Hashable {
    /// What is over: tokens and cut-offs.
    public let keys: [RevocationKey]
    /// Every token concerned expired before this instant.
    public let expiredBefore: Timestamp

    /// Says what is over. The instant is cut to milliseconds.
    public init(keys: [RevocationKey], expiredBefore: Timestamp) {
        self.keys = keys
        self.expiredBefore = expiredBefore.cutToMilliseconds
    }

    /// The payload of the receipt: `ended`, the keys as they stand on the topic, and `expired_before`.
    public var payload: JSONObject {
        ["ended": .array(keys.map { .string($0.description) }), "expired_before": .string(expiredBefore.iso8601)]
    }

    init(_ reader: MemberReader) throws(EvidenceError) {
        var keys: [RevocationKey] = []
        for text in try reader.strings("ended") {
            guard let key = RevocationKey(Array(text.utf8)), key != .head else {
                throw EvidenceError(
                    .invalidMember, reader.at("ended"),
                    "\"\(text.prefix(64))\" is neither a token hash nor the key of a cut-off")
            }
            keys.append(key)
        }
        self.init(keys: keys, expiredBefore: try reader.timestamp("expired_before"))
    }
}
