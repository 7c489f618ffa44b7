import ClawWire
import ReceiptLog

/// Checks the evidence of a run: the log first, then everything that rests on it.
struct EvidenceVerifier {
    let trust: TrustConfiguration
    let now: Timestamp
    let root: String
    var list = CheckList()

    private var batches: [Int64: BatchHeader] = [:]
    private var receipts: [LoggedReceipt] = []
    private var sealedAt = Timestamp(seconds: 0)
    private var logSummary: LogSummary?

    init(trust: TrustConfiguration, now: Timestamp, root: String) {
        self.trust = trust
        self.now = now
        self.root = root
    }

    private func at(_ path: String) -> String { "\(root).\(path)" }

    /// Checks what stands by itself; `nil` when there is nothing to build on.
    mutating func check(_ evidence: JSONObject, members: Set<String>) -> RunFacts? {
        for key in evidence.keys where !members.contains(key) {
            list.fail("SCHEMA_VALIDATION_FAILED", at(String(key.prefix(64))), "the evidence has no such member")
        }
        guard evidence["evidence_version"]?.string == "1" else {
            list.fail("UNKNOWN_VERSION", at("evidence_version"), "must be \"1\"")
            return nil
        }
        guard let runID = evidence["run"]?["run_id"]?.string, evidence["run"]?["job_id"]?.string == runID else {
            list.fail("MISSING_REQUIRED_FIELD", at("run.run_id"), "run and job must be named, and be the same")
            return nil
        }
        guard let log = checkLog(evidence["log"]) else { return nil }
        checkReceipts(evidence["receipts"], log)
        let tokens = RunTokens.tokens(in: receipts, jobID: JobID(runID))
        policies(evidence["policies"], tokens)
        let approvals = originals(evidence["approvals"], tokens, runID)
        head(evidence["revocations"]?["head"], log)
        guard let logSummary else { return nil }
        return RunFacts(
            runID: runID, tokens: tokens,
            receipts: Dictionary(receipts.map { ($0.position.value, $0) }, uniquingKeysWith: { first, _ in first }),
            approvals: approvals,
            summary: BundleAssembler.summary(runID: runID, log: logSummary, tokens: tokens, evidence))
    }

    // MARK: The log

    private mutating func checkLog(_ value: JSONValue?) -> TrustConfiguration.Log? {
        let name = value?["log_id"]?.string ?? ""
        guard let log = trust.logs.first(where: { ExactText.equal($0.logID.rawValue, name) }) else {
            list.fail("LOG_UNKNOWN", at("log.log_id"), "\"\(name.prefix(64))\" is none of the trusted logs")
            return nil
        }
        let checkpoint: VerifiedCheckpoint
        do {
            checkpoint = try LogChecks.verify(
                try SignedNote(parsing: value?["checkpoint"]?.string ?? ""), of: log)
        } catch {
            list.fail(DocumentFault(error.code.rawValue.uppercased(), at("log.checkpoint"), error.detail))
            return nil
        }
        list.pass("CHECKPOINT", at("log.checkpoint"), "\(checkpoint.checkpoint.size) batches of \(name)")
        list.expect(
            checkpoint.cosignatures.count >= log.requiredWitnesses, "WITNESSES_MISSING", at("log.checkpoint"),
            "\(checkpoint.cosignatures.count) witnesses cosigned, \(log.requiredWitnesses) are required")
        list.expect(
            value?["size"]?.integer == Int64(clamping: checkpoint.checkpoint.size), "EVIDENCE_MISMATCH",
            at("log.size"), "the checkpoint is of \(checkpoint.checkpoint.size) batches")
        logSummary = LogSummary(logID: log.logID, checkpoint: checkpoint.checkpoint)
        let keys = Set(log.keys.map(\.did))
        for (index, signer) in (value?["signers"]?.array ?? []).prefix(64).enumerated() {
            list.expect(
                signer.string.map { keys.contains($0) } ?? false, "SIGNER_UNKNOWN", at("log.signers[\(index)]"),
                "batches were signed by a key that is not trusted for the log")
        }
        let batches = value?["batches"]?.array ?? []
        guard batches.count <= RunCollector.maximumReceipts else {
            list.fail("LIMIT_EXCEEDED", at("log.batches"), "more than \(RunCollector.maximumReceipts) batches")
            return nil
        }
        for (index, batch) in batches.enumerated() {
            header(batch, "log.batches[\(index)]", checkpoint.checkpoint)
        }
        if let time = value?["sealed_at"]?.string.flatMap({ Timestamp(rfc3339: $0) }) {
            sealedAt = time
            list.expect(
                time <= now.adding(seconds: trust.maximumSkewSeconds), "FUTURE_TIMESTAMP_POISONING",
                at("log.sealed_at"), "the last batch is dated \(time), in the future")
            list.expect(
                self.batches.values.allSatisfy { $0.sealedAt <= time }, "EVIDENCE_MISMATCH", at("log.sealed_at"),
                "a batch was sealed later than the last one")
        } else {
            list.fail("MISSING_REQUIRED_FIELD", at("log.sealed_at"), "a time was expected")
        }
        return log
    }

    private mutating func header(_ value: JSONValue, _ path: String, _ checkpoint: Checkpoint) {
        let bytes = Array((value["header"]?.string ?? "").utf8)
        do {
            let header = try BatchHeader(parsing: bytes)
            guard ExactText.equal(header.logID.rawValue, checkpoint.origin) else {
                list.fail("LOG_MISMATCH", at("\(path).header"), "the batch is of \(header.logID)")
                return
            }
            list.expect(
                value["number"]?.integer == header.number.value, "EVIDENCE_MISMATCH", at("\(path).number"),
                "the header is of batch \(header.number)")
            let proof = digests(value["path"])
            guard let proof,
                RFC9162.verifyInclusion(
                    leafHash: RFC9162.leafHash(bytes), index: UInt64(header.number.value), size: checkpoint.size,
                    path: proof, root: checkpoint.root)
            else {
                list.fail(
                    "INCLUSION_INVALID", at("\(path).path"),
                    "batch \(header.number) is not proven to be in the log of \(checkpoint.size) batches")
                return
            }
            guard batches.updateValue(header, forKey: header.number.value) == nil else {
                list.fail("SPLIT_VIEW", at("\(path).number"), "two batches bear the number \(header.number)")
                return
            }
            list.pass("BATCH_INCLUDED", at(path), "batch \(header.number)")
        } catch {
            list.fail(DocumentFault(error.code.rawValue.uppercased(), at("\(path).header"), error.detail))
        }
    }

    private func digests(_ value: JSONValue?) -> [Digest]? {
        guard let array = value?.array, array.count <= 64 else { return nil }
        let digests = array.compactMap { $0.string.flatMap { Digest(b64u: $0) } }
        return digests.count == array.count ? digests : nil
    }

    // MARK: Receipts

    private mutating func checkReceipts(_ value: JSONValue?, _ log: TrustConfiguration.Log) {
        guard let entries = value?.array, entries.count <= RunCollector.maximumReceipts else {
            list.fail(
                "LIMIT_EXCEEDED", at("receipts"), "a list of at most \(RunCollector.maximumReceipts) was expected")
            return
        }
        for (index, entry) in entries.enumerated() {
            let path = "receipts[\(index)]"
            let bytes = Array((entry["text"]?.string ?? "").utf8)
            guard let number = entry["batch"]?.integer, let header = batches[number] else {
                list.fail("RECEIPT_UNPROVEN", at("\(path).batch"), "the batch is not among those that are proven")
                continue
            }
            guard let place = entry["index"]?.integer, place >= 0, let proof = digests(entry["path"]),
                RFC9162.verifyInclusion(
                    leafHash: RFC9162.leafHash(bytes), index: UInt64(place), size: UInt64(header.count), path: proof,
                    root: header.root)
            else {
                list.fail(
                    "INCLUSION_INVALID", at("\(path).text"), "the receipt is not proven to stand in batch \(number)")
                continue
            }
            let position = header.firstPosition.value + place
            list.expect(
                entry["position"]?.integer == position, "EVIDENCE_MISMATCH", at("\(path).position"),
                "the receipt stands at position \(position)")
            guard let document = (try? JSONReader.parse(bytes))?.object else {
                list.fail("MALFORMED", at("\(path).text"), "the receipt is no JSON")
                continue
            }
            list.expect(
                entry["kind"]?.string == document["kind"]?.string, "EVIDENCE_MISMATCH", at("\(path).kind"),
                "the receipt is of another kind")
            if let last = receipts.last, last.position.value >= position {
                list.fail("RECEIPT_REPEATED", at("\(path).position"), "receipts stand in the order of their positions")
                continue
            }
            let receipt = try? Receipt(parsing: bytes)
            if receipt == nil {
                list.skip("RECEIPT_UNKNOWN", at("\(path).text"), "it stands in the log; its kind is not known here")
            } else {
                list.pass("RECEIPT_INCLUDED", at(path), "position \(position), \(document["kind"]?.string ?? "")")
            }
            if let compatible = entry["log_inclusion_proof"] { compatibleProof(compatible, bytes, path, log) }
            receipts.append(
                LoggedReceipt(
                    position: SequenceNumber(position), batchNumber: header.number, index: Int(place),
                    batchPath: proof, bytes: bytes, document: document, receipt: receipt, compatibleProof: nil))
        }
    }

    private mutating func compatibleProof(
        _ value: JSONValue, _ bytes: [UInt8], _ path: String, _ log: TrustConfiguration.Log
    ) {
        for key in log.keys {
            guard let proof = try? LogInclusionProof.verifyStrictly(value, logKey: key, logID: log.logID) else {
                continue
            }
            list.expect(
                proof.leaf == Digest(hashing: bytes).bytes, "INCLUSION_PROOF_INVALID",
                at("\(path).log_inclusion_proof.leaf_hash_b64u"), "the proof is of another receipt")
            return
        }
        list.fail(
            "INCLUSION_PROOF_INVALID", at("\(path).log_inclusion_proof"), "the proof does not hold under the log's keys"
        )
    }

    // MARK: Policies, approvals, head

    private mutating func policies(_ value: JSONValue?, _ tokens: [RunToken]) {
        let entries = value?.array ?? []
        var known: Set<Digest> = []
        for (index, entry) in entries.enumerated() {
            let path = at("policies[\(index)]")
            guard let hash = entry["policy_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }) else {
                list.fail("MALFORMED", "\(path).policy_hash_b64u", "43 characters of base64url were expected")
                continue
            }
            known.insert(hash)
            guard let envelope = entry["envelope"] else {
                list.skip("POLICY_NOT_GIVEN", path, "the run was under policy \(hash); its document is not here")
                continue
            }
            do {
                let policy = try WPCEnvelope.verify(
                    envelope, expectedHash: hash, signerAllowlist: trust.policySigners)
                list.pass("POLICY", path, "policy \(policy.hash), signed by \(policy.signer.kid)")
            } catch {
                let code = error.code == .signerNotAllowed ? "SIGNER_UNKNOWN" : error.code.rawValue
                list.fail(code, "\(path).envelope.\(error.path)", error.detail)
            }
        }
        for token in tokens {
            guard let hash = token.policyHash, !known.contains(hash) else { continue }
            list.fail("POLICY_MISSING", at("policies"), "a token of the run pins policy \(hash), which is not listed")
            known.insert(hash)
        }
    }

    /// Checks the approvers' own signed receipts; returns the hashes of those that hold.
    private mutating func originals(_ value: JSONValue?, _ tokens: [RunToken], _ runID: String) -> Set<Digest> {
        var hashes: Set<Digest> = []
        for (index, entry) in (value?.array ?? []).enumerated() where index < tokens.count {
            // More inputs than the receipt names are a mismatch, which is found later; none of them is looked at here.
            let named = tokens[index].issuance.receipt?.provenance.inputs.count ?? 0
            for (place, input) in (entry["inputs"]?.array ?? []).prefix(named).enumerated() {
                guard let document = input["envelope"] else { continue }
                let path = at("approvals[\(index)].inputs[\(place)].envelope")
                do {
                    hashes.insert(try original(document, input, tokens[index], runID))
                    list.pass("APPROVAL", path, "signed by an approver that is trusted")
                } catch {
                    list.fail(error.under(path))
                }
            }
        }
        return hashes
    }

    private func original(
        _ document: JSONValue, _ input: JSONValue, _ token: RunToken, _ runID: String
    ) throws(DocumentFault) -> Digest {
        let envelope = try EnvelopeChecks.parse(document, type: HumanApprovalReceipt.envelopeType)
        let issued = token.grant.token.issuedAt
        guard trust.approvers.contains(envelope.signerDID) else {
            throw DocumentFault(
                "APPROVER_UNKNOWN", "signer_did", "\(envelope.signerDID.prefix(80)) is no approver that is trusted")
        }
        try EnvelopeChecks.verify(envelope, signers: trust.approvers, now: issued)
        let hash = SignedEnvelope.HashRule.document.digest(envelope.payload)
        guard input["digest_b64u"]?.string == hash.b64u else {
            throw DocumentFault("EVIDENCE_MISMATCH", "payload_hash_b64u", "the receipt rests on another record")
        }
        let receipt = try EnvelopeChecks.approval(envelope)
        guard receipt.kind == .explicitApprove || receipt.kind == .autoApprove else {
            throw DocumentFault("APPROVAL_DENIED", "payload.approval_type", "\(receipt.kind.rawValue) is no approval")
        }
        try Self.check(receipt, token, runID, issued)
        return hash
    }

    /// Foreign or expired: what the reference does not look at.
    private static func check(
        _ receipt: HumanApprovalReceipt, _ token: RunToken, _ runID: String, _ issued: Timestamp
    ) throws(DocumentFault) {
        guard receipt.agentDID == token.subject.agentDID else {
            throw DocumentFault("APPROVAL_FOREIGN", "payload.agent_did", "the approval is for \(receipt.agentDID)")
        }
        if let run = receipt.binding?.runID, !ExactText.equal(run, runID) {
            throw DocumentFault(
                "APPROVAL_FOREIGN", "payload.binding.run_id", "the approval is of run \"\(run.prefix(64))\"")
        }
        // A token is issued in whole seconds, which may be up to one before the approval that it rests on.
        guard issued.adding(seconds: 1) >= receipt.timestamp else {
            throw DocumentFault(
                "HUMAN_APPROVAL_NOT_YET_VALID", "payload.timestamp", "the token was issued before it, at \(issued)")
        }
        if let ttl = receipt.ttlSeconds, issued > receipt.timestamp.adding(seconds: ttl) {
            throw DocumentFault(
                "HUMAN_APPROVAL_EXPIRED", "payload.minted_capability_ttl_seconds",
                "it could be used until \(receipt.timestamp.adding(seconds: ttl)); the token was issued at \(issued)")
        }
    }

    private mutating func head(_ value: JSONValue?, _ log: TrustConfiguration.Log) {
        guard let text = value?.string else { return }
        do {
            let head = try SignedRevocationHead(
                verifying: Array(text.utf8), logKeys: log.keys, logID: log.logID)
            list.pass("REVOCATION_HEAD", at("revocations.head"), "as of \(head.head.asOf)")
        } catch {
            list.fail(DocumentFault(error.code.rawValue.uppercased(), at("revocations.head"), error.detail))
        }
    }

    // MARK: What follows from the rest

    /// Compares what the evidence says with what follows from the receipts and the calls.
    mutating func compare(_ evidence: JSONObject, _ run: RunFacts, bundle: inout BundleVerifier) {
        compare(
            evidence["tokens"], .array(run.tokens.map { EvidenceWriter.token($0, sealedAt: sealedAt) }), "tokens")
        approvals(evidence["approvals"], run, bundle)
        let aside = setAside(evidence["gateway_receipts"], run, bundle)
        compare(
            evidence["usage"], EvidenceWriter.usage(bound: bundle.calls, unbound: aside, receipts: receipts), "usage")
        compare(evidence["revocations"]?["positions"], EvidenceWriter.endings(receipts), "revocations.positions")
        completeness(evidence)
    }

    /// Names the first places at which two values differ.
    private mutating func compare(_ stated: JSONValue?, _ derived: JSONValue, _ path: String, depth: Int = 0) {
        guard let stated, stated != derived else {
            if stated == nil { list.fail("MISSING_REQUIRED_FIELD", at(path), "the member is missing") }
            return
        }
        if depth < 4, let left = stated.object, let right = derived.object {
            for member in right.members {
                compare(left[member.key], member.value, "\(path).\(member.key)", depth: depth + 1)
            }
            for key in left.keys where !right.contains(key) {
                list.fail("EVIDENCE_MISMATCH", at("\(path).\(key.prefix(64))"), "nothing backs this member")
            }
            if left.count == right.count, left.keys != right.keys {
                list.fail("EVIDENCE_MISMATCH", at(path), "the members stand in another order")
            }
        } else if depth < 4, let left = stated.array, let right = derived.array, left.count == right.count {
            for (index, pair) in zip(left, right).enumerated() where pair.0 != pair.1 {
                compare(pair.0, pair.1, "\(path)[\(index)]", depth: depth + 1)
            }
        } else {
            list.fail("EVIDENCE_MISMATCH", at(path), "the receipts say something else")
        }
    }

    private mutating func approvals(_ value: JSONValue?, _ run: RunFacts, _ bundle: BundleVerifier) {
        guard let entries = value?.array, entries.count == run.tokens.count else {
            list.fail("EVIDENCE_MISMATCH", at("approvals"), "one entry for each of the \(run.tokens.count) tokens")
            return
        }
        let events = Dictionary(bundle.events.map { ($0.id, $0.hash) }, uniquingKeysWith: { first, _ in first })
        for (index, pair) in zip(entries, run.tokens).enumerated() {
            let path = "approvals[\(index)]"
            guard var stated = pair.0.object else {
                list.fail("MALFORMED", at(path), "an object was expected")
                continue
            }
            let attested = stated["attestations"]?.array ?? []
            stated["attestations"] = nil
            stated["inputs"] = stated["inputs"]?.array.map { inputs in
                .array(
                    inputs.map { input in
                        guard var object = input.object else { return input }
                        object["envelope"] = nil
                        return .object(object)
                    })
            }
            compare(.object(stated), .object(EvidenceWriter.approval(pair.1, envelopes: [:])), path)
            list.expect(
                attested.count == pair.1.grant.approverIDs.count, "EVIDENCE_MISMATCH", at("\(path).attestations"),
                "one attestation for each of the \(pair.1.grant.approverIDs.count) approvers")
            let event = events["receipt:\(pair.1.issuance.position)"]
            for (place, attestation) in attested.enumerated() where place < pair.1.grant.approverIDs.count {
                self.attestation(attestation, pair.1, place, event, "\(path).attestations[\(place)]", run.runID)
            }
        }
    }

    private mutating func attestation(
        _ value: JSONValue, _ token: RunToken, _ place: Int, _ event: Digest?, _ path: String, _ runID: String
    ) {
        do throws(DocumentFault) {
            let envelope = try EnvelopeChecks.parse(value, type: HumanApprovalReceipt.envelopeType)
            try EnvelopeChecks.verify(envelope, signers: trust.envelopeSigners, now: token.grant.token.issuedAt)
            let receipt = try EnvelopeChecks.approval(envelope)
            try Self.check(receipt, token, runID, token.grant.token.issuedAt)
            let expected = EvidenceWriter.attestation(of: token, approver: place, event: event, runID: runID).payload
            for member in expected.members where envelope.payload[member.key] != member.value {
                throw DocumentFault(
                    "EVIDENCE_MISMATCH", "payload.\(member.key)", "it is not what the receipt of the grant says")
            }
            list.pass("ATTESTATION", at(path), "the worker's word for \(receipt.approverSubject.prefix(64))")
        } catch {
            list.fail(error.under(at(path)))
        }
    }

    /// Checks that calls are set aside for the reasons that are stated, and whether they are dated within the run.
    private mutating func setAside(
        _ value: JSONValue?, _ run: RunFacts, _ bundle: BundleVerifier
    ) -> [GatewayCall] {
        var ofTheRun: [GatewayCall] = []
        let hashes = Set(bundle.events.map(\.hash))
        guard (value?.array?.count ?? 0) <= CallFilter.maximumCalls else {
            list.fail("LIMIT_EXCEEDED", at("gateway_receipts"), "more than \(CallFilter.maximumCalls) receipts")
            return []
        }
        let taken = Dictionary(
            bundle.calls.map { ($0.receiptID, $0.payloadHash) }, uniquingKeysWith: { first, _ in first })
        for (index, entry) in (value?.array ?? []).enumerated() {
            let path = at("gateway_receipts[\(index)]")
            let call: GatewayCall
            do {
                call = try GatewayCall(entry["envelope"] ?? .null)
            } catch {
                list.fail(error.under("\(path).envelope"))
                continue
            }
            guard let reason = SetAsideCall.Reason(rawValue: entry["reason"]?.string ?? "") else {
                list.fail("MALFORMED", "\(path).reason", "no reason that is known")
                continue
            }
            let isSigned = call.isIntact && trust.gatewaySigners.contains(call.envelope.signerDID)
            let isOfRun = call.runID.map { ExactText.equal($0, run.runID) } ?? false
            let isBound = call.eventHash.map { hashes.contains($0) } ?? false
            switch reason {
            case .signatureInvalid: wrongly(call.isIntact, path)
            case .signerUnknown: wrongly(isSigned, path)
            case .replayed:
                wrongly(taken[call.receiptID].map { $0 == call.payloadHash } ?? false, path)
                if isSigned {
                    list.fail(
                        "CAUSAL_RECEIPT_REPLAY_DETECTED", "\(path).envelope.payload.receipt_id",
                        "the gateway signed two receipts with the identifier \"\(call.receiptID.prefix(64))\"")
                }
            case .otherRun:
                wrongly(isSigned && isOfRun, path)
                if isSigned, run.tokens.contains(where: { $0.grant.token.scopeHash == call.scopeHash }) {
                    list.fail(
                        "CALL_OTHER_RUN", "\(path).envelope.payload.binding.run_id",
                        "a token of this run was used in run \"\(call.runID?.prefix(64) ?? "")\"")
                }
            case .notInChain, .limit:
                ofTheRun.append(call)
                wrongly(!isSigned || !isOfRun || (reason == .notInChain) == isBound, path)
                if CallChecks.check(call, run.tokens, trust, "\(path).envelope", &list), reason == .notInChain {
                    list.skip(
                        "CALL_NOT_BOUND", path, "the call names no entry of the chain; the agent's own chain would tell"
                    )
                }
            }
        }
        return ofTheRun
    }

    private mutating func wrongly(_ isWrong: Bool, _ path: String) {
        if isWrong { list.fail("CALL_WRONGLY_SET_ASIDE", "\(path).reason", "the reason does not hold") }
    }

    private mutating func completeness(_ evidence: JSONObject) {
        let statement = evidence["completeness"]
        let positions = statement?["positions"]?.array ?? []
        let known = Set(receipts.map(\.position.value))
        var stated: Set<Int64> = []
        for (index, value) in positions.prefix(2 * RunCollector.maximumReceipts).enumerated() {
            guard let position = value.integer else {
                list.fail("MALFORMED", at("completeness.positions[\(index)]"), "a position was expected")
                continue
            }
            stated.insert(position)
            list.expect(
                known.contains(position), "RECEIPT_POSITION_MISSING", at("completeness.positions[\(index)]"),
                "the receipt at position \(position) is stated and not here")
        }
        for position in known.sorted() where !stated.contains(position) {
            list.fail(
                "RECEIPT_POSITION_MISSING", at("completeness.positions"),
                "the receipt at position \(position) is here and not stated")
        }
        compare(statement?["counts"], EvidenceWriter.counts(receipts), "completeness.counts")
        let last = statement?["last_position_read"]?.integer
        list.expect(
            last.map { $0 >= (receipts.last?.position.value ?? 0) } ?? false
                && last.map { $0 + 1 } == evidence["log"]?["receipts"]?.integer, "EVIDENCE_MISMATCH",
            at("completeness.last_position_read"), "it is not the last position of the log")
        for (index, missing) in (statement?["missing"]?.array ?? []).enumerated() {
            let code = missing["code"]?.string ?? ""
            list.skip(
                "STATED_MISSING", at("completeness.missing[\(index)]"),
                "\(code.prefix(64)): \(missing["detail"]?.string?.prefix(256) ?? "")")
        }
    }
}
