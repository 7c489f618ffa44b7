import ClawWire
import ReceiptLog

/// Puts security events into bodies for the logs ingestion API of Azure Monitor, which feeds Microsoft Sentinel.
public enum LogsIngestion {
    /// Most bytes of one call.
    public static let maximumBytes = 1_000_000

    /// Arrays of rows, each no longer than a call may be, in the order of the events. A row that is longer by itself is
    /// an array of its own, which the service then refuses by name.
    public static func bodies(
        _ events: [SecurityEvent], maximumBytes: Int = maximumBytes
    ) -> [(events: Range<Int>, body: [UInt8])] {
        var bodies: [(events: Range<Int>, body: [UInt8])] = []
        var body: [UInt8] = []
        var start = 0
        for (index, event) in events.enumerated() {
            let row = rowBytes(event)
            if !body.isEmpty, body.count + row.count + 2 > maximumBytes {
                bodies.append((start..<index, body + [UInt8(ascii: "]")]))
                body = []
                start = index
            }
            body.append(UInt8(ascii: body.isEmpty ? "[" : ","))
            body += row
        }
        if !body.isEmpty { bodies.append((start..<events.count, body + [UInt8(ascii: "]")])) }
        return bodies
    }

    /// A row as it stands in a body.
    public static func rowBytes(_ event: SecurityEvent) -> [UInt8] {
        SingleLine.json(.object(row(event)))
    }

    /// A row of the table; its columns are those of the documentation of this sink.
    static func row(_ event: SecurityEvent) -> JSONObject {
        let facts = ClawFacts.object(event)
        var row: JSONObject = [
            "TimeGenerated": .string(event.receipt.occurredAt.iso8601), "EventType": .string(event.code),
            "Sequence": .integer(event.sequence.value), "ReceiptId": .string(event.receipt.id.rawValue),
            "Outcome": event.outcome == .success ? "Success" : "Failure",
            "Severity": .integer(Int64(event.severity.rawValue)), "Message": .string(event.message),
        ]
        for (column, name) in [
            ("ApprovalId", "approval_id"), ("RequestId", "request_id"), ("JobId", "job_id"), ("JobClass", "job_class"),
            ("AgentDid", "agent_did"), ("Jti", "jti"), ("WpcHash", "wpc_hash"), ("StopId", "stop_id"),
        ] {
            row[column] = facts[name]
        }
        row["Approver"] = event.people.first.map { .string(TokenMask.masked($0)) }
        row["Reason"] = event.reason.map { .string($0.code) }
        row["Raw"] = .object(OCSF.object(event))
        return row
    }
}
