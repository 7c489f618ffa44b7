import ClawWire
import GrantLedger
import ReceiptLog

/// What is committed: the ledger's tables as values.
struct Tables {
    struct Partition {
        var nextOffset: Int64
        var epoch: Int64 = 0
        var owner: WorkerID?
    }

    struct Role {
        var epoch: Int64 = 0
        var owner: WorkerID?
    }

    struct EventRow: Hashable {
        let day: Int32
        let key: [UInt8]

        init(_ event: EventKey) {
            day = event.day
            key = event.key
        }
    }

    struct HolderEndRow: Hashable {
        let subject: PersonID
        let occurredAt: Timestamp
        let eventKey: [UInt8]
        let factIndex: Int32

        init(_ end: HolderEnd) {
            subject = end.subject
            occurredAt = end.occurredAt
            eventKey = end.event.key
            factIndex = end.factIndex
        }
    }

    struct RequestRow {
        var request: StoredRequest
        /// Where its effect is.
        var place: (group: Int64, day: Int32, index: Int32)?
    }

    struct GroupRow {
        let group: EffectGroup
        let body: [UInt8]
        let createdAt: Timestamp
    }

    struct Unsealed {
        let groupID: Int64
        let bytes: Int
        let priority: SealPriority
    }

    struct ControlEventRow {
        let event: StoredControlEvent
        let appliedAt: Timestamp
    }

    struct RunRow {
        var run: RevocationRun
        var cursor: (expiresAt: Timestamp, requestID: RequestID)
        var revoked: Int64 = 0
        var finishedAt: Timestamp?
    }

    struct Cutoff {
        var position: Int64
        var endsAt: Timestamp?
        var endedAt: Timestamp?
    }

    var logID: LogID?
    var controlPosition: Int64 = 0
    var polledAt: Timestamp
    /// When each worker's life is over.
    var workers: [WorkerID: Timestamp] = [:]
    var partitions: [InputPartition: Partition] = [:]
    var roles: [WorkerRole: Role] = Dictionary(uniqueKeysWithValues: WorkerRole.allCases.map { ($0, Role()) })
    var events: [EventRow: Digest] = [:]
    var approvals: [ApprovalID: StoredApproval] = [:]
    var requests: [RequestID: RequestRow] = [:]
    /// Ends that name a holder and no approval.
    var holderEnds: [HolderEndRow: [UInt8]] = [:]
    /// By identifier.
    var groups: [Int64: GroupRow] = [:]
    var unsealed: [Int64: Unsealed] = [:]
    var batches: [SealedBatch] = []
    var publishPositions: [PublishLane: PublishPosition] = [:]
    var keys: Set<KeyID> = []
    var controlEvents: [String: ControlEventRow] = [:]
    var controlOrders: [String: StoredControlOrder] = [:]
    var controlInput: [String: Int64] = [:]
    /// In the order of position and ordinal.
    var runs: [RunRow] = []
    var cutoffs: [String: Cutoff] = [:]
    var revocationEnd: (expiresAt: Timestamp, requestID: RequestID) = (Timestamp(seconds: 0), RequestID(""))

    init(at now: Timestamp) { polledAt = now }

    /// The latest ends of a holder.
    func ends(of holder: PersonID) -> [[UInt8]] {
        let ends = holderEnds.filter { $0.key.subject == holder }.sorted { left, right in
            let (a, b) = (left.key, right.key)
            guard a.occurredAt == b.occurredAt else { return a.occurredAt > b.occurredAt }
            guard a.eventKey == b.eventKey else { return a.eventKey.lexicographicallyPrecedes(b.eventKey) }
            return a.factIndex < b.factIndex
        }
        return ends.prefix(Int(HolderEnd.maximumOfHolder)).map(\.value)
    }

    func isAlive(_ worker: WorkerID?, at now: Timestamp) -> Bool {
        worker.flatMap { workers[$0] }.map { $0 >= now } ?? false
    }

    func holds(_ lease: RoleLease) -> Bool {
        roles[lease.role].map { $0.owner == lease.owner && $0.epoch == lease.epoch.value } ?? false
    }

    /// Control orders that changed after a position, in the order of their change.
    func orders(after position: Int64) -> [StoredControlOrder] {
        controlOrders.values.filter { $0.position > position }.sorted {
            ($0.position, $0.key) < ($1.position, $1.key)
        }
    }

    /// What the tally adds up to.
    func counts(at now: Timestamp) -> (counts: [ControlSnapshot.Count], newest: Timestamp?, latest: Timestamp?) {
        struct Key: Hashable {
            let jobClass: JobClass
            let kid: KeyID
            let policyHash: Digest?
        }
        var sums: [Key: (grants: Int64, live: Int64)] = [:]
        var newest: Timestamp?
        var latest: Timestamp?
        for row in requests.values {
            guard let token = row.request.token else { continue }
            let key = Key(
                jobClass: row.request.jobClass, kid: token.kid, policyHash: token.control?.policyHash)
            var sum = sums[key] ?? (0, 0)
            sum.grants += 1
            if row.request.revocation == nil, token.expiresAt.seconds > now.seconds { sum.live += 1 }
            sums[key] = sum
            newest = max(newest ?? token.issuedAt, token.issuedAt)
            latest = max(latest ?? token.expiresAt, Timestamp(seconds: token.expiresAt.seconds))
        }
        let counts = sums.map {
            ControlSnapshot.Count(
                jobClass: $0.key.jobClass, kid: $0.key.kid, policyHash: $0.key.policyHash, grants: $0.value.grants,
                live: $0.value.live)
        }
        return (
            counts.sorted { ($0.jobClass.rawValue, $0.kid.rawValue) < ($1.jobClass.rawValue, $1.kid.rawValue) }, newest,
            latest
        )
    }

    /// Whether a token is in a scope of control events.
    static func isCovered(_ request: StoredRequest, kind: String, value: String) -> Bool {
        guard let token = request.token else { return false }
        return switch kind {
        case "all": true
        case "job_class": request.jobClass.rawValue == value
        case "agent": request.agentDID.rawValue == value
        case "request": request.requestID.rawValue == value
        case "job": request.jobID.rawValue == value
        case "approval": request.approvals.contains { $0.rawValue == value }
        case "token_hash": token.tokenHash.hex == value
        case "jti": token.tokenID.rawValue == value
        case "issuer_key": token.kid.rawValue == value
        default: token.control?.scopes.contains("\(kind):\(value)") ?? false
        }
    }
}
