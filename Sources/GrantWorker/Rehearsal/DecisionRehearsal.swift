import ApprovalSources
package import ClawWire
import GrantLedger
package import IssuanceRules
package import Kafka
import ReceiptLog

/// What a worker does between its two sockets, in a row and on one thread: records to facts, facts to decisions, decisions
/// to rows, rows to sealed batches, batches to published records. There is no broker and no ledger: every event is new, and
/// nothing is known but the records of the call. It is for counting what a decision costs.
package struct DecisionRehearsal {
    private let reader: BatchReader
    private let planner: DecisionPlanner
    private let sealer: BatchSealer
    private let renderer: BatchRenderer
    private var signatures = BatchSignatureCache(capacity: 4_096)
    private var tail: [UInt8]?
    private var nextSequence = OutputStream.allCases.map { _ in Int64(0) }
    private var nextGroup: Int64 = 1

    /// Wires the parts as a worker does.
    package init(
        rules: RuleSet, policies: [Digest: IssuancePolicy], logID: LogID, tokenKey: any Ed25519Signer,
        logKey: any Ed25519Signer, tokenIDSecret: TokenIDSecret, sealingSecret: SealingSecret
    ) {
        let worker = WorkerID("rehearsal")
        let kept = KeptTokens()
        kept.open()
        reader = BatchReader(sources: SourceConfiguration.byTopic(rules), limits: EventAgeLimits(), worker: worker)
        var available: [Digest: WPCAvailability] = [:]
        for (hash, policy) in policies { available[hash] = .available(policy, hash: hash) }
        planner = DecisionPlanner(
            rules: rules, policies: available, minter: CSTMinter(signer: tokenKey), tokenIDSecret: tokenIDSecret,
            keyValidUntil: nil, worker: worker, isDryRun: false, stopViewMaximumAgeSeconds: 60, kept: kept)
        sealer = BatchSealer(logID: logID, signer: logKey)
        renderer = BatchRenderer(
            logID: logID, topics: WorkerConfiguration.OutputTopics(),
            logKeys: [logKey.publicKey], minters: [tokenKey.publicKey.kid: CSTMinter(signer: tokenKey)],
            sealingSecret: sealingSecret, kept: kept)
    }

    /// What records came to.
    package struct Outcome {
        /// Tokens.
        package var issued = 0
        /// Bytes that the ledger would be sent.
        package var rowBytes = 0
        /// What would be published.
        package var published: [ProducerRecord] = []
    }

    /// Decides, seals and renders the records of one batch.
    ///
    /// - Throws: what planning, sealing and rendering throw.
    package mutating func run(_ records: [ConsumedRecord], at now: Timestamp) throws -> Outcome {
        let batch = reader.read(records.map { SourceRecord($0) }, fence: .offsets([]), at: now, signatures: &signatures)
        var outcome = Outcome()
        outcome.rowBytes += PostgresLedger.rehearse(batch.read)
        let snapshot = DecideSnapshot(
            now: now, controlPosition: 0, newControlOrders: [], controlPolledAt: now,
            newEvents: Set(batch.read.events.indices), conflictingEvents: [], approvals: [:], requests: [:])
        let (write, summary) = try planner.plan(
            batch, due: DueWork(requests: [], approvals: []), snapshot: snapshot, control: .none)
        outcome.issued = summary.issued
        let written = try PostgresLedger.rehearse(write, by: planner.worker, at: now, nextGroup: nextGroup)
        outcome.rowBytes += written.bytes
        nextGroup += Int64(written.groups.count)
        let batches = try sealer.seal(
            SealInput(tail: tail, nextSequence: nextSequence, groups: written.groups, now: now, incarnation: nil))
        for batch in batches {
            outcome.published += try renderer.render(batch).map(\.record)
            tail = batch.tail
            nextSequence = batch.nextSequence
        }
        return outcome
    }
}
