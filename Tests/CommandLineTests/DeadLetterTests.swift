import ClawWire
import DevStack
import Foundation
import Kafka
import Playground
import Postgres
import Testing

/// Dead letters as an operator works them off: the program against a playground with a worker.
@Suite(
    "Dead letters on the command line", .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil),
    .serialized, .timeLimit(.minutes(10)))
struct DeadLetterTests {
    /// Rules of a playground without the key that signs batches: what is wrong with them until they are mended.
    private static func withoutBatchSigner(_ rules: String) -> String {
        var lines = rules.split(separator: "\n", omittingEmptySubsequences: false)
        if let line = lines.firstIndex(where: { $0.drop { $0 == " " }.hasPrefix("- did: \"") }) {
            lines.remove(at: line)
        }
        return lines.joined(separator: "\n")
    }

    private func place(_ record: DeliveredRecord) throws -> String {
        "\(record.topicPartition.topic)/\(record.topicPartition.partition)/\(try #require(record.offset))"
    }

    private func issued(_ name: String, _ playground: Playground) async throws -> Bool {
        let row = try await playground.query(
            "SELECT count(*)::text FROM clawgrant.request WHERE request_id = 'req-\(name)' AND state = 1")
        return try row.string(0, 0) == "1"
    }

    @Test("A record is set aside, the configuration mended, the record redriven: one grant, a receipt for each step")
    func wholeWay() async throws {
        var options = PlaygroundOptions()
        // Nothing here is about takeovers: a worker that is starved for a moment is not to look dead.
        options.limits["lease_lifetime_ms"] = 8_000
        options.limits["dead_letter_max_hops"] = 2
        let playground = try await Playground.start(options)
        do {
            try await work(playground)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private func work(_ playground: Playground) async throws {
        let rulesFile = "\(playground.directory)/rules.yaml"
        let rules = try String(contentsOfFile: rulesFile, encoding: .utf8)
        let cut = Self.withoutBatchSigner(rules)
        #expect(cut != rules)
        try Data(cut.utf8).write(to: URL(fileURLWithPath: rulesFile))
        let worker = try playground.startWorker("w1")
        try await playground.waitUntilAtWork([worker])
        let config = worker.configurationFile

        func draft(_ name: String) -> ApprovalDraft { ApprovalDraft(name, .reconcile, in: playground) }
        let names = ["m1", "m2", "m3", "m4"]
        let mendable = try names.map { try draft($0).record(signedBy: playground.keys.batchSigner) }
        let broken = try BrokenRecord.notJSON.record("x", in: playground)
        let sent = try await playground.produce(
            mendable + [broken, try draft("good").record(signedBy: playground.keys.eventSigner)])
        try await playground.waitUntilSettled(waiting: 0)
        let places = try sent.map(place)

        try await looking(places, config)
        try await beforeItIsMended(places[0], config)

        try Data(rules.utf8).write(to: URL(fileURLWithPath: rulesFile))
        try await worker.restart()
        try await playground.waitUntilAtWork([worker])
        try await afterItIsMended(places, mendable, config, playground)
        try await givingUp(places[4], config)

        try await playground.waitUntilSettled(waiting: 0)
        let fsck = try await ProgramRun(["fsck", "--ledger", "--settled", "--json"], config: config)
        let report = try JSONReader.parse(fsck.output)
        #expect(fsck.code == 0, "\(fsck.output) \(fsck.errors)")
        #expect(report["findings"] == [])
        #expect(report["kinds"]?["decision.quarantined"]?.integer == 5)
        #expect(report["kinds"]?["dead_letter.redriven"]?.integer == 5)
        #expect(report["kinds"]?["dead_letter.discarded"]?.integer == 1)
        #expect(report["kinds"]?["grant.issued"]?.integer == 4)
    }

    /// List, show and explain.
    private func looking(_ places: [String], _ config: String) async throws {
        let list = try await ProgramRun(["dlq", "list", "--json"], config: config)
        #expect(list.code == 0, "\(list.errors)")
        let letters = try list.lines
        #expect(Set(letters.compactMap { $0["dead_letter"]?.string }) == Set(places.dropLast()))
        #expect(letters.allSatisfy { $0["state"]?.string == "open" && $0["source"]?.string == "approvals" })
        let narrowed = try await ProgramRun(
            [
                "dlq", "list", "--json", "--code", "not_json", "--topic", PlaygroundTopic.approvals, "--since",
                "2026-01-01",
            ], config: config)
        #expect(try narrowed.lines.map { $0["dead_letter"]?.string } == [places[4]])
        let none = try await ProgramRun(["dlq", "list", "--source", "requests"], config: config)
        #expect(none.code == 0 && none.output.hasPrefix("no dead letters"))

        let show = try await ProgramRun(["dlq", "show", places[4], "--json"], config: config)
        #expect(try show.lines.first?["excerpt"]?["text"]?.string == "approved: yes")
        let explained = try await ProgramRun(["dlq", "explain", places[0], "--json"], config: config)
        #expect(try explained.lines.first?["cure"]?.string == "configuration")
        let words = try await ProgramRun(["dlq", "explain", places[0]], config: config)
        #expect(words.output.contains("is not listed for the source"))
        #expect(words.output.contains("Nothing was done about it yet."))
        let unknown = try await ProgramRun(["dlq", "show", "nowhere/0/7"], config: config)
        #expect(unknown.code == 1)
        let vague = try await ProgramRun(["dlq", "redrive"], config: config)
        #expect(vague.code == 2)
    }

    /// Nothing is gained by redriving what nobody has mended, and the hops are bounded.
    private func beforeItIsMended(_ place: String, _ config: String) async throws {
        let trial = try await ProgramRun(["dlq", "redrive", place, "--dry-run", "--json"], config: config)
        #expect(trial.code == 1)
        #expect(try trial.lines.first?["code"]?.string == "unknown_signer")
        for hop in 1...2 {
            let redrive = try await ProgramRun(["dlq", "redrive", place, "--json", "--by", "soc-1"], config: config)
            #expect(redrive.code == 1, "\(redrive.errors)")
            #expect(try redrive.lines.first?["outcome"]?.string == "refused", "\(redrive.output)")
            let show = try await ProgramRun(["dlq", "show", place, "--json"], config: config)
            #expect(try show.lines.first?["hops"]?.integer == Int64(hop))
            #expect(try show.lines.first?["state"]?.string == "open")
        }
        let last = try await ProgramRun(["dlq", "redrive", place, "--json"], config: config)
        #expect(last.code == 1)
        #expect(try last.lines.first?["answer"]?.string == "too_many_hops")
    }

    private func afterItIsMended(
        _ places: [String], _ mendable: [ProducerRecord], _ config: String, _ playground: Playground
    ) async throws {
        let trial = try await ProgramRun(["dlq", "redrive", places[1], "--dry-run", "--json"], config: config)
        #expect(trial.code == 0, "\(trial.output) \(trial.errors)")
        #expect(try trial.lines.first?["verdict"]?.string == "understood")
        #expect(try await !issued("m2", playground))
        let redrive = try await ProgramRun(["dlq", "redrive", places[1], "--json"], config: config)
        #expect(redrive.code == 0, "\(redrive.output) \(redrive.errors)")
        #expect(try redrive.lines.first?["outcome"]?.string == "taken")
        #expect(try await issued("m2", playground))
        let twice = try await ProgramRun(["dlq", "redrive", places[1], "--json"], config: config)
        #expect(twice.code == 0)
        #expect(try twice.lines.first?["answer"]?.string == "done")

        // The sender sends one of them again: then the dead letter has nothing to add.
        try await playground.produce([mendable[3]])
        try await playground.waitUntilSettled(waiting: 0)
        #expect(try await issued("m4", playground))
        let repeated = try await ProgramRun(["dlq", "redrive", places[3], "--json"], config: config)
        #expect(try repeated.lines.first?["outcome"]?.string == "repeated", "\(repeated.output) \(repeated.errors)")

        let rest = try await ProgramRun(
            ["dlq", "redrive", "--source", "approvals", "--code", "unknown_signer", "--json"], config: config)
        #expect(rest.code == 1, "one of them has had its hops")
        let answers = try rest.lines
        #expect(answers.first { $0["dead_letter"]?.string == places[0] }?["answer"]?.string == "too_many_hops")
        #expect(answers.first { $0["dead_letter"]?.string == places[2] }?["outcome"]?.string == "taken")
        #expect(try await issued("m3", playground))
        #expect(try await !issued("m1", playground))
    }

    private func givingUp(_ place: String, _ config: String) async throws {
        let discard = try await ProgramRun(
            ["dlq", "discard", place, "--reason", "a test of the emitter", "--by", "soc-1", "--json"], config: config)
        #expect(discard.code == 0, "\(discard.errors)")
        let again = try await ProgramRun(["dlq", "discard", place, "--reason", "once more"], config: config)
        #expect(again.code == 0 && again.output.contains("was discarded before"))
        let redrive = try await ProgramRun(["dlq", "redrive", place, "--json"], config: config)
        #expect(try redrive.lines.first?["answer"]?.string == "discarded")
        let list = try await ProgramRun(["dlq", "list", "--state", "discarded", "--json"], config: config)
        #expect(try list.lines.map { $0["dead_letter"]?.string } == [place])
    }
}
