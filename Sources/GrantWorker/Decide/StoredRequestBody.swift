import ClawWire
import IssuanceRules
import ReceiptLog

/// What the ledger keeps of a request while it waits: the request, who said it, and where it was found.
struct StoredRequestBody {
    let request: CapabilityRequest
    let source: SourceName
    let authenticity: IssuanceRules.Authenticity
    let input: EvidenceInput
    /// The trace that it came with.
    let trace: TraceContext?

    init(
        request: CapabilityRequest, source: SourceName, authenticity: IssuanceRules.Authenticity, input: EvidenceInput,
        trace: TraceContext? = nil
    ) {
        self.trace = trace
        self.request = request
        self.source = source
        self.authenticity = authenticity
        self.input = input
    }

    func encode() -> [UInt8] {
        var body: JSONObject = [
            "request": request.json, "source": .string(source.rawValue), "digest": .string(input.digest.b64u),
            "topic": .string(input.origin.topic), "partition": .integer(input.origin.partition),
            "offset": .integer(input.origin.offset), "authenticity": Self.json(authenticity),
        ]
        if let trace {
            body["traceparent"] = .string(trace.traceparent)
            if !trace.state.isEmpty { body["tracestate"] = .string(trace.state) }
        }
        return JSONWriter.bytes(.object(body))
    }

    init?(decoding bytes: [UInt8]) {
        guard let value = try? JSONReader.parse(bytes), let body = value["request"],
            let request = try? CapabilityRequest(json: body), let source = value["source"]?.string,
            let digest = value["digest"]?.string.flatMap({ Digest(b64u: $0) }), let topic = value["topic"]?.string,
            let partition = value["partition"]?.integer, let offset = value["offset"]?.integer,
            let authenticity = value["authenticity"].flatMap(Self.authenticity)
        else { return nil }
        self.request = request
        self.source = SourceName(source)
        self.authenticity = authenticity
        trace = value["traceparent"]?.string.flatMap {
            TraceContext(traceparent: $0, tracestate: value["tracestate"]?.string)
        }
        input = EvidenceInput(
            digest: digest,
            origin: ReceiptLog.RecordOrigin(topic: topic, partition: Int32(clamping: partition), offset: offset),
            source: SourceName(source))
    }

    private static func json(_ authenticity: IssuanceRules.Authenticity) -> JSONValue {
        switch authenticity {
        case .signed(let kids): .array(kids.map { .string($0.rawValue) })
        case .confirmed: "confirmed"
        case .topic: "topic"
        case .unconfirmed: "unconfirmed"
        }
    }

    private static func authenticity(_ value: JSONValue) -> IssuanceRules.Authenticity? {
        switch value {
        case .array(let kids): .signed(by: kids.compactMap(\.string).map { KeyID($0) })
        case "confirmed": .confirmed
        case "topic": .topic
        case "unconfirmed": .unconfirmed
        case .null, .bool, .number, .string, .object: nil
        }
    }
}
