public import ClawWire

extension CloudEvent {
    /// The event in the JSON format, attributes first, in the order of the specification.
    public var structuredJSON: JSONValue {
        var object = JSONObject()
        object["specversion"] = "1.0"
        object["id"] = .string(id)
        object["source"] = .string(source)
        object["type"] = .string(type)
        object["subject"] = subject.map { .string($0) }
        object["time"] = time.map { .string($0) }
        object["datacontenttype"] = dataContentType.map { .string($0) }
        object["dataschema"] = dataSchema.map { .string($0) }
        for (name, attribute) in extensions.sorted(by: { $0.key < $1.key }) {
            switch attribute {
            case .string(let value): object[name] = .string(value)
            case .integer(let value): object[name] = .integer(value)
            case .boolean(let value): object[name] = .bool(value)
            }
        }
        switch data {
        case .none: break
        case .json(let value): object["data"] = value
        case .bytes(let bytes): object["data_base64"] = .string(Base64.encode(bytes))
        }
        return .object(object)
    }

    /// Headers and value of the event in a mode (CloudEvents Kafka binding 1.0.2, sections 3.2 and 3.3).
    ///
    /// An event without data has a null value in binary mode, which is a tombstone on a compacted topic.
    public func message(_ mode: Mode) -> (headers: [SourceRecord.Header], value: [UInt8]?) {
        switch mode {
        case .structured:
            return (
                [SourceRecord.Header("content-type", "application/cloudevents+json; charset=UTF-8")],
                JSONWriter.bytes(structuredJSON)
            )
        case .binary:
            var headers = [
                SourceRecord.Header("ce_specversion", "1.0"), SourceRecord.Header("ce_id", id),
                SourceRecord.Header("ce_source", source), SourceRecord.Header("ce_type", type),
            ]
            if let subject { headers.append(SourceRecord.Header("ce_subject", subject)) }
            if let time { headers.append(SourceRecord.Header("ce_time", time)) }
            if let dataSchema { headers.append(SourceRecord.Header("ce_dataschema", dataSchema)) }
            for (name, attribute) in extensions.sorted(by: { $0.key < $1.key }) {
                headers.append(SourceRecord.Header("ce_\(name)", attribute.text))
            }
            if let dataContentType { headers.append(SourceRecord.Header("content-type", dataContentType)) }
            switch data {
            case .none: return (headers, nil)
            case .json(let value): return (headers, JSONWriter.bytes(value))
            case .bytes(let bytes): return (headers, bytes)
            }
        }
    }

    /// A record of the event, for tests and tools.
    public func record(_ mode: Mode, topic: String, key: String? = nil) -> SourceRecord {
        let message = message(mode)
        return SourceRecord(
            topic: topic, key: key.map { Array($0.utf8) }, headers: message.headers, value: message.value)
    }
}
