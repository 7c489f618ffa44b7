import ClawWire

/// The checks of a payload between schema and signature: minimal content, counts, sizes, unique ids.
struct PayloadLimits {
    let verifier: ReferenceVerifier
    let isSigned: Bool

    private static let maximumReceipts = 1_000
    private static let maximumAttestations = 100
    private static let maximumMetadataBytes = 16_384

    /// Checks a payload.
    ///
    /// - Returns: its members.
    func check(_ payload: JSONValue) throws(ReferenceRefusal) -> JSONObject {
        guard let object = payload.object, hasContent(object) else {
            throw ReferenceRefusal(
                isSigned ? "MALFORMED_ENVELOPE" : "SCHEMA_VALIDATION_FAILED", "payload",
                "the payload has no version, id or agent, or nothing that could be evidence")
        }
        try checkCounts(object)
        try checkSizes(object)
        try checkEventIDs(object)
        if verifier == .service { try ServiceReplay.check(object) }
        return object
    }

    /// The agent must be a DID of a known method.
    static func checkAgent(_ payload: JSONObject) throws(ReferenceRefusal) {
        guard let agent = payload["agent_did"]?.string, ReferenceText.isDID(agent) else {
            throw ReferenceRefusal("INVALID_DID_FORMAT", "payload.agent_did", "the agent is no did:key or did:web")
        }
    }

    private func hasContent(_ object: JSONObject) -> Bool {
        func isFilled(_ key: String) -> Bool { !(object[key]?.array ?? []).isEmpty }
        guard object["bundle_version"] == "1", let id = object["bundle_id"]?.string, !id.isEmpty,
            let agent = object["agent_did"]?.string, agent.utf8.starts(with: "did:".utf8)
        else { return false }
        return object.contains("urm") || isFilled("event_chain") || isFilled("receipts") || isFilled("attestations")
    }

    private func checkCounts(_ object: JSONObject) throws(ReferenceRefusal) {
        var limits = [("event_chain", Self.maximumReceipts), ("receipts", Self.maximumReceipts)]
        if verifier == .service {
            limits += ["vir_receipts", "web_receipts", "binary_semantic_evidence_attestations"]
                .map { ($0, Self.maximumReceipts) }
        }
        limits.append(("attestations", Self.maximumAttestations))
        for (key, limit) in limits {
            guard (object[key]?.array ?? []).count <= limit else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", "payload.\(key)", "more than \(limit) entries")
            }
        }
    }

    private func checkSizes(_ object: JSONObject) throws(ReferenceRefusal) {
        func check(_ value: JSONValue?, _ field: String) throws(ReferenceRefusal) {
            guard let value, JSONWriter.bytes(value, order: .asGiven).count > Self.maximumMetadataBytes else { return }
            throw ReferenceRefusal("MALFORMED_ENVELOPE", field, "more than \(Self.maximumMetadataBytes) bytes")
        }
        try check(object["metadata"], "payload.metadata")
        try check(object["urm"]?["metadata"], "payload.urm.metadata")
        for (index, receipt) in (object["receipts"]?.array ?? []).enumerated() {
            guard receipt["payload"]?.object != nil else {
                // The library does not survive this in a bare payload, which its schema never saw.
                throw ReferenceRefusal("MALFORMED_ENVELOPE", "payload.receipts[\(index)]", "no receipt in an envelope")
            }
            try check(receipt["payload"]?["metadata"], "payload.receipts[\(index)].payload.metadata")
        }
    }

    private func checkEventIDs(_ object: JSONObject) throws(ReferenceRefusal) {
        var known: Set<ExactString> = []
        for (index, event) in (object["event_chain"]?.array ?? []).enumerated() {
            let id = event["event_id"]?.string
            if verifier == .core, id == nil { continue }
            guard let id, verifier == .core || !id.isEmpty, known.insert(ExactString(id)).inserted else {
                throw ReferenceRefusal(
                    "MALFORMED_ENVELOPE", "payload.event_chain[\(index)].event_id", "the event id is not unique")
            }
        }
    }
}

/// The hosted verifier's rule that one `receipt_id` has one content, over all kinds of receipts and before the hash.
enum ServiceReplay {
    static func check(_ payload: JSONObject) throws(ReferenceRefusal) {
        var known: [ExactString: Digest] = [:]
        func note(_ id: String, _ type: String, _ value: JSONValue, _ field: String) throws(ReferenceRefusal) {
            let digest = JSONValue.object(["receipt_type": .string(type), "payload": value]).canonicalDigest
            let first = known[ExactString(id)] ?? digest
            known[ExactString(id)] = first
            guard first == digest else {
                throw ReferenceRefusal(
                    "CAUSAL_RECEIPT_REPLAY_DETECTED", field, "the receipt id was used before for another payload")
            }
        }
        for (key, type) in [("receipts", "gateway_receipt"), ("web_receipts", "web_receipt")] {
            for (index, receipt) in (payload[key]?.array ?? []).enumerated() {
                guard let value = receipt["payload"], let id = value["receipt_id"]?.string else {
                    throw ReferenceRefusal("MALFORMED_ENVELOPE", "payload.\(key)[\(index)]", "no receipt")
                }
                try note(id, type, value, "payload.\(key)[\(index)].payload.receipt_id")
            }
        }
        for (index, receipt) in (payload["vir_receipts"]?.array ?? []).enumerated() {
            let inner = receipt["payload"].flatMap { $0.object == nil ? nil : $0 }
            let ids = [receipt["receipt_id"]?.string, inner?["receipt_id"]?.string].compactMap { $0 }
            guard let id = ids.first(where: { !$0.isEmpty }) else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", "payload.vir_receipts[\(index)]", "no receipt id")
            }
            try note(id, "vir_receipt", inner ?? receipt, "payload.vir_receipts[\(index)]")
        }
        try checkBinaryHashes(payload)
    }

    private static func checkBinaryHashes(_ payload: JSONObject) throws(ReferenceRefusal) {
        let key = "binary_semantic_evidence_attestations"
        var known: Set<ExactString> = []
        for (index, attestation) in (payload[key]?.array ?? []).enumerated() {
            let hash = attestation["payload"]?["binary_hash_b64u"]?.string
            guard let hash, hash.utf8.count >= 8, ReferenceText.isBase64URL(hash),
                known.insert(ExactString(hash)).inserted
            else {
                throw ReferenceRefusal(
                    "MALFORMED_ENVELOPE", "payload.\(key)[\(index)].payload.binary_hash_b64u",
                    "the binary's hash is missing or not unique")
            }
        }
    }
}
