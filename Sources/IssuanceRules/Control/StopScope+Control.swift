import ClawWire

extension StopScope {
    /// Everything.
    public static let everything = StopScope(kind: .all, value: nil)

    /// `kind:value`, or `all`: for people, keys of records and cut-offs.
    public var text: String { value.map { "\(kind.rawValue):\($0)" } ?? kind.rawValue }

    /// The scope in the one form in which scopes are compared: subjects, entitlements and token hashes without case, no
    /// value for everything.
    public var normalized: StopScope {
        switch kind {
        case .all: .everything
        case .subject, .entitlement, .token: StopScope(kind: kind, value: value?.lowercased())
        case .jobClass, .agent, .approval, .request, .policyHash, .policyID, .source, .issuerKey, .job, .jti: self
        }
    }

    /// Why no token, request or approval can ever be in the scope, `nil` when one can: a missing value, or one that
    /// has not the form of its kind. A stop of such a scope would stop nothing.
    public var fault: String? {
        guard kind != .all else { return nil }
        guard let value, !value.isEmpty else { return "the scope \(kind.rawValue) needs a value" }
        switch kind {
        case .policyHash: return Digest(b64u: value) == nil ? "a WPC's hash has 43 characters of base64url" : nil
        case .token: return Digest(hex: value.lowercased()) == nil ? "a token's hash has 64 hexadecimal digits" : nil
        case .entitlement:
            let kinds = Entitlement.Kind.allCases.map(\.rawValue)
            let parts = value.lowercased().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, kinds.contains(String(parts[0])), !parts[1].isEmpty else {
                return "an entitlement is kind:id or kind:id:scope with one of the kinds "
                    + kinds.joined(separator: ", ")
            }
            return nil
        case .agent: return value.hasPrefix("did:") ? nil : "an agent is named by its DID"
        case .all, .jobClass, .subject, .approval, .request, .policyID, .source, .issuerKey, .job, .jti: return nil
        }
    }
}

extension Entitlement {
    /// The values under which a scope of the kind `entitlement` names it, normalized.
    var scopeValues: [String] { EntitlementKey(self).scopeValues }
}

extension EntitlementKey {
    /// The values under which a scope of the kind `entitlement` names it, normalized.
    var scopeValues: [String] {
        let base = "\(kind.rawValue):\(id)"
        return scope.map { [base, "\(base):\($0)"] } ?? [base]
    }
}
