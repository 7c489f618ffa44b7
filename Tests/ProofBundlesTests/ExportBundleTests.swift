import ClawWire
import Testing

@testable import ProofBundles

struct ExportBundleTests {
    let maker: BundleMaker

    init() throws { maker = try BundleMaker() }

    private func export(_ change: (inout JSONObject) -> Void = { _ in }) throws -> JSONValue {
        let events = maker.events()
        let envelope = try maker.bundle(maker.payload(events, receipts: [maker.receipt(boundTo: events[0])]))
        let canonical = JSONWriter.bytes(envelope, order: .canonical)
        var bundle: JSONObject = [
            "export_version": "1", "export_id": "x1", "created_at": .string(maker.now.iso8601),
            "issuer_did": .string(maker.gateway.publicKey.did),
            "manifest": [
                "manifest_version": "1", "generated_at": .string(maker.now.iso8601),
                "entries": [
                    [
                        "path": "artifacts/proof_bundle_envelope.json",
                        "sha256_b64u": .string(Digest(hashing: canonical).b64u), "content_type": "application/json",
                        "size_bytes": .integer(canonical.count),
                    ]
                ],
            ],
            "artifacts": ["proof_bundle_envelope": envelope], "issued_at": .string(maker.now.iso8601),
        ]
        change(&bundle)
        let hash = JSONValue.object(bundle).canonicalDigest.b64u
        bundle["bundle_hash_b64u"] = .string(hash)
        bundle["hash_algorithm"] = "SHA-256"
        bundle["signature_b64u"] = .string(try maker.gateway.sign(Array(hash.utf8)).b64u)
        bundle["algorithm"] = "Ed25519"
        return .object(bundle)
    }

    private func verdict(_ bundle: JSONValue) -> ExportVerdict {
        ExportVerifier(options: maker.options, now: maker.now).verify(bundle)
    }

    @Test func exportOfABundleHolds() throws {
        let answer = verdict(try export())
        #expect(answer.status == .valid, "\(answer.refusal?.description ?? "")")
        #expect(answer.proofTier == .gateway)
        #expect(answer.manifestEntries == 1)
    }

    @Test func changesAfterSigningAreSeen() throws {
        var bundle = try #require(try export().object)
        bundle["export_id"] = "x2"
        #expect(verdict(.object(bundle)).code == "HASH_MISMATCH")
        #expect(verdict(.object(bundle)).field == "bundle_hash_b64u")
    }

    @Test func timesAreJudgedWithSkew() throws {
        func issued(after seconds: Int64) throws -> ExportVerdict {
            verdict(try export { $0["issued_at"] = .string(maker.now.adding(seconds: seconds).iso8601) })
        }
        #expect(try issued(after: 299).status == .valid)
        #expect(try issued(after: 301).code == "FUTURE_TIMESTAMP_POISONING")
        #expect(try issued(after: -1).code == "CAUSAL_CLOCK_CONTRADICTION")
        let expired = try export { $0["expires_at"] = .string(maker.now.adding(seconds: -301).iso8601) }
        #expect(verdict(expired).code == "EXPIRED_TTL")
    }

    @Test func everythingInsideMustStandInTheManifest() throws {
        let events = maker.events()
        let other = try maker.bundle(maker.payload(events))
        let swapped = try export { $0["artifacts"] = ["proof_bundle_envelope": other] }
        #expect(verdict(swapped).code == "HASH_MISMATCH")
        #expect(verdict(swapped).field == "manifest.entries[artifacts/proof_bundle_envelope.json].sha256_b64u")
    }

    @Test func bundleInsideMustHold() throws {
        let foreign = try maker.envelope("proof_bundle", maker.payload(maker.events()), by: maker.gateway)
        let canonical = JSONWriter.bytes(foreign, order: .canonical)
        let answer = verdict(
            try export {
                $0["artifacts"] = ["proof_bundle_envelope": foreign]
                $0["manifest"] = [
                    "manifest_version": "1", "generated_at": .string(maker.now.iso8601),
                    "entries": [
                        [
                            "path": "artifacts/proof_bundle_envelope.json",
                            "sha256_b64u": .string(Digest(hashing: canonical).b64u),
                            "content_type": "application/json", "size_bytes": .integer(canonical.count),
                        ]
                    ],
                ]
            })
        #expect(answer.code == "INVALID_DID_FORMAT")
        #expect(answer.field == "signer_did")
    }
}
