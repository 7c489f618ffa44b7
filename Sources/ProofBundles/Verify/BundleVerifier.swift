import ClawWire
import ReceiptLog

/// What is known of a run from its evidence, when a proof bundle is checked inside its export bundle.
struct RunFacts {
    /// The run.
    let runID: String
    /// The tokens, as the receipts have them.
    let tokens: [RunToken]
    /// The receipts that are proven to stand in the log, by position.
    let receipts: [Int64: LoggedReceipt]
    /// Hashes of the payloads of approvals that a trusted approver signed.
    let approvals: Set<Digest>
    /// What `metadata.clawgrant` of the proof bundle must say.
    let summary: JSONObject
}

/// Checks a proof bundle: envelope, chain, gateway receipts, tool receipts, approvals.
struct BundleVerifier {
    let trust: TrustConfiguration
    let now: Timestamp
    let prefix: String
    var list = CheckList()
    /// The chain's entries, once it was found whole.
    private(set) var events: [RunEvent] = []
    private var entries: [Digest: RunEvent] = [:]
    /// The calls among the receipts that hold.
    private(set) var calls: [GatewayCall] = []

    init(trust: TrustConfiguration, now: Timestamp, prefix: String) {
        self.trust = trust
        self.now = now
        self.prefix = prefix
    }

    private static let members: Set<String> = [
        "bundle_version", "bundle_id", "agent_did", "urm", "event_chain", "receipts", "attestations", "tool_receipts",
        "side_effect_receipts", "human_approval_receipts", "delegation_receipts", "web_receipts", "vir_receipts",
        "coverage_attestations", "rate_limit_claims", "metadata",
    ]

    /// Entries that are the assembler's word alone: there is no signature to check.
    private static let unsignedKinds = [
        "side_effect_receipts", "delegation_receipts", "web_receipts", "vir_receipts", "coverage_attestations",
        "rate_limit_claims", "attestations", "urm",
    ]

    private func at(_ path: String) -> String {
        prefix.isEmpty ? path : path.isEmpty ? prefix : "\(prefix).\(path)"
    }

    /// Checks a bundle.
    ///
    /// - Parameters:
    ///   - value: the envelope.
    ///   - run: what the evidence says; `nil` when the bundle was handed in alone.
    mutating func check(_ value: JSONValue, run: RunFacts?) {
        guard value["envelope_type"] != nil else {
            list.fail(
                "UNSIGNED_PAYLOAD", at(""), "a bundle without an envelope: nothing of it is signed, whatever it says")
            return
        }
        let envelope: SignedEnvelope
        do {
            envelope = try EnvelopeChecks.parse(value, type: "proof_bundle")
        } catch {
            list.fail(error.under(prefix))
            return
        }
        do {
            try EnvelopeChecks.verify(envelope, signers: trust.bundleSigners, now: expiryBound)
            list.isProven = true
            list.pass("BUNDLE_SIGNED", at("signature_b64u"), "signed by \(envelope.signerDID)")
        } catch {
            list.fail(error.under(prefix))
        }
        if let issued = Timestamp(rfc3339: envelope.issuedAt) {
            list.expect(
                issued <= now.adding(seconds: trust.maximumSkewSeconds), "FUTURE_TIMESTAMP_POISONING",
                at("issued_at"), "the bundle is dated \(envelope.issuedAt), in the future")
        }
        payload(envelope, run)
        reference(value)
    }

    /// `expires_at` may lie in the past by the skew.
    private var expiryBound: Timestamp { now.adding(seconds: -trust.maximumSkewSeconds) }

    private mutating func payload(_ envelope: SignedEnvelope, _ run: RunFacts?) {
        let payload = envelope.payload
        for key in payload.keys where !Self.members.contains(key) {
            list.fail("SCHEMA_VALIDATION_FAILED", at("payload.\(key.prefix(64))"), "a bundle has no such member")
        }
        list.expect(
            payload["bundle_version"]?.string == "1", "UNKNOWN_VERSION", at("payload.bundle_version"), "must be \"1\"")
        list.expect(
            payload["agent_did"]?.string.map { ExactText.equal($0, envelope.signerDID) } ?? false,
            "PROOF_BUNDLE_AGENT_MISMATCH", at("payload.agent_did"), "the bundle is signed by another than its agent")
        for key in Self.members {
            guard let entries = payload[key]?.array, entries.count > RunRecord.maximumEntries else { continue }
            list.fail(
                "LIMIT_EXCEEDED", at("payload.\(key)"),
                "\(entries.count) entries; a bundle has at most \(RunRecord.maximumEntries)")
            return
        }
        if let metadata = payload["metadata"] {
            list.expect(
                JSONWriter.bytes(metadata).count <= BundleAssembler.maximumMetadata, "LIMIT_EXCEEDED",
                at("payload.metadata"), "more than \(BundleAssembler.maximumMetadata) bytes")
        }
        for key in Self.unsignedKinds where payload.contains(key) {
            list.skip("UNSIGNED_ENTRIES", at("payload.\(key)"), "the word of the bundle's signer, and nothing else")
        }
        chain(payload, run)
        let agent = envelope.signerDID
        gatewayReceipts(payload, run)
        toolReceipts(payload, agent, run)
        approvals(payload, run)
        summary(payload, run)
    }

    /// Nothing is valid here that one of the reference's verifiers refuses.
    private mutating func reference(_ value: JSONValue) {
        for key in (value["payload"]?["metadata"]?.object ?? [:]).keys where key != BundleAssembler.metadataKey {
            list.skip(
                "UNSIGNED_ENTRIES", at("payload.metadata.\(key.prefix(64))"),
                "the word of the bundle's signer, and nothing else")
        }
        let signers = trust.gatewaySigners.sorted().map { JSONValue.string($0) }
        let options = ReferenceOptions([
            "allowlistedReceiptSignerDids": .array(signers),
            "ttlSkewMs": .integer(trust.maximumSkewSeconds * 1_000),
        ])
        var told = Set(list.checks.filter { $0.outcome == .failed }.map(\.code))
        for verifier in ReferenceVerifier.allCases {
            let verdict = verifier.verify(value, options: options, now: now)
            guard let refusal = verdict.refusal, told.insert(refusal.code).inserted else { continue }
            let path = at(refusal.field ?? "")
            if Self.unconfigured.contains(refusal.code) {
                list.skip(refusal.code, path, refusal.detail)
            } else {
                list.fail(
                    refusal.code, path, "the reference's \(verifier.rawValue) verifier refuses it: \(refusal.detail)")
            }
        }
    }

    /// Refusals of the reference that speak of what was not handed over with the bundle.
    private static let unconfigured: Set<String> = ["URM_MISSING", "DEPENDENCY_NOT_CONFIGURED"]

    // MARK: Chain

    private mutating func chain(_ payload: JSONObject, _ run: RunFacts?) {
        guard let entries = payload["event_chain"]?.array, !entries.isEmpty else {
            list.fail("MISSING_REQUIRED_FIELD", at("payload.event_chain"), "the bundle has no event chain")
            return
        }
        do {
            events = try RunEvent.chain(entries)
            self.entries = Dictionary(events.map { ($0.hash, $0) }, uniquingKeysWith: { first, _ in first })
            list.pass("EVENT_CHAIN", at("payload.event_chain"), "\(events.count) entries, each names the one before")
        } catch {
            list.fail(error.code.rawValue, at("payload.event_chain[\(error.index)]"), error.detail)
            return
        }
        guard let run else { return }
        if let first = events.first {
            list.expect(
                ExactText.equal(first.runID, run.runID), "EVENT_RUN_MISMATCH", at("payload.event_chain[0].run_id"),
                "the chain is of run \"\(first.runID.prefix(64))\", the evidence of \"\(run.runID.prefix(64))\"")
        }
        var standing: Set<Int64> = []
        for (index, event) in events.enumerated() {
            let path = at("payload.event_chain[\(index)]")
            if let position = Int64(event.id, after: "receipt:") {
                guard let receipt = run.receipts[position] else {
                    list.fail("EVENT_UNPROVEN", path, "no receipt at position \(position) is in the evidence")
                    continue
                }
                standing.insert(position)
                list.expect(
                    event.payloadHash == receipt.digest && event.type == RunChain.type(of: receipt)
                        && event.timestamp == receipt.document["occurred_at"]?.string, "EVENT_MISMATCH", path,
                    "the entry says something else than the receipt at position \(position)")
            } else if event.id.hasPrefix("evidence:") {
                let parts = event.id.split(separator: ":")
                guard parts.count == 3, let position = Int64(parts[1]), let input = Int(parts[2]),
                    let inputs = run.receipts[position]?.receipt?.provenance.inputs, inputs.indices.contains(input),
                    inputs[input].digest == event.payloadHash
                else {
                    list.fail("EVENT_MISMATCH", path, "the receipt names no such evidence")
                    continue
                }
            }
        }
        for receipt in run.receipts.values.sorted(by: { $0.position < $1.position })
        where RunChain.type(of: receipt) != nil && !standing.contains(receipt.position.value) {
            list.fail(
                "EVENT_MISSING", at("payload.event_chain"),
                "the receipt at position \(receipt.position) (\(receipt.kind)) has no entry in the chain")
        }
    }

    // MARK: Calls

    private mutating func gatewayReceipts(_ payload: JSONObject, _ run: RunFacts?) {
        guard let entries = payload["receipts"] else { return }
        guard let entries = entries.array else {
            list.fail("MALFORMED_ENVELOPE", at("payload.receipts"), "a list was expected")
            return
        }
        var seen: [String: Digest] = [:]
        for (index, entry) in entries.enumerated() {
            let path = at("payload.receipts[\(index)]")
            let call: GatewayCall
            do {
                call = try GatewayCall(entry)
                try EnvelopeChecks.verify(call.envelope, signers: trust.gatewaySigners, now: expiryBound)
            } catch {
                list.fail(error.under(path))
                continue
            }
            if call.strippedProof != nil {
                list.fail(
                    "HASH_MISMATCH", "\(path).payload.metadata",
                    "a log proof was put into the payload after it was signed; take it out")
            }
            if let other = seen.updateValue(call.payloadHash, forKey: call.receiptID), other != call.payloadHash {
                list.fail(
                    "CAUSAL_RECEIPT_REPLAY_DETECTED", "\(path).payload.receipt_id",
                    "another receipt has the identifier \"\(call.receiptID.prefix(64))\"")
            }
            calls.append(call)
            var isBound = list.expect(
                call.runID.map { id in events.first.map { ExactText.equal($0.runID, id) } ?? false } ?? false,
                "RECEIPT_BINDING_MISMATCH", "\(path).payload.binding.run_id", "the call is of another run")
            isBound =
                list.expect(
                    call.eventHash.map { self.entries[$0] != nil } ?? false, "RECEIPT_BINDING_MISMATCH",
                    "\(path).payload.binding.event_hash_b64u", "the call names no entry of the chain") && isBound
            let isInTime = run.map { CallChecks.check(call, $0.tokens, trust, path, &list) } ?? true
            if isBound, isInTime { list.pass("GATEWAY_RECEIPT", path, "call \(call.receiptID) of \(call.timestamp)") }
        }
    }

    // MARK: Tool receipts

    private mutating func toolReceipts(_ payload: JSONObject, _ agent: String, _ run: RunFacts?) {
        guard let value = payload["tool_receipts"] else { return }
        guard let entries = value.array else {
            list.fail("MALFORMED_ENVELOPE", at("payload.tool_receipts"), "a list was expected")
            return
        }
        for (index, entry) in entries.enumerated() {
            let path = at("payload.tool_receipts[\(index)]")
            do {
                try toolReceipt(entry, agent, run)
                list.pass("TOOL_RECEIPT", path, "\(entry["payload"]?["tool_name"]?.string?.prefix(64) ?? "")")
            } catch {
                list.fail(error.under(path))
            }
        }
    }

    private static let maximumCoSignatures = 16
    private static let envelopeMembers: Set<String> = [
        "envelope_version", "envelope_type", "payload", "payload_hash_b64u", "hash_algorithm", "signature_b64u",
        "algorithm", "signer_did", "issued_at", "expires_at", "co_signatures",
    ]

    private func toolReceipt(_ entry: JSONValue, _ agent: String, _ run: RunFacts?) throws(DocumentFault) {
        let payload = try signedToolReceipt(entry)
        guard payload["agent_did"]?.string.map({ ExactText.equal($0, agent) }) ?? false else {
            throw DocumentFault("PROOF_BUNDLE_AGENT_MISMATCH", "payload.agent_did", "the receipt is another agent's")
        }
        try binding(payload, run)
    }

    /// Verifies form, hash, signatures and expiry of a tool receipt; returns its payload.
    func signedToolReceipt(_ entry: JSONValue) throws(DocumentFault) -> JSONObject {
        guard let object = entry.object, let payload = object["payload"]?.object else {
            throw DocumentFault("UNSIGNED_RECEIPT", "", "a tool receipt without an envelope is nobody's word")
        }
        for key in object.keys where !Self.envelopeMembers.contains(key) {
            throw DocumentFault("SCHEMA_VALIDATION_FAILED", String(key.prefix(64)), "an envelope has no such member")
        }
        guard object["envelope_type"]?.string == ToolReceipt.envelopeType, object["algorithm"]?.string == "Ed25519",
            object["hash_algorithm"]?.string == "SHA-256",
            object["envelope_version"]?.string == payload["receipt_version"]?.string
        else { throw DocumentFault("MALFORMED_ENVELOPE", "envelope_type", "no tool receipt of a known version") }
        let hash = JSONValue.object(payload).documentDigest.b64u
        guard object["payload_hash_b64u"]?.string == hash else {
            throw DocumentFault("HASH_MISMATCH", "payload_hash_b64u", "the payload has another hash")
        }
        try signature(object, hash, trust.envelopeSigners, "", "SIGNATURE_INVALID")
        let others = object["co_signatures"]?.array ?? []
        guard others.count <= Self.maximumCoSignatures else {
            throw DocumentFault("LIMIT_EXCEEDED", "co_signatures", "more than \(Self.maximumCoSignatures)")
        }
        for (index, co) in others.enumerated() {
            guard let co = co.object else {
                throw DocumentFault("MALFORMED_ENVELOPE", "co_signatures[\(index)]", "an object was expected")
            }
            try signature(
                co, hash, trust.envelopeSigners.union(trust.approvers), "co_signatures[\(index)].",
                "CO_SIGNATURE_INVALID")
        }
        if let expiry = object["expires_at"] {
            guard let time = expiry.string.flatMap({ Timestamp(rfc3339: $0) }), time > expiryBound else {
                throw DocumentFault("EXPIRED_TTL", "expires_at", "the receipt has expired")
            }
        }
        return payload
    }

    private func signature(
        _ object: JSONObject, _ hash: String, _ signers: Set<String>, _ path: String, _ code: String
    ) throws(DocumentFault) {
        let did = object["signer_did"]?.string ?? ""
        guard signers.contains(where: { ExactText.equal($0, did) }), let key = Ed25519PublicKey(did: did) else {
            throw DocumentFault("SIGNER_UNKNOWN", "\(path)signer_did", "\"\(did.prefix(80))\" is not trusted for it")
        }
        guard let signature = object["signature_b64u"]?.string.flatMap({ Ed25519Signature(b64u: $0) }),
            key.isValidSignature(signature, for: Array(hash.utf8))
        else { throw DocumentFault(code, "\(path)signature_b64u", "the signature is not \(key.kid)'s") }
    }

    private func binding(_ payload: JSONObject, _ run: RunFacts?) throws(DocumentFault) {
        let binding = payload["binding"]
        guard let id = binding?["run_id"]?.string, let first = events.first, ExactText.equal(first.runID, id) else {
            throw DocumentFault("RECEIPT_BINDING_MISMATCH", "payload.binding.run_id", "it is of another run")
        }
        guard let hash = binding?["event_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }),
            let event = entries[hash]
        else {
            throw DocumentFault(
                "RECEIPT_BINDING_MISMATCH", "payload.binding.event_hash_b64u", "it names no entry of the chain")
        }
        guard let run else { return }
        guard let position = Int64(event.id, after: "receipt:"), let receipt = run.receipts[position] else {
            throw DocumentFault(
                "RECEIPT_BINDING_MISMATCH", "payload.binding.event_hash_b64u", "the entry stands for no receipt")
        }
        let token = run.tokens.first { token in
            token.issuance.position == receipt.position
                || receipt.document["revocation"]?["token_hash"]?.string == token.grant.token.tokenHash.hex
        }
        let expected = ToolReceipt(
            receipt, agent: payload["agent_did"]?.string ?? "", runID: id, eventHash: hash,
            scopeHash: token?.grant.token.scopeHash, policyHash: token?.policyHash)
        guard let expected else {
            throw DocumentFault("EVIDENCE_MISMATCH", "payload.tool_name", "the receipt is no issuance or revocation")
        }
        for member in expected.payload.members where payload[member.key] != member.value {
            throw DocumentFault(
                "EVIDENCE_MISMATCH", "payload.\(member.key)",
                "it is not what the receipt at position \(position) says")
        }
        guard payload.count == expected.payload.count else {
            throw DocumentFault("EVIDENCE_MISMATCH", "payload", "it has members that no receipt backs")
        }
    }

    // MARK: Approvals and summary

    private mutating func approvals(_ payload: JSONObject, _ run: RunFacts?) {
        for (index, entry) in (payload["human_approval_receipts"]?.array ?? []).enumerated() {
            let path = at("payload.human_approval_receipts[\(index)]")
            guard let run, run.approvals.contains(entry.documentDigest) else {
                list.fail("APPROVAL_UNSIGNED", path, "no signature by a trusted approver is known for this approval")
                continue
            }
            list.pass("APPROVAL", path, "its signed original is in the evidence")
        }
    }

    private mutating func summary(_ payload: JSONObject, _ run: RunFacts?) {
        guard let stated = payload["metadata"]?[BundleAssembler.metadataKey]?.object else {
            if run != nil {
                list.fail("MISSING_REQUIRED_FIELD", at("payload.metadata.clawgrant"), "the bundle names no evidence")
            }
            return
        }
        guard let run else {
            list.skip(
                "EVIDENCE_NOT_GIVEN", at("payload.metadata.clawgrant"),
                "the evidence is in the export bundle; give that")
            return
        }
        let path = at("payload.metadata.clawgrant")
        for member in run.summary.members where stated[member.key] != member.value {
            let code = member.key == "evidence_sha256_b64u" ? "EVIDENCE_HASH_MISMATCH" : "EVIDENCE_MISMATCH"
            list.fail(code, "\(path).\(member.key)", "it is not what the evidence says")
        }
        for key in stated.keys where !run.summary.contains(key) {
            list.fail("EVIDENCE_MISMATCH", "\(path).\(key.prefix(64))", "the evidence says nothing of it")
        }
    }
}

/// Whether a call was made under a living token of the run.
enum CallChecks {
    /// Notes what is wrong and returns whether nothing is.
    static func check(
        _ call: GatewayCall, _ tokens: [RunToken], _ trust: TrustConfiguration, _ path: String,
        _ list: inout CheckList
    ) -> Bool {
        let binding = "\(path).payload.binding"
        guard let scope = call.scopeHash else {
            list.fail("CALL_SCOPE_MISSING", "\(binding).token_scope_hash_b64u", "the call names no token scope")
            return false
        }
        let candidates = tokens.filter { $0.grant.token.scopeHash == scope }
        guard !candidates.isEmpty else {
            list.fail(
                "CALL_SCOPE_UNKNOWN", "\(binding).token_scope_hash_b64u",
                "no token of the run has this scope hash: the call was made with another token")
            return false
        }
        if call.policyHash == nil, let pinned = candidates.first(where: { $0.policyHash != nil })?.policyHash {
            list.pass(
                "GATEWAY_POLICY_UNSTATED", "\(binding).policy_hash",
                "the token is under the policy \(pinned); the gateway does not say which one it enforced")
        }
        if let policy = call.policyHash, !candidates.contains(where: { $0.policyHash == policy }) {
            list.fail(
                "POLICY_HASH_MISMATCH", "\(binding).policy_hash", "the run's tokens pin another policy than the call's")
            return false
        }
        return isAlive(candidates, at: call.timestamp, trust, "\(path).payload.timestamp", &list)
    }

    /// Notes when none of some tokens was alive at the time of a call.
    static func isAlive(
        _ candidates: [RunToken], at called: Timestamp, _ trust: TrustConfiguration, _ time: String,
        _ list: inout CheckList
    ) -> Bool {
        // Receipts say the second in which a token was issued, gateways the millisecond of a call.
        if candidates.contains(where: { $0.grant.token.issuedAt <= called && called < $0.voidFrom }) {
            return true
        }
        guard
            let last = candidates.filter({ $0.grant.token.issuedAt <= called }).max(by: {
                $0.voidFrom < $1.voidFrom
            })
        else {
            let first = candidates.map(\.grant.token.issuedAt).min() ?? called
            if called.adding(seconds: trust.maximumSkewSeconds) >= first { return true }
            list.fail("RECEIPT_BEFORE_ISSUANCE", time, "the call is dated \(called), the token \(first)")
            return false
        }
        let code = last.ending != nil ? "RECEIPT_AFTER_REVOCATION" : "RECEIPT_AFTER_EXPIRY"
        list.fail(code, time, "the call is dated \(called); its token was void from \(last.voidFrom)")
        return false
    }
}

extension Int64 {
    /// The number behind a prefix; `nil` for any other text.
    init?(_ text: String, after prefix: String) {
        guard text.hasPrefix(prefix), let number = Int64(text.dropFirst(prefix.count)),
            String(number) == text.dropFirst(prefix.count)
        else { return nil }
        self = number
    }
}
