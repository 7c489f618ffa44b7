import ClawWire
import GrantLedger
import GrantVerifier
import GrantWorker
import Primitives
import ReceiptLog
import TestSupport
import Testing

@testable import IssuerAPI

/// Introspection, which asks the ledger, and the verifier library, which asks the revocations topic, say the same of every
/// token: whatever it claims, whoever signed it, whatever voids it, whenever and however often it is asked for.
@Suite(.timeLimit(.minutes(10))) struct TokenAgreementTests {
    @Test func introspectionAndGatewaysAgreeOnEveryToken() async throws {
        var seen: Set<String> = []
        for seed in 0..<32 as Range<UInt64> {
            var world = try AgreementWorld(seed: seed)
            var texts: [IssuedText] = []
            for number in 0..<40 { texts.append(try world.issue(number)) }
            try await world.voidSome(texts)
            for text in texts {
                // In any order, back and forth: what is remembered of an earlier time must not count.
                for _ in 0..<4 {
                    let now = world.instant()
                    let verdict = world.verdict(text, at: now)
                    let standing = await world.standing(text, at: now)
                    let (name, code) = expected(verdict, isIssued: text.isIssued)
                    seen.insert(verdict.code?.rawValue ?? "valid")
                    #expect(standing.name == name, "seed \(seed) \(text) at \(now): \(verdict)")
                    if case .invalid(let fault) = standing {
                        #expect(fault.code == code, "seed \(seed) \(text) at \(now): \(verdict)")
                        #expect(fault.status == verdict.status)
                    }
                }
            }
        }
        let codes: [Verdict.Code] = [
            .malformed, .unsupportedAlgorithm, .unknownVersion, .invalidClaims, .missingKid, .unknownKey, .keyExpired,
            .badSignature, .expired, .notYetValid, .issuedInFuture, .lifetime, .scopeHashRequired, .scopeHashMismatch,
            .controlChainMissing, .controlSubjectMismatch, .delegationMismatch, .delegationExpired, .revoked,
            .staleView,
        ]
        #expect(Set(codes.map(\.rawValue) + ["valid"]).subtracting(seen).isEmpty)
    }

    /// What introspection is to say where the verifier says this. The ledger knows one thing more: what it issued.
    private func expected(_ verdict: Verdict, isIssued: Bool) -> (name: String, code: String?) {
        switch verdict {
        case .valid: (isIssued ? "active" : "not_issued", nil)
        case .revoked: ("revoked", nil)
        case .cutOff: (isIssued ? "revoked" : "not_issued", nil)
        case .staleView: (isIssued ? "unknown" : "not_issued", nil)
        case .malformed, .unsupportedAlgorithm, .unknownVersion, .invalidClaims, .missingKid, .unknownKey, .keyExpired,
            .badSignature, .expired, .notYetValid, .issuedInFuture, .lifetime, .scopeHash, .audience, .scope, .agent,
            .owner, .job, .policyHash, .controlChain, .keyNotProven, .undetermined:
            ("invalid", verdict.code?.rawValue)
        }
    }
}

/// A token as text, whoever made it.
private struct IssuedText: CustomStringConvertible {
    let text: String
    /// What was done to it, for whoever reads a failure.
    let story: [String]
    let isIssued: Bool
    let live: LiveToken
    let context: TokenContext
    let provenKey: Digest?

    var description: String { story.joined(separator: ", ") + (isIssued ? "" : ", not issued") }
}

/// An issuer with its ledger and its revocations topic, which hold the same.
private struct AgreementWorld {
    private static let noon = Timestamp(seconds: 1_772_366_400)
    private static let keyEnd: Int64 = 1_800
    private static let agents = ["did:key:z6MkAgentOne", "did:key:z6MkAgentTwo"]
    private static let pins = [nil, Digest(hashing: "wpc-1"), Digest(hashing: "wpc-2")]
    private static let thumbprint = Digest(hashing: "thumbprint")

    private var random: SeededGenerator
    private let active: SeedSigner
    private let earlier: SeedSigner
    private let foreign: SeedSigner
    private let log: SeedSigner
    private let keys: AcceptedKeys
    private let ledger = LedgerDouble()
    private let view: RevocationView
    private let judge: TokenJudge
    private let clock = Lock(AgreementWorld.noon)
    private var state: RevocationState
    private let isLoaded: Bool

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        func signer(_ name: String) throws -> SeedSigner { try #require(SeedSigner(seed: Digest(hashing: name).bytes)) }
        (active, earlier) = (try signer("active"), try signer("earlier"))
        (foreign, log) = (try signer("foreign"), try signer("log"))
        let accepted = AcceptedKeys(
            signing: [active.publicKey],
            verifyOnly: [(earlier.publicKey, Self.noon.adding(seconds: Self.keyEnd).seconds)])
        keys = accepted
        let clock = clock
        view = RevocationView(
            ledger: ledger, interval: .milliseconds(5), longestLife: 3_600, clock: { clock.withLock { $0 } })
        judge = TokenJudge(
            keys: { _ in accepted }, lookup: TokenLookup(ledger: ledger), view: view, settings: TestIssuer.settings,
            clock: { clock.withLock { $0 } })
        state = RevocationState(logID: LogID("logs.harborline.example/clawgrant"), logKeys: [log.publicKey])
        isLoaded = seed % 8 != 7
    }

    /// A time at which somebody asks.
    mutating func instant() -> Timestamp {
        let offsets: [Int64] = [-61, -60, -1, 0, 1, 30, 59, 60, 599, 600, 1_800, 1_801, 3_599, 3_600, 4_000]
        return Self.noon.adding(seconds: random.pick(offsets))
    }

    func verdict(_ text: IssuedText, at now: Timestamp) -> Verdict {
        let policy = VerificationPolicy(
            audiences: nil, scope: .none, job: .none, view: isLoaded ? .lastKnown : .strict(maximumAgeSeconds: 15))
        return TokenVerifier(policy: policy).verify(
            ClawWire.BearerToken(text.text), now: now, keys: keys, state: state, context: text.context,
            provenKey: text.provenKey)
    }

    func standing(_ text: IssuedText, at now: Timestamp) async -> TokenStanding {
        clock.withLock { $0 = now }
        return await judge.standing(of: text.text)
    }

    // MARK: Tokens

    mutating func issue(_ number: Int) throws -> IssuedText {
        var story: [String] = []
        let base = Self.noon.adding(seconds: random.pick([-3_600, -600, -1, 0, 0, 0, 1, 60, 61, 120]))
        let pin = random.pick(Self.pins)
        let claims = CSTClaims.jobToken(
            sub: AgentDID(random.pick(Self.agents)), aud: ["clawproxy.com"], scope: ["proxy:call"], iat: base,
            exp: base.adding(seconds: 600), ownerRef: nil, policyHash: pin,
            missionID: JobID("job-\(random.below(3))"), jti: TokenID("jti-\(number)"), nonce: "n-\(number)",
            extended: random.below(4) == 0 ? extended(&story) : nil)
        var payload = try Self.payload(of: try CST.mint(claims, signer: active).token.exposed)
        times(&payload, base, &story)
        chain(&payload, claims.subject, &story)
        let signer = random.pick([active, active, active, active, active, earlier, earlier, foreign])
        var header: JSONObject = ["alg": "EdDSA", "typ": "JWT", "kid": .string(signer.publicKey.kid.rawValue)]
        spoil(&header, &payload, &story)
        if random.below(12) != 0 {
            // The hash of what it now claims.
            let parsed = try? CST.parse(Self.text(header, payload, by: signer))
            if let parsed {
                payload["token_scope_hash_b64u"] = .string(ScopeHash.compute(parsed.unverifiedClaims).b64u)
            }
        } else {
            story.append("no or another scope hash")
            payload["token_scope_hash_b64u"] = random.flip() ? nil : .string(Digest(hashing: "other").b64u)
        }
        story.append(signer.publicKey.kid == active.publicKey.kid ? "active key" : "another key")
        let text = damaged(try Self.text(header, payload, by: signer), &story)
        return enter(text, number, claims, payload, pin, signer.publicKey.kid, story)
    }

    private mutating func extended(_ story: inout [String]) -> ExtendedClaims {
        let notBefore = random.flip() ? Self.noon.seconds + random.pick([0, 60, 61, 700]) : nil
        story.append("extended, nbf \(String(describing: notBefore))")
        return ExtendedClaims(
            issuer: "https://issuer.harborline.example", notBefore: notBefore,
            confirmation: random.flip() ? .thumbprint(HashText(Self.thumbprint)) : nil)
    }

    private mutating func times(_ payload: inout JSONObject, _ issued: Timestamp, _ story: inout [String]) {
        let life = random.pick([600, 600, 600, 3_600, 3_600, 3_601, 7_200, 1, 0, -5] as [Int64])
        story.append("iat \(issued.seconds - Self.noon.seconds), life \(life)")
        payload["exp"] = .integer(issued.seconds + life)
    }

    private mutating func chain(_ payload: inout JSONObject, _ agent: String, _ story: inout [String]) {
        let owner: JSONValue = "did:key:z6MkOwner"
        func canonical() {
            payload["token_lane"] = "canonical"
            payload["owner_did"] = owner
            payload["controller_did"] = "did:key:z6MkController"
            payload["agent_did"] = .string(agent)
        }
        func delegated() {
            payload["delegation_id"] = "dlg-1"
            payload["delegator_did"] = owner
            payload["delegate_did"] = .string(agent)
        }
        let form = random.below(16)
        story.append("chain \(form)")
        switch form {
        case 0: canonical()
        case 1:
            canonical()
            payload["controller_did"] = nil
        case 2:
            canonical()
            payload["agent_did"] = "did:key:z6MkSomebodyElse"
        case 3: payload["agent_did"] = "did:key:z6MkSomebodyElse"
        case 4: delegated()
        case 5, 6:
            canonical()
            delegated()
            payload["delegation_expires_at"] = .integer(Self.noon.seconds + random.pick([-10, 30, 600]))
        case 7:
            canonical()
            delegated()
            payload[random.flip() ? "delegate_did" : "delegator_did"] = "did:key:z6MkSomebodyElse"
        case 8: payload["scope"] = ["proxy:call", "control:token:revoke"]
        case 9: payload["token_lane"] = nil
        default: break
        }
    }

    private mutating func spoil(_ header: inout JSONObject, _ payload: inout JSONObject, _ story: inout [String]) {
        let way = random.below(40)
        if way < 10 { story.append("spoilt \(way)") }
        switch way {
        case 0: header["kid"] = nil
        case 1: header["kid"] = "0123456789abcdef"
        case 2: header["alg"] = "none"
        case 3: header["crit"] = ["exp"]
        case 4: header["typ"] = "statuslist+jwt"
        case 5: payload["token_version"] = "2"
        case 6: payload["job_id"] = "job-9"
        case 7: payload["sub"] = nil
        case 8: payload["exp"] = "soon"
        case 9: payload["iat"] = 1.5
        default: break
        }
    }

    private mutating func damaged(_ text: String, _ story: inout [String]) -> String {
        guard random.below(15) == 0 else { return text }
        story.append("damaged")
        var bytes = Array(text.utf8)
        switch random.below(3) {
        case 0: bytes[random.below(bytes.count)] ^= 1
        case 1: bytes.removeLast(random.below(bytes.count))
        default: bytes += Array(".x".utf8)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What ledger and grant say of it.
    private mutating func enter(
        _ text: String, _ number: Int, _ claims: CSTClaims, _ payload: JSONObject, _ pin: Digest?, _ kid: KeyID,
        _ story: [String]
    ) -> IssuedText {
        let context = TokenContext(
            jobClass: JobClass("class-\(random.below(2))"), requestID: RequestID("req-\(number)"),
            approvalIDs: [ApprovalID("apr-\(random.below(3))")], subjects: [PersonID("person-\(random.below(3))")],
            entitlements: [.init(kind: "entra_role", id: "role-\(random.below(2))")],
            policyIDs: pin.map { ["policy-\($0.b64u.prefix(4))"] } ?? [],
            sources: [SourceName("source-\(random.below(2))")])
        var scopes = (context.subjects ?? []).map { "subject:\($0.rawValue)" }
        scopes += (context.entitlements ?? []).map { "entitlement:\($0.kind):\($0.id)" }
        scopes += (context.policyIDs ?? []).map { "policy_id:\($0)" }
        scopes += (context.sources ?? []).map { "source:\($0.rawValue)" }
        if let pin { scopes.append("policy_hash:\(pin.b64u)") }
        let issuedAt = payload["iat"]?.integer ?? claims.issuedAt
        let live = LiveToken(
            tokenHash: Digest(hashing: text), requestID: RequestID("req-\(number)"),
            jobID: JobID(claims.missionID ?? ""), jobClass: context.jobClass ?? JobClass(""),
            agentDID: AgentDID(claims.subject), approvals: context.approvalIDs ?? [],
            tokenID: TokenID("jti-\(number)"), kid: kid, issuedAt: Timestamp(seconds: issuedAt),
            expiresAt: Timestamp(seconds: payload["exp"]?.integer ?? 0), controlScopes: scopes, isElevated: false)
        let isIssued = random.below(10) != 0
        if isIssued { ledger.content.withLock { $0.tokens[live.tokenHash] = live } }
        return IssuedText(
            text: text, story: story, isIssued: isIssued, live: live, context: context,
            provenKey: claims.extended?.confirmation == nil ? nil : Self.thumbprint)
    }

    private static func text(_ header: JSONObject, _ payload: JSONObject, by signer: SeedSigner) throws -> String {
        let input =
            Base64URL.encode(JSONWriter.bytes(.object(header), order: .asGiven)) + "."
            + Base64URL.encode(JSONWriter.bytes(.object(payload), order: .asGiven))
        return input + "." + Base64URL.encode(try signer.sign(Array(input.utf8)).bytes)
    }

    private static func payload(of token: String) throws -> JSONObject {
        let bytes = try #require(Base64URL.decode(token.split(separator: ".")[1]))
        return try #require(try JSONReader.parse(bytes).object)
    }

    // MARK: What voids them

    /// Revokes some tokens by name and cuts some scopes off, in the ledger and on the topic alike.
    mutating func voidSome(_ texts: [IssuedText]) async throws {
        guard isLoaded else { return }
        var records: [RevocationTopicRecord] = []
        for text in texts where random.below(20) == 0 {
            ledger.content.withLock { $0.revoked[text.live.tokenHash] = Self.noon }
            records.append(Self.revocation(of: text.live.tokenHash, SequenceNumber(Int64(records.count))))
        }
        let tokens = Int64(records.count)
        var scopes: Set<CutoffScope> = []
        for _ in 0..<random.below(5) {
            let scope = self.scope(of: random.pick(texts))
            if scopes.insert(scope).inserted {
                records.append(cutOff(scope, Int64(scopes.count), SequenceNumber(Int64(records.count))))
            }
        }
        for record in records { #expect(state.apply(record) == .applied) }
        let head = RevocationHead(
            logID: state.logID, asOf: Self.noon, nextSequence: SequenceNumber(Int64(records.count)),
            controlPosition: Int64(scopes.count) + 1, sweptPosition: 0,
            live: RevocationHead.Live(tokens: tokens, cutoffs: Int64(scopes.count)))
        state.apply(
            RevocationTopicRecord(
                key: SignedRevocationHead.recordKey, value: try head.signed(by: log).canonicalBytes, sequence: nil))
        #expect(state.isComplete)
        try await view.look()
    }

    private static func revocation(of hash: Digest, _ sequence: SequenceNumber) -> RevocationTopicRecord {
        let value: JSONValue = [
            "cause": .string(RevocationCause.requested.rawValue),
            "receipt_digest_b64u": .string(Digest(hashing: "receipt").b64u),
            "receipt_id": .string(Digest(hashing: "id").b64u), "revocation_version": "1",
            "revoked_at": .integer(noon.seconds), "revoked_at_iso": .string(noon.iso8601),
            "revoked_by": "did:web:issuer.harborline.example", "token_hash": .string(hash.hex),
        ]
        return RevocationTopicRecord(
            key: RevocationKey.token(hash).bytes, value: JSONWriter.bytes(value, order: .canonical), sequence: sequence)
    }

    private mutating func cutOff(
        _ scope: CutoffScope, _ position: Int64, _ sequence: SequenceNumber
    ) -> RevocationTopicRecord {
        let before = Self.noon.adding(seconds: random.pick([-600, 0, 1, 4_000]))
        let since = scope.kind == .issuerKey && random.flip() ? Self.noon.adding(seconds: -300) : nil
        ledger.content.withLock { content in
            content.controlPosition = position
            content.runs.append(
                RevocationRun(
                    position: position, ordinal: 0, handle: "stop-\(position)", scopeKind: scope.kind.rawValue,
                    scopeValue: scope.value, part: since.map { .issuedSince($0) } ?? .all, cause: "stopped",
                    detail: "stop", issuedBefore: before, startedAt: Self.noon))
        }
        let record = CutoffRecord(
            scope: scope, notIssuedBefore: before, issuedSince: since, eventID: "stop-\(position)",
            controlPosition: position, cause: .stopped, revokedBy: "soc-1", revokedAt: Self.noon,
            receiptID: ReceiptID(Digest(hashing: "id \(position)").b64u),
            receiptDigest: Digest(hashing: "receipt \(position)"))
        return RevocationTopicRecord(key: record.recordKey, value: record.canonicalBytes, sequence: sequence)
    }

    /// A scope that covers a token.
    private mutating func scope(of text: IssuedText) -> CutoffScope {
        let kind = random.pick(CutoffScope.Kind.allCases)
        let value: String? =
            switch kind {
            case .all: nil
            case .issuerKey: text.live.kid.rawValue
            case .policyHash: Self.pins.compactMap { $0 }[random.below(2)].b64u
            case .agent: text.live.agentDID.rawValue
            case .job: text.live.jobID.rawValue
            case .token: text.live.tokenHash.hex
            case .jti: text.live.tokenID.rawValue
            case .jobClass: text.live.jobClass.rawValue
            case .request: text.live.requestID.rawValue
            case .approval: text.live.approvals.first?.rawValue
            case .subject: text.context.subjects?.first?.rawValue
            case .entitlement: text.context.entitlements?.first.map { "\($0.kind):\($0.id)" }
            case .policyID: text.context.policyIDs?.first ?? "policy-none"
            case .source: text.context.sources?.first?.rawValue
            }
        return CutoffScope(kind, value) ?? .all
    }
}

extension SeededGenerator {
    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
    mutating func flip() -> Bool { Bool.random(using: &self) }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}
