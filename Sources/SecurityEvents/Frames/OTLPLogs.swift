import ClawWire
import ReceiptLog

/// Puts security events into bodies for OpenTelemetry's logs over HTTP, in their JSON form (OTLP 1.x).
public enum OTLPLogs {
    /// One export request.
    public static func body(_ events: [SecurityEvent]) -> [UInt8] {
        guard let producer = events.first?.producer else { return [] }
        return body(records: events.map(recordBytes), of: producer)
    }

    /// A record as it stands in a request.
    public static func recordBytes(_ event: SecurityEvent) -> [UInt8] {
        SingleLine.json(.object(record(event)))
    }

    /// One export request of records that are rendered already.
    public static func body(records: [[UInt8]], of producer: EventProducer) -> [UInt8] {
        let (head, tail) = frame(producer)
        return head + records.joined(separator: [UInt8(ascii: ",")]) + tail
    }

    /// What stands around the records.
    private static func frame(_ producer: EventProducer) -> (head: [UInt8], tail: [UInt8]) {
        var attributes: [(String, String)] = [
            ("service.name", EventProducer.product), ("service.version", producer.version),
            ("service.instance.id", producer.workerID.rawValue), ("claw.log_id", producer.logID.rawValue),
        ]
        if let tenant = producer.tenant { attributes.append(("claw.tenant", tenant)) }
        let request: JSONObject = [
            "resourceLogs": [
                [
                    "resource": [
                        "attributes": .array(attributes.map { attribute($0.0, ["stringValue": .string($0.1)]) })
                    ],
                    "scopeLogs": [
                        [
                            "scope": ["name": "clawgrant.receipts", "version": .string(producer.version)],
                            "logRecords": [],
                        ]
                    ],
                ]
            ]
        ]
        // The list is the last thing in the request but brackets.
        let bytes = SingleLine.json(.object(request))
        let end = (bytes.lastIndex(of: UInt8(ascii: "[")) ?? 0) + 1
        return (Array(bytes[..<end]), Array(bytes[end...]))
    }

    private static func record(_ event: SecurityEvent) -> JSONObject {
        let (number, text) = severity(event.severity)
        let facts = ClawFacts.object(event).members.map { member in attribute("claw.\(member.key)", value(member.value))
        }
        var record: JSONObject = [
            // 64-bit integers are texts in the JSON form.
            "timeUnixNano": .string("\(event.receipt.occurredAt.milliseconds)000000"),
            "observedTimeUnixNano": .string("\(event.sealedAt.milliseconds)000000"),
            "severityNumber": .integer(number), "severityText": .string(text),
            "body": ["stringValue": .string(event.message)],
            "attributes": .array([attribute("event.name", ["stringValue": .string(event.code)])] + facts),
        ]
        // In the JSON form these two are hexadecimal; the flags are those of W3C Trace Context.
        if let trace = event.trace {
            record["traceId"] = .string(trace.traceID.description)
            record["spanId"] = .string(trace.spanID.description)
            record["flags"] = .integer(trace.isSampled ? 1 : 0)
        }
        return record
    }

    /// Numbers of OpenTelemetry's log data model.
    private static func severity(_ severity: SecurityEvent.Severity) -> (Int64, String) {
        switch severity {
        case .informational: (9, "INFO")
        case .low: (10, "INFO2")
        case .medium: (13, "WARN")
        case .high: (17, "ERROR")
        case .critical: (21, "FATAL")
        }
    }

    private static func attribute(_ key: String, _ value: JSONObject) -> JSONValue {
        ["key": .string(key), "value": .object(value)]
    }

    private static func value(_ value: JSONValue) -> JSONObject {
        switch value {
        case .string(let text): ["stringValue": .string(text)]
        case .bool(let flag): ["boolValue": .bool(flag)]
        case .array(let elements):
            ["arrayValue": ["values": .array(elements.map { .object(Self.value($0)) })]]
        case .number: ["intValue": .string(JSONWriter.text(value))]
        case .null, .object: ["stringValue": .string(JSONWriter.text(value))]
        }
    }
}
