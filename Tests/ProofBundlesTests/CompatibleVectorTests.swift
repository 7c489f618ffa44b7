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

    // MARK: Documents that stand alone

    private static func key(_ name: String) throws -> Ed25519PublicKey { try SharedVectors.signer(name).publicKey }

    @Test(
        arguments: SharedVectors.cases("cst-introspection", "cases").filter { $0["body"]?["revoked"] == nil })
    func tokens(_ vector: VectorCase) throws {
        var trust = TrustConfiguration()
        trust.tokenKeys = [TrustConfiguration.TokenKey(key: try Self.key("issuer"))]
        if let name = vector["env_overrides"]?["verify_only_key"]?.string {
            let end = vector["env_overrides"]?["not_after_unix"]?.integer.map { Timestamp(seconds: $0) }
            trust.tokenKeys.append(
                TrustConfiguration.TokenKey(key: try Self.key(name), notAfter: end ?? Timestamp(seconds: 1 << 33)))
        }
        let (text, now) = (try vector.text("token"), try #require(Timestamp(rfc3339: try vector.text("at"))))
        let body: JSONValue = ["token": .string(text)]
        let asked = CompatibleAnswer(JSONWriter.bytes(body), trust: trust, now: now)
        let answer = try #require(asked.answers.first)
        #expect(asked.kind == .token && answer.verifier == "introspection")
        #expect(answer.isValid == (vector["body"]?["active"]?.bool ?? false))
        #expect(answer.code == vector["body"]?["error"]?.string)
        // The token itself, as it stands in a file.
        if text.split(separator: ".", omittingEmptySubsequences: false).count == 3, !text.contains(" ") {
            #expect(CompatibleAnswer(Array("\(text)\n".utf8), trust: trust, now: now).answers == asked.answers)
        }
    }

    @Test(
        arguments: SharedVectors.cases("wpc", "gateway_verification").filter {
            !($0["name"]?.string?.hasPrefix("registry") ?? true) && $0["env"]?["WPC_REGISTRY_BASE_URL"] == nil
        })
    func policies(_ vector: VectorCase) throws {
        var trust = TrustConfiguration()
        if let allowed = vector["env"]?["WPC_SIGNER_DIDS"]?.string, !allowed.isEmpty { trust.policySigners = [allowed] }
        let options = ReferenceOptions(["policyHashB64u": vector["requested_hash"] ?? .null])
        let asked = CompatibleAnswer(
            JSONWriter.bytes(try #require(vector["envelope"])), trust: trust, now: vectorClock, options: options)
        let expected = vector["errorCode"]?.string
        // What says that it is another kind of document is not asked about as a WPC.
        guard asked.kind == .policy else {
            #expect(expected == WPCError.Code.envelopeInvalid.rawValue)
            return
        }
        let answer = try #require(asked.answers.first)
        #expect(answer.isValid == (expected == nil) && answer.code == expected && answer.verifier == "gateway")
    }

    @Test(
        arguments: SharedVectors.cases("approval-receipts", "cases").filter { $0["envelope_text"]?.string != nil })
    func approvals(_ vector: VectorCase) throws {
        let first = try #require(SharedVectors.cases("approval-receipts", "cases").first?["envelope_text"]?.string)
        let good = try #require(JSONReader.parse(first)["payload"])
        let options = ReferenceOptions([
            "agentDid": good["agent_did"] ?? .null, "scopeHashB64u": good["scope_hash_b64u"] ?? .null,
            "policyHashB64u": good["policy_hash_b64u"] ?? .null, "runId": good["binding"]?["run_id"] ?? .null,
            "eventHashB64u": good["binding"]?["event_hash_b64u"] ?? .null,
        ])
        var trust = TrustConfiguration()
        trust.approvers = Set(vector["approver_allowlist"]?.array?.compactMap(\.string) ?? [])
        let bytes = Array(try vector.text("envelope_text").utf8)
        let now = try #require(Timestamp(rfc3339: try vector.text("decision_time")))
        let asked = CompatibleAnswer(bytes, trust: trust, now: now, options: options)
        guard asked.kind == .approval else {
            #expect(vector["reason"]?.string == "approval_receipt_missing_or_malformed")
            return
        }
        let answer = try #require(asked.answers.first)
        #expect(answer.isValid == vector["valid"]?.bool && answer.code == vector["reason"]?.string)
        // Without what it is to be about there is nothing that the reference would ask.
        #expect(CompatibleAnswer(bytes, trust: trust, now: now).exitCode == 2)
    }
}
