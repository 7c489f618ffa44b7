import ClawWire
import ReceiptLog

/// The documents that are verified by themselves.
struct SingleDocuments {
    let trust: TrustConfiguration
    let now: Timestamp
    var list = CheckList()

    init(trust: TrustConfiguration, now: Timestamp) {
        self.trust = trust
        self.now = now
    }

    // MARK: The log

    private func log(_ name: String) -> TrustConfiguration.Log? {
        trust.logs.first { ExactText.equal($0.logID.rawValue, name) }
    }

    mutating func batch(_ bytes: [UInt8]) {
        // A file ends in a newline where a record does not.
        var record = bytes
        while let last = record.last, last == 0x0A || last == 0x0D { record.removeLast() }
        guard !trust.logs.isEmpty else {
            list.fail("LOG_UNKNOWN", "header.log_id", "no log is trusted")
            return
        }
        var fault: EvidenceError?
        for log in trust.logs {
            do {
                let batch = try VerifiedBatch(
                    parsing: record, previous: nil, logID: log.logID, logKeys: log.keys, depth: .receipts)
                list.isProven = true
                let header = batch.header
                list.pass(
                    "BATCH", "",
                    "batch \(header.number) of \(header.logID): \(header.count) receipts from position "
                        + "\(header.firstPosition), signed by \(batch.signer.kid)")
                if batch.checkpoint == nil {
                    list.skip("CHECKPOINT_MISSING", "checkpoint", "the batch came without a checkpoint")
                } else {
                    list.pass("CHECKPOINT", "checkpoint", "signed, for the size of the log after the batch")
                }
                if log.requiredWitnesses > 0 {
                    list.skip(
                        "WITNESSES_MISSING", "checkpoint",
                        "\(log.requiredWitnesses) witnesses are required, and a batch is published before any of them "
                            + "can cosign it; give a cosigned checkpoint")
                }
                if header.number.value == 0 {
                    let isGenesis = header.previousHeaderHash == LogTail.genesis(of: header.logID)
                    list.expect(
                        isGenesis, "CHAIN_BROKEN", "header.previous_header_hash_b64u",
                        "the first batch of the log names another beginning")
                }
                return
            } catch {
                if fault == nil || error.code != .logMismatch { fault = error }
            }
        }
        if let fault { list.fail(DocumentFault(fault)) }
    }

    /// Verifies a checkpoint; `nil` when it does not hold.
    @discardableResult
    mutating func checkpoint(_ text: String, _ path: String) -> VerifiedCheckpoint? {
        do {
            let note = try SignedNote(parsing: text)
            let checkpoint = try Checkpoint(parsing: note.text)
            guard let log = log(checkpoint.origin) else {
                list.fail("LOG_UNKNOWN", path, "\"\(checkpoint.origin.prefix(64))\" is none of the trusted logs")
                return nil
            }
            let verified = try LogChecks.verify(note, of: log)
            list.isProven = true
            list.pass("CHECKPOINT", path, "\(checkpoint.size) batches of \(checkpoint.origin)")
            list.expectWitnesses(verified, of: log, path)
            return verified
        } catch {
            list.fail(DocumentFault(error).under(path))
        }
        return nil
    }

    mutating func checkpoints(_ value: JSONValue) {
        let first = checkpoint(value["first"]?.string ?? "", "first")
        let second = checkpoint(value["second"]?.string ?? "", "second")
        guard let first, let second else { return }
        let texts = value["path"]?.array ?? []
        let path = texts.prefix(66).compactMap { $0.string.flatMap { Digest(b64u: $0) } }
        guard texts.count <= 65, path.count == texts.count else {
            list.fail("MALFORMED", "path", "at most 65 digests in base64url were expected")
            return
        }
        do {
            try first.verifyPrefix(of: second, path: path)
            list.pass(
                "CONSISTENT", "path",
                "size \(first.checkpoint.size) is the beginning of size \(second.checkpoint.size)")
        } catch {
            let isSplit =
                first.checkpoint.size == second.checkpoint.size
                && first.checkpoint.origin
                    == second.checkpoint.origin
            list.fail(isSplit ? "SPLIT_VIEW" : "CONSISTENCY_INVALID", "path", error.detail)
        }
    }

    mutating func inclusion(_ value: JSONValue) {
        let document = value["proof"] ?? value
        let at = value["proof"] == nil ? "" : "proof"
        let proof: InclusionProof
        do {
            proof = try InclusionProof(parsing: JSONWriter.bytes(document, order: .canonical))
        } catch {
            list.fail(DocumentFault(error).under(at))
            return
        }
        guard let log = log(proof.header.logID.rawValue) else {
            list.fail("LOG_UNKNOWN", "\(at).header.log_id", "\(proof.header.logID) is none of the trusted logs")
            return
        }
        let receipt: [UInt8]
        switch value["receipt"] {
        case .some(.string(let text)): receipt = Array(text.utf8)
        case .some(.object(let object)): receipt = JSONWriter.bytes(.object(object), order: .canonical)
        default:
            list.skip("RECEIPT_NOT_GIVEN", "receipt", "give {\"receipt\": …, \"proof\": …}: the proof is of a receipt")
            if (try? LogChecks.verify(proof.checkpoint, of: log)) == nil {
                list.fail("SIGNATURE_INVALID", "\(at).checkpoint", "the checkpoint is not signed by a key of the log")
            }
            return
        }
        do {
            let verified = try LogChecks.verify(proof, receipt: receipt, of: log)
            list.isProven = true
            list.pass("INCLUDED", at, "the receipt stands at position \(verified.position) of \(verified.logID)")
            list.expectWitnesses(verified.checkpoint, of: log, at.isEmpty ? "checkpoint" : "\(at).checkpoint")
        } catch {
            list.fail(DocumentFault(error).under(at))
        }
        if (try? Receipt(parsing: receipt)) == nil {
            list.skip("RECEIPT_UNKNOWN", "receipt", "the receipt is in the log, and of no kind that is known here")
        }
    }

    mutating func compatibleProof(_ value: JSONValue) {
        guard let name = value["log_id"]?.string, let log = log(name) else {
            list.fail("LOG_UNKNOWN", "log_id", "the log is none of the trusted ones")
            return
        }
        var fault: LogInclusionProof.Refusal?
        for key in log.keys {
            do {
                let proof = try LogInclusionProof.verifyStrictly(value, logKey: key, logID: log.logID)
                list.isProven = true
                list.pass(
                    "INCLUDED", "", "leaf \(proof.leafIndex) of \(proof.treeSize); log, size and time are signed")
                return
            } catch { fault = error }
        }
        if let fault { list.fail(fault.code.rawValue, fault.field ?? "", fault.detail) }
    }

    mutating func receipt(_ bytes: [UInt8]) {
        var record = bytes
        while let last = record.last, last == 0x0A || last == 0x0D { record.removeLast() }
        do {
            let receipt = try Receipt(parsing: record)
            list.pass("RECEIPT", "", "\(receipt.content.kind.rawValue) \(receipt.id)")
            list.skip("UNSIGNED", "", "a receipt is not signed by itself; give it with its inclusion proof")
        } catch {
            list.fail(DocumentFault(error))
        }
    }

    mutating func grant(_ bytes: [UInt8]) {
        var record = bytes
        while let last = record.last, last == 0x0A || last == 0x0D { record.removeLast() }
        do {
            let published = try PublishedGrant(parsing: record)
            list.pass("GRANT", "", "a grant for job \(published.grant.jobID)")
            list.skip("UNSIGNED", "proof", "the proof of a grant ends at its batch; give the export bundle of the run")
        } catch {
            list.fail(DocumentFault(error))
        }
    }

    mutating func revocationHead(_ bytes: [UInt8]) {
        var record = bytes
        while let last = record.last, last == 0x0A || last == 0x0D { record.removeLast() }
        var fault: EvidenceError?
        for log in trust.logs {
            do {
                let head = try SignedRevocationHead(verifying: record, logKeys: log.keys, logID: log.logID)
                list.isProven = true
                list.pass("REVOCATION_HEAD", "", "everything below \(head.head.nextSequence) as of \(head.head.asOf)")
                return
            } catch {
                if fault == nil || error.code != .logMismatch { fault = error }
            }
        }
        list.fail(fault.map { DocumentFault($0) } ?? DocumentFault("LOG_UNKNOWN", "log_id", "no log is trusted"))
    }

    // MARK: Tokens and envelopes

    mutating func token(_ text: String) {
        let keys = trust.acceptedKeys
        do {
            let token = try CST.parse(text)
            let rules = CSTVerification.strict(audiences: nil, maximumSkewSeconds: trust.maximumSkewSeconds)
            let verified = try CST.verify(token, keys: keys, now: now, rules: rules)
            list.isProven = true
            list.pass("TOKEN", "", "token \(verified.hash), valid until \(verified.claims.expires)")
            list.skip(
                "REVOCATION_NOT_CHECKED", "",
                "whether it is revoked only `clawgrant token check` can tell, from the topic")
        } catch {
            list.fail(error.code.rawValue, "", error.message)
        }
    }

    mutating func policy(_ value: JSONValue) {
        guard let hash = value["payload_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }) else {
            list.fail("WPC_ENVELOPE_INVALID", "payload_hash_b64u", "43 characters of base64url were expected")
            return
        }
        do {
            let policy = try WPCEnvelope.verify(value, expectedHash: hash, signerAllowlist: trust.policySigners)
            list.isProven = true
            list.pass("POLICY", "", "policy \(policy.hash), signed by \(policy.signer.kid)")
        } catch {
            list.fail(error.code.rawValue, error.path, error.detail)
        }
    }

    mutating func gatewayReceipt(_ value: JSONValue) {
        do {
            let call = try GatewayCall(value)
            try EnvelopeChecks.verify(call.envelope, signers: trust.gatewaySigners, now: now)
            list.isProven = true
            list.pass("GATEWAY_RECEIPT", "", "call \(call.receiptID) of \(call.provider)/\(call.model)")
            if let proof = call.strippedProof { attachedProof(proof) }
            list.expect(
                call.timestamp <= now.adding(seconds: trust.maximumSkewSeconds), "FUTURE_TIMESTAMP_POISONING",
                "payload.timestamp", "the receipt is dated \(call.timestamp), in the future")
        } catch {
            list.fail(error)
        }
    }

    /// Verifies who signed a tool receipt; what it says follows from a receipt of the log, which it does not hold.
    mutating func toolReceipt(_ value: JSONValue) {
        let bundle = BundleVerifier(trust: trust, now: now, prefix: "")
        do {
            _ = try bundle.signedToolReceipt(value)
            list.isProven = true
            list.pass("TOOL_RECEIPT", "", "\(value["payload"]?["tool_name"]?.string?.prefix(64) ?? "")")
            list.skip(
                "EVIDENCE_NOT_GIVEN", "payload.binding", "the entry that it names is in the export bundle of its run")
        } catch {
            list.fail(error)
        }
    }

    /// Refuses what the reference refuses; each member has to be verified by itself.
    mutating func aggregate(_ value: JSONValue) {
        let signers = trust.gatewaySigners.sorted().map { JSONValue.string($0) }
        let options = ReferenceOptions(["allowlistedReceiptSignerDids": .array(signers)])
        if let refusal = ExportVerifier(options: options, now: now).verify(aggregate: value).refusal {
            list.fail(refusal.code, refusal.field ?? "", refusal.detail)
        }
        list.skip("MEMBERS_NOT_CHECKED", "payload.artifacts.member_bundles", "give each of the bundles by itself")
    }

    /// Refuses what the reference refuses; no list of the trust configuration is of keys that sign commits.
    mutating func commitSignature(_ value: JSONValue) {
        let verdict = ReferenceCommandLine.verify(commitSignature: value)
        if !verdict.passes { list.fail(verdict.reasonCode, "", "the signed reference to a commit does not hold") }
        list.skip(
            "SIGNER_NOT_LISTED", "did", "the signature fits the key that the document names; whose it is, is open")
    }

    /// Weighs a log proof that the gateway put into the payload after signing it.
    private mutating func attachedProof(_ value: JSONValue) {
        let path = "payload.metadata.log_inclusion_proof"
        do {
            let proof = try LogInclusionProof.verify(value)
            if trust.gatewaySigners.contains(proof.signerDID) {
                list.pass("LOG_PROOF", path, "leaf \(proof.leafIndex) of \(proof.treeSize), root signed by the gateway")
            } else {
                list.skip(
                    "UNSIGNED_PROOF", path,
                    "the proof is not under the receipt's signature, and nobody who is trusted signed its root")
            }
        } catch {
            list.fail(error.code.rawValue, error.field.map { "\(path).\($0)" } ?? path, error.detail)
        }
    }

    mutating func approval(_ value: JSONValue) {
        do {
            let envelope = try EnvelopeChecks.parse(value, type: HumanApprovalReceipt.envelopeType)
            let isWorkers =
                !trust.approvers.contains(envelope.signerDID) && trust.envelopeSigners.contains(envelope.signerDID)
            try EnvelopeChecks.verify(
                envelope, signers: isWorkers ? trust.envelopeSigners : trust.approvers, now: now)
            let receipt = try EnvelopeChecks.approval(envelope)
            list.isProven = true
            if isWorkers {
                list.pass(
                    "ATTESTATION", "",
                    "the worker's word for \(receipt.kind.rawValue) by \(receipt.approverSubject), not the approver's own"
                )
                return
            }
            list.pass("APPROVAL", "", "\(receipt.kind.rawValue) by \(receipt.approverSubject)")
            if let ttl = receipt.ttlSeconds, now > receipt.timestamp.adding(seconds: ttl) {
                list.fail(
                    "HUMAN_APPROVAL_EXPIRED", "payload.minted_capability_ttl_seconds",
                    "it could be used until \(receipt.timestamp.adding(seconds: ttl))")
            }
        } catch {
            list.fail(error)
        }
    }
}

extension CheckList {
    /// Demands that as many witnesses cosigned a checkpoint as the trust configuration asks for.
    mutating func expectWitnesses(_ checkpoint: VerifiedCheckpoint, of log: TrustConfiguration.Log, _ path: String) {
        let count = checkpoint.witnessCount
        expect(
            count >= log.requiredWitnesses, "WITNESSES_MISSING", path,
            "\(count) witnesses cosigned, \(log.requiredWitnesses) are required")
    }
}

/// Checks of a log by any of its keys.
enum LogChecks {
    static func verify(_ note: SignedNote, of log: TrustConfiguration.Log) throws(EvidenceError) -> VerifiedCheckpoint {
        var fault = EvidenceError(.signerUnknown, "checkpoint", "no key of the log is trusted")
        for key in log.keys {
            do {
                return try VerifiedCheckpoint(note, logKey: key, logID: log.logID, witnesses: log.witnesses)
            } catch { fault = error }
        }
        throw fault
    }

    static func verify(
        _ proof: InclusionProof, receipt: [UInt8], of log: TrustConfiguration.Log
    ) throws(EvidenceError) -> InclusionProof.Verified {
        var fault = EvidenceError(.signerUnknown, "checkpoint", "no key of the log is trusted")
        for key in log.keys {
            do {
                return try proof.verify(
                    receipt: receipt, logKey: key, logID: log.logID, witnesses: log.witnesses)
            } catch { fault = error }
        }
        throw fault
    }
}

/// Checks of envelopes, with faults that name the place.
enum EnvelopeChecks {
    static func parse(_ value: JSONValue, type: String) throws(DocumentFault) -> SignedEnvelope {
        do {
            return try SignedEnvelope.parse(value, type: type)
        } catch {
            throw DocumentFault(error.code.rawValue, error.field ?? "", error.detail)
        }
    }

    /// Verifies an envelope in document order; a signer that is not listed is `SIGNER_UNKNOWN`.
    static func verify(
        _ envelope: SignedEnvelope, signers: Set<String>, now: Timestamp
    ) throws(DocumentFault) {
        guard signers.contains(where: { ExactText.equal($0, envelope.signerDID) }) else {
            throw DocumentFault(
                "SIGNER_UNKNOWN", "signer_did",
                "\(envelope.signerDID.prefix(80)) is not trusted for \(envelope.type)")
        }
        do {
            _ = try envelope.verify(rule: .document, signers: signers, now: now)
        } catch {
            throw DocumentFault(error.code.rawValue, error.field ?? "", error.detail)
        }
    }

    static func approval(_ envelope: SignedEnvelope) throws(DocumentFault) -> HumanApprovalReceipt {
        do {
            return try HumanApprovalReceipt.parse(envelope.payload)
        } catch {
            throw DocumentFault("SCHEMA_VALIDATION_FAILED", "payload", error.detail)
        }
    }
}

extension DocumentFault {
    init(_ error: EvidenceError) { self.init(error.code.rawValue.uppercased(), error.path, error.detail) }
}
