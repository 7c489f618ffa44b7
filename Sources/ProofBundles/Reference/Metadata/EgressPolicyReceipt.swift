import ClawWire

/// `payload.metadata.sentinels.egress_policy_receipt`: the agent's signed word that it could reach the network through
/// the gateway only.
enum EgressPolicyReceipt {
    /// Where it stands.
    static let path = "payload.metadata.sentinels.egress_policy_receipt"

    private static let hosts = SchemaRule.array(.name)

    /// The receipt's schema. Both verifiers apply it with the bundle's.
    static let schema = SchemaRule.envelope(
        "egress_policy_receipt",
        payload: .object(
            ObjectRule(
                [
                    "receipt_version": .constant("1"), "receipt_id": .name, "policy_version": .constant("1"),
                    "policy_hash_b64u": .hash, "effective_policy_hash_b64u": .hash, "proofed_mode": .boolean,
                    "clawproxy_url": .name, "allowed_proxy_destinations": hosts,
                    "allowed_child_destinations": hosts, "direct_provider_access_blocked": .boolean,
                    "blocked_attempt_count": .integer(minimum: 0), "blocked_attempts_observed": .boolean,
                    "hash_algorithm": .constant("SHA-256"), "agent_did": .did, "timestamp": .dateTime,
                    "binding": .object(
                        ObjectRule(
                            ["run_id": .name, "event_hash_b64u": .hash], required: ["run_id", "event_hash_b64u"])),
                    "transparency": .openObject,
                ],
                required: [
                    "receipt_version", "receipt_id", "policy_version", "policy_hash_b64u", "proofed_mode",
                    "clawproxy_url", "allowed_proxy_destinations", "allowed_child_destinations",
                    "direct_provider_access_blocked", "blocked_attempt_count", "blocked_attempts_observed",
                    "hash_algorithm", "agent_did", "timestamp", "binding",
                ])), expires: false)

    /// Applies ``schema`` when there is a receipt.
    static func checkSchema(_ metadata: JSONObject?) throws(ReferenceRefusal) {
        guard let value = metadata?["sentinels"]?["egress_policy_receipt"] else { return }
        guard let breach = schema.breach(in: value) else { return }
        let field = breach.inside(.key("egress_policy_receipt")).inside(.key("sentinels")).inside(.key("metadata"))
            .inside(.key("payload")).field
        throw ReferenceRefusal("SCHEMA_VALIDATION_FAILED", field, "breaks the schema of egress policy receipts")
    }

    /// The leaf under which a log lists the receipt: its payload without the proofs.
    static func leaf(_ payload: JSONObject) -> JSONObject {
        LogTransparency.leaf("egress_policy_receipt_v1", payload, without: ["transparency"])
    }

    /// Verifies the receipt as the hosted verifier does.
    ///
    /// - Throws: `MISSING_REQUIRED_FIELD` when the options demand a receipt and there is none; else the first of the
    ///   receipt's faults.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let value = context.metadata?["sentinels"]?["egress_policy_receipt"]
        context.components["egress_policy_receipt_present"] = .bool(value != nil)
        context.components["egress_policy_receipt_signature_verified"] = false
        context.components["egress_policy_receipt_valid"] = false
        guard let value else {
            guard context.options.members["requireEgressPolicyReceipt"] != true else {
                throw ReferenceRefusal("MISSING_REQUIRED_FIELD", path, "the caller demands this receipt")
            }
            return
        }
        let codes = MetadataCodes(.service)
        let receipt = try EvidenceEnvelope(value, at: path, type: "egress_policy_receipt", codes: codes)
        try checkPayload(receipt.payload, codes)
        try checkBinding(receipt, codes, context)
        try checkPolicyHash(receipt.payload)
        try receipt.verify()
        try LogTransparency.check(receipt.payload, leaf: leaf(receipt.payload.members), codes: codes)
        context.components["egress_policy_receipt_signature_verified"] = true
        context.components["egress_policy_receipt_valid"] = true
    }

    private static let members: Set<String> = [
        "receipt_version", "receipt_id", "policy_version", "policy_hash_b64u", "effective_policy_hash_b64u",
        "proofed_mode", "clawproxy_url", "allowed_proxy_destinations", "allowed_child_destinations",
        "direct_provider_access_blocked", "blocked_attempt_count", "blocked_attempts_observed", "hash_algorithm",
        "agent_did", "timestamp", "binding", "transparency",
    ]

    private static func checkPayload(_ payload: Part, _ codes: MetadataCodes) throws(ReferenceRefusal) {
        guard payload.isClosed(members) else {
            throw ReferenceRefusal(codes.malformed, payload.path, "has a member of another name")
        }
        try payload.constant("receipt_version", "1", else: codes.malformed)
        try payload.filled("receipt_id", else: codes.malformed)
        try payload.constant("policy_version", "1", else: codes.malformed)
        try payload.base64URL("policy_hash_b64u", else: codes.malformed)
        if payload["effective_policy_hash_b64u"] != nil {
            try payload.base64URL("effective_policy_hash_b64u", else: codes.malformed)
        }
        try payload.require(payload["proofed_mode"] == true, codes.mismatch, "proofed_mode", "must be true")
        try payload.require(
            payload["clawproxy_url"]?.string.map(Loose.isWebURL) == true, codes.malformed, "clawproxy_url",
            "must be an absolute http or https URL")
        for key in ["allowed_proxy_destinations", "allowed_child_destinations"] {
            try payload.require(
                HostList.isCanonical(payload[key]), codes.malformed, key, "must be lowercase, sorted and unique")
        }
        try payload.require(
            payload["direct_provider_access_blocked"] == true, codes.mismatch, "direct_provider_access_blocked",
            "must be true")
        guard let count = Loose.count(payload["blocked_attempt_count"]) else {
            throw payload.refusal(codes.malformed, "blocked_attempt_count", "must be a whole number from 0")
        }
        guard let observed = payload["blocked_attempts_observed"]?.bool else {
            throw payload.refusal(codes.malformed, "blocked_attempts_observed", "must be true or false")
        }
        try payload.require(
            observed == (count > 0), codes.mismatch, "blocked_attempts_observed", "contradicts the count")
        try payload.constant("hash_algorithm", "SHA-256", else: codes.hashAlgorithm)
    }

    private static func checkBinding(
        _ receipt: EvidenceEnvelope, _ codes: MetadataCodes, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let payload = receipt.payload
        let agent = try payload.did("agent_did", else: codes.did)
        try receipt.envelope.require(
            agent == context.agentDID && receipt.signer == context.agentDID, codes.mismatch, "signer_did",
            "is not the bundle's agent")
        try payload.date("timestamp", else: codes.malformed)
        guard let object = payload["binding"]?.object else {
            throw payload.refusal(codes.missing, "binding.run_id", "is required")
        }
        let binding = Part(members: object, path: payload.field("binding"))
        guard binding.isClosed(["run_id", "event_hash_b64u"]) else {
            throw payload.refusal(codes.malformed, "binding", "has a member of another name")
        }
        try ReceiptBinding.check(binding, codes, context)
    }

    private static func checkPolicyHash(_ payload: Part) throws(ReferenceRefusal) {
        let keys = [
            "policy_version", "proofed_mode", "clawproxy_url", "allowed_proxy_destinations",
            "allowed_child_destinations", "direct_provider_access_blocked",
        ]
        let policy = JSONValue.object(JSONObject(keys.map { ($0, payload[$0] ?? .null) }))
        try payload.require(
            payload["policy_hash_b64u"] == .string(policy.documentDigest.b64u), "HASH_MISMATCH", "policy_hash_b64u",
            "the policy has another hash")
    }
}

/// The binding of a receipt in `payload.metadata` to the bundle's run and chain.
enum ReceiptBinding {
    /// Refuses a binding to another run, to no event, or to an event that is not in the chain.
    static func check(
        _ binding: Part, _ codes: MetadataCodes, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let run = try binding.filled("run_id", else: codes.missing)
        if let expected = context.runID {
            try binding.require(ExactText.equal(run, expected), codes.mismatch, "run_id", "is another run")
        }
        let event = try binding.base64URL("event_hash_b64u", else: codes.missing)
        try binding.require(
            context.eventHashes.contains(event), codes.mismatch, "event_hash_b64u", "is no event of the chain")
    }
}

/// A list of hosts in the one form that the reference hashes.
enum HostList {
    /// True for an array of lowercase texts without surrounding white space, each after the one before.
    static func isCanonical(_ value: JSONValue?) -> Bool {
        guard let entries = value?.array else { return false }
        var previous: String?
        for entry in entries {
            guard let host = entry.string, !host.isEmpty,
                ExactText.equal(ExactText.trimmed(host).lowercased(), host)
            else { return false }
            if let previous, CollationOrder.compare(host, previous) <= 0 { return false }
            previous = host
        }
        return true
    }
}
