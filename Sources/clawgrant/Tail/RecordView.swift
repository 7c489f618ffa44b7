import ClawWire
import GrantLedger
import Kafka
import ReceiptLog
import SecurityEvents

/// One published record, for people and for programs. Never shows a token in the clear.
struct RecordView {
    private let record: ConsumedRecord
    private let stream: OutputStream
    private let document: JSONValue

    init(_ record: ConsumedRecord, _ stream: OutputStream) {
        self.record = record
        self.stream = stream
        let limits = JSONLimits(maximumBytes: 4 << 20, maximumMembers: 1_000_000)
        var document = record.value.flatMap { try? JSONReader.parse($0, limits: limits) } ?? .null
        if stream == .grants, document["delivery"]?["token"] != nil, var object = document.object,
            var delivery = object["delivery"]?.object
        {
            delivery["token"] = .string(TokenMask.placeholder)
            object["delivery"] = .object(delivery)
            document = .object(object)
        }
        self.document = document
    }

    private func header(_ name: String) -> String? {
        record.headers.first { $0.name == name }?.value.flatMap { String(validating: $0, as: UTF8.self) }
    }

    private var key: String? { record.key.flatMap { String(validating: $0, as: UTF8.self) } }

    private func number(_ name: String) -> JSONValue {
        header(name).flatMap { Int64($0) }.map { .integer($0) } ?? .null
    }

    /// For programs; `record` is the value as it was published.
    var json: JSONValue {
        [
            "stream": .string(stream.name), "seq": number("claw_seq"), "batch": number("claw_batch"),
            "time": .optional(header("ce_time")), "topic": .string(record.topicPartition.topic),
            "partition": .integer(record.topicPartition.partition), "offset": .integer(record.offset),
            "key": .optional(key), "record": document,
        ]
    }

    /// For people.
    var line: String {
        let time = record.timestamp.map { String(Timestamp(milliseconds: $0).iso8601.dropFirst(11).dropLast(1)) } ?? ""
        let head = Console.styled(time, .faint)
        guard record.value != nil else { return "\(head) \(mark("TOMBSTONE", .faint)) \(Console.plain(key ?? ""))" }
        switch stream {
        case .decisions: return "\(head) \(decision)"
        case .grants: return "\(head) \(grant)"
        case .revocations: return "\(head) \(revocation)"
        case .receiptBatches: return "\(head) \(batch)"
        case .deadLetters: return "\(head) \(deadLetter)"
        case .controlResults: return "\(head) \(controlResult)"
        case .findings: return "\(head) \(finding)"
        }
    }

    private func mark(_ text: String, _ style: Console.Style) -> String {
        Console.styled(text + String(repeating: " ", count: max(0, 9 - text.count)), style)
    }

    private func text(_ value: JSONValue?) -> String { value?.string.map(Console.plain) ?? "-" }

    private var decision: String {
        let ours = document["clawgrant"]
        let about = text(document["request_id"] ?? ours?["approval_ids"]?.array?.first)
        let job = "\(text(ours?["job_id"])) (\(text(ours?["job_class"])))"
        let why = (ours?["reasons"]?.array ?? []).prefix(3).map { "\(text($0["code"])): \(text($0["detail"]))" }
        switch ours?["outcome"]?.string {
        case "issued":
            let scope = (ours?["granted"]?["scope"]?.array ?? []).map { text($0) }.joined(separator: " ")
            let until = text(document["granted_capability"]?["expires_at"])
            return "\(mark("ISSUED", .green)) \(about)  job \(job)  \(scope)  until \(until)"
        case "denied": return "\(mark("DENIED", .red)) \(about)  job \(job)  \(why.joined(separator: "; "))"
        case "expired": return "\(mark("EXPIRED", .yellow)) \(about)  job \(job)  \(why.joined(separator: "; "))"
        default: return "\(mark("?", .red)) \(record.topicPartition)/\(record.offset): no decision record"
        }
    }

    private var grant: String {
        let delivery = text(document["delivery"]?["mode"])
        return
            "\(mark("GRANT", .blue)) \(text(document["request_id"]))  job \(text(document["job_id"]))  \(delivery) for "
            + "\(text(document["agent_did"]))  token \(text(document["token"]?["jti"]))  batch \(header("claw_batch") ?? "-")"
    }

    private var finding: String {
        if let budget = document["budget"] {
            let (used, limit) = (budget["used"]?.integer ?? 0, budget["limit"]?.integer ?? 0)
            return "\(mark("BUDGET", .yellow)) job \(text(document["job_id"]))  \(budget["percent"]?.integer ?? 0) %: "
                + "\(used) of \(limit) \(text(budget["dimension"]))"
        }
        return "\(mark("FINDING", .red)) \(text(document["code"]))  \(text(document["job_id"] ?? document["about"]))  "
            + text(document["detail"])
    }

    private var controlResult: String {
        let counted = document["voided_tokens"]?.integer.map { "\($0) live tokens void" } ?? "live tokens being counted"
        let voided = document["voided_tokens"] == nil ? "nothing changed" : counted
        return "\(mark("CONTROL", .red)) \(text(document["operation"])) \(text(document["stop_id"]))  "
            + "\(text(document["result"]))  position \(document["control_position"]?.integer ?? -1)  \(voided)"
    }

    private var revocation: String {
        switch record.key.flatMap({ RevocationKey($0) }) {
        case .cutoff(let scope):
            let before = document["not_issued_before"]?.integer ?? 0
            let since = document["issued_since"]?.integer.map { "since \(Timestamp(seconds: $0)) and " } ?? ""
            return "\(mark("CUT OFF", .red)) \(Console.plain(scope.description))  tokens issued \(since)before "
                + "\(Timestamp(seconds: before))  \(text(document["cause"]))"
        case .head: return "\(mark("HEAD", .faint)) everything up to \(text(document["as_of"]))"
        case .token, nil: return tokenRevocation
        }
    }

    private var tokenRevocation: String {
        "\(mark("REVOKED", .red)) token \(text(document["token_hash"]).prefix(16))…  request "
            + "\(text(document["request_id"]))  \(text(document["cause"]))"
    }

    private var batch: String {
        guard let batch = record.value.flatMap({ Self.header(of: $0) }) else {
            return "\(mark("?", .red)) \(record.topicPartition)/\(record.offset): no batch of receipts"
        }
        let counts = batch.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return "\(mark("BATCH", .bold)) \(batch.number)  \(batch.count) receipts from position \(batch.firstPosition)  "
            + counts.joined(separator: ", ")
    }

    private static func header(of value: [UInt8]) -> BatchHeader? {
        guard let document = try? JSONReader.parse(value, limits: JSONLimits(maximumBytes: 4 << 20)),
            let header = document["header"]
        else { return nil }
        return try? BatchHeader(parsing: JSONWriter.bytes(header, order: .canonical))
    }

    private var deadLetter: String {
        let origin = document["origin"]
        let place =
            "\(text(origin?["topic"]))[\(origin?["partition"]?.integer ?? -1)]/\(origin?["offset"]?.integer ?? -1)"
        return "\(mark("DEAD", .yellow)) \(text(document["reason"]))  \(place)  \(text(document["detail"]))"
    }
}
