import ClawWire
import GrantLedger
import GrantWorker
import Primitives

/// A token whose signature was verified and that the ledger has issued, with the answers that are given for it while it is
/// active.
final class KnownToken: Sendable {
    let verified: VerifiedCST
    let live: LiveToken
    let scopeKeys: [String]
    /// Up to where nothing voids it.
    private let cleared = Lock(RevocationView.Clearance())
    private let answers = Lock<[String: [UInt8]]>([:])

    init(_ verified: VerifiedCST, _ live: LiveToken) {
        self.verified = verified
        self.live = live
        scopeKeys = live.scopeKeys
    }

    /// What the view says against it.
    func finding(in view: RevocationView) -> RevocationView.Finding? {
        if let revocation = live.revocation { return .revoked(at: revocation.at) }
        return cleared.withLock { view.finding(live, scopeKeys, cleared: &$0) }
    }

    /// An answer that does not change while the token is active, made once.
    func answer(_ name: String, _ make: () -> [UInt8]) -> [UInt8] {
        if let known = answers.withLock({ $0[name] }) { return known }
        let made = make()
        answers.withLock { $0[name] = made }
        return made
    }
}

/// Where a token stands.
enum TokenStanding: Sendable {
    /// It may be relied on.
    case active(KnownToken)
    /// It was issued and is revoked or void.
    case revoked(VerifiedCST, at: Timestamp)
    /// It is no token of this issuer, or it is over.
    case invalid(CSTError)
    /// It bears the issuer's signature and the ledger does not know it: whoever made it had the key.
    case notIssued(VerifiedCST)
    /// Nobody can tell now.
    case unknown(String)

    /// For the metric; a closed set.
    var name: String {
        switch self {
        case .active: "active"
        case .revoked: "revoked"
        case .invalid: "invalid"
        case .notIssued: "not_issued"
        case .unknown: "unknown"
        }
    }
}

/// Says where tokens stand: by their signature, by the ledger's own record of issuing them, and by what voids them.
///
/// Signature and record are asked for once and remembered within bounds; what voids a token is asked each time, and no
/// token is called active under a view that is older than allowed.
final class TokenJudge: Sendable {
    private struct Cache {
        var recent: [Digest: KnownToken] = [:]
        var older: [Digest: KnownToken] = [:]
    }

    /// What `CST.verify` asks beside signature, key and expiry. Lifetime and audience are what the ledger's rules made
    /// them; that it did is asked of the ledger.
    static let strictRules: CSTVerification = {
        var rules = CSTVerification.strict(audiences: nil)
        rules.maximumLifetimeSeconds = nil
        return rules
    }()

    private let keys: @Sendable (Timestamp) -> AcceptedKeys
    private let rules: CSTVerification
    private let lookup: TokenLookup
    private let view: RevocationView
    private let maximumAge: Duration
    private let generationSize: Int
    private let clock: @Sendable () -> Timestamp
    private let cache = Lock(Cache())

    /// - Parameters:
    ///   - keys: the keys that are accepted at an instant.
    ///   - rules: what is asked beside signature, key and expiry.
    init(
        keys: @escaping @Sendable (Timestamp) -> AcceptedKeys, rules: CSTVerification = TokenJudge.strictRules,
        lookup: TokenLookup, view: RevocationView, settings: HTTPSettings.Introspection,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.keys = keys
        self.rules = rules
        self.lookup = lookup
        self.view = view
        maximumAge = settings.maximumAge
        generationSize = max(1, settings.cachedTokens / 2)
        self.clock = clock
    }

    /// Why no token can be called active now; `nil` when some can.
    func staleness() -> String? {
        guard let age = view.age() else { return "revocations have not been loaded from the ledger yet" }
        guard age <= maximumAge else {
            return "revocations are known as of \(age / .milliseconds(1)) ms ago; at most "
                + "\(maximumAge / .milliseconds(1)) ms are allowed"
        }
        return nil
    }

    /// Where a token stands now.
    func standing(of text: String) async -> TokenStanding {
        guard text.utf8.count <= CSTLimits.standard.maximumBytes else { return .invalid(CSTError(.malformed)) }
        let now = clock()
        let accepted = keys(now)
        let token: KnownToken
        if let known = cached(Digest(hashing: text)) {
            if let error = Self.expiry(of: known.verified, accepted, now) { return .invalid(error) }
            token = known
        } else {
            let verified: VerifiedCST
            do {
                verified = try CST.verify(try CST.parse(text), keys: accepted, now: now, rules: rules)
            } catch {
                return .invalid(error)
            }
            // The ledger revokes by name what it has issued, so it need not be asked.
            if let at = view.revocation(of: verified.hash.digest) { return .revoked(verified, at: at) }
            do {
                let claims = verified.claims
                let scopeHash = claims.tokenScopeHash?.digest ?? ScopeHash.compute(claims)
                guard let live = try await lookup.token(verified.hash.digest, scopeHash: scopeHash) else {
                    return .notIssued(verified)
                }
                token = KnownToken(verified, live)
            } catch {
                return .unknown("the ledger cannot be asked whether it issued the token")
            }
            remember(token)
        }
        if let finding = token.finding(in: view) { return .revoked(token.verified, at: finding.at) }
        // Asked last: what the view said a moment ago is then no older than allowed.
        if let stale = staleness() { return .unknown(stale) }
        return .active(token)
    }

    private static func expiry(of token: VerifiedCST, _ keys: AcceptedKeys, _ now: Timestamp) -> CSTError? {
        guard token.claims.expiresAt > now.seconds else { return CSTError(.expired) }
        guard keys.entries.contains(where: { $0.kid == token.kid }) else { return CSTError(.unknownKid) }
        guard keys.accepted(at: now).contains(where: { $0.kid == token.kid }) else { return CSTError(.kidExpired) }
        return nil
    }

    private func cached(_ hash: Digest) -> KnownToken? {
        cache.withLock { cache in
            if let known = cache.recent[hash] { return known }
            guard let known = cache.older[hash] else { return nil }
            Self.put(known, into: &cache, generationSize)
            return known
        }
    }

    private func remember(_ token: KnownToken) {
        cache.withLock { Self.put(token, into: &$0, generationSize) }
    }

    private static func put(_ token: KnownToken, into cache: inout Cache, _ size: Int) {
        if cache.recent.count >= size {
            cache.older = cache.recent
            cache.recent = [:]
        }
        cache.recent[token.live.tokenHash] = token
    }
}
