import ApprovalSources
import ClawWire
import GrantWorker
import IssuanceRules
import Kafka

/// Decides so many approvals so many times over, as a worker does and on one thread, and does nothing else: what a decision
/// costs is what a run of many rounds takes more than a run of none.
///
///     decision-cost APPROVALS ROUNDS
///     decision-cost APPROVALS ROUNDS keys
///     decision-cost ENTRIES ROUNDS activations|noise
///
/// The second form does nothing but what keys demand where another process publishes: two signatures and one sealing for
/// each approval. The third reads messages of so many entries.
@main
enum DecisionCost {
    private static let issuer = SeedSigner(seed: Array(repeating: 1, count: 32))
    private static let log = SeedSigner(seed: Array(repeating: 2, count: 32))
    private static let emitter = SeedSigner(seed: Array(repeating: 3, count: 32))
    private static let secret = (0..<32).map { UInt8($0) }
    private static let now = Timestamp(seconds: 1_800_000_000)
    private static let topic = "claw.approvals.decisions.v1"
    private static let source = "https://approvals.northquay.example"

    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        let numbers = arguments.compactMap { Int($0) }
        guard numbers.count == 2, let issuer, let log, let emitter,
            let tokenIDSecret = TokenIDSecret(bytes: secret), let sealingSecret = SealingSecret(bytes: secret),
            let job = SealingPrivateKey(bytes: secret)
        else { return print("usage: decision-cost APPROVALS ROUNDS [keys|activations|noise]") }
        if let kind = arguments.last.flatMap(SourceReading.Kind.init(rawValue:)) {
            let told = SourceReading.run(kind, entries: numbers[0], rounds: numbers[1], at: now)
            let expected = kind == .activations ? numbers[0] * numbers[1] : 0
            return print(told == expected ? "read" : "\(told) facts of \(expected) were read")
        }
        let policy = try policy()
        let records = try records(numbers[0], emitter, job.publicKey, policy.policyHash)
        if arguments.last == "keys" {
            for number in 0..<(numbers[0] * numbers[1]) { try useKeys(number, issuer, sealingSecret, job.publicKey) }
            return print("used")
        }
        var rehearsal = DecisionRehearsal(
            rules: try RuleSet(yaml: rules(emitter)), policies: [policy.policyHash: policy.issuancePolicy],
            logID: LogID("northquay.example/clawgrant"), tokenKey: issuer, logKey: log, tokenIDSecret: tokenIDSecret,
            sealingSecret: sealingSecret)
        var published = 0
        for _ in 0..<numbers[1] {
            let outcome = try rehearsal.run(records, at: now)
            guard outcome.issued == numbers[0] else { return print("only \(outcome.issued) tokens were issued") }
            published += outcome.published.count
        }
        guard published >= 2 * numbers[0] * numbers[1] else { return print("only \(published) records") }
        print("decided")
    }

    private static func useKeys(
        _ number: Int, _ signer: SeedSigner, _ secret: SealingSecret, _ recipient: [UInt8]
    ) throws {
        // As long as the part of a token that is signed.
        let message = Array(String(repeating: "\(number) ", count: 900 / ("\(number) ".utf8.count)).utf8)
        _ = try signer.sign(message)
        _ = try signer.sign(message)
        _ = try SealedToken.seal(
            BearerToken(String(decoding: message, as: UTF8.self)), to: recipient, ephemeralSecret: secret)
    }

    /// Approvals that carry their requests, 256 under one signature.
    private static func records(
        _ count: Int, _ signer: SeedSigner, _ jobKey: [UInt8], _ policy: Digest
    ) throws -> [ConsumedRecord] {
        let events = (0..<count).map { event(of: "run-\($0)", jobKey, policy) }
        var signed: [CloudEvent] = []
        for start in stride(from: 0, to: count, by: 256) {
            signed += try NativeEventSigner(signer).signBatch(Array(events[start..<min(start + 256, count)]))
        }
        return signed.enumerated().map { number, event in
            let message = event.message(.binary)
            return ConsumedRecord(
                topicPartition: TopicPartition(topic: topic, partition: 0), offset: Int64(number),
                timestamp: now.milliseconds, key: event.subject.map { Array($0.utf8) }, value: message.value,
                headers: message.headers.map { KafkaHeader(name: $0.name, value: $0.value) })
        }
    }

    private static func event(of name: String, _ jobKey: [UInt8], _ policy: Digest) -> CloudEvent {
        let request = CapabilityRequest(
            requestID: RequestID("req-\(name)"), jobID: JobID("job-\(name)"), jobClass: JobClass("agent_run"),
            agentDID: AgentDID("did:web:agents.northquay.example"), scope: ["proxy:call"], ttlSeconds: 600,
            policyHash: policy, delivery: .sealed(publicKey: jobKey), reason: "scheduled run", requestedAt: now)
        func person(_ id: String, _ name: String, _ mail: String) -> Actor {
            Actor(id: PersonID(id), name: name, upn: "\(mail)@northquay.example")
        }
        var decision = NativeDecision(
            approvalID: ApprovalID("apr-\(name)"), verdict: .approved,
            requester: person("3d6a1c52-7b1e-5f04-8e8f-0a1b6c2d9e01", "Ines Halvorsen", "ines.halvorsen"),
            answers: [
                NativeDecision.Answer(
                    approver: person("b7e2d9a4-6c3f-5e1a-8d52-4f6a9b8c7d03", "Ruth Adeyemi", "ruth.adeyemi"),
                    decidedAt: now)
            ])
        decision.notBefore = now
        decision.notAfter = now.adding(seconds: 3_600)
        decision.request = CapabilityRequestDocument.encode(request)
        return decision.event(id: "evt-\(name)", source: source, at: now)
    }

    private static func policy() throws -> WorkPolicyContract {
        let runbook: JSONObject = [
            "wpc_version": "1",
            "policy": [
                "job_class": "agent_run",
                "tool_policy": ["allow": ["read", "http"], "deny": ["exec_host"], "require_sandbox": true],
                "model_policy": ["require_proxy": "clawproxy", "receipt_required": true],
                "approvals": [["action": "enable_elevated", "require": "human_approval"]],
                "session_limits": ["max_ttl_seconds": 1_800],
                "audit": ["emit_gateway_receipts": true],
            ],
            "cst_requirements": ["policy_hash_pinned": true, "job_scoped_binding": true],
        ]
        return try WorkPolicyContract.carrying(
            runbook: runbook, policyID: "northquay-agent-run", issuerDID: "did:web:northquay.example")
    }

    private static func rules(_ emitter: SeedSigner) -> String {
        """
        rules_version: "1"
        name: northquay
        hard_cap: {max_ttl: 1h}
        groups:
          platform_oncall: ["b7e2d9a4-6c3f-5e1a-8d52-4f6a9b8c7d03"]
        sources:
          approvals:
            kind: native
            topics: [\(topic)]
            authenticity: signed
            signers: [{did: "\(emitter.publicKey.did)"}]
            trusted_event_sources: ["\(source)"]
            may_approve: [agent_run]
        defaults:
          audience: [clawproxy.com]
          max_ttl: 1h
          default_ttl: 10m
          wait_timeout: 24h
          max_approval_age: 24h
          delivery: [sealed]
        job_classes:
          agent_run:
            binding: contained
            scopes: {allow: ["proxy:call", "clawproxy:call"]}
            approvals: {all_of: [{group: platform_oncall, count: 1}]}
            wpc: {required: true, receipt_required: true, require_proxy: true, job_binding: true}
            elevated_actions:
              enable_elevated:
                approvals: {all_of: [{group: platform_oncall, count: 1}]}
                max_ttl: 15m
                scopes: ["control:sandbox:elevated"]
        """
    }
}
