import ClawWire

/// The graph of spans that a bundle's receipts declare, and the reference's rules for it.
struct CausalGraph {
    /// All spans that a receipt declares.
    let spans: Set<String>

    /// Checks bindings one by one, then against each other.
    ///
    /// - Throws: the first refusal in the reference's order: forms and references of each binding, contradicting uses
    ///   of one span, order in time and phases, cycles, confidence beyond the evidence, and with `connectivity` in force
    ///   a graph that does not hang together.
    init(_ bindings: [CausalBinding], connectivity: CausalPolicy.Mode) throws(ReferenceRefusal) {
        spans = Set(bindings.compactMap(\.span.value))
        for binding in bindings { try Self.checkForms(binding, spans) }
        let nodes = try Self.merge(bindings)
        try Self.checkOrder(nodes)
        try Self.checkCycles(nodes)
        try Self.checkConfidence(bindings)
        if connectivity == .enforce { try Self.checkConnection(nodes) }
    }

    /// Refuses side effects or approvals that are not anchored to a known span.
    func checkAnchors(of key: String, in context: ReferenceContext, orphan: String) throws(ReferenceRefusal) {
        for (index, entry) in context.entries(key).enumerated() {
            let path = "payload.\(key)[\(index)]"
            guard let object = entry.object else {
                throw ReferenceRefusal(orphan, path, "is no object and cannot be anchored")
            }
            guard let binding = object["binding"]?.object else {
                throw ReferenceRefusal(orphan, path + ".binding", "has no binding to a span")
            }
            let anchor = try CausalBinding.anchor(Part(members: binding, path: path + ".binding"))
            guard let span = anchor.value, spans.contains(span) else {
                throw ReferenceRefusal(orphan, anchor.field, "is not anchored to a span that a receipt declares")
            }
        }
    }

    // MARK: One binding

    private static let phases = [
        "setup", "planning", "reasoning", "execution", "observation", "reflection", "teardown",
    ]
    private static let successors: [String: Set<String>] = [
        "setup": ["setup", "planning"],
        "planning": ["planning", "reasoning", "execution"],
        "reasoning": ["reasoning", "execution", "observation"],
        "execution": ["execution", "observation", "reflection", "teardown"],
        "observation": ["observation", "reflection", "teardown"],
        "reflection": ["reflection", "teardown"],
        "teardown": ["teardown"],
    ]

    private static func checkForms(_ binding: CausalBinding, _ spans: Set<String>) throws(ReferenceRefusal) {
        for time in [binding.timestamp, binding.issuedAt] where time.value != nil {
            guard Loose.milliseconds(time.value) != nil else {
                throw ReferenceRefusal("CAUSAL_CLOCK_CONTRADICTION", time.field, "must be an ISO 8601 date")
            }
        }
        if let made = Loose.milliseconds(binding.timestamp.value),
            let issued = Loose.milliseconds(binding.issuedAt.value), made > issued
        {
            throw ReferenceRefusal(
                "CAUSAL_CLOCK_CONTRADICTION", binding.timestamp.field, "is later than the envelope's issued_at")
        }
        if let phase = binding.phase.value {
            guard let name = phase.string, phases.contains(name) else {
                throw ReferenceRefusal("CAUSAL_PHASE_INVALID", binding.phase.field, "is no phase of a run")
            }
        }
        if let confidence = binding.confidence.value, !(0...1).contains(confidence) {
            throw ReferenceRefusal("CAUSAL_CONFIDENCE_OUT_OF_RANGE", binding.confidence.field, "must be within 0 and 1")
        }
        for reference in [binding.parent, binding.tool] {
            guard let span = reference.value, !spans.contains(span) else { continue }
            throw ReferenceRefusal(
                "CAUSAL_REFERENCE_DANGLING", reference.field, "names a span that no receipt declares")
        }
    }

    // MARK: The spans

    /// A span as its first receipt describes it.
    private struct Node {
        let id: String
        let binding: CausalBinding
        /// The first parent that any receipt of the span names.
        var parent: CausalBinding.Named<String>?

        var phase: String? { binding.phase.value?.string }
        var causes: [String] { [binding.parent.value, binding.tool.value].compactMap { $0 } }
    }

    /// Spans in the order of their first receipt.
    private struct Nodes {
        var list: [Node] = []
        var index: [String: Int] = [:]
        subscript(id: String) -> Node? { index[id].map { list[$0] } }
    }

    private static func merge(_ bindings: [CausalBinding]) throws(ReferenceRefusal) -> Nodes {
        var nodes = Nodes()
        for binding in bindings {
            guard let id = binding.span.value else { continue }
            guard let known = nodes.index[id] else {
                nodes.index[id] = nodes.list.count
                let parent = binding.parent.value == nil ? nil : binding.parent
                nodes.list.append(Node(id: id, binding: binding, parent: parent))
                continue
            }
            let first = nodes.list[known].binding
            if let earlier = first.time, let time = binding.time, earlier != time {
                throw ReferenceRefusal(
                    "CAUSAL_CLOCK_CONTRADICTION", binding.timeField, "the span has another time in another receipt")
            }
            guard agrees(first, binding) else {
                throw ReferenceRefusal(
                    "CAUSAL_SPAN_REUSE_CONFLICT", binding.span.field, "the span means something else in another receipt"
                )
            }
            if nodes.list[known].parent == nil, binding.parent.value != nil {
                nodes.list[known].parent = binding.parent
            }
        }
        return nodes
    }

    private static func agrees(_ first: CausalBinding, _ second: CausalBinding) -> Bool {
        func same(_ left: String?, _ right: String?) -> Bool {
            guard let left, let right else { return true }
            return ExactText.equal(left, right)
        }
        guard same(first.parent.value, second.parent.value), same(first.tool.value, second.tool.value),
            same(first.phase.value?.string, second.phase.value?.string)
        else { return false }
        guard let left = first.confidence.value, let right = second.confidence.value else { return true }
        return CausalBinding.isSame(left, right)
    }

    private static func checkOrder(_ nodes: Nodes) throws(ReferenceRefusal) {
        for node in nodes.list {
            for cause in node.causes {
                guard let cause = nodes[cause] else { continue }
                if let time = node.binding.time, let earlier = cause.binding.time, time < earlier {
                    throw ReferenceRefusal(
                        "CAUSAL_CLOCK_CONTRADICTION", node.binding.timeField, "the span is earlier than its cause")
                }
                if let phase = node.phase, let before = cause.phase, successors[before]?.contains(phase) != true {
                    throw ReferenceRefusal(
                        "CAUSAL_PHASE_TRANSITION_INVALID", node.binding.phase.field,
                        "\(phase) cannot follow from \(before)")
                }
            }
        }
    }

    private static func checkCycles(_ nodes: Nodes) throws(ReferenceRefusal) {
        var settled: Set<String> = []
        for start in nodes.list where start.parent != nil {
            var onPath: Set<String> = []
            var current: String? = start.id
            while let id = current, !settled.contains(id) {
                guard onPath.insert(id).inserted else {
                    let field = nodes[id]?.parent?.field ?? start.parent?.field ?? "payload"
                    throw ReferenceRefusal("CAUSAL_CYCLE_DETECTED", field, "the span is a cause of itself")
                }
                current = nodes[id]?.parent?.value
            }
            settled.formUnion(onPath)
        }
    }

    private static func checkConfidence(_ bindings: [CausalBinding]) throws(ReferenceRefusal) {
        let referenced = Set(bindings.flatMap { [$0.parent.value, $0.tool.value].compactMap { $0 } })
        for binding in bindings {
            guard let confidence = binding.confidence.value else { continue }
            let isCaused = binding.parent.value != nil || binding.tool.value != nil
            let span = binding.span.value
            let limit = isCaused || span.map(referenced.contains) == true ? 1.0 : span == nil ? 0.0 : 0.5
            guard confidence <= limit else {
                throw ReferenceRefusal(
                    "CAUSAL_CONFIDENCE_EVIDENCE_INCONSISTENT", binding.confidence.field,
                    "the evidence allows at most \(limit)")
            }
        }
    }

    private static func checkConnection(_ nodes: Nodes) throws(ReferenceRefusal) {
        func refusal(_ node: Node?, _ detail: String) -> ReferenceRefusal {
            ReferenceRefusal("CAUSAL_GRAPH_DISCONNECTED", node?.binding.span.field ?? "payload", detail)
        }
        guard let first = nodes.list.first else { return }
        var effects: [String: [String]] = [:]
        for node in nodes.list {
            for cause in node.causes { effects[cause, default: []].append(node.id) }
        }
        let roots = nodes.list.filter { $0.causes.isEmpty }.map(\.id)
        guard !roots.isEmpty else { throw refusal(first, "no span is a root") }
        let rooted = reach(from: roots) { effects[$0] ?? [] }
        if let lost = nodes.list.first(where: { !rooted.contains($0.id) }) {
            throw refusal(lost, "the span does not lead back to a root")
        }
        let connected = reach(from: [first.id]) { (effects[$0] ?? []) + (nodes[$0]?.causes ?? []) }
        if let apart = nodes.list.first(where: { !connected.contains($0.id) }) {
            throw refusal(apart, "the span hangs together with no other")
        }
    }

    private static func reach(from start: [String], _ next: (String) -> [String]) -> Set<String> {
        var reached = Set(start)
        var open = start
        while let id = open.popLast() {
            for other in next(id) where reached.insert(other).inserted { open.append(other) }
        }
        return reached
    }
}
