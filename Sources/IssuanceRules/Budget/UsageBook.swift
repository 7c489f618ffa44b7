public import ClawWire

/// What is known of a job's usage before a batch of calls.
public struct JobUsage: Sendable, Hashable {
    /// What was used.
    public var usage = Usage()
    /// Names of the marks that were come to.
    public var marks: Set<String> = []
    /// What the last finding of an excess said was used, by limit.
    public var reportedExcess: [String: Int64] = [:]
    /// When a limit was first found to be used up, and the job's tokens were revoked.
    public var spentAt: Timestamp?
    /// Calls dated before ``spentAt`` that were read after it.
    public var callsInFlight: Int64 = 0
    /// Tokens of the job: the live ones, and those that calls were made with.
    public var grants: [UsageGrant] = []
    /// The budgets that the approvals of the job's tokens carry. What was once narrowed stays so: a wider budget takes a
    /// job of its own.
    public var approvalBudgets: [Budget] = []
    /// When the job's wall time will be over, should nothing more be received; `nil` where it has none, or is over.
    public var wallTimeEndsAt: Timestamp?

    /// A job of which nothing is known.
    public init() {}
}

/// What the ledger knows of what a batch of calls touches.
public struct UsageSnapshot: Sendable {
    /// The ledger's clock.
    public var now: Timestamp
    /// Payload hashes of receipts that were counted, by name.
    public var known: [ObservedCall.Name: Digest] = [:]
    /// Jobs, with their tokens.
    public var jobs: [JobID: JobUsage] = [:]
    /// Jobs in which a run was seen.
    public var runs: [String: Set<JobID>] = [:]
    /// Keys of findings that were raised before.
    public var raised: Set<Digest> = []
    /// The beginning of the first day whose names are kept: of an older call nobody can tell whether it was counted. `nil`
    /// while nothing is archived.
    public var countsFrom: Timestamp?

    /// Makes a snapshot of an empty ledger.
    public init(now: Timestamp) { self.now = now }
}

/// What follows from a call, in order.
public enum UsageEvent: Sendable, Hashable {
    /// The call at an index of the batch counts, for a token's job or, without one, for nobody.
    case counted(call: Int, grant: UsageGrant?)
    /// The call at an index was counted before.
    case repeated(call: Int)
    /// The call at an index is older than what is known of the calls of its time: it may have been counted.
    case tooOld(call: Int)
    /// Something is not as it should be. The call at the index led to it; `nil` where the whole batch did.
    case found(UsageFinding, call: Int?)
    /// A job's usage came to a mark.
    case mark(JobID, BudgetMark, grant: UsageGrant?)
    /// A limit is used up: these live tokens of the job are revoked.
    case revoke(JobID, [UsageGrant], BudgetMark?)
}

/// Holds calls against grants and budgets: pure.
///
/// Usage is a sum over calls that are counted once, so order and repetition leave no trace in it, nor in the marks that
/// were come to. What cannot be told apart counts: a call after a revocation has used what it used.
public struct UsageBook: Sendable {
    /// The rules.
    private let rules: RuleSet
    /// What the ledger holds after the calls taken so far.
    public private(set) var state: UsageSnapshot
    /// What followed, in order.
    public private(set) var events: [UsageEvent] = []
    /// Jobs whose usage changed.
    public private(set) var touched: Set<JobID> = []
    private var grantsByScope: [Digest: [UsageGrant]] = [:]
    private var budgets: [JobID: Budget?] = [:]
    /// Jobs whose wall time was found to be over by the clock.
    private var elapsed: Set<JobID> = []
    /// The end of the year 9999: what lies behind it never comes.
    private static let lastSecond: Int64 = 253_402_300_799

    /// Opens a book.
    public init(rules: RuleSet, snapshot: UsageSnapshot) {
        self.rules = rules
        state = snapshot
        for job in snapshot.jobs.values {
            for grant in job.grants { grantsByScope[grant.scopeHash, default: []].append(grant) }
        }
    }

    /// Takes a batch of calls and says what follows.
    ///
    /// - Parameter elapsed: jobs whose wall time is over, as far as was known when they were looked for.
    public static func judge(
        _ calls: [ObservedCall], elapsed: [JobID] = [], rules: RuleSet, snapshot: UsageSnapshot
    ) -> UsageBook {
        var book = UsageBook(rules: rules, snapshot: snapshot)
        for (index, call) in calls.enumerated() { book.take(call, at: index) }
        for job in Set(elapsed).sorted() { book.letPass(job) }
        book.finish()
        return book
    }

    /// Jobs whose tokens are revoked.
    public var revokedJobs: Set<JobID> {
        Set(events.compactMap { if case .revoke(let job, _, _) = $0 { job } else { nil } })
    }

    private mutating func found(_ finding: UsageFinding, call: Int?) {
        guard state.raised.insert(finding.key).inserted else { return }
        events.append(.found(finding, call: call))
    }

    private mutating func take(_ call: ObservedCall, at index: Int) {
        if let known = state.known[call.name] {
            events.append(.repeated(call: index))
            if known != call.payloadHash { found(.replay(call, known: known), call: index) }
            return
        }
        if let first = state.countsFrom, call.calledAt < first {
            events.append(.tooOld(call: index))
            return
        }
        state.known[call.name] = call.payloadHash
        guard let grant = grant(for: call) else {
            events.append(.counted(call: index, grant: nil))
            let what =
                call.scopeHash.map { "the scope hash \($0.cut(toBytes: 64)) is of no token that was issued here" }
                ?? "no token was shown"
            found(
                UsageFinding(.unknownScope, what, about: call.name.description, evidence: [call.payloadHash]),
                call: index)
            return
        }
        events.append(.counted(call: index, grant: grant))
        checkTime(call, grant, index)
        checkPolicy(call, grant, index)
        checkRun(call, grant, index)
        count(call, grant, index)
    }

    /// The token of the call's scope whose life covers its time; else the one that ended last before it; else the first.
    private func grant(for call: ObservedCall) -> UsageGrant? {
        guard let scope = call.scopeHash.flatMap({ Digest(b64u: $0) }), let grants = grantsByScope[scope] else {
            return nil
        }
        let skew = rules.gateways.clockSkewSeconds
        func covers(_ grant: UsageGrant) -> Bool {
            call.calledAt >= grant.issuedAt.adding(seconds: -skew) && call.calledAt < grant.endsAt.adding(seconds: skew)
        }
        let ordered = grants.sorted { ($0.issuedAt, $0.requestID) < ($1.issuedAt, $1.requestID) }
        return ordered.last(where: covers) ?? ordered.filter { $0.issuedAt <= call.calledAt }.max {
            $0.endsAt < $1.endsAt
        }
            ?? ordered.first
    }

    private mutating func checkTime(_ call: ObservedCall, _ grant: UsageGrant, _ index: Int) {
        let skew = rules.gateways.clockSkewSeconds
        func raise(_ code: UsageFinding.Code, _ detail: String) {
            found(
                UsageFinding(
                    code, detail, about: call.name.description, evidence: [call.payloadHash], grant: grant),
                call: index)
        }
        if call.calledAt < grant.issuedAt.adding(seconds: -skew) {
            raise(.beforeGrant, "the call is dated \(call.calledAt), the token \(grant.issuedAt)")
        } else if let revokedAt = grant.revokedAt, call.calledAt > revokedAt.adding(seconds: skew) {
            raise(.afterRevocation, "the call is dated \(call.calledAt), the token was revoked at \(revokedAt)")
        } else if call.calledAt >= grant.expiresAt.adding(seconds: skew) {
            raise(.afterExpiry, "the call is dated \(call.calledAt), the token expired at \(grant.expiresAt)")
        }
    }

    private mutating func checkPolicy(_ call: ObservedCall, _ grant: UsageGrant, _ index: Int) {
        guard let policy = call.policyHash, let granted = grant.policyHash, !ExactText.equal(policy, granted.b64u)
        else {
            return
        }
        found(
            UsageFinding(
                .wrongPolicy, "the gateway enforced the WPC \(policy.cut(toBytes: 64)), granted was \(granted)",
                about: call.name.description, evidence: [call.payloadHash], grant: grant), call: index)
    }

    private mutating func checkRun(_ call: ObservedCall, _ grant: UsageGrant, _ index: Int) {
        guard let run = call.runID else { return }
        let before = state.runs[run] ?? []
        guard !before.contains(grant.jobID) else { return }
        state.runs[run, default: []].insert(grant.jobID)
        guard let other = before.min() else { return }
        found(
            UsageFinding(
                .runInTwoJobs, "calls of the jobs \(other) and \(grant.jobID) carry one run id", about: "run:\(run)",
                evidence: [call.payloadHash], grant: grant), call: index)
    }

    // MARK: Budgets

    private mutating func budget(of job: JobID, _ jobClass: JobClass) -> Budget? {
        if let known = budgets[job] { return known }
        let all = (rules.jobClasses[jobClass]?.budget).map { [$0] } ?? []
        let budget = Budget.narrowest(all + (state.jobs[job]?.approvalBudgets ?? []))
        budgets[job] = .some(budget)
        return budget
    }

    private mutating func count(_ call: ObservedCall, _ grant: UsageGrant, _ index: Int) {
        let job = grant.jobID
        touched.insert(job)
        let budget = budget(of: job, grant.jobClass)
        var entry = state.jobs[job] ?? JobUsage()
        // A budget in money may come later: what is spent before it counts in whatever has a price.
        let budgeted = Set(budget.map { Array($0.costs.keys) } ?? [])
        let unpriced = entry.usage.add(
            call, prices: rules.prices, currencies: budgeted.union(rules.prices.currencies)
        ).filter { budgeted.contains($0) }
        if let spentAt = entry.spentAt, call.calledAt <= spentAt { entry.callsInFlight += 1 }
        var marks: [BudgetMark] = []
        if let budget {
            marks = budget.newMarks(entry.usage, reached: entry.marks)
            for mark in marks { entry.marks.insert(mark.name) }
            if entry.spentAt == nil, budget.isSpent(entry.usage) { entry.spentAt = state.now }
        }
        state.jobs[job] = entry
        for currency in unpriced {
            found(
                UsageFinding(
                    .priceUnknown,
                    "the price table has no line in \(currency) for \(call.provider.cut(toBytes: 64))/\(call.model.cut(toBytes: 64))",
                    about: call.name.description, evidence: [call.payloadHash], grant: grant), call: index)
        }
        for mark in marks { events.append(.mark(job, mark, grant: grant)) }
    }

    /// Lets the time that nothing was received in count for a job that has begun.
    private mutating func letPass(_ job: JobID) {
        guard var entry = state.jobs[job], entry.usage.firstAt != nil else { return }
        // Whatever comes of it, the job is not looked at again for this end.
        touched.insert(job)
        guard let grant = entry.grants.last, let wallTime = budget(of: job, grant.jobClass)?.wallTimeOnly
        else { return }
        let passed = entry.usage.passing(until: state.now)
        let marks = wallTime.newMarks(passed, reached: entry.marks)
        for mark in marks { entry.marks.insert(mark.name) }
        if entry.spentAt == nil, wallTime.isSpent(passed) { entry.spentAt = state.now }
        state.jobs[job] = entry
        if wallTime.isSpent(passed) { elapsed.insert(job) }
        for mark in marks { events.append(.mark(job, mark, grant: grant)) }
    }

    /// When a job is to be looked at although nothing is received.
    private func wallTimeEnd(_ entry: JobUsage, _ budget: Budget?) -> Timestamp? {
        guard let limit = budget?.wallTimeOnly?.limits.first,
            !entry.marks.contains(BudgetMark.name(limit, 100)), let end = budget?.wallTimeEnd(entry.usage),
            end <= Self.lastSecond
        else { return nil }
        return Timestamp(seconds: end)
    }

    /// What is said once for the batch: tokens to be revoked, and by how much budgets are exceeded.
    private mutating func finish() {
        for job in touched.sorted() {
            guard var entry = state.jobs[job] else { continue }
            let budget = entry.grants.last.flatMap { self.budget(of: job, $0.jobClass) }
            entry.wallTimeEndsAt = wallTimeEnd(entry, budget)
            state.jobs[job] = entry
            let usage = elapsed.contains(job) ? entry.usage.passing(until: state.now) : entry.usage
            guard let budget, let grant = entry.grants.last, budget.isSpent(usage) else { continue }
            let live = entry.grants.filter { $0.isLive(at: state.now) }
            if !live.isEmpty {
                let mark = budget.limits.first { usage.reaches(100, of: $0) }.map {
                    BudgetMark(limit: $0, percent: 100, used: min(usage.used(of: $0), Budget.largest))
                }
                events.append(.revoke(job, live, mark))
                for index in entry.grants.indices where entry.grants[index].isLive(at: state.now) {
                    entry.grants[index].revokedAt = state.now
                }
            }
            var findings: [UsageFinding] = []
            for limit in budget.limits where entry.usage.exceeds(limit) {
                let used = min(entry.usage.used(of: limit), Budget.largest)
                let name = BudgetMark.name(limit, 100)
                guard used > entry.reportedExcess[name] ?? limit.amount else { continue }
                entry.reportedExcess[name] = used
                findings.append(Self.excess(job, limit, used, entry, grant))
            }
            state.jobs[job] = entry
            for finding in findings { found(finding, call: nil) }
        }
    }

    private static func excess(
        _ job: JobID, _ limit: Budget.Limit, _ used: Int64, _ entry: JobUsage, _ grant: UsageGrant
    ) -> UsageFinding {
        let flight =
            entry.callsInFlight == 0
            ? "the calls that came to the limit went past it"
            : "\(entry.callsInFlight) calls were on their way when the tokens were revoked"
        return UsageFinding(
            .budgetExceeded,
            "\(used) of \(limit.amount) \(limit.unit) were used, \(used - limit.amount) too many: \(flight)",
            about: "job:\(job)", grant: grant,
            excess: UsageFinding.Excess(limit: limit, used: used, callsInFlight: entry.callsInFlight))
    }
}
