public import ClawWire
public import ReceiptLog

/// What the revocations say against a token.
public enum RevocationFinding: Sendable, Hashable {
    /// It is revoked by its name.
    case revoked(RevokedToken)
    /// A cut-off covers it.
    case cutOff(CutoffRecord)
    /// A cut-off may cover it: the token does not show the dimension, no context was given, and the records of the
    /// single tokens are not all there yet.
    case undetermined(CutoffRecord)
}

extension RevocationState {
    /// What the revocations say against a verified token; `nil` for nothing. Says nothing of the view's age.
    ///
    /// Cut-offs of a dimension that the token does not show are looked up in the context. Where the context does not
    /// know either, the record of the single token decides, which follows every cut-off; until the head says that they
    /// all have followed, the answer is ``RevocationFinding/undetermined(_:)``.
    public func finding(for token: VerifiedCST, context: TokenContext = .unknown) -> RevocationFinding? {
        if let revoked = revocation(of: token.hash) { return .revoked(revoked) }
        guard !cutoffs.isEmpty else { return nil }
        for scope in Self.visibleScopes(of: token) {
            if let record = covering(scope, token) { return .cutOff(record) }
        }
        for kind in CutoffScope.Kind.allCases where !kind.isVisibleInToken {
            for value in context.values(kind) ?? [] {
                guard let scope = CutoffScope(kind, value) else { continue }
                if let record = covering(scope, token) { return .cutOff(record) }
            }
        }
        let open = unswept.filter { context.values($0.kind) == nil && covering($0, token) != nil }.min()
        return open.flatMap { covering($0, token) }.map { .undetermined($0) }
    }

    private func covering(_ scope: CutoffScope, _ token: VerifiedCST) -> CutoffRecord? {
        guard let record = cutoffs[scope]?.record, record.voids(issuedAt: token.claims.issued) else { return nil }
        return record
    }

    /// The scopes that a token shows. Names are trimmed as the scope hash trims them, so that a padded name does not
    /// slip past.
    private static func visibleScopes(of token: VerifiedCST) -> [CutoffScope] {
        let claims = token.claims
        let named: [(CutoffScope.Kind, String?)] = [
            (.issuerKey, token.kid.rawValue), (.policyHash, claims.policyHash?.text), (.agent, claims.subject),
            (.agent, claims.agentDID), (.job, claims.missionID), (.token, token.hash.hex),
            (.jti, claims.tokenID?.rawValue),
        ]
        return [.all]
            + named.compactMap { kind, value in value.flatMap { CutoffScope(kind, ExactText.trimmed($0)) } }
    }
}
