import ClawWire
import GrantLedger
import IssuanceRules
import Kafka
import Primitives
import ReceiptLog

/// Reads dead letters of the topic of gateway receipts again: verified by the keys of now, bound and counted like any
/// receipt, in one transaction with the dead letter's state and its receipt. A call that was counted meanwhile is a
/// repeat.
struct GatewayRedrive: Sendable {
    private let ledger: any UsageLedger
    private let topic: String
    private let reader: GatewayReceiptReader
    private let planner: UsagePlanner

    init(ledger: any UsageLedger, topic: String, rules: RuleSet, worker: WorkerID) {
        self.ledger = ledger
        self.topic = topic
        reader = GatewayReceiptReader(rules.gateways)
        planner = UsagePlanner(rules: rules, worker: worker)
    }

    /// What a record is, read under the rules of now.
    static func trial(_ record: ConsumedRecord, _ rules: RuleSet) -> RedriveTrial.Verdict {
        let batch = GatewayReceiptReader(rules.gateways).readAgain(record)
        if let refused = batch.refused.first { return .refused(code: refused.code, detail: refused.detail) }
        return batch.accepted.isEmpty ? .ignored(["tombstone"]) : .understood(["gateway.receipt"])
    }

    /// Redrives one dead letter.
    ///
    /// - Returns: what it came to; `nil` when the redrive was not wanted any more.
    func redrive(
        _ letter: StoredDeadLetter, _ record: ConsumedRecord, _ lease: RoleLease
    ) async throws -> Receipt.DeadLetterAction.Outcome? {
        let batch = reader.readAgain(record)
        var read = UsageRead(
            lease: lease, topic: topic, advances: [], calls: batch.calls, findingKeys: batch.repeatableFindings)
        read.redrive = letter.origin
        let planner = planner
        let outcome = Lock<Receipt.DeadLetterAction.Outcome?>(nil)
        do {
            try await ledger.recordUsage(
                read, revoking: { planner.judge(batch, $0).revokedJobs },
                plan: { snapshot, moment in
                    guard moment.redrive != nil else { throw RedriveOver() }
                    let write = try planner.plan(batch, snapshot, moment).write
                    outcome.withLock { $0 = write.redriven?.outcome }
                    return write
                })
        } catch is RedriveOver {
            return nil
        }
        return outcome.withLock { $0 }
    }
}
