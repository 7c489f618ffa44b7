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
        var output: [UInt8] = []
        output.reserveCapacity(2_048)
        var separator = UInt8(ascii: "{")
        func member(_ name: String, _ value: JSONValue) {
            output.append(separator)
            separator = UInt8(ascii: ",")
            JSONWriter.append(string: name, to: &output)
            output.append(UInt8(ascii: ":"))
            JSONWriter.append(value, order: .canonical, to: &output)
        }
        // The members stand in RFC 8785 order here, which saves building and sorting an object for every event.
        switch data {
        case .none: break
        case .json(let value): member("data", value)
        case .bytes(let bytes): member("data_base64", .string(Base64.encode(bytes)))
        }
        member("datacontenttype", .string(dataContentType ?? "application/json"))
        if let dataSchema { member("dataschema", .string(dataSchema)) }
        member("id", .string(id))
        member("source", .string(source))
        member("specversion", "1.0")
        if let subject { member("subject", .string(subject)) }
        if let time { member("time", .string(time)) }
        member("type", .string(type))
        output.append(UInt8(ascii: "}"))
        return output
    }

    /// SHA-256 of ``canonicalBytes``: the evidence of the event and its leaf in a batch.
    public var digest: Digest { Digest(hashing: canonicalBytes) }
}
