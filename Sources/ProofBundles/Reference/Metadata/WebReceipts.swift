import ClawWire
import ReceiptLog

/// `web_receipts`: witnesses' signed word of what a browser session answered. The hosted verifier's check.
enum WebReceipts {
    /// A receipt that holds and is bound.
    private struct Witness {
        let signer: String
        let event: String
        let response: String
        let payload: JSONObject
    }

    /// What the caller asks of witnesses.
    private struct Policy {
        var isEnforced: Bool
        var quorum: (agreeing: Int64, witnesses: Int64)?
        var isMalformed: Bool
        var transparency: String
        var transparencyStart: Int64?

        init(_ options: ReferenceOptions) {
            isEnforced = options.text("witnessed_web_policy_mode") == "enforce"
            func positive(_ key: String) -> Int64? {
                options.members[key]?.integer.flatMap { $0 > 0 ? $0 : nil }
            }
            let agreeing = positive("witnessed_web_quorum_m")
            let witnesses = positive("witnessed_web_quorum_n")
            if let agreeing, let witnesses, agreeing <= witnesses { quorum = (agreeing, witnesses) }
            isMalformed = quorum == nil && (agreeing != nil || witnesses != nil)
            let mode = options.text("witnessed_web_transparency_mode")
            transparency = mode == "warn" || mode == "enforce" ? mode ?? "" : "optional"
            transparencyStart = Loose.milliseconds(options.members["witnessed_web_transparency_required_after"])
        }
    }

    /// Weighs all receipts: signature and binding, then transparency, then agreement of the witnesses of each event.
    ///
    /// - Throws: `EVIDENCE_MISMATCH` when a policy that is enforced is not met; otherwise the receipts do not count.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let entries = context.entries("web_receipts")
        guard context.verifier == .service, !entries.isEmpty else { return }
        let policy = Policy(context.options)
        if policy.isMalformed { context.riskFlags.insert("WITNESS_QUORUM_POLICY_INVALID") }
        let signers = context.options.texts("allowlistedWitnessSignerDids")
        let envelopes = entries.map { AllowedEnvelope($0, schema: ReceiptSchemas.webEnvelope, signers: signers) }
        let witnesses = envelopes.compactMap { $0.flatMap { witness($0, context) } }
        let listed = witnesses.filter { isListed($0, policy, &context) }
        let isUnlisted = listed.count < witnesses.count
        let isSplit = hasConflict(listed, policy, &context)

        if isSplit && policy.isEnforced || isUnlisted && policy.transparency == "enforce" {
            throw ReferenceRefusal(
                "EVIDENCE_MISMATCH", "payload.web_receipts",
                isUnlisted ? "a receipt is not in a log" : "the witnesses do not agree as the quorum asks")
        }
        var counted = listed.count
        if isSplit || isUnlisted && policy.transparency == "warn" {
            counted = 0
            context.riskFlags.insert("WITNESS_POLICY_DEGRADED")
        }
        context.components["web_receipts_count"] = .integer(entries.count)
        context.components["web_receipts_signature_verified_count"] = .integer(envelopes.count { $0 != nil })
        context.components["web_receipts_verified_count"] = .integer(counted)
        context.components["web_receipts_valid"] = .bool(counted == entries.count)
        if witnesses.count < entries.count { context.riskFlags.insert("WEB_RECEIPT_VERIFY_PARTIAL_FAILURE") }
        if context.modelIdentityTier == "unknown", counted > 0 { context.modelIdentityTier = "closed_opaque" }
    }

    private static func witness(_ envelope: AllowedEnvelope, _ context: ReferenceContext) -> Witness? {
        let binding = envelope.payload["binding"]
        guard let run = context.runID, binding?["run_id"] == .string(run),
            let event = Loose.hash(binding?["event_hash_b64u"]), context.eventHashes.contains(event),
            let response = envelope.payload["response_hash_b64u"]?.string
        else { return nil }
        return Witness(signer: envelope.signer, event: event, response: response, payload: envelope.payload)
    }

    // MARK: Transparency

    private static func isListed(_ witness: Witness, _ policy: Policy, _ context: inout ReferenceContext) -> Bool {
        guard policy.transparency != "optional" else { return true }
        if let start = policy.transparencyStart {
            guard let time = Loose.milliseconds(witness.payload["timestamp"]), time >= start else { return true }
        }
        let proof =
            witness.payload["transparency"]?["inclusion_proof"]
            ?? witness.payload["metadata"]?["transparency"]?["inclusion_proof"]
        guard let proof else {
            context.riskFlags.insert("WITNESS_TRANSPARENCY_REQUIRED_MISSING")
            return false
        }
        do throws(LogInclusionProof.Refusal) {
            _ = try LogInclusionProof.verify(proof)
        } catch {
            context.riskFlags.insert("WITNESS_TRANSPARENCY_REQUIRED_INVALID")
            return false
        }
        guard proof["leaf_hash_b64u"] == .string(JSONValue.object(leaf(witness.payload)).documentDigest.b64u) else {
            context.riskFlags.insert("WITNESS_TRANSPARENCY_LEAF_MISMATCH")
            return false
        }
        return true
    }

    /// The leaf under which a log lists a web receipt, with null for what is not there.
    static func leaf(_ payload: JSONObject) -> JSONObject {
        var leaf: JSONObject = ["leaf_version": "web_receipt_v1"]
        let keys = [
            "receipt_version", "receipt_id", "witness_id", "source", "request_hash_b64u", "response_hash_b64u",
            "session_hash_b64u", "timestamp",
        ]
        for key in keys { leaf[key] = payload[key] ?? .null }
        guard let binding = payload["binding"]?.object else {
            leaf["binding"] = .null
            return leaf
        }
        let members = [
            ["run_id"], ["event_hash_b64u"], ["nonce"], ["subject", "subject_did"], ["scope", "scope_hash_b64u"],
            ["job_id"], ["contract_id"], ["jurisdiction"], ["policy_hash"], ["token_scope_hash_b64u"],
        ]
        var bound = JSONObject()
        for names in members {
            if let first = names.first { bound[first] = names.compactMap { binding[$0] }.first ?? .null }
        }
        leaf["binding"] = .object(bound)
        return leaf
    }

    // MARK: Agreement

    /// True when the quorum's policy is malformed, witnesses contradict each other, or too few agree.
    private static func hasConflict(
        _ witnesses: [Witness], _ policy: Policy, _ context: inout ReferenceContext
    ) -> Bool {
        var answers: [String: [String: String]] = [:]
        for witness in witnesses {
            if let earlier = answers[witness.event]?[witness.signer] {
                if earlier != witness.response { context.riskFlags.insert("WITNESS_DUPLICATE_SIGNER_CONFLICT") }
            } else {
                answers[witness.event, default: [:]][witness.signer] = witness.response
            }
        }
        var isSplit = false
        var isShort = false
        for responses in answers.values {
            let counts = Dictionary(grouping: responses.values) { $0 }.mapValues(\.count)
            if counts.count > 1 { isSplit = true }
            if let quorum = policy.quorum,
                responses.count < quorum.witnesses || (counts.values.max() ?? 0) < quorum.agreeing
            {
                isShort = true
            }
        }
        if isSplit { context.riskFlags.insert("WITNESS_CONFLICT_SPLIT_VIEW") }
        if isShort { context.riskFlags.insert("WITNESS_QUORUM_FAILED") }
        return policy.isMalformed || isSplit || isShort
    }
}
