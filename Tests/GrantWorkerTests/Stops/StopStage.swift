import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GrantLedger
import GrantVerifier
import GrantWorker
import IssuanceRules
import Kafka
import Playground
import Postgres
import ReceiptLog
import Testing

extension Stage {
    // MARK: Control

    /// Stops a job class, from the control topic.
    func stop(
        _ id: String, _ scope: StopScope = .everything, revokesLive: Bool = false, at time: Timestamp = .playgroundNow,
        as emitter: ControlEmitter? = nil
    ) async throws {
        try await playground.declare(
            .stop(.init(stopID: id, scope: scope, revokesLive: revokesLive)), id: id, by: [PlaygroundCast.ruth],
            at: time, as: emitter)
    }

    /// Lifts a stop by two who did not declare it, on an approval.
    func lift(_ stop: String, on approval: ApprovalID, id: String? = nil, at time: Timestamp = .playgroundNow)
        async throws
    {
        try await playground.declare(
            .lift(.init(stopID: stop, reapproval: approval, policyHash: nil)), id: id ?? "lift-\(stop)",
            by: [PlaygroundCast.milan, PlaygroundCast.paloma], at: time)
    }

    /// Applies an event straight to the ledger, as the command line does.
    func apply(_ operation: ControlOperation, id: String) async throws -> ControlAcknowledgement {
        let person = PlaygroundCast.ruth
        let rules = try RuleSet(
            yaml: String(contentsOfFile: "\(playground.directory)/rules.yaml", encoding: .utf8))
        let event = ControlEvent(
            id: ControlEventID(id), declaredAt: .playgroundNow, declaredBy: [person], origin: .ledger(by: person.id),
            operation: operation)
        return try await asking { ledger, worker in
            try await ControlApplier(ledger: ledger, rules: rules, worker: worker) { _ in false }.apply(event)
        }
    }

    /// The keys of which the ledger knows that they sign no tokens.
    func keysWithoutTokens() async throws -> Set<KeyID> {
        try await asking { ledger, _ in try await ledger.keysWithoutTokens() }
    }

    private func asking<Answer: Sendable>(
        _ ask: (PostgresLedger, WorkerID) async throws -> Answer
    ) async throws -> Answer {
        let worker = WorkerID("console")
        var configuration = try PostgresConfiguration(uri: playground.conninfo)
        PostgresLedger.configure(&configuration, worker: worker)
        let pool = PostgresPool(configuration)
        let ledger = PostgresLedger(pool: pool, configuration: configuration)
        let result: Result<Answer, any Error>
        do {
            result = .success(try await ask(ledger, worker))
        } catch {
            result = .failure(error)
        }
        await ledger.close()
        await pool.shutdown()
        return try result.get()
    }

    /// Waits until so many control events have taken a position.
    func untilPosition(_ position: Int, within limit: Duration = .seconds(60)) async throws {
        try await untilHolds(
            "control position \(position)", within: limit,
            "SELECT control_position >= \(position) FROM clawgrant.control_state")
    }

    /// Waits until every token that a control event voided is revoked by its name, and all of that is published.
    func untilSwept(within limit: Duration = .seconds(60)) async throws {
        try await untilHolds(
            "the end of all revocation runs", within: limit,
            """
            SELECT NOT EXISTS (SELECT 1 FROM clawgrant.revocation_run WHERE finished_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM clawgrant.unsealed)
                AND (SELECT min(next_batch) FROM clawgrant.publish_position)
                    = (SELECT coalesce(max(number) + 1, 0) FROM clawgrant.receipt_batch)
            """)
    }

    /// Waits for a condition in SQL; a database that does not answer has not met it.
    func untilHolds(_ description: String, within limit: Duration = .seconds(60), _ sql: String) async throws {
        try await waitUntil(deadline: limit, description: description, interval: .milliseconds(20)) {
            guard let row = try? await playground.query(sql), row.rowCount == 1 else { return false }
            return try row.string(0, 0) == "t"
        }
    }

    /// Waits for a live worker that holds a role.
    func holder(of role: WorkerRole, among workers: [PlaygroundWorker]) async throws -> PlaygroundWorker {
        var found: PlaygroundWorker?
        try await waitUntil(deadline: .seconds(30), description: "a worker with the role \(role.rawValue)") {
            let row = try await playground.query(
                """
                SELECT coalesce(max(r.lease_owner), '') FROM clawgrant.role_lease r JOIN clawgrant.worker w
                ON w.worker_id = r.lease_owner AND w.expires_at > now() WHERE r.role = '\(role.rawValue)'
                """)
            let owner = try row.string(0, 0)
            found = workers.first { $0.isRunning && $0.isNamed(owner) }
            return found != nil
        }
        return try #require(found)
    }

    /// Waits until a worker's log says something.
    func untilLogged(_ text: String, by worker: PlaygroundWorker, within limit: Duration = .seconds(60)) async throws {
        try await waitUntil(deadline: limit, description: "\(worker.name) to log: \(text)") {
            FileManager.default.contents(atPath: worker.log).map { String(decoding: $0, as: UTF8.self).contains(text) }
                ?? false
        }
    }

    /// A session that holds up whatever writes to a table, until it is let go.
    func block(_ table: String) async throws -> PostgresConnection {
        let connection = try await PostgresConnection.connect(try PostgresConfiguration(uri: playground.conninfo))
        _ = try await connection.simple("BEGIN; LOCK TABLE clawgrant.\(table) IN SHARE MODE")
        return connection
    }

    // MARK: What came of it

    /// The JSON values of a topic by key, the newest of each; commit marks and tombstones left out.
    func values(of topic: String) async throws -> [String: JSONValue] {
        try await read(topic).reduce(into: [:]) { values, record in
            if let value = record.value { values[record.key] = value }
        }
    }

    /// The newest texts of a topic by key; what was ended is left out.
    func texts(of topic: String) async throws -> [String: String] {
        try await read(topic) { String(decoding: $0, as: UTF8.self) }.reduce(into: [:]) { $0[$1.key] = $1.value }
    }

    /// The JSON values of a topic, in the order of each partition; commit marks and tombstones left out.
    func records(of topic: String) async throws -> [JSONValue] { try await read(topic).compactMap(\.value) }

    /// The records of a topic, tombstones without a value.
    func read(_ topic: String) async throws -> [(key: String, value: JSONValue?)] {
        try await read(topic) { try JSONReader.parse($0) }
    }

    private func read<Value>(
        _ topic: String, _ parse: ([UInt8]) throws -> Value
    ) async throws -> [(key: String, value: Value?)] {
        let metadata = try await playground.admin.metadata()
        let partitions = metadata.topics[topic]?.partitions.map { TopicPartition(topic: topic, partition: $0.id) } ?? []
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        var found: [(key: String, value: Value?)] = []
        do {
            try await consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, KafkaOffset.beginning) }))
            var open = Set(partitions)
            try await waitUntil(deadline: .seconds(30), description: "the end of \(topic)") {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 5_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(1))
                for record in batch.records {
                    let key = String(decoding: record.key ?? [], as: UTF8.self)
                    found.append((key, try record.value.map { try parse($0) }))
                }
                open.subtract(batch.endsReached.keys)
                return open.isEmpty
            }
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        _ = await consumer.close(deadline: .seconds(2))
        return found
    }

    /// The reason code of each request's decision, `granted` for a grant.
    func decisions() async throws -> [String: String] {
        try await values(of: PlaygroundTopic.decisions).mapValues { value in
            value["decision"]?.string == "granted" ? "granted" : value["reason_code"]?.string ?? "none"
        }
    }

    /// Has a reader of the revocations topic load it from its beginning, and compares what it knows with the ledger.
    func expectReaderAgrees(
        cutoffs: [CutoffScope] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let row = try await playground.query(
            """
            SELECT control_position::text,
                coalesce((SELECT next_sequence[3] FROM clawgrant.receipt_batch ORDER BY number DESC LIMIT 1), 0)::text
            FROM clawgrant.control_state
            """)
        let position = Int64(try row.string(0, 0)) ?? -1
        let sequence = Int64(try row.string(0, 1)) ?? -1
        let follower = RevocationFollower(
            kafka: playground.clientConfiguration,
            settings: RevocationFollower.Settings(
                topic: PlaygroundTopic.revocations, logID: playground.logID, logKeys: [playground.keys.log]),
            report: { _ in })
        let task = Task { try await follower.run() }
        defer { task.cancel() }
        let reading = Task {
            try await follower.state { state in
                state.isComplete && state.head.map { $0.controlPosition >= position } ?? false
                    && state.loadedThrough.map { $0.value >= sequence } ?? false
                    && state.head.map { $0.sweptPosition > position } ?? false
            }
        }
        let limit = Task {
            try await Task.sleep(for: .seconds(60))
            reading.cancel()
        }
        defer { limit.cancel() }
        let state = try await reading.value
        let rows = try await playground.query(
            "SELECT encode(token_hash, 'hex'), revoked_at IS NOT NULL FROM clawgrant.request WHERE token_hash IS NOT NULL"
        )
        for index in 0..<rows.rowCount {
            let hash = try #require(Digest(hex: try rows.string(index, 0)))
            let isKnown = state.revocation(of: TokenHash(hash)) != nil
            #expect(isKnown == (try rows.string(index, 1) == "t"), "token \(hash.hex)", sourceLocation: sourceLocation)
        }
        for scope in cutoffs {
            #expect(state.cutoff(of: scope) != nil, "cut-off of \(scope)", sourceLocation: sourceLocation)
        }
        #expect(state.live.cutoffs == cutoffs.count, sourceLocation: sourceLocation)
    }
}

extension Script {
    /// What becomes of a single approval.
    enum Outcome {
        case issued, denied
    }

    /// One approval with its request.
    mutating func add(_ draft: ApprovalDraft, _ outcome: Outcome, in playground: Playground) throws {
        records.append(try draft.record(signedBy: playground.keys.eventSigner))
        expect(draft)
        switch outcome {
        case .issued: expectations.issued += 1
        case .denied: expectations.denied += 1
        }
    }

    /// Tokens that are issued and then revoked.
    mutating func expectRevoked(_ count: Int) { expectations.revoked += count }

    /// Dead letters that the script's own records do not make.
    mutating func expectQuarantined(_ count: Int) { expectations.quarantined += count }
}

extension StopScope {
    static func jobClass(_ name: PlaygroundClass) -> StopScope { StopScope(kind: .jobClass, value: name.rawValue) }
}

extension PlaygroundOptions {
    /// As ``chaos``, with batches so small that a stop falls between them.
    static var stops: PlaygroundOptions {
        var options = PlaygroundOptions.chaos
        options.limits["batch_records"] = 15
        return options
    }
}
