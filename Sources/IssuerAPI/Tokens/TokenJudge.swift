import ClawWire
import GrantLedger
import GrantVerifier
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
    /// It is no sound token of this issuer, or it is over.
    case invalid(TokenFault)
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

/// Says where tokens stand: by what gateways ask of a token by itself, by the ledger's own record of issuing them, and by
/// what voids them.
///
/// Signature and record are asked for once and remembered within bounds; what voids a token is asked each time, and no
/// token is called active under a view that is older than allowed.
final class TokenJudge: Sendable {
    private struct Cache {
        var recent: [Digest: KnownToken] = [:]
        var older: [Digest: KnownToken] = [:]
    }

    /// What is asked of a token by itself: what ``TokenVerifier`` asks, of any audience.
    ///
    /// - Parameter hardCapSeconds: the longest lifetime that the rules allow; a lifetime of the reference's longest, an
    ///   hour, is never too long.
    static func inspection(hardCapSeconds: Int64 = 3_600) -> TokenInspection {
        TokenInspection(rules: .strict(audiences: nil, maximumLifetimeSeconds: max(3_600, hardCapSeconds)))
    }

    private let keys: @Sendable (Timestamp) -> AcceptedKeys
    private let inspection: TokenInspection
    private let lookup: TokenLookup
    private let view: RevocationView
    private let maximumAge: Duration
    private let generationSize: Int
    private let clock: @Sendable () -> Timestamp
    private let cache = Lock(Cache())

    /// - Parameters:
    ///   - keys: the keys that are accepted at an instant.
    ///   - inspection: what is asked of a token by itself.
    init(
        keys: @escaping @Sendable (Timestamp) -> AcceptedKeys, inspection: TokenInspection = TokenJudge.inspection(),
        lookup: TokenLookup, view: RevocationView, settings: HTTPSettings.Introspection,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.keys = keys
        self.inspection = inspection
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
        guard text.utf8.count <= CSTLimits.standard.maximumBytes else { return .invalid(.token(CSTError(.malformed))) }
        let now = clock()
        let accepted = keys(now)
        let token: KnownToken
        if let known = cached(Digest(hashing: text)) {
            do {
                try inspection.inspectAgain(known.verified, now: now, keys: accepted)
            } catch {
                return .invalid(error)
            }
            token = known
        } else {
            let parsed: UnverifiedCST
            do {
                parsed = try CST.parse(text)
            } catch {
                return .invalid(.token(error))
            }
            let verified: VerifiedCST
            do {
                verified = try inspection.inspect(parsed, now: now, keys: accepted)
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
