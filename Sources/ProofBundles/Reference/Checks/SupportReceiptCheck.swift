import ClawWire

/// The library's checks of side effects and approvals: bare payloads without a signature.
enum SupportReceiptCheck {
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        try check(
            &context, "side_effect_receipts", kind: "effect_class",
            ["network_egress", "filesystem_write", "external_api_write"])
        try check(
            &context, "human_approval_receipts", kind: "approval_type",
            ["explicit_approve", "explicit_deny", "auto_approve", "timeout_deny"])
    }

    private static func check(
        _ context: inout ReferenceContext, _ key: String, kind: String, _ kinds: [String]
    ) throws(ReferenceRefusal) {
        guard let value = context.payload[key] else { return }
        guard let receipts = value.array else {
            throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", "payload.\(key)", "no array")
        }
        let agent = context.agentDID
        for (index, receipt) in receipts.enumerated() {
            let field = "payload.\(key)[\(index)]"
            guard let object = receipt.object else {
                throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", field, "no object")
            }
            func check(_ member: String, _ allowed: [String], _ code: String) throws(ReferenceRefusal) {
                guard let value = object[member] else { return }
                guard let text = value.string, ExactText.contains(allowed, text) else {
                    throw ReferenceRefusal(code, "\(field).\(member)", "another value was expected")
                }
            }
            try check("receipt_version", ["1"], "UNKNOWN_VERSION")
            try check("hash_algorithm", ["SHA-256"], "UNKNOWN_HASH_ALGORITHM")
            try check(kind, kinds, "SCHEMA_VALIDATION_FAILED")
            try check("agent_did", [agent], "PROOF_BUNDLE_AGENT_MISMATCH")
        }
        context.components["\(key)_count"] = .integer(receipts.count)
        context.components["\(key)_valid"] = true
    }
}
