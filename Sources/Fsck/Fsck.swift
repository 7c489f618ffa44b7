public import Kafka
public import Postgres

/// A second reader of everything a Clawgrant leaves behind. It shares no evidence code with the worker: hashing,
/// headers, proofs and receipts are read by docs/receipts.md anew.
public enum Fsck {
    /// Checks a dump, and the rows of the ledger in it if asked to.
    ///
    /// What the plan leaves open is taken from the dump's manifest.
    ///
    /// - Throws: ``FsckError`` when the dump cannot be read or has no ledger; what is wrong in it is in the report.
    public static func check(
        directory: String, _ plan: FsckPlan, readsLedger: Bool = false
    ) async throws -> FsckReport {
        let source = try DumpSource(directory: directory)
        let manifest = source.manifest
        var plan = plan
        plan.logID = plan.logID ?? manifest.logID
        plan.isSettled = plan.isSettled || manifest.isSettled
        plan.streams = manifest.topics.map {
            FsckPlan.Stream(name: $0.stream, topic: $0.name, isCompacted: $0.isCompacted)
        }
        var notes: [String] = []
        if plan.logKeys.isEmpty {
            plan.logKeys = manifest.logKeys
            notes.append("who holds the log's keys: they are the dump's own (give --log-key)")
        }
        if plan.tokenKeys.isEmpty { plan.tokenKeys = manifest.tokenKeys }
        if plan.rules.isEmpty, !manifest.rules.isEmpty {
            plan.rules = manifest.rules
            notes.append("whether the rules were those: they are the dump's own (give --rules)")
        }
        if plan.policies.isEmpty, !manifest.policies.isEmpty {
            plan.policies = manifest.policies
            notes.append("what the WPCs say: it is the dump's own word (give --policies)")
        }
        var ledger: DumpedLedger?
        if readsLedger {
            guard let summary = manifest.ledger else {
                throw FsckError("\(directory) holds no ledger; make it with `clawgrant fsck dump --ledger --out DIR`")
            }
            ledger = try DumpedLedger(directory: directory, summary)
        }
        return try await run(plan, source, ledger: ledger, notes: notes)
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

    /// Writes the plan's topics into a new directory, and with a database the rows of the ledger.
    ///
    /// - Returns: the number of records and rows.
    /// - Throws: when topics or ledger cannot be read or the directory cannot be written.
    public static func dump(
        kafka: KafkaConfiguration, database: PostgresConfiguration? = nil, to directory: String, _ plan: FsckPlan
    ) async throws -> Int64 {
        let source = KafkaSource(kafka)
        var plan = plan
        plan.streams = try await source.described(plan.streams)
        guard let database else { return try await dump(source, ledger: nil, to: directory, plan) }
        let connection = try await PostgresConnection.connect(database)
        do {
            let count = try await dump(source, ledger: PostgresLedgerSource(connection), to: directory, plan)
            await connection.close()
            return count
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Writes what comes from elsewhere than a broker into a new directory.
    package static func dump(
        _ source: any TopicSource, ledger: (any LedgerSource)?, to directory: String, _ plan: FsckPlan
    ) async throws -> Int64 {
        try await DumpWriter(directory: directory).write(plan, from: source, ledger: ledger)
    }

    /// What stands on a topic of WPC envelopes: the newest value of each key, not verified yet.
    ///
    /// - Parameter limit: most keys that are kept; later ones are passed over.
    /// - Throws: when the topic cannot be read to its end.
    public static func envelopes(
        on topic: String, kafka: KafkaConfiguration, limit: Int = 10_000
    ) async throws -> [[UInt8]] {
        var newest: [[UInt8]: [UInt8]] = [:]
        try await KafkaSource(kafka).read(topic) { record in
            guard let key = record.key, newest.count < limit || newest[key] != nil else { return }
            newest[key] = record.value
        }
        return newest.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }

    /// Runs every audit.
    package static func run(
        _ plan: FsckPlan, _ source: any TopicSource, ledger: (any LedgerSource)?, notes: [String] = []
    ) async throws -> FsckReport {
        let pass = try FsckPass(plan, hasLedger: ledger != nil)
        for note in notes { pass.book.note(note) }
        let batches = plan.streams[pass.batchStream].topic
        if try await source.beginnings(of: batches).values.contains(where: { $0 > 0 }) {
            pass.begins(late: pass.batchStream)
        }
        try await source.read(batches) { try pass.take(batch: $0) }
        guard try pass.endBatches() else { return pass.book.report }
        for (index, stream) in plan.streams.enumerated() where index != pass.batchStream {
            if try await source.beginnings(of: stream.topic).values.contains(where: { $0 > 0 }) {
                pass.begins(late: index)
            }
            try await source.read(stream.topic) { try pass.take($0, stream: index) }
        }
        try pass.finish()
        try await pass.compare(with: ledger)
        return pass.book.report
    }
}
