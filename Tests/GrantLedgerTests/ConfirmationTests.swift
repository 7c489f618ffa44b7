import ClawWire
import DevStack
import GrantLedger
import IssuanceRules
import Postgres
import ReceiptLog
import Testing

/// What the ledger keeps of confirmations: when they are due, how they are left, and who may write.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct ConfirmationTests {
    private static let key = ConfirmationKey(approvalID: ApprovalID("a1"), source: SourceName("entra"))

    private static func approval(_ name: String, outcome: String? = nil) -> StoredApproval {
        StoredApproval(
            approvalID: ApprovalID(name), state: ApprovalState(approvalID: ApprovalID(name)).encode(), subject: nil,
            ticket: nil, usedBy: [], outcome: outcome, closeAt: nil)
    }

    /// Decides under a role: what a sweep or a confirmation writes.
    private static func decide(
        _ ledger: TestLedger, _ lease: RoleLease, _ body: @escaping @Sendable (inout DecideWrite) -> Void
    ) async throws {
        try await ledger.ledger.decide(DecideRead(worker: ledger.worker, fence: .role(lease))) { _ in
            var write = DecideWrite()
            body(&write)
            return (write, ())
        }
    }

    private static func answer(_ text: String) -> ConfirmationAnswer {
        ConfirmationAnswer(
            key: key, state: .confirmed, why: "confirmed", digest: Digest(hashing: text), requestIDs: ["r1", "r2"],
            askedAt: Timestamp(seconds: 1_780_000_000), answeredAt: Timestamp(seconds: 1_780_000_001))
    }

    @Test func whatIsWantedIsDueUntilItIsSettled() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger
        let lease = try #require(try await ledger.ledger.claim(role: .confirmer, for: ledger.worker))
        try await Self.decide(ledger, lease) { write in
            write.newApprovals = [Self.approval("a1")]
            write.wantedConfirmations = [Self.key]
        }
        let due = try #require(try await ledger.ledger.dueConfirmations(limit: 10).first)
        #expect(due.key == Self.key && due.state == .waiting && due.attempts == 0 && due.answerDigest == nil)
        #expect(!due.isApprovalClosed && due.wantedAt <= due.now)
        #expect(try await ledger.ledger.waitingConfirmations() == 1)

        try await ledger.ledger.delayConfirmations(
            [ConfirmationDelay(key: Self.key, wait: .seconds(600), why: "not_active", isAttempt: true)], under: lease)
        #expect(try await ledger.ledger.dueConfirmations(limit: 10).isEmpty)
        // The source says more: it is asked about at once.
        try await Self.decide(ledger, lease) { $0.wantedConfirmations = [Self.key] }
        #expect(try await ledger.ledger.dueConfirmations(limit: 10).map(\.attempts) == [0])

        let numbers = try await ledger.ledger.recordAnswers([Self.answer("x"), Self.answer("y")], under: lease)
        #expect(numbers.count == 2 && numbers[0] < numbers[1])
        let digest = Digest(hashing: "x")
        try await Self.decide(ledger, lease) { write in
            write.changedApprovals = [Self.approval("a1")]
            write.settledConfirmations = [
                ConfirmationOutcome(
                    key: Self.key, state: .confirmed, why: "confirmed", digest: digest, dueAt: Timestamp(seconds: 1))
            ]
        }
        let again = try #require(try await ledger.ledger.dueConfirmations(limit: 10).first)
        #expect(again.state == .confirmed && again.answerDigest == digest)
        #expect(try await ledger.ledger.waitingConfirmations() == 0)
    }

    @Test func whatWasRefutedStaysRefuted() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger
        let lease = try #require(try await ledger.ledger.claim(role: .confirmer, for: ledger.worker))
        let finding = UsageFinding(
            .approvalContradicted, "principal_differs", about: "approval:a1", evidence: [Digest(hashing: "x")])
        try await Self.decide(ledger, lease) { write in
            write.newApprovals = [Self.approval("a1"), Self.approval("a2", outcome: "denied")]
            write.wantedConfirmations = [
                Self.key, ConfirmationKey(approvalID: ApprovalID("a2"), source: SourceName("entra")),
            ]
        }
        #expect(
            try await ledger.ledger.dueConfirmations(limit: 10).map(\.isApprovalClosed).sorted { !$0 && $1 } == [
                false, true,
            ])
        for _ in 0..<2 {
            try await Self.decide(ledger, lease) { write in
                write.settledConfirmations = [
                    ConfirmationOutcome(
                        key: Self.key, state: .contradicted, why: "principal_differs", digest: Digest(hashing: "x"),
                        dueAt: nil)
                ]
                write.findings = [finding]
            }
        }
        try await Self.decide(ledger, lease) { $0.wantedConfirmations = [Self.key] }
        #expect(try await ledger.ledger.dueConfirmations(limit: 10).map(\.key.approvalID.rawValue) == ["a2"])
        // What is put off without an end is over, until its source says more.
        let other = ConfirmationKey(approvalID: ApprovalID("a2"), source: SourceName("entra"))
        try await ledger.ledger.delayConfirmations(
            [ConfirmationDelay(key: other, wait: nil, why: "approval_closed", isAttempt: false)], under: lease)
        #expect(try await ledger.ledger.dueConfirmations(limit: 10).isEmpty)
        try await Self.decide(ledger, lease) { $0.wantedConfirmations = [other] }
        #expect(try await ledger.ledger.dueConfirmations(limit: 10).map(\.state) == [.waiting])
    }

    @Test func onlyTheHolderOfTheRoleWrites() async throws {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger
        let lease = try #require(try await ledger.ledger.claim(role: .confirmer, for: ledger.worker))
        let stale = RoleLease(role: lease.role, owner: WorkerID("someone"), epoch: lease.epoch)
        await #expect { try await ledger.ledger.recordAnswers([Self.answer("x")], under: stale) } throws: {
            ($0 as? LedgerError)?.code == .fenced
        }
        await #expect {
            try await ledger.ledger.delayConfirmations(
                [ConfirmationDelay(key: Self.key, wait: nil, why: "x", isAttempt: false)], under: stale)
        } throws: {
            ($0 as? LedgerError)?.code == .fenced
        }
    }
}
