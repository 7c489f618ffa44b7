import ClawWire
import Testing

@testable import ProofBundles

/// Causal bindings by example: what a bundle's receipts say of spans, and what is refused.
struct CausalExampleTests {
    struct Example: Sendable, CustomTestStringConvertible {
        let name: String
        let bindings: [JSONObject]
        var code: String?
        var field: String?
        var testDescription: String { name }
    }

    static let examples = [
        Example(name: "no causes", bindings: [[:], [:]]),
        Example(
            name: "a chain of three",
            bindings: [
                ["span_id": "a", "phase": "planning"],
                ["spanId": "b", "parent_span_id": "a", "phase": "execution", "attribution_confidence": 1],
                ["span_id": "c", "tool_span_id": "b", "phase": "observation"],
            ]),
        Example(
            name: "spellings differ", bindings: [["span_id": "a", "spanId": "b"]],
            code: "CAUSAL_BINDING_FIELD_CONFLICT", field: "binding.span_id"),
        Example(name: "spellings agree", bindings: [["span_id": "a", "spanId": " a "]]),
        Example(
            name: "only white space", bindings: [["span_id": "a"], ["spanId": " "]],
            code: "CAUSAL_BINDING_NORMALIZATION_FAILED", field: "receipts[1].payload.binding.spanId"),
        Example(
            name: "unknown parent", bindings: [["span_id": "a"], ["span_id": "b", "parentSpanId": "x"]],
            code: "CAUSAL_REFERENCE_DANGLING", field: "receipts[1].payload.binding.parentSpanId"),
        Example(
            name: "a cause of itself", bindings: [["span_id": "a", "parent_span_id": "a"]],
            code: "CAUSAL_CYCLE_DETECTED", field: "receipts[0].payload.binding.parent_span_id"),
        Example(
            name: "phases backwards",
            bindings: [
                ["span_id": "a", "phase": "execution"],
                ["span_id": "b", "parent_span_id": "a", "phase": "planning"],
            ], code: "CAUSAL_PHASE_TRANSITION_INVALID", field: "receipts[1].payload.binding.phase"),
        Example(
            name: "sure of a guess", bindings: [["span_id": "a", "attribution_confidence": 0.6]],
            code: "CAUSAL_CONFIDENCE_EVIDENCE_INCONSISTENT", field: "binding.attribution_confidence"),
        Example(
            name: "sure of nothing", bindings: [["attribution_confidence": 0.1]],
            code: "CAUSAL_CONFIDENCE_EVIDENCE_INCONSISTENT", field: "binding.attribution_confidence"),
        Example(
            name: "one span, two parents",
            bindings: [
                ["span_id": "a"], ["span_id": "b", "parent_span_id": "a"], ["span_id": "c", "parent_span_id": "a"],
                ["span_id": "c", "parent_span_id": "b"],
            ], code: "CAUSAL_SPAN_REUSE_CONFLICT", field: "receipts[3].payload.binding.span_id"),
        Example(
            name: "two islands", bindings: [["span_id": "a"], ["span_id": "b"]], code: "CAUSAL_GRAPH_DISCONNECTED",
            field: "receipts[1].payload.binding.span_id"),
        Example(
            name: "no root",
            bindings: [["span_id": "a", "tool_span_id": "b"], ["span_id": "b", "tool_span_id": "a"]],
            code: "CAUSAL_GRAPH_DISCONNECTED", field: "receipts[0].payload.binding.span_id"),
    ]

    private func receipts(_ maker: MetadataMaker, _ bindings: [JSONObject]) throws -> [JSONValue] {
        try bindings.enumerated().map { index, causes in
            let plain = try maker.bundles.receipt("r\(index)", boundTo: maker.events[1])
            var payload = try #require(plain["payload"]?.object)
            var binding = maker.binding
            for member in causes.members { binding[member.key] = member.value }
            payload["binding"] = .object(binding)
            return try maker.bundles.envelope("gateway_receipt", payload, by: maker.bundles.gateway)
        }
    }

    @Test(arguments: examples, ReferenceVerifier.allCases)
    func example(_ example: Example, verifier: ReferenceVerifier) throws {
        let maker = try MetadataMaker()
        let verdict = try maker.verdict([:], verifier, receipts: receipts(maker, example.bindings))
        #expect(verdict.code == example.code, "\(verdict.refusal?.description ?? "valid")")
        if let field = example.field { #expect(verdict.field?.hasSuffix(field) == true, "\(verdict.field ?? "")") }
    }

    @Test(arguments: ReferenceVerifier.allCases)
    func anchors(_ verifier: ReferenceVerifier) throws {
        let maker = try MetadataMaker()
        let receipts = try receipts(maker, [["span_id": "a"]])
        func verdict(_ binding: JSONObject, _ options: JSONObject = [:]) throws -> ReferenceVerdict {
            let approval: JSONValue = [
                "receipt_version": "1", "receipt_id": "h1", "approval_type": "explicit_approve",
                "agent_did": .string(maker.agent), "timestamp": MetadataMaker.date, "binding": .object(binding),
            ]
            var all = maker.bundles.options
            for member in options.members { all.members[member.key] = member.value }
            return try maker.verdict(
                [:], verifier, receipts: receipts, more: ["human_approval_receipts": [approval]], options: all)
        }
        #expect(try verdict(["parent_span_id": "a"]).status == .valid)
        let orphan = try verdict(["tool_span_id": "x", "span_id": "a"])
        #expect(orphan.code == "CAUSAL_HUMAN_APPROVAL_ORPHANED")
        #expect(orphan.field == "payload.human_approval_receipts[0].binding.tool_span_id")
        #expect(try verdict([:]).field == "payload.human_approval_receipts[0].binding.span_id")
        #expect(try verdict([:], ["causal_connectivity_mode": "observe"]).status == .valid)
        let strict = try verdict([:], ["causal_connectivity_mode": "observe", "causal_policy_profile": "strict"])
        #expect(strict.code == "CAUSAL_POLICY_PROFILE_DOWNGRADE")
        #expect(strict.envelopeValid == false)
        #expect(try verdict([:], ["causal_policy_profile": "lax"]).field == "options.causal_policy_profile")
    }

    @Test func aLongChainIsCheckedWithoutRecursion() throws {
        let bindings: [JSONObject] = (0..<1_000).map { index in
            index == 0
                ? ["span_id": "s0"]
                : ["span_id": .string("s\(index)"), "parent_span_id": .string("s\(index - 1)")]
        }
        let parts = try bindings.map { binding in
            try #require(
                try CausalBinding(
                    Part(members: binding, path: ""), timestamp: .init(value: nil, field: ""),
                    issuedAt: .init(value: nil, field: "")))
        }
        #expect(try CausalGraph(parts, connectivity: .enforce).spans.count == 1_000)
    }
}
