import ClawWire
import ReceiptLog

/// The attestations that stand in an export bundle beside the proof bundle.
struct AttachedAttestations {
    let options: ReferenceOptions

    func check(_ bundle: JSONObject) throws(ReferenceRefusal) {
        let artifacts = bundle["artifacts"]
        let proof = artifacts?["proof_bundle_envelope"]
        let proofHash = proof?["payload_hash_b64u"]
        for kind in ExportVerifier.attestationKinds {
            let key = "\(kind)_attestation_envelopes"
            for (index, envelope) in (artifacts?[key]?.array ?? []).enumerated() {
                try checkEnvelope(envelope.object ?? [:], kind: kind)
                let payload = envelope["payload"]
                let field = "artifacts.\(key)[\(index)].payload"
                if kind == "execution" {
                    try checkExecution(payload, of: proof, field: field)
                } else if let hash = payload?["execution"]?["proof_bundle_hash_b64u"], hash.string?.isEmpty == false,
                    hash != proofHash
                {
                    throw ReferenceRefusal(
                        "HASH_MISMATCH", "\(field).execution.proof_bundle_hash_b64u", "about another bundle")
                }
            }
        }
    }

    private func checkEnvelope(_ envelope: JSONObject, kind: String) throws(ReferenceRefusal) {
        try EnvelopeCheck.checkSigner(envelope)
        let signer = envelope["signer_did"]?.string ?? ""
        let optionNames = [
            "execution": "allowlistedExecutionAttestationSignerDids",
            "derivation": "allowlistedDerivationAttestationSignerDids",
            "audit_result": "allowlistedAuditResultAttestationSignerDids",
        ]
        guard let allowed = optionNames[kind].flatMap({ options.texts($0) }), !allowed.isEmpty else {
            throw ReferenceRefusal(
                "DEPENDENCY_NOT_CONFIGURED", "env.\(kind.uppercased())_ATTESTATION_SIGNER_DIDS", "no signer is known")
        }
        guard ExactText.contains(allowed, signer) else {
            throw ReferenceRefusal("CLAIM_NOT_FOUND", "signer_did", "the signer is not a known one")
        }
        let payload = envelope["payload"] ?? .null
        if kind == "execution" {
            guard isExecution(payload) else {
                throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", "payload", "no execution attestation")
            }
            guard payload["attester_did"] == .string(signer) else {
                throw ReferenceRefusal("SIGNATURE_INVALID", "payload.attester_did", "the attester did not sign")
            }
        }
        do throws(ReferenceRefusal) {
            try EnvelopeCheck.checkHashAndSignature(of: envelope)
        } catch {
            guard kind == "execution" else { throw error }
            let fields = ["HASH_MISMATCH": "payload_hash_b64u", "SIGNATURE_INVALID": "signature_b64u"]
            throw ReferenceRefusal(error.code, error.field ?? fields[error.code], error.detail)
        }
        if let proof = payload["clawlogs"]?["inclusion_proof"], kind != "execution" { try checkInclusion(proof) }
    }

    private func checkInclusion(_ proof: JSONValue) throws(ReferenceRefusal) {
        do throws(LogInclusionProof.Refusal) {
            _ = try LogInclusionProof.verify(proof)
        } catch {
            throw ReferenceRefusal(error.code.rawValue, error.field, error.detail)
        }
    }

    private func isExecution(_ payload: JSONValue) -> Bool {
        func isDID(_ key: String) -> Bool { payload[key]?.string.map(ReferenceText.isDID) ?? false }
        guard payload["attestation_version"] == "1", ReferenceText.isFilled(payload["attestation_id"]?.string),
            payload["execution_type"] == "sandbox_execution" || payload["execution_type"] == "tee_execution",
            isDID("agent_did"), isDID("attester_did"), ReferenceText.isFilled(payload["run_id"]?.string),
            let hash = payload["proof_bundle_hash_b64u"]?.string, hash.utf8.count >= 8, ReferenceText.isBase64URL(hash),
            ReferenceDate.milliseconds(payload["issued_at"]) != nil
        else { return false }
        return payload["expires_at"].map { ReferenceDate.milliseconds($0) != nil } ?? true
    }

    private func checkExecution(
        _ payload: JSONValue?, of proof: JSONValue?, field: String
    ) throws(ReferenceRefusal) {
        func check(_ key: String, _ expected: JSONValue?) throws(ReferenceRefusal) {
            guard payload?[key] == expected else {
                throw ReferenceRefusal("HASH_MISMATCH", "\(field).\(key)", "about another bundle")
            }
        }
        try check("proof_bundle_hash_b64u", proof?["payload_hash_b64u"])
        if let run = proof?["payload"]?["event_chain"]?.array?.first?["run_id"] { try check("run_id", run) }
        try check("agent_did", proof?["payload"]?["agent_did"])
    }
}
