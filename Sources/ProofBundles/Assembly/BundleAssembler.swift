public import ClawWire
import ReceiptLog

/// How a run is written down.
public struct AssemblyOptions: Sendable {
    /// `issued_at` of everything that is signed; `nil` is the time at which the last batch was sealed, so that the same
    /// log gives the same bytes whenever it is read.
    public var issuedAt: Timestamp?
    /// The worker, which signs tool receipts and attestations; `nil` is the bundle's signer. It differs where an agent
    /// signs the bundle of its own run.
    public var issuer: (any Ed25519Signer)?
    /// Who co-signs issuances and revocations in the role of the approver; `nil` is the worker itself.
    public var approver: (any Ed25519Signer)?

    /// The log's time, and one signer for all.
    public init() {}
}

/// A run as signed documents.
public struct AssembledRun: Sendable {
    /// `proof_bundle` envelope, version 1.
    public let proofBundle: JSONValue
    /// The export bundle, which holds the proof bundle and, in `metadata.clawgrant`, the evidence.
    public let exportBundle: JSONValue
    /// The evidence alone.
    public let evidence: JSONObject

    /// The export bundle's file: the text that is written, with a newline at its end.
    public var fileBytes: [UInt8] { JSONWriter.bytes(exportBundle, order: .asGiven) + [UInt8(ascii: "\n")] }
}

/// Makes proof bundles (WIRE section 9) of runs; docs/evidence.md describes every member.
///
/// The reference demands that a bundle's `agent_did` be the key that signed it. A bundle that the worker makes bears the
/// worker's envelope key there, and names the agent in `metadata.clawgrant.agent_dids`.
public enum BundleAssembler {
    /// Member of `metadata` that holds what is ours.
    public static let metadataKey = "clawgrant"
    /// Largest `metadata` of a proof bundle, in bytes of its JSON text.
    static let maximumMetadata = 16_384

    /// Most calls that are set aside one by one before all are.
    private static let maximumRefusals = 16

    /// Puts a run in order, and writes and signs its bundles so that the reference accepts them: a call for which one of
    /// its verifiers refuses the bundle is set aside.
    ///
    /// - Throws: what the signers throw.
    public static func assemble(
        _ material: RunMaterial, signer: any Ed25519Signer, options: AssemblyOptions = AssemblyOptions()
    ) throws -> (run: RunRecord, document: AssembledRun) {
        var contradictory: Set<Digest> = []
        while true {
            let run = RunRecord(material, contradictory: contradictory)
            let document = try assemble(run, signer: signer, options: options)
            guard let refused = refusedCall(document.proofBundle, run) else { return (run, document) }
            if contradictory.count < maximumRefusals {
                contradictory.insert(refused.payloadHash)
            } else {
                contradictory.formUnion(run.calls.map(\.payloadHash))
            }
        }
    }

    /// The call that the reference names when it refuses a bundle; `nil` when it accepts it, or names something else.
    private static func refusedCall(_ bundle: JSONValue, _ run: RunRecord) -> GatewayCall? {
        guard !run.calls.isEmpty else { return nil }
        let signers = Set(run.calls.map(\.envelope.signerDID)).sorted()
        let options = ReferenceOptions(["allowlistedReceiptSignerDids": .array(signers.map { .string($0) })])
        let now = Timestamp(rfc3339: bundle["issued_at"]?.string ?? "") ?? run.material.log.sealedAt
        for verifier in ReferenceVerifier.allCases {
            let verdict = verifier.verify(bundle, options: options, now: now)
            guard verdict.status == .invalid, let field = verdict.field, field.hasPrefix("payload.receipts["),
                let index = Int(field.dropFirst("payload.receipts[".count).prefix { $0 != "]" }),
                run.calls.indices.contains(index)
            else { continue }
            return run.calls[index]
        }
        return nil
    }

    /// Writes and signs the bundles of a run.
    ///
    /// - Throws: what the signers throw.
    public static func assemble(
        _ run: RunRecord, signer: any Ed25519Signer, options: AssemblyOptions = AssemblyOptions()
    ) throws -> AssembledRun {
        let issuedAt = options.issuedAt ?? defaultTime(run)
        let agent = signer.publicKey.did
        let issuer = options.issuer ?? signer
        let tools = try toolReceipts(run, agent: agent, signer: issuer, approver: options.approver ?? issuer)
        var evidence = EvidenceWriter(run, issuedAt: issuedAt)
        try evidence.attest(by: issuer)
        let companion = evidence.document(toolReceiptsLeftOut: tools.leftOut)

        let checkpoint = run.material.log.checkpoint.checkpoint
        let name: JSONValue = [
            "job_id": .string(run.runID), "log_id": .string(run.material.log.logID.rawValue),
            "root_b64u": .string(checkpoint.root.b64u), "size": .integer(checkpoint.size),
        ]
        let id = String(name.canonicalDigest.b64u.prefix(22))
        var payload: JSONObject = [
            "bundle_version": "1", "bundle_id": .string("clawgrant-\(id)"), "agent_did": .string(agent),
            "event_chain": .array(run.chain.map(\.json)),
        ]
        if !run.calls.isEmpty { payload["receipts"] = .array(run.calls.map(\.envelope.json)) }
        if !tools.envelopes.isEmpty { payload["tool_receipts"] = .array(tools.envelopes) }
        let approvals = anchored(run, agent: agent)
        if !approvals.isEmpty { payload["human_approval_receipts"] = .array(approvals.map { .object($0) }) }
        payload["metadata"] = [
            metadataKey: .object(
                summary(runID: run.runID, log: LogSummary(run.material.log), tokens: run.tokens, companion))
        ]
        let bundle = try SignedEnvelope.sign(
            type: "proof_bundle", payload: payload, rule: .document, signer: signer, issuedAt: issuedAt)
        let export = try export(
            bundle.json, evidence: companion, id: "clawgrant-\(id)", signer: signer, at: issuedAt)
        return AssembledRun(proofBundle: bundle.json, exportBundle: export, evidence: companion)
    }

    /// The last time that the evidence knows of, so that nothing in it is later than its signature.
    private static func defaultTime(_ run: RunRecord) -> Timestamp {
        run.calls.map(\.timestamp).reduce(run.material.log.sealedAt, max)
    }

    private static func toolReceipts(
        _ run: RunRecord, agent: String, signer: any Ed25519Signer, approver: any Ed25519Signer
    ) throws -> (envelopes: [JSONValue], leftOut: Int) {
        var envelopes: [JSONValue] = []
        var leftOut = 0
        let tokens = Dictionary(
            run.tokens.map { ($0.grant.token.tokenHash, $0) }, uniquingKeysWith: { first, _ in first })
        for logged in run.material.log.receipts {
            let hash: Digest? =
                switch logged.kind {
                case "grant.issued": (logged.document["token"]?["token_hash"]?.string).flatMap { Digest(hex: $0) }
                case "revocation": (logged.document["revocation"]?["token_hash"]?.string).flatMap { Digest(hex: $0) }
                default: nil
                }
            guard let hash, let event = run.eventHashes[logged.position.value] else { continue }
            let token = tokens[hash]
            guard
                let receipt = ToolReceipt(
                    logged, agent: agent, runID: run.runID, eventHash: event, scopeHash: token?.grant.token.scopeHash,
                    policyHash: token?.policyHash)
            else { continue }
            guard envelopes.count < RunRecord.maximumEntries else {
                leftOut += 1
                continue
            }
            envelopes.append(try receipt.sign(by: signer, approver: approver))
        }
        return (envelopes, leftOut)
    }

    /// The approvers' own receipts that the reference takes into a bundle: those of the bundle's agent that name a span
    /// which a gateway receipt declares. The others stand in the evidence alone.
    private static func anchored(_ run: RunRecord, agent: String) -> [JSONObject] {
        let spans = Set(run.calls.flatMap(\.spans))
        return run.material.approvalEnvelopes.sorted { $0.key.description < $1.key.description }
            .compactMap { $0.value["payload"]?.object }
            .filter { payload in
                guard payload["agent_did"]?.string == agent, let binding = payload["binding"]?.object else {
                    return false
                }
                let named =
                    binding["tool_span_id"]?.string ?? binding["parent_span_id"]?.string ?? binding["span_id"]?.string
                return named.map { spans.contains($0) } ?? false
            }
    }

    /// What the proof bundle itself says: whose run it is, and the hash of the evidence.
    static func summary(
        runID: String, log: LogSummary, tokens: [RunToken], _ evidence: JSONObject
    ) -> JSONObject {
        var agents: [String] = []
        for token in tokens {
            if let did = token.subject.agentDID?.rawValue, !agents.contains(did), agents.count < 16 {
                agents.append(did)
            }
        }
        var object: JSONObject = [
            "profile": "clawgrant-run-v1", "job_id": .string(runID),
            "agent_dids": .array(agents.map { .string($0) }), "log_id": .string(log.logID.rawValue),
            "checkpoint_size": .integer(log.size),
            "checkpoint_root_b64u": .string(log.root.b64u),
            "evidence_sha256_b64u": .string(JSONValue.object(evidence).canonicalDigest.b64u),
            "tokens": .array(
                tokens.prefix(16).map { token in
                    var object: JSONObject = [
                        "token_hash": .string(token.grant.token.tokenHash.hex),
                        "jti": .string(token.grant.token.jti.rawValue),
                        "token_scope_hash_b64u": .string(token.grant.token.scopeHash.b64u),
                        "issued_at": .string(token.grant.token.issuedAt.iso8601),
                        "expires_at": .string(token.grant.token.expiresAt.iso8601),
                    ]
                    object["policy_hash_b64u"] = token.policyHash.map { .string($0.b64u) }
                    if token.ending != nil { object["void_from"] = .string(token.voidFrom.iso8601) }
                    return .object(object)
                }),
            "tokens_total": .integer(tokens.count),
        ]
        object["completeness"] = evidence["completeness"]?["summary"]
        // Names come from outside and may be long: the list of tokens gives way first, it stands in the evidence too.
        let rest = maximumMetadata - 64
        if JSONWriter.bytes(.object(object)).count > rest { object["tokens"] = .array([]) }
        if JSONWriter.bytes(.object(object)).count > rest { object["agent_dids"] = .array([]) }
        return object
    }

    private static func export(
        _ bundle: JSONValue, evidence: JSONObject, id: String, signer: any Ed25519Signer, at time: Timestamp
    ) throws -> JSONValue {
        let canonical = JSONWriter.bytes(bundle, order: .canonical)
        var object: JSONObject = [
            "export_version": "1", "export_id": .string(id), "created_at": .string(time.iso8601),
            "issuer_did": .string(signer.publicKey.did),
            "manifest": [
                "manifest_version": "1", "generated_at": .string(time.iso8601),
                "entries": [
                    [
                        "path": "artifacts/proof_bundle_envelope.json",
                        "sha256_b64u": .string(Digest(hashing: canonical).b64u), "content_type": "application/json",
                        "size_bytes": .integer(canonical.count),
                    ]
                ],
            ],
            "artifacts": ["proof_bundle_envelope": bundle], "issued_at": .string(time.iso8601),
            "metadata": [metadataKey: .object(evidence)],
        ]
        let hash = JSONValue.object(object).canonicalDigest.b64u
        object["bundle_hash_b64u"] = .string(hash)
        object["hash_algorithm"] = "SHA-256"
        object["signature_b64u"] = .string(try signer.sign(Array(hash.utf8)).b64u)
        object["algorithm"] = "Ed25519"
        return .object(object)
    }
}

/// A checkpoint as a proof bundle names it.
struct LogSummary {
    let logID: LogID
    let size: UInt64
    let root: Digest

    init(logID: LogID, checkpoint: Checkpoint) {
        self.logID = logID
        size = checkpoint.size
        root = checkpoint.root
    }

    init(_ log: CollectedLog) { self.init(logID: log.logID, checkpoint: log.checkpoint.checkpoint) }
}
