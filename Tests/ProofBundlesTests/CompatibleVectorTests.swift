import ClawWire
import TestSupport
import Testing

@testable import ProofBundles

/// The answers of `--compat` on everything that is given, with the options of each case.
@Suite(.enabled(if: SharedVectors.arePresent))
struct CompatibleVectorTests {
    private func expect(_ answer: CompatibleAnswer, _ vector: VectorCase) {
        for verifier in ["core", "service"] {
            guard let expected = vector[verifier]?.object else { continue }
            let found = answer.answers.first { $0.verifier == verifier }
            #expect(found?.isValid == (expected["status"]?.string == "VALID"), "\(vector.testDescription) \(verifier)")
            #expect(found?.code == expected["error"]?.string, "\(vector.testDescription) \(verifier)")
        }
    }

    private func answer(_ text: String?, _ options: ReferenceOptions) -> CompatibleAnswer {
        CompatibleAnswer(Array((text ?? "").utf8), trust: TrustConfiguration(), now: vectorClock, options: options)
    }

    @Test(
        arguments: (SuiteVectorTests.cases + SharedVectors.cases("proof-bundles")).filter {
            $0.holdsDocument("input_text")
        })
    func suites(_ vector: VectorCase) throws {
        var options = vector.options
        // No list is another answer than an empty one, which is what a trust file without gateways gives.
        if options.receiptSigners == nil { options.members["allowlistedReceiptSignerDids"] = .null }
        let answer = answer(vector["input_text"]?.string, options)
        if answer.kind == .proofBundle { expect(answer, vector) }
    }

    @Test(arguments: SharedVectors.cases("real-world/bundles"))
    func realWorld(_ vector: VectorCase) throws {
        var options = ReferenceOptions(["allowlistedReceiptSignerDids": .null])
        if let urm = vector["urm_text"]?.string {
            options.members["urm"] = try JSONReader.parse(urm, limits: ReferenceVerifier.limits)
        }
        expect(answer(vector["bundle_text"]?.string, options), vector)
    }

    @Test(
        arguments: SharedVectors.cases("fixtures/manifest", "files").filter {
            ["proof_bundle", "export_bundle", "aggregate_bundle", "commit_sig"].contains($0["kind"]?.string)
        })
    func fixtures(_ vector: VectorCase) throws {
        let path = try #require(vector["path"]?.string)
        let document = try SharedVectors.load("fixtures/\(path.dropLast(".json".count))")
        let lists = try SharedVectors.load("fixtures/protocol-conformance/clawverify.config.conformance.v1")[
            "allowlists"]
        var options = ReferenceOptions()
        options.members["allowlistedReceiptSignerDids"] = lists?["gateway_receipt_signer_dids"]
        options.members["allowlistedDerivationAttestationSignerDids"] =
            lists?["derivation_attestation_signer_dids"]
        let answer = CompatibleAnswer(
            JSONWriter.bytes(document), trust: TrustConfiguration(),
            now: try #require(Timestamp(rfc3339: "2026-02-20T00:00:00Z")), options: options)
        let first = try #require(answer.answers.first, "\(path) is known")
        if let library = vector["library"]?.object {
            #expect(first.isValid == (library["status"]?.string == "VALID"))
            #expect(first.code == library["error"]?.string)
        } else {
            #expect(first.isValid == (vector["cli_got"]?["status"] == "PASS"))
        }
    }

    @Test func wrappedInclusionProof() throws {
        let document = try SharedVectors.load("fixtures/log_inclusion_proof_golden.v1")
        let answer = CompatibleAnswer(
            JSONWriter.bytes(document), trust: TrustConfiguration(), now: vectorClock)
        #expect(answer.kind == .compatibleProof && answer.exitCode == 0)
    }
}
