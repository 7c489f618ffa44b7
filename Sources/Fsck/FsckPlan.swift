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

            /// Makes a class.
            public init(
                scopes: Set<String>, audience: Set<String>, actions: [String: [String]] = [:],
                maximumTTLSeconds: Int64, isSingleUse: Bool, allowsPlain: Bool = false
            ) {
                self.scopes = scopes
                self.audience = audience
                self.actions = actions
                self.maximumTTLSeconds = maximumTTLSeconds
                self.isSingleUse = isSingleUse
                self.allowsPlain = allowsPlain
            }
        }
        /// Classes by name.
        public var jobClasses: [String: JobClass]

        /// Makes rules.
        public init(jobClasses: [String: JobClass]) { self.jobClasses = jobClasses }
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
    /// Longest lifetime that a WPC allows, by its hash; `nil` where it sets none.
    public var policies: [Digest: Int64?] = [:]
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
