public import ClawWire

extension CloudEvent {
    /// Extension that carries a signature over this event.
    public static let signatureExtension = "clawsig"
    /// Extension that carries a signature over a batch this event is in.
    public static let batchExtension = "clawbatch"

    /// The text that is signed: RFC 8785 of one object with the attributes `specversion`, `id`, `source`, `type`,
    /// `subject`, `time`, `datacontenttype`, `dataschema` (those the event has; `datacontenttype` always, by default
    /// `application/json`) and the data as `data`, or as `data_base64` when it is not JSON.
    ///
    /// It is the same in both modes. Extension attributes are outside: intermediaries may add them, and nothing that a
    /// decision rests on is read from them.
    public var canonicalBytes: [UInt8] {
        var object = JSONObject()
        object["specversion"] = "1.0"
        object["id"] = .string(id)
        object["source"] = .string(source)
        object["type"] = .string(type)
        object["subject"] = subject.map { .string($0) }
        object["time"] = time.map { .string($0) }
        object["datacontenttype"] = .string(dataContentType ?? "application/json")
        object["dataschema"] = dataSchema.map { .string($0) }
        switch data {
        case .none: break
        case .json(let value): object["data"] = value
        case .bytes(let bytes): object["data_base64"] = .string(Base64.encode(bytes))
        }
        return JSONWriter.bytes(.object(object), order: .canonical)
    }

    /// SHA-256 of ``canonicalBytes``: the evidence of the event and its leaf in a batch.
    public var digest: Digest { Digest(hashing: canonicalBytes) }
}
