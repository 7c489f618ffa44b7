public import Kafka

/// A difference between what a role must be allowed to do and what the broker's rules allow its principal.
public struct AccessFinding: Sendable, Hashable {
    /// What differs.
    public enum Kind: Sendable, Hashable {
        /// No rule allows it.
        case notAllowed
        /// A rule forbids it, and beats whatever allows it.
        case forbidden
        /// It is allowed from these addresses alone.
        case limited(hosts: [String])
        /// The principal may write to a topic that is only read in its role.
        case needless
    }

    /// The role.
    public let role: AccessRole
    /// What it must, or need not, be allowed to do; the principal is its own.
    public let binding: AccessBinding
    /// What differs.
    public let kind: Kind

    /// How much it matters.
    public var severity: TopicFinding.Severity {
        switch kind {
        case .notAllowed, .forbidden: .error
        case .needless: .warning
        case .limited: .notice
        }
    }

    /// A word for programs: `access_missing`, `access_forbidden`, `access_limited` or `access_needless`.
    public var code: String {
        switch kind {
        case .notAllowed: "access_missing"
        case .forbidden: "access_forbidden"
        case .limited: "access_limited"
        case .needless: "access_needless"
        }
    }

    /// What is so, for people.
    public var summary: String {
        let what = "\(binding.principal) (\(role.rawValue)) "
        let operation = "\(binding.operation.rawValue) on \(binding.resourceType.rawValue) \(binding.name)"
        return switch kind {
        case .notAllowed: what + "may not \(operation)"
        case .forbidden: what + "is forbidden \(operation)"
        case .limited(let hosts): what + "may \(operation) from \(hosts.joined(separator: ", ")) alone"
        case .needless: what + "may \(operation), which the role does not need"
        }
    }

    /// What to do about it, for people.
    public var remedy: String {
        switch kind {
        case .notAllowed: "`clawgrant topics export --format kafka-acls --role \(role.rawValue)` prints the command"
        case .forbidden: "take the rule away that forbids it"
        case .limited: "nothing, when these are all its addresses"
        case .needless: "take the rule away: whoever holds this principal could write records that workers then find"
        }
    }
}

extension AccessPlan {
    /// What differs between what roles need and what a broker's rules allow.
    ///
    /// - Parameters:
    ///   - principals: who takes which role.
    ///   - bindings: all rules of the broker.
    public func findings(principals: [AccessRole: String], bindings: [AccessBinding]) -> [AccessFinding] {
        AccessRole.allCases.flatMap { role -> [AccessFinding] in
            guard let principal = principals[role] else { return [] }
            let needed = rules(for: role).flatMap { $0.bindings(for: principal) }
            let missing = needed.compactMap { binding in
                Self.kind(binding, bindings).map { AccessFinding(role: role, binding: binding, kind: $0) }
            }
            return missing + needless(role, principal, principals, bindings)
        }
    }

    private static func kind(_ needed: AccessBinding, _ bindings: [AccessBinding]) -> AccessFinding.Kind? {
        let matching = bindings.filter { $0.isAbout(needed) }
        guard !matching.contains(where: { !$0.isAllowed && $0.covers(needed.operation, isImplied: false) }) else {
            return .forbidden
        }
        let allowing = matching.filter { $0.isAllowed && $0.covers(needed.operation, isImplied: true) }
        guard !allowing.isEmpty else { return .notAllowed }
        guard !allowing.contains(where: { $0.host == "*" }) else { return nil }
        return .limited(hosts: Set(allowing.map(\.host)).sorted())
    }

    /// Rights to write that a role need not have. A principal that takes several roles has the rights of all.
    private func needless(
        _ role: AccessRole, _ principal: String, _ principals: [AccessRole: String], _ bindings: [AccessBinding]
    ) -> [AccessFinding] {
        let roles = principals.filter { $0.value == principal }.keys
        guard role == AccessRole.allCases.first(where: { roles.contains($0) }) else { return [] }
        return catalog.entries.compactMap { entry in
            guard !roles.contains(where: { Self.operations(of: $0, on: entry).contains(.write) }) else { return nil }
            let write = AccessBinding(
                resourceType: .topic, name: entry.name, principal: principal, operation: .write)
            switch Self.kind(write, bindings) {
            case nil, .limited: return AccessFinding(role: role, binding: write, kind: .needless)
            case .notAllowed, .forbidden, .needless: return nil
            }
        }
    }
}

extension AccessBinding {
    /// True when the rule is about the resource and the principal of another.
    fileprivate func isAbout(_ needed: AccessBinding) -> Bool {
        guard principal == needed.principal || principal == "User:*" else { return false }
        // Debian's librdkafka has no name for transactional identities and reports them as unknown.
        let isOfType =
            resourceType == needed.resourceType
            || resourceType == .other && needed.resourceType == .transactionalID
        guard isOfType else { return false }
        switch pattern {
        case .literal:
            return name == "*" || name == needed.name && needed.pattern == .literal
                || resourceType == .cluster
        case .prefixed: return needed.name.hasPrefix(name)
        case .other: return false
        }
    }

    /// True when the rule speaks of an operation, itself or, where it allows, by what follows from another one.
    fileprivate func covers(_ needed: Operation, isImplied: Bool) -> Bool {
        if operation == needed || operation == .all { return true }
        guard isImplied else { return false }
        switch needed {
        case .describe: return [.read, .write, .delete, .alter].contains(operation)
        case .describeConfigs: return operation == .alterConfigs
        case .all, .read, .write, .create, .delete, .alter, .clusterAction, .alterConfigs, .idempotentWrite, .other:
            return false
        }
    }
}
