public import ClawWire

/// What is checked, and what the checker is told beside the records themselves.
public struct FsckPlan: Sendable {
    /// A stream and the topic that carries it.
    public struct Stream: Sendable, Hashable {
        /// The name in the header `claw_stream`.
        public let name: String
        /// The topic.
        public let topic: String
        /// True when the topic is compacted: what a later record of the same key replaced may be gone.
        public let isCompacted: Bool

        /// Names a stream.
        public init(name: String, topic: String, isCompacted: Bool = false) {
            self.name = name
            self.topic = topic
            self.isCompacted = isCompacted
        }

        /// The streams of a log under their standard topics.
        public static let standard: [Stream] = [
            Stream(name: "receipts.batches", topic: "claw.receipts.batches.v1"),
            Stream(name: "grants", topic: "claw.grants.v1"), Stream(name: "decisions", topic: "claw.decisions.v1"),
            Stream(name: "revocations", topic: "claw.revocations.v1"),
            Stream(name: "dead-letters", topic: "claw.dead-letters.v1"),
            Stream(name: "control-results", topic: "claw.control-results.v1"),
        ]
    }

    /// What the issuance rules allow, as far as receipts show it.
    public struct Rules: Sendable, Hashable {
        /// One job class.
        public struct JobClass: Sendable, Hashable {
            /// Scope strings.
            public var scopes: Set<String>
            /// Audiences.
            public var audience: Set<String>
            /// Elevated actions with the scope strings that come with each.
            public var actions: [String: [String]]
            /// Longest lifetime in seconds, the hard cap considered.
            public var maximumTTLSeconds: Int64
            /// True when an approval serves one request.
            public var isSingleUse: Bool
            /// True when tokens may be delivered in the clear.
            public var allowsPlain: Bool
            /// What is demanded of the WPC.
            public var workPolicy: PolicyDemand

            /// Makes a class.
            public init(
                scopes: Set<String>, audience: Set<String>, actions: [String: [String]] = [:],
                maximumTTLSeconds: Int64, isSingleUse: Bool, allowsPlain: Bool = false,
                workPolicy: PolicyDemand = PolicyDemand()
            ) {
                self.scopes = scopes
                self.audience = audience
                self.actions = actions
                self.maximumTTLSeconds = maximumTTLSeconds
                self.isSingleUse = isSingleUse
                self.allowsPlain = allowsPlain
                self.workPolicy = workPolicy
            }
        }

        /// What a job class demands of the WPC.
        public struct PolicyDemand: Sendable, Hashable {
            /// True when a grant must name one.
            public var isRequired = false
            /// Hashes allowed; empty means any.
            public var hashes: Set<Digest> = []
            /// Policy ids allowed; empty means any.
            public var policyIDs: Set<String> = []
            /// True when the token must name its hash, whatever the WPC says.
            public var isAlwaysPinned = false
            /// Properties that the WPC must have.
            public var properties: Set<Policy.Property> = []

            /// Demands nothing.
            public init() {}
        }

        /// Classes by name.
        public var jobClasses: [String: JobClass]
        /// DIDs that may sign WPCs.
        public var policySigners: Set<String>

        /// Makes rules.
        public init(jobClasses: [String: JobClass], policySigners: Set<String> = []) {
            self.jobClasses = jobClasses
            self.policySigners = policySigners
        }
    }

    /// What a WPC says, as far as receipts show whether it was kept.
    public struct Policy: Sendable, Hashable {
        /// Something that a job class may demand of a WPC.
        public enum Property: String, Sendable, Hashable, CaseIterable {
            /// Model calls go through the proxy.
            case proxy = "require_proxy"
            /// Receipts are demanded.
            case receipts = "receipt_required"
            /// A sandbox is demanded.
            case sandbox = "require_sandbox"
            /// Tokens are bound to jobs.
            case jobBinding = "job_scoped_binding"
        }

        /// Longest lifetime in seconds; `nil` when it sets none.
        public var maximumTTLSeconds: Int64?
        /// Its identifier, where the form has one.
        public var policyID: String?
        /// The job class that it is for, where the form has one.
        public var jobClass: String?
        /// True when tokens must name its hash.
        public var isPinned = false
        /// What it demands.
        public var properties: Set<Property> = []
        /// Who has signed it, as a DID; `nil` when hash or signature of its envelope are wrong.
        public var signerDID: String?

        /// Makes a WPC that says nothing, under an envelope that is checked here.
        ///
        /// - Parameter envelope: the signed envelope; its payload must have the hash and signature that it states.
        public init(envelope: JSONValue) { signerDID = PolicyEnvelope.signer(of: envelope) }
    }

    /// The log; `nil` takes the one that the first batch names.
    public var logID: String?
    /// The log's keys, old ones too.
    public var logKeys: [Ed25519PublicKey]
    /// Keys that sign tokens, old ones too; empty when they are not known.
    public var tokenKeys: [Ed25519PublicKey] = []
    /// Signers of tokens; with them and the ledger's claims tokens are made again.
    public var tokenSigners: [any Ed25519Signer] = []
    /// The secret from which `jti` follow; `nil` when it is not known.
    public var tokenIDSecret: [UInt8]?
    /// Issuance rules by their hash.
    public var rules: [Digest: Rules] = [:]
    /// WPCs by their hash.
    public var policies: [Digest: Policy] = [:]
    /// The streams.
    public var streams: [Stream]
    /// First position looked at.
    public var from: Int64 = 0
    /// Last position looked at; `nil` for the last there is.
    public var through: Int64?
    /// Looks at batches alone: hashes, chain, signatures.
    public var isHashOnly = false
    /// True when nothing is under way: what is missing at the end is missing.
    public var isSettled = true
    /// Most findings of one code that are listed.
    public var maximumPerCode = 20
    /// Where sorted runs are written; `nil` for the system's directory for temporary files.
    public var workDirectory: String?
    /// Memory for each sort, in bytes.
    public var sortMemory = 32 << 20

    /// Names what is checked.
    public init(logID: String?, logKeys: [Ed25519PublicKey], streams: [Stream] = Stream.standard) {
        self.logID = logID
        self.logKeys = logKeys
        self.streams = streams
    }
}

/// The run itself cannot go on; what was found so far says nothing.
public struct FsckError: Error, Sendable, CustomStringConvertible {
    /// What happened, to which input, what to do.
    public let description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
