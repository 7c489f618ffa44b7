import ClawWire
import Foundation
import ReceiptLog

@testable import ProofBundles

/// A run of an agent at Harborline, made of keys that follow from their names: the same bytes on every machine.
enum SampleRun {
    static let logID = LogID("logs.harborline.example/clawgrant")
    static let noon = Timestamp(seconds: 1_772_366_400)
    static let job = JobID("job-2026-03-01-reconcile-0417")
    static let agent = AgentDID("did:web:agents.harborline.example")
    static let approval = ApprovalID("change/harborline/CHG-30417")

    static func signer(_ name: String) -> SeedSigner {
        guard let signer = SeedSigner(seed: Digest(hashing: "clawgrant-samples:\(name)").bytes) else {
            preconditionFailure("a digest has the 32 bytes of a seed")
        }
        return signer
    }

    static let contract: WorkPolicyContract = {
        let document: JSONValue = [
            "policy_version": "1", "policy_id": "harborline.reconcile.2026-03",
            "issuer_did": "did:web:policy.harborline.example", "allowed_providers": ["openai"],
            "allowed_models": ["gpt-5*"],
        ]
        guard let contract = try? WorkPolicyContract(document, accepting: WorkPolicyContract.allForms) else {
            preconditionFailure("the sample's policy is one of version 1")
        }
        return contract
    }()

    /// What the approver signed.
    static func approvalEnvelope(
        agent: AgentDID = agent, at time: Timestamp = noon.adding(seconds: -40), ttl: Int64 = 900,
        by name: String = "approver", span: String? = nil
    ) throws -> SignedEnvelope {
        var receipt = HumanApprovalReceipt(
            receiptID: "har-30417", kind: .explicitApprove, approverSubject: "mara.lindqvist@harborline.example",
            agentDID: agent, scopeHash: HashText(Digest(hashing: "requested scope")), timestamp: time)
        receipt.method = .uiClick
        receipt.policyHash = HashText(contract.policyHash)
        receipt.ttlSeconds = ttl
        guard let span else { return try receipt.sign(by: signer(name)) }
        var payload = receipt.payload
        payload["binding"] = ["parent_span_id": .string(span)]
        return try SignedEnvelope.sign(
            type: HumanApprovalReceipt.envelopeType, payload: payload, rule: .document, signer: signer(name),
            issuedAt: time)
    }

    static func input(_ digest: Digest, _ offset: Int64) -> EvidenceInput {
        EvidenceInput(
            digest: digest,
            origin: RecordOrigin(topic: "claw.approvals.decisions.v1", partition: 3, offset: offset),
            source: SourceName("harborline-changes"))
    }

    static func provenance(_ inputs: [EvidenceInput] = []) -> Receipt.Provenance {
        Receipt.Provenance(
            workerID: WorkerID("worker-1"), rulesHash: Digest(hashing: "rules"), policyHash: contract.policyHash,
            authenticity: .signed, inputs: inputs, controlPosition: 4)
    }

    static func subject(_ agent: AgentDID) -> Receipt.Subject {
        Receipt.Subject(
            requestID: RequestID("req-30417"), approvalIDs: [approval], jobID: job,
            jobClass: JobClass("ledger_reconcile"), agentDID: agent)
    }

    /// The grant of a token that the approval carries.
    static func grant(
        _ number: Int = 0, evidence: Digest, agent: AgentDID = agent
    ) throws -> (Receipt, CSTClaims) {
        let owner = RunTokens.owner(approval, [evidence])
        let claims = CSTClaims.jobToken(
            sub: agent, aud: ["clawproxy.com"], scope: ["proxy:call"], iat: noon.adding(seconds: Int64(number)),
            exp: noon.adding(seconds: Int64(number) + 600), ownerRef: owner, policyHash: contract.policyHash,
            missionID: job, jti: TokenID("4e6c1de2-cbe2-4748-888c-0eebf38397\(40 + number)"), nonce: "n")
        let minted = try CST.mint(claims, signer: signer("token"))
        let extent = AuthorityExtent(
            scope: ["proxy:call"], actions: ["model.call"], audience: ["clawproxy.com"], ttlSeconds: 600)
        let receipt = Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: extent, granted: extent,
                    token: TokenReference(
                        tokenHash: minted.hash.digest, jti: claims.tokenID ?? TokenID(""),
                        scopeHash: claims.tokenScopeHash?.digest ?? evidence, kid: signer("token").publicKey.kid,
                        issuedAt: claims.issued, expiresAt: claims.expires), delivery: .sealed,
                    approverIDs: [PersonID("mara.lindqvist@harborline.example")],
                    rule: "job_classes.ledger_reconcile")),
            subject: subject(agent), provenance: provenance([input(evidence, 17)]),
            occurredAt: noon.adding(seconds: Int64(number)))
        return (receipt, claims)
    }

    static func revocation(of receipt: Receipt, after seconds: Int64) -> Receipt? {
        guard case .grantIssued(let grant) = receipt.content else { return nil }
        return Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: grant.token.tokenHash, jti: grant.token.jti, cause: .approvalEnded,
                    revokedBy: "worker-1")),
            subject: receipt.subject, provenance: provenance(),
            reasons: [Receipt.Reason(code: "TOKEN_REVOKED", detail: "the change was closed")],
            occurredAt: noon.adding(seconds: seconds))
    }

    /// A receipt of another job, so that the run's are not the whole log.
    static func stranger(_ number: Int) -> Receipt {
        Receipt(
            content: .decisionDenied(
                Receipt.Refusal(asked: nil, needed: ["one approver"], rule: "job_classes.other")),
            subject: Receipt.Subject(requestID: RequestID("req-other-\(number)"), jobID: JobID("job-other-\(number)")),
            provenance: provenance(),
            reasons: [Receipt.Reason(code: "CAPABILITY_DENIED", detail: "nobody approved")], occurredAt: noon)
    }

    /// The log's statement of how far the revocations topic was complete.
    static func head(at seconds: Int64) throws -> SignedRevocationHead {
        try RevocationHead(
            logID: logID, asOf: noon.adding(seconds: seconds), nextSequence: SequenceNumber(1), controlPosition: 4,
            sweptPosition: 0, live: RevocationHead.Live(tokens: 1, cutoffs: 0)
        ).signed(by: signer("log"))
    }

    /// A log in memory: records of batches as they are published.
    struct Log {
        var tail: LogTail
        var records: [[UInt8]] = []
        var checkpoints: [SignedNote] = []

        init() throws { tail = try LogTail(logID: SampleRun.logID) }

        mutating func seal(_ receipts: [Receipt], at time: Timestamp, withCheckpoint: Bool = true) throws {
            let sealed = try ReceiptBatch.seal(
                receipts: try receipts.map { try $0.encoded().bytes }, previous: tail, at: time,
                signer: SampleRun.signer("log"))
            let note = try sealed.tail.checkpoint.signed(by: SampleRun.signer("log"))
            let root = try LogInclusionProof.SignedRoot(
                tree: sealed.batch.compatibleTree(), logID: SampleRun.logID, publishedAt: sealed.batch.header.sealedAt,
                signer: SampleRun.signer("log"))
            records.append(sealed.batch.record(checkpoint: withCheckpoint ? note : nil, compatibleRoot: root))
            checkpoints.append(note)
            tail = sealed.tail
        }
    }

    /// A gateway's receipt of a call.
    static func call(
        _ number: Int, event: Digest?, scope: Digest?, at time: Timestamp, run: String = job.rawValue,
        by name: String = "gateway", id: String? = nil, span: String? = nil
    ) throws -> JSONValue {
        var binding: JSONObject = ["run_id": .string(run)]
        if let event { binding["event_hash_b64u"] = .string(event.b64u) }
        binding["nonce"] = .string("nonce-\(number)")
        binding["policy_hash"] = .string(contract.policyHash.b64u)
        if let scope { binding["token_scope_hash_b64u"] = .string(scope.b64u) }
        if let span { binding["span_id"] = .string(span) }
        let payload: JSONObject = [
            "receipt_version": "1", "receipt_id": .string(id ?? "rcpt-\(number)"),
            "gateway_id": "did:web:clawproxy.com", "provider": "openai", "model": "gpt-5.1",
            "request_hash_b64u": .string(Digest(hashing: "request \(number)").b64u),
            "response_hash_b64u": .string(Digest(hashing: "response \(number)").b64u),
            "tokens_input": .integer(900 + number), "tokens_output": .integer(120 + number), "latency_ms": 640,
            "timestamp": .string(time.iso8601), "binding": .object(binding),
        ]
        return try SignedEnvelope.sign(
            type: "gateway_receipt", payload: payload, rule: .document, signer: signer(name), issuedAt: time
        ).json
    }

    /// What a sample is to be like.
    struct Options {
        var revokedAfter: Int64? = 120
        var calls: [Int64] = [5, 30]
        var approvalEnvelope: SignedEnvelope?
        var isPolicyKnown = true
        var agent = SampleRun.agent
        /// The log's receipts of calls.
        var leaves: [Receipt] = []
        /// The span that the calls declare.
        var span: String?
        var change: (inout RunMaterial) throws -> Void = { _ in }
    }

    static func material(_ options: Options = Options()) throws -> RunMaterial {
        let envelope = try options.approvalEnvelope ?? approvalEnvelope(agent: options.agent, span: options.span)
        let evidence = SignedEnvelope.HashRule.document.digest(envelope.payload)
        let (grant, claims) = try grant(evidence: evidence, agent: options.agent)
        var log = try Log()
        try log.seal([stranger(0), grant, stranger(1)], at: noon.adding(seconds: 1))
        try log.seal([stranger(2)], at: noon.adding(seconds: 60))
        if let seconds = options.revokedAfter, let revocation = revocation(of: grant, after: seconds) {
            try log.seal([stranger(3), revocation], at: noon.adding(seconds: 121))
        }
        if !options.leaves.isEmpty { try log.seal(options.leaves, at: noon.adding(seconds: 150)) }
        try log.seal([stranger(4)], at: noon.adding(seconds: 180))
        var collector = try RunCollector(jobID: job, logID: logID, logKeys: [signer("log").publicKey])
        for (offset, record) in log.records.enumerated() { try collector.add(record, at: Int64(offset)) }
        guard let collected = try collector.collected() else { throw CocoaError(.fileReadUnknown) }
        var material = RunMaterial(jobID: job, log: collected)
        if options.isPolicyKnown {
            material.policies[contract.policyHash] =
                try WPCEnvelope.sign(contract, signer: signer("policy"), issuedAt: noon.adding(seconds: -86_400)).json
        }
        material.approvalEnvelopes[input(evidence, 17).origin] = envelope.json
        material.gatewaySigners = [signer("gateway").publicKey.did]
        material.revocationHead = try head(at: 179).canonicalBytes
        // The agent binds its calls to the entry that stands for its token, which follows from the receipt.
        let event = RunRecord(material).eventHashes[1]
        material.calls = try options.calls.enumerated().map { number, seconds in
            try GatewayCall(
                try call(
                    number, event: event, scope: claims.tokenScopeHash?.digest, at: noon.adding(seconds: seconds),
                    span: options.span))
        }
        try options.change(&material)
        return material
    }

    static func assembled(_ options: Options = Options()) throws -> AssembledRun {
        try BundleAssembler.assemble(RunRecord(try material(options)), signer: signer("envelope"))
    }

    static var trust: TrustConfiguration {
        var trust = TrustConfiguration()
        trust.logs = [TrustConfiguration.Log(logID: logID, keys: [signer("log").publicKey])]
        trust.bundleSigners = [signer("envelope").publicKey.did]
        trust.envelopeSigners = [signer("envelope").publicKey.did]
        trust.gatewaySigners = [signer("gateway").publicKey.did]
        trust.policySigners = [signer("policy").publicKey.did]
        trust.tokenKeys = [TrustConfiguration.TokenKey(key: signer("token").publicKey)]
        trust.approvers = [signer("approver").publicKey.did]
        return trust
    }

    /// The trust file that belongs to the sample.
    static var trustFile: JSONValue {
        [
            "trust_version": "1",
            "logs": [
                ["log_id": .string(logID.rawValue), "keys": [.string(signer("log").publicKey.did)]]
            ],
            "bundle_signers": [.string(signer("envelope").publicKey.did)],
            "envelope_signers": [.string(signer("envelope").publicKey.did)],
            "gateway_signers": [.string(signer("gateway").publicKey.did)],
            "policy_signers": [.string(signer("policy").publicKey.did)],
            "token_keys": [.string(signer("token").publicKey.did)],
            "approvers": [.string(signer("approver").publicKey.did)],
            "maximum_skew_seconds": 300,
        ]
    }

    static let now = noon.adding(seconds: 3_600)
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Samples")

    static func verify(_ value: JSONValue, at time: Timestamp = now) -> Verification {
        ProofVerifier.verify(JSONWriter.bytes(value), trust: trust, now: time)
    }
}
