import ClawWire
import DevStack
import Foundation
import IssuanceRules
import Kafka
import Playground
import Postgres
import Testing

@testable import Fsck

/// The program, over what a worker has really left behind.
@Suite(.enabled(if: BrokerTools.find().has(.noida)), .timeLimit(.minutes(8)))
struct EndToEndTests {
    private static func run(_ program: String, _ arguments: [String]) async throws -> (code: Int32, output: String) {
        let result = try await Command.run(
            ManagedProcess.Configuration(executable: program, arguments: arguments), within: .seconds(180))
        guard case .code(let code) = result.status else {
            throw FsckError("\(arguments) ended with \(result.status): \(result.errors)")
        }
        return (code, result.output + result.errors)
    }

    private static var program: String? { BuiltProgram.clawgrant }

    @Test func whatAWorkerLeavesIsClean() async throws {
        let program = try #require(Self.program)
        let playground = try await Playground.start()
        do {
            try await check(playground, program)
        } catch {
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    @Test func aKilledSealerLeavesRepeatsAndNothingElse() async throws {
        let program = try #require(Self.program)
        let playground = try await Playground.start()
        do {
            let workers = [try playground.startWorker("one"), try playground.startWorker("two")]
            try await playground.waitUntilAtWork(workers)
            for round in 0..<3 {
                let drafts = (0..<400).map { ApprovalDraft("r\(round)-\($0)", .reconcile, in: playground) }
                let records = try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner)
                try await playground.produce(records)
                let batches = try await playground.status().batches
                try await playground.waitForStatus("a batch to be sealed") { $0.batches > batches }
                let sealer = try await playground.status().sealer
                if let worker = workers.first(where: { $0.isNamed(sealer) }) {
                    await worker.kill()
                    try worker.start()
                }
            }
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(180))
            let found = try await Self.run(
                program,
                ["fsck", "--config", workers[0].configurationFile, "--ledger", "--settled", "--json"])
            #expect(found.code == 0, "\(found.output)")
            #expect(try JSONReader.parse(found.output)["kinds"]?["grant.issued"]?.integer == 1_200)
            Attachment.record(found.output, named: "report.json")
        } catch {
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    /// WPCs that are in no directory are found on their topic; without them the report says what it could not check.
    private func checkPolicies(_ config: String, _ playground: Playground, _ program: String) async throws {
        let topic = "claw.wpc.v1"
        _ = try await playground.admin.createTopics([
            TopicSpecification(name: topic, partitions: 1, replicationFactor: 1)
        ])
        let folder = "\(playground.directory)/policies"
        var records: [ProducerRecord] = [ProducerRecord(topic: topic, key: Array("x".utf8), value: Array("{".utf8))]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".json") {
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
            let hash = try #require(try JSONReader.parse(bytes)["payload_hash_b64u"]?.string)
            records.append(ProducerRecord(topic: topic, key: Array(hash.utf8), value: bytes))
        }
        try await playground.produce(records)
        let text = try String(contentsOfFile: config, encoding: .utf8)
        func unchecked(_ section: String) async throws -> Bool {
            let other = "\(config).wpc.yaml"
            let changed = text.replacing("wpc: {directory: policies}", with: section)
            try #require(changed != text)
            try changed.write(toFile: other, atomically: true, encoding: .utf8)
            let found = try await Self.run(program, ["fsck", "--config", other, "--settled"])
            #expect(found.code == 0, "\(found.output)")
            return found.output.contains("grants against WPCs that were not given")
        }
        #expect(try await unchecked("wpc: {directory: \"\(playground.directory)/secrets\"}"))
        #expect(try await !unchecked("wpc: {directory: \"\(playground.directory)/secrets\", topic: \(topic)}"))
    }

    private func check(_ playground: Playground, _ program: String) async throws {
        let worker = try playground.startWorker("one")
        try await playground.waitUntilAtWork([worker])
        let now = Timestamp.playgroundNow
        func records(_ name: String, _ jobClass: PlaygroundClass, _ count: Int) throws -> [ProducerRecord] {
            try (0..<count).map {
                try ApprovalDraft("\(name)\($0)", jobClass, in: playground).record(
                    signedBy: playground.keys.eventSigner)
            }
        }
        var first = try records("a", .reconcile, 20) + records("b", .agentRun, 5) + records("c", .sandbox, 3)
        first.append(first[0])
        first.append(
            try ApprovalDraft("no", .reconcile, in: playground).denied().record(
                signedBy: playground.keys.eventSigner))
        for broken in BrokenRecord.allCases { first.append(try broken.record("x", in: playground)) }
        let activation = EntraActivation("one", at: now.adding(seconds: -60))
        first.append(activation.message([.requested, .routed, .approved, .completed]))
        var request = RequestDraft("entra", .appAdmin, in: playground, at: now)
        request.approvalID = activation.approvalID
        first.append(try request.record(signedBy: playground.keys.requestSigner))
        try await playground.produce(first)
        try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))

        let scope = StopScope(kind: .jobClass, value: PlaygroundClass.reconcile.rawValue)
        try await playground.declare(
            .stop(ControlOperation.Stop(stopID: "stop-1", scope: scope, revokesLive: true)), id: "stop-1",
            by: [PlaygroundCast.ruth], reason: "an exercise")
        try await playground.declare(
            .drill(ControlOperation.Drill(drillID: "drill-1", scope: scope)), id: "drill-1", by: [PlaygroundCast.ruth])
        try await waitUntil(deadline: .seconds(60), description: "the stop to revoke every token") {
            let row = try await playground.query(
                "SELECT count(*)::text FROM clawgrant.request WHERE revoked_at IS NOT NULL")
            return try row.string(0, 0) == "20"
        }
        try await playground.produce(try records("d", .reconcile, 5) + records("e", .agentRun, 3))
        try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))

        let config = worker.configurationFile
        let live = try await Self.run(program, ["fsck", "--config", config, "--ledger", "--settled", "--json"])
        let report = try JSONReader.parse(live.output)
        #expect(live.code == 0, "\(live.output)")
        #expect(report["findings"] == [])
        #expect(report["tokens"]?.integer == report["kinds"]?["grant.issued"]?.integer)
        #expect(report["kinds"]?["grant.issued"]?.integer == 32)
        #expect(report["kinds"]?["revocation"]?.integer == 20)
        for property in Finding.Property.allCases {
            #expect(report["properties"]?[property.rawValue]?.string == "holds", "\(property)")
        }
        Attachment.record(live.output, named: "report.json")

        try await checkPolicies(config, playground, program)

        let directory = "\(playground.directory)/dump"
        let dump = try await Self.run(program, ["fsck", "dump", "--config", config, "--settled", "--out", directory])
        #expect(dump.code == 0, "\(dump.output)")
        let offline = try await Self.run(program, ["fsck", "--directory", directory, "--json"])
        #expect(offline.code == 0, "\(offline.output)")
        #expect(try JSONReader.parse(offline.output)["receipts"] == report["receipts"])

        let file = "\(directory)/\(PlaygroundTopic.revocations)-0.ndjson"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        let swapped = [lines[0]] + lines[1..<lines.count].dropFirst() + [lines[1]]
        try (swapped.joined(separator: "\n") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let spoiled = try await Self.run(program, ["fsck", "--directory", directory])
        #expect(spoiled.code == 1, "\(spoiled.output)")
        let nothing = try await Self.run(program, ["fsck", "--directory", "\(directory)/nothing"])
        #expect(nothing.code == 2, "\(nothing.output)")
    }
}
