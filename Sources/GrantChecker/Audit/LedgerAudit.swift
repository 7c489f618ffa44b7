import ClawWire

/// Holds the ledger's rows against what the topics say.
struct LedgerAudit {
    let plan: CheckPlan
    let outcomes: OutcomeBook
    let headerHashes: [Digest]
    let receipts: Int
    private let line: HiddenLineAudit
    /// `policy_id` of the WPCs that were in use, by their hash in base64url.
    private let policies: [String: String]
    var report: CheckReport
    /// Requests that the ledger knows.
    private(set) var requests: Set<Fingerprint> = []
    private var decided = 0
    private var approvals: Set<Fingerprint> = []
    private var batches = 0
    /// Heartbeats that were sealed after the topics had been read to their ends: a settled log still beats.
    private var lateHeartbeats = 0

    init(_ outputs: OutputAudit, policies: [String: String] = [:]) {
        self.policies = policies
        line = outputs.hiddenLine
        plan = outputs.plan
        outcomes = outputs.outcomes
        headerHashes = outputs.headerHashes
        report = outputs.report
        receipts = outputs.report.counts.receipts
    }

    mutating func take(_ request: LedgerReader.Request) {
        let key = Fingerprint(request.id)
        if !requests.insert(key).inserted {
            report.violate(.oneOutcome, "request \(request.id) is in the ledger twice")
        }
        guard let outcome = OutcomeBook.Outcome(rawValue: UInt8(clamping: request.state)) else {
            report.counts.waiting += 1
            if !request.waitsUntil || request.tokenHash != nil {
                report.violate(.oneOutcome, "request \(request.id) waits without an end, or with a token")
            }
            if outcomes.byRequest[key] != nil {
                report.violate(.oneOutcome, "request \(request.id) waits in the ledger and has an outcome in the log")
            }
            return
        }
        decided += 1
        guard let entry = outcomes.byRequest[key] else {
            if plan.isSettled {
                report.violate(.receipts, "request \(request.id) has its outcome in the ledger and no receipt")
            }
            return
        }
        if entry.outcome != outcome {
            report.violate(.oneOutcome, "request \(request.id) has one outcome in the ledger and another in the log")
        }
        let token = request.tokenHash.flatMap { Digest(bytes: $0) }.map { Fingerprint($0) }
        if token != entry.token {
            report.violate(.oneOutcome, "request \(request.id) has one token in the ledger and another in the log")
        }
        if outcome == .issued { checkLine(request) }
    }

    private mutating func checkLine(_ request: LedgerReader.Request) {
        for fault in line.faults(of: request.id, in: request.scopes) { report.violate(.stopLine, fault) }
        // By these a stop finds the token: one that is missing would hide it from the stop, and from this check.
        if !request.scopes.contains(where: { $0.hasPrefix("source:") }) {
            report.violate(
                .stopLine, "the ledger names no source of request \(request.id): no stop of one finds its token")
        }
        let pinned = request.scopes.filter { $0.hasPrefix("policy_hash:") }.map { String($0.dropFirst(12)) }
        for policyID in pinned.compactMap({ policies[$0] }) where !request.scopes.contains("policy_id:\(policyID)") {
            report.violate(
                .stopLine,
                "the ledger does not say that request \(request.id) pins the WPC \(policyID): no stop of it "
                    + "finds its token")
        }
    }

    mutating func take(approval id: String, usedBy: [String], isClosed: Bool, hasDeadline: Bool) {
        let key = Fingerprint(id)
        approvals.insert(key)
        if usedBy.isEmpty, !isClosed, !hasDeadline {
            report.violate(.oneOutcome, "approval \(id) is neither used nor closed nor waiting for a time")
        }
        let used = usedBy.filter { !$0.isEmpty }
        if Set(used).count != used.count {
            report.violate(.oneOutcome, "approval \(id) gave one request two tokens")
        }
        if plan.isSettled, used.count != outcomes.grantsOfApproval[key] ?? 0 {
            report.violate(
                .oneOutcome,
                "approval \(id) gave \(used.count) tokens in the ledger and \(outcomes.grantsOfApproval[key] ?? 0) in the log"
            )
        }
    }

    mutating func take(_ batch: LedgerReader.Batch) {
        batches += 1
        guard batch.number < headerHashes.count else {
            if batch.isHeartbeat {
                lateHeartbeats += 1
            } else if plan.isSettled {
                report.violate(.receipts, "batch \(batch.number) is sealed and not published")
            }
            return
        }
        if headerHashes[Int(batch.number)].bytes != batch.headerHash {
            report.violate(.receipts, "batch \(batch.number) is one in the ledger and another on the topic")
        }
    }

    /// Says what is missing once every row was taken.
    mutating func finish(committed: Int64, unsealed: Int64, unsealedGroups: Int64) {
        if plan.isSettled, unsealedGroups > 0 {
            report.violate(.receipts, "\(unsealedGroups) groups of effects are not sealed")
        }
        // The effects were counted before the batches were read: none, some or all of the late ones are among them.
        let sealed = committed - unsealed
        if plan.isSettled, !(Int64(receipts)...Int64(receipts + lateHeartbeats)).contains(sealed) {
            report.violate(
                .receipts,
                "\(committed) effects were committed, \(unsealed) wait, and \(receipts) receipts are in the log")
        }
        if batches - lateHeartbeats < headerHashes.count {
            report.violate(.receipts, "\(headerHashes.count) batches are on the topic and \(batches) in the ledger")
        }
        if plan.isSettled, decided != outcomes.byRequest.count {
            report.violate(
                .oneOutcome,
                "\(outcomes.byRequest.count) requests have an outcome in the log and \(decided) in the ledger")
        }
        for request in plan.deliveredRequests.sorted() where !requests.contains(Fingerprint(request.rawValue)) {
            report.violate(.oneOutcome, "request \(request) was delivered and the ledger does not know it")
        }
        for approval in plan.deliveredApprovals.sorted() where !approvals.contains(Fingerprint(approval.rawValue)) {
            report.violate(.oneOutcome, "approval \(approval) was delivered and the ledger does not know it")
        }
    }
}
