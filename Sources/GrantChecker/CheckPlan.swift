public import ClawWire
public import Kafka
public import Postgres

/// What is checked, and what the checker is told beside it.
public struct CheckPlan: Sendable {
    /// The vocabulary of an input topic, as far as identifiers go.
    public enum InputForm: Sendable, Hashable {
        /// CloudEvents in either mode; an event is known by its source and id.
        case cloudEvents
        /// Bare capability requests, known by their `request_id`, or CloudEvents.
        case requests
        /// Entra audit messages; an entry is known by `properties.id`.
        case entraAudit
        /// Records of another vendor.
        case vendor(VendorForm)
    }

    /// The vocabulary of a vendor, as far as identifiers go.
    public enum VendorForm: Sendable, Hashable {
        /// Activity log records, known by their event.
        case azureActivity
        /// Answers of Microsoft Graph, known by what was answered; notifications about these groups end memberships.
        case graph(groups: Set<String>)
        /// Callouts of access packages, known by the instance of the extension and the stage.
        case entitlementManagement
        /// Changes, known by identifier, count of modifications and content.
        case serviceNow
        /// Issues; each approval is known by site, issue, identifier and the content.
        case jsm
        /// Deployments, known by their delivery.
        case gitHub
        /// Incidents, known by their event; those of these services are stops.
        case pagerDuty(services: Set<String>)
        /// Alerts, known by identifier, action and time; those with this tag are stops.
        case opsgenie(tag: String)
        /// Interactions, which say nothing.
        case slack
        /// Security Event Tokens, known by issuer and identifier.
        case sharedSignals
    }

    /// An input topic.
    public struct Input: Sendable, Hashable {
        /// The topic.
        public let topic: String
        /// The configured source that reads it.
        public let source: SourceName
        /// Its vocabulary.
        public let form: InputForm
        /// Names an input topic.
        public init(topic: String, source: SourceName, form: InputForm) {
            self.topic = topic
            self.source = source
            self.form = form
        }
    }

    /// Where an approval's window ends, as the approver stated it.
    public var windowEnds: [ApprovalID: Timestamp] = [:]
    /// Requests that were delivered, however often: each must have an outcome or wait visibly.
    public var deliveredRequests: Set<RequestID> = []
    /// Approvals that were delivered and taken: each must be used, closed, or wait visibly.
    public var deliveredApprovals: Set<ApprovalID> = []
    /// Scope strings that come with an elevated action.
    public var scopesOfActions: [String: [String]] = [:]
    /// Job classes whose tokens may be delivered in the clear.
    public var plainJobClasses: Set<JobClass> = []
    /// The jobs' private keys; with them sealed tokens are opened and verified.
    public var jobKeys: [SealingPrivateKey] = []
    /// One of so many grants is opened.
    public var opensEvery = 1
    /// Files that must hold no token either: logs.
    public var files: [String] = []
    /// Whether all work is done, so that nothing may be unread, unsealed or unpublished.
    public var isSettled = true

    /// How to reach the broker.
    public let kafka: KafkaConfiguration
    /// How to reach the ledger's database.
    public let database: PostgresConfiguration
    /// The log.
    public let logID: LogID
    /// Keys that sign batches and checkpoints, old ones included.
    public let logKeys: [Ed25519PublicKey]
    /// Keys that sign tokens, old ones included.
    public let tokenKeys: [Ed25519PublicKey]
    /// Input topics.
    public var inputs: [Input]
    /// Output topics by stream.
    public var outputs: [CheckedStream: String]

    /// Names what is checked; what the checker may be told beside it is set afterwards.
    public init(
        kafka: KafkaConfiguration, database: PostgresConfiguration, logID: LogID, logKeys: [Ed25519PublicKey],
        tokenKeys: [Ed25519PublicKey], inputs: [Input], outputs: [CheckedStream: String] = CheckedStream.standardTopics
    ) {
        self.kafka = kafka
        self.database = database
        self.logID = logID
        self.logKeys = logKeys
        self.tokenKeys = tokenKeys
        self.inputs = inputs
        self.outputs = outputs
    }
}

/// An output stream, by the name in its `claw_stream` header.
public enum CheckedStream: String, Sendable, Hashable, CaseIterable {
    /// Sealed batches of receipts.
    case receiptBatches = "receipts.batches"
    /// Grants.
    case grants
    /// Decisions.
    case decisions
    /// Revocations.
    case revocations
    /// Dead letters.
    case deadLetters = "dead-letters"
    /// What became of control events.
    case controlResults = "control-results"
    /// Findings and marks of budgets.
    case findings

    /// The standard topics.
    public static let standardTopics: [CheckedStream: String] = [
        .receiptBatches: "claw.receipts.batches.v1", .grants: "claw.grants.v1", .decisions: "claw.decisions.v1",
        .revocations: "claw.revocations.v1", .deadLetters: "claw.dead-letters.v1",
        .controlResults: "claw.control-results.v1", .findings: "claw.findings.v1",
    ]
}
