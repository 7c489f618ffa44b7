import ClawWire

/// `payload.urm` against the manifest document that the caller hands over (WIRE section 9).
enum RunManifestReference {
    private static let resource = SchemaRule.object(
        ObjectRule(
            [
                "type": .name, "hash_b64u": .hash, "content_type": .anyText, "uri": .anyText, "path": .anyText,
                "size_bytes": .integer(minimum: 0), "metadata": .openObject,
            ], required: ["type", "hash_b64u"]))

    private static let schema = SchemaRule.object(
        ObjectRule(
            [
                "urm_version": .constant("1"), "urm_id": .name, "run_id": .name, "agent_did": .did,
                "issued_at": .dateTime,
                "harness": .object(
                    ObjectRule(
                        [
                            "id": .name, "version": .name, "runtime": .anyText, "config_hash_b64u": .hash,
                            "metadata": .openObject,
                        ], required: ["id", "version"])),
                "inputs": .array(resource), "outputs": .array(resource), "event_chain_root_hash_b64u": .hash,
                "receipts_root_hash_b64u": .hash, "proof_bundle_hash_b64u": .hash, "metadata": .openObject,
            ],
            required: [
                "urm_version", "urm_id", "run_id", "agent_did", "issued_at", "harness", "inputs", "outputs",
            ]))

    /// Checks the reference when there is one. A reference without the document is refused.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        guard let value = context.payload["urm"] else { return }
        let reference = value.object
        guard reference?["urm_version"] == "1", reference?["urm_id"]?.string?.isEmpty == false,
            reference?["resource_type"]?.string?.isEmpty == false,
            let hash = Loose.hash(reference?["resource_hash_b64u"])
        else {
            context.components["urm_valid"] = false
            return
        }
        guard let document = context.options.urm else {
            throw ReferenceRefusal("URM_MISSING", "urm", "the reference needs the manifest document")
        }
        if let field = schema.firstBreach(in: document) {
            throw ReferenceRefusal(
                "SCHEMA_VALIDATION_FAILED", field.isEmpty ? "urm" : "urm.\(field)", "breaks the schema of manifests")
        }
        let manifest = Part(members: document.object ?? JSONObject(), path: "urm")
        func text(_ key: String) -> JSONValue { .string(ExactText.trimmed(manifest[key]?.string ?? "")) }
        let code = "URM_MISMATCH"
        try manifest.require(text("urm_id") == reference?["urm_id"], code, "urm_id", "is another manifest")
        try manifest.require(text("agent_did") == .string(context.agentDID), code, "agent_did", "is another agent")
        if let run = context.runID {
            try manifest.require(text("run_id") == .string(run), code, "run_id", "is another run")
            if let root = context.chainRoot, manifest["event_chain_root_hash_b64u"] != nil {
                try manifest.require(
                    text("event_chain_root_hash_b64u") == .string(root), code, "event_chain_root_hash_b64u",
                    "is another chain")
            }
        }
        guard document.documentDigest.b64u == hash else {
            throw ReferenceRefusal(
                "HASH_MISMATCH", "payload.urm.resource_hash_b64u", "the manifest document has another hash")
        }
        context.components["urm_valid"] = true
    }
}
