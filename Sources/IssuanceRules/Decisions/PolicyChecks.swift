import ClawWire

/// What the WPC allows, and what the job class demands of it.
extension Decider {
    /// Kinds of approval that a WPC may require for an action, with the number of humans each means.
    static let humansByRequirement = ["none": 0, "human_approval": 1, "two_person": 2, "two_person_approval": 2]

    mutating func checkPolicy() {
        let demand = rule.workPolicy
        checkRotation()
        guard let asked = request.policyHash else {
            checkProxyOrder(nil)
            if demand.isRequired {
                refuse(.policyRequired, "the request names no WPC", "wpc.required", needed: "the hash of a WPC")
            }
            return
        }
        if !demand.hashes.isEmpty, !demand.hashes.contains(asked) {
            refuse(
                .policyHashNotAllowed, "the WPC \(asked) is not of the class", "wpc.hashes",
                needed: "a WPC that the class lists")
        }
        switch input.wpc {
        case .notRequested:
            wait(.wpcUnavailable, "the WPC \(asked) has not been loaded", "wpc", needed: "the WPC \(asked)")
        case .unavailable(let reason):
            wait(
                .wpcUnavailable, "the WPC \(asked) could not be loaded: \(quoted(reason))", "wpc",
                needed: "the WPC \(asked)")
        case .invalid(let code, let detail):
            refuse(
                .wpcInvalid, "the WPC \(asked) does not stand: \(quoted(code)), \(quoted(detail))", "wpc",
                needed: "a WPC with the right hash, form and signature")
        case .available(let policy, let hash):
            guard hash == asked else {
                refuse(
                    .policyHashMismatch, "the request names \(asked), the WPC at hand is \(hash)", "wpc",
                    needed: "the WPC \(asked)")
                return
            }
            self.policy = policy
            checkDemands(on: policy)
        }
    }

    private mutating func checkDemands(on policy: IssuancePolicy) {
        let demand = rule.workPolicy
        checkProxyOrder(policy)
        if !demand.policyIDs.isEmpty, !(policy.policyID.map(demand.policyIDs.contains) ?? false) {
            refuse(
                .policyIDNotAllowed, "the policy id \(quoted(policy.policyID ?? "")) is not of the class",
                "wpc.policy_ids", needed: "a WPC whose policy id the class lists")
        }
        if let jobClass = policy.jobClass, jobClass != request.jobClass.rawValue {
            refuse(
                .policyJobClassMismatch, "the WPC is for the class \(quoted(jobClass))", "wpc",
                needed: "a WPC for \(request.jobClass)")
        }
        if demand.requiresProxy, !policy.requiresProxy {
            refuse(
                .policyProxyRequired, "the WPC does not route model calls through the proxy", "wpc.require_proxy",
                needed: "a WPC with require_proxy")
        }
        if demand.requiresReceipts, !policy.requiresReceipts {
            refuse(
                .policyReceiptsRequired, "the WPC does not require receipts", "wpc.receipt_required",
                needed: "a WPC with receipt_required")
        }
        if demand.requiresSandbox, !policy.requiresSandbox {
            refuse(
                .policySandboxRequired, "the WPC does not require a sandbox", "wpc.require_sandbox",
                needed: "a WPC with require_sandbox")
        }
        if demand.requiresJobBinding, !policy.jobScopedBinding {
            refuse(
                .policyJobBindingRequired, "the WPC does not bind tokens to jobs", "wpc.job_binding",
                needed: "a WPC with job_scoped_binding")
        }
    }

    /// True when the WPC has nothing against an action; otherwise the action is refused or left out.
    mutating func isCovered(_ action: String) -> Bool {
        guard let policy else { return true }
        if policy.toolsDenied.contains(action) {
            leaveOut(
                action, .policyToolDenied, "the WPC denies the action \(quoted(action))", "wpc",
                needed: "a request without the action \(quoted(action))")
            return false
        }
        switch policy.form {
        case .v1: return true
        case .statements:
            guard !policy.statementsAllow(action) else { return true }
            leaveOut(
                action, .policyActionNotCovered, "the WPC does not allow the action \(quoted(action))", "wpc",
                needed: "a WPC with a statement that allows the action \(quoted(action))")
            return false
        case .runbook, .runbookInV1:
            guard !policy.approvals.contains(where: { $0.action == action }) else { return true }
            leaveOut(
                action, .policyActionNotCovered, "the WPC does not name the action \(quoted(action))", "wpc",
                needed: "a WPC whose approvals name the action \(quoted(action))")
            return false
        }
    }

    /// Counts the humans that the WPC requires for what is asked, be it as an action or as a scope.
    mutating func checkPolicyApprovals() {
        guard let policy else { return }
        for requirement in policy.approvals
        where actions.contains(requirement.action) || request.scope.contains(requirement.action) {
            guard let humans = Self.humansByRequirement[requirement.require] else {
                refuse(
                    .policyApprovalUnknown,
                    "the WPC requires \(quoted(requirement.require)) for \(quoted(requirement.action))", "wpc",
                    needed: "a WPC that requires human_approval or two_person")
                continue
            }
            policyHumans = max(policyHumans, humans)
        }
    }

    /// Scopes of the form `tool:<name>` are under the WPC's tool policy; so is a scope named like a denied tool. Scopes that
    /// name a model provider are under its list of providers and routes, and every scope is under its statements.
    func isAllowedByPolicy(scope: String) -> Bool {
        guard let policy else { return true }
        guard policy.statementsAllow(scope), policy.allowsProvider(of: scope) else { return false }
        let prefix = "tool:"
        if policy.toolsDenied.contains(scope) { return false }
        guard scope.hasPrefix(prefix) else { return true }
        let tool = String(scope.dropFirst(prefix.count))
        return !policy.toolsDenied.contains(tool) && policy.toolsAllowed?.contains(tool) ?? true
    }

    mutating func checkTools() {
        guard let policy else { return }
        // A token says nothing of tools, so there is nothing to cut: a tool that is not allowed refuses the request.
        for tool in request.tools {
            if policy.toolsDenied.contains(tool) {
                refuse(
                    .policyToolDenied, "the WPC denies the tool \(quoted(tool))", "wpc",
                    needed: "a request without the tool \(quoted(tool))")
            } else if !policy.statementsAllow("tool:\(tool)") {
                refuse(
                    .policyToolNotAllowed, "the WPC does not allow the tool \(quoted(tool))", "wpc",
                    needed: "tools that a statement of the WPC allows")
            } else if let allowed = policy.toolsAllowed, !allowed.contains(tool) {
                refuse(
                    .policyToolNotAllowed, "the WPC does not allow the tool \(quoted(tool))", "wpc",
                    needed: "tools out of " + allowed.prefix(32).map(quoted).joined(separator: ", "))
            }
        }
    }

    mutating func checkPin() {
        guard let policy, let hash = request.policyHash else { return }
        switch rule.workPolicy.pin {
        case .always: pinned = hash
        case .whenRequired: if policy.policyHashPinned { pinned = hash }
        case .never:
            if policy.policyHashPinned {
                refuse(
                    .policyPinForbidden, "the WPC demands that the token names its hash", "wpc.pin",
                    needed: "pin: when_required, or a WPC without policy_hash_pinned")
            }
        }
        if pinned != nil, !policy.isRegistrable, audience.contains(where: Self.isGateway) {
            refuse(
                .wpcNotRegistrable, "the gateway cannot fetch a WPC of this form by its hash", "wpc.pin",
                needed: "the document in the metadata of a registered WPC, or another audience")
        }
    }

    /// True for the audiences of clawproxy, which fetches a pinned WPC by its hash (WIRE section 6).
    static func isGateway(_ audience: String) -> Bool {
        let host = audience.hasPrefix("https://") ? audience.dropFirst("https://".utf8.count) : audience[...]
        return host == "clawproxy.com" || host.hasPrefix("clawproxy.com/") || host.hasSuffix(".clawproxy.com")
    }
}
