import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Playground
import Postgres
import ReceiptLog
import Testing

/// Gateway receipts against real worker processes, a real PostgreSQL and a broker. Each test ends with the checker.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .enabled(if: WorkerProgram.path != nil, "the program clawgrant is not built"), .serialized,
    .timeLimit(.minutes(4)))
struct UsageTests {
    private static var options: PlaygroundOptions {
        var options = PlaygroundOptions.chaos
        options.followsUsage = true
        return options
    }

    @Test func callsAreHeldAgainstGrantsAndBudgets() async throws {
        try await Stage.run(Self.options) { stage in
            let playground = stage.playground
            let worker = try playground.startWorker("one")
            try await stage.untilAtWork([worker])
            var script = Script(playground)
            var alpha = ApprovalDraft("alpha", .agentRun, in: playground)
            alpha.decision.budget = Budget(modelCalls: 4)
            try script.add(alpha, .issued, in: playground)
            try script.approve(["beta"])
            script.expectRevoked(1)
            script.expectQuarantined(3)
            try await stage.send(script)
            try await stage.untilSettled()
            let grants = try await UsageStage.grants(stage)
            let run = try #require(grants["job-alpha"])
            let plain = try #require(grants["job-beta"])
            let policy = try #require(playground.policies[.agentRun])

            var gateway = UsageStage(stage)
            let first = try gateway.receipt("a1", run, policy: policy)
            let replay = try gateway.receipt("a1", run, policy: policy, output: 7)
            try await gateway.send(first, first)
            try await gateway.untilRead()
            try await gateway.send(
                // The same receipt id with another payload.
                replay,
                // A token that nobody issued, and none.
                gateway.receipt("shadow", run, scope: Digest(hashing: "nobody")),
                gateway.receipt("none", run, scope: nil),
                // Another WPC than the grant's.
                gateway.receipt("a2", run, policy: Digest(hashing: "another policy")),
                // Long after the token has expired.
                gateway.receipt("b1", plain, at: .playgroundNow.adding(seconds: 7_200)),
                // The run of another job.
                gateway.receipt("b2", plain, run: "job-alpha"))
            let stranger = try #require(SeedSigner(seed: [UInt8](repeating: 9, count: 32)))
            try await gateway.send(
                // A gateway that the rules do not list, a record that is none, and one that was changed afterwards.
                gateway.receipt("stranger", run, by: stranger),
                gateway.record(Array("no receipt".utf8)), gateway.record(try gateway.spoiled("changed", run)))
            try await gateway.untilRead()
            #expect(try await gateway.usage("job-alpha")?.usage.modelCalls == 2)

            // Two more come to the limit of four; the one behind them was on its way.
            let sent = Timestamp.playgroundNow
            try await gateway.send(
                gateway.receipt("a3", run, policy: policy, at: sent),
                gateway.receipt("a4", run, policy: policy, at: sent))
            try await gateway.untilRead()
            try await stage.untilHolds(
                "the token of job-alpha to be revoked",
                "SELECT bool_or(revoked_reason = 'budget_spent') FROM clawgrant.request WHERE job_id = 'job-alpha'")
            try await gateway.send(gateway.receipt("a5", run, policy: policy, at: sent), first, replay)
            try await gateway.untilRead()
            try await gateway.send(
                gateway.receipt("a6", run, policy: policy, at: .playgroundNow.adding(seconds: 60)))
            try await gateway.untilRead()
            try await stage.check()

            let records = try await gateway.findings()
            let codes = records.compactMap { $0["code"]?.string }.sorted()
            #expect(
                codes == [
                    "BUDGET_EXCEEDED", "BUDGET_EXCEEDED", "GATEWAY_AFTER_EXPIRY", "GATEWAY_AFTER_REVOCATION",
                    "GATEWAY_RECEIPT_REPLAYED", "GATEWAY_RUN_IN_TWO_JOBS", "GATEWAY_UNKNOWN_SCOPE",
                    "GATEWAY_UNKNOWN_SCOPE", "GATEWAY_WRONG_POLICY", "GATEWAY_WRONG_SIGNER",
                ])
            let excess = records.compactMap { $0["excess"] }.compactMap { $0["exceeded_by"]?.integer }.sorted()
            #expect(excess == [1, 2])
            let marks = records.compactMap { $0["budget"] }.map { $0["percent"]?.integer ?? 0 }.sorted()
            #expect(marks == [50, 80, 100])
            let revocations = try await stage.values(of: PlaygroundTopic.revocations).values.filter {
                $0["cause"]?.string == "budget_spent"
            }
            #expect(revocations.map { $0["job_id"]?.string } == ["job-alpha"])
            let usage = try #require(try await gateway.usage("job-alpha"))
            #expect(usage.usage.modelCalls == 6 && usage.callsInFlight == 1)
            #expect(usage.usage.costs.keys.sorted() == ["EUR"], "money is counted before a budget asks for it")
            try await Self.expectCoverage(worker)
            let letters = try await stage.values(of: PlaygroundTopic.deadLetters).values.compactMap {
                $0["reason"]?.string
            }
            #expect(letters.sorted() == ["CLAIM_NOT_FOUND", "HASH_MISMATCH", "MALFORMED_ENVELOPE"])
        }
    }

    /// What the command line says of it all.
    private static func expectCoverage(_ worker: PlaygroundWorker) async throws {
        let program = try #require(WorkerProgram.path)
        let result = try await Command.run(
            ManagedProcess.Configuration(
                executable: program,
                arguments: ["coverage", "--job", "job-alpha", "--json", "--config", worker.configurationFile]),
            within: .seconds(60))
        let coverage = try JSONReader.parse(result.output)
        #expect(coverage["usage"]?["model_calls"]?.integer == 6)
        #expect(coverage["usage"]?["models"]?.array?.count == 1)
        #expect(coverage["tokens"] == ["issued": 1, "live": 0, "revoked": 1])
        #expect(coverage["budget"]?.array?.first?["state"]?.string == "exceeded")
        #expect(coverage["findings"]?.array?.count == 4)
        let listed = try await Command.run(
            ManagedProcess.Configuration(
                executable: program,
                arguments: ["coverage", "--job-class", "enterprise_agent_run", "--config", worker.configurationFile]),
            within: .seconds(60))
        #expect(listed.output.contains("6 of 4 model_calls, exceeded"))
    }

    @Test func aReaderThatIsKilledLosesAndRepeatsNothing() async throws {
        try await Stage.run(Self.options) { stage in
            let playground = stage.playground
            var workers = [try playground.startWorker("one"), try playground.startWorker("two")]
            try await stage.untilAtWork(workers)
            var script = Script(playground)
            let jobs = ["x", "y", "z"]
            for job in jobs {
                var draft = ApprovalDraft(
                    job, .deploy, approvers: [PlaygroundCast.ruth, PlaygroundCast.paloma], in: playground)
                draft.decision.budget = Budget(modelCalls: 80)
                try script.add(draft, .issued, in: playground)
            }
            script.expectRevoked(jobs.count)
            try await stage.send(script)
            try await stage.untilSettled()
            let grants = try await UsageStage.grants(stage)
            var gateway = UsageStage(stage)
            var records: [ProducerRecord] = []
            for index in 0..<100 {
                for job in jobs {
                    let grant = try #require(grants["job-\(job)"])
                    records.append(try gateway.receipt("\(job)-\(index)", grant, input: 1_000, output: 100))
                }
            }
            let repeats = records.shuffled().prefix(60)
            let all = (records + repeats).shuffled()
            for (round, start) in stride(from: 0, to: all.count, by: 45).enumerated() {
                try await gateway.send(Array(all[start..<min(start + 45, all.count)]))
                guard round == 2 else { continue }
                let reader = try await stage.holder(of: .usage, among: workers)
                await reader.kill()
                workers.removeAll { $0.name == reader.name }
            }
            try await gateway.untilRead()
            let report = try await stage.check()
            #expect(report.counts.gatewayReceipts == 300)
            for job in jobs {
                let usage = try #require(try await gateway.usage("job-\(job)"))
                #expect(usage.usage.modelCalls == 100)
                #expect(usage.usage.inputTokens == 100_000)
                // 125 minor units for a million input tokens, 1 000 for a million output tokens.
                #expect(usage.usage.costs == ["EUR": 100 * (1_000 * 125 + 100 * 1_000)])
                #expect(usage.marks == ["model_calls:50:80", "model_calls:80:80", "model_calls:100:80"])
            }
            let revocations = try await stage.values(of: PlaygroundTopic.revocations).values
            #expect(revocations.filter { $0["cause"]?.string == "budget_spent" }.count == jobs.count)
            let marks = try await gateway.findings().filter { $0["budget"] != nil }
            #expect(marks.count == 3 * jobs.count)
        }
    }
}

/// A gateway, and what came of what it signed.
struct UsageStage {
    /// A token as the gateway sees it.
    struct Grant {
        let jobID: String
        let scope: Digest
    }

    let stage: Stage
    private var sent = 0

    init(_ stage: Stage) { self.stage = stage }

    static func grants(_ stage: Stage) async throws -> [String: Grant] {
        var grants: [String: Grant] = [:]
        for (job, value) in try await stage.values(of: PlaygroundTopic.grants) {
            let scope = try #require(value["token"]?["token_scope_hash_b64u"]?.string.flatMap { Digest(b64u: $0) })
            grants[job] = Grant(jobID: job, scope: scope)
        }
        return grants
    }

    private func signed(
        _ id: String, _ grant: Grant, scope: Digest?, policy: Digest?, at time: Timestamp, run: String?,
        input: Int64, output: Int64, by signer: (any Ed25519Signer)?
    ) throws -> SignedEnvelope {
        try GatewayReceipt(
            receiptID: id, gatewayID: "did:web:gateway.northquay.example", provider: "openai", model: "gpt-5.1",
            requestHash: Digest(hashing: "request \(id)").b64u, responseHash: Digest(hashing: "response \(id)").b64u,
            tokensInput: input, tokensOutput: output, latencyMilliseconds: 900, timestamp: time,
            binding: GatewayReceipt.Binding(
                runID: run ?? grant.jobID, eventHash: Digest(hashing: "event \(id)").b64u, nonce: id,
                policyHash: policy?.b64u, tokenScopeHash: scope?.b64u)
        ).sign(by: signer ?? stage.playground.keys.gateway)
    }

    func receipt(
        _ id: String, _ grant: Grant, scope: Digest?, policy: Digest? = nil, at time: Timestamp = .playgroundNow,
        run: String? = nil, input: Int64 = 100, output: Int64 = 10, by signer: (any Ed25519Signer)? = nil
    ) throws -> ProducerRecord {
        record(
            JSONWriter.bytes(
                try signed(
                    id, grant, scope: scope, policy: policy, at: time, run: run, input: input, output: output,
                    by: signer
                ).json))
    }

    func receipt(
        _ id: String, _ grant: Grant, policy: Digest? = nil, at time: Timestamp = .playgroundNow, run: String? = nil,
        input: Int64 = 100, output: Int64 = 10, by signer: (any Ed25519Signer)? = nil
    ) throws -> ProducerRecord {
        try receipt(
            id, grant, scope: grant.scope, policy: policy, at: time, run: run, input: input, output: output, by: signer)
    }

    /// A receipt whose payload was changed after it was signed.
    func spoiled(_ id: String, _ grant: Grant) throws -> [UInt8] {
        let envelope = try signed(
            id, grant, scope: grant.scope, policy: nil, at: .playgroundNow, run: nil, input: 5, output: 5, by: nil)
        var object = try #require(envelope.json.object)
        var payload = envelope.payload
        payload["tokens_output"] = 6
        object["payload"] = .object(payload)
        return JSONWriter.bytes(.object(object))
    }

    func record(_ value: [UInt8]) -> ProducerRecord {
        ProducerRecord(
            topic: PlaygroundTopic.gatewayReceipts, key: Array(Digest(hashing: value).hex.prefix(8).utf8), value: value)
    }

    mutating func send(_ records: ProducerRecord...) async throws { try await send(records) }

    mutating func send(_ records: [ProducerRecord]) async throws {
        try await stage.playground.produce(records)
        sent += records.count
    }

    /// Waits until everything sent is read, sealed and published.
    func untilRead() async throws {
        try await stage.untilHolds(
            "\(sent) gateway receipts to be read",
            "SELECT coalesce(sum(next_offset), 0) = \(sent) FROM clawgrant.usage_input")
        try await stage.untilSwept()
    }

    func usage(_ job: String) async throws -> JobUsage? {
        let rows = try await stage.playground.query(
            "SELECT convert_from(body, 'UTF8') FROM clawgrant.job_usage WHERE job_id = '\(job)'")
        guard rows.rowCount == 1 else { return nil }
        return try JobUsage(decoding: Array(try rows.string(0, 0).utf8))
    }

    /// Every record of the findings topic.
    func findings() async throws -> [JSONValue] {
        let playground = stage.playground
        let topic = PlaygroundTopic.findings
        let partitions = try await playground.admin.metadata().topics[topic]?.partitions.map {
            TopicPartition(topic: topic, partition: $0.id)
        }
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        var values: [JSONValue] = []
        do {
            let places = partitions ?? []
            try await consumer.assign(Dictionary(uniqueKeysWithValues: places.map { ($0, KafkaOffset.beginning) }))
            var open = Set(places)
            try await waitUntil(deadline: .seconds(30), description: "the end of \(topic)") {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 5_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(1))
                for record in batch.records { values.append(try JSONReader.parse(record.value ?? [])) }
                open.subtract(batch.endsReached.keys)
                return open.isEmpty
            }
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
        _ = await consumer.close(deadline: .seconds(2))
        return values
    }
}
