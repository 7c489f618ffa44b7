public import ClawWire
public import GrantChecker
public import IssuanceRules

/// The vendors whose records a playground can have, beside the audit log of Microsoft Entra.
public enum PlaygroundVendor: String, Sendable, Hashable, CaseIterable {
    /// The Azure activity log.
    case azureActivity = "azure_activity"
    /// Objects of Microsoft Graph.
    case graph
    /// Callouts of access packages.
    case entitlementManagement = "entitlement_management"
    /// ServiceNow changes.
    case serviceNow = "servicenow"
    /// Jira Service Management approvals.
    case jsm
    /// GitHub deployment reviews.
    case gitHub = "github"
    /// PagerDuty incidents.
    case pagerDuty = "pagerduty"
    /// Opsgenie alerts.
    case opsgenie
    /// Slack interactions.
    case slack
    /// Security Event Tokens.
    case sharedSignals = "ssf"

    /// The topic.
    public var topic: String { "claw.vendors.\(rawValue).v1" }
    /// The configured source.
    public var source: SourceName { SourceName(rawValue) }

    /// The PagerDuty service whose incidents stop ``PlaygroundClass/reconcile``.
    public static let stoppingService = "PNQSTOP"
    /// The Opsgenie tag that marks a stop.
    public static let stoppingTag = "claw-stop"
    /// The transmitter of Security Event Tokens.
    public static let transmitter = "https://signals.northquay.example/"
    /// For whom its tokens are.
    public static let audience = "https://clawgrant.northquay.example/signals"
    /// The repository and environment of deployments.
    public static let environment = (repository: "northquay/ledger-api", name: "production")
    /// The number of the request type of agents' runs.
    public static let requestType = "91"
    /// Storage Blob Data Contributor, the well-known definition, on a subscription.
    public static let storageRole = Entitlement(
        kind: .azureRole, id: "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        scope: "/subscriptions/4b7d2e90-6a1c-5f38-9d24-7e5f6a8b9c07", name: "Storage Blob Data Contributor")
    /// The access package of ledger exports.
    public static let package = Entitlement(
        kind: .accessPackage, id: "9e0f3a71-2c4d-5b6e-8f13-5a6b7c8d9e08", name: "Ledger export agent")

    /// What the checker takes its records for.
    public var checkedForm: CheckPlan.VendorForm {
        switch self {
        case .azureActivity: .azureActivity
        case .graph: .graph(groups: [PlaygroundCast.databaseGroup.id])
        case .entitlementManagement: .entitlementManagement
        case .serviceNow: .serviceNow
        case .jsm: .jsm
        case .gitHub: .gitHub
        case .pagerDuty: .pagerDuty(services: [Self.stoppingService])
        case .opsgenie: .opsgenie(tag: Self.stoppingTag)
        case .slack: .slack
        case .sharedSignals: .sharedSignals
        }
    }

    // MARK: Rules

    static func sources(_ vendors: Set<PlaygroundVendor>, signals: Ed25519PublicKey) -> String {
        sorted(vendors).map { vendor in
            """
              \(vendor.rawValue):
                kind: \(vendor.rawValue)
                topics: [\(vendor.topic)]
            \(vendor.settings(signals).map { "    \($0)\n" }.joined())
            """
        }.joined()
    }

    private func settings(_ signals: Ed25519PublicKey) -> [String] {
        let topic = ["authenticity: topic", "allow_topic_authenticity: true"]
        let approves = "may_approve: [\(PlaygroundClass.ticketed.rawValue)]"
        let tenant = "tenants: [\"\(PlaygroundCast.tenant)\"]"
        return switch self {
        case .azureActivity, .entitlementManagement: topic + [tenant, approves]
        case .graph:
            topic + [
                tenant, "may_approve: [\(PlaygroundClass.appAdmin.rawValue), \(PlaygroundClass.database.rawValue)]",
            ]
        case .serviceNow, .gitHub: topic + ["tenants: [northquay]", approves]
        case .jsm: topic + ["tenants: [northquay.atlassian.example]", approves]
        case .pagerDuty:
            topic + [
                "stops: [{service: \(Self.stoppingService), scope: {kind: job_class, value: "
                    + "\(PlaygroundClass.reconcile.rawValue)}}]"
            ]
        case .opsgenie: topic + ["stops: [{tag: \(Self.stoppingTag)}]"]
        case .slack: topic
        case .sharedSignals:
            [
                "authenticity: signed", "issuer: \"\(Self.transmitter)\"", "audience: [\"\(Self.audience)\"]",
                "jwks: [{kty: OKP, crv: Ed25519, kid: \"\(signals.kid)\", x: \"\(Base64URL.encode(signals.bytes))\"}]",
            ]
        }
    }

    static func entitlements(_ vendors: Set<PlaygroundVendor>) -> String {
        sorted(vendors).compactMap(\.entitlement).map { "  - \($0)\n" }.joined()
    }

    private var entitlement: String? {
        switch self {
        case .azureActivity:
            "{kind: azure_role, id: \(Self.storageRole.id), scope: \(Self.storageRole.scope ?? "/"), "
                + "job_class: \(PlaygroundClass.ticketed.rawValue)}"
        case .entitlementManagement:
            "{kind: access_package, id: \(Self.package.id), job_class: \(PlaygroundClass.ticketed.rawValue)}"
        case .serviceNow: "{kind: change_request, id: u_claw_job_class, job_class: \"*value-of-field*\"}"
        case .jsm:
            "{kind: jsm_request_type, id: \"\(Self.requestType)\", job_class: \"*value-of-field*\", "
                + "min_human_approvers: 2}"
        case .gitHub:
            "{kind: github_environment, id: \"\(Self.environment.repository)#\(Self.environment.name)\", "
                + "job_class: \(PlaygroundClass.ticketed.rawValue)}"
        case .graph, .pagerDuty, .opsgenie, .slack, .sharedSignals: nil
        }
    }

    /// Classes that the audit log of Entra approves beside its own: it tells of these vendors' requests what they do not.
    static func audited(_ vendors: Set<PlaygroundVendor>) -> String {
        vendors.isDisjoint(with: [.azureActivity, .entitlementManagement])
            ? "" : ", \(PlaygroundClass.ticketed.rawValue)"
    }

    static func jobClasses(_ vendors: Set<PlaygroundVendor>) -> String {
        guard vendors.contains(where: { $0.entitlement != nil }) else { return "" }
        return """
              \(PlaygroundClass.ticketed.rawValue):
                binding: reference
                max_ttl: 30m
                scopes: {allow: ["proxy:call"]}

            """
    }

    private static func sorted(_ vendors: Set<PlaygroundVendor>) -> [PlaygroundVendor] {
        vendors.sorted { $0.rawValue < $1.rawValue }
    }
}

extension PlaygroundOptions {
    var inputTopics: [String] { PlaygroundTopic.inputs + vendors.map(\.topic).sorted() }
}

extension Playground {
    /// The topics that workers read here.
    public var inputTopics: [String] { options.inputTopics }
}
