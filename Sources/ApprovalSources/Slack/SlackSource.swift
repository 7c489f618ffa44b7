public import ClawWire
import IssuanceRules

/// Slack interactions: recognised, and never an approval. A button may drive the system that approves; the evidence is
/// that system's record then.
public enum SlackSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "slack"

    /// Reads one record: the interaction as JSON, or as Slack posts it, in the form field `payload`.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        let payload = record.value.flatMap { Self.payload(of: $0, configuration.limits.json) }
        return WebhookRecord.read(record, configuration, as: vocabulary, payload: payload) {
            vendor throws(SourceFault) in
            guard vendor.value["type"]?.string != nil else {
                throw SourceFault(.malformed, field: "type", "an interaction names its type")
            }
            let action = vendor.value["actions"]?.array?.first
            let time = action?["action_ts"]?.string.flatMap(Self.time)
            return vendor.ignored(
                .chatIsNotEvidence, eventID: vendor.identifier(vendor.value["trigger_id"]), at: time)
        }
    }

    /// The decoded field `payload` of a form, `nil` when the bytes are none.
    private static func payload(of bytes: [UInt8], _ limits: JSONLimits) -> [UInt8]? {
        let prefix = Array("payload=".utf8)
        guard bytes.starts(with: prefix), bytes.count <= 3 * limits.maximumBytes + prefix.count else { return nil }
        var decoded: [UInt8] = []
        var rest = bytes[prefix.count...].prefix { $0 != UInt8(ascii: "&") }
        decoded.reserveCapacity(rest.count)
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit)
                else {
                    return nil
                }
                decoded.append(high << 4 | low)
            default: decoded.append(byte)
            }
        }
        return decoded
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }

    /// Seconds with a fraction, as texts.
    private static func time(_ text: String) -> Timestamp? {
        text.split(separator: ".").first.flatMap { Int64($0) }.map { Timestamp(seconds: $0) }
    }
}
