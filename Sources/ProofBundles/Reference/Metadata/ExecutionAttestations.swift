import ClawWire

/// `execution_attestations` in the caller's options: sandboxes' or enclaves' signed word that they ran this bundle's
/// run. The hosted verifier's check.
enum ExecutionAttestations {
    private static let path = "execution_attestations"

    /// Weighs all attestations.
    ///
    /// - Throws: for an enclave's attestation whatever is wrong with it; for every attestation `REVOKED`.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        guard context.verifier == .service, let attestations = context.options.members[path]?.array,
            !attestations.isEmpty
        else { return }
        var verified = 0
        var measured = 0
        for (index, attestation) in attestations.enumerated() {
            let isMeasured = attestation["payload"]?["execution_type"] == "tee_execution"
            do throws(ReferenceRefusal) {
                try ExecutionAttestation(attestation, context.options).check()
            } catch {
                if error.code == "REVOKED" { throw ReferenceRefusal("REVOKED", "\(path)[\(index)]", error.detail) }
                if isMeasured { throw error }
                context.riskFlags.insert("EXECUTION_ATTESTATION_VERIFY_PARTIAL_FAILURE")
                continue
            }
            if let member = foreignMember(attestation, context) {
                if isMeasured {
                    throw ReferenceRefusal(
                        "EVIDENCE_MISMATCH", "\(path)[\(index)].payload.\(member)", "is not this bundle's")
                }
                context.riskFlags.insert("EXECUTION_ATTESTATION_BINDING_MISMATCH")
                continue
            }
            verified += 1
            if isMeasured { measured += 1 }
        }
        context.components["execution_attestations_count"] = .integer(attestations.count)
        context.components["execution_attestations_verified_count"] = .integer(verified)
        context.components["execution_attestations_valid"] = .bool(verified == attestations.count)
        context.components["tee_execution_verified_count"] = .integer(measured)
        if measured > 0 { context.modelIdentityTier = "tee_measured" }
    }

    /// The member by which an attestation is another bundle's; `nil` when it is this one's.
    private static func foreignMember(_ attestation: JSONValue, _ context: ReferenceContext) -> String? {
        let payload = attestation["payload"]
        if payload?["agent_did"] != .string(context.agentDID) { return "agent_did" }
        guard let run = context.runID, payload?["run_id"] == .string(run) else { return "run_id" }
        return payload?["proof_bundle_hash_b64u"] == context.envelope?["payload_hash_b64u"]
            ? nil : "proof_bundle_hash_b64u"
    }
}

/// One execution attestation's envelope.
struct ExecutionAttestation {
    private let envelope: JSONObject
    private let payload: JSONObject
    private let options: ReferenceOptions

    private static let tee = SchemaRule.object(
        ObjectRule(
            [
                "attestation_type": .choice([
                    "sgx_quote", "tdx_quote", "sev_snp_report", "nitro_attestation_doc", "generic_tee",
                ]), "root_id": .name, "tcb_version": .name, "nonce_binding_b64u": .hash,
                "evidence_ref": .object(
                    ObjectRule(
                        ["resource_type": .name, "resource_hash_b64u": .hash, "uri": .anyText],
                        required: ["resource_type", "resource_hash_b64u"])),
                "measurements": .object(
                    ObjectRule(
                        [
                            "measurement_hash_b64u": .hash, "runtime_digest_b64u": .hash,
                            "kernel_digest_b64u": .hash, "model_weights_digest_b64u": .hash,
                        ], required: ["measurement_hash_b64u"])),
                "tcb": .openObject, "metadata": .openObject,
            ], required: ["attestation_type", "root_id", "tcb_version", "evidence_ref", "measurements"]))

    private static let schema = SchemaRule.envelope(
        "execution_attestation",
        payload: .object(
            ObjectRule(
                [
                    "attestation_version": .constant("1"), "attestation_id": .name,
                    "execution_type": .choice(["sandbox_execution", "tee_execution"]), "agent_did": .did,
                    "attester_did": .did, "run_id": .anyText, "proof_bundle_hash_b64u": .hash,
                    "harness": .openObject,
                    "runtime_metadata": .object(ObjectRule(["tee": tee], required: [], others: .any)),
                    "issued_at": .dateTime, "expires_at": .dateTime, "metadata": .openObject,
                ],
                required: [
                    "attestation_version", "attestation_id", "execution_type", "agent_did", "attester_did", "issued_at",
                ])), expires: false)

    /// Reads an attestation.
    init(_ value: JSONValue, _ options: ReferenceOptions) throws(ReferenceRefusal) {
        guard let envelope = value.object, SchemaRule.envelopeMembers.allSatisfy({ envelope.contains($0) }) else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", nil, "is no envelope")
        }
        try EnvelopeCheck.checkKinds(envelope, type: "execution_attestation")
        if let field = Self.schema.firstBreach(in: value) {
            throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", field, "breaks the schema")
        }
        self.envelope = envelope
        self.payload = envelope["payload"]?.object ?? [:]
        self.options = options
    }

    private func isAllowed(_ value: String, by key: String, _ field: String, code: String) throws(ReferenceRefusal) {
        guard let allowed = options.texts(key), !allowed.isEmpty else {
            throw ReferenceRefusal("DEPENDENCY_NOT_CONFIGURED", "env.\(code)", "nobody is allowed")
        }
        guard ExactText.contains(allowed, value) else {
            throw ReferenceRefusal("CLAIM_NOT_FOUND", field, "is not allowed")
        }
    }

    /// Verifies signer, form, hash, signature and, of an enclave, root, firmware and nonce.
    func check() throws(ReferenceRefusal) {
        try EnvelopeCheck.checkSigner(envelope)
        let signer = envelope["signer_did"]?.string ?? ""
        try isAllowed(
            signer, by: "allowlistedExecutionAttestationSignerDids", "signer_did",
            code: "EXECUTION_ATTESTATION_SIGNER_DIDS")
        guard Loose.did(payload["agent_did"]) != nil, Loose.did(payload["attester_did"]) != nil,
            Loose.filled(payload["run_id"]) != nil, Loose.hash(payload["proof_bundle_hash_b64u"]) != nil
        else { throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", "payload", "lacks agent, attester, run or bundle") }
        guard payload["attester_did"] == .string(signer) else {
            throw ReferenceRefusal("SIGNATURE_INVALID", "payload.attester_did", "is not the signer")
        }
        let part = Part(members: envelope, path: "")
        do throws(ReferenceRefusal) {
            try EvidenceEnvelope.verify(
                part, payload: Part(members: payload, path: "payload"),
                hash: envelope["payload_hash_b64u"]?.string ?? "",
                signature: envelope["signature_b64u"]?.string ?? "", signer: signer)
        } catch {
            throw ReferenceRefusal(error.code, error.field.map { String($0.drop { $0 == "." }) }, error.detail)
        }
        if payload["execution_type"] == "tee_execution" { try checkEnclave() }
    }

    private func checkEnclave() throws(ReferenceRefusal) {
        let path = "payload.runtime_metadata.tee"
        let tee = payload["runtime_metadata"]?["tee"]
        guard let root = Loose.filled(tee?["root_id"]).map(ExactText.trimmed),
            let firmware = Loose.filled(tee?["tcb_version"]).map(ExactText.trimmed),
            let nonce = Loose.hash(tee?["nonce_binding_b64u"]),
            Loose.hash(tee?["measurements"]?["model_weights_digest_b64u"]) != nil
        else { throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", path, "lacks root, version, nonce or measurement") }
        for key in ["Root", "Tcb"] where (options.texts("tee\(key)Allowlist") ?? []).isEmpty {
            throw ReferenceRefusal(
                "DEPENDENCY_NOT_CONFIGURED", "env.TEE_ATTESTATION_\(key.uppercased())_ALLOWLIST", "nothing is allowed")
        }
        for (key, value, member) in [("Root", root, "root_id"), ("Tcb", firmware, "tcb_version")]
        where ExactText.contains(options.texts("tee\(key)Revoked") ?? [], value) {
            throw ReferenceRefusal("REVOKED", "\(path).\(member)", "is revoked")
        }
        for (key, value, member) in [("Root", root, "root_id"), ("Tcb", firmware, "tcb_version")] {
            try isAllowed(
                value, by: "tee\(key)Allowlist", "\(path).\(member)",
                code: "TEE_ATTESTATION_\(key.uppercased())_ALLOWLIST")
        }
        let binding: JSONValue = [
            "nonce_binding_version": "tee_nonce_binding_v1", "agent_did": payload["agent_did"] ?? .null,
            "run_id": payload["run_id"] ?? .null,
            "proof_bundle_hash_b64u": payload["proof_bundle_hash_b64u"] ?? .null,
        ]
        guard binding.documentDigest.b64u == nonce else {
            throw ReferenceRefusal("EVIDENCE_MISMATCH", "\(path).nonce_binding_b64u", "is another run's or bundle's")
        }
    }
}
