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
        _ plan: FsckPlan, _ source: any TopicSource, ledger: (any LedgerSource)?, note: String? = nil
    ) async throws -> FsckReport {
        let pass = try FsckPass(plan, hasLedger: ledger != nil)
        if let note { pass.book.note(note) }
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
