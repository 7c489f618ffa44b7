public import ClawWire
public import ReceiptLog

/// Who emits security events: what every rendering says of its producer.
public struct EventProducer: Sendable, Hashable {
    /// The program, as security operations know it.
    public static let product = "clawgrant"
    /// Who makes it.
    public static let vendor = "Claw Bureau"

    /// Version of the program.
    public let version: String
    /// The log whose receipts are told.
    public let logID: LogID
    /// The worker that tells them.
    public let workerID: WorkerID
    /// The tenant for which this log stands; `nil` where there is one only.
    public let tenant: String?

    /// Names a producer.
    public init(version: String, logID: LogID, workerID: WorkerID, tenant: String? = nil) {
        self.version = version
        self.logID = logID
        self.workerID = workerID
        self.tenant = tenant
    }
}

/// A receipt of the log as security operations see it; one for every receipt, in the order of the log.
///
/// ``sequence`` is the receipt's position in the log. It has no gap and no repeat, so whoever receives events can tell by
/// it alone that one is missing or came twice, whatever lies between.
public struct SecurityEvent: Sendable, Hashable {
    /// How it went.
    public enum Outcome: String, Sendable, Hashable {
        case success
        case failure
    }

    /// How urgent it is, from ``informational`` on. The raw value is the OCSF `severity_id`.
    public enum Severity: Int, Sendable, Hashable, Comparable, CaseIterable {
        case informational = 1
        case low = 2
        case medium = 3
        case high = 4
        case critical = 5

        /// The less urgent comes first.
        public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    /// The receipt.
    public let receipt: Receipt
    /// Its position in the log.
    public let sequence: SequenceNumber
    /// The batch it was sealed in.
    public let batch: SequenceNumber
    /// When that was.
    public let sealedAt: Timestamp
    /// Who tells it.
    public let producer: EventProducer
    /// The span that decided it, where what led to it was traced. No receipt holds it: the ledger keeps it beside them.
    public let trace: TraceContext?

    /// Places a receipt.
    public init(
        receipt: Receipt, sequence: SequenceNumber, batch: SequenceNumber, sealedAt: Timestamp, producer: EventProducer,
        trace: TraceContext? = nil
    ) {
        self.trace = trace
        self.receipt = receipt
        self.sequence = sequence
        self.batch = batch
        self.sealedAt = sealedAt
        self.producer = producer
    }

    /// The kind of the receipt: `grant.issued`, `stop.declared` …
    public var code: String { receipt.content.kind.rawValue }

    /// The reason that comes first, where there is one. Where its detail holds a token, that is masked.
    public var reason: Receipt.Reason? {
        receipt.reasons.first.map { Receipt.Reason(code: $0.code, detail: TokenMask.masked($0.detail)) }
    }

    /// What ties events about one matter together: the stop, else the approval, else the request, else the job.
    public var correlation: String {
        if let stop = control?["stop_id"]?.string { return stop }
        let subject = receipt.subject
        return subject.approvalIDs.first?.rawValue ?? subject.requestID?.rawValue ?? subject.jobID?.rawValue
            ?? receipt.id.rawValue
    }

    /// What a control event's receipt says.
    var control: JSONObject? {
        switch receipt.content {
        case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
            .controlApplied(let payload), .controlRepeated(let payload):
            payload
        case .grantIssued, .grantClaimed, .decisionDenied, .decisionExpired, .decisionQuarantined, .deadLetterRedriven,
            .deadLetterDiscarded, .revocation, .revocationsEnded, .keyChanged, .gatewayReceipt, .findingRaised,
            .budgetReached, .heartbeat:
            nil
        }
    }

    /// Who stands behind it: those who declared a control event, those who approved a grant.
    var people: [String] {
        if case .grantIssued(let grant) = receipt.content { return grant.approverIDs.map(\.rawValue) }
        return control?["declared_by"]?.array?.compactMap(\.string) ?? []
    }

    /// Whether a control event takes away one token alone. The receipt of the token's revocation tells it once more.
    private static func isOfOneToken(_ control: JSONObject) -> Bool {
        control["operation"] == "revoke"
            && ["token_hash", "jti"].contains(control["data"]?["scope"]?["kind"]?.string ?? "")
    }

    /// How it went: refusals, dead letters and findings are failures.
    public var outcome: Outcome {
        switch receipt.content {
        case .decisionDenied, .decisionExpired, .decisionQuarantined, .findingRaised: .failure
        case .deadLetterRedriven(let action): action.outcome.isFinal ? .success : .failure
        case .deadLetterDiscarded, .grantIssued, .grantClaimed, .revocation, .revocationsEnded, .keyChanged,
            .stopDeclared,
            .stopLifted, .stopDrilled,
            .controlApplied, .controlRepeated, .gatewayReceipt, .budgetReached, .heartbeat:
            .success
        }
    }

    /// How urgent it is.
    public var severity: Severity {
        switch receipt.content {
        case .grantIssued, .grantClaimed, .gatewayReceipt, .heartbeat, .revocationsEnded, .stopDrilled,
            .controlRepeated:
            .informational
        case .decisionExpired, .deadLetterRedriven, .deadLetterDiscarded: .low
        case .decisionDenied, .decisionQuarantined, .revocation: .medium
        case .stopLifted: .high
        case .controlApplied(let payload): Self.isOfOneToken(payload) ? .medium : .high
        case .stopDeclared: .critical
        case .keyChanged(let change):
            switch change.change {
            case .activated, .verifyOnly, .retired: .medium
            case .compromised: .critical
            }
        case .findingRaised(let finding):
            switch finding.severity {
            case .notice: .medium
            case .warning: .high
            case .critical: .critical
            }
        case .budgetReached(let mark): mark.isLimit ? .high : .medium
        }
    }
}
