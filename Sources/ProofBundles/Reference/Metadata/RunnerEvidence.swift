import ClawWire

/// `payload.metadata.runner_measurement`: what the runner measured of itself.
enum RunnerMeasurement {
    /// Where it stands.
    static let path = "payload.metadata.runner_measurement"
    /// The files that it hashes.
    static let artifacts = [
        "preload_hash_b64u", "node_preload_sentinel_hash_b64u", "sentinel_shell_hash_b64u",
        "sentinel_shell_policy_hash_b64u", "interpose_library_hash_b64u",
    ]
    private static let schema = "SCHEMA_VALIDATION_FAILED"

    /// Checks the measurement when there is one.
    static func check(_ context: ReferenceContext) throws(ReferenceRefusal) {
        guard let value = context.metadata?["runner_measurement"] else { return }
        guard let object = value.object else { throw ReferenceRefusal(schema, path, "must be an object") }
        let measurement = Part(members: object, path: path)
        try measurement.constant("binding_version", "1", else: schema)
        try measurement.constant("hash_algorithm", "SHA-256", else: schema)
        let hash = try measurement.base64URL("manifest_hash_b64u", else: schema)
        let manifest = try measurement.part("manifest", else: schema)
        try checkManifest(manifest, mismatch: MetadataCodes(context.verifier).mismatch)
        if let bound = PolicyBinding.effectiveHash(context.metadata), ReferenceText.isFilled(bound) {
            try manifest.require(
                manifest["policy"]?["effective_policy_hash_b64u"] == .string(bound),
                MetadataCodes(context.verifier).mismatch, "policy.effective_policy_hash_b64u",
                "is not the bound policy")
        }
        try measurement.require(
            JSONValue.object(manifest.members).documentDigest.b64u == hash, "HASH_MISMATCH", "manifest_hash_b64u",
            "the manifest has another hash")
    }

    private static func checkManifest(_ manifest: Part, mismatch: String) throws(ReferenceRefusal) {
        try manifest.constant("manifest_version", "1", else: schema)
        let runtime = manifest["runtime"]
        try manifest.require(
            ["platform", "arch", "node_version"].allSatisfy { Loose.filled(runtime?[$0]) != nil }, schema, "runtime",
            "must name platform, arch and node_version")
        let proofed = try manifest.part("proofed", else: schema)
        try proofed.require(proofed["proofed_mode"] == true, mismatch, "proofed_mode", "must be true")
        try proofed.require(
            proofed["clawproxy_url"]?.string.map(Loose.isWebURL) == true, schema, "clawproxy_url",
            "must be an absolute http or https URL")
        for key in ["allowed_proxy_destinations", "allowed_child_destinations"] {
            try proofed.require(
                HostList.isCanonical(proofed[key]), schema, key, "must be lowercase, sorted and unique")
        }
        let sentinels = proofed["sentinels"]
        try proofed.require(
            ["shell", "interpose", "preload", "fs", "net"].allSatisfy { sentinels?["\($0)_enabled"]?.bool != nil },
            schema, "sentinels", "must have the five flags")
        let policy = try manifest.part("policy", else: schema)
        if policy["effective_policy_hash_b64u"] != nil {
            try policy.base64URL("effective_policy_hash_b64u", else: schema)
        }
        let files = try manifest.part("artifacts", else: schema)
        for key in artifacts where files[key] != .null { try files.base64URL(key, else: schema) }
        let needed = [
            "preload": ["preload_hash_b64u", "node_preload_sentinel_hash_b64u"],
            "shell": ["sentinel_shell_hash_b64u", "sentinel_shell_policy_hash_b64u"],
            "interpose": ["interpose_library_hash_b64u"],
        ]
        for sentinel in ["preload", "shell", "interpose"] where sentinels?["\(sentinel)_enabled"] == true {
            let keys = needed[sentinel] ?? []
            try files.require(
                keys.allSatisfy { files[$0] != .null }, mismatch, keys.first ?? "",
                "an enabled sentinel must be measured")
        }
    }
}

/// `payload.metadata.runner_attestation_receipt`: the agent's signature over the measurement, the policy and the run.
enum RunnerAttestation {
    private static let path = "payload.metadata.runner_attestation_receipt"

    /// Checks the receipt; it and a measurement need each other. Leaves `runner_attestation_receipt_valid`.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let measurement = context.metadata?["runner_measurement"]?.object
        let value = context.metadata?["runner_attestation_receipt"]
        guard let measurement else {
            guard value == nil else {
                throw ReferenceRefusal("MISSING_REQUIRED_FIELD", RunnerMeasurement.path, "the attestation needs it")
            }
            return
        }
        guard let value else {
            throw ReferenceRefusal("MISSING_REQUIRED_FIELD", path, "the measurement needs it")
        }
        let codes = MetadataCodes(context.verifier)
        let policy = PolicyBinding.effectiveHash(context.metadata)
        if context.verifier == .service, policy?.isEmpty ?? true { throw missingPolicy(codes) }
        let receipt = try EvidenceEnvelope(value, at: path, type: "runner_attestation_receipt", codes: codes)
        try checkPayload(receipt, codes, context)
        guard let policy, ReferenceText.isFilled(policy) else { throw missingPolicy(codes) }
        try checkClaims(receipt.payload, measurement, policy: policy, codes)
        try receipt.verify()
        let payload = receipt.payload
        let leaf = LogTransparency.leaf(
            "runner_attestation_receipt_v1", payload.members, without: ["transparency", "revoked_runner_keys"])
        try LogTransparency.check(payload, leaf: leaf, codes: codes)
        try RevokedKeys.check(
            "revoked_runner_keys", of: payload, signer: receipt.signer,
            at: Loose.milliseconds(payload["timestamp"]) ?? receipt.issuedAt, codes: codes)
        context.components["runner_attestation_receipt_valid"] = true
    }

    private static func missingPolicy(_ codes: MetadataCodes) -> ReferenceRefusal {
        ReferenceRefusal(
            codes.mismatch, "payload.metadata.policy_binding.effective_policy_hash_b64u",
            "a runner attestation needs a bound policy")
    }

    private static let members: Set<String> = [
        "receipt_version", "receipt_id", "hash_algorithm", "agent_did", "timestamp", "binding", "runner_measurement",
        "policy", "transparency", "revoked_runner_keys",
    ]

    private static func checkPayload(
        _ receipt: EvidenceEnvelope, _ codes: MetadataCodes, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let payload = receipt.payload
        guard payload.isClosed(members) else {
            throw ReferenceRefusal(codes.malformed, payload.path, "has a member of another name")
        }
        try payload.constant("receipt_version", "1", else: codes.malformed)
        try payload.filled("receipt_id", else: codes.malformed)
        try payload.constant("hash_algorithm", "SHA-256", else: codes.hashAlgorithm)
        let agent = try payload.did("agent_did", else: codes.did)
        try receipt.envelope.require(
            agent == context.agentDID && receipt.signer == context.agentDID, codes.mismatch, "signer_did",
            "is not the bundle's agent")
        try payload.date("timestamp", else: codes.malformed)
        let binding = try payload.part("binding", else: codes.malformed)
        guard binding.isClosed(["run_id", "event_hash_b64u"]) else {
            throw payload.refusal(codes.malformed, "binding", "has a member of another name")
        }
        let run = try binding.filled("run_id", else: codes.missing)
        let event = try binding.base64URL("event_hash_b64u", else: codes.missing)
        guard let expected = context.runID else {
            throw binding.refusal(codes.mismatch, "event_hash_b64u", "the bundle has no event chain")
        }
        try binding.require(ExactText.equal(run, expected), codes.mismatch, "run_id", "is another run")
        try binding.require(
            context.eventHashes.contains(event), codes.mismatch, "event_hash_b64u", "is no event of the chain")
        try payload.part("policy", else: codes.malformed)
            .base64URL("effective_policy_hash_b64u", else: codes.malformed)
    }

    private static func checkClaims(
        _ payload: Part, _ measurement: JSONObject, policy: String, _ codes: MetadataCodes
    ) throws(ReferenceRefusal) {
        try payload.require(
            payload["policy"]?["effective_policy_hash_b64u"] == .string(policy), codes.mismatch,
            "policy.effective_policy_hash_b64u", "is not the bound policy")
        let claim = try payload.part("runner_measurement", else: codes.malformed)
        let hash = try claim.base64URL("manifest_hash_b64u", else: codes.malformed)
        try claim.require(
            measurement["manifest_hash_b64u"] == .string(hash), codes.mismatch, "manifest_hash_b64u",
            "is not the measurement's manifest")
        let runtimeHash = try claim.base64URL("runtime_hash_b64u", else: codes.malformed)
        let manifest = measurement["manifest"]
        try claim.require(
            manifest?["runtime"]?.documentDigest.b64u == runtimeHash, "HASH_MISMATCH", "runtime_hash_b64u",
            "the runtime has another hash")
        let files = try claim.part("artifacts", else: codes.malformed)
        guard files.isClosed(Set(RunnerMeasurement.artifacts)) else {
            throw claim.refusal(codes.malformed, "artifacts", "has a member of another name")
        }
        for key in RunnerMeasurement.artifacts {
            if files[key] != .null { try files.base64URL(key, else: codes.malformed) }
            try files.require(
                files[key] == manifest?["artifacts"]?[key], codes.mismatch, key, "is not the measured one")
        }
    }
}
