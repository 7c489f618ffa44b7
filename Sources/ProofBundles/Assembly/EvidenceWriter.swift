import ClawWire
import ReceiptLog

/// Writes the evidence of a run: what a proof bundle has no members for. docs/evidence.md describes it.
///
/// Whatever is hashed stands as a text that holds exactly the hashed bytes, so that a reader needs no canonical form.
struct EvidenceWriter {
    private let run: RunRecord
    private let issuedAt: Timestamp
    private var attestations: [Int64: [JSONValue]] = [:]

    init(_ run: RunRecord, issuedAt: Timestamp) {
        self.run = run
        self.issuedAt = issuedAt
    }

    private var log: CollectedLog { run.material.log }

    /// Signs what the worker says of each approval: who approved which token, by the worker's word.
    mutating func attest(by signer: any Ed25519Signer) throws {
        for token in run.tokens {
            var envelopes: [JSONValue] = []
            for index in token.grant.approverIDs.indices {
                let receipt = Self.attestation(
                    of: token, approver: index, event: run.eventHashes[token.issuance.position.value],
                    runID: run.runID)
                envelopes.append(try receipt.sign(by: signer).json)
            }
            attestations[token.issuance.position.value] = envelopes
        }
    }

    /// The worker's word for one approver of a token. All of it follows from the receipt and the chain.
    static func attestation(
        of token: RunToken, approver index: Int, event: Digest?, runID: String
    ) -> HumanApprovalReceipt {
        let reference = token.grant.token
        var receipt = HumanApprovalReceipt(
            receiptID: "clawgrant:\(token.issuance.document["receipt_id"]?.string ?? ""):\(index)",
            kind: .explicitApprove, approverSubject: token.grant.approverIDs[index].rawValue,
            agentDID: token.subject.agentDID ?? AgentDID(""), scopeHash: HashText(reference.scopeHash),
            timestamp: reference.issuedAt)
        receipt.method = .apiCall
        receipt.policyHash = token.policyHash.map { HashText($0) }
        receipt.mintedCapabilityID = reference.jti
        receipt.ttlSeconds = reference.expiresAt.seconds - reference.issuedAt.seconds
        receipt.binding = HumanApprovalReceipt.Binding(
            runID: runID, eventHash: event.map { HashText($0) },
            policyHash: token.policyHash.map { HashText($0) }, tokenScopeHash: HashText(reference.scopeHash))
        return receipt
    }

    func document(toolReceiptsLeftOut: Int) -> JSONObject {
        let missing = missing(toolReceiptsLeftOut)
        return [
            "evidence_version": "1", "assembled_at": .string(issuedAt.iso8601), "run": runMember, "log": logMember,
            "receipts": .array(log.receipts.map(receipt)), "policies": .array(policies),
            "tokens": .array(run.tokens.map { Self.token($0, sealedAt: log.sealedAt) }),
            "approvals": .array(run.tokens.map(approval)),
            "gateway_receipts": .array(
                run.setAside.map { ["reason": .string($0.reason.rawValue), "envelope": $0.call.envelope.json] }),
            "usage": Self.usage(
                bound: run.calls, unbound: run.setAside.filter { $0.reason.isOfTheRun }.map(\.call),
                receipts: log.receipts), "revocations": revocations, "completeness": completeness(missing),
        ]
    }

    private var runMember: JSONValue {
        var object: JSONObject = ["run_id": .string(run.runID), "job_id": .string(run.runID)]
        object["job_class"] = (run.tokens.first?.subject.jobClass).map { .string($0.rawValue) }
        var agents: [String] = []
        for token in run.tokens {
            if let did = token.subject.agentDID?.rawValue, !agents.contains(did) { agents.append(did) }
        }
        object["agent_dids"] = .array(agents.map { .string($0) })
        object["agent_chain"] = .string(
            run.material.agentEvents.isEmpty ? "none" : run.agentContinuesOurs ? "continues_ours" : "stands_first")
        return .object(object)
    }

    private var logMember: JSONValue {
        [
            "log_id": .string(log.logID.rawValue), "signers": .array(log.signers.map { .string($0.did) }),
            "checkpoint": .string(log.checkpoint.note.encoded), "size": .integer(log.checkpoint.checkpoint.size),
            "receipts": .integer(log.receiptCount), "sealed_at": .string(log.sealedAt.iso8601),
            "batches": .array(
                log.batches.map { batch in
                    [
                        "number": .integer(batch.header.number.value),
                        "header": .string(String(decoding: batch.header.canonicalBytes, as: UTF8.self)),
                        "path": .array(batch.headerPath.map { .string($0.b64u) }),
                    ]
                }),
        ]
    }

    private func receipt(_ logged: LoggedReceipt) -> JSONValue {
        var object: JSONObject = [
            "position": .integer(logged.position.value), "batch": .integer(logged.batchNumber.value),
            "index": .integer(logged.index), "kind": .string(logged.kind), "text": .string(logged.text),
            "path": .array(logged.batchPath.map { .string($0.b64u) }),
        ]
        object["log_inclusion_proof"] = logged.compatibleProof?.json
        return .object(object)
    }

    private var policies: [JSONValue] {
        var hashes: [Digest] = []
        for token in run.tokens {
            if let hash = token.policyHash, !hashes.contains(hash) { hashes.append(hash) }
        }
        return hashes.map { hash in
            var object: JSONObject = ["policy_hash_b64u": .string(hash.b64u)]
            object["envelope"] = run.material.policies[hash]
            return .object(object)
        }
    }

    /// What is said of a token; all of it follows from receipts.
    static func token(_ token: RunToken, sealedAt: Timestamp) -> JSONValue {
        let reference = token.grant.token
        var object: JSONObject = [
            "position": .integer(token.issuance.position.value),
            "request_id": .optional(token.subject.requestID?.rawValue),
            "token_hash": .string(reference.tokenHash.hex), "jti": .string(reference.jti.rawValue),
            "kid": .string(reference.kid.rawValue), "token_scope_hash_b64u": .string(reference.scopeHash.b64u),
            "issued_at": .string(reference.issuedAt.iso8601), "expires_at": .string(reference.expiresAt.iso8601),
        ]
        object["policy_hash_b64u"] = token.policyHash.map { .string($0.b64u) }
        if let claims = token.claims, var known = (try? JSONReader.parse(claims.json))?.object {
            known["nonce"] = nil
            object["claims"] = .object(known)
        }
        if let ending = token.ending {
            object["ended_by"] = .integer(ending.position.value)
            object["ended_by_kind"] = .string(ending.kind)
            object["cause"] = ending.document["revocation"]?["cause"]
        }
        object["void_from"] = .string(token.voidFrom.iso8601)
        let ended = token.ending != nil ? "revoked" : token.voidFrom <= sealedAt ? "expired" : "live"
        object["state_at_checkpoint"] = .string(ended)
        return .object(object)
    }

    private func approval(_ token: RunToken) -> JSONValue {
        var object = Self.approval(token, envelopes: run.material.approvalEnvelopes)
        object["attestations"] = .array(attestations[token.issuance.position.value] ?? [])
        return .object(object)
    }

    /// What is said of the approvals of a token, without what the worker attests.
    static func approval(_ token: RunToken, envelopes: [RecordOrigin: JSONValue]) -> JSONObject {
        let receipt = token.issuance.receipt
        var object: JSONObject = [
            "position": .integer(token.issuance.position.value),
            "approval_ids": .array(token.subject.approvalIDs.map { .string($0.rawValue) }),
            "approver_ids": .array(token.grant.approverIDs.map { .string($0.rawValue) }),
        ]
        object["authenticity"] = (receipt?.provenance.authenticity).map { .string($0.rawValue) }
        object["inputs"] = .array(
            (receipt?.provenance.inputs ?? []).map { input in
                var object: JSONObject = [
                    "digest_b64u": .string(input.digest.b64u), "topic": .string(input.origin.topic),
                    "partition": .integer(input.origin.partition), "offset": .integer(input.origin.offset),
                ]
                object["source"] = input.source.map { .string($0.rawValue) }
                object["envelope"] = envelopes[input.origin]
                return .object(object)
            })
        return object
    }

    /// Sums of calls: of those in the bundle, and of those that name the run and no entry of its chain.
    static func usage(bound: [GatewayCall], unbound: [GatewayCall], receipts: [LoggedReceipt]) -> JSONValue {
        let all = bound + unbound
        var models: [String: (calls: Int64, input: Int64, output: Int64)] = [:]
        for call in all {
            let key = "\(call.provider)/\(call.model)"
            let sum = models[key] ?? (0, 0, 0)
            models[key] = (sum.calls + 1, sum.input + call.tokensInput, sum.output + call.tokensOutput)
        }
        var object: JSONObject = [
            "calls": .integer(all.count), "calls_bound": .integer(bound.count),
            "tokens_input": .integer(all.reduce(0) { $0 + $1.tokensInput }),
            "tokens_output": .integer(all.reduce(0) { $0 + $1.tokensOutput }),
            "models": .array(
                models.sorted { ExactText.precedes($0.key, $1.key) }.map { key, sum in
                    [
                        "model": .string(key), "calls": .integer(sum.calls), "tokens_input": .integer(sum.input),
                        "tokens_output": .integer(sum.output),
                    ]
                }),
        ]
        object["first_at"] = all.map(\.timestamp).min().map { .string($0.iso8601) }
        object["last_at"] = all.map(\.timestamp).max().map { .string($0.iso8601) }
        object["budget_positions"] = positions(receipts) { $0.kind == "budget.reached" }
        object["finding_positions"] = positions(receipts) { $0.kind == "finding.raised" }
        return .object(object)
    }

    private var revocations: JSONValue {
        var object: JSONObject = ["positions": Self.endings(log.receipts)]
        if let head = run.material.revocationHead { object["head"] = .string(String(decoding: head, as: UTF8.self)) }
        return .object(object)
    }

    private static let endingKinds: Set = [
        "revocation", "stop.declared", "stop.lifted", "stop.drilled", "control.applied",
    ]

    /// Positions of revocations and of control events.
    static func endings(_ receipts: [LoggedReceipt]) -> JSONValue {
        positions(receipts) { endingKinds.contains($0.kind) }
    }

    /// When the last revocation or control event was; `nil` where there is none.
    static func lastEnding(_ receipts: [LoggedReceipt]) -> Timestamp? {
        receipts.filter { endingKinds.contains($0.kind) }
            .compactMap { $0.document["occurred_at"]?.string.flatMap { Timestamp(rfc3339: $0) } }.max()
    }

    private static func positions(_ receipts: [LoggedReceipt], _ isWanted: (LoggedReceipt) -> Bool) -> JSONValue {
        .array(receipts.filter(isWanted).map { .integer($0.position.value) })
    }

    /// Number of receipts by kind.
    static func counts(_ receipts: [LoggedReceipt]) -> JSONValue {
        var counts: [String: Int] = [:]
        for receipt in receipts { counts[receipt.kind, default: 0] += 1 }
        return .object(JSONObject(counts.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) }))
    }

    private struct Missing {
        let code: String
        let count: Int
        let detail: String

        var json: JSONValue { ["code": .string(code), "count": .integer(count), "detail": .string(detail)] }
    }

    private func missing(_ toolReceiptsLeftOut: Int) -> [Missing] {
        var missing: [Missing] = []
        func note(_ code: String, _ count: Int, _ detail: String) {
            if count > 0 { missing.append(Missing(code: code, count: count, detail: detail)) }
        }
        note("RECEIPTS_LEFT_OUT", log.leftOut, "receipts of the run stand in the log and not here: there were too many")
        note("TOOL_RECEIPTS_LEFT_OUT", toolReceiptsLeftOut, "issuances or revocations have no tool receipt here")
        note("EVENTS_LEFT_OUT", run.eventsLeftOut, "entries had no room in the chain")
        note("POLICY_NOT_FOUND", policies.filter { $0["envelope"] == nil }.count, "no envelope of the WPC was found")
        note(
            "APPROVALS_NOT_FOUND", run.material.approvalsNotFound,
            "records on which grants rest are not in their topics any more")
        note(
            "CLAIMS_NOT_DERIVED", run.tokens.filter { $0.claims == nil }.count,
            "the receipt does not say all that the token's scope hash covers")
        note("CALLS_UNREADABLE", run.material.unreadableCalls, "gateway receipts could not be read")
        note("CALLS_SET_ASIDE", run.setAside.count, "gateway receipts are no full evidence of the run")
        let leaves = LoggedCalls.leaves(log.receipts)
        if !leaves.isEmpty {
            let (lost, unlogged) = LoggedCalls.differences(leaves, run.calls + run.setAside.map(\.call))
            note("CALLS_NOT_IN_LOG", unlogged.count, "gateway receipts have no receipt of the log")
            note(
                LoggedCalls.notFound, lost.count, "the log has gateway receipts whose envelopes were not found")
        }
        note(
            "REVOCATION_HEAD_NOT_FOUND", run.material.lacksRevocationHead ? 1 : 0,
            "no signed head of the revocations topic was found that is younger than the run's last revocation")
        if run.tokens.isEmpty { note("NO_TOKEN", 1, "the log holds no issuance for the job") }
        return missing
    }

    private func completeness(_ missing: [Missing]) -> JSONValue {
        return [
            "statement": .string(
                "Batches 0 to \(log.checkpoint.checkpoint.size - 1) of \(log.logID) were read and verified. The listed "
                    + "positions are all receipts in them that name the job, and the control events after the first of "
                    + "them that cover it."),
            "log_id": .string(log.logID.rawValue), "first_position_read": 0,
            "last_position_read": .integer(log.receiptCount - 1),
            "positions": .array(log.receipts.map { .integer($0.position.value) }),
            "counts": Self.counts(log.receipts),
            "missing": .array(missing.map(\.json)),
            "summary": [
                "receipts": .integer(log.receipts.count), "left_out": .integer(log.leftOut),
                "last_position_read": .integer(log.receiptCount - 1),
                "missing": .array(missing.map { .string($0.code) }),
            ],
        ]
    }
}
