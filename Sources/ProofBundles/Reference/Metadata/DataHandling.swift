import ClawWire

/// `payload.metadata.data_handling`: the agent's signed record of what a data-loss filter did with each request.
enum DataHandling {
    private static let path = "payload.metadata.data_handling"
    /// The only version of the filter's policy.
    static let policyVersion = "prv.dlp.v1"
    private static let malformed = "MALFORMED_ENVELOPE"
    private static let mismatch = "EVIDENCE_MISMATCH"

    /// Checks the record when there is one. The hosted verifier compares the filter's rule set too.
    ///
    /// - Throws: the same codes for both verifiers; `field` names the receipt and member.
    static func check(_ context: ReferenceContext) throws(ReferenceRefusal) {
        guard let value = context.metadata?["data_handling"] else { return }
        guard let object = value.object else { throw ReferenceRefusal(malformed, path, "must be an object") }
        let record = Part(members: object, path: path)
        try record.constant("policy_version", policyVersion, else: malformed)
        let rules = context.verifier == .service ? try ruleSet(of: record) : nil
        guard let policy = PolicyBinding.effectiveHash(context.metadata), ReferenceText.isBase64URL(policy) else {
            throw ReferenceRefusal(
                mismatch, "payload.metadata.policy_binding.effective_policy_hash_b64u", "data handling needs a policy")
        }
        if let named = record["effective_policy_hash_b64u"] {
            try record.require(
                named == .string(policy), mismatch, "effective_policy_hash_b64u", "is not the bound policy")
        }
        guard context.runID != nil else { throw ReferenceRefusal(mismatch, path, "the bundle has no event chain") }
        let receipts = try record.elements("receipts", else: "MISSING_REQUIRED_FIELD")
        for (index, receipt) in receipts.enumerated() {
            let path = record.field("receipts[\(index)]")
            let named = try DataHandlingReceipt.check(receipt, at: path, policy: policy, context)
            guard context.verifier == .service else { continue }
            if let rules {
                guard named == rules else {
                    throw ReferenceRefusal(mismatch, path + ".payload.policy", "is not the record's rule set")
                }
            } else if named != nil {
                throw ReferenceRefusal(mismatch, self.path, "the receipts name a rule set and the record does not")
            }
        }
    }

    private static func ruleSet(of record: Part) throws(ReferenceRefusal) -> DataHandlingRuleSet? {
        let isNamed = DataHandlingRuleSet.members.contains { record[$0] != nil }
        let rules = isNamed ? try DataHandlingRuleSet(record) : nil
        guard let error = record["policy_error"] else { return rules }
        try record.require(Loose.filled(error) != nil, malformed, "policy_error", "must be a text that is not empty")
        try record.require(rules == nil, mismatch, "policy_error", "contradicts the rule set")
        return nil
    }
}

/// Which rules a filter ran with.
struct DataHandlingRuleSet: Equatable {
    /// Hash of the rules.
    let hash: String
    /// Rules that come with the filter.
    let builtIn: Int64
    /// Rules of the owner.
    let custom: Int64

    /// The members that describe it.
    static let members = ["taxonomy_version", "ruleset_hash_b64u", "built_in_rule_count", "custom_rule_count"]

    init(_ part: Part) throws(ReferenceRefusal) {
        let malformed = "MALFORMED_ENVELOPE"
        try part.constant("taxonomy_version", "prv.dlp.taxonomy.v2", else: malformed)
        hash = try part.base64URL("ruleset_hash_b64u", else: malformed)
        func count(_ key: String) throws(ReferenceRefusal) -> Int64 {
            guard let count = Loose.count(part[key]) else {
                throw part.refusal(malformed, key, "must be a whole number from 0")
            }
            return count
        }
        builtIn = try count("built_in_rule_count")
        custom = try count("custom_rule_count")
    }
}

/// One class of data that a filter found.
struct DataHandlingMatch {
    /// The class, for example `secret.api_key`.
    let classID: String
    /// The rule that found it.
    let ruleID: String
    /// What the rule asks for.
    let action: JSONValue?

    /// True for a rule of the owner.
    var isCustom: Bool { ruleID.hasPrefix(Self.customPrefix) }

    private static let prefix = "prv.dlp."
    private static let customPrefix = "prv.dlp.custom."

    /// Reads a match as the library does: everything is there.
    init?(loosely value: JSONValue) {
        guard let classID = Loose.filled(value["class_id"]), let ruleID = Loose.filled(value["rule_id"]),
            DataHandlingReceipt.isAction(value["action"]), Loose.count(value["match_count"]) != nil
        else { return nil }
        self.classID = classID
        self.ruleID = ruleID
        action = value["action"]
    }

    /// Reads a match as the hosted verifier does: the rule's name says its class.
    init(_ value: JSONValue, at path: String) throws(ReferenceRefusal) {
        let malformed = "MALFORMED_ENVELOPE"
        guard let object = value.object else { throw ReferenceRefusal(malformed, path, "must be an object") }
        let part = Part(members: object, path: path)
        (classID, ruleID) = try Self.names(part)
        try part.require(DataHandlingReceipt.isAction(part["action"]), malformed, "action", "is unknown")
        try part.require(
            Loose.count(part["match_count"]) != nil, malformed, "match_count", "must be a whole number from 0")
        action = part["action"]
    }

    /// Reads `class_id` and `rule_id` and checks that they belong together.
    static func names(_ part: Part) throws(ReferenceRefusal) -> (classID: String, ruleID: String) {
        let malformed = "MALFORMED_ENVELOPE"
        let classID = ExactText.trimmed(part["class_id"]?.string ?? "")
        try part.require(isClass(classID[...]), malformed, "class_id", "is no class of data")
        let ruleID = ExactText.trimmed(part["rule_id"]?.string ?? "")
        let isName = ruleID.utf8.allSatisfy { byte in
            Base64URL.isInAlphabet(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
        }
        try part.require(ruleID.hasPrefix(prefix) && isName, malformed, "rule_id", "is no rule")
        if ruleID.hasPrefix(customPrefix) {
            guard let named = customClass(of: ruleID) else {
                throw part.refusal(malformed, "rule_id", "must be named by class, hash and version")
            }
            try part.require(named == classID[...], "EVIDENCE_MISMATCH", "rule_id", "is a rule for another class")
        } else {
            try part.require(
                ruleID.hasPrefix("\(prefix)\(classID)."), "EVIDENCE_MISMATCH", "rule_id", "is a rule for another class")
        }
        return (classID, ruleID)
    }

    /// Lowercase letters and digits in groups, with single `.`, `_` or `-` between them.
    private static func isClass(_ text: Substring) -> Bool {
        let groups = text.utf8.split(omittingEmptySubsequences: false) { ".-_".utf8.contains($0) }
        return groups.allSatisfy { group in
            !group.isEmpty
                && group.allSatisfy { ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) }
        }
    }

    /// The class in `prv.dlp.custom.<class>.<hash>.v<number>`.
    private static func customClass(of ruleID: String) -> Substring? {
        let rest = ruleID.dropFirst(customPrefix.count)
        guard let versionDot = rest.lastIndex(of: "."),
            let hashDot = rest[..<versionDot].lastIndex(of: ".")
        else { return nil }
        let version = rest[rest.index(after: versionDot)...]
        let hash = rest[rest.index(after: hashDot)..<versionDot]
        let digits = version.dropFirst().utf8
        guard version.first == "v", !digits.isEmpty, digits.allSatisfy(ReferenceText.isDigit), hash.utf8.count >= 8,
            hash.utf8.allSatisfy(Base64URL.isInAlphabet), isClass(rest[..<hashDot])
        else { return nil }
        return rest[..<hashDot]
    }
}
