public import ClawWire
import Postgres
public import ReceiptLog

extension PostgresLedger: DeadLetterLedger {
    /// See ``DeadLetterLedger/deadLetters(matching:limit:)``.
    public func deadLetters(
        matching filter: DeadLetterFilter, limit: Int64
    ) async throws(LedgerError) -> [StoredDeadLetter] {
        var row = Parameters()
        row.append(filter.source?.rawValue)
        row.append(filter.code)
        row.append(filter.topic)
        row.append(filter.partition)
        row.append(filter.fromOffset)
        row.append(filter.toOffset)
        row.append(filter.since?.postgres)
        row.append(filter.until?.postgres)
        row.append(filter.state?.rawValue)
        row.append(limit)
        return try await read("reading the dead letters", .execute(DeadLetterStatements.list, row))
    }

    /// See ``DeadLetterLedger/deadLetters(at:)``.
    public func deadLetters(at origins: [RecordOrigin]) async throws(LedgerError) -> [StoredDeadLetter] {
        try await read(
            "reading \(origins.count) dead letters", .execute(DeadLetterStatements.byKeys, Self.keys(origins)))
    }

    private func read(_ what: String, _ step: PipelineStep) async throws(LedgerError) -> [StoredDeadLetter] {
        let rows = try await run(what, [step])[0]
        do {
            return try (0..<rows.rowCount).map { try StoredRows.deadLetter(rows, $0) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    static func key(_ origin: RecordOrigin) -> Parameters {
        Parameters(origin.topic, origin.partition, origin.offset)
    }

    private static func keys(_ origins: [RecordOrigin]) -> Parameters {
        var keys = Parameters()
        keys.append(column: origins) { $0.topic }
        keys.append(column: origins) { $0.partition }
        keys.append(column: origins) { $0.offset }
        return keys
    }

    /// See ``DeadLetterLedger/deadLetter(at:)``.
    public func deadLetter(at origin: RecordOrigin) async throws(LedgerError) -> DeadLetterStory? {
        let what = "reading the dead letter \(origin)"
        do {
            return try await pool.withConnection { connection in
                let rows = try await connection.execute(DeadLetterStatements.show, Self.key(origin))
                guard rows.rowCount == 1 else { return nil }
                let groupID = try rows.int64(0, 16)
                let index = Int(try rows.int32(0, 17))
                var group = Parameters()
                group.append(array: [try rows.int32(0, 15)])
                group.append(array: [groupID])
                let effects = try Self.groups(try await connection.execute(SealStatements.groups, group)).first?.effects
                let output = effects.flatMap { $0.indices.contains(index) ? $0[index].outputs.first : nil }
                let batch = try await connection.execute(QueryStatements.batchOfGroup, Parameters(groupID))
                return DeadLetterStory(
                    letter: try StoredRows.deadLetter(rows, 0),
                    record: try output.map { try DeadLetterRecord(parsing: $0.value) },
                    batchNumber: batch.rowCount == 1 ? try batch.int64(0, 0) : nil)
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``DeadLetterLedger/requestRedrive(of:by:maximumHops:)``.
    public func requestRedrive(
        of origins: [RecordOrigin], by person: String, maximumHops: Int64
    ) async throws(LedgerError) -> [RecordOrigin: RedriveAnswer] {
        let what = "asking for \(origins.count) records to be read again"
        // In one order, so that two who ask never wait for each other in a ring.
        let sorted = origins.sorted { ($0.topic, $0.partition, $0.offset) < ($1.topic, $1.partition, $1.offset) }
        var asked = Self.keys(sorted)
        asked.append(person)
        asked.append(Int32(clamping: maximumHops))
        let results = try await run(
            what,
            [
                .execute(DeadLetterStatements.request, asked),
                .execute(DeadLetterStatements.byKeys, Self.keys(sorted)),
            ])
        do {
            var answers = Dictionary(sorted.map { ($0, RedriveAnswer.unknown) }) { first, _ in first }
            for row in 0..<results[1].rowCount {
                let letter = try StoredRows.deadLetter(results[1], row)
                answers[letter.origin] =
                    if letter.state != .open {
                        .closed(letter.state, letter.outcome)
                    } else if letter.request != nil {
                        .waiting
                    } else {
                        .tooManyHops(letter.hops)
                    }
            }
            for row in 0..<results[0].rowCount { answers[try StoredRows.origin(results[0], row)] = .accepted }
            return answers
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``DeadLetterLedger/wantedRedrives(limit:)``.
    public func wantedRedrives(limit: Int64) async throws(LedgerError) -> [StoredDeadLetter] {
        try await read("looking for redrives", .execute(DeadLetterStatements.wanted, Parameters(limit)))
    }

    /// See ``DeadLetterLedger/loseRedrive(of:under:code:detail:effect:)``.
    public func loseRedrive(
        of origin: RecordOrigin, under lease: RoleLease, code: String, detail: String,
        effect: @Sendable (StoredDeadLetter, Timestamp) throws -> Effect
    ) async throws(LedgerError) -> Bool {
        let what = "recording that \(origin) is gone"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let results = try await transaction.run(
                        Self.redriveSteps(RedriveFence(lease: lease, origin: origin), .lockWanted))
                    try Self.checkFence(results[0], lease)
                    guard results[1].rowCount == 1 else { return false }
                    let write = RedriveWrite(origin: origin, outcome: .lost, refusal: (code, detail))
                    try await self.settle(results[1], write, by: lease.owner, effect, in: transaction)
                    return true
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``DeadLetterLedger/discard(_:by:effect:)``.
    public func discard(
        _ origin: RecordOrigin, by worker: WorkerID,
        effect: @Sendable (StoredDeadLetter, Timestamp) throws -> Effect
    ) async throws(LedgerError) -> DiscardAnswer {
        let what = "giving up the dead letter \(origin)"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let rows = try await transaction.execute(DeadLetterStatements.lock, Self.key(origin))
                    guard rows.rowCount == 1 else { return .unknown }
                    let letter = try StoredRows.deadLetter(rows, 0)
                    guard letter.state == .open else { return .closed(letter.state, letter.outcome) }
                    let write = RedriveWrite(origin: origin, outcome: .discarded)
                    try await self.settle(rows, write, by: worker, effect, in: transaction)
                    return .discarded
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// Writes what became of a locked dead letter, with its receipt, and commits.
    private func settle(
        _ rows: PostgresResult, _ write: RedriveWrite, by worker: WorkerID,
        _ effect: (StoredDeadLetter, Timestamp) throws -> Effect, in transaction: Transaction
    ) async throws {
        let now = try rows.timestampValue(0, 15)
        let made = try effect(try StoredRows.deadLetter(rows, 0), now)
        let ids = try await takeGroupIDs(1, in: transaction)
        _ = try await transaction.commit(
            with: [Self.settleStep(write, now: now)]
                + Self.groupSteps([made], [0..<1], ids, worker: worker, now: now))
    }

    /// Writes what became of a dead letter's record.
    static func settleStep(_ write: RedriveWrite, now: Timestamp) -> PipelineStep {
        let state: StoredDeadLetter.State =
            write.outcome == .discarded ? .discarded : write.outcome.isFinal ? .redriven : .open
        var row = key(write.origin)
        row.append(state.rawValue)
        row.append(Int32(write.outcome == .discarded ? 0 : 1))
        row.append(write.outcome.rawValue)
        row.append(write.refusal.map { storable($0.code) })
        row.append(write.refusal.map { storable($0.detail) })
        row.append(now.postgres)
        return .execute(DeadLetterStatements.settle, row)
    }

    /// The database's text holds everything but NUL.
    private static func storable(_ text: String) -> String {
        text.unicodeScalars.contains("\0") ? text.replacing("\0", with: "\u{FFFD}") : text
    }

    /// See ``DeadLetterLedger/openDeadLetters()``.
    public func openDeadLetters() async throws(LedgerError) -> [SourceName: Int64] {
        let what = "counting the dead letters"
        let rows = try await run(what, [.execute(DeadLetterStatements.open)])[0]
        do {
            var counts: [SourceName: Int64] = [:]
            for row in 0..<rows.rowCount { counts[SourceName(try rows.string(row, 0))] = try rows.int64(row, 1) }
            return counts
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``DeadLetterLedger/pruneDeadLetters(olderThan:limit:)``.
    public func pruneDeadLetters(olderThan age: Duration, limit: Int64) async throws(LedgerError) -> Int {
        try await run(
            "taking old dead letters away",
            [.execute(DeadLetterStatements.prune, Parameters(Int64(age / .seconds(1)), limit))])[0].affectedRows
    }

    // MARK: Redrives in other transactions than decisions

    /// How a dead letter is locked.
    enum RedriveLock {
        /// Waiting for whoever has it.
        case lockWanted
        /// Not at all, where somebody has it.
        case lockFreeWanted
    }

    /// The role's fence, and the dead letter under a lock.
    static func redriveSteps(_ redrive: RedriveFence, _ lock: RedriveLock) -> [PipelineStep] {
        let lease = redrive.lease
        let statement =
            switch lock {
            case .lockWanted: DeadLetterStatements.lockWanted
            case .lockFreeWanted: DeadLetterStatements.lockFreeWanted
            }
        return [
            .execute(
                DecideStatements.fenceRole,
                Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value)),
            .execute(statement, key(redrive.origin)),
        ]
    }

    static func checkFence(_ fence: PostgresResult, _ lease: RoleLease) throws(LedgerError) {
        guard fence.rowCount == 1 else {
            throw LedgerError(
                .fenced, "the role \(lease.role.rawValue) is held by another worker; nothing committed")
        }
    }

    // MARK: Setting aside

    /// The rows of the dead letters among effects; `nil` when there is none.
    ///
    /// Every way to the dead letters ends in a group of effects, so that none can be forgotten.
    static func deadLetterStep(
        _ effects: [Effect], _ ranges: [Range<Int>], _ ids: [Int64], now: Timestamp
    ) -> PipelineStep? {
        let kind = Receipt.Kind.decisionQuarantined.rawValue
        guard effects.contains(where: { $0.receiptKind == kind }) else { return nil }
        var letters: [(receipt: Receipt, quarantine: Receipt.Quarantine, group: Int64, index: Int32)] = []
        for (id, range) in zip(ids, ranges) {
            for index in range where effects[index].receiptKind == kind {
                guard let receipt = try? Receipt(parsing: effects[index].receipt),
                    case .decisionQuarantined(let quarantine) = receipt.content
                else { continue }
                letters.append((receipt, quarantine, id, Int32(index - range.lowerBound)))
            }
        }
        // In index order, so that two workers never wait for each other in a ring.
        letters.sort {
            let (a, b) = ($0.quarantine.origin, $1.quarantine.origin)
            return (a.topic, a.partition, a.offset) < (b.topic, b.partition, b.offset)
        }
        var rows = keys(letters.map(\.quarantine.origin))
        rows.append(column: letters) { $0.receipt.provenance.inputs.first?.source?.rawValue ?? "" }
        rows.append(column: letters) { storable($0.receipt.reasons.first?.code ?? "") }
        rows.append(column: letters) { $0.quarantine.valueDigest.bytes }
        rows.append(column: letters) { Int64($0.quarantine.valueBytes) }
        rows.append(column: letters) { $0.group }
        rows.append(column: letters) { $0.index }
        rows.append(now.postgres)
        rows.append(now.day)
        return .execute(DeadLetterStatements.insert, rows)
    }
}

extension StoredRows {
    static func origin(_ result: PostgresResult, _ row: Int) throws(PostgresError) -> RecordOrigin {
        RecordOrigin(
            topic: try result.string(row, 0), partition: try result.int32(row, 1), offset: try result.int64(row, 2))
    }

    static func deadLetter(_ result: PostgresResult, _ row: Int) throws -> StoredDeadLetter {
        let origin = try origin(result, row)
        guard let state = StoredDeadLetter.State(rawValue: Int16(clamping: try result.int64(row, 9))) else {
            throw PostgresLedger.corrupted("the state of the dead letter \(origin)")
        }
        let requestedBy: String? = try result.optional(row, 12)
        return StoredDeadLetter(
            origin: origin, source: SourceName(try result.string(row, 3)), code: try result.string(row, 4),
            detail: try result.optional(row, 5), valueDigest: try result.digest(row, 6),
            valueBytes: try result.int64(row, 7), setAsideAt: try result.timestampValue(row, 8), state: state,
            hops: try result.int64(row, 10),
            request: try result.optionalTimestamp(row, 11).map {
                StoredDeadLetter.Request(at: $0, by: requestedBy ?? "")
            },
            triedAt: try result.optionalTimestamp(row, 13),
            outcome: try result.optional(row, 14, as: String.self).flatMap {
                Receipt.DeadLetterAction.Outcome(rawValue: $0)
            })
    }
}
