/// The parts of a WPC that bear on issuance, the same for all three document forms (WIRE section 7.3).
public struct IssuancePolicy: Sendable, Hashable {
    /// The document's form.
    public enum Form: String, Sendable, Hashable {
        /// The registry's form, `policy_version` "1".
        case v1
        /// The statements form, `policy_version` "2".
        case statements
        /// The runbook's form, `wpc_version`.
        case runbook
        /// A v1 document that carries a runbook document in its `metadata`.
        case runbookInV1 = "runbook_in_v1"
    }

    /// One action that needs an approval.
    public struct ApprovalRequirement: Sendable, Hashable {
        /// The action, for example `enable_elevated`.
        public let action: String
        /// What is required, for example `human_approval` or `two_person`.
        public let require: String
        /// Makes a requirement.
        public init(action: String, require: String) {
            self.action = action
            self.require = require
        }
    }

    /// Form of the document.
    public var form: Form
    /// `policy_id`, where the form has one.
    public var policyID: String?
    /// `job_class`, where the form has one.
    public var jobClass: String?
    /// `tool_policy.allow`; `nil` when the document says nothing of tools.
    public var toolsAllowed: [String]?
    /// `tool_policy.deny`; beats ``toolsAllowed``.
    public var toolsDenied: [String]
    /// `tool_policy.require_sandbox`.
    public var requiresSandbox: Bool
    /// True when model calls must go through the proxy.
    public var requiresProxy: Bool
    /// `model_policy.receipt_required`.
    public var requiresReceipts: Bool
    /// `approvals[]`.
    public var approvals: [ApprovalRequirement]
    /// `session_limits.max_ttl_seconds`.
    public var maximumTTLSeconds: Int64?
    /// `cst_requirements.policy_hash_pinned`.
    public var policyHashPinned: Bool
    /// `cst_requirements.job_scoped_binding`.
    public var jobScopedBinding: Bool
    /// `statements`, of a document of that form; they are asked about every scope, action and tool.
    public var statements: StatementPolicy?
    /// The model providers that a token may name, `allowed_providers` of a v1 document; `nil` for any.
    public var allowedProviders: [String]?
    /// The model routes that a token may name, `model_policy.allowed_routes`; `nil` for any.
    public var allowedRoutes: [String]?
    /// True when the gateway can fetch the document by its hash, so that the hash may be pinned in a token for it.
    public var isRegistrable: Bool

    /// Makes a policy that demands and forbids nothing, of a form.
    public init(form: Form) {
        self.form = form
        toolsDenied = []
        requiresSandbox = false
        requiresProxy = false
        requiresReceipts = false
        approvals = []
        policyHashPinned = false
        jobScopedBinding = false
        isRegistrable = form == .v1 || form == .runbookInV1
    }

    /// True when the statements, where the document is of that form, allow a token this action. A token names no
    /// resource, so what is denied for any resource is denied, and only what is allowed for all of them is allowed.
    ///
    /// - Parameter action: a scope string, an elevated action, or `tool:` and a tool's name.
    public func statementsAllow(_ action: String) -> Bool {
        guard form == .statements else { return true }
        guard let statements else { return false }
        return PolicyEvaluator.allowsEverywhere(
            statements, action: action, context: [PolicyEvaluator.humanApprovalKey: "true"])
    }

    /// True when a scope string names no model provider, or one that the document allows: `proxy:provider:<name>`,
    /// `proxy:call:<name>` and `clawproxy:call:<name>` (WIRE section 2). An entry of ``allowedRoutes`` is a provider, or a
    /// provider and a model after a slash or a colon, or `*`.
    public func allowsProvider(of scope: String) -> Bool {
        guard allowedProviders != nil || allowedRoutes != nil, let provider = Self.provider(of: scope) else {
            return true
        }
        if let allowedProviders, !allowedProviders.contains(provider) { return false }
        guard let allowedRoutes else { return true }
        return allowedRoutes.contains { route in
            route == "*" || route.lowercased().prefix { $0 != "/" && $0 != ":" } == provider
        }
    }

    private static func provider(of scope: String) -> String? {
        for prefix in ["proxy:provider:", "clawproxy:provider:", "proxy:call:", "clawproxy:call:"]
        where scope.utf8.starts(with: prefix.utf8) {
            return scope.dropFirst(prefix.count).lowercased()
        }
        return nil
    }
}
