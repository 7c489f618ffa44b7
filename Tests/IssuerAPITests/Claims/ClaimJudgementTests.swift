import ClawWire
import GrantLedger
import IssuanceRules
import Testing

import enum Crypto.Curve25519
import enum Crypto.P256

@testable import IssuerAPI

/// What becomes of a claim, given what the ledger holds.
@Suite struct ClaimJudgementTests {
    private static let key = ProofMaker.Key.ed25519(Curve25519.Signing.PrivateKey())
    private static let now = ProofMaker.now

    private static func proof(_ key: ProofMaker.Key = Self.key, sealedTo: [UInt8]? = nil) throws -> DPoPProof {
        var maker = ProofMaker(key)
        if let sealedTo {
            maker.claims["seal_to"] = [
                "kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode(sealedTo)),
            ]
        }
        return try DPoPProof([maker.text], expecting: ProofMaker.expectation())
    }

    /// What the ledger holds of a grant that may be claimed.
    private struct Held {
        var issuedAt = ClaimJudgementTests.now.adding(seconds: -10)
        var expiresAt = ClaimJudgementTests.now.adding(seconds: 590)
        var isIssued = true
        var claim: GrantMaterial.Claim? = GrantMaterial.Claim(
            key: ProofMaker.thumbprint(ClaimJudgementTests.key), address: nil)
        var revocation: TokenRevocation?
        var isSealed = true
        var isVoided = false
        var earlier: StoredClaim?
        var isReplay = false

        var snapshot: ClaimSnapshot {
            let token = IssuedToken(
                tokenHash: Digest(hashing: "token"), tokenID: TokenID("jti"), scopeHash: Digest(hashing: "scope"),
                kid: KeyID("kid"), issuedAt: issuedAt, expiresAt: expiresAt, scope: ["proxy:call"],
                control: IssuedToken.ControlReach(scopes: ["subject:avery"], isElevated: false, policyHash: nil))
            let request = StoredRequest(
                requestID: RequestID("req-1"), state: isIssued ? .issued : .waiting, jobID: JobID("job-1"),
                jobClass: JobClass("deploy"), agentDID: AgentDID("did:web:agents.harborline.example"), body: nil,
                receivedAt: issuedAt, waitUntil: nil, decidedAt: issuedAt, approvals: [ApprovalID("apr-1")],
                token: isIssued ? token : nil, revocation: revocation, approvalReference: nil, ticketReference: nil,
                subjectReference: nil)
            return ClaimSnapshot(
                control: DecideSnapshot(
                    now: ClaimJudgementTests.now, controlPosition: 3, newControlOrders: [],
                    controlPolledAt: ClaimJudgementTests.now, newEvents: [], conflictingEvents: [], approvals: [:],
                    requests: [:]),
                request: request,
                material: isIssued
                    ? GrantMaterial(
                        claims: [], kid: KeyID("kid"), tokenHash: token.tokenHash, recipientKey: nil, isPlain: false,
                        claim: claim) : nil,
                isSealed: isSealed, isVoided: isVoided, earlier: earlier, isReplay: isReplay)
        }
    }

    private func refusal(
        _ held: Held, proof: DPoPProof? = nil, control: ControlState = .none
    ) throws -> ClaimJudgement.Refusal? {
        let judgement = ClaimJudgement(proof: try proof ?? Self.proof(), retryWindow: .seconds(60))
        do throws(ClaimJudgement.Refused) {
            _ = try judgement.judge(held.snapshot, under: control)
            return nil
        } catch {
            return error.refusal
        }
    }

    @Test func theBoundKeyGetsIt() throws {
        let grant = try ClaimJudgement(proof: try Self.proof(), retryWindow: .seconds(60))
            .judge(Held().snapshot, under: .none)
        #expect(grant.isFirst && grant.claim.at == Self.now && grant.claim.sealedTo == nil)
        #expect(grant.claim.key == ProofMaker.thumbprint(Self.key))
    }

    @Test func nobodyElseLearnsAnything() throws {
        let stranger = try Self.proof(.p256(P256.Signing.PrivateKey()))
        var worst = Held()
        worst.isReplay = true
        worst.isSealed = false
        worst.revocation = TokenRevocation(at: Self.now, reason: "operator")
        worst.earlier = StoredClaim(key: Digest(hashing: "x"), sealedTo: nil, at: Self.now)
        for held in [Held(), worst] { #expect(try refusal(held, proof: stranger) == .notYours) }
        var unbound = Held()
        unbound.claim = nil
        var waiting = Held()
        waiting.isIssued = false
        for held in [unbound, waiting] { #expect(try refusal(held) == .notYours) }
    }

    @Test func everyStateHasItsRefusal() throws {
        var held = Held()
        held.isReplay = true
        #expect(try refusal(held) == .replayed)
        held = Held()
        held.isSealed = false
        #expect(try refusal(held) == .notSealed)
        held = Held()
        held.expiresAt = Self.now
        #expect(try refusal(held) == .expired)
        held = Held()
        held.revocation = TokenRevocation(at: Self.now, reason: "operator")
        #expect(try refusal(held) == .revoked)
        held = Held()
        held.isVoided = true
        #expect(try refusal(held) == .revoked)
    }

    @Test func theSameAnswerIsGivenAgainForAWhile() throws {
        let mine = ProofMaker.thumbprint(Self.key)
        var held = Held()
        held.earlier = StoredClaim(key: mine, sealedTo: nil, at: Self.now.adding(seconds: -60))
        let again = try ClaimJudgement(proof: try Self.proof(), retryWindow: .seconds(60))
            .judge(held.snapshot, under: .none)
        #expect(!again.isFirst && again.claim == held.earlier)
        held.earlier = StoredClaim(key: mine, sealedTo: nil, at: Self.now.adding(seconds: -61))
        #expect(try refusal(held) == .claimed)
    }

    @Test func anotherAnswerIsNotGiven() throws {
        let sealing = Array(Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation)
        let mine = ProofMaker.thumbprint(Self.key)
        var held = Held()
        held.earlier = StoredClaim(key: mine, sealedTo: nil, at: Self.now)
        #expect(try refusal(held, proof: try Self.proof(sealedTo: sealing)) == .claimed)
        held.earlier = StoredClaim(key: mine, sealedTo: Digest(b64u: SealedToken.thumbprint(sealing)), at: Self.now)
        #expect(try refusal(held) == .claimed)
        #expect(try refusal(held, proof: try Self.proof(sealedTo: sealing)) == nil)
    }

    @Test func aRevocationBeatsTheRetry() throws {
        var held = Held()
        held.earlier = StoredClaim(key: ProofMaker.thumbprint(Self.key), sealedTo: nil, at: Self.now)
        held.revocation = TokenRevocation(at: Self.now, reason: "operator")
        #expect(try refusal(held) == .revoked)
    }
}
