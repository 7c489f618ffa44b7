import DevStack
import Foundation
import GrantChecker
import Kafka
import Playground
import Testing

/// Two builds on one ledger, as docs/upgrade.md has it. `./dev test --upgrade` builds the version before and sets
/// `CLAWGRANT_PREVIOUS_PROGRAM`, and `CLAWGRANT_PREVIOUS_SCHEMA` to the number of its last migration.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["CLAWGRANT_PREVIOUS_PROGRAM"] != nil
            && BrokerTools.find().has(.noida)), .serialized, .timeLimit(.minutes(15)))
struct UpgradeTests {
    private static let previous = ProcessInfo.processInfo.environment["CLAWGRANT_PREVIOUS_PROGRAM"] ?? ""

    @Test func workersOfTwoVersionsShareOneLedgerBothWays() async throws {
        var options = PlaygroundOptions()
        let named = ProcessInfo.processInfo.environment["CLAWGRANT_PREVIOUS_SCHEMA"] ?? ""
        let schema: Int32 = try #require(Int32(named), "CLAWGRANT_PREVIOUS_SCHEMA names no migration")
        options.schemaNumber = schema
        try await withPlayground(options) { playground in
            let load = Load(playground)
            let old = try playground.startWorker("old", program: Self.previous)
            try await playground.waitUntilAtWork([old])
            try await load.run { try await playground.waitForStatus("the version before to issue") { $0.issued > 50 } }

            // The schema goes first, under the old worker's feet.
            let migrated = try await Ran.clawgrant(["ledger", "migrate", "--config", old.configurationFile])
            #expect(migrated.code == 0, "\(migrated.all)")
            let issued = try await playground.status().issued
            try await load.run {
                try await playground.waitForStatus("the version before to go on") { $0.issued > issued + 50 }
            }
            #expect(old.isRunning)

            // Both side by side; each seals in turn.
            let new = try playground.startWorker("new")
            try await load.run { try await playground.waitUntilAtWork([old, new]) }
            await old.stop()
            try await load.run {
                try await playground.waitUntilAtWork([new])
                try await playground.waitForStatus("this version to seal") { new.isNamed($0.sealer) }
            }

            // The way back: the old worker takes over what the new one has written.
            try old.start()
            try await load.run { try await playground.waitUntilAtWork([old, new]) }
            await new.kill()
            let before = try await playground.status().issued
            try await load.run {
                try await playground.waitUntilAtWork([old])
                try await playground.waitForStatus("the version before to seal") { old.isNamed($0.sealer) }
                try await playground.waitForStatus("it to issue again") { $0.issued > before + 50 }
            }

            // And forward again.
            try new.start()
            try await load.run { try await playground.waitUntilAtWork([old, new]) }
            await old.stop()
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            let report = try await playground.check()
            #expect(report.violations.map(\.description) == [])
            #expect(report.counts.issued == load.written)
            let fsck = try await Ran.clawgrant(
                ["fsck", "--config", new.configurationFile, "--ledger", "--settled"])
            #expect(fsck.code == 0, "\(fsck.all)")
            await new.stop()
        }
    }
}

/// Writes approvals for as long as something else takes, each delivered twice.
private final class Load {
    private let playground: Playground
    private(set) var written = 0

    init(_ playground: Playground) { self.playground = playground }

    func run(_ body: () async throws -> Void) async throws {
        let playground = playground
        let first = written
        let writer = Task {
            var next = first
            while !Task.isCancelled {
                let drafts = (next..<(next + 10)).map { ApprovalDraft("u-\($0)", .reconcile, in: playground) }
                let records = try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner)
                try await playground.produce(records + records)
                next += 10
                // A pace that one worker of a debug build keeps up with.
                try? await Task.sleep(for: .milliseconds(100))
            }
            return next
        }
        do {
            try await body()
        } catch {
            writer.cancel()
            _ = try await writer.value
            throw error
        }
        writer.cancel()
        written = try await writer.value
    }
}
