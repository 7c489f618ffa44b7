import ClawWire

/// What a gateway receipt lets one say about the model that answered.
///
/// The reference keeps this apart from whether the receipt holds: it only ever lowers the tier.
struct ModelIdentity: Sendable, Hashable {
    /// From weakest to strongest.
    static let tiers = ["unknown", "closed_opaque", "closed_provider_manifest", "openweights_hashable", "tee_measured"]

    /// One of ``tiers``.
    var tier = "unknown"
    /// The reference's risk flags.
    var flags: Set<String> = []

    private static func refused(_ flags: Set<String>, _ flag: String) -> ModelIdentity {
        ModelIdentity(tier: "unknown", flags: flags.union([flag]))
    }

    /// Reads the identity from a receipt's payload.
    init(receipt payload: JSONValue) { self = Self.read(payload) }

    private init(tier: String, flags: Set<String>) {
        self.tier = tier
        self.flags = flags
    }

    private static func read(_ payload: JSONValue) -> ModelIdentity {
        let metadata = payload["metadata"]?.object
        var flags: Set<String> = []
        let identity: JSONValue
        if let given = metadata?["model_identity"] {
            guard schema.firstBreach(in: given) == nil else { return refused([], "MODEL_IDENTITY_SCHEMA_INVALID") }
            identity = given
        } else {
            flags.insert("MODEL_IDENTITY_MISSING_DEFAULTED")
            identity = [
                "model_identity_version": "1", "tier": "closed_opaque",
                "model": ["provider": payload["provider"] ?? .null, "name": payload["model"] ?? .null],
            ]
        }
        let model = identity["model"]
        guard let provider = model?["provider"]?.string, let name = model?["name"]?.string,
            ReferenceText.isFilled(provider), ReferenceText.isFilled(name)
        else { return refused(flags, "MODEL_IDENTITY_SCHEMA_INVALID") }
        guard payload["provider"] == .string(provider), payload["model"] == .string(name) else {
            return refused(flags, "MODEL_IDENTITY_MODEL_MISMATCH")
        }
        if let hash = metadata?["model_identity_hash_b64u"]?.string, !hash.isEmpty {
            guard ReferenceText.isBase64URL(hash) else { return refused(flags, "MODEL_IDENTITY_HASH_INVALID") }
            guard hash == identity.canonicalDigest.b64u else { return refused(flags, "MODEL_IDENTITY_HASH_MISMATCH") }
        } else {
            flags.insert("MODEL_IDENTITY_HASH_MISSING")
        }
        guard let tier = identity["tier"]?.string, tiers.dropFirst().contains(tier) else {
            return refused(flags, "MODEL_IDENTITY_TIER_INVALID")
        }
        guard hasEvidence(for: tier, identity) else { return refused(flags, "MODEL_IDENTITY_EVIDENCE_MISSING") }
        if tier == "closed_opaque" { flags.insert("MODEL_IDENTITY_OPAQUE") }
        return ModelIdentity(tier: tier, flags: flags)
    }

    private static func hasEvidence(for tier: String, _ identity: JSONValue) -> Bool {
        func isHash(_ value: JSONValue?) -> Bool {
            value?.string.map { $0.utf8.count >= 8 && ReferenceText.isBase64URL($0) } ?? false
        }
        let artifacts = identity["artifacts"]
        switch tier {
        case "closed_provider_manifest": return isHash(artifacts?["provider_manifest"]?["hash_b64u"])
        case "openweights_hashable":
            let weights = artifacts?["openweights"]?["weights"]?.array ?? []
            return !weights.isEmpty && weights.allSatisfy { isHash($0["hash_b64u"]) }
        case "tee_measured":
            return isHash(artifacts?["tee_measurement"]?["attestation_report_ref"]?["resource_hash_b64u"])
        default: return true
        }
    }

    /// The identity of several receipts, each with whether its signature holds: the weakest.
    static func weakest(of receipts: [(payload: JSONValue, isSigned: Bool)]) -> ModelIdentity {
        let identities = receipts.filter(\.isSigned).map { ModelIdentity(receipt: $0.payload) }
        guard let strengths = Optional(identities.compactMap { tiers.firstIndex(of: $0.tier) }),
            let least = strengths.min()
        else { return refused([], "MODEL_IDENTITY_NO_SIGNATURE_VERIFIED_RECEIPTS") }
        var flags = identities.reduce(into: Set<String>()) { $0.formUnion($1.flags) }
        if Set(strengths).count > 1 { flags.insert("MODEL_IDENTITY_HETEROGENEOUS") }
        return ModelIdentity(tier: tiers[least], flags: flags)
    }

    private static let resource = SchemaRule.object(
        ObjectRule(
            ["resource_type": .name, "resource_hash_b64u": .hash, "uri": .anyText],
            required: ["resource_type", "resource_hash_b64u"]))

    private static let artifacts = SchemaRule.object(
        ObjectRule(
            [
                "provider_manifest": .object(
                    ObjectRule(
                        [
                            "manifest_type": .constant("provider_build_manifest"), "uri": .anyText,
                            "hash_b64u": .hash, "content_type": .anyText,
                            "signature": .object(
                                ObjectRule(
                                    ["signer_did": .did, "signature_envelope_ref": resource],
                                    required: ["signer_did", "signature_envelope_ref"])),
                        ], required: ["manifest_type", "hash_b64u"])),
                "openweights": .object(
                    ObjectRule(
                        [
                            "weights_format": .anyText,
                            "weights": .array(
                                .object(
                                    ObjectRule(
                                        ["file_name": .anyText, "hash_b64u": .hash, "size_bytes": .count],
                                        required: ["hash_b64u"]))),
                            "tokenizer": .openObject, "config": .openObject, "serving_code": .openObject,
                        ], required: [])),
                "tee_measurement": .object(
                    ObjectRule(
                        [
                            "attestation_type": .anyText, "attestation_report_ref": resource,
                            "measurement": .openObject, "tcb": .openObject,
                        ], required: [])),
            ], required: []))

    /// `model_identity.v1`.
    static let schema = SchemaRule.object(
        ObjectRule(
            [
                "model_identity_version": .constant("1"), "tier": .choice(Array(tiers.dropFirst())),
                "model": .object(
                    ObjectRule(
                        [
                            "provider": .name, "name": .name, "family": .anyText, "endpoint": .anyText,
                            "region": .anyText, "deployment_id": .anyText, "revision": .anyText,
                        ], required: ["provider", "name"])),
                "gateway_observed": .object(
                    ObjectRule(
                        [
                            "gateway_id": .did, "observed_at": .dateTime, "request_id": .anyText,
                            "provider_response_fingerprint": .anyText,
                            "transport": .object(
                                ObjectRule(
                                    ["provider_api": .anyText, "http_status": .count, "latency_ms": .count],
                                    required: [])),
                        ], required: ["gateway_id", "observed_at"])),
                "artifacts": artifacts, "metadata": .openObject,
            ], required: ["model_identity_version", "tier", "model"]))
}
