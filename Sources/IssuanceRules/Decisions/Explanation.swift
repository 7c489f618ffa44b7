public import ClawWire

/// A decision in plain words: what came out and why, what was asked, what was granted, what would have been needed.
public struct Explanation: Sendable, Hashable {
    /// `issue`, `deny`, `expire` or `wait`.
    public let outcome: String
    /// Codes, most important first.
    public let codes: [ReasonCode]
    /// Path of the rule that decided.
    public let rule: String
    /// Hash of the rules, base64url.
    public let rulesHash: Digest
    /// What was asked, one line each.
    public let asked: [String]
    /// What is granted, one line each; empty unless a token is issued.
    public let granted: [String]
    /// Why, one line each.
    public let reasons: [String]
    /// What would have been needed, one line each.
    public let needed: [String]
    /// What to do, one line a code.
    public let remedies: [String]

    /// All of it as lines of text.
    public var lines: [String] {
        var lines = [headline, "decided by \(rule) of the rules \(rulesHash)"]
        func add(_ title: String, _ items: [String]) {
            guard !items.isEmpty else { return }
            lines.append("\(title):")
            lines += items.map { "  \($0)" }
        }
        add("asked", asked)
        add("granted", granted)
        add("because", reasons)
        add("needed", needed)
        add("what to do", remedies)
        return lines
    }

    /// All of it as an object.
    public var json: JSONValue {
        func texts(_ items: [String]) -> JSONValue { .array(items.map { .string($0) }) }
        return [
            "outcome": .string(outcome), "reason_codes": texts(codes.map(\.rawValue)), "rule": .string(rule),
            "rules_hash_b64u": .string(rulesHash.b64u), "asked": texts(asked), "granted": texts(granted),
            "reasons": texts(reasons), "needed": texts(needed), "what_to_do": texts(remedies),
        ]
    }

    private let headline: String

    /// Explains a decision on a request under rules of this hash.
    public init(of decision: Decision, on request: CapabilityRequest, rulesHash: Digest) {
        self.rulesHash = rulesHash
        rule = decision.rule
        codes = decision.reasons.map(\.code)
        reasons = decision.reasons.map { "\($0.code.rawValue): \($0.detail)" }
        needed = Self.distinct(decision.needed)
        remedies = Self.distinct(decision.reasons.map(\.code.remedy))
        asked = Self.asked(request)
        switch decision.outcome {
        case .issue(let plan):
            outcome = "issue"
            granted = Self.granted(plan)
            headline = "a token is issued for the job \(quoted(request.jobID.rawValue))"
        case .deny:
            outcome = "deny"
            granted = []
            headline = "the request \(quoted(request.requestID.rawValue)) is denied"
        case .expire:
            outcome = "expire"
            granted = []
            headline = "the request \(quoted(request.requestID.rawValue)) has expired"
        case .wait(let until):
            outcome = "wait"
            granted = []
            headline = "the request \(quoted(request.requestID.rawValue)) waits, at the latest until \(until)"
        }
    }

    private static func distinct(_ lines: [String]) -> [String] {
        var seen: Set<String> = []
        return lines.filter { seen.insert($0).inserted }
    }

    private static func list(_ items: [String]) -> String { items.map(quoted).joined(separator: ", ") }

    private static func asked(_ request: CapabilityRequest) -> [String] {
        var lines = [
            "a token of the class \(quoted(request.jobClass.rawValue)) for the agent \(quoted(request.agentDID.rawValue))",
            "scope \(list(request.scope))",
        ]
        if !request.actions.isEmpty { lines.append("actions \(list(request.actions))") }
        if !request.tools.isEmpty { lines.append("tools \(list(request.tools))") }
        if !request.audience.isEmpty { lines.append("audience \(list(request.audience))") }
        if let ttl = request.ttlSeconds { lines.append("a lifetime of \(ttl) s") }
        if let hash = request.policyHash { lines.append("under the WPC \(hash)") }
        if let id = request.approvalID { lines.append("on the approval \(quoted(id.rawValue))") }
        if let number = request.ticketNumber { lines.append("on the ticket \(quoted(number))") }
        if let earlier = request.upgradesRequest {
            lines.append("in place of the token of \(quoted(earlier.rawValue))")
        }
        return lines
    }

    private static func granted(_ plan: GrantPlan) -> [String] {
        var lines = [
            "scope \(list(plan.scope))", "audience \(list(plan.audience))",
            "from \(plan.issuedAt) to \(plan.expiresAt), \(plan.expiresAt.seconds(since: plan.issuedAt)) s",
            "approved by \(list(plan.approvers.map(\.rawValue))) in \(list(plan.approvals.map(\.rawValue)))",
        ]
        if !plan.elevatedActions.isEmpty { lines.append("elevated actions \(list(plan.elevatedActions))") }
        if let hash = plan.policyHash { lines.append("pinned to the WPC \(hash)") }
        if let earlier = plan.replaces { lines.append("replaces the token of \(quoted(earlier.rawValue))") }
        return lines
    }
}

extension Decision {
    /// The decision in plain words, line by line.
    public func explain(_ request: CapabilityRequest, rulesHash: Digest) -> [String] {
        Explanation(of: self, on: request, rulesHash: rulesHash).lines
    }
}
