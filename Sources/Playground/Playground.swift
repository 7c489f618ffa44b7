public import ClawWire
public import DevStack
import Foundation
import GrantLedger
public import GrantWorker
public import Kafka
import Keys
public import Postgres
import Primitives
import ReceiptLog

/// A whole Clawgrant of one's own: database, broker, topics, keys, rules, policies and worker processes, in one directory
/// that goes when it is over.
///
/// It is what the demo, the benchmarks and the tests stand on. ``stop()`` ends everything; whatever is forgotten ends
/// with this process.
public final class Playground: Sendable {
    /// What it was made of.
    public let options: PlaygroundOptions
    /// The directory with everything in it.
    public let directory: String
    /// The database server.
    public let postgres: PrivatePostgres
    /// The broker.
    public let broker: PrivateBroker
    /// Keys and secrets.
    public let keys: PlaygroundKeys
    /// Name of the receipt log.
    public let logID = PlaygroundFiles.logID
    /// Hashes of the published WPCs, by job class.
    public let policies: [PlaygroundClass: Digest]
    /// Creates and looks at topics.
    public let admin: KafkaAdmin
    private let home: TemporaryDirectory
    private let producer: KafkaProducer
    private let pool: PostgresPool
    private let workersByName = Lock<[String: PlaygroundWorker]>([:])
    /// Where this playground's own records end, by partition.
    private let ownEnds = Lock<[TopicPartition: Int64]>([:])

    private init(
        options: PlaygroundOptions, home: TemporaryDirectory, postgres: PrivatePostgres, broker: PrivateBroker,
        keys: PlaygroundKeys, policies: [PlaygroundClass: Digest], admin: KafkaAdmin, producer: KafkaProducer,
        pool: PostgresPool
    ) {
        self.options = options
        self.home = home
        directory = home.path
        self.postgres = postgres
        self.broker = broker
        self.keys = keys
        self.policies = policies
        self.admin = admin
        self.producer = producer
        self.pool = pool
    }

    /// Name of the ledger's database.
    public static let database = "clawgrant"

    /// Starts database and broker, creates schema and topics, writes keys, rules and policies. No worker runs yet.
    ///
    /// - Throws: what is missing or failed, with what to do about it; nothing is left behind then.
    public static func start(_ options: PlaygroundOptions = PlaygroundOptions()) async throws -> Playground {
        let home = try TemporaryDirectory(prefix: "claw-play", keep: options.keepsDirectory)
        let broker = try PrivateBroker(options.broker, directory: home.path("broker"), tools: options.tools)
        var settings = options.databaseSettings
        settings["max_connections"] = settings["max_connections"] ?? "100"
        let postgres = try PrivatePostgres(
            directory: home.path("pg"),
            options: PrivatePostgres.Options(
                durability: options.durability, listensOnLoopback: options.databaseListensOnLoopback,
                settings: settings, environment: options.databaseClock?.environment ?? [:]))
        do {
            async let brokerStart: Void = broker.start()
            try await postgres.start()
            try await brokerStart
            try await postgres.createDatabase(database)
            try await migrate(
                postgres.conninfo(database: database), through: options.schemaNumber)
            let admin = try KafkaAdmin(configuration: clientConfiguration(broker, options))
            try await createTopics(admin, options)
            let keys = try PlaygroundKeys(in: home.path)
            let policies = try writeFiles(keys, home, options)
            var configuration = try PostgresConfiguration(uri: postgres.conninfo(database: database))
            configuration.applicationName = "playground"
            var producing = clientConfiguration(broker, options)
            producing["linger.ms"] = producing["linger.ms"] ?? "2"
            return Playground(
                options: options, home: home, postgres: postgres, broker: broker, keys: keys, policies: policies,
                admin: admin, producer: try KafkaProducer(configuration: producing),
                pool: PostgresPool(configuration))
        } catch {
            await Task {
                await broker.kill()
                try? await postgres.stop(.immediate)
                home.close()
            }.value
            throw error
        }
    }

    /// Ends workers, broker and database and removes the directory, unless it is kept. A cancelled task does it all the
    /// same.
    public func stop() async {
        await Task { await self.end() }.value
    }

    private func end() async {
        for worker in workersByName.withLock({ Array($0.values) }) { await worker.kill() }
        _ = await producer.close(deadline: .seconds(2))
        _ = await admin.close(deadline: .seconds(2))
        await pool.shutdown(grace: .seconds(2))
        await broker.kill()
        // What a private server cannot write out is removed with its directory.
        try? await postgres.stop(.immediate)
        home.close()
    }

    // MARK: Workers

    /// The workers so far, by name.
    public var workers: [PlaygroundWorker] {
        workersByName.withLock { $0.values.sorted { $0.name < $1.name } }
    }

    /// Makes a worker and starts it.
    ///
    /// - Parameters:
    ///   - name: Unique in the playground.
    ///   - bootstrapServers: Where it finds the broker; for a relay in between.
    ///   - database: How it finds the database; for a relay in between.
    ///   - clock: A clock of its own, that can be set while it runs; the machine's when `nil`.
    ///   - program: The program it runs, for workers of another build; the one of the options when `nil`.
    ///   - environment: Variables to set for it.
    ///   - configuredName: The name in its configuration; `name` and the number of the start when `nil`.
    public func startWorker(
        _ name: String, bootstrapServers: String? = nil, database: String? = nil, clock: FakeClock? = nil,
        program: String? = nil, environment: [String: String] = [:], configuredName: String? = nil
    ) throws -> PlaygroundWorker {
        let conninfo = database ?? conninfo
        let servers = bootstrapServers ?? broker.bootstrapServers
        let options = options
        let worker = PlaygroundWorker(
            name: name, directory: directory, program: try program ?? workerProgram(),
            environment: (clock?.environment ?? [:]).merging(environment) { $1 },
            configuration: {
                PlaygroundFiles.worker(id: configuredName ?? $0, database: conninfo, bootstrapServers: servers, options)
            })
        try worker.start()
        workersByName.withLock { $0[name] = worker }
        return worker
    }

    /// What a worker in this process would be configured with; for tests and profiles of its parts.
    public func workerConfiguration(id: String) throws -> WorkerConfiguration {
        var configuration = WorkerConfiguration(
            workerID: WorkerID(id), logID: logID, kafka: clientConfiguration,
            database: try PostgresConfiguration(uri: conninfo),
            keys: KeyPurpose.needed.map {
                KeyConfiguration(purpose: $0, location: .file("\(directory)/keys/\($0).pem"))
            }, tokenIDSecretFile: "\(directory)/secrets/token-id",
            sealingSecretFile: "\(directory)/secrets/sealing", rulesFile: "\(directory)/rules.yaml")
        configuration.policies.directory = "\(directory)/policies"
        configuration.usesTransactions = options.usesTransactions
        if options.followsUsage { configuration.gatewayReceipts.topic = PlaygroundTopic.gatewayReceipts }
        if let lanes = options.limits["lanes"] { configuration.limits.lanes = lanes }
        return configuration
    }

    /// The program that is run as a worker: the one of the options, this program, or the one of its name beside it when
    /// this is a test or a benchmark.
    ///
    /// - Throws: `PlaygroundError` when there is none.
    public func workerProgram() throws -> String {
        if let program = options.workerProgram { return program }
        if let program = BuiltProgram.clawgrant { return program }
        throw PlaygroundError("there is no program clawgrant beside this one; build it, or set workerProgram")
    }

    // MARK: Reaching the parts

    /// Connection keywords of the ledger's database, through the server's socket.
    public var conninfo: String { postgres.conninfo(database: Self.database) }

    /// Properties with which a client reaches the broker.
    public var clientConfiguration: KafkaConfiguration { Self.clientConfiguration(broker, options) }

    /// Sends records and waits until the broker has them.
    @discardableResult
    public func produce(_ records: [ProducerRecord]) async throws -> [DeliveredRecord] {
        let delivered = try await producer.send(records)
        ownEnds.withLock { ends in
            for record in delivered {
                guard let offset = record.offset else { continue }
                ends[record.topicPartition] = max(ends[record.topicPartition] ?? 0, offset + 1)
            }
        }
        return delivered
    }

    /// How many records of a partition are known to be there: those sent through ``produce(_:)``.
    func ownEnd(_ partition: TopicPartition) -> Int64 { ownEnds.withLock { $0[partition] ?? 0 } }

    /// Runs one query of the caller's on the ledger's database, as its owner.
    public func query(_ sql: String) async throws -> PostgresResult {
        let results = try await pool.withConnection { try await $0.simple(sql) }
        guard let last = results.last else { throw PlaygroundError("no result came of \(sql)") }
        return last
    }

    // MARK: Making

    private static func clientConfiguration(
        _ broker: PrivateBroker, _ options: PlaygroundOptions
    ) -> KafkaConfiguration {
        var properties = options.kafkaProperties
        properties["bootstrap.servers"] = broker.bootstrapServers
        return KafkaConfiguration(properties)
    }

    private static func migrate(_ conninfo: String, through number: Int32?) async throws {
        let connection = try await PostgresConnection.connect(try PostgresConfiguration(uri: conninfo))
        do {
            _ = try await Migrator.migrate(connection, pastDays: 8, through: number)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    private static func createTopics(_ admin: KafkaAdmin, _ options: PlaygroundOptions) async throws {
        let inputs = options.inputTopics.map {
            TopicSpecification(name: $0, partitions: options.inputPartitions, replicationFactor: 1)
        }
        let outputs = PlaygroundTopic.outputs.map {
            TopicSpecification(
                name: $0, partitions: PlaygroundTopic.ordered.contains($0) ? 1 : options.outputPartitions,
                replicationFactor: 1)
        }
        var beside = [TopicSpecification(name: PlaygroundTopic.control, partitions: 1, replicationFactor: 1)]
        if options.followsUsage {
            beside.append(
                TopicSpecification(
                    name: PlaygroundTopic.gatewayReceipts, partitions: options.inputPartitions, replicationFactor: 1))
        }
        for (name, outcome) in try await admin.createTopics(inputs + outputs + beside) where !outcome.isDone {
            throw PlaygroundError("the topic \(name) was not created: \(outcome)")
        }
    }

    private static func writeFiles(
        _ keys: PlaygroundKeys, _ home: TemporaryDirectory, _ options: PlaygroundOptions
    ) throws -> [PlaygroundClass: Digest] {
        try PlaygroundFiles.write(PlaygroundFiles.rules(keys, options), to: home.path("rules.yaml"))
        try FileManager.default.createDirectory(
            atPath: home.path("policies"), withIntermediateDirectories: true)
        var policies: [PlaygroundClass: Digest] = [:]
        for jobClass in PlaygroundClass.allCases where jobClass.hasPolicy {
            let policy = try PlaygroundFiles.policy(for: jobClass, issuer: keys.policySigner.publicKey.did)
            let envelope = try WPCEnvelope.sign(policy, signer: keys.policySigner, issuedAt: .playgroundNow)
            try PlaygroundFiles.write(
                JSONWriter.text(envelope.json), to: home.path("policies/\(jobClass.rawValue).json"))
            policies[jobClass] = policy.policyHash
        }
        return policies
    }
}
