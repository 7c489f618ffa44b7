public import ClawWire
public import IssuanceRules

/// A configured source: what it is, whom it is trusted for, and how it proves itself.
public struct SourceConfiguration: Sendable, Hashable {
    /// The vocabulary of the source's records.
    public typealias Kind = SourceRule.Kind
    /// What proves a record.
    public typealias Authenticity = SourceRule.AuthenticityDemand

    /// How an event's identifier is made unique within the source.
    public enum EventIdentity: String, Sendable, Hashable {
        /// CloudEvents `source` and `id` together: the pair that CloudEvents promises to be unique.
        case sourceAndID
        /// CloudEvents `id` alone: for one emitter, and for display.
        case id
    }

    /// A key that may sign for the source.
    public struct Signer: Sendable, Hashable {
        /// The public key, written as `did:key` in configurations.
        public let publicKey: Ed25519PublicKey
        /// Job classes that the key may approve or request; `nil` means every class of the source.
        public var jobClasses: Set<JobClass>?
        /// True when the key may sign approvals and refusals.
        public var mayApprove: Bool
        /// True when the key may sign capability requests.
        public var mayRequest: Bool
        /// True when the key may declare stops.
        public var mayStop: Bool
        /// True when the key may lift stops.
        public var mayLift: Bool
        // Kept because deriving them costs more than the comparison, once for every event.
        private let did: String
        private let kid: String

        /// Lists a key.
        public init(
            publicKey: Ed25519PublicKey, jobClasses: Set<JobClass>? = nil, mayApprove: Bool = true,
            mayRequest: Bool = true, mayStop: Bool = false, mayLift: Bool = false
        ) {
            self.publicKey = publicKey
            self.jobClasses = jobClasses
            self.mayApprove = mayApprove
            self.mayRequest = mayRequest
            self.mayStop = mayStop
            self.mayLift = mayLift
            did = publicKey.did
            kid = publicKey.kid.rawValue
        }

        func isNamed(_ name: String) -> Bool { name == did || name == kid }
    }

    /// Bounds on what is read from a record.
    public struct Limits: Sendable, Hashable {
        /// Bounds on a value read as JSON.
        public var json: JSONLimits
        /// Most headers.
        public var maximumHeaders: Int
        /// Largest header value, in bytes.
        public var maximumHeaderBytes: Int
        /// Most entries of a message that holds several.
        public var maximumEntries: Int
        /// Most targets, details or approvers of one entry.
        public var maximumListMembers: Int
        /// Longest identifier, in bytes.
        public var maximumIdentifierBytes: Int

        /// Makes limits; the defaults take what a broker's default record size allows.
        public init(
            json: JSONLimits = .standard, maximumHeaders: Int = 64, maximumHeaderBytes: Int = 8_192,
            maximumEntries: Int = 5_000, maximumListMembers: Int = 256, maximumIdentifierBytes: Int = 512
        ) {
            self.json = json
            self.maximumHeaders = maximumHeaders
            self.maximumHeaderBytes = maximumHeaderBytes
            self.maximumEntries = maximumEntries
            self.maximumListMembers = maximumListMembers
            self.maximumIdentifierBytes = maximumIdentifierBytes
        }
    }

    /// The name in the configuration; with an event's identifier the key of repeat detection.
    public var name: SourceName
    /// Kind of records.
    public var kind: Kind
    /// What proves a record.
    public var authenticity: Authenticity
    /// Keys that may sign.
    public var signers: [Signer]
    /// Verifies the header that proves a record, in place of ``signers``; `nil` for sources that prove themselves
    /// otherwise.
    public var headerSignature: HeaderSignatureVerifier?
    /// Allow-listed tenants, instances, sites or owners, in lower case. Empty means none.
    public var tenants: Set<String>
    /// CloudEvents `source` values that are taken for decisions and requests; `nil` means every one.
    public var trustedSources: Set<String>?
    /// CloudEvents `source` values that may declare and lift stops. Empty means none.
    public var trustedStopSources: Set<String>
    /// Job classes that the source may approve, or request when it is a source of requests; `nil` means every one.
    public var jobClasses: Set<JobClass>?
    /// Which entitlement stands for which job class; without it every group counts as mapped.
    public var mapping: SourceMapping?
    /// What is peculiar to vendors' records.
    public var vendor: VendorRule
    /// Bounds.
    public var limits: Limits
    /// Seconds that an event may be old which gives something; `nil` leaves it to the worker's own limit.
    public var maximumEventAge: Int64?
    /// How event identifiers are made unique.
    public var eventIdentity: EventIdentity
    /// True on a control topic that only trusted emitters can write to: a record that cannot be read at all is then a
    /// stop of everything instead of a dead letter.
    public var unreadableIsStop: Bool

    /// Makes a configuration that trusts nobody but the topic's writers, and no stop.
    public init(name: SourceName, kind: Kind, authenticity: Authenticity) {
        self.name = name
        self.kind = kind
        self.authenticity = authenticity
        signers = []
        tenants = []
        trustedSources = nil
        trustedStopSources = []
        jobClasses = nil
        mapping = nil
        vendor = VendorRule()
        limits = Limits()
        maximumEventAge = nil
        eventIdentity = .sourceAndID
        unreadableIsStop = false
    }

    /// Takes a source of the issuance rules.
    ///
    /// - Parameters:
    ///   - rule: the source as the rules declare it.
    ///   - entitlements: the rules' map, by which the job class of an entitlement is told.
    public init(_ rule: SourceRule, entitlements: EntitlementMap) {
        self.init(name: rule.name, kind: rule.kind, authenticity: rule.authenticity)
        signers = rule.signers.sorted { $0.key < $1.key }.map {
            Signer(
                publicKey: $0.value.key, jobClasses: $0.value.jobClasses, mayStop: $0.value.mayStop,
                mayLift: $0.value.mayLift)
        }
        tenants = rule.tenants
        trustedSources = rule.trustedEventSources.isEmpty ? nil : rule.trustedEventSources
        trustedStopSources = rule.trustedStopSources
        switch kind {
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .serviceNow, .jsm, .gitHub,
            .pagerDuty, .opsgenie, .slack, .sharedSignals:
            jobClasses = rule.mayApprove
        case .capabilityRequest: jobClasses = rule.mayRequest
        }
        mapping = SourceMapping(tenants: rule.tenants, entitlements: entitlements)
        vendor = rule.vendor
        maximumEventAge = rule.maximumEventAgeSeconds
    }

    /// The listed key that `kid` names, by its DID or by its short key identifier.
    func signer(named kid: String) -> Signer? { signers.first { $0.isNamed(kid) } }
}

extension SourceRule.Kind {
    /// The kind that people name on a command line: its configured name, the name of its vocabulary, or a short form,
    /// with `-`, `.` or `_` between words.
    public init?(name: String) {
        switch TextRules.folded(name).replacing("-", with: "_").replacing(".", with: "_") {
        case "native", "claw_native": self = .native
        case "entra_audit", "entra", "entra_pim": self = .entraAudit
        case "azure_activity", "azure": self = .azureActivity
        case "graph", "entra_graph": self = .graph
        case "entitlement_management", "entra_em", "em": self = .entitlementManagement
        case "capability_request", "claw_request", "request", "requests": self = .capabilityRequest
        case "servicenow", "service_now": self = .serviceNow
        case "jsm", "jira", "jira_service_management": self = .jsm
        case "github": self = .gitHub
        case "pagerduty": self = .pagerDuty
        case "opsgenie": self = .opsgenie
        case "slack": self = .slack
        case "ssf", "shared_signals", "caep": self = .sharedSignals
        default: return nil
        }
    }
}
