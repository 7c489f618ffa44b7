import ClawWire

/// `payload.metadata.reviewer_signoff_receipts`: people's signed opinions of the run (WIRE section 8.6).
enum ReviewerSignoff {
    private static let path = "payload.metadata.reviewer_signoff_receipts"

    /// Checks all sign-offs. Any `did:key` may sign: the reference has no list of reviewers.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        guard let value = context.metadata?["reviewer_signoff_receipts"] else { return }
        let codes = MetadataCodes(context.verifier)
        guard let entries = value.array else { throw ReferenceRefusal(codes.malformed, path, "must be an array") }
        for (index, entry) in entries.enumerated() {
            let receipt = try EvidenceEnvelope(
                entry, at: "\(path)[\(index)]", type: "reviewer_signoff_receipt", codes: codes)
            try check(receipt, codes, context)
        }
        context.components["reviewer_signoff_receipts_count"] = .integer(entries.count)
        context.components["reviewer_signoff_receipts_valid"] = true
    }

    private static let members: Set<String> = [
        "receipt_version", "receipt_id", "reviewer_did", "decision", "timestamp", "binding", "dispute",
        "revoked_reviewer_keys", "transparency",
    ]

    private static func check(
        _ receipt: EvidenceEnvelope, _ codes: MetadataCodes, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let payload = receipt.payload
        guard payload.isClosed(members) else {
            throw ReferenceRefusal(codes.malformed, payload.path, "has a member of another name")
        }
        try payload.constant("receipt_version", "1", else: codes.malformed)
        try payload.filled("receipt_id", else: codes.malformed)
        let reviewer = try payload.did("reviewer_did", else: codes.did)
        try payload.require(reviewer == receipt.signer, codes.mismatch, "reviewer_did", "is not the signer")
        guard let decision = payload["decision"]?.string, ["approve", "reject", "needs_changes"].contains(decision)
        else {
            throw payload.refusal(codes.malformed, "decision", "is no decision")
        }
        let time = try payload.date("timestamp", else: codes.malformed)
        try checkBinding(payload, codes, context)
        try checkDispute(payload, codes)
        try receipt.verify()
        try LogTransparency.check(payload, leaf: leaf(payload.members), codes: codes)
        try RevokedKeys.check("revoked_reviewer_keys", of: payload, signer: receipt.signer, at: time, codes: codes)
    }

    private static func checkBinding(
        _ payload: Part, _ codes: MetadataCodes, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let binding = try payload.part("binding", else: codes.malformed)
        let run = try binding.filled("run_id", else: codes.missing)
        let bundle = try binding.filled("bundle_id", else: codes.missing)
        let event = try binding.base64URL("event_hash_b64u", else: codes.missing)
        guard let kind = binding["target_kind"]?.string, ["run", "export_pack"].contains(kind) else {
            throw binding.refusal(codes.malformed, "target_kind", "must be run or export_pack")
        }
        for key in ["proof_bundle_hash_b64u", "export_pack_root_hash_b64u"] where binding[key] != nil {
            try binding.base64URL(key, else: codes.malformed)
        }
        guard let expected = context.runID else {
            throw binding.refusal(codes.mismatch, "event_hash_b64u", "the bundle has no event chain")
        }
        try binding.require(ExactText.equal(run, expected), codes.mismatch, "run_id", "is another run")
        try binding.require(ExactText.equal(bundle, context.bundleID), codes.mismatch, "bundle_id", "is another bundle")
        try binding.require(
            context.eventHashes.contains(event), codes.mismatch, "event_hash_b64u", "is no event of the chain")
    }

    private static func checkDispute(_ payload: Part, _ codes: MetadataCodes) throws(ReferenceRefusal) {
        guard payload["dispute"] != nil else { return }
        let dispute = try payload.part("dispute", else: codes.malformed)
        try dispute.filled("status", else: codes.malformed)
        guard let value = dispute["notes"] else { return }
        guard let notes = value.array else { throw dispute.refusal(codes.malformed, "notes", "must be an array") }
        for (index, note) in notes.enumerated() {
            guard let object = note.object else {
                throw dispute.refusal(codes.malformed, "notes[\(index)]", "must be an object")
            }
            let note = Part(members: object, path: dispute.field("notes[\(index)]"))
            try note.filled("note_id", else: codes.malformed)
            try note.filled("note", else: codes.malformed)
        }
    }

    /// The leaf under which a log lists a sign-off: its statement, with null for what is not there.
    static func leaf(_ payload: JSONObject) -> JSONObject {
        var leaf: JSONObject = ["leaf_version": "reviewer_signoff_receipt_v1"]
        for key in ["receipt_version", "receipt_id", "reviewer_did", "decision", "timestamp"] {
            leaf[key] = payload[key] ?? .null
        }
        let keys = [
            "run_id", "bundle_id", "proof_bundle_hash_b64u", "event_hash_b64u", "target_kind",
            "export_pack_root_hash_b64u",
        ]
        leaf["binding"] = .object(JSONObject(keys.map { ($0, payload["binding"]?[$0] ?? .null) }))
        leaf["dispute"] = payload["dispute"] ?? .null
        return leaf
    }
}
