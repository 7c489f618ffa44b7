import DevStack
import Foundation
import Playground
import Primitives

/// A Clawgrant that can be broken everywhere: workers that reach their servers through relays, and disks that can be
/// filled.
final class Arena: Sendable {
    let playground: Playground
    let databaseRelay: TCPRelay
    let brokerRelay: KafkaRelay
    let databaseDisk: SmallDisk?
    let logDisk: SmallDisk?
    let tracks: [WorkerTrack]
    let load: Load
    let tally: Tally
    let journal: Journal
    /// What each file of a key or secret held at the beginning, by path.
    let keyFiles: [String: Data]

    /// Enough for a ledger of some ten thousand requests with its write-ahead log.
    private static let databaseMegabytes = 640
    private static let logMegabytes = 192

    /// Starts everything; workers are on their way then.
    ///
    /// - Throws: what is missing or failed; nothing is left behind then.
    static func start(_ options: ChaosOptions, usesDisks: Bool) async throws -> Arena {
        var made = PlaygroundOptions()
        made.tools = options.tools
        made.workerProgram = options.program
        made.durability = .durable
        made.databaseListensOnLoopback = true
        made.databaseSettings = ["max_connections": "200", "max_wal_size": "96MB", "min_wal_size": "32MB"]
        made.kafkaProperties = ["reconnect.backoff.max.ms": "1000"]
        // Batches so small that a kill falls between what belongs together.
        made.limits = [
            "lanes": 1, "lease_lifetime_ms": 4_000, "heartbeat_ms": 250, "sweep_ms": 200, "batch_records": 15,
        ]
        made.shortWaitSeconds = 2
        made.keepsDirectory = true
        made.workerSections = """
            security_events:
              tenant: northquay
              sinks:
                - {name: disk, kind: file, path: logs/events.ndjson}
            """
        let playground = try await Playground.start(made)
        var disks: [SmallDisk] = []
        do {
            try FileManager.default.createDirectory(
                atPath: "\(playground.directory)/logs", withIntermediateDirectories: true)
            if usesDisks {
                disks.append(
                    try await SmallDisk(at: "\(playground.directory)/disk", megabytes: databaseMegabytes))
                try await moveDatabase(of: playground, to: disks[0].path)
                disks.append(try await SmallDisk(at: "\(playground.directory)/logs", megabytes: logMegabytes))
            }
            return try await Arena(playground, options, disks)
        } catch {
            await playground.stop()
            for disk in disks { await disk.close() }
            try? FileManager.default.removeItem(atPath: playground.directory)
            throw error
        }
    }

    private init(_ playground: Playground, _ options: ChaosOptions, _ disks: [SmallDisk]) async throws {
        self.playground = playground
        databaseDisk = disks.first
        logDisk = disks.last
        databaseRelay = try TCPRelay(to: playground.postgres.port)
        brokerRelay = try KafkaRelay(readvertising: playground.broker.port)
        load = Load(playground)
        let tally = Tally()
        let journal = Journal(path: "\(playground.directory)/campaign.log")
        self.tally = tally
        self.journal = journal
        keyFiles = try Dictionary(
            uniqueKeysWithValues: ["keys/token.pem", "keys/receipt.pem", "secrets/token-id", "secrets/sealing"].map {
                let path = "\(playground.directory)/\($0)"
                return (path, try Data(contentsOf: URL(fileURLWithPath: path)))
            })
        let database = playground.postgres.conninfo(
            database: Playground.database, route: .loopback(port: databaseRelay.port))
        let servers = "127.0.0.1:\(brokerRelay.port)"
        tracks = try (1...options.plan.shape.workers).map { number in
            // The log is opened where the small disk is mounted.
            let log = "\(playground.directory)/logs/worker-\(number).log"
            try FileManager.default.createSymbolicLink(
                atPath: "\(playground.directory)/worker-\(number).log", withDestinationPath: log)
            return WorkerTrack(
                try playground.startWorker("worker-\(number)", bootstrapServers: servers, database: database),
                tally: tally, journal: journal)
        }
        try heal()
    }

    /// Where the database's data lies before it is moved to a disk of its own.
    private static func dataDirectory(_ playground: Playground) -> String { "\(playground.postgres.directory)/data" }

    private static func moveDatabase(of playground: Playground, to disk: String) async throws {
        try await playground.postgres.stop()
        let data = dataDirectory(playground)
        try await Command.output(
            of: ManagedProcess.Configuration(executable: "mv", arguments: [data, "\(disk)/data"]))
        try FileManager.default.createSymbolicLink(atPath: data, withDestinationPath: "\(disk)/data")
        try await playground.postgres.start()
    }

    /// The workers' file of security events, as it is now.
    var securityEvents: String {
        FileManager.default.contents(atPath: "\(playground.directory)/logs/events.ndjson")
            .map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Ends every fault of the network. What is left is the delay that keeps clients of a broker without long polling
    /// from asking it all the time.
    func heal() throws {
        try databaseRelay.heal()
        try healBroker()
    }

    func healBroker() throws {
        try brokerRelay.heal()
        brokerRelay.inject(.delay(toServer: .zero, toClient: .milliseconds(5)))
    }

    /// Ends everything.
    ///
    /// - Parameter keeping: Whether the directory stays, with the database's data in it.
    func stop(keeping: Bool) async {
        try? databaseRelay.heal()
        try? brokerRelay.heal()
        for track in tracks { track.worker.thaw() }
        await load.close()
        await playground.stop()
        databaseRelay.close()
        brokerRelay.close()
        if keeping {
            await keep("\(playground.directory)/disk/data", as: Self.dataDirectory(playground))
            await keep("\(playground.directory)/logs", as: "\(playground.directory)/kept-logs")
        }
        await databaseDisk?.close()
        await logDisk?.close()
        if !keeping { try? FileManager.default.removeItem(atPath: playground.directory) }
    }

    /// Takes over what would go with the disk it lies on.
    private func keep(_ source: String, as target: String) async {
        guard databaseDisk != nil else { return }
        let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: target)) != nil
        if isLink { try? FileManager.default.removeItem(atPath: target) }
        _ = try? await Command.run(
            ManagedProcess.Configuration(executable: "cp", arguments: ["-a", source, target]))
    }
}
