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

    @Test func aggregateSumsTheRatesOfOneAgent() throws {
        #expect(try aggregate(limits: [7, 7], observed: [3, 4]).status == .valid)
        #expect(try aggregate(limits: [7, 7], observed: [4, 4]).code == "RATE_LIMIT_EXCEEDED")
        #expect(try aggregate(limits: [7, 8], observed: [3, 4]).code == "RATE_LIMIT_CLAIM_INCONSISTENT")
        #expect(
            try aggregate(limits: [7, 7], observed: [3, 4], runs: ["a", "a"]).code == "AGGREGATE_DUPLICATE_RUN_ID")
        #expect(try aggregate(limits: [7, 7], observed: [3, 4], sorted: false).code == "UNSORTED_MEMBER_ARRAY")
        #expect(try aggregate(limits: [7, 7], observed: [3, 4], total: 3).code == "FLEET_SUMMARY_MISMATCH")
    }

    private func aggregate(
        limits: [Int], observed: [Int], runs: [String] = ["a", "b"], sorted: Bool = true, total: Int = 2
    ) throws -> ExportVerdict {
        var members = try limits.indices.map { index in
            let claim: JSONValue = [
                "claim_version": "1", "scope": "agent", "scope_key": "k", "window_start": "2026-01-01T00:00:00Z",
                "window_end": "2026-01-01T01:00:00Z", "max_requests": .integer(limits[index]),
                "observed_requests": .integer(observed[index]),
            ]
            var payload = maker.payload(maker.events(run: runs[index]), more: ["rate_limit_claims": [claim]])
            payload["bundle_id"] = .string("bundle-\(index)")
            return try maker.bundle(payload)
        }
        members.sort { ($0.canonicalDigest.b64u < $1.canonicalDigest.b64u) == sorted }
        let entries = members.enumerated().map { index, member -> JSONValue in
            let text = JSONWriter.bytes(member, order: .canonical)
            return [
                "path": .string("artifacts/member_bundles/\(index).json"),
                "sha256_b64u": .string(Digest(hashing: text).b64u), "content_type": "application/json",
                "size_bytes": .integer(text.count),
            ]
        }
        let payload: JSONObject = [
            "aggregate_version": "1", "aggregate_id": "x", "created_at": .string(maker.now.iso8601),
            "issuer_did": .string(maker.gateway.publicKey.did),
            "manifest": [
                "manifest_version": "1", "generated_at": .string(maker.now.iso8601), "entries": .array(entries),
            ],
            "artifacts": ["member_bundles": .array(members)],
            "metadata": [
                "fleet_summary": ["total_members": .integer(total), "unique_agents": 1, "total_runs": 2]
            ],
        ]
        let envelope = try maker.envelope("aggregate_bundle", payload, by: maker.gateway)
        return ExportVerifier(options: maker.options, now: maker.now).verify(aggregate: envelope)
    }
}
