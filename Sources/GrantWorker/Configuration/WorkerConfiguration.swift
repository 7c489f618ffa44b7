public import ClawWire
public import GrantLedger
public import GraphConfirmation
public import Kafka
public import Keys
public import Postgres
public import ReceiptLog

/// Everything a worker is told at start. Secrets are paths of files, never values.
public struct WorkerConfiguration: Sendable {
    /// Names of the output topics.
    public struct OutputTopics: Sendable, Hashable {
        /// Topic of each output stream.
        public var names: [OutputStream: String] = [
            .grants: "claw.grants.v1", .decisions: "claw.decisions.v1", .revocations: "claw.revocations.v1",
            .receiptBatches: "claw.receipts.batches.v1", .deadLetters: "claw.dead-letters.v1",
            .controlResults: "claw.control-results.v1", .findings: "claw.findings.v1",
        ]
        /// The standard names.
        public init() {}
        /// The topic of a stream.
        public func name(_ stream: OutputStream) -> String { names[stream] ?? "claw.\(stream.name).v1" }
    }

    /// Where WPCs come from.
    public struct PolicySources: Sendable, Hashable {
        /// A directory of signed envelopes, `<anything>.json`.
        public var directory: String?
        /// A compacted topic of signed envelopes, keyed by policy hash.
        public var topic: String?
        /// Base address of clawcontrols: envelopes are read from `{url}/v1/wpc/{hash}`.
        public var url: String?
        /// No source.
        public init() {}
    }

    /// Where control events come from.
    public struct Control: Sendable, Hashable {
        /// The control topic; `nil` when control events come from the command line alone.
        public var topic: String?
        /// Oldest complete poll of the control topic under which anything is issued.
        public var viewMaximumAge: Duration = .seconds(15)
        /// The file whose existence halts this worker.
        public var stopFile: String?
        /// No control topic.
        public init() {}
    }

    /// Signed status lists for verifiers that know the Token Status List draft and nothing of Kafka's other topics.
    public struct StatusLists: Sendable, Hashable {
        /// The topic, compacted, keyed by the lists' addresses.
        public var topic = "claw.status-lists.v1"
        /// The address under which the lists are served, without a slash at its end.
        public var uriBase: String
        /// Time between two versions.
        public var interval: Duration = .seconds(10)
        /// For how many seconds a reader may keep a list.
        public var timeToLive: Int64 = 60
        /// The standard settings.
        public init(uriBase: String) { self.uriBase = uriBase }
    }

    /// Where gateway receipts come from.
    public struct GatewayReceipts: Sendable, Hashable {
        /// The topic of signed gateway receipts; `nil` when usage is not followed.
        public var topic: String?
        /// No topic.
        public init() {}
    }

    /// How what sources say is read back from Microsoft Graph.
    public struct Confirmation: Sendable, Hashable {
        /// The application's client identifier.
        public var clientID: String
        /// File of the application's certificate, PEM.
        public var certificateFile: String
        /// File of the certificate's private key, PEM, mode 0600.
        public var keyFile: String
        /// How client assertions are signed.
        public var algorithm = ClientCertificate.Algorithm.ps256
        /// Where the service is and how patiently it is asked.
        public var graph = GraphSettings()
        /// Most questions at a time.
        public var concurrency = 8
        /// Wait after the first answer that settles nothing.
        public var shortestWait: Duration = .seconds(5)
        /// Longest wait between two answers that settle nothing.
        public var longestWait: Duration = .seconds(300)
        /// Time after which an approval that was confirmed is asked about again, while it lasts.
        public var recheckInterval: Duration = .seconds(300)
        /// Time after which a request that the vendor does not know is one that never was.
        public var unknownAfter: Duration = .seconds(600)
        /// The standard waits.
        public init(clientID: String, certificateFile: String, keyFile: String) {
            self.clientID = clientID
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// Bounds on batches, waits and memory.
    public struct Limits: Sendable, Hashable {
        /// Most records of one decide transaction.
        public var batchRecords = 200
        /// Most bytes of one decide transaction's records.
        public var batchBytes = 1 << 20
        /// How long a batch waits to fill after its first record.
        public var batchLinger: Duration = .milliseconds(3)
        /// Time from one round of sealing that is not full to the next.
        public var sealInterval: Duration = .milliseconds(20)
        /// Decide lanes: consumers and transactions in flight side by side.
        public var lanes = 2
        /// Time without a heartbeat after which others take over.
        public var leaseLifetime: Duration = .seconds(3)
        /// Time between heartbeats.
        public var heartbeatInterval: Duration = .milliseconds(500)
        /// How often waiting requests and approvals are looked at for their time.
        public var sweepInterval: Duration = .milliseconds(500)
        /// Time without a batch after which the log says that it is still there; `nil` keeps it silent.
        public var logHeartbeatInterval: Duration? = .seconds(60)
        /// Time after the expiry of a token before its revocation is ended on the topic: more than any clock is behind.
        public var revocationGrace: Duration = .seconds(3_900)
        /// Longest drain at a graceful stop.
        public var drainTimeout: Duration = .seconds(15)
        /// Oldest event taken, by its own clock, in seconds.
        public var maximumEventAge: Int64 = 7 * 86_400
        /// Furthest event in the future taken, in seconds.
        public var maximumEventAhead: Int64 = 300
        /// By how much the ledger's clock may differ from the worker's before it issues nothing.
        public var maximumClockDifference: Duration = .seconds(300)
        /// How often the record of one dead letter may be read again.
        public var deadLetterMaximumHops: Int64 = 5
        /// How long dead letters can be listed and redriven.
        public var deadLetterRetention: Duration = .seconds(30 * 86_400)
        /// The standard limits.
        public init() {}
    }

    /// Names this process; unique per start.
    public var workerID: WorkerID
    /// Name of the receipt log: the origin of its checkpoints.
    public var logID: LogID
    /// Properties of librdkafka for every client.
    public var kafka: KafkaConfiguration
    /// Where tokens for OAUTHBEARER come from; whoever opens the worker gives ``kafka`` a provider of them.
    public var brokerTokens: BrokerTokenSource?
    /// Whether the publisher uses broker transactions.
    public var usesTransactions: Bool
    /// Output topics.
    public var outputs: OutputTopics
    /// The ledger's database.
    public var database: PostgresConfiguration
    /// Signing keys.
    public var keys: [KeyConfiguration]
    /// File of the secret from which token ids are derived, at least 32 bytes.
    public var tokenIDSecretFile: String
    /// File of the secret from which the ephemeral keys of sealed deliveries are derived, at least 32 bytes.
    public var sealingSecretFile: String
    /// File of the issuance rules.
    public var rulesFile: String
    /// Where WPCs come from.
    public var policies: PolicySources
    /// Where control events come from.
    public var control = Control()
    /// Which status lists are published; `nil` for none.
    public var statusLists: StatusLists?
    /// Where gateway receipts come from.
    public var gatewayReceipts = GatewayReceipts()
    /// Witnesses whose cosignatures of checkpoints are kept.
    public var witnesses: [NoteKey] = []
    /// How what sources say is read back; `nil` when nothing is.
    public var confirmation: Confirmation?
    /// The HTTP surface; `nil` when there is none.
    public var http: HTTPSettings?
    /// How tokens that are delivered by reference are claimed; `nil` when none are.
    public var claims: Claims?
    /// Where security events are streamed to; `nil` when they are not.
    public var securityEvents: SecurityEventSettings?
    /// How its figures are had.
    public var metrics = MetricsSettings()
    /// Whether decisions are traced; `nil` hands on what came and makes no spans.
    public var tracing: TracingSettings?
    /// Bounds.
    public var limits: Limits
    /// Decides and records, mints nothing.
    public var isDryRun: Bool

    /// Makes a configuration of what has no default.
    public init(
        workerID: WorkerID, logID: LogID, kafka: KafkaConfiguration, database: PostgresConfiguration,
        keys: [KeyConfiguration], tokenIDSecretFile: String, sealingSecretFile: String, rulesFile: String
    ) {
        self.workerID = workerID
        self.logID = logID
        self.kafka = kafka
        usesTransactions = true
        outputs = OutputTopics()
        self.database = database
        self.keys = keys
        self.tokenIDSecretFile = tokenIDSecretFile
        self.sealingSecretFile = sealingSecretFile
        self.rulesFile = rulesFile
        policies = PolicySources()
        limits = Limits()
        isDryRun = false
    }
}
