import ClawWire
import ReceiptLog

/// Puts security events into bodies for Splunk's HTTP event collector.
public enum SplunkHEC {
    /// Where Splunk files events.
    public struct Target: Sendable, Hashable {
        /// The index; `nil` takes the one of the collector's token.
        public var index: String?
        /// The source type.
        public var sourceType: String

        /// Names a target.
        public init(index: String? = nil, sourceType: String = "ocsf:json") {
            self.index = index
            self.sourceType = sourceType
        }
    }

    /// One object for each event, one after the other without anything between, as the collector reads them.
    public static func body(_ events: [SecurityEvent], target: Target = Target()) -> [UInt8] {
        var body: [UInt8] = []
        for event in events { body += SingleLine.json(.object(object(event, target))) }
        return body
    }

    private static func object(_ event: SecurityEvent, _ target: Target) -> JSONObject {
        let milliseconds = event.receipt.occurredAt.milliseconds
        var fields: JSONObject = [
            "kind": .string(event.code), "sequence": .string(String(event.sequence.value)),
            "receipt_id": .string(event.receipt.id.rawValue),
        ]
        fields["job_class"] = event.receipt.subject.jobClass.map { .string(TokenMask.masked($0.rawValue)) }
        var object: JSONObject = ["time": .number(Double(milliseconds) / 1_000)]
        object["host"] = .string(event.receipt.provenance.workerID.rawValue)
        object["source"] = .string(EventProducer.product)
        object["sourcetype"] = .string(target.sourceType)
        object["index"] = target.index.map { .string($0) }
        object["event"] = .object(OCSF.object(event))
        object["fields"] = .object(fields)
        return object
    }
}
