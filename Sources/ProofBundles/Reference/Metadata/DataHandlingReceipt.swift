import ClawWire

/// One signed receipt of a data-loss filter.
enum DataHandlingReceipt {
    private static let malformed = "MALFORMED_ENVELOPE"
    private static let mismatch = "EVIDENCE_MISMATCH"
    private static let missing = "MISSING_REQUIRED_FIELD"

    /// True for one of the four actions.
    static func isAction(_ value: JSONValue?) -> Bool {
        value == "allow" || value == "redact" || value == "block" || value == "require_approval"
    }

    /// Checks a receipt and the approval in it.
    ///
    /// - Returns: the rule set that it names; always `nil` for the library.
    static func check(
        _ value: JSONValue, at path: String, policy: String, _ context: ReferenceContext
    ) throws(ReferenceRefusal) -> DataHandlingRuleSet? {
        guard let object = value.object else { throw ReferenceRefusal(malformed, path, "must be an object") }
        let envelope = Part(members: object, path: path)
        try envelope.constant("envelope_version", "1", else: malformed)
        try envelope.constant("envelope_type", "data_handling_receipt", else: malformed)
        try envelope.constant("hash_algorithm", "SHA-256", else: "UNKNOWN_HASH_ALGORITHM")
        try envelope.constant("algorithm", "Ed25519", else: "UNKNOWN_ALGORITHM")
        let hash = try envelope.base64URL("payload_hash_b64u", else: malformed)
        let signature = try envelope.base64URL("signature_b64u", else: malformed)
        let signer = try envelope.did("signer_did", else: "INVALID_DID_FORMAT")
        try envelope.require(
            ExactText.equal(signer, context.agentDID), mismatch, "signer_did", "is not the bundle's agent")
        let payload = try envelope.part("payload", else: malformed)

        let rules = try checkHead(payload, policy: policy, context)
        let matches = try matches(in: payload, rules, context.verifier)
        try checkApprovalForm(payload)
        try checkRedactionForm(payload)
        if context.verifier == .service { try DataRedaction.checkOperations(payload, matches) }
        try checkDecision(payload)
        try checkApproval(payload, matches, policy: policy, context)
        try DataRedaction.checkHashes(payload)
        try EvidenceEnvelope.verify(envelope, payload: payload, hash: hash, signature: signature, signer: signer)
        return rules
    }

    private static func checkHead(
        _ payload: Part, policy: String, _ context: ReferenceContext
    ) throws(ReferenceRefusal) -> DataHandlingRuleSet? {
        try payload.constant("receipt_version", "1", else: malformed)
        try payload.constant("policy_version", DataHandling.policyVersion, else: malformed)
        var rules: DataHandlingRuleSet?
        if context.verifier == .service, payload["policy"] != nil {
            rules = try DataHandlingRuleSet(payload.part("policy", else: malformed))
        }
        let named = try payload.base64URL("effective_policy_hash_b64u", else: malformed)
        try payload.require(named == policy, mismatch, "effective_policy_hash_b64u", "is not the bound policy")
        try payload.filled("receipt_id", else: missing)
        try payload.filled("provider", else: missing)
        let run = try payload.filled("run_id", else: missing)
        try payload.require(
            context.runID.map { ExactText.equal($0, run) } ?? true, mismatch, "run_id", "is another run")
        try payload.require(isAction(payload["action"]), malformed, "action", "is unknown")
        try payload.require(
            isReason(payload["reason_code"], of: payload), malformed, "reason_code", "contradicts the action")
        try payload.date("timestamp", else: malformed)
        return rules
    }

    private static func isReason(_ reason: JSONValue?, of payload: Part) -> Bool {
        switch payload["action"]?.string {
        case "block"?: return reason == "PRV_DLP_BLOCKED"
        case "redact"?: return reason == "PRV_DLP_REDACTED"
        case "require_approval"?: return reason == "PRV_DLP_APPROVAL_REQUIRED" || reason == "PRV_DLP_CLASSIFIER_ERROR"
        default: break
        }
        let approval = payload["approval"]
        let isApproved = approval?["required"] == true && approval?["satisfied"] == true
        return reason == (isApproved ? "PRV_DLP_APPROVAL_GRANTED" : "PRV_DLP_ALLOW")
    }

    // MARK: What was found

    private static func matches(
        in payload: Part, _ rules: DataHandlingRuleSet?, _ verifier: ReferenceVerifier
    ) throws(ReferenceRefusal) -> [DataHandlingMatch] {
        guard let classes = payload["classes"]?.array else {
            throw payload.refusal(malformed, "classes", "must be an array of matches")
        }
        switch verifier {
        case .core:
            let matches = classes.compactMap(DataHandlingMatch.init(loosely:))
            try payload.require(matches.count == classes.count, malformed, "classes", "must be an array of matches")
            return matches
        case .service: return try strictMatches(classes, payload, rules)
        }
    }

    private static func strictMatches(
        _ classes: [JSONValue], _ payload: Part, _ rules: DataHandlingRuleSet?
    ) throws(ReferenceRefusal) -> [DataHandlingMatch] {
        var matches: [DataHandlingMatch] = []
        var known: Set<String> = []
        var previous: String?
        for (index, value) in classes.enumerated() {
            let key = "classes[\(index)]"
            let match = try DataHandlingMatch(value, at: payload.field(key))
            let sortKey = match.classID + "\u{0}" + match.ruleID
            try payload.require(known.insert(sortKey).inserted, mismatch, key, "is there twice")
            if let previous {
                try payload.require(
                    CollationOrder.compare(sortKey, previous) >= 0, mismatch, key, "is not sorted by class and rule")
            }
            previous = sortKey
            if match.isCustom {
                guard let rules else { throw payload.refusal(mismatch, "policy", "a custom rule needs a rule set") }
                try payload.require(rules.custom > 0, mismatch, "policy.custom_rule_count", "a custom rule matched")
            } else if let rules {
                try payload.require(
                    rules.builtIn > 0, mismatch, "policy.built_in_rule_count", "a built-in rule matched")
            }
            matches.append(match)
        }
        return matches
    }

    // MARK: Approval

    private static func checkApprovalForm(_ payload: Part) throws(ReferenceRefusal) {
        let approval = try payload.part("approval", else: malformed)
        try payload.require(
            approval["required"]?.bool != nil && approval["satisfied"]?.bool != nil, malformed, "approval",
            "the flags must be true or false")
        try approval.constant("mechanism", "signed_receipt", else: malformed)
        for key in ["scope_hash_b64u", "receipt_hash_b64u"] where approval[key] != .null {
            try approval.base64URL(key, else: malformed)
        }
        if approval["receipt_signer_did"] != .null {
            try approval.did("receipt_signer_did", else: "INVALID_DID_FORMAT")
        }
    }

    private static func checkRedactionForm(_ payload: Part) throws(ReferenceRefusal) {
        let redaction = try payload.part("redaction", else: malformed)
        try redaction.require(redaction["applied"]?.bool != nil, malformed, "applied", "must be true or false")
        try redaction.base64URL("original_payload_hash_b64u", else: malformed)
        if redaction["outbound_payload_hash_b64u"] != .null {
            try redaction.base64URL("outbound_payload_hash_b64u", else: malformed)
        }
    }

    private static func checkDecision(_ payload: Part) throws(ReferenceRefusal) {
        let satisfied = payload["approval"]?["satisfied"]
        if payload["action"] == "redact" {
            try payload.require(
                payload["redaction"]?["applied"] == true, mismatch, "redaction.applied", "redact means applied")
        }
        if payload["action"] == "require_approval" {
            try payload.require(satisfied == false, mismatch, "approval.satisfied", "the approval is still asked for")
        }
        if payload["approval"]?["required"] == false {
            try payload.require(satisfied == false, mismatch, "approval.satisfied", "no approval was asked for")
        }
    }

    /// The scope that an approval must name: the hash of provider, policy and the classes that ask for approval.
    static func scopeHash(provider: String, policy: String, classes: Set<String>) -> Digest {
        CollationOrder.digest([
            "scope_version": "prv.dlp.approval_scope.v1",
            "provider": .string(ExactText.trimmed(provider).lowercased()),
            "policy_version": .string(DataHandling.policyVersion), "effective_policy_hash_b64u": .string(policy),
            "class_ids": .array(classes.sorted(by: CollationOrder.precedes).map { .string($0) }),
        ])
    }

    private static func checkApproval(
        _ payload: Part, _ matches: [DataHandlingMatch], policy: String, _ context: ReferenceContext
    ) throws(ReferenceRefusal) {
        let approval = try payload.part("approval", else: malformed)
        let asking = matches.filter { $0.action == "require_approval" }.map(\.classID)
        let scope = scopeHash(provider: payload["provider"]?.string ?? "", policy: policy, classes: Set(asking)).b64u
        if approval["required"] == true {
            try approval.require(
                approval["scope_hash_b64u"] == .string(scope), mismatch, "scope_hash_b64u", "is not the scope asked for"
            )
        } else {
            try approval.require(
                approval["scope_hash_b64u"] == .null, mismatch, "scope_hash_b64u", "no approval was asked for")
        }
        let evidence = ["receipt_hash_b64u", "receipt_signer_did", "receipt_envelope"]
        guard approval["satisfied"] == true else {
            try approval.require(
                evidence.allSatisfy { approval[$0] == .null }, mismatch, "receipt_hash_b64u",
                "there is no approval to give evidence of")
            return
        }
        try approval.require(
            evidence.allSatisfy { approval[$0] != .null }, mismatch, "receipt_hash_b64u", "the approval is missing")
        let embedded = EmbeddedApproval(
            agent: context.agentDID, run: payload["run_id"], events: context.eventHashes, scope: scope,
            policy: policy, time: Loose.milliseconds(payload["timestamp"]), signer: approval["receipt_signer_did"])
        let hash = try embedded.check(approval["receipt_envelope"], at: approval.field("receipt_envelope"))
        try approval.require(
            approval["receipt_hash_b64u"] == .string(hash), mismatch, "receipt_hash_b64u", "is not the approval's hash")
    }
}

/// What a data handling receipt says of redaction.
enum DataRedaction {
    private static let mismatch = "EVIDENCE_MISMATCH"

    /// Checks the list of redactions: only where something was redacted, each for a class that was found, sorted by
    /// class, rule and path.
    static func checkOperations(_ payload: Part, _ matches: [DataHandlingMatch]) throws(ReferenceRefusal) {
        let malformed = "MALFORMED_ENVELOPE"
        let redaction = try payload.part("redaction", else: malformed)
        guard let value = redaction["operations"], value != .null else { return }
        guard let operations = value.array else { throw redaction.refusal(malformed, "operations", "must be an array") }
        try redaction.require(
            operations.isEmpty || redaction["applied"] == true, mismatch, "operations", "nothing was redacted")
        var previous: String?
        for (index, operation) in operations.enumerated() {
            let key = "operations[\(index)]"
            guard let object = operation.object else { throw redaction.refusal(malformed, key, "must be an object") }
            let part = Part(members: object, path: redaction.field(key))
            let (classID, ruleID) = try DataHandlingMatch.names(part)
            let path = try part.filled("path", else: malformed)
            try part.require(
                Loose.count(part["match_count"]) != nil, malformed, "match_count", "must be a whole number from 0")
            try part.filled("redaction_token", else: malformed)
            let sortKey = [classID, ruleID, path].joined(separator: "\u{0}")
            if let previous {
                try redaction.require(
                    CollationOrder.compare(sortKey, previous) > 0, mismatch, key,
                    "is not sorted by class, rule and path")
            }
            previous = sortKey
            try redaction.require(
                matches.contains { ExactText.equal($0.classID, classID) && ExactText.equal($0.ruleID, ruleID) },
                mismatch, key, "no such class was found")
        }
    }

    /// Checks that the hashes before and after say what the action says.
    static func checkHashes(_ payload: Part) throws(ReferenceRefusal) {
        let redaction = try payload.part("redaction", else: "MALFORMED_ENVELOPE")
        let outbound = "outbound_payload_hash_b64u"
        func require(_ holds: Bool, _ key: String, _ detail: String) throws(ReferenceRefusal) {
            try redaction.require(holds, mismatch, key, detail)
        }
        let action = payload["action"]?.string
        if action == "block" || action == "require_approval" {
            try require(redaction[outbound] == .null, outbound, "nothing went out")
        }
        if action != "redact" {
            try require(redaction["applied"] == false, "applied", "nothing was redacted")
        }
        guard action == "allow" || action == "redact" else { return }
        try require(redaction[outbound] != .null, outbound, "something went out")
        let isSame = redaction[outbound] == redaction["original_payload_hash_b64u"]
        try require(isSame == (action == "allow"), outbound, "only redaction changes what goes out")
    }
}
