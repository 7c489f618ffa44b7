import ClawWire

/// How an inference was observed, strongest first.
enum InferenceSource: String, CaseIterable {
    case decrypted = "tls_decrypt"
    case gateway
    case interpose
    case preload
    case serverName = "sni"

    /// 5 for the strongest, 1 for the weakest.
    var score: Int {
        switch self {
        case .decrypted: 5
        case .gateway: 4
        case .interpose: 3
        case .preload: 2
        case .serverName: 1
        }
    }

    /// True for a source that must be corroborated by a gateway receipt.
    var isHighClaim: Bool { score >= 3 }
}

/// One entry of `vir_receipts`, bare or in an envelope. The bundle's schema holds for it.
struct InferenceReceipt {
    /// The receipt.
    let payload: JSONObject
    /// `source`.
    let source: InferenceSource
    /// The envelope, when there is one.
    let envelope: JSONObject?

    /// Why a receipt does not count.
    struct Fault: Error {
        /// True when the whole bundle falls with it.
        let isCritical: Bool
        /// What is wrong, for people.
        let detail: String
        /// The flags found before.
        let flags: Set<String>
    }

    /// What a receipt's binding is compared with, past run and chain.
    struct Expectation {
        let nonce: String?
        let subject: String?
        let scope: String?

        /// Takes the caller's expectations, else what the metadata says of the task.
        init(_ context: ReferenceContext) {
            func text(_ option: String, _ member: String) -> String? {
                if let text = context.options.text(option), !text.isEmpty { return text }
                return context.metadata?[member]?.string
            }
            nonce = text("expectedVirNonce", "bounty_nonce")
            subject = text("expectedVirSubject", "bounty_subject_did")
            scope = text("expectedVirScope", "bounty_scope_hash_b64u")
        }
    }

    init?(_ value: JSONValue) {
        guard let object = value.object else { return nil }
        let isEnvelope = object["envelope_type"] == "vir_receipt"
        guard let payload = isEnvelope ? object["payload"]?.object : object,
            let source = payload["source"]?.string.flatMap(InferenceSource.init)
        else { return nil }
        self.payload = payload
        self.source = source
        envelope = isEnvelope ? object : nil
    }

    /// The first text there is, of the receipt's binding and its legal binding.
    private func bound(_ keys: [String], legal: String) -> String? {
        for key in keys { if let text = payload["binding"]?[key]?.string { return text } }
        return payload["legal_binding"]?[legal]?.string
    }

    /// `binding.event_hash_b64u`, when it says anything.
    var eventHash: String? { payload["binding"]?["event_hash_b64u"]?.string.flatMap { $0.isEmpty ? nil : $0 } }

    /// True when the envelope's hash, signature and signer hold. A bare receipt is not signed.
    func signature() -> (isSigned: Bool, isAgents: Bool) {
        guard let envelope else { return (false, true) }
        let isSigned = AllowedEnvelope.isSigned(.object(envelope))
        return (isSigned, isSigned && envelope["signer_did"] == payload["agent_did"])
    }

    /// Checks what the receipt says.
    ///
    /// - Returns: the flags that it raises.
    func check(_ expectation: Expectation, _ context: ReferenceContext) throws(Fault) -> Set<String> {
        var flags: Set<String> = []
        func fault(_ detail: String, critical: Bool = false) -> Fault {
            Fault(isCritical: critical, detail: detail, flags: flags)
        }
        let nonce = bound(["nonce"], legal: "nonce")
        let subject = bound(["subject", "subject_did"], legal: "subject_did")
        let scope = bound(["scope", "scope_hash_b64u"], legal: "scope_hash_b64u")
        if payload["receipt_version"] == "2" {
            guard payload["legal_binding"]?.object != nil,
                ![nonce, subject, scope].contains(where: { $0?.isEmpty ?? true })
            else { throw fault("version 2 needs a legal binding") }
        }
        let transport = payload["transport_attestation"]
        if source == .decrypted, let match = transport?["decrypted_match"], match != .null, match != true {
            throw fault("the decrypted text does not match")
        }
        if let named = transport?["source"], named != payload["source"] {
            throw fault("the transport attestation names another source")
        }
        for conflict in payload["evidence_conflicts"]?.array ?? [] {
            if let authority = conflict["authoritative_source"]?.string.flatMap(InferenceSource.init),
                let other = conflict["divergent_source"]?.string.flatMap(InferenceSource.init),
                other.score > authority.score
            {
                throw fault("a weaker source was preferred", critical: true)
            }
            flags.insert("VIR_CONFLICT_\(ConflictSeverity.severity(of: conflict["field"]?.string ?? "").name)")
            if conflict["field"] == "tokens_input" || conflict["field"] == "tokens_output" {
                flags.insert("EVIDENCE_METRIC_DISCREPANCY")
            }
        }
        if let claimed = Loose.named(payload["model_claimed"]), let observed = Loose.named(payload["model_observed"]),
            !ExactText.equal(claimed, observed)
        {
            let isReported = (payload["evidence_conflicts"]?.array ?? []).contains { $0["field"] == "model" }
            guard isReported else { throw fault("another model answered and no conflict tells", critical: true) }
            flags.insert("MODEL_SUBSTITUTION_DETECTED")
        }
        switch InferenceDisclosure.check(payload) {
        case .holds: break
        case .malformed: throw fault("the disclosure contradicts the receipt")
        case .otherRoot: throw fault("the disclosure has another root", critical: true)
        }
        for (expected, value) in [
            (expectation.nonce, nonce), (expectation.subject, subject), (expectation.scope, scope),
        ] where ReferenceText.isFilled(expected) && value != expected {
            throw fault("the binding is for another task")
        }
        guard payload["binding"]?["run_id"] == .string(context.runID ?? "") else { throw fault("is of another run") }
        if let event = eventHash, ReferenceText.isFilled(event) {
            guard event.utf8.count >= 8, context.eventHashes.contains(event) else {
                throw fault("is bound to no event of the chain")
            }
        }
        return flags
    }
}

extension Loose {
    /// A text that is not empty.
    static func named(_ value: JSONValue?) -> String? { value?.string.flatMap { $0.isEmpty ? nil : $0 } }
}

/// `selective_disclosure` of an inference receipt: salted hashes of some of its members under one root.
enum InferenceDisclosure {
    /// What was found.
    enum Outcome {
        case holds
        case malformed
        case otherRoot
    }

    /// Recomputes the root. Version 2 hashes typed and salted leaves, version 1 the leaf hashes as they stand.
    static func check(_ payload: JSONObject) -> Outcome {
        guard let disclosure = payload["selective_disclosure"]?.object,
            let root = Loose.named(disclosure["merkle_root_b64u"])
        else { return .holds }
        if payload["receipt_version"] == "2", disclosure["disclosure_algorithm"] == "vir_v2_typed_lexicographical" {
            return checkTyped(disclosure, root, payload)
        }
        var leaves = (disclosure["leaf_hashes_b64u"]?.array ?? []).compactMap { Loose.named($0) }
        if (disclosure["leaf_hashes_b64u"]?.array ?? []).isEmpty, let disclosed = disclosure["disclosed_leaves"]?.object
        {
            leaves = disclosed.members.sorted { CollationOrder.precedes($0.key, $1.key) }
                .compactMap { Loose.named($0.value) }
        }
        guard !leaves.isEmpty else { return .holds }
        return Digest(hashing: leaves.joined(separator: "|")).b64u == root ? .holds : .otherRoot
    }

    private static func checkTyped(_ disclosure: JSONObject, _ root: String, _ payload: JSONObject) -> Outcome {
        guard let disclosed = disclosure["disclosed_leaves"]?.object else { return .malformed }
        var leaves: [String] = []
        for member in disclosed.members {
            guard let type = member.value["type"]?.string, let salt = Loose.hash(member.value["salt_b64u"]),
                let value = member.value["value"], let text = text(of: value, type: type)
            else { return .malformed }
            if let stated = stated(member.key, in: payload), stated != value { return .malformed }
            leaves.append(Digest(hashing: "vir_v2_leaf|\(member.key)|\(type)|\(salt)|\(text)").b64u)
        }
        leaves += (disclosure["redacted_leaf_hashes_b64u"]?.array ?? []).compactMap { Loose.hash($0) }
        guard !leaves.isEmpty else { return .malformed }
        let joined = leaves.sorted(by: CollationOrder.precedes).joined(separator: "|")
        return Digest(hashing: "vir_v2_root|\(joined)").b64u == root ? .holds : .otherRoot
    }

    private static func text(of value: JSONValue, type: String) -> String? {
        switch (value, type) {
        case (.string(let text), "string"): text
        case (.number(let number), "number") where number.isFinite: JSONWriter.text(value)
        case (.bool(let bool), "boolean"): bool ? "true" : "false"
        case (.null, "null"): "null"
        case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _): nil
        }
    }

    /// The plain member that a leaf discloses, when the receipt states it.
    private static func stated(_ key: String, in payload: JSONObject) -> JSONValue? {
        let binding = payload["binding"]
        let legal = payload["legal_binding"]
        switch key {
        case "model_claimed", "model_observed", "request_hash_b64u", "response_hash_b64u", "tokens_input",
            "tokens_output", "latency_ms":
            return payload[key]
        case "request_hash", "response_hash": return payload[key + "_b64u"]
        case "latency": return payload["latency_ms"]
        case "run_id", "event_hash_b64u": return binding?[key]
        case "event_hash": return binding?["event_hash_b64u"]
        case "nonce": return binding?["nonce"] ?? legal?["nonce"]
        case "subject", "subject_did":
            return binding?["subject"] ?? binding?["subject_did"] ?? legal?["subject_did"]
        case "scope", "scope_hash_b64u":
            return binding?["scope"] ?? binding?["scope_hash_b64u"] ?? legal?["scope_hash_b64u"]
        default: return nil
        }
    }
}
