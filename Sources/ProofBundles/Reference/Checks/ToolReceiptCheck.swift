import ClawWire

/// The library's checks of `tool_receipts` (WIRE section 8.3). The hosted verifier stops at the schema.
enum ToolReceiptCheck {
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        guard let value = context.payload["tool_receipts"] else { return }
        guard let receipts = value.array else {
            throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", "payload.tool_receipts", "no array")
        }
        for (index, receipt) in receipts.enumerated() {
            try check(receipt, field: "payload.tool_receipts[\(index)]", context)
        }
        context.components["tool_receipts_count"] = .integer(receipts.count)
        context.components["tool_receipts_valid"] = true
    }

    private static func check(
        _ receipt: JSONValue, field: String, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let envelope = try envelope(receipt, field: field)
        let payload = envelope?["payload"] ?? receipt
        guard payload["agent_did"] == .string(context.agentDID) else {
            throw ReferenceRefusal("PROOF_BUNDLE_AGENT_MISMATCH", "\(field).agent_did", "a tool of another agent")
        }
        try checkBinding(payload, field: "\(field).binding", context)
        if let envelope { try checkSignatures(of: envelope, field: field, context) }
        guard payload["receipt_version"] == "2" else { return }
        for name in ["args", "result"] {
            guard let disclosure = payload["\(name)_disclosure"] else { continue }
            try SelectiveDisclosure.check(
                disclosure, root: payload["\(name)_hash_b64u"]?.string ?? "", field: "\(field).\(name)_disclosure")
        }
    }

    /// The envelope when the entry is one; `nil` for a bare payload.
    private static func envelope(_ receipt: JSONValue, field: String) throws(ReferenceRefusal) -> JSONObject? {
        if ToolReceiptSchemas.envelope2.firstBreach(in: receipt) == nil { return receipt.object }
        if ToolReceiptSchemas.envelope1.firstBreach(in: receipt) == nil { return receipt.object }
        guard let breach = ToolReceiptSchemas.payload2.firstBreach(in: receipt) else { return nil }
        if ToolReceiptSchemas.payload1.firstBreach(in: receipt) == nil { return nil }
        if receipt.object?.contains("receipt_version") ?? false {
            throw ReferenceRefusal("UNKNOWN_VERSION", "\(field).receipt_version", "no known version of a tool receipt")
        }
        throw ReferenceRefusal(
            "SCHEMA_VALIDATION_FAILED", breach.isEmpty ? field : "\(field).\(breach)", "no tool receipt")
    }

    private static func checkBinding(
        _ payload: JSONValue, field: String, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        guard let binding = payload["binding"]?.object, let expected = context.runID else { return }
        if let run = binding["run_id"]?.string, !run.isEmpty, !ExactText.equal(run, expected) {
            throw ReferenceRefusal("RECEIPT_BINDING_MISMATCH", "\(field).run_id", "the receipt is of another run")
        }
        guard let hash = binding["event_hash_b64u"] else { return }
        guard let hash = hash.string, ReferenceText.isBase64URL(hash) else {
            throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", "\(field).event_hash_b64u", "no base64url")
        }
        guard context.eventHashes.contains(hash) else {
            throw ReferenceRefusal("RECEIPT_BINDING_MISMATCH", "\(field).event_hash_b64u", "no event of the bundle")
        }
    }

    private static func checkSignatures(
        of envelope: JSONObject, field: String, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        if let expiry = envelope["expires_at"]?.string, !expiry.isEmpty {
            guard let expiry = ReferenceDate.milliseconds(expiry) else {
                throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", "\(field).expires_at", "no date")
            }
            let limit = expiry.addingReportingOverflow(context.options.expirySkew).partialValue
            guard context.now.milliseconds <= limit else {
                throw ReferenceRefusal("EXPIRED_TTL", "\(field).expires_at", "the envelope has expired")
            }
        }
        let hash = envelope["payload_hash_b64u"]?.string ?? ""
        let algorithm = envelope["hash_algorithm"]?.string ?? ""
        guard let computed = ReferenceSignature.hash(envelope["payload"] ?? .null, algorithm: algorithm) else {
            throw ReferenceRefusal("UNKNOWN_HASH_ALGORITHM", "\(field).hash_algorithm", "no such hash")
        }
        guard ExactText.equal(computed, hash) else {
            throw ReferenceRefusal("HASH_MISMATCH", "\(field).payload_hash_b64u", "the payload has another hash")
        }
        func signs(_ signature: JSONValue) -> Bool {
            ReferenceSignature.holds(
                signature["signature_b64u"]?.string ?? "", by: signature["signer_did"]?.string ?? "", over: hash)
        }
        guard signs(.object(envelope)) else {
            throw ReferenceRefusal("SIGNATURE_INVALID", "\(field).signature_b64u", "not the signer's signature")
        }
        guard envelope["envelope_version"] == "2" else { return }
        for (index, coSignature) in (envelope["co_signatures"]?.array ?? []).enumerated() {
            guard signs(coSignature) else {
                throw ReferenceRefusal(
                    "CO_SIGNATURE_INVALID", "\(field).co_signatures[\(index)].signature_b64u",
                    "not the co-signer's signature")
            }
        }
    }
}

/// Disclosure of some leaves of a committed value.
enum SelectiveDisclosure {
    /// Checks a disclosure against the hash that the receipt commits to.
    ///
    /// The root is the hash of the canonical array of all leaf hashes in ascending order of their UTF-16 units; a leaf
    /// is the hash of `path:` and the canonical leaf.
    static func check(_ disclosure: JSONValue, root: String, field: String) throws(ReferenceRefusal) {
        guard let claimed = disclosure["merkle_root_b64u"]?.string, ExactText.equal(claimed, root) else {
            throw ReferenceRefusal(
                "DISCLOSURE_ROOT_MISMATCH", "\(field).merkle_root_b64u", "the receipt commits to another root")
        }
        var leaves = (disclosure["redacted_leaf_hashes_b64u"]?.array ?? []).compactMap(\.string)
        for member in disclosure["disclosed_leaves"]?.object?.members ?? [] {
            let value = member.value["value"] ?? .null
            guard member.value["type"] == .string(value.typeName) else {
                throw ReferenceRefusal(
                    "DISCLOSURE_TYPE_MISMATCH", "\(field).disclosed_leaves.\(member.key)", "a leaf of another type")
            }
            let leaf: JSONValue = [
                "type": .string(value.typeName), "value": value, "salt_b64u": member.value["salt_b64u"] ?? .null,
            ]
            let text = member.key + ":" + JSONWriter.text(leaf, order: .canonical)
            leaves.append(Digest(hashing: text).b64u)
        }
        leaves.sort(by: JSONWriter.precedes)
        let computed = JSONValue.array(leaves.map { .string($0) }).canonicalDigest.b64u
        guard computed == claimed else {
            throw ReferenceRefusal(
                "DISCLOSURE_ROOT_MISMATCH", "\(field).merkle_root_b64u", "the leaves have another root")
        }
    }
}
