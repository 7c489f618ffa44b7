import ClawWire
import TestSupport
import Testing

@testable import ProofBundles

extension VectorCase {
    /// True when the vectors hold the document itself and no description of it.
    func holdsDocument(_ key: String) -> Bool { json[key]?.string?.first == "{" }

    var options: ReferenceOptions { ReferenceOptions(json["options"]?.object ?? [:]) }

    /// Compares an answer with what the reference said.
    func expect(_ verdict: ReferenceVerdict, _ verifier: ReferenceVerifier) throws {
        let expected = try #require(json[verifier.rawValue]?.object)
        let answer: JSONObject = [
            "status": .string(verdict.status.rawValue), "error": .optional(verdict.code),
            "field": .optional(verdict.field), "trust_tier": .optional(verdict.trustTier?.rawValue),
            "proof_tier": .optional(verdict.proofTier?.rawValue),
            "receipts_count": verdict.components["receipts_count"] ?? .null,
            "receipts_verified_count": verdict.components["receipts_verified_count"] ?? .null,
            "envelope_valid": verdict.components["envelope_valid"] ?? .null,
        ]
        for member in expected.members {
            #expect(
                answer[member.key] == member.value,
                "\(verifier) \(testDescription): \(member.key) is \(answer[member.key] ?? .null), not \(member.value)")
        }
    }
}

/// The clock at which the vectors were taken.
let vectorClock = Timestamp(rfc3339: "2026-03-01T12:00:00Z") ?? Timestamp(seconds: 0)
