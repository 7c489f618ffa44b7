/// The runbook's form, `wpc_version` "1" (WIRE section 7.2).
///
/// Published documents of this shape differ in their members. Every object is closed, because each of them states
/// restrictions: the top level, `policy`, `tool_policy`, `model_policy`, each entry of `approvals`, `session_limits`
/// and `cst_requirements`. Only `policy.audit` and a top-level `metadata` are open: the former says which evidence is
/// kept and the latter describes, and neither can narrow a grant. `require_proxy` may be the proxy's name or a boolean.
enum RunbookForm {
    static func parse(_ value: JSONValue, path: String) throws(WPCError) -> IssuancePolicy {
        var top = try ClosedObject(value, path: path)
        _ = top.value("wpc_version")
        _ = try top.object("metadata")
        guard var body = try top.object("policy") else { throw top.invalid("policy", "this member is required") }
        var policy = IssuancePolicy(form: .runbook)
        policy.jobClass = try body.text("job_class", maximum: 128)
        if let tools = try body.object("tool_policy") { try read(tools: tools, into: &policy) }
        if let models = try body.object("model_policy") { try read(models: models, into: &policy) }
        for (i, element) in (try body.elements("approvals", maximumCount: 256) ?? []).enumerated() {
            var entry = try ClosedObject(element, path: "\(body.at("approvals"))[\(i)]")
            policy.approvals.append(
                IssuancePolicy.ApprovalRequirement(
                    action: try entry.requiredText("action", maximum: 128),
                    require: try entry.requiredText("require", maximum: 128)))
            try entry.close()
        }
        if var limits = try body.object("session_limits") {
            if let value = limits.value("max_ttl_seconds") {
                guard let seconds = value.integer, seconds > 0 else {
                    throw limits.invalid("max_ttl_seconds", "a positive whole number of seconds was expected")
                }
                policy.maximumTTLSeconds = seconds
            }
            try limits.close()
        }
        _ = try body.object("audit")
        try body.close()
        if var requirements = try top.object("cst_requirements") {
            policy.policyHashPinned = try requirements.flag("policy_hash_pinned") ?? false
            policy.jobScopedBinding = try requirements.flag("job_scoped_binding") ?? false
            try requirements.close()
        }
        try top.close()
        return policy
    }

    private static func read(tools: ClosedObject, into policy: inout IssuancePolicy) throws(WPCError) {
        var tools = tools
        policy.toolsAllowed = try tools.texts("allow", maximumCount: 1_024, maximum: 256)
        policy.toolsDenied = try tools.texts("deny", maximumCount: 1_024, maximum: 256) ?? []
        policy.requiresSandbox = try tools.flag("require_sandbox") ?? false
        try tools.close()
    }

    private static func read(models: ClosedObject, into policy: inout IssuancePolicy) throws(WPCError) {
        var models = models
        if let value = models.value("require_proxy") {
            if let flag = value.bool {
                policy.requiresProxy = flag
            } else {
                _ = try models.requiredText("require_proxy", maximum: 128)
                policy.requiresProxy = true
            }
        }
        policy.allowedRoutes = try models.texts("allowed_routes", maximumCount: 256, maximum: 256)
        policy.requiresReceipts = try models.flag("receipt_required") ?? false
        try models.close()
    }
}
