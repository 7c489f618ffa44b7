public import ClawWire

/// The answer about an export bundle or an aggregate of bundles.
public struct ExportVerdict: Sendable, Hashable {
    /// VALID or INVALID.
    public let status: ReferenceVerdict.Status
    /// Why not; `nil` when VALID.
    public let refusal: ReferenceRefusal?
    /// Proof tier of what is inside, of several the lowest; `nil` when INVALID.
    public let proofTier: ProofTier?
    /// How many manifest entries were checked; 0 when INVALID.
    public let manifestEntries: Int

    /// `error.code` of the answer.
    public var code: String? { refusal?.code }
    /// `error.field` of the answer.
    public var field: String? { refusal?.field }

    init(proofTier: ProofTier?, manifestEntries: Int) {
        status = .valid
        refusal = nil
        self.proofTier = proofTier
        self.manifestEntries = manifestEntries
    }

    init(_ refusal: ReferenceRefusal) {
        status = .invalid
        self.refusal = refusal
        proofTier = nil
        manifestEntries = 0
    }
}

/// Verification of export bundles as the reference's library does it (WIRE section 9).
///
/// The manifest and the bundle's own hash are over RFC 8785 text, while every envelope inside is hashed in document
/// order. Times are judged at `verifyAt` of the options with five minutes of skew unless `ttlSkewMs` says otherwise.
public struct ExportVerifier: Sendable {
    static let defaultSkew: Int64 = 300_000

    let options: ReferenceOptions
    let wallClock: Timestamp
    /// Milliseconds since the epoch at which times are judged; `nil` when the option is no date.
    let verifyAt: Int64?
    let skew: Int64

    /// Makes a verifier.
    ///
    /// - Parameters:
    ///   - options: the options of the reference's caller.
    ///   - now: the present time, which `verifyAt` in the options replaces but for attestations.
    public init(options: ReferenceOptions, now: Timestamp) {
        self.options = options
        wallClock = now
        verifyAt = options.members["verifyAt"].map { ReferenceDate.milliseconds($0) } ?? now.milliseconds
        let hasSkew = options.members["ttlSkewMs"]?.number?.isFinite ?? false
        skew = hasSkew ? options.expirySkew : Self.defaultSkew
    }

    /// Answers about an export bundle.
    public func verify(_ bundle: JSONValue) -> ExportVerdict {
        do throws(ReferenceRefusal) {
            return try check(bundle)
        } catch {
            return ExportVerdict(error)
        }
    }

    private func check(_ value: JSONValue) throws(ReferenceRefusal) -> ExportVerdict {
        if let field = ExportSchemas.bundle.firstBreach(in: value) {
            throw ReferenceRefusal(
                "SCHEMA_VALIDATION_FAILED", field.isEmpty ? nil : field, "the schema is not kept")
        }
        let bundle = value.object ?? [:]
        let issuer = bundle["issuer_did"]?.string ?? ""
        let at = try checkTimes(bundle, issuer: issuer)
        let artifacts = Self.artifacts(of: bundle)
        let entries = bundle["manifest"]?["entries"]?.array ?? []
        try Self.checkManifest(entries, of: artifacts)
        try checkSignature(of: bundle, issuer: issuer)
        let tier = try checkProofBundle(bundle["artifacts"]?["proof_bundle_envelope"] ?? .null, at: at)
        try AttachedAttestations(options: options).check(bundle)
        return ExportVerdict(proofTier: tier, manifestEntries: artifacts.count)
    }

    private func checkTimes(_ bundle: JSONObject, issuer: String) throws(ReferenceRefusal) -> Int64 {
        guard let verifyAt else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "verifyAt", "the time of verification is no date")
        }
        guard ReferenceText.isDID(issuer) else {
            throw ReferenceRefusal("INVALID_DID_FORMAT", "issuer_did", "the issuer is no did:key or did:web")
        }
        func date(_ key: String) throws(ReferenceRefusal) -> Int64 {
            guard let date = ReferenceDate.milliseconds(bundle[key]) else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", key, "\(key) is no date")
            }
            return date
        }
        let created = try date("created_at")
        let issued = try date("issued_at")
        let expiry = bundle.contains("expires_at") ? try date("expires_at") : nil
        guard created <= issued else {
            throw ReferenceRefusal("CAUSAL_CLOCK_CONTRADICTION", "created_at", "created after it was issued")
        }
        guard issued <= verifyAt.addingReportingOverflow(skew).partialValue else {
            throw ReferenceRefusal("FUTURE_TIMESTAMP_POISONING", "issued_at", "issued in the future")
        }
        if let expiry, verifyAt > expiry.addingReportingOverflow(skew).partialValue {
            throw ReferenceRefusal("EXPIRED_TTL", "expires_at", "the export has expired")
        }
        return verifyAt
    }

    /// An artifact with its fixed path.
    struct Artifact {
        let path: String
        let value: JSONValue
    }

    /// The lists of attestations that may stand beside the bundle.
    static let attestationKinds = ["execution", "derivation", "audit_result"]

    private static func artifacts(of bundle: JSONObject) -> [Artifact] {
        let artifacts = bundle["artifacts"]
        var all = [
            Artifact(
                path: "artifacts/proof_bundle_envelope.json", value: artifacts?["proof_bundle_envelope"] ?? .null)
        ]
        for kind in attestationKinds {
            let key = "\(kind)_attestation_envelopes"
            for (index, value) in (artifacts?[key]?.array ?? []).enumerated() {
                all.append(Artifact(path: "artifacts/\(key)/\(index).json", value: value))
            }
        }
        // The reference names the first fault in the order of the paths.
        return all.sorted { ExactText.precedes($0.path, $1.path) }
    }

    static func checkManifest(_ entries: [JSONValue], of artifacts: [Artifact]) throws(ReferenceRefusal) {
        var known: [ExactString: JSONValue] = [:]
        for entry in entries {
            let path = ExactString(entry["path"]?.string ?? "")
            guard known.updateValue(entry, forKey: path) == nil else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", "manifest.entries.path", "a path stands twice")
            }
        }
        guard entries.count == artifacts.count else {
            throw ReferenceRefusal(
                "MISSING_REQUIRED_FIELD", "manifest.entries", "not as many entries as artifacts")
        }
        for artifact in artifacts {
            guard let entry = known[ExactString(artifact.path)] else {
                throw ReferenceRefusal("MISSING_REQUIRED_FIELD", "manifest.entries.path", "\(artifact.path) is missing")
            }
            let field = "manifest.entries[\(artifact.path)]"
            let text = JSONWriter.bytes(artifact.value, order: .canonical)
            guard entry["sha256_b64u"] == .string(Digest(hashing: text).b64u) else {
                throw ReferenceRefusal("HASH_MISMATCH", "\(field).sha256_b64u", "the artifact has another hash")
            }
            guard entry["content_type"] == "application/json" else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", "\(field).content_type", "another type was expected")
            }
            guard entry["size_bytes"] == .integer(text.count) else {
                throw ReferenceRefusal("HASH_MISMATCH", "\(field).size_bytes", "the artifact has another size")
            }
        }
    }

    private func checkSignature(of bundle: JSONObject, issuer: String) throws(ReferenceRefusal) {
        var signed = JSONObject()
        for key in [
            "export_version", "export_id", "created_at", "issuer_did", "manifest", "artifacts", "issued_at",
            "expires_at", "metadata",
        ] { signed[key] = bundle[key] }
        let hash = bundle["bundle_hash_b64u"]?.string ?? ""
        guard JSONValue.object(signed).canonicalDigest.b64u == hash else {
            throw ReferenceRefusal("HASH_MISMATCH", "bundle_hash_b64u", "the export has another hash")
        }
        if case .none = ReferenceSignature.key(of: issuer) {
            throw ReferenceRefusal("INVALID_DID_FORMAT", "issuer_did", "the issuer is no Ed25519 did:key")
        }
        let signature = bundle["signature_b64u"]?.string ?? ""
        guard signature.utf8.count % 4 != 1 else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "signature_b64u", "no base64url")
        }
        guard ReferenceSignature.holds(signature, by: issuer, over: hash) else {
            throw ReferenceRefusal("SIGNATURE_INVALID", "signature_b64u", "not the issuer's signature")
        }
    }

    /// Verifies a bundle inside with the options that the reference passes on.
    func checkProofBundle(_ envelope: JSONValue, at: Int64) throws(ReferenceRefusal) -> ProofTier? {
        var inner = JSONObject()
        for key in ["allowlistedReceiptSignerDids", "allowlistedAttesterDids"] { inner[key] = options.members[key] }
        inner["verificationTime"] = .string(Timestamp(milliseconds: at).iso8601)
        inner["ttlSkewMs"] = .integer(skew)
        let verdict = ReferenceVerifier.core.verify(envelope, options: ReferenceOptions(inner), now: wallClock)
        if let refusal = verdict.refusal { throw refusal }
        return verdict.proofTier
    }
}
