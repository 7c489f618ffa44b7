import ClawWire

/// `payload.metadata.prompt_pack` and `system_prompt_report`: hashes of what the prompts were made of.
enum PromptCommitments {
    private static let pack = SchemaRule.object(
        ObjectRule(
            [
                "prompt_pack_version": .constant("1"), "prompt_pack_id": .name,
                "hash_algorithm": .constant("SHA-256"), "prompt_root_hash_b64u": .hash,
                "entries": .array(
                    .object(
                        ObjectRule(
                            [
                                "entry_id": .name, "content_hash_b64u": .hash, "content_type": .anyText,
                                "size_bytes": .integer(minimum: 0),
                            ], required: ["entry_id", "content_hash_b64u"])), maximum: 256),
            ], required: ["prompt_pack_version", "hash_algorithm", "prompt_root_hash_b64u", "entries"]))

    private static let report = SchemaRule.object(
        ObjectRule(
            [
                "system_prompt_report_version": .constant("1"), "report_id": .name, "run_id": .name,
                "agent_did": .did, "issued_at": .dateTime, "hash_algorithm": .constant("SHA-256"),
                "prompt_root_hash_b64u": .hash,
                "calls": .array(
                    .object(
                        ObjectRule(
                            [
                                "event_id": .name, "event_hash_b64u": .hash, "provider": .name, "model": .name,
                                "rendered_system_prompt_hash_b64u": .hash,
                            ], required: ["event_id", "rendered_system_prompt_hash_b64u"])), maximum: 512),
            ],
            required: [
                "system_prompt_report_version", "report_id", "run_id", "agent_did", "issued_at", "hash_algorithm",
                "calls",
            ]))

    /// Checks both commitments, as far as they are there.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let root = try checkPack(&context)
        try checkReport(&context, root: root)
    }

    private static func part(
        _ key: String, _ rule: SchemaRule, _ context: ReferenceContext
    ) throws(ReferenceRefusal) -> Part? {
        guard let value = context.metadata?[key] else { return nil }
        let path = "payload.metadata.\(key)"
        if let field = rule.firstBreach(in: value) {
            throw ReferenceRefusal(
                "SCHEMA_VALIDATION_FAILED", field.isEmpty ? path : "\(path).\(field)", "breaks the schema")
        }
        return value.object.map { Part(members: $0, path: path) }
    }

    /// Recomputes the pack's root: the document-order hash of its entries' ids and hashes, by id in collation order.
    private static func checkPack(_ context: inout ReferenceContext) throws(ReferenceRefusal) -> String? {
        guard let pack = try part("prompt_pack", pack, context) else { return nil }
        let entries = (pack["entries"]?.array ?? []).map { entry in
            (
                id: ExactText.trimmed(entry["entry_id"]?.string ?? ""),
                hash: ExactText.trimmed(entry["content_hash_b64u"]?.string ?? "")
            )
        }
        let sorted = entries.filter { !$0.id.isEmpty && !$0.hash.isEmpty }
            .sorted { CollationOrder.precedes($0.id, $1.id) }
        let root: JSONValue = [
            "prompt_pack_version": "1",
            "entries": .array(
                sorted.map { ["entry_id": .string($0.id), "content_hash_b64u": .string($0.hash)] }),
        ]
        let claimed = ExactText.trimmed(pack["prompt_root_hash_b64u"]?.string ?? "")
        try pack.require(
            root.documentDigest.b64u == claimed, "HASH_MISMATCH", "prompt_root_hash_b64u",
            "the entries have another root")
        context.components["prompt_pack_valid"] = true
        return claimed
    }

    private static func checkReport(_ context: inout ReferenceContext, root: String?) throws(ReferenceRefusal) {
        let code = "PROMPT_COMMITMENT_MISMATCH"
        guard let report = try part("system_prompt_report", report, context) else { return }
        guard let run = context.runID else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "payload.event_chain", "the report needs an event chain")
        }
        func text(_ key: String) -> String { ExactText.trimmed(report[key]?.string ?? "") }
        try report.require(ExactText.equal(text("run_id"), run), code, "run_id", "is another run")
        try report.require(
            ExactText.equal(text("agent_did"), context.agentDID), code, "agent_did", "is another agent")
        if let root, report["prompt_root_hash_b64u"] != nil {
            try report.require(
                text("prompt_root_hash_b64u") == root, code, "prompt_root_hash_b64u", "is another prompt pack")
        }
        var events: [ExactString: JSONObject] = [:]
        for event in context.events {
            if let id = event["event_id"]?.string { events[ExactString(id)] = event }
        }
        for (index, call) in (report["calls"]?.array ?? []).enumerated() {
            let id = ExactText.trimmed(call["event_id"]?.string ?? "")
            guard !id.isEmpty else { continue }
            let field = "calls[\(index)]"
            guard let event = events[ExactString(id)], event["event_type"] == "llm_call" else {
                throw report.refusal(code, "\(field).event_id", "names no llm_call of the chain")
            }
            if let hash = call["event_hash_b64u"]?.string {
                try report.require(
                    event["event_hash_b64u"] == .string(ExactText.trimmed(hash)), code, "\(field).event_hash_b64u",
                    "is not the event's hash")
            }
        }
        context.components["system_prompt_report_valid"] = true
    }
}
