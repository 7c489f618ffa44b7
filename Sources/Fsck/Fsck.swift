public import Kafka
public import Postgres

/// A second reader of everything a Clawgrant leaves behind. It shares no evidence code with the worker: hashing,
/// headers, proofs and receipts are read by docs/receipts.md anew.
public enum Fsck {
    /// Checks a dump.
    ///
    /// What the plan leaves open is taken from the dump's manifest.
    ///
    /// - Throws: ``FsckError`` when the dump cannot be read; what is wrong in it is in the report.
    public static func check(directory: String, _ plan: FsckPlan) async throws -> FsckReport {
        let source = try DumpSource(directory: directory)
        let manifest = source.manifest
        var plan = plan
        plan.logID = plan.logID ?? manifest.logID
        plan.isSettled = plan.isSettled || manifest.isSettled
        plan.streams = manifest.topics.map {
            FsckPlan.Stream(name: $0.stream, topic: $0.name, isCompacted: $0.isCompacted)
        }
        var note: String?
        if plan.logKeys.isEmpty {
            plan.logKeys = manifest.logKeys
            note = "who holds the log's keys: they are the dump's own (give --log-key)"
        }
        if plan.tokenKeys.isEmpty { plan.tokenKeys = manifest.tokenKeys }
        return try await run(plan, source, ledger: nil, note: note)
    }

    /// Checks the topics of a broker, and with a database the ledger against them.
    ///
    /// - Throws: when topics or ledger cannot be read; what is wrong in them is in the report.
    public static func check(
        kafka: KafkaConfiguration, database: PostgresConfiguration?, _ plan: FsckPlan
    ) async throws -> FsckReport {
        let source = KafkaSource(kafka)
        var plan = plan
        plan.streams = try await source.described(plan.streams)
        guard let database else { return try await run(plan, source, ledger: nil) }
        let connection = try await PostgresConnection.connect(database)
        do {
            let report = try await run(plan, source, ledger: PostgresLedgerSource(connection))
            await connection.close()
            return report
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Writes the plan's topics into a new directory.
    ///
    /// - Returns: the number of records.
    /// - Throws: when topics cannot be read or the directory cannot be written.
    public static func dump(kafka: KafkaConfiguration, to directory: String, _ plan: FsckPlan) async throws -> Int64 {
        let source = KafkaSource(kafka)
        var plan = plan
        plan.streams = try await source.described(plan.streams)
        return try await DumpWriter(directory: directory).write(plan, from: source)
    }

    /// Runs every audit.
    static func run(
        _ plan: FsckPlan, _ source: any TopicSource, ledger: (any LedgerSource)?, note: String? = nil
    ) async throws -> FsckReport {
        let book = FindingBook(maximumPerCode: plan.maximumPerCode)
        if let note { book.note(note) }
        guard let batchStream = plan.streams.firstIndex(where: { $0.name == "receipts.batches" }) else {
            throw FsckError("no topic of the stream receipts.batches is named")
        }
        guard !plan.logKeys.isEmpty else { throw FsckError("no key of the log is known; give --log-key") }
        let directory = try WorkDirectory(in: plan.workDirectory)
        let positions = PositionAudit(plan, book, directory)
        let uniques = UniqueAudit(plan, book, directory)
        let effects = EffectAudit(plan, book, directory)
        let stops = StopAudit(plan, book, directory)
        let hasLedger = ledger != nil && !plan.isHashOnly
        let outcomes = hasLedger ? LedgerOutcomes(plan, book, directory) : nil
        let spool = hasLedger ? BatchSpool(plan, book, directory) : nil
        let receipts =
            plan.isHashOnly
            ? nil
            : ReceiptAudit(plan, book, uniques: uniques, effects: effects, stops: stops, outcomes: outcomes)
        let topic = plan.streams[batchStream].topic
        let log = BatchAudit(plan, book, topic: topic, receipts: receipts, spool: spool)

        if try await source.beginnings(of: topic).values.contains(where: { $0 > 0 }) {
            log.beginsLate()
            positions.begins(late: batchStream)
        }
        try await source.read(topic) { record in
            guard let place = number(record, plan.streams[batchStream], plan, book) else { return }
            if plan.isWholeLog {
                try positions.take(record, stream: batchStream, sequence: place.sequence, batch: place.batch)
            }
            try log.take(record, sequence: place.sequence)
        }
        book.report.checked.insert(.receipts)
        if plan.isWholeLog { book.report.checked.insert(.densePositions) }
        if plan.isHashOnly {
            try positions.finish(isWhole: log.isWhole)
            book.note("everything but the log's hashes, chain and signatures: --hash-only")
            return book.report
        }

        effects.batches = log.batches
        let records = RecordAudit(plan, book, effects: effects, ledger: outcomes)
        for (index, stream) in plan.streams.enumerated() where index != batchStream {
            try await read(stream, index, plan, book, source, positions, records, log)
        }
        try positions.finish(isWhole: log.isWhole && plan.isWholeLog)
        try uniques.finish(isWhole: log.isWhole && plan.isWholeLog)
        try effects.finish(lastBatch: log.last, streams: Set(plan.streams.map(\.name)))
        try stops.finish(isWhole: log.isWhole && plan.isWholeLog)
        book.report.checked = Set(Finding.Property.allCases)
        if let ledger, let outcomes, let spool {
            try await LedgerAudit(plan, book, ledger, outcomes, spool, batches: log.batches).run()
        } else {
            book.note("the ledger, and tokens made again from its claims: --ledger")
        }
        explain(plan, book)
        return book.report
    }

    private static func read(
        _ stream: FsckPlan.Stream, _ index: Int, _ plan: FsckPlan, _ book: FindingBook, _ source: any TopicSource,
        _ positions: PositionAudit, _ audit: RecordAudit, _ log: BatchAudit
    ) async throws {
        if try await source.beginnings(of: stream.topic).values.contains(where: { $0 > 0 }) {
            positions.begins(late: index)
            book.note("old records of \(stream.name), which are gone from the topic")
        }
        try await source.read(stream.topic) { record in
            if stream.name == "revocations", record.header("claw_stream") == "revocations.head" {
                book.report.counts.records += 1
                audit.take(head: record, topic: stream.topic)
                return
            }
            guard let place = number(record, stream, plan, book) else { return }
            if !plan.isWholeLog, let batches = log.batches, !batches.contains(place.batch) { return }
            try positions.take(record, stream: index, sequence: place.sequence, batch: place.batch)
            try audit.take(record, stream: index, sequence: place.sequence, batch: place.batch)
        }
    }

    /// The position that a record's headers state.
    private static func number(
        _ record: FsckRecord, _ stream: FsckPlan.Stream, _ plan: FsckPlan, _ book: FindingBook
    ) -> (sequence: Int64, batch: Int64)? {
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

    private static func explain(_ plan: FsckPlan, _ book: FindingBook) {
        if plan.tokenKeys.isEmpty { book.note("whether the keys that signed tokens are ours: --token-key") }
        if plan.tokenIDSecret == nil { book.note("whether jti follow from their requests: needs the token-id secret") }
        if plan.rules.isEmpty { book.note("grants against the issuance rules: --rules") }
        if !plan.isWholeLog { book.note("what lies outside of the positions that were asked for") }
    }
}
