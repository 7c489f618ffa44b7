import ClawWire
import ReceiptLog

/// Checks an export bundle with its evidence and the proof bundle in it.
///
/// Whatever follows from the receipts is made again from them and compared, member by member; so the assembler's word
/// is never needed for anything that the log or a signature can tell.
struct ExportChecker {
    let trust: TrustConfiguration
    let now: Timestamp
    var list = CheckList()
    private let root = "metadata.clawgrant"

    init(trust: TrustConfiguration, now: Timestamp) {
        self.trust = trust
        self.now = now
    }

    private static let members: Set<String> = [
        "export_version", "export_id", "created_at", "issuer_did", "manifest", "artifacts", "bundle_hash_b64u",
        "hash_algorithm", "signature_b64u", "algorithm", "issued_at", "expires_at", "metadata",
    ]
    private static let artifactKinds = [
        "execution_attestation_envelopes", "derivation_attestation_envelopes", "audit_result_attestation_envelopes",
    ]
    private static let maximumEntries = 3_001
    private static let evidenceMembers: Set<String> = [
        "evidence_version", "assembled_at", "run", "log", "receipts", "policies", "tokens", "approvals",
        "gateway_receipts", "usage", "revocations", "completeness",
    ]

    mutating func check(_ value: JSONValue) {
        guard let object = value.object else { return }
        export(object)
        let bundle = object["artifacts"]?["proof_bundle_envelope"] ?? .null
        guard let evidence = object["metadata"]?[BundleAssembler.metadataKey]?.object else {
            list.skip("EVIDENCE_NOT_GIVEN", root, "the export bundle holds no evidence of a receipt log")
            check(bundle, nil)
            return
        }
        var facts = EvidenceVerifier(trust: trust, now: now, root: root)
        let run = facts.check(evidence, members: Self.evidenceMembers)
        for check in facts.list.checks { list.add(check) }
        var verifier = check(bundle, run)
        guard let run else { return }
        facts.list = CheckList()
        facts.compare(evidence, run, bundle: &verifier)
        for check in facts.list.checks { list.add(check) }
    }

    @discardableResult
    private mutating func check(_ bundle: JSONValue, _ run: RunFacts?) -> BundleVerifier {
        var verifier = BundleVerifier(trust: trust, now: now, prefix: "artifacts.proof_bundle_envelope")
        verifier.check(bundle, run: run)
        for check in verifier.list.checks { list.add(check) }
        return verifier
    }

    // MARK: The export bundle's own members

    private mutating func export(_ object: JSONObject) {
        for key in object.keys where !Self.members.contains(key) {
            list.fail("SCHEMA_VALIDATION_FAILED", String(key.prefix(64)), "an export bundle has no such member")
        }
        list.expect(object["export_version"]?.string == "1", "UNKNOWN_VERSION", "export_version", "must be \"1\"")
        list.expect(object["algorithm"]?.string == "Ed25519", "UNKNOWN_ALGORITHM", "algorithm", "must be Ed25519")
        list.expect(
            object["hash_algorithm"]?.string == "SHA-256", "UNKNOWN_HASH_ALGORITHM", "hash_algorithm",
            "must be SHA-256")
        let signed = JSONObject(
            object.members.filter {
                !["bundle_hash_b64u", "hash_algorithm", "signature_b64u", "algorithm"].contains($0.key)
            }.map { ($0.key, $0.value) })
        let hash = JSONValue.object(signed).canonicalDigest.b64u
        list.expect(
            object["bundle_hash_b64u"]?.string == hash, "HASH_MISMATCH", "bundle_hash_b64u",
            "the bundle has the hash \(hash): something in it was altered")
        let did = object["issuer_did"]?.string ?? ""
        if trust.bundleSigners.contains(where: { ExactText.equal($0, did) }), let key = Ed25519PublicKey(did: did) {
            let signature = object["signature_b64u"]?.string.flatMap { Ed25519Signature(b64u: $0) }
            if let signature, key.isValidSignature(signature, for: Array(hash.utf8)) {
                list.isProven = true
                list.pass("EXPORT_SIGNED", "signature_b64u", "signed by \(did)")
            } else {
                list.fail("SIGNATURE_INVALID", "signature_b64u", "the signature is not over this bundle")
            }
        } else {
            list.fail("SIGNER_UNKNOWN", "issuer_did", "\"\(did.prefix(80))\" is not trusted to assemble bundles")
        }
        times(object)
        manifest(object)
    }

    private mutating func times(_ object: JSONObject) {
        func time(_ key: String) -> Timestamp? { object[key]?.string.flatMap { Timestamp(rfc3339: $0) } }
        guard let created = time("created_at"), let issued = time("issued_at") else {
            list.fail("MALFORMED", "issued_at", "created_at and issued_at must be RFC 3339 with an offset")
            return
        }
        let skew = trust.maximumSkewSeconds
        list.expect(
            created <= issued, "CAUSAL_CLOCK_CONTRADICTION", "created_at", "it was created after it was issued")
        list.expect(
            issued <= now.adding(seconds: skew), "FUTURE_TIMESTAMP_POISONING", "issued_at",
            "the bundle is dated \(issued), in the future")
        guard object.contains("expires_at") else { return }
        list.expect(
            time("expires_at").map { $0.adding(seconds: skew) > now } ?? false, "EXPIRED_TTL", "expires_at",
            "the bundle has expired")
    }

    private mutating func manifest(_ object: JSONObject) {
        guard let entries = object["manifest"]?["entries"]?.array, let artifacts = object["artifacts"]?.object else {
            list.fail("MISSING_REQUIRED_FIELD", "manifest.entries", "the bundle has no manifest, or no artifacts")
            return
        }
        guard entries.count <= Self.maximumEntries else {
            list.fail("LIMIT_EXCEEDED", "manifest.entries", "more than \(Self.maximumEntries) entries")
            return
        }
        var files: [(path: String, value: JSONValue)] = []
        for member in artifacts.members {
            if member.key == "proof_bundle_envelope" {
                files.append(("artifacts/proof_bundle_envelope.json", member.value))
            } else if Self.artifactKinds.contains(member.key), let list = member.value.array, list.count <= 1_000 {
                files += list.enumerated().map { ("artifacts/\(member.key)/\($0.offset).json", $0.element) }
                self.list.skip(
                    "ARTIFACTS_NOT_CHECKED", "artifacts.\(member.key)", "attestations of this kind are not looked at")
            } else {
                list.fail(
                    "SCHEMA_VALIDATION_FAILED", "artifacts.\(member.key.prefix(64))", "no such kind of artifact")
            }
        }
        list.expect(
            entries.count == files.count, "MISSING_REQUIRED_FIELD", "manifest.entries",
            "\(entries.count) entries for \(files.count) artifacts")
        for file in files {
            let path = "manifest.entries[\(file.path)]"
            guard let entry = entries.first(where: { $0["path"]?.string == file.path }) else {
                list.fail("MISSING_REQUIRED_FIELD", path, "the manifest does not name the artifact")
                continue
            }
            let bytes = JSONWriter.bytes(file.value, order: .canonical)
            list.expect(
                entry["sha256_b64u"]?.string == Digest(hashing: bytes).b64u, "HASH_MISMATCH", "\(path).sha256_b64u",
                "the artifact has another hash")
            list.expect(
                entry["size_bytes"]?.integer == Int64(bytes.count), "HASH_MISMATCH", "\(path).size_bytes",
                "the artifact has \(bytes.count) bytes")
            list.expect(
                entry["content_type"]?.string == "application/json", "MALFORMED", "\(path).content_type",
                "must be application/json")
        }
    }
}
