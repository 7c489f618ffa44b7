public import ClawWire

/// What is remembered of a source: when it was heard last, how many tokens rest on it, and how its approvers approve.
///
/// Pure and bounded: the same events in the same order give the same state, and no more than ``maximumApprovers`` people
/// are remembered.
public struct SourceHealth: Sendable, Hashable {
    /// Most approvers of whom something is remembered.
    public static let maximumApprovers = 256
    /// Most job classes that are remembered of an approver.
    static let maximumClasses = 16

    /// When its newest record was put on its topic; `nil` before the first.
    public var seenAt: Timestamp?
    /// The silence that a finding was raised for: ``seenAt`` at that time.
    var reportedSilence: ReportedSilence?
    var grants = SlidingCount()
    var limitReportedAt: Timestamp?
    var approvers: [PersonID: ApproverHealth] = [:]

    /// A silence is told apart from others by what was heard before it.
    struct ReportedSilence: Sendable, Hashable {
        let since: Timestamp?
    }

    /// A source of which nothing was heard.
    public init() {}
}

/// What is remembered of an approver of a source.
struct ApproverHealth: Sendable, Hashable {
    var grants = SlidingCount()
    var approvals = SlidingCount()
    /// Approvals so far.
    var total: Int64 = 0
    /// Job classes approved so far.
    var classes: [JobClass] = []
    /// When something was last heard.
    var lastAt: Timestamp
    /// When a finding of a kind was last raised.
    var reportedAt: [HealthFinding.Code: Timestamp] = [:]
    /// Until when what this person approves is refused.
    var suspectUntil: Timestamp?

    init(at now: Timestamp) { lastAt = now }

    func isSuspect(at now: Timestamp) -> Bool { suspectUntil.map { now < $0 } ?? false }
}

/// An approval as it is judged.
public struct ObservedApproval: Sendable, Hashable {
    /// Who approved.
    public let approver: PersonID
    /// The class that it is for, as far as it can be told.
    public let jobClass: JobClass?
    /// When it was asked for, by the source's clock.
    public let askedAt: Timestamp?
    /// When it was decided, by the source's clock.
    public let decidedAt: Timestamp?
    /// Digest of its record.
    public let evidence: Digest

    /// Makes an approval.
    public init(
        approver: PersonID, jobClass: JobClass?, askedAt: Timestamp?, decidedAt: Timestamp?, evidence: Digest
    ) {
        self.approver = approver
        self.jobClass = jobClass
        self.askedAt = askedAt
        self.decidedAt = decidedAt
        self.evidence = evidence
    }
}

/// What happens to a source.
public enum HealthEvent: Sendable, Hashable {
    /// Somebody approved.
    case approved(ObservedApproval)
    /// A token was issued that rests on it, and on these people.
    case issued([PersonID])
    /// Time has passed.
    case passed
}

/// Why nothing may be issued on a source now.
public enum HealthObstacle: Sendable, Hashable {
    /// It was not heard for too long; when it was heard last.
    case silent(since: Timestamp?)
    /// As many tokens rest on it as may.
    case sourceLimit
    /// As many tokens rest on this person's approvals as may.
    case approverLimit(PersonID)
    /// This person approves in a way that deserves an eye.
    case suspect(PersonID)
}

extension SourceHealth {
    // MARK: What may be issued

    /// True when the source was not heard for longer than it may be silent.
    public func isSilent(under rule: HealthRule, at now: Timestamp) -> Bool {
        guard let silence = rule.silence else { return false }
        return seenAt.map { now.seconds(since: $0) > silence.maximumSeconds } ?? true
    }

    /// True when the source is silent and no finding says so yet.
    public func hasSilenceToReport(under rule: HealthRule, at now: Timestamp) -> Bool {
        isSilent(under: rule, at: now) && reportedSilence != ReportedSilence(since: seenAt)
    }

    /// What stands in the way of a token that rests on the source and on these people; `nil` when nothing does.
    ///
    /// - Returns: the obstacle, and whether it holds or denies.
    public func obstacle(
        approvers people: [PersonID], under rule: HealthRule, at now: Timestamp
    ) -> (obstacle: HealthObstacle, action: HealthRule.Action)? {
        if let silence = rule.silence, silence.action != .report, isSilent(under: rule, at: now) {
            return (.silent(since: seenAt), silence.action)
        }
        if let limit = rule.sourceLimit, limit.action != .report,
            grants.total(at: now, within: limit.seconds) >= limit.count
        {
            return (.sourceLimit, limit.action)
        }
        for person in people.sorted() {
            if let limit = rule.approverLimit, limit.action != .report, isAtLimit(person, limit, rule, at: now) {
                return (.approverLimit(person), limit.action)
            }
            if approvers[person]?.isSuspect(at: now) ?? false { return (.suspect(person), .deny) }
        }
        return nil
    }

    /// A person of whom nothing can be remembered any more is over any limit.
    private func isAtLimit(
        _ person: PersonID, _ limit: HealthRule.Limit, _ rule: HealthRule, at now: Timestamp
    ) -> Bool {
        guard let known = approvers[person] else {
            return approvers.count >= Self.maximumApprovers && leastMissed(under: rule, at: now) == nil
        }
        return known.grants.total(at: now, within: limit.seconds) >= limit.count
    }

    // MARK: What happens

    /// Takes an event in and says what deserves an eye, each once in its time.
    public mutating func apply(
        _ event: HealthEvent, of source: SourceName, under rule: HealthRule, at now: Timestamp
    ) -> [HealthFinding] {
        switch event {
        case .approved(let approval): judge(approval, source, rule, at: now)
        case .issued(let people): count(people, source, rule, at: now)
        case .passed: reportSilence(source, rule, at: now)
        }
    }

    private mutating func reportSilence(
        _ source: SourceName, _ rule: HealthRule, at now: Timestamp
    ) -> [HealthFinding] {
        guard let silence = rule.silence, hasSilenceToReport(under: rule, at: now) else { return [] }
        reportedSilence = ReportedSilence(since: seenAt)
        let what = seenAt.map { "since \($0)" } ?? "ever"
        return [
            HealthFinding(
                .sourceSilent, of: source, nil,
                "the source was not heard \(what), and may be silent for \(silence.maximumSeconds) s", at: now)
        ]
    }

    private mutating func count(
        _ people: [PersonID], _ source: SourceName, _ rule: HealthRule, at now: Timestamp
    ) -> [HealthFinding] {
        var findings: [HealthFinding] = []
        if let limit = rule.sourceLimit {
            grants.add(at: now, within: limit.seconds)
            if grants.total(at: now, within: limit.seconds) >= limit.count,
                Self.isDue(limitReportedAt, limit.seconds, at: now)
            {
                limitReportedAt = now
                findings.append(
                    HealthFinding(
                        .sourceLimitReached, of: source, nil,
                        "\(limit.count) tokens within \(limit.seconds) s rest on the source", at: now))
            }
        }
        guard let limit = rule.approverLimit else { return findings }
        for person in people.sorted() {
            guard track(person, rule, at: now) else { continue }
            approvers[person]?.grants.add(at: now, within: limit.seconds)
            guard let known = approvers[person],
                known.grants.total(at: now, within: limit.seconds) >= limit.count,
                Self.isDue(known.reportedAt[.approverLimitReached], limit.seconds, at: now)
            else { continue }
            approvers[person]?.reportedAt[.approverLimitReached] = now
            findings.append(
                HealthFinding(
                    .approverLimitReached, of: source, person,
                    "\(limit.count) tokens within \(limit.seconds) s rest on this person's approvals", at: now))
        }
        return findings
    }

    private mutating func judge(
        _ approval: ObservedApproval, _ source: SourceName, _ rule: HealthRule, at now: Timestamp
    ) -> [HealthFinding] {
        guard let watch = rule.anomalies, track(approval.approver, rule, at: now),
            var person = approvers[approval.approver]
        else { return [] }
        var findings: [HealthFinding] = []
        func find(_ code: HealthFinding.Code, _ detail: String) {
            if watch.action == .deny { person.suspectUntil = now.adding(seconds: watch.seconds) }
            guard Self.isDue(person.reportedAt[code], watch.seconds, at: now) else { return }
            person.reportedAt[code] = now
            findings.append(
                HealthFinding(code, of: source, approval.approver, detail, evidence: approval.evidence, at: now))
        }
        person.approvals.add(at: now, within: watch.seconds)
        let count = person.approvals.total(at: now, within: watch.seconds)
        if let burst = watch.burst, count >= burst {
            find(.approvalBurst, "\(count) approvals of one person within \(watch.seconds) s")
        }
        if let jobClass = approval.jobClass, !person.classes.contains(jobClass) {
            if let usualAfter = watch.usualAfter, person.total >= Int64(usualAfter) {
                find(
                    .unusualClass,
                    "an approval for \(quoted(jobClass.rawValue)), which this person has not approved in "
                        + "\(person.total) approvals before")
            }
            if person.classes.count < Self.maximumClasses { person.classes.append(jobClass) }
        }
        if let minimum = watch.minimumDecisionSeconds, let asked = approval.askedAt, let decided = approval.decidedAt,
            decided.microseconds - asked.microseconds < minimum * 1_000_000
        {
            let seconds = Double(decided.microseconds - asked.microseconds) / 1e6
            find(.tooFast, "approved \(seconds) s after it was asked for; a human takes \(minimum) s")
        }
        person.total += 1
        person.lastAt = now
        approvers[approval.approver] = person
        return findings
    }

    /// Once in the time: from the finding on nothing more is said until it is over.
    private static func isDue(_ last: Timestamp?, _ seconds: Int64, at now: Timestamp) -> Bool {
        last.map { now.seconds(since: $0) >= seconds } ?? true
    }

    // MARK: People

    /// Makes room for a person; false when everybody who is remembered is still needed.
    private mutating func track(_ person: PersonID, _ rule: HealthRule, at now: Timestamp) -> Bool {
        if approvers[person] != nil {
            approvers[person]?.lastAt = now
            return true
        }
        if approvers.count >= Self.maximumApprovers {
            guard let gone = leastMissed(under: rule, at: now) else { return false }
            approvers[gone] = nil
        }
        approvers[person] = ApproverHealth(at: now)
        return true
    }

    /// Of the people who are over no limit and under no suspicion the one who was heard longest ago.
    private func leastMissed(under rule: HealthRule, at now: Timestamp) -> PersonID? {
        approvers.filter { _, known in
            !known.isSuspect(at: now)
                && rule.approverLimit.map { known.grants.total(at: now, within: $0.seconds) == 0 } ?? true
        }.min { ($0.value.lastAt, $0.key) < ($1.value.lastAt, $1.key) }?.key
    }
}
