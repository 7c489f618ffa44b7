public import ClawWire
public import IssuanceRules

/// A file of vendor records taken apart into the records a topic would have held.
///
/// The layouts: one message value; `{"kafka":{…},"value":…}`; a webhook with its headers (`{"kind","headers","body"}`);
/// an array of these; a list of JSON documents, one a line; and anything else as one message of raw bytes.
public struct MappingInput: Sendable {
    /// The messages in order.
    public let records: [SourceRecord]
    /// True when the file is a list of messages, so that facts name their message.
    public let isList: Bool

    /// Takes a file apart. Every byte string gives at least one record.
    public init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits(maximumBytes: 67_108_864, maximumMembers: 4_000_000))
    {
        guard let value = Self.parse(bytes, limits) else {
            let lines = bytes.split(separator: UInt8(ascii: "\n")).map { Array($0) }
                .filter { !$0.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
            guard lines.count > 1, lines.contains(where: { Self.parse($0, limits)?.object != nil }) else {
                records = [SourceRecord(topic: "file", value: bytes)]
                isList = false
                return
            }
            records = lines.enumerated().map { i, line in
                Self.parse(line, limits).map { Self.record($0, offset: i) }
                    ?? SourceRecord(topic: "file", offset: Int64(i), value: line)
            }
            isList = true
            return
        }
        if let messages = value.array {
            records = messages.enumerated().map { Self.record($1, offset: $0) }
            isList = true
        } else {
            // Bytes as they came, so that a fault's position is the file's.
            let record = Self.record(value, offset: 0)
            records = [
                Self.isWrapped(value) || VendorSample.isOne(value) ? record : record.with(value: bytes)
            ]
            isList = false
        }
    }

    private static func parse(_ marked: [UInt8], _ limits: JSONLimits) -> JSONValue? {
        let bytes = JSONSource.withoutMark(marked)
        return (try? JSONReader.parse(bytes, limits: limits))
            ?? {
                // A lone surrogate is the reader's affair, not the layout's.
                guard let value = try? JSONReader.parse(bytes, limits: limits, duplicates: .keepLastValue),
                    (try? JSONReader.parse(JSONWriter.bytes(value), limits: limits)) == nil
                else { return nil }
                return value
            }()
    }

    private static func isWrapped(_ value: JSONValue) -> Bool {
        value.object.map { $0.contains("kafka") && $0.contains("value") } ?? false
    }

    private static func record(_ value: JSONValue, offset: Int) -> SourceRecord {
        if let vendor = VendorSample.record(value, offset: offset) { return vendor }
        guard isWrapped(value) else {
            var record = SourceRecord(topic: "file", offset: Int64(offset), value: Self.bytes(value))
            if value["specversion"] != nil {
                record.headers = [SourceRecord.Header("content-type", "application/cloudevents+json")]
            }
            return record
        }
        let kafka = value["kafka"]
        return SourceRecord(
            topic: kafka?["topic"]?.string ?? "file",
            partition: kafka?["partition"]?.integer.flatMap { Int32(exactly: $0) } ?? 0,
            offset: kafka?["offset"]?.integer ?? Int64(offset),
            key: kafka?["key"]?.string.map { Array($0.utf8) }, headers: headers(kafka?["headers"] ?? .null),
            value: value["value"].flatMap { $0.isNull ? nil : Self.bytes($0) })
    }

    static func bytes(_ value: JSONValue) -> [UInt8] {
        value.string.map { Array($0.utf8) } ?? JSONWriter.bytes(value)
    }

    static func headers(_ value: JSONValue) -> [SourceRecord.Header] {
        func text(_ value: JSONValue?) -> [UInt8]? {
            value.flatMap { $0.isNull ? nil : Self.bytes($0) }
        }
        if let object = value.object {
            return object.members.map { SourceRecord.Header($0.key, text($0.value)) }
        }
        return (value.array ?? []).compactMap { header in
            (header["key"] ?? header["name"])?.string.map { SourceRecord.Header($0, text(header["value"])) }
        }
    }

    /// The kind of source a record looks like, for `--source auto`.
    public static func kind(of record: SourceRecord) -> SourceConfiguration.Kind? {
        guard let bytes = record.value else { return nil }
        let value = try? JSONReader.parse(
            JSONSource.withoutMark(bytes), duplicates: .keepLastValue, loneSurrogates: .replace)
        if CloudEvent.mode(of: record) != nil {
            let type = record.header("ce_type").map { String(decoding: $0, as: UTF8.self) } ?? value?["type"]?.string
            return type == EventType.capabilityRequest ? .capabilityRequest : .native
        }
        if let vendor = VendorSample.kind(of: record, value) { return vendor }
        guard let value else { return nil }
        if value["request_version"] != nil { return .capabilityRequest }
        if value["envelope_type"] != nil { return .native }
        let outer = value.array?.first ?? value
        let record = EntraAuditRecord.member(outer, "records")?.array?.first ?? outer
        switch VendorRecord.word(EntraAuditRecord.member(record, "kind")) {
        case "graph.poll", "graph.notification": return .graph
        case "em.callout": return .entitlementManagement
        case .some, nil: break
        }
        if GraphNotification.looksLikeOne(record) { return .graph }
        if VendorRecord.word(EntraAuditRecord.member(record, "category")) == "administrative" { return .azureActivity }
        let looksLikeAudit = ["records", "properties", "operationName", "category"].contains {
            EntraAuditRecord.member(record, $0) != nil
        }
        return looksLikeAudit || EntraAuditRecord.member(outer, "records") != nil ? .entraAudit : nil
    }
}

extension SourceRecord {
    func with(value: [UInt8]) -> SourceRecord {
        var record = self
        record.value = value
        return record
    }
}
