import ClawWire
import TestSupport
import Testing

@testable import ProofBundles

/// The strict verifier on the vectors of the reference: it is never more lenient than the stricter of its verifiers.
@Suite(.enabled(if: SharedVectors.arePresent))
struct StrictVectorTests {
    private static let bundles = SharedVectors.cases("proof-bundles").filter { $0.holdsDocument("input_text") }

    /// Trusts everybody whom the case names: what is refused then is refused for what it is.
    private func trust(_ vector: VectorCase, _ document: JSONValue) -> TrustConfiguration {
        var trust = TrustConfiguration()
        trust.maximumSkewSeconds = 0
        trust.gatewaySigners = Set(vector.options.receiptSigners ?? [])
        trust.bundleSigners = Set([document["signer_did"]?.string, document["issuer_did"]?.string].compactMap { $0 })
        if let inner = document["artifacts"]?["proof_bundle_envelope"]?["signer_did"]?.string {
            trust.bundleSigners.insert(inner)
        }
        for receipt in document["payload"]?["tool_receipts"]?.array ?? [] {
            if let did = receipt["signer_did"]?.string { trust.envelopeSigners.insert(did) }
            for other in receipt["co_signatures"]?.array ?? [] {
                if let did = other["signer_did"]?.string { trust.approvers.insert(did) }
            }
        }
        return trust
    }

    @Test(arguments: bundles) func neverMoreLenientThanTheReference(_ vector: VectorCase) throws {
        let document = try vector.document("input_text")
        let verdict = ProofVerifier.verify(
            Array((vector["input_text"]?.string ?? "").utf8), trust: trust(vector, document),
            now: Timestamp(seconds: 1_772_366_460)
        ).verdict
        let isRefused = ["core", "service"].contains { vector[$0]?["status"]?.string == "INVALID" }
        // Some are refused for an option of the caller's, not for themselves.
        let isForTheOptions = vector.options.members.keys.contains { $0 != "allowlistedReceiptSignerDids" }
        if isRefused, !isForTheOptions { #expect(verdict != .valid) }
        if document["envelope_type"] == nil { #expect(verdict == .invalid) }
    }

    /// The reference's own scenarios, with everybody trusted who signed anything in them.
    @Test(arguments: SuiteVectorTests.cases.filter { $0.holdsDocument("input_text") })
    func neverMoreLenientThanTheReferencesScenarios(_ vector: VectorCase) throws {
        let document = try vector.document("input_text")
        var trust = trust(vector, document)
        let everyone = signers(document)
        trust.bundleSigners = everyone
        trust.envelopeSigners = everyone
        trust.approvers = everyone
        if trust.gatewaySigners.isEmpty { trust.gatewaySigners = everyone }
        let verdict = ProofVerifier.verify(
            Array((vector["input_text"]?.string ?? "").utf8), trust: trust, now: vectorClock
        ).verdict
        let options = ReferenceOptions(["allowlistedReceiptSignerDids": .array(everyone.sorted().map { .string($0) })])
        let isRefused = ReferenceVerifier.allCases.contains {
            $0.verify(document, options: options, now: vectorClock).status == .invalid
        }
        let isForTheOptions = vector.options.members.keys.contains { $0 != "allowlistedReceiptSignerDids" }
        let wasRefused = ["core", "service"].contains { vector[$0]?["status"]?.string == "INVALID" }
        if isRefused || wasRefused && !isForTheOptions { #expect(verdict != .valid) }
    }

    private func signers(_ value: JSONValue) -> Set<String> {
        switch value {
        case .object(let object):
            object.members.reduce(into: []) { found, member in
                if let did = member.value.string, did.hasPrefix("did:key:z6Mk") { found.insert(did) }
                found.formUnion(signers(member.value))
            }
        case .array(let array): array.reduce(into: []) { $0.formUnion(signers($1)) }
        case .null, .bool, .number, .string: []
        }
    }

    @Test(arguments: SharedVectors.cases("export-bundles").filter { $0.holdsDocument("input_text") })
    func exportBundles(_ vector: VectorCase) throws {
        let document = try vector.document("input_text")
        let verification = ProofVerifier.verify(
            JSONWriter.bytes(document), trust: trust(vector, document), now: Timestamp(seconds: 1_772_366_700))
        #expect(verification.kind == .exportBundle)
        #expect(verification.verdict != .valid, "there is no evidence of a log in it")
        if vector["status"]?.string == "INVALID" { #expect(verification.verdict == .invalid) }
    }

    @Test(arguments: SharedVectors.cases("gateway-receipts").filter { $0.holdsDocument("envelope_text") })
    func gatewayReceipts(_ vector: VectorCase) throws {
        let document = try vector.document("envelope_text")
        var trust = TrustConfiguration()
        trust.gatewaySigners = Set((vector["allowlisted_signer_dids"]?.array ?? []).compactMap(\.string))
        let verification = ProofVerifier.verify(
            JSONWriter.bytes(document), trust: trust, now: Timestamp(seconds: 1_772_366_700))
        guard vector["status"]?.string == "INVALID" else { return }
        // The receipt's own proof that the gateway's log put in afterwards is taken out again; then the signature holds.
        let isStripped = (try? GatewayCall(document))?.strippedProof != nil
        if !isStripped { #expect(verification.verdict != .valid, "\(vector["error"]?.string ?? "")") }
    }
}
