import ClawWire

/// The index of `clawgrant.request` by which the live tokens of a scope are found.
enum ReachIndex: String, Sendable, Hashable, CaseIterable {
    /// By their end: all that live are looked through. For scopes that most tokens are in, or that are rare.
    case expiry
    case agent
    case job
    case request
    case token

    /// The index for a scope as ``RevocationRun/scopeKind`` and its value name it.
    init(scopeKind: String, value: String?) {
        switch scopeKind {
        case "agent": self = .agent
        case "job": self = .job
        case "request": self = .request
        // What is no digest has no token; its text would end the statement.
        case "token_hash" where value.flatMap { Digest(hex: $0) } != nil: self = .token
        default: self = .expiry
        }
    }

    /// A condition that follows from the scope, in the words of the index.
    func condition(value: String) -> String {
        switch self {
        case .expiry: "true"
        case .agent: "md5(agent_did)::uuid = md5(\(value))::uuid"
        case .job: "job_id = \(value) AND scope_hash IS NOT NULL"
        case .request: "request_id = \(value)"
        case .token: "token_hash = decode(\(value), 'hex')"
        }
    }
}
