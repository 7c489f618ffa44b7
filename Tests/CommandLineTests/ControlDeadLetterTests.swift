import ApprovalSources
import ClawWire
import DevStack
import Foundation
import IssuanceRules
import Kafka
import Playground
import Postgres
import ReceiptLog
import Testing

/// Dead letters of the control topic and of the topic of gateway receipts, worked off with the program against a
/// worker.
@Suite(
    "Dead letters of control events and gateway receipts",
    .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil), .serialized, .timeLimit(.minutes(10)))
struct ControlDeadLetterTests {
    private static func place(_ record: DeliveredRecord) throws -> String {
        "\(record.topicPartition.topic)/\(record.topicPartition.partition)/\(try #require(record.offset))"
    }

    /// The rules without the keys that are only listed once somebody has mended them.
    private static func unlisted(_ rules: String, _ keys: PlaygroundKeys) -> String {
        rules.split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.hasSuffix("operations: [stop]}") && !$0.contains(keys.gateway.publicKey.did) }
            .joined(separator: "\n")
    }

    private static func receipt(_ id: String, _ scope: String, by gateway: any Ed25519Signer) throws -> ProducerRecord {
        let payload: JSONObject = [
            "receipt_version": "1", "receipt_id": .string(id), "gateway_id": "did:web:clawproxy.com",
            "provider": "openai", "model": "gpt-5.1", "request_hash_b64u": .string(Digest(hashing: "q\(id)").b64u),
            "response_hash_b64u": .string(Digest(hashing: "a\(id)").b64u), "tokens_input": 80, "tokens_output": 9,
            "latency_ms": 41, "timestamp": .string(Timestamp.playgroundNow.iso8601),
            "binding": ["run_id": "job-used", "nonce": .string(id), "token_scope_hash_b64u": .string(scope)],
        ]
        let envelope = try SignedEnvelope.sign(
            type: "gateway_receipt", payload: payload, rule: .document, signer: gateway, issuedAt: .playgroundNow)
        return ProducerRecord(
            topic: PlaygroundTopic.gatewayReceipts, key: Array(id.utf8), value: JSONWriter.bytes(envelope.json))
    }

    @Test("A stop and a model call that were refused are taken once their keys are listed; a lift never is")
    func wholeWay() async throws {
        var options = PlaygroundOptions()
        options.followsUsage = true
        options.limits["lease_lifetime_ms"] = 8_000
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
        let cut = Self.unlisted(rules, playground.keys)
        try #require(cut != rules)
        try Data(cut.utf8).write(to: URL(fileURLWithPath: rulesFile))
        let worker = try playground.startWorker("w1")
        try await playground.waitUntilAtWork([worker])
        let config = worker.configurationFile
        try await playground.produce([
            try ApprovalDraft("used", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
        ])
        try await playground.waitUntilSettled(waiting: 0)
        let scope = try await playground.query(
            "SELECT encode(scope_hash, 'hex') FROM clawgrant.request WHERE request_id = 'req-used'"
        ).string(0, 0)
        let scopeText = try #require(Digest(hex: scope)).b64u

        var sent = try await playground.declare(
            .stop(
                .init(
                    stopID: "stop-1", scope: StopScope(kind: .agent, value: "did:web:elsewhere.example"),
                    revokesLive: false)), id: "stop-1", by: [PlaygroundCast.ruth], as: playground.keys.stopOnly)
        sent += try await playground.declare(
            .lift(.init(stopID: "stop-0", reapproval: nil, policyHash: nil)), id: "lift-1",
            by: [PlaygroundCast.milan, PlaygroundCast.paloma], as: playground.keys.stopOnly)
        let call = try Self.receipt("rcpt-1", scopeText, by: playground.keys.gateway)
        sent += try await playground.produce([call])
        let places = try sent.map(Self.place)
        try await waitUntil(deadline: .seconds(60), description: "three dead letters") {
            try await playground.query("SELECT count(*)::text FROM clawgrant.dead_letter").string(0, 0) == "3"
        }

        let list = try await ProgramRun(["dlq", "list", "--json"], config: config)
        #expect(Set(try list.lines.compactMap { $0["dead_letter"]?.string }) == Set(places))
        for place in places {
            let show = try await ProgramRun(["dlq", "show", place, "--json"], config: config)
            #expect(show.code == 0, "\(show.errors)")
            #expect(try show.lines.first?["state"]?.string == "open")
        }
        let explained = try await ProgramRun(["dlq", "explain", places[0], "--json"], config: config)
        #expect(try explained.lines.first?["cure"]?.string == "configuration")
        let early = try await ProgramRun(["dlq", "redrive", places[0], "--json", "--by", "soc-1"], config: config)
        #expect(early.code == 1)
        #expect(try early.lines.first?["outcome"]?.string == "refused", "\(early.output)")

        try Data(rules.utf8).write(to: URL(fileURLWithPath: rulesFile))
        try await worker.restart()
        try await playground.waitUntilAtWork([worker])
        try await afterItIsMended(places, call, config, playground)

        try await playground.waitUntilSettled(waiting: 0)
        let fsck = try await ProgramRun(["fsck", "--ledger", "--settled", "--json"], config: config)
        let report = try JSONReader.parse(fsck.output)
        #expect(fsck.code == 0, "\(fsck.output) \(fsck.errors)")
        #expect(report["findings"] == [])
        #expect(report["kinds"]?["dead_letter.redriven"]?.integer == 4)
        #expect(report["kinds"]?["dead_letter.discarded"]?.integer == 1)
        #expect(report["kinds"]?["gateway.receipt"]?.integer == 1)
        #expect(report["kinds"]?["stop.declared"]?.integer == 1)
    }

    private func afterItIsMended(
        _ places: [String], _ call: ProducerRecord, _ config: String, _ playground: Playground
    ) async throws {
        let trial = try await ProgramRun(["dlq", "redrive", places[0], "--dry-run", "--json"], config: config)
        #expect(try trial.lines.first?["facts"]?.array == ["stop"], "\(trial.output)")
        let stopped = try await ProgramRun(["dlq", "redrive", places[0], "--json"], config: config)
        #expect(stopped.code == 0, "\(stopped.output) \(stopped.errors)")
        #expect(try stopped.lines.first?["outcome"]?.string == "taken")
        let status = try await ProgramRun(["stop", "status"], config: config)
        #expect(status.output.hasPrefix("PARTLY STOPPED: agent:did:web:elsewhere.example"), "\(status.output)")

        // The key may not lift; and were it allowed to, what gives back is declared anew.
        let lifted = try await ProgramRun(["dlq", "redrive", places[1], "--json"], config: config)
        #expect(lifted.code == 1)
        #expect(try lifted.lines.first?["outcome"]?.string == "refused", "\(lifted.output)")

        let counted = try await ProgramRun(["dlq", "redrive", places[2], "--json"], config: config)
        #expect(counted.code == 0, "\(counted.output) \(counted.errors)")
        #expect(try counted.lines.first?["outcome"]?.string == "taken")
        let calls = "SELECT count(*)::text FROM clawgrant.gateway_receipt"
        #expect(try await playground.query(calls).string(0, 0) == "1")
        // The gateway sends it again after all: it is counted once.
        try await playground.produce([call])
        try await waitUntil(deadline: .seconds(60), description: "the receipt to be read again") {
            try await playground.query("SELECT sum(next_offset)::text FROM clawgrant.usage_input").string(0, 0) == "2"
        }
        #expect(try await playground.query(calls).string(0, 0) == "1")
        let discarded = try await ProgramRun(
            ["dlq", "discard", places[1], "--reason", "declared anew", "--by", "soc-1", "--json"], config: config)
        #expect(discarded.code == 0, "\(discarded.errors)")
    }
}
