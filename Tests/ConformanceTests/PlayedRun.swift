import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Logging
import Playground

/// A run that leaves a record of every kind on the topics: a worker within this process, and everything that can happen to
/// approvals, requests, stops and calls.
final class PlayedRun: Sendable {
    /// One record in a form for other programs.
    struct Line: Sendable {
        let topic: String
        let key: [UInt8]?
        let headers: [KafkaHeader]
        let value: [UInt8]?

        var json: JSONValue {
            func text(_ bytes: [UInt8]?) -> JSONValue { .optional(bytes.map { String(decoding: $0, as: UTF8.self) }) }
            return [
                "topic": .string(topic), "key": text(key),
                "headers": .object(JSONObject(headers.map { ($0.name, text($0.value)) })), "value": text(value),
            ]
        }
    }

    private let playground: Playground
    private let worker: Worker
    private let task: Task<Void, any Error>
    private let gateway: any Ed25519Signer

    private init(_ playground: Playground) async throws {
        self.playground = playground
        gateway = playground.keys.gateway
        let missing = TopicCatalog.standard.entries.filter {
            $0.name == "claw.status-lists.v1" || $0.name == "claw.policies.v1"
        }
        _ = try await playground.admin.createTopics(missing.map { $0.specification(replicationFactor: 1) })
        var configuration = try playground.workerConfiguration(id: "played")
        configuration.control.topic = PlaygroundTopic.control
        var lists = WorkerConfiguration.StatusLists(uriBase: "https://tokens.northquay.example/status")
        lists.interval = .milliseconds(200)
        configuration.statusLists = lists
        // Revocations are ended when their tokens cannot live any more: here at once.
        configuration.limits.revocationGrace = .seconds(-40_000)
        configuration.limits.sweepInterval = .milliseconds(100)
        configuration.limits.logHeartbeatInterval = .seconds(2)
        var logger = Logger(label: "worker")
        logger.logLevel = .critical
        let worker = Worker(configuration: configuration, logger: logger)
        self.worker = worker
        task = Task { try await worker.run() }
    }

    /// Plays, and returns what was sent in well and everything that the worker wrote.
    static func play() async throws -> (sent: [Line], written: [Line]) {
        var options = PlaygroundOptions()
        options.followsUsage = true
        options.limits = ["lanes": 1]
        let playground = try await Playground.start(options)
        do {
            let run = try await PlayedRun(playground)
            let sent: [Line]
            let written: [Line]
            do {
                sent = try await run.script()
                written = try await run.records()
            } catch {
                run.task.cancel()
                _ = await run.task.result
                throw error
            }
            run.worker.stop()
            try await run.task.value
            await playground.stop()
            return (sent, written)
        } catch {
            await playground.stop()
            throw error
        }
    }

    // MARK: The script

    private func script() async throws -> [Line] {
        let keys = playground.keys
        var good: [ProducerRecord] = []
        func draft(_ name: String, _ jobClass: PlaygroundClass, _ change: (inout ApprovalDraft) -> Void = { _ in })
            -> ApprovalDraft
        {
            var draft = ApprovalDraft(name, jobClass, in: playground)
            change(&draft)
            return draft
        }
        let spent = draft("spent", .agentRun) { $0.decision.budget = Budget(modelCalls: 2) }
        let late = draft("late", .reconcile)
        let entra = EntraActivation("app", at: .playgroundNow.adding(seconds: -60))
        var reference = RequestDraft("app", .appAdmin, in: playground, at: .playgroundNow)
        reference.approvalID = entra.approvalID
        var pointed = draft("pointed", .reconcile)
        pointed.request?.delivery = .reference(claimKey: Digest(hashing: "pointed"))
        good += [
            try spent.record(signedBy: keys.eventSigner),
            try late.record(signedBy: keys.eventSigner, mode: .structured),
            try pointed.record(signedBy: keys.eventSigner),
            try draft("plain", .sandbox).record(signedBy: keys.eventSigner),
            try draft("refused", .agentRun).denied().record(signedBy: keys.eventSigner),
            try draft("back", .agentRun).canceled().record(signedBy: keys.eventSigner, mode: .structured),
            try reference.record(signedBy: keys.requestSigner),
        ]
        good += try ApprovalDraft.records(
            [draft("one", .reconcile), draft("two", .reconcile)], signedTogetherBy: keys.batchSigner)
        good.append(entra.message([.requested, .routed, .approved, .completed]))
        try await playground.produce(good)
        try await playground.produce(try BrokenRecord.allCases.map { try $0.record("broken", in: playground) })
        try await settle(tokens: 7)

        let ended = try late.ended(at: .playgroundNow).record(signedBy: keys.eventSigner)
        good.append(ended)
        try await playground.produce([ended])
        good += try await calls()
        good += try await declarations()
        good += try await policies()
        try await playground.waitUntilSettled(waiting: 0)
        return good.map { Line(topic: $0.topic, key: $0.key, headers: $0.headers, value: $0.value) }
    }

    private func settle(tokens: Int) async throws {
        try await playground.waitForStatus("\(tokens) tokens to be issued", within: .seconds(60)) {
            $0.issued == tokens && $0.waiting == 0
        }
        try await playground.waitUntilSettled(waiting: 0)
    }

    /// Calls of the job whose budget is two: its last mark ends the token, and what comes behind is a finding.
    private func calls() async throws -> [ProducerRecord] {
        let scope = try await readAll().filter { $0.topic == PlaygroundTopic.grants }
            .map { try JSONReader.parse($0.value ?? []) }.first { $0["job_id"] == "job-spent" }?["token"]?[
                "token_scope_hash_b64u"]?.string
        let records = try (1...4).map { number in
            let id = "call-\(number)"
            return ProducerRecord(
                topic: PlaygroundTopic.gatewayReceipts, key: Array("job-spent".utf8),
                value: JSONWriter.bytes(
                    try GatewayReceipt(
                        receiptID: id, gatewayID: "did:web:gateway.northquay.example", provider: "openai",
                        model: "gpt-5.1", requestHash: Digest(hashing: "q \(id)").b64u,
                        responseHash: Digest(hashing: "a \(id)").b64u, tokensInput: 800, tokensOutput: 90,
                        latencyMilliseconds: 412, timestamp: .playgroundNow,
                        binding: GatewayReceipt.Binding(
                            runID: "job-spent", eventHash: Digest(hashing: id).b64u, nonce: id,
                            policyHash: playground.policies[.agentRun]?.b64u,
                            tokenScopeHash: number == 4 ? Digest(hashing: "nobody's").b64u : scope)
                    ).sign(by: gateway).json))
        }
        try await playground.produce(records)
        return records
    }

    /// Every operation, one again, one for nothing.
    private func declarations() async throws -> [ProducerRecord] {
        let policy = try hashOf(playground.policies[.database])
        let now = Timestamp.playgroundNow
        let operations: [(ControlOperation, String, [IssuanceRules.Actor])] = [
            (.drill(.init(drillID: "drill", scope: .everything)), "drill", [PlaygroundCast.ruth]),
            (
                .stop(
                    .init(
                        stopID: "stop-1", scope: StopScope(kind: .jobClass, value: PlaygroundClass.deploy.rawValue),
                        revokesLive: true)), "stop-1",
                [PlaygroundCast.ruth]
            ),
            (
                .stop(
                    .init(
                        stopID: "stop-1", scope: StopScope(kind: .jobClass, value: PlaygroundClass.deploy.rawValue),
                        revokesLive: true)), "stop-1",
                [PlaygroundCast.ruth]
            ),
            (
                .lift(.init(stopID: "stop-9", reapproval: ApprovalID("apr-one"), policyHash: nil)), "lift-9",
                [PlaygroundCast.milan, PlaygroundCast.paloma]
            ),
            (.revoke(.init(scope: StopScope(kind: .job, value: "job-one"))), "revoke-1", [PlaygroundCast.ruth]),
            (
                .rotatePolicy(.init(jobClass: .init("prod_db_maintenance"), from: nil, to: policy, running: .keep)),
                "rotate-1",
                [PlaygroundCast.ruth]
            ),
            (.disableElevated(.init(reach: .everywhere, revokesLive: false)), "elevated-off", [PlaygroundCast.ruth]),
            (.enableElevated(.everywhere), "elevated-on", [PlaygroundCast.ruth]),
            (.requireProxy(.init(reach: .everywhere, revokesLive: false)), "proxy-on", [PlaygroundCast.ruth]),
            (.releaseProxy(.everywhere), "proxy-off", [PlaygroundCast.ruth]),
            (.releaseProxy(.everywhere), "proxy-off-again", [PlaygroundCast.ruth]),
        ]
        var records: [ProducerRecord] = []
        for (index, (operation, id, people)) in operations.enumerated() {
            let record = try playground.keys.control.record(
                operation, id: id, by: people, at: now.adding(seconds: Int64(index)), reason: "played",
                topic: PlaygroundTopic.control)
            records.append(
                ProducerRecord(
                    topic: record.topic, partition: 0, key: record.key, value: record.value,
                    headers: record.headers.map { KafkaHeader(name: $0.name, value: $0.value) }))
        }
        try await playground.produce(records)
        return records
    }

    /// A WPC, and the end of one.
    private func policies() async throws -> [ProducerRecord] {
        let signer = playground.keys.policySigner
        let contract = try WorkPolicyContract.carrying(
            runbook: [
                "wpc_version": "1",
                "policy": [
                    "job_class": "enterprise_agent_run",
                    "tool_policy": ["allow": ["read", "http"], "deny": ["exec_host"], "require_sandbox": true],
                ],
            ], policyID: "northquay-played", issuerDID: signer.publicKey.did)
        let envelope = try WPCEnvelope.sign(contract, signer: signer, issuedAt: .playgroundNow)
        let key = Array(contract.policyHash.b64u.utf8)
        let records = [JSONWriter.bytes(envelope.json), nil].map {
            ProducerRecord(topic: "claw.policies.v1", key: key, value: $0)
        }
        try await playground.produce(records)
        return records
    }

    // MARK: The topics

    /// Everything on the worker's output topics, read when there is a record of every kind, or nothing more comes.
    private func records() async throws -> [Line] {
        var last: [Line] = []
        try await waitUntil(
            deadline: .seconds(60), description: "a record of every kind to be on the topics",
            interval: .milliseconds(250)
        ) {
            last = try await self.readAll()
            let kinds = Set(last.map { "\($0.topic) \($0.value == nil)" })
            return kinds.isSuperset(of: Self.expectedKinds)
                && last.count { $0.topic == PlaygroundTopic.controlResults } >= 11
                && last.contains { $0.topic == PlaygroundTopic.findings && Self.holds("budget_version", $0) }
                && last.contains { $0.topic == PlaygroundTopic.findings && Self.holds("finding_version", $0) }
                && last.contains { $0.topic == PlaygroundTopic.revocations && Self.holds("cutoff_version", $0) }
                && last.contains { $0.topic == PlaygroundTopic.revocations && Self.holds("revocation_version", $0) }
        }
        return last
    }

    private static let expectedKinds: Set<String> = [
        "claw.grants.v1 false", "claw.decisions.v1 false", "claw.revocations.v1 false", "claw.revocations.v1 true",
        "claw.receipts.batches.v1 false", "claw.dead-letters.v1 false", "claw.control-results.v1 false",
        "claw.findings.v1 false", "claw.status-lists.v1 false", "claw.status-lists.v1 true",
    ]

    private static func holds(_ member: String, _ line: Line) -> Bool {
        line.value.map { String(decoding: $0, as: UTF8.self).contains("\"\(member)\"") } ?? false
    }

    private func readAll() async throws -> [Line] {
        let topics = try await playground.admin.metadata().topics
        var positions: [TopicPartition: Int64] = [:]
        for entry in TopicCatalog.standard.entries {
            switch entry.role {
            case .output, .statusLists: break
            case .input, .vendor, .control, .gatewayReceipts, .policies, .securityEvents, .signals: continue
            }
            for partition in topics[entry.name]?.partitions ?? [] {
                positions[TopicPartition(topic: entry.name, partition: partition.id)] = KafkaOffset.beginning
            }
        }
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        try await consumer.assign(positions)
        var lines: [Line] = []
        var open = Set(positions.keys)
        while !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 16 << 20, linger: .zero, timeout: .seconds(2))
            for record in batch.records {
                lines.append(
                    Line(
                        topic: record.topicPartition.topic, key: record.key, headers: record.headers,
                        value: record.value))
            }
            open.subtract(batch.endsReached.keys)
        }
        await consumer.close(deadline: .seconds(2))
        return lines
    }
}

/// The hash of a policy that a playground always has.
private func hashOf(_ hash: Digest?) throws -> Digest {
    guard let hash else { throw DevStackError(.commandFailed, "the playground has no policy") }
    return hash
}
