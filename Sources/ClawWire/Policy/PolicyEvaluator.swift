/// The answer of a statement policy.
public struct PolicyVerdict: Sendable, Hashable {
    /// True when the action is allowed.
    public let isAllowed: Bool
    /// A sentence for people, naming the statements.
    public let reason: String
    /// The `sid`s that decided.
    public let matched: [String]
}

/// Evaluates statement policies: default deny, a deny beats every allow, a parent must allow as well.
///
/// ``Mode/compatible`` gives the reference's answers. ``Mode/strict``, the one for issuance, closes two gaps: a deny
/// whose condition cannot be evaluated applies, and an `inherits` that cannot be followed denies in every case.
public enum PolicyEvaluator {
    /// How to treat what cannot be evaluated.
    public enum Mode: Sendable, Hashable {
        /// As the reference does: a condition that cannot be evaluated does not hold, and only one parent is looked at.
        case compatible
        /// A condition that cannot be evaluated holds for a deny and does not for an allow; all ancestors must allow.
        case strict
    }

    /// The context key that says whether a human approved.
    public static let humanApprovalKey = "Request:HasHumanApproval"

    /// Most ancestors that are followed in strict mode.
    public static let maximumAncestors = 8

    /// Evaluates an action on a resource.
    ///
    /// - Parameters:
    ///   - policy: the policy.
    ///   - action: for example `tool:read`.
    ///   - resource: for example `prod/db`.
    ///   - context: context keys and their values.
    ///   - mode: how to treat what cannot be evaluated.
    ///   - parent: finds a policy by the id in `inherits`.
    public static func evaluate(
        _ policy: StatementPolicy, action: String, resource: String, context: [String: String], mode: Mode,
        parent: (String) -> StatementPolicy?
    ) -> PolicyVerdict {
        let own = outcome(policy, action, resource, context, mode)
        guard let name = policy.inherits else { return verdict(own, action, resource) }
        guard let ancestor = parent(name) else {
            return PolicyVerdict(
                isAllowed: false, reason: "Cannot resolve parent policy '\(name)' (fail-closed)", matched: [])
        }
        let inherited = outcome(ancestor, action, resource, context, mode)
        guard case .allowed(let parentAllows) = inherited else {
            return PolicyVerdict(
                isAllowed: false,
                reason: inherited.sids.isEmpty
                    ? "Parent policy '\(name)' has no statement allowing action '\(action)' on '\(resource)'"
                    : "Parent policy '\(name)' explicitly denied by: \(list(inherited.sids))",
                matched: inherited.sids)
        }
        guard case .allowed(let ownAllows) = own else {
            return PolicyVerdict(
                isAllowed: false,
                reason: own.sids.isEmpty
                    ? "No child statement allows action '\(action)' on resource '\(resource)' (default deny)"
                    : "Explicitly denied by child statement(s): \(list(own.sids))",
                matched: own.sids)
        }
        if mode == .strict, let refusal = refusal(of: ancestor, action, resource, context, parent) { return refusal }
        return PolicyVerdict(
            isAllowed: true, reason: "Allowed by parent (\(list(parentAllows))) AND child (\(list(ownAllows)))",
            matched: parentAllows + ownAllows)
    }

    /// Says whether a policy allows an action whatever the resource, in strict mode: some statement allows it for every
    /// resource, and none denies it for any. What inherits from a policy that is not at hand allows nothing.
    public static func allowsEverywhere(
        _ policy: StatementPolicy, action: String, context: [String: String]
    ) -> Bool {
        guard policy.inherits == nil else { return false }
        var isAllowed = false
        for statement in policy.statements
        where statement.actions.contains(where: { Glob.matches($0, action) }) && applies(statement, context, .strict) {
            switch statement.effect {
            case .deny: return false
            case .allow: isAllowed = isAllowed || statement.resources.contains { Glob.matches($0, "*") }
            }
        }
        return isAllowed
    }

    private static func refusal(
        of policy: StatementPolicy, _ action: String, _ resource: String, _ context: [String: String],
        _ parent: (String) -> StatementPolicy?
    ) -> PolicyVerdict? {
        var current = policy
        for _ in 0..<maximumAncestors {
            guard let name = current.inherits else { return nil }
            guard let ancestor = parent(name) else {
                return PolicyVerdict(
                    isAllowed: false, reason: "Cannot resolve ancestor policy '\(name)' (fail-closed)", matched: [])
            }
            let result = outcome(ancestor, action, resource, context, .strict)
            guard case .allowed = result else {
                return PolicyVerdict(
                    isAllowed: false, reason: "Ancestor policy '\(name)' does not allow action '\(action)'",
                    matched: result.sids)
            }
            current = ancestor
        }
        return PolicyVerdict(
            isAllowed: false, reason: "More than \(maximumAncestors) ancestors, or a circle of them (fail-closed)",
            matched: [])
    }

    private enum Outcome {
        case allowed([String])
        case denied([String])
        case unmatched

        var sids: [String] {
            switch self {
            case .allowed(let sids), .denied(let sids): sids
            case .unmatched: []
            }
        }
    }

    private static func outcome(
        _ policy: StatementPolicy, _ action: String, _ resource: String, _ context: [String: String], _ mode: Mode
    ) -> Outcome {
        var allows: [String] = []
        var denies: [String] = []
        for statement in policy.statements {
            guard statement.actions.contains(where: { Glob.matches($0, action) }),
                statement.resources.contains(where: { Glob.matches($0, resource) }),
                applies(statement, context, mode)
            else { continue }
            switch statement.effect {
            case .allow: allows.append(statement.sid)
            case .deny: denies.append(statement.sid)
            }
        }
        if !denies.isEmpty { return .denied(denies) }
        return allows.isEmpty ? .unmatched : .allowed(allows)
    }

    private static func applies(
        _ statement: StatementPolicy.Statement, _ context: [String: String], _ mode: Mode
    ) -> Bool {
        statement.conditions.allSatisfy { condition in
            if let holds = condition.holds(context[condition.key]) { return holds }
            return mode == .strict && statement.effect == .deny
        }
    }

    private static func verdict(_ outcome: Outcome, _ action: String, _ resource: String) -> PolicyVerdict {
        switch outcome {
        case .allowed(let sids):
            PolicyVerdict(isAllowed: true, reason: "Allowed by statement(s): \(list(sids))", matched: sids)
        case .denied(let sids):
            PolicyVerdict(isAllowed: false, reason: "Explicitly denied by statement(s): \(list(sids))", matched: sids)
        case .unmatched:
            PolicyVerdict(
                isAllowed: false,
                reason: "No statement allows action '\(action)' on resource '\(resource)' (default deny)", matched: [])
        }
    }

    private static func list(_ sids: [String]) -> String { sids.joined(separator: ", ") }
}

extension StatementPolicy.Condition {
    /// Whether the condition holds for a context value; `nil` when it cannot be evaluated.
    func holds(_ actual: String?) -> Bool? {
        switch `operator` {
        case .stringEquals: return actual.map { ExactText.equal($0, expected) }
        case .stringNotEquals: return actual.map { !ExactText.equal($0, expected) } ?? true
        case .stringLike: return actual.map { Glob.matches(expected, $0) }
        case .stringNotLike: return actual.map { !Glob.matches(expected, $0) } ?? true
        case .numericEquals: return compare(actual) { $0 == $1 }
        case .numericLessThan: return compare(actual) { $0 < $1 }
        case .numericGreaterThan: return compare(actual) { $0 > $1 }
        case .bool: return actual.map { ($0.lowercased() == "true") == (expected.lowercased() == "true") }
        case .ipAddress:
            guard let actual, let address = IPv4(actual), let network = IPv4.Network(expected) else { return nil }
            return network.contains(address)
        }
    }

    private func compare(_ actual: String?, _ relation: (Double, Double) -> Bool) -> Bool? {
        guard let actual, let left = Double(actual), let right = Double(expected), left.isFinite, right.isFinite else {
            return nil
        }
        return relation(left, right)
    }
}

/// An IPv4 address in dotted decimals.
struct IPv4 {
    let value: UInt32

    init?(_ text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard part.count <= 3, part.count == 1 || part.first != UInt8(ascii: "0"),
                let octet = UInt8(String(decoding: part, as: UTF8.self)), part.first != UInt8(ascii: "+")
            else { return nil }
            value = value << 8 | UInt32(octet)
        }
        self.value = value
    }

    /// A network in CIDR notation; a bare address is a network of one.
    struct Network {
        let base: UInt32
        let prefix: UInt32

        init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2, let first = parts.first, let address = IPv4(first) else { return nil }
            var prefix: UInt32 = 32
            if parts.count == 2 {
                guard let bits = UInt32(parts[1]), bits <= 32 else { return nil }
                prefix = bits
            }
            base = address.value
            self.prefix = prefix
        }

        func contains(_ address: IPv4) -> Bool {
            let mask: UInt32 = prefix == 0 ? 0 : ~0 << (32 - prefix)
            return base & mask == address.value & mask
        }
    }
}
