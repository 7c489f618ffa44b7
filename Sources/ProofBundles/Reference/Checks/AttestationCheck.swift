import ClawWire

/// The check of `attestations`. It never refuses: an attestation counts or does not.
enum AttestationCheck {
    private static let members: Set<String> = [
        "attestation_id", "attestation_type", "attester_did", "subject_did", "expires_at", "signature_b64u",
    ]

    static func check(_ context: inout ReferenceContext) {
        let attestations = context.entries("attestations")
        guard !attestations.isEmpty else { return }
        let allowed = context.options.attesters ?? []
        let agent = context.agentDID
        var signed = 0
        var verified = 0
        for attestation in attestations {
            guard let object = attestation.object, isWellFormed(object, context.wallClock), isSigned(object) else {
                continue
            }
            signed += 1
            let attester = object["attester_did"]?.string ?? ""
            if ExactText.contains(allowed, attester), object["subject_did"] == .string(agent) { verified += 1 }
        }
        context.components["attestations_count"] = .integer(attestations.count)
        context.components["attestations_signature_verified_count"] = .integer(signed)
        context.components["attestations_verified_count"] = .integer(verified)
        context.components["attestations_valid"] = .bool(verified == attestations.count)
    }

    private static func isWellFormed(_ object: JSONObject, _ now: Timestamp) -> Bool {
        guard object.keys.allSatisfy({ members.contains($0) }), let id = object["attestation_id"]?.string, !id.isEmpty,
            ["owner", "third_party"].contains(object["attestation_type"]?.string),
            let attester = object["attester_did"]?.string, ReferenceText.isDID(attester),
            let subject = object["subject_did"]?.string, ReferenceText.isDID(subject),
            let signature = object["signature_b64u"]?.string, signature.utf8.count >= 8,
            ReferenceText.isBase64URL(signature)
        else { return false }
        guard let expiry = object["expires_at"] else { return true }
        return ReferenceDate.milliseconds(expiry).map { $0 >= now.milliseconds } ?? false
    }

    /// Signed is the canonical text with an empty signature (WIRE section 1).
    private static func isSigned(_ object: JSONObject) -> Bool {
        var unsigned = object
        unsigned["signature_b64u"] = ""
        return ReferenceSignature.holds(
            object["signature_b64u"]?.string ?? "", by: object["attester_did"]?.string ?? "",
            over: JSONWriter.text(.object(unsigned), order: .canonical))
    }
}
