import ClawWire

/// `payload.metadata.policy_binding`: the policy that was in force and the signed bundle that it comes from.
enum PolicyBinding {
    private static let schema = "SCHEMA_VALIDATION_FAILED"
    private static let path = "payload.metadata.policy_binding"

    /// The bound policy's hash, when the metadata names one; not checked here.
    static func effectiveHash(_ metadata: JSONObject?) -> String? {
        metadata?["policy_binding"]?["effective_policy_hash_b64u"]?.string
    }

    /// Checks the binding when there is one: its own hash, the signed policy bundle, and that the egress policy receipt
    /// names the same policy, run and chain.
    static func check(_ context: ReferenceContext) throws(ReferenceRefusal) {
        guard let metadata = context.metadata, let value = metadata["policy_binding"] else { return }
        guard let object = value.object else { throw ReferenceRefusal(schema, path, "must be an object") }
        let binding = Part(members: object, path: path)
        try binding.constant("binding_version", "1", else: schema)
        let hash = try binding.base64URL("effective_policy_hash_b64u", else: schema)
        let snapshot = try binding.part("effective_policy_snapshot", else: schema)
        let layers = try checkSnapshot(snapshot)

        let policy = try PolicyNormalForm(snapshot["effective_policy"], at: snapshot.field("effective_policy"))
        var normal = snapshot.members
        normal["effective_policy"] = policy.value
        try binding.require(
            CollationOrder.digest(.object(normal)).b64u == hash, "HASH_MISMATCH", "effective_policy_hash_b64u",
            "the snapshot has another hash")

        guard let envelope = binding["signed_policy_bundle_envelope"] else {
            throw binding.refusal(schema, "signed_policy_bundle_envelope", "is required")
        }
        let codes = MetadataCodes(context.verifier)
        let bundle = try SignedPolicyBundle(envelope, at: binding.field("signed_policy_bundle_envelope"))
        try checkSource(snapshot, layers, bundle)
        try bundle.checkRevocation()
        try checkReceipt(metadata, hash: hash, context, mismatch: codes.mismatch)
    }

    private static func checkSnapshot(_ snapshot: Part) throws(ReferenceRefusal) -> [JSONValue] {
        try snapshot.constant("snapshot_version", "1", else: schema)
        try snapshot.constant("resolver_version", "org_project_task_exception.v1", else: schema)
        try snapshot.require(
            Loose.filled(snapshot["context"]?["org_id"]) != nil, schema, "context.org_id", "is required")
        let source = snapshot["source_bundle"]
        try snapshot.require(
            Loose.filled(source?["bundle_id"]) != nil && Loose.did(source?["issuer_did"]) != nil
                && Loose.milliseconds(source?["issued_at"]) != nil, schema, "source_bundle", "is malformed")
        return try snapshot.elements("applied_layers", else: schema)
    }

    private static func checkSource(
        _ snapshot: Part, _ layers: [JSONValue], _ bundle: SignedPolicyBundle
    ) throws(ReferenceRefusal) {
        let source = snapshot["source_bundle"]
        try snapshot.require(
            source?["bundle_id"] == .string(bundle.id), schema, "source_bundle.bundle_id",
            "is not the signed bundle's")
        try snapshot.require(
            source?["issuer_did"] == .string(bundle.issuer), schema, "source_bundle.issuer_did",
            "is not the signed bundle's")
        for (index, layer) in layers.enumerated() {
            guard let id = layer["layer_id"]?.string, let hash = bundle.layerHashes[ExactString(id)] else {
                throw snapshot.refusal(schema, "applied_layers[\(index)].layer_id", "is no layer of the signed bundle")
            }
            try snapshot.require(
                layer["policy_hash_b64u"] == .string(hash), "HASH_MISMATCH",
                "applied_layers[\(index)].policy_hash_b64u", "is not the signed layer's")
        }
    }

    private static func checkReceipt(
        _ metadata: JSONObject, hash: String, _ context: ReferenceContext, mismatch: String
    ) throws(ReferenceRefusal) {
        let path = EgressPolicyReceipt.path
        guard let receipt = metadata["sentinels"]?["egress_policy_receipt"]?.object else {
            throw ReferenceRefusal(mismatch, path, "a policy binding needs this receipt")
        }
        guard let payload = receipt["payload"]?.object else {
            throw ReferenceRefusal(schema, path + ".payload", "must be an object")
        }
        let part = Part(members: payload, path: path + ".payload")
        let named = try part.base64URL("effective_policy_hash_b64u", else: schema)
        try part.require(named == hash, mismatch, "effective_policy_hash_b64u", "is not the bound policy")
        guard let run = context.runID else { return }
        guard let binding = part["binding"]?.object else { throw part.refusal(mismatch, "binding", "is required") }
        try part.require(binding["run_id"] == .string(run), mismatch, "binding.run_id", "is another run")
        try part.require(
            binding["event_hash_b64u"]?.string.map(context.eventHashes.contains) == true, mismatch,
            "binding.event_hash_b64u", "is no event of the chain")
        if context.verifier == .core {
            try LogTransparency.check(part, leaf: EgressPolicyReceipt.leaf(payload), codes: MetadataCodes(.core))
        }
    }
}

/// A policy bundle that an issuer signed, as far as policy bindings rest on it.
struct SignedPolicyBundle {
    /// `bundle_id`, trimmed.
    let id: String
    /// `issuer_did`.
    let issuer: String
    /// Each layer's policy hash by its trimmed id.
    let layerHashes: [ExactString: String]
    private let payload: Part
    private let signer: String
    private let issuedAt: Int64

    private static let schema = "SCHEMA_VALIDATION_FAILED"

    /// Reads an envelope, recomputes every layer's hash and the payload's, and verifies the signature.
    ///
    /// The payload's hash is over a normal form, not over the document: known members only, texts trimmed, policies
    /// normalized, members in collation order.
    init(_ value: JSONValue, at path: String) throws(ReferenceRefusal) {
        let schema = Self.schema
        guard let object = value.object else { throw ReferenceRefusal(schema, path, "must be an object") }
        let envelope = Part(members: object, path: path)
        try envelope.constant("envelope_version", "1", else: schema)
        try envelope.constant("envelope_type", "policy_bundle", else: schema)
        try envelope.constant("hash_algorithm", "SHA-256", else: schema)
        try envelope.constant("algorithm", "Ed25519", else: schema)
        let hash = try envelope.base64URL("payload_hash_b64u", else: schema)
        let signature = try envelope.base64URL("signature_b64u", else: schema)
        signer = try envelope.did("signer_did", else: schema)
        issuedAt = try envelope.date("issued_at", else: schema)
        payload = try envelope.part("payload", else: schema)
        try payload.constant("policy_bundle_version", "1", else: schema)
        id = ExactText.trimmed(try payload.filled("bundle_id", else: schema))
        issuer = try payload.did("issuer_did", else: schema)
        try payload.date("issued_at", else: schema)
        try payload.constant("hash_algorithm", "SHA-256", else: schema)

        var hashes: [ExactString: String] = [:]
        var layers: [JSONValue] = []
        for (index, layer) in try payload.elements("layers", else: schema).enumerated() {
            guard let object = layer.object else {
                throw payload.refusal(schema, "layers[\(index)]", "must be an object")
            }
            let part = Part(members: object, path: payload.field("layers[\(index)]"))
            let (id, hash, normal) = try Self.normalize(part)
            hashes[ExactString(id)] = hash
            layers.append(normal)
        }
        layerHashes = hashes
        var normal: JSONObject = [
            "policy_bundle_version": "1", "bundle_id": .string(id), "issuer_did": .string(issuer),
            "issued_at": payload["issued_at"] ?? .null, "hash_algorithm": "SHA-256", "layers": .array(layers),
        ]
        if let metadata = payload["metadata"]?.object { normal["metadata"] = .object(metadata) }
        try envelope.require(
            CollationOrder.digest(.object(normal)).b64u == hash, "HASH_MISMATCH", "payload_hash_b64u",
            "the payload has another hash")
        if case .none = ReferenceSignature.key(of: signer) {
            throw envelope.refusal(schema, "signer_did", "the signer is no Ed25519 did:key")
        }
        try envelope.require(
            ReferenceSignature.holds(signature, by: signer, over: hash), "SIGNATURE_INVALID", "signature_b64u",
            "the signature is not the signer's")
    }

    /// Refuses a bundle that names its own signer as revoked.
    func checkRevocation() throws(ReferenceRefusal) {
        guard let metadata = payload["metadata"]?.object else { return }
        try RevokedKeys.check(
            "revoked_policy_issuer_keys", of: Part(members: metadata, path: payload.field("metadata")),
            signer: signer, at: issuedAt, codes: MetadataCodes(.core))
    }

    private static func normalize(_ layer: Part) throws(ReferenceRefusal) -> (String, String, JSONValue) {
        let id = ExactText.trimmed(try layer.filled("layer_id", else: schema))
        let scope = try layer.part("scope", else: schema)
        guard let type = scope["scope_type"]?.string, ["org", "project", "task", "exception"].contains(type) else {
            throw scope.refusal(schema, "scope_type", "is unknown")
        }
        let organization = ExactText.trimmed(try scope.filled("org_id", else: schema))
        let hash = try layer.base64URL("policy_hash_b64u", else: schema)
        let policy = try PolicyNormalForm(layer["policy"], at: layer.field("policy"))
        try layer.require(
            CollationOrder.digest(policy.value).b64u == hash, "HASH_MISMATCH", "policy_hash_b64u",
            "the policy has another hash")

        var normalScope: JSONObject = ["scope_type": .string(type), "org_id": .string(organization)]
        for key in ["project_id", "task_id", "exception_id"] {
            if let text = Loose.filled(scope[key]) { normalScope[key] = .string(ExactText.trimmed(text)) }
        }
        if let priority = scope["priority"]?.number { normalScope["priority"] = .number(priority.rounded(.towardZero)) }
        if let expiry = scope["expires_at"], Loose.milliseconds(expiry) != nil { normalScope["expires_at"] = expiry }
        var normal: JSONObject = [
            "layer_id": .string(id), "scope": .object(normalScope),
            "apply_mode": layer["apply_mode"] == "replace" ? "replace" : "merge", "policy": policy.value,
            "policy_hash_b64u": .string(hash),
        ]
        if let metadata = layer["metadata"]?.object { normal["metadata"] = .object(metadata) }
        return (id, hash, .object(normal))
    }
}

/// A policy's statements as they are hashed: by `sid`, the last of equal ones, texts trimmed and sorted.
struct PolicyNormalForm {
    /// The policy in normal form.
    let value: JSONValue

    private static let schema = "SCHEMA_VALIDATION_FAILED"

    init(_ policy: JSONValue?, at path: String) throws(ReferenceRefusal) {
        guard let object = policy?.object else { throw ReferenceRefusal(Self.schema, path, "must be an object") }
        let part = Part(members: object, path: path)
        var order: [ExactString] = []
        var statements: [ExactString: JSONValue] = [:]
        for (index, statement) in try part.elements("statements", else: Self.schema).enumerated() {
            guard let object = statement.object else {
                throw part.refusal(Self.schema, "statements[\(index)]", "must be an object")
            }
            let (sid, normal) = try Self.normalize(
                Part(members: object, path: part.field("statements[\(index)]")))
            if statements.updateValue(normal, forKey: ExactString(sid)) == nil { order.append(ExactString(sid)) }
        }
        let sorted = order.sorted { CollationOrder.precedes($0.text, $1.text) }
        value = ["statements": .array(sorted.compactMap { statements[$0] })]
    }

    private static func normalize(_ statement: Part) throws(ReferenceRefusal) -> (String, JSONValue) {
        let sid = ExactText.trimmed(try statement.filled("sid", else: schema))
        guard let effect = statement["effect"], effect == "Allow" || effect == "Deny" else {
            throw statement.refusal(schema, "effect", "must be Allow or Deny")
        }
        var lists: [[JSONValue]] = []
        for key in ["actions", "resources"] { lists.append(try statement.elements(key, else: schema)) }
        var normal: JSONObject = ["sid": .string(sid), "effect": effect]
        for (key, list) in zip(["actions", "resources"], lists) {
            let texts = sortedTexts(list)
            try statement.require(!texts.isEmpty, schema, key, "must contain texts that are not empty")
            normal[key] = .array(texts)
        }
        if let conditions = statement["conditions"] {
            normal["conditions"] = try normalize(conditions: conditions, of: statement)
        }
        return (sid, .object(normal))
    }

    private static func normalize(
        conditions: JSONValue, of statement: Part
    ) throws(ReferenceRefusal) -> JSONValue {
        guard let operators = conditions.object else {
            throw statement.refusal(schema, "conditions", "must be an object")
        }
        var normal = JSONObject()
        for member in operators.members.sorted(by: { CollationOrder.precedes($0.key, $1.key) }) {
            guard let keys = member.value.object else {
                throw statement.refusal(schema, "conditions.\(member.key)", "must be an object")
            }
            var normalKeys = JSONObject()
            for key in keys.members.sorted(by: { CollationOrder.precedes($0.key, $1.key) }) {
                guard let values = key.value.array else {
                    throw statement.refusal(schema, "conditions.\(member.key).\(key.key)", "must be an array of texts")
                }
                normalKeys[key.key] = .array(sortedTexts(values))
            }
            normal[member.key] = .object(normalKeys)
        }
        return .object(normal)
    }

    private static func sortedTexts(_ values: [JSONValue]) -> [JSONValue] {
        values.compactMap { $0.string.map(ExactText.trimmed) }.filter { !$0.isEmpty }
            .sorted(by: CollationOrder.precedes).map { .string($0) }
    }
}
