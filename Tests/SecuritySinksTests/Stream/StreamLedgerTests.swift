import ClawWire
import DevStack
import Foundation
import GrantLedger
import GrantWorker
import Logging
import Postgres
import Primitives
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// Positions of sinks in a real ledger: fenced, moved once, and written together with what tells of them.
@Suite(
    "Positions of sinks in PostgreSQL", .enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"),
    .serialized, .timeLimit(.minutes(3)))
struct StreamLedgerTests {
    /// A ledger with its server, gone with the body.
    private func withLedger(
        _ body: (_ make: (String) throws -> (PostgresLedger, PostgresPool), PostgresConfiguration) async throws -> Void
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-siem-pg")
        let server = try PrivatePostgres(directory: home.path("pg"), options: .forTests)
        try await server.start(within: .seconds(60))
        try await server.createDatabase("ledger")
        let configuration = try PostgresConfiguration(uri: server.conninfo(database: "ledger"))
        let connection = try await PostgresConnection.connect(configuration)
        _ = try await Migrator.migrate(connection, pastDays: 2)
        await connection.close()
        let pools = Lock<[PostgresPool]>([])
        func close() async {
            for pool in pools.withLock({ $0 }) { await pool.shutdown(grace: .seconds(1)) }
            try? await server.stop(.immediate)
        }
        do {
            try await body(
                { name in
                    var own = configuration
                    PostgresLedger.configure(&own, worker: WorkerID(name))
                    let pool = PostgresPool(own)
                    pools.withLock { $0.append(pool) }
                    return (PostgresLedger(pool: pool, configuration: own), pool)
                }, configuration)
            await close()
        } catch {
            await close()
            throw error
        }
    }

    private func lease(_ ledger: PostgresLedger, _ name: String, _ role: WorkerRole) async throws -> RoleLease {
        _ = try await ledger.heartbeat(
            worker: WorkerID(name), lifetime: .seconds(60), topics: [:], initialOffset: { _ in 0 })
        return try #require(try await ledger.claim(role: role, for: WorkerID(name)))
    }

    /// Seals everything that is committed.
    private func seal(_ ledger: PostgresLedger, _ lease: RoleLease) async throws {
        let end = try await ledger.logEnd().position
        let number = try await ledger.status().batches
        _ = try await ledger.seal(under: lease, maximumGroups: 100, maximumBytes: 1 << 20) { input in
            let count = Int64(input.groups.reduce(0) { $0 + $1.effects.count })
            guard count > 0, let signature = Ed25519Signature(bytes: [UInt8](repeating: 0, count: 64)) else {
                return []
            }
            return [
                SealedBatch(
                    number: number, firstPosition: end, lastPosition: end + count - 1,
                    headerHash: Digest(hashing: "header \(number)"), header: [1], signature: signature,
                    checkpoint: "c", tail: [1], rootSignatures: nil, groups: input.groups,
                    nextSequence: input.nextSequence, sealedAt: input.now)
            ]
        }
    }

    private static func effects(_ numbers: Range<Int>) -> @Sendable (Timestamp) throws -> [Effect] {
        { _ in
            try numbers.map {
                let receipt = Samples.grant($0)
                return Effect(
                    receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
            }
        }
    }

    @Test("A position moves once, under the role alone, and a finding stands or falls with it")
    func positions() async throws {
        try await withLedger { make, _ in
            let (ledger, _) = try make("w1")
            let role = try await lease(ledger, "w1", .securityEvents)
            let sealer = try await lease(ledger, "w1", .sealer)
            #expect(try await ledger.logEnd() == LogEnd(position: 0, sealedAt: nil))
            try await ledger.leave(Self.effects(0..<5), under: role)
            try await seal(ledger, sealer)
            #expect(try await ledger.logEnd().position == 5)

            var sinks = try await ledger.openSinks(["a": .position(0), "b": .end, "c": .position(3)], under: role)
            #expect(sinks.mapValues(\.next) == ["a": 0, "b": 5, "c": 3])
            #expect(sinks.mapValues(\.first) == ["a": 0, "b": 5, "c": 3])
            // What is known keeps its place.
            sinks = try await ledger.openSinks(["a": .end], under: role)
            #expect(sinks.mapValues(\.next) == ["a": 0])

            try await ledger.record(.delivered(to: 3), of: "a", at: 0, under: role, leaving: nil)
            try await ledger.record(.failed("away", isReported: false), of: "a", at: 3, under: role, leaving: nil)
            try await ledger.record(
                .failed("still away", isReported: true), of: "a", at: 3, under: role, leaving: Self.effects(5..<6))
            var a = try #require(try await ledger.sinkPositions().first { $0.name == "a" })
            #expect(a.failures == 2 && a.isReported && a.failure == "still away" && a.failingSince != nil)
            #expect(a.deliveredAt != nil && a.next == 3)
            try await ledger.record(.skipped(to: 4), of: "a", at: 3, under: role, leaving: nil)
            try await ledger.record(.delivered(to: 5), of: "a", at: 4, under: role, leaving: nil)
            a = try #require(try await ledger.sinkPositions().first { $0.name == "a" })
            #expect(a.failures == 0 && !a.isReported && a.failingSince == nil && a.skipped == 1 && a.next == 5)

            // A position that was moved meanwhile is nobody's to move, and nothing is left behind.
            await #expect {
                try await ledger.record(.delivered(to: 9), of: "a", at: 3, under: role, leaving: Self.effects(7..<9))
            } throws: { ($0 as? LedgerError)?.code == .fenced }
            try await seal(ledger, sealer)
            #expect(try await ledger.logEnd().position == 6)

            // Nor does a worker that lost the role move anything.
            try await ledger.leave(worker: WorkerID("w1"))
            let (second, _) = try make("w2")
            let taken = try await lease(second, "w2", .securityEvents)
            #expect(taken.epoch > role.epoch)
            await #expect {
                try await ledger.record(.delivered(to: 6), of: "a", at: 5, under: role, leaving: nil)
            } throws: { ($0 as? LedgerError)?.code == .fenced }
            await #expect { try await ledger.leave(Self.effects(0..<1), under: role) } throws: {
                ($0 as? LedgerError)?.code == .fenced
            }
            try await second.record(.delivered(to: 6), of: "a", at: 5, under: taken, leaving: nil)
        }
    }

    @Test("Two workers drive the sinks in turn; the second goes on where the first left off")
    func election() async throws {
        try await withLedger { make, _ in
            let (one, _) = try make("w1")
            let (two, _) = try make("w2")
            let sealer = try await lease(one, "w1", .sealer)
            let sink = ScriptedSink("soc")
            let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            var settings = SecurityEventSettings(
                sinks: [SecurityEventSettings.Sink(name: "soc", kind: .kafka(.init()))])
            settings.pollInterval = .milliseconds(10)
            let stream = SecurityEventStream(settings, version: "1")
            let sinks: [(SecurityEventSettings.Sink, any SecurityEventSink)] = [(settings.sinks[0], sink)]
            let stops = [Lock(false), Lock(false)]
            let beating = Lock(true)
            _ = try await two.heartbeat(
                worker: WorkerID("w2"), lifetime: .seconds(60), topics: [:], initialOffset: { _ in 0 })
            let outside = try await lease(one, "w1", .sweeper)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, (ledger, name)) in [(one, "w1"), (two, "w2")].enumerated() {
                    group.addTask {
                        try await stream.run(
                            sinks, ledger, logID: Samples.logID, worker: WorkerID(name), every: .milliseconds(20), log
                        ) { stops[index].withLock { $0 } }
                    }
                }
                func expect(_ count: Int64) async throws {
                    try await waitUntil(deadline: .seconds(60), description: "\(count) events") {
                        try await two.sinkPositions().first?.next == count
                    }
                }
                try await one.leave(Self.effects(0..<30), under: outside)
                try await seal(one, sealer)
                try await expect(30)
                try await one.leave(Self.effects(30..<50), under: outside)
                try await seal(one, sealer)
                // The first leaves in the middle.
                stops[0].withLock { $0 = true }
                beating.withLock { $0 = false }
                try await one.leave(worker: WorkerID("w1"))
                try await expect(50)
                stops[1].withLock { $0 = true }
                try await group.waitForAll()
            }
            #expect(NumberCheck.faults(sink.arrived, 0..<50).isEmpty)
        }
    }

    @Test("A file goes with the role to another process of the same host, while the first lives on")
    func fileOfOneHost() async throws {
        try await withLedger { make, _ in
            let home = try TemporaryDirectory(prefix: "claw-siem-file")
            let (one, _) = try make("w1")
            let (two, _) = try make("w2")
            let sealer = try await lease(one, "w0", .sealer)
            let outside = try await lease(one, "w0", .sweeper)
            let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let file = SecurityEventSettings.LineFile(path: home.path("events.ndjson"))
            var settings = SecurityEventSettings(sinks: [.init(name: "disk", kind: .file(file))])
            settings.pollInterval = .milliseconds(10)
            settings.sinks[0].patience.shortestWait = .milliseconds(10)
            settings.sinks[0].patience.longestWait = .milliseconds(50)
            let stream = SecurityEventStream(settings, version: "1")
            let (sink, interval) = (settings.sinks[0], Duration.milliseconds(20))
            _ = try await two.heartbeat(
                worker: WorkerID("w2"), lifetime: .seconds(3_600), topics: [:], initialOffset: { _ in 0 })
            try await withThrowingTaskGroup(of: Void.self) { group in
                let stop = Lock(false)
                func start(_ ledger: PostgresLedger, _ name: String) {
                    group.addTask {
                        try await stream.run(
                            [(sink, LineFileSink(name: "disk", file))], ledger, logID: Samples.logID,
                            worker: WorkerID(name), every: interval, log
                        ) { stop.withLock { $0 } }
                    }
                }
                func expect(_ count: Int64) async throws {
                    try await waitUntil(deadline: .seconds(60), description: "\(count) events") {
                        try await two.sinkPositions().first?.next == count
                    }
                }
                start(one, "w1")
                try await one.leave(Self.effects(0..<30), under: outside)
                try await seal(one, sealer)
                try await expect(30)
                // The ledger does not know the first any more, and it goes on asking.
                try await waitUntil(deadline: .seconds(60), description: "the role to go over") {
                    try await two.claim(role: .securityEvents, for: WorkerID("w2")) != nil
                }
                start(two, "w2")
                try await one.leave(Self.effects(30..<50), under: outside)
                try await seal(one, sealer)
                try await expect(50)
                stop.withLock { $0 = true }
                try await group.waitForAll()
            }
            let text = try String(contentsOfFile: file.path, encoding: .utf8)
            let numbers = text.matches(of: /"sequence":([0-9]+),"receipt_id"/).compactMap { Int64($0.output.1) }
            #expect(NumberCheck.faults(numbers, 0..<50).isEmpty)
        }
    }
}
