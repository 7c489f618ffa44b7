package import ClawWire
package import IssuanceRules
package import ReceiptLog

/// What the ledger keeps of a request while it waits: the request, who said it, and where it was found.
package struct StoredRequestBody {
    package let request: CapabilityRequest
    package let source: SourceName
    package let authenticity: IssuanceRules.Authenticity
    package let input: EvidenceInput
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

    func encode() -> [UInt8] { Statement(source, authenticity, input, trace).encode("request", request.json) }

    package init?(decoding bytes: [UInt8]) {
        guard let (statement, body) = Statement.decode("request", bytes),
            let request = try? CapabilityRequest(json: body)
        else { return nil }
        self.init(
            request: request, source: statement.source, authenticity: statement.authenticity, input: statement.input,
            trace: statement.trace)
    }
}

/// What the ledger keeps of an end that names a holder and no approval.
struct StoredHolderEnd {
    let fact: Fact
    let source: SourceName
    let authenticity: IssuanceRules.Authenticity
    let input: EvidenceInput

    init(fact: Fact, source: SourceName, authenticity: IssuanceRules.Authenticity, input: EvidenceInput) {
        self.fact = fact
        self.source = source
        self.authenticity = authenticity
        self.input = input
    }

    func encode() -> [UInt8] { Statement(source, authenticity, input).encode("fact", fact.json) }

    init?(decoding bytes: [UInt8]) {
        guard let (statement, body) = Statement.decode("fact", bytes), let fact = try? Fact(json: body) else {
            return nil
        }
        self.init(fact: fact, source: statement.source, authenticity: statement.authenticity, input: statement.input)
    }
}

/// Who said something, how that was proven, and where it was found.
private struct Statement {
    let source: SourceName
    let authenticity: IssuanceRules.Authenticity
    let input: EvidenceInput
    /// The trace that it is a part of.
    let trace: TraceContext?

    init(
        _ source: SourceName, _ authenticity: IssuanceRules.Authenticity, _ input: EvidenceInput,
        _ trace: TraceContext? = nil
    ) {
        self.trace = trace
        self.source = source
        self.authenticity = authenticity
        self.input = input
    }

    func encode(_ name: String, _ what: JSONValue) -> [UInt8] {
        var object = JSONObject()
        object[name] = what
        object["source"] = .string(source.rawValue)
        object["digest"] = .string(input.digest.b64u)
        object["topic"] = .string(input.origin.topic)
        object["partition"] = .integer(input.origin.partition)
        object["offset"] = .integer(input.origin.offset)
        object["authenticity"] = Self.json(authenticity)
        if let trace {
            object["traceparent"] = .string(trace.traceparent)
            if !trace.state.isEmpty { object["tracestate"] = .string(trace.state) }
        }
        return JSONWriter.bytes(.object(object))
    }

    static func decode(_ name: String, _ bytes: [UInt8]) -> (Statement, JSONValue)? {
        guard let value = try? JSONReader.parse(bytes), let body = value[name], let source = value["source"]?.string,
            let digest = value["digest"]?.string.flatMap({ Digest(b64u: $0) }), let topic = value["topic"]?.string,
            let partition = value["partition"]?.integer, let offset = value["offset"]?.integer,
            let authenticity = value["authenticity"].flatMap(Self.authenticity)
        else { return nil }
        let input = EvidenceInput(
            digest: digest,
            origin: ReceiptLog.RecordOrigin(topic: topic, partition: Int32(clamping: partition), offset: offset),
            source: SourceName(source))
        let trace = value["traceparent"]?.string.flatMap {
            TraceContext(traceparent: $0, tracestate: value["tracestate"]?.string)
        }
        return (Statement(SourceName(source), authenticity, input, trace), body)
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
