/// One pass of every audit over the records of a plan's streams: first all batches, then the records of each other
/// stream, each partition in its order.
final class FsckPass {
    let book: FindingBook
    /// The stream of batches.
    let batchStream: Int

    private let plan: FsckPlan
    private let positions: PositionAudit
    private let uniques: UniqueAudit
    private let effects: EffectAudit
    private let stops: StopAudit
    private let keys: KeyAudit
    private let outcomes: LedgerOutcomes?
    private let spool: BatchSpool?
    private let log: BatchAudit
    private let records: RecordAudit

    /// Makes a pass.
    ///
    /// - Throws: ``FsckError`` when the plan names no batches or no key, or there is no room for sorted runs.
    init(_ plan: FsckPlan, hasLedger: Bool) throws {
        guard let batchStream = plan.streams.firstIndex(where: { $0.name == "receipts.batches" }) else {
            throw FsckError("no topic of the stream receipts.batches is named")
        }
        guard !plan.logKeys.isEmpty else { throw FsckError("no key of the log is known; give --log-key") }
        let directory = try WorkDirectory(in: plan.workDirectory)
        let readsLedger = hasLedger && !plan.isHashOnly
        self.plan = plan
        self.batchStream = batchStream
        book = FindingBook(maximumPerCode: plan.maximumPerCode)
        positions = PositionAudit(plan, book, directory)
        uniques = UniqueAudit(plan, book, directory)
        effects = EffectAudit(plan, book, directory)
        stops = StopAudit(plan, book, directory)
        keys = KeyAudit(plan, book)
        outcomes = readsLedger ? LedgerOutcomes(plan, book, directory) : nil
        spool = readsLedger ? BatchSpool(plan, book, directory) : nil
        let receipts =
            plan.isHashOnly
            ? nil
            : ReceiptAudit(plan, book, uniques: uniques, effects: effects, stops: stops, keys: keys, outcomes: outcomes)
        log = BatchAudit(
            plan, book, topic: plan.streams[batchStream].topic, receipts: receipts, keys: keys, spool: spool)
        records = RecordAudit(plan, book, effects: effects, ledger: outcomes)
    }

    /// True when everything from the first receipt of the log on was looked at.
    private var isWhole: Bool { log.isWhole && plan.isWholeLog }

    /// Says that the oldest records of a stream's topic are gone.
    func begins(late stream: Int) {
        positions.begins(late: stream)
        if stream == batchStream {
            log.beginsLate()
        } else {
            book.note("old records of \(plan.streams[stream].name), which are gone from the topic")
        }
    }

    /// Takes a record of the topic of batches.
    func take(batch record: FsckRecord) throws {
        guard let place = number(record, plan.streams[batchStream]) else { return }
        if plan.isWholeLog {
            try positions.take(record, stream: batchStream, sequence: place.sequence, batch: place.batch)
        }
        try log.take(record, sequence: place.sequence)
    }

    /// Ends the batches.
    ///
    /// - Returns: false when nothing else is to be read.
    func endBatches() throws -> Bool {
        book.report.checked.insert(.receipts)
        if plan.isWholeLog { book.report.checked.insert(.densePositions) }
        effects.batches = log.batches
        guard plan.isHashOnly else { return true }
        try positions.finish(isWhole: log.isWhole)
        book.note("everything but the log's hashes, chain and signatures: --hash-only")
        return false
    }

    /// Takes a record of another stream.
    func take(_ record: FsckRecord, stream index: Int) throws {
        let stream = plan.streams[index]
        if stream.name == "revocations", record.header("claw_stream") == "revocations.head" {
            book.report.counts.records += 1
            records.take(head: record, topic: stream.topic)
            return
        }
        guard let place = number(record, stream) else { return }
        if !plan.isWholeLog, let batches = log.batches, !batches.contains(place.batch) { return }
        try positions.take(record, stream: index, sequence: place.sequence, batch: place.batch)
        try records.take(record, stream: index, sequence: place.sequence, batch: place.batch)
    }

    /// Compares what was far apart, once every stream was read.
    func finish() throws {
        records.finish(beganAt: log.beganAt, sealedAt: log.sealedAt)
        try positions.finish(isWhole: isWhole)
        try uniques.finish(isWhole: isWhole)
        try effects.finish(lastBatch: log.last, streams: Set(plan.streams.map(\.name)))
        try stops.finish(isWhole: isWhole)
        keys.finish(isWhole: isWhole, lastBatch: log.last)
        book.report.checked = Set(Finding.Property.allCases)
    }

    /// Holds the ledger against what was read, and says what was not checked.
    func compare(with ledger: (any LedgerSource)?) async throws {
        if let ledger, let outcomes, let spool {
            try await LedgerAudit(
                plan, book, ledger, outcomes, spool, events: stops.events, batches: log.batches, isWhole: isWhole
            ).run()
        } else {
            book.note("the ledger, and tokens made again from its claims: --ledger")
        }
        if plan.tokenKeys.isEmpty { book.note("whether the keys that signed tokens are ours: --token-key") }
        if plan.tokenIDSecret == nil { book.note("whether jti follow from their requests: needs the token-id secret") }
        if plan.rules.isEmpty { book.note("grants against the issuance rules: --rules") }
        if !plan.isWholeLog { book.note("what lies outside of the positions that were asked for") }
    }

    /// The position that a record's headers state.
    private func number(_ record: FsckRecord, _ stream: FsckPlan.Stream) -> (sequence: Int64, batch: Int64)? {
        book.report.counts.records += 1
        let place = Place.record(stream.topic, record.partition, record.offset)
        guard let name = record.header("claw_stream"), let sequence = record.count("claw_seq"),
            let batch = record.count("claw_batch")
        else {
            book.add(.recordUnnumbered, at: place, "the record has no claw_stream, claw_seq and claw_batch")
            return nil
        }
        guard name == stream.name else {
            book.add(.recordWrongStream, at: place, "the record is of the stream \(Place.quoted(name))")
            return nil
        }
        if let logID = plan.logID, let id = record.header("ce_id"), id != "\(logID)/\(name)/\(sequence)" {
            book.add(.recordIdentity, at: place, "ce_id \(Place.quoted(id)) is not log, stream and position")
        }
        return (sequence, batch)
    }
}
