import ClawWire
import TestSupport
import Testing

@testable import ProofBundles

/// The reference's own scenarios, with the answers of both verifiers.
@Suite(.enabled(if: SharedVectors.arePresent))
struct SuiteVectorTests {
    static let suites = [
        "causal-policy-profile-conformance", "clawverify-causal-cldd", "clawverify-causal-clock",
        "clawverify-causal-connectivity", "clawverify-causal-hardening", "clawverify-firewall",
        "completeness-conformance", "egress-policy-receipt", "policy-binding", "prompt-commitments",
        "proof-bundle-attestations", "proof-bundle-data-handling", "proof-bundle-event-hash",
        "proof-bundle-hardening", "proof-tier-gateway", "reviewer-signoff", "urm-materialization",
    ]

    static let cases = suites.flatMap { SharedVectors.cases("suites/\($0)") }

    @Test(arguments: cases, ReferenceVerifier.allCases)
    func answer(_ vector: VectorCase, verifier: ReferenceVerifier) throws {
        let bundle = try vector.document("input_text")
        try vector.expect(verifier.verify(bundle, options: vector.options, now: vectorClock), verifier)
    }

    @Test(arguments: SharedVectors.cases("locale-order"))
    func collation(_ vector: VectorCase) throws {
        let texts = try #require(vector["input"]?.array).compactMap(\.string)
        #expect(
            texts.sorted(by: CollationOrder.precedes)
                == vector["locale_compare"]?.array?.compactMap(\.string))
    }
}
