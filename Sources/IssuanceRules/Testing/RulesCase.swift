public import ClawWire

/// One case of `clawgrant rules test`: given these facts, at this time, expect this decision.
///
/// The form is JSON or YAML; `docs/rules.md` shows it. Nothing of it is needed to run a worker.
public struct RulesCase: Sendable, Hashable {
    /// What a case expects; what is `nil` is not compared.
    public struct Expectation: Sendable, Hashable {
        /// `issue`, `deny`, `expire` or `wait`.
        public var outcome: String
        /// Codes that must be among the reasons.
        public var reasons: [String]?
        /// Path of the rule that decided.
        public var rule: String?
        /// Granted scope, in order.
        public var scope: [String]?
        /// Granted lifetime, in seconds.
        public var ttlSeconds: Int64?
        /// Approvers, sorted.
        public var approvers: [String]?
        /// Whether the token names the WPC's hash.
        public var isPinned: Bool?
    }

    /// One fact with its origin.
    public struct Given: Sendable, Hashable {
        /// The fact.
        public let fact: Fact
        /// The configured source that stated it.
        public let source: SourceName
        /// How it was authenticated.
        public let authenticity: Authenticity
    }

    /// Name, for the report.
    public let name: String
    /// What happened.
    public let given: [Given]
    /// The input of the decision, with approvals folded from ``given``.
    public let input: DecisionInput
    /// What is expected.
    public let expectation: Expectation

    /// What came out, and where it differs from what was expected.
    public struct Result: Sendable, Hashable {
        /// The case.
        public let name: String
        /// The decision.
        public let decision: Decision
        /// One line a difference; empty when the case passes.
        public let differences: [String]
        /// True when nothing differs.
        public var isPassed: Bool { differences.isEmpty }
    }

    /// Decides the case under rules and compares.
    public func run(under rules: RuleSet) -> Result {
        let decision = rules.decide(input)
        let explanation = Explanation(of: decision, on: input.request, rulesHash: rules.hash)
        var differences: [String] = []
        func compare<Value: Equatable>(_ what: String, _ expected: Value?, _ found: Value?) {
            guard let expected, expected != found else { return }
            differences.append("\(what): expected \(expected), found \(found.map { "\($0)" } ?? "none")")
        }
        compare("outcome", expectation.outcome, explanation.outcome)
        let codes = explanation.codes.map(\.rawValue)
        for code in expectation.reasons ?? [] where !codes.contains(code) {
            differences.append("reasons: expected \(code), found \(codes.joined(separator: ", "))")
        }
        compare("rule", expectation.rule, decision.rule)
        var plan: GrantPlan?
        if case .issue(let granted) = decision.outcome { plan = granted }
        compare("scope", expectation.scope, plan?.scope)
        compare("ttl_seconds", expectation.ttlSeconds, plan.map { $0.expiresAt.seconds(since: $0.issuedAt) })
        compare("approvers", expectation.approvers, plan?.approvers.map(\.rawValue).sorted())
        compare("pinned", expectation.isPinned, plan.map { $0.policyHash != nil })
        return Result(name: name, decision: decision, differences: differences)
    }
}
