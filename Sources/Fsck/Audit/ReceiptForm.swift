import ClawWire

/// The members of a kind of receipt, and what its identifier follows from: docs/receipts.md, "A receipt".
struct ReceiptForm: Sendable {
    let members: Set<String>
    private let required: [String]
    /// Subject and effect of the identifier.
    let identity: @Sendable (Members) -> (subject: String, effect: String)

    private static let common: Set<String> = [
        "agent_did", "approval_ids", "authenticity", "control_position", "inputs", "job_class", "job_id", "kind",
        "occurred_at", "reasons", "receipt_id", "receipt_version", "request_id", "rules_hash_b64u", "worker_id",
        "wpc_hash_b64u",
    ]

    private init(
        _ further: Set<String>, required: [String],
        _ identity: @escaping @Sendable (Members) -> (subject: String, effect: String)
    ) {
        members = Self.common.union(further)
        self.required = required
        self.identity = identity
    }

    /// The form of a kind; `nil` for kinds that are not known here.
    static func of(_ kind: String) -> ReceiptForm? { forms[kind] }

    private static let forms: [String: ReceiptForm] = {
        let decision = ReceiptForm(["asked", "needed", "rule"], required: ["needed", "rule"]) {
            (decisionSubject($0), "outcome")
        }
        let control = ReceiptForm(["payload"], required: ["payload"]) { receipt in
            let payload = receipt.raw("payload").map { Digest(hashing: Array($0)).b64u } ?? ""
            return (receipt.object("payload")?.string("stop_id") ?? "", payload)
        }
        let deadLetter = ReceiptForm(["dead_letter"], required: ["dead_letter"]) { receipt in
            let action = receipt.object("dead_letter")
            let isDiscard = action?.string("outcome") == "discarded"
            return (
                ExpectedEffects.originText(action?.object("origin")),
                isDiscard ? "discarded" : "hop:\(action?.integer("hops") ?? 0)"
            )
        }
        return [
            "grant.issued": ReceiptForm(
                ["approver_ids", "asked", "delivery", "granted", "replaces_request_id", "rule", "token"],
                required: [
                    "approver_ids", "asked", "delivery", "granted", "rule", "token", "request_id", "job_id",
                    "agent_did",
                ]
            ) { (decisionSubject($0), $0.object("token")?.string("jti") ?? "") },
            "grant.claimed": ReceiptForm(["claim"], required: ["claim", "request_id"]) {
                ($0.object("claim")?.string("token_hash") ?? "", "claimed")
            },
            "decision.denied": decision, "decision.expired": decision,
            "decision.quarantined": ReceiptForm(["quarantine"], required: ["quarantine"]) { receipt in
                let quarantine = receipt.object("quarantine")
                return (
                    ExpectedEffects.originText(quarantine?.object("origin")), quarantine?.string("value_sha256") ?? ""
                )
            },
            "dead_letter.redriven": deadLetter, "dead_letter.discarded": deadLetter,
            "revocation": ReceiptForm(["revocation"], required: ["revocation"]) {
                ($0.object("revocation")?.string("token_hash") ?? "", "revoked")
            },
            "key.changed": ReceiptForm(["key"], required: ["key"]) { receipt in
                let key = receipt.object("key")
                let change = "\(key?.string("change") ?? "")@\(key?.string("effective_at") ?? "")"
                return (key?.string("kid") ?? "", change)
            },
            "stop.declared": control, "stop.lifted": control, "stop.drilled": control, "control.applied": control,
            "control.repeated": control,
            "revocations.ended": ReceiptForm(["payload"], required: ["payload"]) { receipt in
                ("revocations", receipt.raw("payload").map { Digest(hashing: Array($0)).b64u } ?? "")
            },
            "gateway.receipt": ReceiptForm(["gateway_call"], required: ["gateway_call"]) { receipt in
                let call = receipt.object("gateway_call")
                return (
                    "\(call?.string("signer_did") ?? "")/\(call?.string("receipt_id") ?? "")",
                    call?.string("payload_hash_b64u") ?? ""
                )
            },
            "finding.raised": ReceiptForm(["finding"], required: ["finding"]) { receipt in
                let finding = receipt.object("finding")
                return (finding?.string("about") ?? "", findingEffect(finding))
            },
            "budget.reached": ReceiptForm(["budget"], required: ["budget", "job_id"]) { receipt in
                ("job:\(receipt.string("job_id") ?? "")", budgetEffect(receipt.object("budget")))
            },
            "heartbeat": ReceiptForm([], required: []) {
                ($0.string("worker_id") ?? "", $0.string("occurred_at") ?? "")
            },
        ]
    }()

    private static func decisionSubject(_ receipt: Members) -> String {
        if let request = receipt.string("request_id") { return "request:\(request)" }
        if let approval = receipt.strings("approval_ids")?.first { return "approval:\(approval)" }
        return "evidence:\(receipt.objects("inputs")?.first?.string("digest_b64u") ?? "")"
    }

    /// Digest of the array of code, evidence and, where there is one, the excess in one text.
    private static func findingEffect(_ finding: Members?) -> String {
        var parts = [finding?.string("code") ?? ""] + (finding?.strings("evidence_b64u") ?? [])
        if let excess = finding?.object("excess") {
            parts.append(
                "\(excess.string("dimension") ?? ""):\(excess.string("currency") ?? ""):"
                    + "\(excess.integer("limit") ?? 0):\(excess.integer("used") ?? 0)")
        }
        let text = parts.map { String(decoding: EffectImageWriter.quoted($0), as: UTF8.self) }
        return Digest(hashing: "[\(text.joined(separator: ","))]").b64u
    }

    /// Dimension, with its currency where it has one, percent and limit.
    private static func budgetEffect(_ budget: Members?) -> String {
        let dimension = budget?.string("dimension") ?? ""
        let kind = budget?.string("currency").map { "\(dimension)/\($0)" } ?? dimension
        return "\(kind):\(budget?.integer("percent") ?? 0):\(budget?.integer("limit") ?? 0)"
    }

    // MARK: Members

    /// The first member that is missing or not what it must be, as a sentence; `nil` when all are well.
    func fault(of receipt: Members) -> String? {
        guard receipt.string("receipt_version") == "1" else { return "receipt_version is not 1" }
        for name in ["approval_ids", "inputs", "kind", "occurred_at", "reasons", "receipt_id", "worker_id"] + required
        where !receipt.has(name) {
            return "\(name) is missing"
        }
        for name in receipt.names { if let fault = Self.fault(of: name, in: receipt) { return fault } }
        return nil
    }

    private static func fault(of name: String, in receipt: Members) -> String? {
        let isWell: Bool
        switch name {
        case "agent_did", "job_class", "job_id", "kind", "receipt_id", "request_id", "worker_id", "rule",
            "replaces_request_id":
            isWell = receipt.string(name).map { !$0.isEmpty && $0.utf8.count <= 4_096 } ?? false
        case "approval_ids", "approver_ids", "needed": isWell = receipt.strings(name) != nil
        case "authenticity":
            isWell = receipt.string(name).map { ["confirmed", "signed", "topic"].contains($0) } ?? false
        case "delivery": isWell = receipt.string(name).map { ["plain", "reference", "sealed"].contains($0) } ?? false
        case "control_position": isWell = receipt.count(name) != nil
        case "occurred_at": isWell = receipt.time(name) != nil
        case "rules_hash_b64u", "wpc_hash_b64u": isWell = receipt.digest(name) != nil
        case "asked", "granted": isWell = receipt.object(name).map(isExtent) ?? false
        case "inputs": isWell = receipt.objects(name)?.allSatisfy(isInput) ?? false
        case "reasons":
            isWell = receipt.objects(name)?.allSatisfy { $0.names == ["code", "detail"] && isTexts($0) } ?? false
        case "token": isWell = receipt.object(name).map(isToken) ?? false
        case "quarantine": isWell = receipt.object(name).map(isQuarantine) ?? false
        case "dead_letter": isWell = receipt.object(name).map { isDeadLetter($0, of: receipt) } ?? false
        case "claim": isWell = receipt.object(name).map(isClaim) ?? false
        case "revocation": isWell = receipt.object(name).map(isRevocation) ?? false
        case "key": isWell = receipt.object(name).map(isKey) ?? false
        case "payload", "gateway_call", "finding", "budget": isWell = receipt.object(name) != nil
        default: isWell = true
        }
        return isWell ? nil : "\(name) is not what it must be"
    }

    private static func isTexts(_ object: Members) -> Bool { object.names.allSatisfy { object.string($0) != nil } }

    private static func isExtent(_ extent: Members) -> Bool {
        Set(extent.names).isSubset(of: ["actions", "audience", "scope", "ttl_seconds"])
            && ["actions", "audience", "scope"].allSatisfy { extent.strings($0) != nil }
            && (!extent.has("ttl_seconds") || extent.count("ttl_seconds") != nil)
    }

    private static func isInput(_ input: Members) -> Bool {
        Set(input.names).isSubset(of: ["digest_b64u", "offset", "partition", "source", "topic"])
            && input.digest("digest_b64u") != nil && isOrigin(input)
    }

    private static func isOrigin(_ origin: Members) -> Bool {
        origin.count("offset") != nil && origin.count("partition") != nil && origin.string("topic") != nil
    }

    private static func isToken(_ token: Members) -> Bool {
        token.names == ["exp", "iat", "jti", "kid", "token_hash", "token_scope_hash_b64u"]
            && token.count("exp") != nil && token.count("iat") != nil && token.string("jti") != nil
            && token.string("kid") != nil && isHex(token.string("token_hash"))
            && token.digest("token_scope_hash_b64u") != nil
    }

    private static func isQuarantine(_ quarantine: Members) -> Bool {
        quarantine.names == ["origin", "value_bytes", "value_sha256"]
            && quarantine.object("origin").map(isOrigin) ?? false && quarantine.count("value_bytes") != nil
            && isHex(quarantine.string("value_sha256"))
    }

    /// What was done about a dead letter; only giving it up is `discarded`.
    private static func isDeadLetter(_ action: Members, of receipt: Members) -> Bool {
        let outcomes =
            receipt.string("kind") == "dead_letter.discarded"
            ? ["discarded"] : ["ignored", "lost", "refused", "repeated", "taken"]
        return action.names == ["hops", "origin", "outcome", "requested_by", "value_sha256"]
            && action.count("hops") != nil && action.object("origin").map(isOrigin) ?? false
            && action.string("outcome").map(outcomes.contains) ?? false && action.string("requested_by") != nil
            && isHex(action.string("value_sha256"))
    }

    private static func isClaim(_ claim: Members) -> Bool {
        claim.names.filter { $0 != "sealed_to" } == ["jkt", "jti", "token_hash"]
            && (!claim.has("sealed_to") || claim.digest("sealed_to") != nil) && claim.digest("jkt") != nil
            && claim.string("jti") != nil && isHex(claim.string("token_hash"))
    }

    private static func isRevocation(_ revocation: Members) -> Bool {
        Set(revocation.names).isSubset(of: ["cause", "jti", "revoked_by", "token_hash"])
            && revocation.string("cause") != nil && revocation.string("revoked_by") != nil
            && isHex(revocation.string("token_hash"))
    }

    private static func isKey(_ key: Members) -> Bool {
        guard key.names == ["change", "effective_at", "kid", "public_key_did", "purpose"], isTexts(key),
            key.time("effective_at") != nil,
            let publicKey = key.string("public_key_did").flatMap({ Ed25519PublicKey(did: $0) })
        else { return false }
        return key.string("kid") == publicKey.kid.rawValue
    }

    private static func isHex(_ text: String?) -> Bool {
        guard let text, text.utf8.count == 64 else { return false }
        return text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x66 }
    }
}
