import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

/// How sources are watched, by example.
struct SourceHealthTests {
    private static let source = SourceName("pim")
    private static let noon = time("2026-11-20T12:00:00Z")
    private static let mina = PersonID("mina")
    private static let jonas = PersonID("jonas")

    private static func after(_ seconds: Int64) -> Timestamp { noon.adding(seconds: seconds) }

    private static func approval(
        _ person: PersonID = mina, _ jobClass: String? = "ref", tookSeconds: Int64? = nil
    ) -> HealthEvent {
        .approved(
            ObservedApproval(
                approver: person, jobClass: jobClass.map { JobClass($0) },
                askedAt: tookSeconds.map { noon.adding(seconds: -$0) }, decidedAt: noon,
                evidence: Digest(hashing: "record")))
    }

    // MARK: Silence

    private static let silent = HealthRule(silence: HealthRule.Silence(maximumSeconds: 60, action: .hold))

    @Test func aSourceThatWasNeverHeardIsSilent() {
        let health = SourceHealth()
        #expect(health.isSilent(under: Self.silent, at: Self.noon))
        #expect(
            health.obstacle(approvers: [], under: Self.silent, at: Self.noon)?.obstacle == .silent(since: nil))
        #expect(!health.isSilent(under: HealthRule(), at: Self.noon))
        #expect(health.obstacle(approvers: [], under: HealthRule(), at: Self.noon) == nil)
    }

    @Test func silenceBeginsBehindItsBoundAndEndsWithARecord() {
        var health = SourceHealth()
        health.seenAt = Self.noon
        #expect(!health.isSilent(under: Self.silent, at: Self.after(60)))
        #expect(health.isSilent(under: Self.silent, at: Self.after(61)))
        health.seenAt = Self.after(61)
        #expect(!health.isSilent(under: Self.silent, at: Self.after(61)))
    }

    @Test func eachSilenceIsReportedOnce() {
        var health = SourceHealth()
        func look(_ seconds: Int64) -> [HealthFinding.Code] {
            health.apply(.passed, of: Self.source, under: Self.silent, at: Self.after(seconds)).map(\.code)
        }
        #expect(look(0) == [.sourceSilent])
        #expect(look(1) == [])
        health.seenAt = Self.after(10)
        #expect(look(20) == [])
        #expect(look(71) == [.sourceSilent])
        #expect(look(900) == [])
        health.seenAt = Self.after(1_000)
        #expect(look(1_061) == [.sourceSilent])
    }

    @Test func whatOnlyReportsHoldsNothing() {
        let rule = HealthRule(silence: HealthRule.Silence(maximumSeconds: 60, action: .report))
        var health = SourceHealth()
        #expect(health.obstacle(approvers: [], under: rule, at: Self.noon) == nil)
        #expect(health.apply(.passed, of: Self.source, under: rule, at: Self.noon).map(\.code) == [.sourceSilent])
    }

    // MARK: Limits

    private static func limited(
        _ source: Int?, _ approver: Int?, _ action: HealthRule.Action = .hold
    ) -> HealthRule {
        HealthRule(
            sourceLimit: source.map { HealthRule.Limit(count: $0, seconds: 60, action: action) },
            approverLimit: approver.map { HealthRule.Limit(count: $0, seconds: 60, action: action) })
    }

    @Test func aFullSourceHoldsUntilItsTimeHasPassed() {
        let rule = Self.limited(2, nil)
        var health = SourceHealth()
        var codes: [HealthFinding.Code] = []
        for second in [Int64(0), 10] {
            #expect(health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(second)) == nil)
            codes += health.apply(
                .issued([Self.mina]), of: Self.source, under: rule, at: Self.after(second)
            ).map(\.code)
        }
        #expect(codes == [.sourceLimitReached])
        #expect(health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(11))?.obstacle == .sourceLimit)
        #expect(health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(11))?.action == .hold)
        #expect(health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(80)) == nil)
    }

    @Test func anApproverIsLimitedByHimself() {
        let rule = Self.limited(nil, 1, .deny)
        var health = SourceHealth()
        let findings = health.apply(.issued([Self.mina]), of: Self.source, under: rule, at: Self.noon)
        #expect(findings.map(\.code) == [.approverLimitReached])
        #expect(findings.first?.about == "approver:pim/mina")
        let obstacle = health.obstacle(approvers: [Self.jonas, Self.mina], under: rule, at: Self.after(1))
        #expect(obstacle?.obstacle == .approverLimit(Self.mina))
        #expect(obstacle?.action == .deny)
        #expect(health.obstacle(approvers: [Self.jonas], under: rule, at: Self.after(1)) == nil)
    }

    @Test func aLimitThatReportsHoldsNothing() {
        let rule = Self.limited(1, 1, .report)
        var health = SourceHealth()
        let findings = health.apply(.issued([Self.mina]), of: Self.source, under: rule, at: Self.noon)
        #expect(findings.map(\.code) == [.sourceLimitReached, .approverLimitReached])
        #expect(health.apply(.issued([Self.mina]), of: Self.source, under: rule, at: Self.after(1)).isEmpty)
        #expect(health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(1)) == nil)
    }

    @Test func whoCannotBeRememberedIsOverTheLimit() {
        let rule = Self.limited(nil, 5)
        var health = SourceHealth()
        for index in 0..<SourceHealth.maximumApprovers {
            _ = health.apply(.issued([PersonID("p\(index)")]), of: Self.source, under: rule, at: Self.noon)
        }
        let stranger = PersonID("stranger")
        #expect(
            health.obstacle(approvers: [stranger], under: rule, at: Self.after(1))?.obstacle
                == .approverLimit(stranger))
        // When their time has passed the first of them make room.
        #expect(health.obstacle(approvers: [stranger], under: rule, at: Self.after(100)) == nil)
        _ = health.apply(.issued([stranger]), of: Self.source, under: rule, at: Self.after(100))
        #expect(health.approvers.count == SourceHealth.maximumApprovers)
        #expect(health.approvers[PersonID("p0")] == nil)
    }

    // MARK: Anomalies

    private static func watching(
        burst: Int? = nil, usualAfter: Int? = nil, minimum: Int64? = nil, _ action: HealthRule.Action = .report
    ) -> HealthRule {
        HealthRule(
            anomalies: HealthRule.Anomalies(
                seconds: 600, burst: burst, usualAfter: usualAfter, minimumDecisionSeconds: minimum, action: action))
    }

    @Test func aBurstIsOneFindingInItsTime() {
        let rule = Self.watching(burst: 5)
        var health = SourceHealth()
        var findings: [HealthFinding] = []
        for second in Int64(0)..<50 {
            findings += health.apply(Self.approval(), of: Self.source, under: rule, at: Self.after(second))
        }
        #expect(findings.map(\.code) == [.approvalBurst])
        #expect(findings.first?.detail == "5 approvals of one person within 600 s")
        // Another person's approvals are no burst of this one's.
        #expect(health.apply(Self.approval(Self.jonas), of: Self.source, under: rule, at: Self.after(50)).isEmpty)
        for second in Int64(600)..<650 {
            findings += health.apply(Self.approval(), of: Self.source, under: rule, at: Self.after(second))
        }
        #expect(findings.map(\.code) == [.approvalBurst, .approvalBurst])
        #expect(Set(findings.map(\.evidence)).count == 2)
    }

    @Test func anotherClassIsUnusualOnceTheUsualOnesAreKnown() {
        let rule = Self.watching(usualAfter: 3)
        var health = SourceHealth()
        func approve(_ jobClass: String?, _ second: Int64) -> [HealthFinding.Code] {
            health.apply(
                Self.approval(Self.mina, jobClass), of: Self.source, under: rule, at: Self.after(second)
            ).map(\.code)
        }
        #expect(approve("ref", 0) == [])
        #expect(approve("ent", 1) == [])
        #expect(approve("ref", 2) == [])
        #expect(approve(nil, 3) == [])
        #expect(approve("prod", 4) == [.unusualClass])
        #expect(approve("prod", 5) == [])
        // A second new class within the time is not reported on its own.
        #expect(approve("vault", 6) == [])
        #expect(approve("root", 700) == [.unusualClass])
    }

    @Test(arguments: [(Int64(0), true), (2, true), (-5, true), (3, false), (60, false)])
    func anAnswerBeforeItCanBeReadIsTooFast(_ seconds: Int64, isFast: Bool) {
        var health = SourceHealth()
        let findings = health.apply(
            Self.approval(tookSeconds: seconds), of: Self.source, under: Self.watching(minimum: 3), at: Self.noon)
        #expect(findings.map(\.code) == (isFast ? [.tooFast] : []))
        #expect(findings.allSatisfy { $0.evidence.contains(Digest(hashing: "record")) })
    }

    @Test func anAnswerWhoseQuestionIsUnknownIsNotJudged() {
        var health = SourceHealth()
        #expect(
            health.apply(Self.approval(), of: Self.source, under: Self.watching(minimum: 3), at: Self.noon).isEmpty)
    }

    @Test func nothingIsBlockedUnlessTheRulesSaySo() {
        for action in [HealthRule.Action.report, .deny] {
            let rule = Self.watching(minimum: 3, action)
            var health = SourceHealth()
            _ = health.apply(Self.approval(tookSeconds: 0), of: Self.source, under: rule, at: Self.noon)
            let obstacle = health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(599))
            if action == .deny {
                #expect(obstacle?.obstacle == .suspect(Self.mina))
                #expect(obstacle?.action == .deny)
            } else {
                #expect(obstacle == nil)
            }
            #expect(health.obstacle(approvers: [Self.jonas], under: rule, at: Self.noon) == nil)
            #expect(health.obstacle(approvers: [Self.mina], under: rule, at: Self.after(600)) == nil)
        }
    }
}

/// What holds whatever happens.
struct SourceHealthPropertyTests {
    private static let source = SourceName("pim")
    private static let start = time("2026-11-20T12:00:00Z")

    private static func rule(_ dice: inout SeededGenerator) -> HealthRule {
        func limit(_ dice: inout SeededGenerator) -> HealthRule.Limit? {
            dice.chance(70)
                ? HealthRule.Limit(
                    count: Int.random(in: 1...6, using: &dice), seconds: Int64.random(in: 1...120, using: &dice),
                    action: dice.pick(HealthRule.Action.allCases)) : nil
        }
        return HealthRule(
            silence: dice.chance(50) ? HealthRule.Silence(maximumSeconds: 30, action: .hold) : nil,
            sourceLimit: limit(&dice), approverLimit: limit(&dice),
            anomalies: dice.chance(70)
                ? HealthRule.Anomalies(
                    seconds: 60, burst: 4, usualAfter: 3, minimumDecisionSeconds: 2,
                    action: dice.pick([.report, .deny])) : nil)
    }

    private static func event(_ dice: inout SeededGenerator, at now: Timestamp) -> HealthEvent {
        let people = (0..<5).map { PersonID("p\($0)") }
        switch Int.random(in: 0..<10, using: &dice) {
        case 0...4:
            return .approved(
                ObservedApproval(
                    approver: dice.pick(people), jobClass: dice.chance(80) ? JobClass("c\(dice.pick([1, 2, 3]))") : nil,
                    askedAt: now.adding(seconds: -Int64.random(in: 0...5, using: &dice)), decidedAt: now,
                    evidence: Digest(hashing: "\(now)")))
        case 5...8: return .issued(dice.subset(people))
        default: return .passed
        }
    }

    @Test(arguments: UInt64(0)..<40) func theSameEventsGiveTheSameStateAndItIsReadBack(_ seed: UInt64) throws {
        func play() throws -> (SourceHealth, [HealthFinding]) {
            var dice = SeededGenerator(seed: seed)
            let rule = Self.rule(&dice)
            var health = SourceHealth()
            var findings: [HealthFinding] = []
            var now = Self.start
            for _ in 0..<120 {
                now = now.adding(seconds: Int64.random(in: 0...9, using: &dice))
                if dice.chance(40) { health.seenAt = now }
                findings += health.apply(Self.event(&dice, at: now), of: Self.source, under: rule, at: now)
                var again = try SourceHealth(decoding: health.encode())
                again.seenAt = health.seenAt
                #expect(again == health)
            }
            return (health, findings)
        }
        let first = try play()
        let second = try play()
        #expect(first.0 == second.0)
        #expect(first.1 == second.1)
        // Receipts are told apart by what they are about, their code and their evidence.
        #expect(Set(first.1).count == first.1.count)
    }

    @Test(arguments: UInt64(0)..<40) func aLimitHoldsForEveryTimeWhereverItBegins(_ seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let seconds = Int64.random(in: 1...100, using: &dice)
        let count = Int.random(in: 1...8, using: &dice)
        let rule = HealthRule(sourceLimit: HealthRule.Limit(count: count, seconds: seconds, action: .hold))
        var health = SourceHealth()
        var issued: [Timestamp] = []
        var now = Self.start
        for _ in 0..<600 {
            now = now.adding(seconds: Int64.random(in: 0...max(1, seconds / 6), using: &dice))
            guard health.obstacle(approvers: [], under: rule, at: now) == nil else { continue }
            _ = health.apply(.issued([]), of: Self.source, under: rule, at: now)
            issued.append(now)
        }
        for begin in issued {
            let within = issued.count { $0 >= begin && $0 < begin.adding(seconds: seconds) }
            #expect(within <= count)
        }
        #expect(issued.count > count, "a limit holds for a time, not for ever")
    }

    @Test(arguments: UInt64(0)..<20) func aFindingOfAKindAboutSomebodyIsRaisedOnceInItsTime(_ seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let rule = HealthRule(
            anomalies: HealthRule.Anomalies(
                seconds: 60, burst: 2, usualAfter: 1, minimumDecisionSeconds: 3, action: .report))
        var health = SourceHealth()
        var last: [String: Timestamp] = [:]
        var now = Self.start
        for _ in 0..<400 {
            now = now.adding(seconds: Int64.random(in: 0...5, using: &dice))
            for finding in health.apply(Self.event(&dice, at: now), of: Self.source, under: rule, at: now) {
                let key = "\(finding.code) \(finding.about)"
                if let before = last[key] { #expect(now.seconds(since: before) >= 60) }
                last[key] = now
            }
        }
        #expect(!last.isEmpty)
    }

    @Test func memoryIsBounded() {
        let rule = HealthRule(
            anomalies: HealthRule.Anomalies(
                seconds: 60, burst: 2, usualAfter: 1, minimumDecisionSeconds: nil, action: .report))
        var health = SourceHealth()
        for index in 0..<2_000 {
            let approval = ObservedApproval(
                approver: PersonID("p\(index % 700)"), jobClass: JobClass("c\(index)"), askedAt: nil, decidedAt: nil,
                evidence: Digest(hashing: "\(index)"))
            _ = health.apply(
                .approved(approval), of: Self.source, under: rule, at: Self.start.adding(seconds: Int64(index)))
        }
        #expect(health.approvers.count == SourceHealth.maximumApprovers)
        #expect(health.approvers.values.allSatisfy { $0.classes.count <= SourceHealth.maximumClasses })
        #expect(health.encode().count < 262_144)
    }

    @Test func whatIsRememberedOfTheLongestNamesReadsBack() throws {
        let rule = HealthRule(
            anomalies: HealthRule.Anomalies(
                seconds: 60, burst: 2, usualAfter: 1, minimumDecisionSeconds: nil, action: .report))
        var health = SourceHealth()
        let long = String(repeating: "\"", count: 1_020)
        for index in 0..<SourceHealth.maximumApprovers * SourceHealth.maximumClasses {
            let approval = ObservedApproval(
                approver: PersonID("\(index / SourceHealth.maximumClasses)\(long)"),
                jobClass: JobClass("\(index)\(long.prefix(124))"), askedAt: nil, decidedAt: nil,
                evidence: Digest(hashing: "\(index)"))
            _ = health.apply(.approved(approval), of: Self.source, under: rule, at: Self.start)
        }
        let stored = health.encode()
        #expect(stored.count > 1 << 20)
        #expect(try SourceHealth(decoding: stored) == health)
    }

    @Test func whatIsNoStoredHealthIsRefused() {
        for text in [
            "x", "{}", #"{"v":2}"#, #"{"v":1,"grants":[1]}"#, #"{"v":1,"grants":[0,0,1]}"#,
            #"{"v":1,"grants":[0,0],"approvers":{"p":{}}}"#,
        ] {
            #expect(throws: StorageError.self) { try SourceHealth(decoding: Array(text.utf8)) }
        }
    }
}
