import ClawWire
import TestSupport
import Testing

@testable import ProofBundles

/// The verdicts of the reference services, case by case.
@Suite(.enabled(if: SharedVectors.arePresent))
struct ReferenceVectorTests {
    @Test(arguments: SharedVectors.cases("proof-bundles").filter { $0.holdsDocument("input_text") })
    func proofBundle(_ vector: VectorCase) throws {
        let bundle = try vector.document("input_text")
        for verifier in ReferenceVerifier.allCases {
            try vector.expect(verifier.verify(bundle, options: vector.options, now: vectorClock), verifier)
        }
    }

    @Test(arguments: SharedVectors.cases("real-world/bundles"))
    func bundleOfTheRealProject(_ vector: VectorCase) throws {
        let bundle = try vector.document("bundle_text")
        var options = ReferenceOptions()
        if vector["urm_text"]?.string != nil { options.members["urm"] = try vector.document("urm_text") }
        for verifier in ReferenceVerifier.allCases {
            try vector.expect(verifier.verify(bundle, options: options, now: vectorClock), verifier)
        }
    }

    @Test(arguments: SharedVectors.cases("event-chain", "events"))
    func eventHash(_ vector: VectorCase) throws {
        let event = try #require(vector["event"]?.object)
        #expect(EventChainCheck.hash(of: event) == event["event_hash_b64u"]?.string)
        #expect(Digest(hashing: vector["hashed_text"]?.string ?? "").b64u == event["event_hash_b64u"]?.string)
    }

    @Test(arguments: SharedVectors.cases("gateway-receipts"))
    func gatewayReceipt(_ vector: VectorCase) throws {
        let envelope = try vector.document("envelope_text")
        let signers = vector["allowlisted_signer_dids"]?.array.map { $0.compactMap(\.string) }
        let verdict = GatewayReceiptVerdict(envelope: envelope, signers: signers)
        #expect(verdict.status.rawValue == vector["status"]?.string)
        #expect(verdict.code == vector["error"]?.string)
        #expect(verdict.field == vector["field"]?.string)
        #expect(verdict.modelIdentityTier == vector["model_identity_tier"]?.string)
        #expect(verdict.riskFlags == vector["risk_flags"]?.array.map { $0.compactMap(\.string) })
    }

    @Test(arguments: SharedVectors.cases("export-bundles"))
    func exportBundle(_ vector: VectorCase) throws {
        let verifier = ExportVerifier(options: vector.options, now: vectorClock)
        let verdict = verifier.verify(try vector.document("input_text"))
        #expect(verdict.status.rawValue == vector["status"]?.string)
        #expect(verdict.code == vector["error"]?.string)
        #expect(verdict.field == vector["field"]?.string)
        #expect(verdict.proofTier?.rawValue == vector["proof_tier"]?.string)
    }

    @Test(
        arguments: SharedVectors.cases("fixtures/manifest", "files").filter {
            ["proof_bundle", "export_bundle", "aggregate_bundle"].contains($0["kind"]?.string)
        })
    func fixture(_ vector: VectorCase) throws {
        let path = try #require(vector["path"]?.string)
        let document = try SharedVectors.load("fixtures/\(path.dropLast(".json".count))")
        let clock = try #require(Timestamp(rfc3339: "2026-02-20T00:00:00Z"))
        let configuration = try SharedVectors.load(
            "fixtures/protocol-conformance/clawverify.config.conformance.v1")["allowlists"]
        var options = ReferenceOptions()
        options.members["allowlistedReceiptSignerDids"] = configuration?["gateway_receipt_signer_dids"]
        options.members["allowlistedDerivationAttestationSignerDids"] =
            configuration?["derivation_attestation_signer_dids"]
        let library = try #require(vector["library"])
        switch vector["kind"]?.string {
        case "proof_bundle":
            let envelope = document["envelope"] ?? document
            options.members["urm"] = document["urm"]
            let verdict = ReferenceVerifier.core.verify(envelope, options: options, now: clock)
            #expect(verdict.status.rawValue == library["status"]?.string, "\(verdict.refusal?.description ?? "")")
            #expect(verdict.code == library["error"]?.string)
            #expect(verdict.proofTier?.rawValue == library["proof_tier"]?.string)
            #expect(verdict.receiptsVerifiedCount == library["receipts_verified_count"]?.integer)
            let commandLine = ReferenceCommandLine(options: options, now: clock).verify(document)
            #expect(commandLine.reasonCode == vector["cli_got"]?["reason_code"]?.string)
            #expect(commandLine.passes == (vector["cli_got"]?["status"] == "PASS"))
        case "export_bundle":
            let verdict = ExportVerifier(options: options, now: clock).verify(document["bundle"] ?? document)
            #expect(verdict.status.rawValue == library["status"]?.string, "\(verdict.refusal?.description ?? "")")
            #expect(verdict.code == library["error"]?.string)
        default:
            let verdict = ExportVerifier(options: options, now: clock).verify(aggregate: document)
            #expect(verdict.status.rawValue == library["status"]?.string, "\(verdict.refusal?.description ?? "")")
            #expect(verdict.code == library["error"]?.string)
        }
    }

    @Test(
        arguments: SharedVectors.cases("fixtures/manifest", "files").filter { $0["kind"]?.string == "commit_sig" })
    func commitSignature(_ vector: VectorCase) throws {
        let path = try #require(vector["path"]?.string)
        let document = try SharedVectors.load("fixtures/\(path.dropLast(".json".count))")
        let verdict = ReferenceCommandLine.verify(commitSignature: document)
        #expect(verdict.reasonCode == vector["cli_got"]?["reason_code"]?.string)
        #expect(verdict.passes == (vector["cli_got"]?["status"] == "PASS"))
    }
}
