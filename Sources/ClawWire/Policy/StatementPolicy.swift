/// The statements form of a WPC, `policy_version` "2" (WIRE section 7.1).
public struct StatementPolicy: Sendable, Hashable {
    /// What a statement does to what it matches.
    public enum Effect: String, Sendable, Hashable {
        /// Allows.
        case allow = "Allow"
        /// Denies; beats every allow.
        case deny = "Deny"
    }

    /// How a condition compares.
    public enum Operator: String, Sendable, Hashable, CaseIterable {
        /// Equal texts.
        case stringEquals = "StringEquals"
        /// Different texts, or no text.
        case stringNotEquals = "StringNotEquals"
        /// Matches a glob.
        case stringLike = "StringLike"
        /// Matches no glob, or is no text.
        case stringNotLike = "StringNotLike"
        /// Equal numbers.
        case numericEquals = "NumericEquals"
        /// A smaller number.
        case numericLessThan = "NumericLessThan"
        /// A larger number.
        case numericGreaterThan = "NumericGreaterThan"
        /// The same truth value; `true` in any case is true, all else false.
        case bool = "Bool"
        /// An IPv4 address inside a network.
        case ipAddress = "IpAddress"
    }

    /// One comparison.
    public struct Condition: Sendable, Hashable {
        /// How.
        public let `operator`: Operator
        /// The context key.
        public let key: String
        /// The value to compare with.
        public let expected: String
    }

    /// One statement.
    public struct Statement: Sendable, Hashable {
        /// `sid`, unique in the policy.
        public let sid: String
        /// `effect`.
        public let effect: Effect
        /// `actions`: globs.
        public let actions: [String]
        /// `resources`: globs.
        public let resources: [String]
        /// `conditions`: all must hold.
        public let conditions: [Condition]
    }

    /// `policy_id`.
    public let policyID: String
    /// `inherits`: the policy that must allow as well.
    public let inherits: String?
    /// `statements`.
    public let statements: [Statement]

    /// Reads a document by the published schema, all objects closed but `metadata`.
    ///
    /// - Throws: ``WPCError`` with `INVALID_WPC`.
    public init(_ value: JSONValue) throws(WPCError) {
        var object = try ClosedObject(value, path: "")
        guard object.value("policy_version")?.string == "2" else {
            throw object.invalid("policy_version", "must be \"2\"")
        }
        policyID = try object.requiredText("policy_id", maximum: 128)
        guard try object.requiredText("issuer_did", maximum: 256).utf8.starts(with: "did:".utf8) else {
            throw object.invalid("issuer_did", "no DID")
        }
        inherits = try object.text("inherits", maximum: 128)
        _ = try object.choice("coverage_enforcement", of: ["observe", "warn", "enforce"])
        // Rules for verifiers of bundles; they do not bear on issuance.
        _ = try object.object("witnessed_web_policy")
        _ = try object.object("metadata")
        guard let elements = try object.elements("statements", maximumCount: 64), !elements.isEmpty else {
            throw object.invalid("statements", "at least one statement is required")
        }
        var statements: [Statement] = []
        for (i, element) in elements.enumerated() {
            let statement = try Self.statement(element, path: "statements[\(i)]")
            guard !statements.contains(where: { ExactText.equal($0.sid, statement.sid) }) else {
                throw object.invalid("statements", "the sid \(statement.sid) is there twice")
            }
            statements.append(statement)
        }
        self.statements = statements
        try object.close()
    }

    private static func statement(_ value: JSONValue, path: String) throws(WPCError) -> Statement {
        var object = try ClosedObject(value, path: path)
        let sid = try object.requiredText("sid", maximum: 128)
        guard let effect = object.value("effect")?.string.flatMap({ Effect(rawValue: $0) }) else {
            throw object.invalid("effect", "must be Allow or Deny")
        }
        guard let actions = try object.texts("actions", maximumCount: 64, maximum: 256, minimumCount: 1) else {
            throw object.invalid("actions", "this member is required")
        }
        guard let resources = try object.texts("resources", maximumCount: 256, maximum: 512, minimumCount: 1) else {
            throw object.invalid("resources", "this member is required")
        }
        var conditions: [Condition] = []
        if let operators = try object.object("conditions") {
            for member in operators.object.members {
                guard let `operator` = Operator(rawValue: member.key) else {
                    throw operators.invalid(member.key.cut(toBytes: 64), "this operator is not known")
                }
                guard let map = member.value.object, map.count <= 16 else {
                    throw operators.invalid(member.key, "an object of at most 16 members was expected")
                }
                for entry in map.members {
                    guard let expected = entry.value.string, ExactText.length(expected) <= 512 else {
                        throw operators.invalid(member.key, "a text of at most 512 characters was expected")
                    }
                    conditions.append(Condition(operator: `operator`, key: entry.key, expected: expected))
                }
            }
        }
        try object.close()
        return Statement(
            sid: sid, effect: effect, actions: actions, resources: resources, conditions: conditions)
    }
}
