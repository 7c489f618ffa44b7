import ClawWire

/// What a receipt's binding says of causes, with the aliases resolved.
///
/// Each identifier may be written in snake case or camel case or both; both must then say the same.
struct CausalBinding {
    /// A member's value and the path by which refusals name it.
    struct Named<Value> {
        /// The value; `nil` when neither spelling is there.
        var value: Value?
        /// Path of the spelling in use, of snake case when there is none.
        var field: String
    }

    /// The span that the receipt declares.
    let span: Named<String>
    /// The span that caused it.
    let parent: Named<String>
    /// The tool call that caused it.
    let tool: Named<String>
    /// The phase of the run, unchecked.
    let phase: Named<JSONValue>
    /// How sure the attribution is, a finite number.
    let confidence: Named<Double>
    /// The payload's `timestamp`, unchecked.
    let timestamp: Named<JSONValue>
    /// The envelope's `issued_at`, unchecked.
    let issuedAt: Named<JSONValue>

    /// Milliseconds of the receipt's own time, else of its envelope's.
    var time: Int64? { Loose.milliseconds(timestamp.value) ?? Loose.milliseconds(issuedAt.value) }
    /// Where ``time`` stands.
    var timeField: String { timestamp.value == nil ? issuedAt.field : timestamp.field }

    private static let keys: Set<String> = [
        "span_id", "spanId", "parent_span_id", "parentSpanId", "tool_span_id", "toolSpanId", "phase",
        "attribution_confidence", "attributionConfidence",
    ]

    /// Reads a binding; `nil` when it says nothing of causes.
    ///
    /// - Throws: `CAUSAL_BINDING_NORMALIZATION_FAILED` for a value of another type or an empty one,
    ///   `CAUSAL_BINDING_FIELD_CONFLICT` when the two spellings differ.
    init?(
        _ binding: Part, timestamp: Named<JSONValue>, issuedAt: Named<JSONValue>
    ) throws(ReferenceRefusal) {
        guard binding.members.members.contains(where: { Self.keys.contains($0.key) }) else { return nil }
        span = try Self.identifier(binding, "span_id", "spanId")
        parent = try Self.identifier(binding, "parent_span_id", "parentSpanId")
        tool = try Self.identifier(binding, "tool_span_id", "toolSpanId")
        confidence = try Self.number(binding, "attribution_confidence", "attributionConfidence")
        phase = Named(value: binding["phase"], field: binding.field("phase"))
        self.timestamp = timestamp
        self.issuedAt = issuedAt
    }

    /// Reads the anchor of a side effect or approval: the first of tool, parent and own span that is there.
    static func anchor(_ binding: Part) throws(ReferenceRefusal) -> Named<String> {
        let span = try identifier(binding, "span_id", "spanId")
        let parent = try identifier(binding, "parent_span_id", "parentSpanId")
        let tool = try identifier(binding, "tool_span_id", "toolSpanId")
        return tool.value != nil ? tool : parent.value != nil ? parent : span
    }

    private static func identifier(
        _ binding: Part, _ snake: String, _ camel: String
    ) throws(ReferenceRefusal) -> Named<String> {
        func read(_ key: String) throws(ReferenceRefusal) -> String? {
            guard let value = binding[key] else { return nil }
            guard let text = value.string, case let trimmed = ExactText.trimmed(text), !trimmed.isEmpty else {
                throw binding.refusal("CAUSAL_BINDING_NORMALIZATION_FAILED", key, "must be an identifier")
            }
            return trimmed
        }
        return try combine(binding, snake, camel, try read(snake), try read(camel)) { ExactText.equal($0, $1) }
    }

    private static func number(
        _ binding: Part, _ snake: String, _ camel: String
    ) throws(ReferenceRefusal) -> Named<Double> {
        func read(_ key: String) throws(ReferenceRefusal) -> Double? {
            guard let value = binding[key] else { return nil }
            guard let number = value.number, number.isFinite else {
                throw binding.refusal("CAUSAL_BINDING_NORMALIZATION_FAILED", key, "must be a finite number")
            }
            return number
        }
        return try combine(binding, snake, camel, try read(snake), try read(camel)) { isSame($0, $1) }
    }

    /// The reference's equality of numbers, under which -0 is not 0.
    static func isSame(_ left: Double, _ right: Double) -> Bool { left == right && left.sign == right.sign }

    private static func combine<Value>(
        _ binding: Part, _ snake: String, _ camel: String, _ first: Value?, _ second: Value?,
        _ isSame: (Value, Value) -> Bool
    ) throws(ReferenceRefusal) -> Named<Value> {
        if let first, let second, !isSame(first, second) {
            throw binding.refusal("CAUSAL_BINDING_FIELD_CONFLICT", snake, "\(snake) and \(camel) differ")
        }
        if first == nil, let second { return Named(value: second, field: binding.field(camel)) }
        return Named(value: first, field: binding.field(snake))
    }
}

extension CausalBinding {
    /// The causal bindings of a bundle's receipts, in order. The library looks at gateway receipts only, the hosted
    /// verifier at web and inference receipts too.
    static func all(in context: ReferenceContext) throws(ReferenceRefusal) -> [CausalBinding] {
        var bindings: [CausalBinding] = []
        func add(_ payload: JSONObject, at path: String, issuedAt: Named<JSONValue>) throws(ReferenceRefusal) {
            guard let object = payload["binding"]?.object else { return }
            let binding = try CausalBinding(
                Part(members: object, path: path + ".binding"),
                timestamp: Named(value: payload["timestamp"], field: path + ".timestamp"), issuedAt: issuedAt)
            if let binding { bindings.append(binding) }
        }
        let kinds = context.verifier == .core ? ["receipts"] : ["receipts", "web_receipts", "vir_receipts"]
        for kind in kinds {
            for (index, entry) in context.entries(kind).enumerated() {
                let path = "payload.\(kind)[\(index)]"
                if let payload = entry["payload"]?.object {
                    try add(
                        payload, at: path + ".payload",
                        issuedAt: Named(value: entry["issued_at"], field: path + ".issued_at"))
                } else if kind == "vir_receipts", let payload = entry.object {
                    try add(payload, at: path, issuedAt: Named(value: nil, field: path + ".issued_at"))
                }
            }
        }
        return bindings
    }
}
