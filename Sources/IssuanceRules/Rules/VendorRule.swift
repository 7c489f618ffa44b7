public import ClawWire

/// What the rules say of a source that is peculiar to vendors' records.
public struct VendorRule: Sendable, Hashable {
    /// A part of a vendor's record whose name differs from site to site. The text is the key in the rules.
    public enum Field: String, Sendable, Hashable, CaseIterable {
        /// Where the record names the job class.
        case jobClass = "job_class"
        /// Where the approved window begins.
        case start
        /// Where the approved window ends.
        case end
        /// Where the approvals of an issue stand.
        case approvals
        /// Where the request type of an issue stands.
        case requestType = "request_type"
    }

    /// By what a request type is mapped. The text is the form in the rules.
    public enum RequestTypes: String, Sendable, Hashable, CaseIterable {
        /// By its number.
        case id
        /// By its name, which the administrators of a project can give to any request type.
        case name
    }

    /// What an incident or an alert stops.
    public struct Stop: Sendable, Hashable {
        /// The service's id or the alert's tag.
        public let match: String
        /// What is stopped; `nil` means what the alert's own tags say.
        public let scope: StopScope?
        /// True when live tokens are revoked too.
        public let revokesLive: Bool

        /// Makes a line.
        public init(match: String, scope: StopScope?, revokesLive: Bool = true) {
            self.match = match
            self.scope = scope
            self.revokesLive = revokesLive
        }
    }

    /// Who sends Security Event Tokens, to whom, and by which keys they are known.
    public struct Transmitter: Sendable, Hashable {
        /// Claim `iss`.
        public let issuer: String
        /// Values of `aud` that mean us.
        public let audience: [String]
        /// The keys.
        public let keys: [PublicJWK]

        /// Names a transmitter.
        public init(issuer: String, audience: [String], keys: [PublicJWK]) {
            self.issuer = issuer
            self.audience = audience
            self.keys = keys
        }
    }

    /// Services or tags that stop.
    public var stops: [Stop] = []
    /// Names of fields, where they are not the usual ones.
    public var fields: [Field: String] = [:]
    /// By what request types are mapped.
    public var requestTypes = RequestTypes.id
    /// The transmitter of Security Event Tokens.
    public var transmitter: Transmitter?

    /// Nothing peculiar.
    public init() {}

    /// The members beside those of every source; empty where nothing is peculiar, so that rules without these settings
    /// keep the hash they had before the settings were known.
    var document: JSONObject {
        var object = JSONObject()
        if !stops.isEmpty { object["stops"] = .array(stops.map(\.document)) }
        if !fields.isEmpty {
            object["fields"] = .object(
                JSONObject(fields.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.rawValue, .string($1)) }))
        }
        if requestTypes != .id { object["request_types"] = .string(requestTypes.rawValue) }
        if let transmitter {
            object["issuer"] = .string(transmitter.issuer)
            object["audience"] = .array(transmitter.audience.sorted().map { .string($0) })
            object["jwks"] = .array(transmitter.keys.map(\.json))
        }
        return object
    }
}

extension VendorRule.Stop {
    fileprivate var document: JSONValue {
        [
            "match": .string(match), "scope": scope?.json ?? .null,
            "action": revokesLive ? "revoke_and_deny" : "deny_new",
        ]
    }
}

extension SourceRule.Kind {
    /// True for kinds whose records can approve something.
    public var canApprove: Bool {
        switch self {
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .serviceNow, .jsm, .gitHub: true
        case .capabilityRequest, .pagerDuty, .opsgenie, .slack, .sharedSignals: false
        }
    }
}
