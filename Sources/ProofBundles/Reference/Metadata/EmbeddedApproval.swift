import ClawWire

/// What a human approval inside a data handling receipt must be (WIRE section 8.5).
struct EmbeddedApproval {
    private static let malformed = "MALFORMED_ENVELOPE"
    private static let mismatch = "EVIDENCE_MISMATCH"

    /// The bundle's agent.
    let agent: String
    /// The run of the data handling receipt.
    let run: JSONValue?
    /// The chain's event hashes.
    let events: Set<String>
    /// Hash of the scope that was asked for.
    let scope: String
    /// The policy in force.
    let policy: String
    /// When the data was handled, in milliseconds since 1970.
    let time: Int64?
    /// The approver that the data handling receipt names.
    let signer: JSONValue?

    /// Verifies an approval's envelope: an approving decision for this agent, policy and scope, valid at the time, bound
    /// to this run and chain where it is bound at all, and signed by the approver named. Nothing says who may approve.
    ///
    /// - Returns: the envelope's `payload_hash_b64u`.
    func check(_ value: JSONValue?, at path: String) throws(ReferenceRefusal) -> String {
        guard let object = value?.object else { throw ReferenceRefusal(Self.malformed, path, "must be an object") }
        let envelope = Part(members: object, path: path)
        try envelope.require(
            envelope["envelope_version"] == "1" && envelope["envelope_type"] == "human_approval_receipt",
            Self.malformed, "envelope_type", "must be human_approval_receipt of version 1")
        try envelope.require(
            envelope["hash_algorithm"] == "SHA-256" && envelope["algorithm"] == "Ed25519", Self.malformed, "algorithm",
            "must be SHA-256 and Ed25519")
        guard let hash = Loose.base64URL(envelope["payload_hash_b64u"]),
            let signature = Loose.base64URL(envelope["signature_b64u"]),
            let signedBy = Loose.did(envelope["signer_did"])
        else {
            throw envelope.refusal(Self.malformed, "payload_hash_b64u", "hash, signature or signer is malformed")
        }
        try envelope.require(.string(signedBy) == signer, Self.mismatch, "signer_did", "is another approver")
        let payload = try envelope.part("payload", else: Self.malformed)
        try checkDecision(payload)
        try checkTime(payload)
        try checkBinding(payload)
        try EvidenceEnvelope.verify(envelope, payload: payload, hash: hash, signature: signature, signer: signedBy)
        return hash
    }

    private func checkDecision(_ payload: Part) throws(ReferenceRefusal) {
        try payload.constant("receipt_version", "1", else: Self.malformed)
        try payload.filled("approver_subject", else: Self.malformed)
        try payload.require(
            payload["approval_type"] == "explicit_approve" || payload["approval_type"] == "auto_approve",
            Self.mismatch, "approval_type", "is no approval")
        try payload.constant("agent_did", agent, else: Self.mismatch)
        try payload.constant("policy_hash_b64u", policy, else: Self.mismatch)
        try payload.constant("scope_hash_b64u", scope, else: Self.mismatch)
    }

    private func checkTime(_ payload: Part) throws(ReferenceRefusal) {
        guard let start = Loose.milliseconds(payload["timestamp"]), payload["hash_algorithm"] == "SHA-256",
            let seconds = Loose.count(payload["minted_capability_ttl_seconds"]), seconds > 0
        else {
            throw payload.refusal(
                Self.malformed, "minted_capability_ttl_seconds", "time, hash algorithm or lifetime is malformed")
        }
        let (length, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        let end = overflow ? Int64.max : start.addingReportingOverflow(length).partialValue
        let isOpenEnded = overflow || end < start
        try payload.require(
            time.map { $0 >= start && (isOpenEnded || $0 <= end) } == true, Self.mismatch, "timestamp",
            "was not valid when the data was handled")
    }

    private func checkBinding(_ payload: Part) throws(ReferenceRefusal) {
        guard let object = payload["binding"]?.object else { return }
        let binding = Part(members: object, path: payload.field("binding"))
        if let named = binding["run_id"] {
            try binding.require(named == run, Self.mismatch, "run_id", "is another run")
        }
        if let named = binding["event_hash_b64u"] {
            try binding.require(
                named.string.map(events.contains) == true, Self.mismatch, "event_hash_b64u",
                "is no event of the chain")
        }
        if let named = binding["policy_hash"] {
            try binding.require(named == .string(policy), Self.mismatch, "policy_hash", "is another policy")
        }
    }
}
