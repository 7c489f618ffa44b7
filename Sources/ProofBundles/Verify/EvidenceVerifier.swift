import ClawWire
import ReceiptLog

/// Checks the evidence of a run: the log first, then everything that rests on it.
struct EvidenceVerifier {
    let trust: TrustConfiguration
    let now: Timestamp
    let root: String
    var list = CheckList()

    private var batches: [Int64: BatchHeader] = [:]
    private(set) var receipts: [LoggedReceipt] = []
    private(set) var sealedAt = Timestamp(seconds: 0)
    private var logSummary: LogSummary?

    init(trust: TrustConfiguration, now: Timestamp, root: String) {
        self.trust = trust
        self.now = now
        self.root = root
    }

    func at(_ path: String) -> String { "\(root).\(path)" }

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
        list.expectWitnesses(checkpoint, of: log, at("log.checkpoint"))
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
            var isGiven = false
            for (place, input) in (entry["inputs"]?.array ?? []).prefix(named).enumerated() {
                guard let document = input["envelope"] else { continue }
                let path = at("approvals[\(index)].inputs[\(place)].envelope")
                do {
                    hashes.insert(try original(document, input, tokens[index], runID))
                    isGiven = true
                    list.pass("APPROVAL", path, "signed by an approver that is trusted")
                } catch {
                    list.fail(error.under(path))
                }
            }
            if !isGiven { noOriginal(tokens[index], at("approvals[\(index)].inputs")) }
        }
        return hashes
    }

    /// Notes that who approved a grant rests on the worker's word: enough for those alone who list no approvers.
    private mutating func noOriginal(_ token: RunToken, _ path: String) {
        guard !trust.approvers.isEmpty else {
            list.pass(
                "APPROVAL_ATTESTED", path,
                "by the worker's word and the log's; no approver is listed whose own signature could be asked for")
            return
        }
        switch token.issuance.receipt?.provenance.authenticity {
        case .confirmed, .topic:
            list.skip(
                "APPROVAL_WITHOUT_SIGNATURE", path,
                "the approval's source signs nothing: that it was given is the word of the source and of the worker")
        case .signed, nil:
            list.skip(
                "APPROVAL_NOT_GIVEN", path,
                "the grant rests on a signed approval, and no envelope that an approver signed is here")
        }
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
    static func check(
        _ receipt: HumanApprovalReceipt, _ token: RunToken, _ runID: String, _ issued: Timestamp
    ) throws(DocumentFault) {
        guard receipt.agentDID == token.subject.agentDID else {
            throw DocumentFault("APPROVAL_FOREIGN", "payload.agent_did", "the approval is for \(receipt.agentDID)")
        }
        if let run = receipt.binding?.runID, !ExactText.equal(run, runID) {
            throw DocumentFault(
                "APPROVAL_FOREIGN", "payload.binding.run_id", "the approval is of run \"\(run.prefix(64))\"")
        }
        for pinned in [receipt.policyHash, receipt.binding?.policyHash].compactMap({ $0 }) {
            guard token.policyHash.map({ HashText($0) == pinned }) ?? false else {
                throw DocumentFault(
                    "APPROVAL_POLICY_MISMATCH", "payload.policy_hash_b64u",
                    "the approval is under the policy \(pinned.text.prefix(64)), the token under "
                        + (token.policyHash?.b64u ?? "none"))
            }
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

    /// Checks the head of the revocations topic, by which a reader of that topic knew that nothing was kept from it. A
    /// run with revocations needs one that is younger than they are.
    private mutating func head(_ value: JSONValue?, _ log: TrustConfiguration.Log) {
        let last = EvidenceWriter.lastEnding(receipts)
        guard let text = value?.string else {
            if let last {
                list.skip(
                    "REVOCATION_HEAD_NOT_GIVEN", at("revocations.head"),
                    "there is a revocation or a control event of \(last), and no signed head of their topic is here")
            }
            return
        }
        do {
            let head = try SignedRevocationHead(
                verifying: Array(text.utf8), logKeys: log.keys, logID: log.logID)
            if let last, head.head.asOf < last {
                list.skip(
                    "REVOCATION_HEAD_OLDER", at("revocations.head"),
                    "the head is as of \(head.head.asOf), and there is a revocation or a control event of \(last)")
            } else {
                list.pass("REVOCATION_HEAD", at("revocations.head"), "as of \(head.head.asOf)")
            }
        } catch {
            list.fail(DocumentFault(error.code.rawValue.uppercased(), at("revocations.head"), error.detail))
        }
    }
}
