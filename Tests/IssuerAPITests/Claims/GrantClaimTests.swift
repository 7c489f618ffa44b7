import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules
import Playground
import ReceiptLog
import Testing

import enum Crypto.Curve25519
import enum Crypto.P256

@testable import IssuerAPI

/// Claims over HTTP from a worker that issues, with a ledger, a broker and control events.
@Suite(.serialized) struct GrantClaimTests {
    private static let key = ProofMaker.Key.ed25519(Curve25519.Signing.PrivateKey())

    /// No answer, log or row holds a token but the answers that give one out.
    private func tokenless(_ answers: [SurfaceStage.Answer]) {
        for answer in answers where answer.status != 200 {
            #expect(!answer.text.contains("eyJ"), "\(answer.status)")
        }
    }

    @Test func aJobClaimsItsTokenOnceAndTheLogShowsIt() async throws {
        try await SurfaceStage.run { stage in
            let p256 = ProofMaker.Key.p256(P256.Signing.PrivateKey())
            let first = try await stage.grant("first", to: Self.key)
            let second = try await stage.grant("second", to: p256)
            try await stage.untilDecided(2)

            // Nobody else may, and a stranger's attempts leave nothing behind.
            let strange = try await stage.claim(second, Self.key)
            #expect(strange.status == 400 && strange.json["error"]?.string == "invalid_grant")
            #expect(try await stage.claim(RequestID("req-none"), Self.key).json["error"]?.string == "invalid_grant")
            #expect(try await stage.number("SELECT count(*) FROM clawgrant.used_proof") == 0)

            let claimed = try await stage.claim(first, Self.key)
            #expect(claimed.status == 200 && claimed.field("cache-control") == "no-store")
            let compact = try #require(claimed.json["access_token"]?.string)
            let token = try CST.verify(
                try CST.parse(compact),
                keys: AcceptedKeys(signing: [stage.playground.keys.token]), now: .playgroundNow,
                rules: .strict(audiences: nil))
            #expect(token.claims.missionID == "job-first")
            #expect(claimed.json["token_hash"]?.string == token.hash.hex)

            // The answer that was lost is given again, byte for byte, and to a P-256 key as well.
            let again = try await stage.claim(first, Self.key, nonce: claimed.field("dpop-nonce"))
            #expect(again.status == 200 && again.body == claimed.body)
            #expect(try await stage.claim(second, p256).status == 200)

            // One receipt for each claim, in the log, without a token.
            try await stage.untilDecided(2)
            let claims = try await stage.number(
                """
                SELECT sum((convert_from(header, 'UTF8')::json->'counts'->>'grant.claimed')::int)
                FROM clawgrant.receipt_batch
                """)
            #expect(claims == 2)
            let holding = try await stage.number(
                "SELECT count(*) FROM clawgrant.effect_group WHERE position(convert_to('\(compact)', 'UTF8') IN body) > 0"
            )
            #expect(holding == 0)
            tokenless([strange])
        }
    }

    @Test func theGrantOnTheTopicNamesKeyAndAddress() async throws {
        try await SurfaceStage.run { stage in
            let request = try await stage.grant("named", to: Self.key)
            try await stage.untilDecided(1)
            let ledger = try await stage.ledger()
            let history = try #require(try await ledger.ledger.history(of: request))
            let material = try #require(history.effect?.outputs.compactMap(\.grant).first)
            #expect(material.claim?.key == ProofMaker.thumbprint(Self.key))
            #expect(material.claim?.address == stage.base + "/v1/grants/req-named/claim")
            await ledger.close()
        }
    }

    @Test func aProofIsTakenOnceAndWithANonceAlone() async throws {
        try await SurfaceStage.run { stage in
            let request = try await stage.grant("proofs", to: Self.key)
            try await stage.untilDecided(1)
            let path = ClaimAddress.path(of: request)
            let bare = try await stage.send("POST", path)
            #expect(bare.status == 400 && bare.json["error"]?.string == "invalid_dpop_proof")
            let asked = try await stage.send("POST", path, fields: [("DPoP", stage.proof(path, Self.key, nil).text)])
            #expect(asked.status == 400 && asked.json["error"]?.string == "use_dpop_nonce")
            let nonce = try #require(asked.field("dpop-nonce"))
            let proof = stage.proof(path, Self.key, nonce).text
            #expect(try await stage.send("POST", path, fields: [("DPoP", proof)]).status == 200)
            let replay = try await stage.send("POST", path, fields: [("DPoP", proof)])
            #expect(replay.status == 400 && replay.json["error"]?.string == "invalid_dpop_proof")
            // Of proofs that come at the same time, one is taken.
            let race = stage.proof(path, Self.key, nonce).text
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await stage.send("POST", path, fields: [("DPoP", race)]).status }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 200 }.count == 1 && statuses.filter { $0 == 400 }.count == 7)
            // Elsewhere it is not for this address.
            let elsewhere = try await stage.claim(request, Self.key) { $0.claims["htu"] = "https://issuer.example/v1" }
            #expect(elsewhere.json["error_description"]?.string?.hasPrefix("htu is not") == true)
            tokenless([bare, asked, replay, elsewhere])
        }
    }

    @Test func anAnswerIsSealedOnRequest() async throws {
        try await SurfaceStage.run { stage in
            let request = try await stage.grant("sealed", to: Self.key)
            try await stage.untilDecided(1)
            let recipient = stage.playground.keys.job
            let sealed = try await stage.claim(request, Self.key, sealedTo: recipient.publicKey)
            #expect(sealed.status == 200 && sealed.json["access_token"] == nil)
            let opened = try SealedToken.open(
                try #require(sealed.json["sealed_token"]?.string), privateKey: recipient)
            #expect(opened.token.hash.hex == sealed.json["token_hash"]?.string)
            #expect(opened.context == Array(request.rawValue.utf8))
            let again = try await stage.claim(request, Self.key, sealedTo: recipient.publicKey)
            #expect(again.body == sealed.body)
            let plain = try await stage.claim(request, Self.key)
            #expect(plain.status == 409 && plain.json["error"]?.string == "already_claimed")
            let weak = try await stage.claim(
                try await stage.grant("weak", to: Self.key), Self.key, sealedTo: [UInt8](repeating: 0, count: 32))
            #expect(weak.status == 400)
        }
    }

    @Test func aStopEndsClaimsAndALiftRevivesNone() async throws {
        try await SurfaceStage.run { stage in
            let stopped = try await stage.grant("stopped", to: Self.key)
            let claimed = try await stage.grant("claimed", to: Self.key)
            try await stage.untilDecided(2)
            #expect(try await stage.claim(claimed, Self.key).status == 200)
            try await stage.playground.declare(
                .stop(
                    .init(
                        stopID: "stop-1", scope: StopScope(kind: .jobClass, value: PlaygroundClass.reconcile.rawValue),
                        revokesLive: false)), id: "stop-1", by: [PlaygroundCast.ruth])
            try await stage.untilHolds(
                "the stop", "SELECT control_position >= 1 FROM clawgrant.control_state")
            let refused = try await stage.claim(stopped, Self.key)
            #expect(refused.status == 403 && refused.json["error"]?.string == "stopped")
            // An answer that was given is not given again while the stop holds.
            #expect(try await stage.claim(claimed, Self.key).json["error"]?.string == "stopped")
            try await stage.playground.declare(
                .stop(.init(stopID: "stop-2", scope: .everything, revokesLive: true)), id: "stop-2",
                by: [PlaygroundCast.ruth])
            try await stage.untilHolds(
                "the second stop", "SELECT control_position >= 2 FROM clawgrant.control_state")
            // Void from the acknowledgement on, before the token is revoked by its name.
            #expect(try await stage.claim(stopped, Self.key).json["error"]?.string == "token_revoked")
            tokenless([refused])
        }
    }

    @Test func aHaltedWorkerGivesNothingOut() async throws {
        try await SurfaceStage.run { stage in
            let request = try await stage.grant("halted", to: Self.key)
            try await stage.untilDecided(1)
            stage.halt()
            let refused = try await stage.claim(request, Self.key)
            #expect(refused.status == 503 && refused.field("retry-after") == "1")
            #expect(try await stage.number("SELECT count(*) FROM clawgrant.grant_claim") == 0)
            let ready = try await stage.get("/ready")
            #expect(ready.status == 503 && ready.json["reasons"]?.array?.contains("halted") == true)
        }
    }

    @Test func theAnswerIsGivenAgainForItsWindowAlone() async throws {
        try await SurfaceStage.run {
            $0.claims?.retryWindow = .seconds(0)
        } _: { stage in
            let request = try await stage.grant("once", to: Self.key)
            try await stage.untilDecided(1)
            #expect(try await stage.claim(request, Self.key).status == 200)
            let late = try await stage.claim(request, Self.key)
            #expect(late.status == 409 && late.json["error"]?.string == "already_claimed")
        }
    }
}

extension SurfaceStage {
    /// The ledger, on a pool of its own.
    func ledger() async throws -> OpenLedger { try OpenLedger(playground.conninfo) }
}
