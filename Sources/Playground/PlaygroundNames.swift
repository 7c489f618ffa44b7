public import ClawWire
public import IssuanceRules

/// The topics of a playground.
public enum PlaygroundTopic {
    /// Native approvals.
    public static let approvals = "claw.approvals.decisions.v1"
    /// Capability requests.
    public static let requests = "claw.capability.requests.v1"
    /// Entra audit records as Event Hubs names the hub.
    public static let entra = "insights-logs-auditlogs"
    /// What workers read.
    public static let inputs = [approvals, requests, entra]
    /// Grants.
    public static let grants = "claw.grants.v1"
    /// Decisions.
    public static let decisions = "claw.decisions.v1"
    /// Revocations.
    public static let revocations = "claw.revocations.v1"
    /// Receipt batches.
    public static let receiptBatches = "claw.receipts.batches.v1"
    /// Dead letters.
    public static let deadLetters = "claw.dead-letters.v1"
    /// What became of control events.
    public static let controlResults = "claw.control-results.v1"
    /// Findings and marks of budgets.
    public static let findings = "claw.findings.v1"
    /// Gateways' signed receipts of model calls.
    public static let gatewayReceipts = "claw.gateway-receipts.v1"
    /// Control events.
    public static let control = "claw.control.v1"
    /// What workers write.
    public static let outputs = [grants, decisions, revocations, receiptBatches, deadLetters, controlResults, findings]
    /// Topics of one partition, because their order is part of what they say.
    public static let ordered: Set<String> = [revocations, receiptBatches, controlResults, control]
}

/// The job classes of a playground's rules.
public enum PlaygroundClass: String, Sendable, CaseIterable {
    /// Contained, with a WPC that must bind to jobs; one approver of the platform's on-call group; elevated on demand.
    case agentRun = "enterprise_agent_run"
    /// Contained, two approvers of different groups, cut instead of refused when too wide.
    case deploy = "prod_deploy"
    /// Contained, any human, no WPC: the plain case, for load.
    case reconcile = "ledger_reconcile"
    /// Contained, delivered in the clear: for development.
    case sandbox = "dev_sandbox"
    /// Reference to an activation of an Entra role.
    case appAdmin = "identity_app_admin"
    /// Entitlement: an active group membership covers up to four runs.
    case database = "prod_db_maintenance"
    /// Reference to an activation of another Entra role, with a short wait: what nobody approves expires soon.
    case userAdmin = "identity_user_admin"
    /// Reference to an approval of a ticket or deployment system, of an Azure role or of an access package; in the rules
    /// only where such a vendor is.
    case ticketed = "ledger_change"

    /// The name as the wire has it.
    public var name: JobClass { JobClass(rawValue) }
    /// The WPC that requests of this class name in a playground, if any.
    public var hasPolicy: Bool { self == .agentRun || self == .database }
}

/// The cast of a playground: made up, in the style of directory records.
public enum PlaygroundCast {
    /// The tenant.
    public static let tenant = "5b0c9a4e-2f0e-4d0b-9a53-6c1f7d2e8a10"
    /// The organisation's domain.
    public static let domain = "northquay.example"

    /// Asks for things.
    public static let ines = person("3d6a1c52-7b1e-5f04-8e8f-0a1b6c2d9e01", "Ines Halvorsen")
    /// Asks for things.
    public static let teodor = person("84c1f7b6-1a2d-5b3c-9f47-2c5d8e7f6a02", "Teodor Nakata")
    /// On call for the platform.
    public static let ruth = person("b7e2d9a4-6c3f-5e1a-8d52-4f6a9b8c7d03", "Ruth Adeyemi")
    /// On call for the platform, and in security.
    public static let milan = person("c9f4e1b8-5d2a-5c6e-9b63-7a8b1c2d3e04", "Milan Sorensen")
    /// In security.
    public static let paloma = person("e1a6c3d2-8f4b-5d7a-8c74-9b1c2d3e4f05", "Paloma Wirth")

    /// An agent.
    public static let agent = AgentDID("did:web:agents.northquay.example")
    /// The CloudEvents source of native approvals.
    public static let approvalSource = "/itsm/northquay"
    /// The CloudEvents source of control events.
    public static let controlSource = "/security/northquay"

    /// Application Administrator, the well-known role template.
    public static let appAdminRole = Entitlement(
        kind: .entraRole, id: "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", scope: "/", name: "Application Administrator")
    /// User Administrator, the well-known role template.
    public static let userAdminRole = Entitlement(
        kind: .entraRole, id: "fe930be7-5e62-47db-91af-98c3a49a38b1", scope: "/", name: "User Administrator")
    /// A group whose members may have databases maintained.
    public static let databaseGroup = Entitlement(
        kind: .group, id: "6f2b8c1d-4e5a-5b7c-8d9e-1f2a3b4c5d06", scope: "member", name: "jobs-prod-db-maintenance")

    private static func person(_ id: String, _ name: String) -> Actor {
        let upn = name.lowercased().replacing(" ", with: ".") + "@" + domain
        return Actor(id: PersonID(id), name: name, upn: upn)
    }
}
