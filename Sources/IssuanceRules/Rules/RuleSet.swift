public import ClawWire

/// Issuance rules: who may approve what, and what a token of a job class may contain.
///
/// Immutable and hash-addressed: ``hash`` is the JCS digest of ``document``, the rules with every default written out,
/// so that comments, order of keys and layout do not change it and every effective setting does.
public struct RuleSet: Sendable, Hashable {
    /// Version of the format that is read.
    public static let version = "1"

    /// Name of the rules, for people.
    public let name: String?
    /// Configured sources.
    public let sources: [SourceName: SourceRule]
    /// Entitlement → job class, with the longest lifetime of each class.
    public let entitlements: EntitlementMap
    /// Job classes.
    public let jobClasses: [JobClass: JobClassRule]
    /// Members of the approver groups.
    public let groups: [String: Set<PersonID>]
    /// Where WPC documents come from and who may sign them.
    public let workPolicies: WorkPolicyRule
    /// No token lives longer, in seconds.
    public let hardCapSeconds: Int64
    /// Who may stop, lift, revoke and restrict.
    public let control: ControlRules
    /// Which gateways are believed.
    public let gateways: GatewayRules
    /// What model calls cost.
    public let prices: PriceTable
    /// The rules with every default written out.
    public let document: JSONValue
    /// JCS digest of ``document``.
    public let hash: Digest

    init(
        name: String?, sources: [SourceName: SourceRule], entitlements: [EntitlementMap.Entry],
        jobClasses: [JobClass: JobClassRule], groups: [String: Set<PersonID>], workPolicies: WorkPolicyRule,
        hardCapSeconds: Int64, control: ControlRules, gateways: GatewayRules, prices: PriceTable
    ) {
        self.name = name
        self.sources = sources
        self.entitlements = EntitlementMap(
            entries: entitlements, maximumTTLSeconds: jobClasses.mapValues { min($0.maximumTTLSeconds, hardCapSeconds) }
        )
        self.jobClasses = jobClasses
        self.groups = groups
        self.workPolicies = workPolicies
        self.hardCapSeconds = hardCapSeconds
        self.control = control
        self.gateways = gateways
        self.prices = prices
        var document =
            Self.document(
                name: name, sources: sources, entitlements: entitlements, jobClasses: jobClasses, groups: groups,
                workPolicies: workPolicies, hardCapSeconds: hardCapSeconds, control: control
            ).object ?? JSONObject()
        // Rules without these sections keep the hash they had before the sections were known.
        if gateways != GatewayRules() { document["gateways"] = gateways.document }
        if !prices.lines.isEmpty { document["prices"] = prices.document }
        self.document = .object(document)
        hash = self.document.canonicalDigest
    }
}

/// One configured source of events.
public struct SourceRule: Sendable, Hashable {
    /// Which adapter reads it. The text is the form in the rules.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Our own CloudEvents and `human_approval_receipt` envelopes.
        case native
        /// Microsoft Entra audit records as Event Hubs delivers them.
        case entraAudit = "entra_audit"
        /// Records of the Azure activity log about activations of Azure resource roles.
        case azureActivity = "azure_activity"
        /// Objects of Microsoft Graph: requests with their approval and what they led to, and group notifications.
        case graph
        /// Callouts of custom extensions of Microsoft Entra entitlement management.
        case entitlementManagement = "entitlement_management"
        /// Requests for tokens.
        case capabilityRequest = "capability_request"
        /// ServiceNow changes with their approvals.
        case serviceNow = "servicenow"
        /// Jira Service Management approvals.
        case jsm
        /// GitHub deployment reviews.
        case gitHub = "github"
        /// PagerDuty incidents, as stops.
        case pagerDuty = "pagerduty"
        /// Opsgenie alerts, as stops.
        case opsgenie
        /// Slack interactions, which decide nothing.
        case slack
        /// Security Event Tokens of OpenID Shared Signals.
        case sharedSignals = "ssf"
    }

    /// How its events must be authenticated. The text is the form in the rules.
    public enum AuthenticityDemand: String, Sendable, Hashable, CaseIterable {
        /// A signature of a listed key on each event or batch.
        case signed
        /// The vendor's interface, read back before issuing.
        case confirmed
        /// The broker's access control is the only guard.
        case topic
    }

    /// A key that may sign for the source.
    public struct Signer: Sendable, Hashable {
        /// The key.
        public let key: Ed25519PublicKey
        /// The classes it may sign for; `nil` means those of the source.
        public let jobClasses: Set<JobClass>?
        /// True when it may declare stops.
        public let mayStop: Bool
        /// True when it may lift stops.
        public let mayLift: Bool
    }

    /// Name.
    public let name: SourceName
    /// Adapter.
    public let kind: Kind
    /// Topics it is read from.
    public let topics: [String]
    /// What is demanded of each event.
    public let authenticity: AuthenticityDemand
    /// Keys that may sign, by `kid`.
    public let signers: [KeyID: Signer]
    /// Tenants whose records count, in lower case; empty for kinds without tenants.
    public let tenants: Set<String>
    /// CloudEvents `source` values that count; empty means any.
    public let trustedEventSources: Set<String>
    /// CloudEvents `source` values that may declare and lift stops; empty means none.
    public let trustedStopSources: Set<String>
    /// Classes for which its approvals count.
    public let mayApprove: Set<JobClass>
    /// Classes for which its requests count; `nil` means every class.
    public let mayRequest: Set<JobClass>?
    /// Older events are refused, in seconds; `nil` means any age.
    public let maximumEventAgeSeconds: Int64?
    /// How it is watched; `nil` for not at all.
    public let health: HealthRule?
    /// What is peculiar to vendors' records.
    public let vendor: VendorRule
    /// The signature in a header by which its records prove themselves, in place of ``signers``.
    public var headerSignature: HeaderSignatureRule?

    /// True when a statement with this authenticity counts for a class, as far as authentication goes.
    func accepts(_ authenticity: Authenticity, for jobClass: JobClass) -> Bool {
        switch (self.authenticity, authenticity) {
        case (.signed, .signed(let keys)):
            keys.contains { key in
                if let headerSignature { return headerSignature.keys.contains { $0.id == key } }
                guard let signer = signers[key] else { return false }
                return signer.jobClasses?.contains(jobClass) ?? true
            }
        case (.signed, .confirmed), (.signed, .topic), (.confirmed, .signed), (.confirmed, .topic), (_, .unconfirmed):
            false
        case (.confirmed, .confirmed), (.topic, .signed), (.topic, .confirmed), (.topic, .topic): true
        }
    }
}

/// Where WPC documents come from and whose signature makes them ours.
public struct WorkPolicyRule: Sendable, Hashable {
    /// Keys that may sign WPC envelopes.
    public let signers: [Ed25519PublicKey]
    /// A folder of envelopes.
    public let directory: String?
    /// A compacted topic of envelopes.
    public let topic: String?
    /// Base address of a clawcontrols registry.
    public let registry: String?
}

/// What it takes to get a token of one job class, and what the token may contain.
public struct JobClassRule: Sendable, Hashable {
    /// How a request and an approval find each other (ARCHITECTURE section 2). The text is the form in the rules.
    public enum Binding: String, Sendable, Hashable, CaseIterable {
        /// The approval carries the request: one approval, one job.
        case contained
        /// The request names the approval or its ticket: one approval, one job.
        case reference
        /// An active entitlement of the subject covers requests of that subject's agents.
        case entitlement
    }

    /// Whether an approval without a window of its own is enough. The text is the form in the rules.
    public enum WindowDemand: String, Sendable, Hashable, CaseIterable {
        /// Approval and activation are both needed.
        case required
        /// Without a stated window it lasts from the last decision for the class's longest approval age.
        case optional
    }

    /// What becomes of a request that asks for more than there is. The text is the form in the rules.
    public enum TooWide: String, Sendable, Hashable, CaseIterable {
        /// It is refused.
        case deny
        /// It is cut to what there is, and the decision says so.
        case cut
    }

    /// A way to deliver a token. The text is the form in the rules.
    public enum DeliveryMode: String, Sendable, Hashable, CaseIterable {
        /// Encrypted to the job's key.
        case sealed
        /// In the open; for development.
        case plain
        /// Claimed by the job.
        case reference
    }

    /// Who counts, and how many are needed.
    public struct ApproverRequirement: Sendable, Hashable {
        /// Who counts.
        public enum Pool: Sendable, Hashable {
            /// Every human.
            case any
            /// The members of a group of the rules.
            case group(String)
            /// The people listed.
            case members(Set<PersonID>)
        }
        /// Who counts.
        public let pool: Pool
        /// How many distinct people.
        public let count: Int
    }

    /// Requirements that must all be met.
    public struct ApprovalRule: Sendable, Hashable {
        /// The requirements.
        public let allOf: [ApproverRequirement]
        /// True when one person may not serve two requirements.
        public let distinctAcrossGroups: Bool
    }

    /// Whose approval does not count.
    public struct SeparationOfDuties: Sendable, Hashable {
        /// The person who asked.
        public let requester: Bool
        /// The person it is for.
        public let subject: Bool
        /// The owners of the job class.
        public let jobOwner: Bool
    }

    /// What an elevated action takes and gives.
    public struct ElevatedAction: Sendable, Hashable {
        /// Requirements beside those of the class.
        public let approvals: [ApproverRequirement]
        /// Longest lifetime of a token with this action, in seconds.
        public let maximumTTLSeconds: Int64?
        /// Scope strings that asking for the action asks for.
        public let scopes: [String]
    }

    /// What is demanded of the WPC.
    public struct WorkPolicyDemand: Sendable, Hashable {
        /// When the token names the policy's hash. The text is the form in the rules.
        public enum Pin: String, Sendable, Hashable, CaseIterable {
            /// Always; a request without a WPC is refused.
            case always
            /// When the policy demands it.
            case whenRequired = "when_required"
            /// Never; a policy that demands it is refused.
            case never
        }
        /// True when a request must name a WPC.
        public let isRequired: Bool
        /// Hashes allowed; empty means any.
        public let hashes: Set<Digest>
        /// Policy ids allowed; empty means any.
        public let policyIDs: Set<String>
        /// Pinning.
        public let pin: Pin
        /// The policy must route model calls through the proxy.
        public let requiresProxy: Bool
        /// The policy must demand receipts.
        public let requiresReceipts: Bool
        /// The policy must demand a sandbox.
        public let requiresSandbox: Bool
        /// The policy must bind tokens to jobs.
        public let requiresJobBinding: Bool
    }

    /// Name.
    public let name: JobClass
    /// For people.
    public let summary: String?
    /// Owners of the class's jobs.
    public let owners: Set<PersonID>
    /// Binding.
    public let binding: Binding
    /// Tokens that one window may give; 1 but for ``Binding/entitlement``.
    public let maximumGrantsPerWindow: Int
    /// Approvals needed.
    public let approvals: ApprovalRule
    /// Whose approval does not count.
    public let separation: SeparationOfDuties
    /// Older decisions do not count, in seconds.
    public let maximumApprovalAgeSeconds: Int64
    /// Whether the approval needs a window.
    public let window: WindowDemand
    /// A request waits at most so long, in seconds.
    public let waitTimeoutSeconds: Int64
    /// Audiences that a token may name; those of a request that names none.
    public let audience: [String]
    /// Scope strings that may be asked for.
    public let scopes: [String]
    /// Longest lifetime, in seconds.
    public let maximumTTLSeconds: Int64
    /// Lifetime of a request that names none, in seconds.
    public let defaultTTLSeconds: Int64
    /// What becomes of too much.
    public let tooWide: TooWide
    /// Elevated actions; every other is refused.
    public let elevatedActions: [String: ElevatedAction]
    /// Demands on the WPC.
    public let workPolicy: WorkPolicyDemand
    /// Deliveries allowed.
    public let deliveries: Set<DeliveryMode>
    /// Agents allowed: DIDs, or prefixes that end in `*`; empty means any.
    public let agents: [String]
    /// How much the calls of one job may use; `nil` for as much as they like.
    public let budget: Budget?

    /// Path in the rules.
    var path: String { "job_classes.\(name)" }

    func allows(agent: AgentDID) -> Bool {
        guard !agents.isEmpty else { return true }
        return agents.contains { pattern in
            pattern.utf8.last == UInt8(ascii: "*")
                ? agent.rawValue.hasPrefix(pattern.dropLast()) : agent.rawValue == pattern
        }
    }
}
