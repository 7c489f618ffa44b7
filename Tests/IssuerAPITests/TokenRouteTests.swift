import AsyncHTTPClient
import ClawWire
import DevStack
import GrantVerifier
import GrantWorker
import HTTPService
import SecureFront
import TestSupport
import Testing

@testable import IssuerAPI

/// Introspection in both shapes, over real HTTP.
@Suite struct TokenRouteTests {
    private func serving(
        _ issuer: TestIssuer, isOpen: Bool = false, looksFirst: Bool = true,
        _ body: (RunningSurface, HTTPClient) async throws -> Void
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-tokens")
        defer { home.close() }
        var settings = HTTPSettings.test
        settings.introspection.isOpen = isOpen
        settings.callers = [try TestCaller.make("gateway", [.introspect], in: home)]
        settings.callers[0].rate = 100_000
        if looksFirst { try await issuer.view.look() }
        let routes = IntrospectionRoutes(judge: issuer.judge, settings: settings).routes
        let surface = try await RunningSurface.start(
            settings, routes,
            beside: {
                if looksFirst { try await issuer.view.run() }
            })
        try await TestClient.with(try TestClient.make(trusting: nil)) { try await body(surface, $0) }
        try await surface.stop()
    }

    @Test func theStandardSaysWhatATokenIsOrOneWord() async throws {
        let issuer = try TestIssuer()
        let (good, stopped) = (try issuer.mint("a"), try issuer.mint("b"))
        let forged = try issuer.mint("c", isIssued: false)
        let expired = try issuer.mint("d", lifetime: 10, issuedAt: Timestamp.testNow.adding(seconds: -60))
        issuer.void("request", "req-b")
        try await serving(issuer) { surface, client in
            let url = surface.url("/introspect")
            let active = try await Exchange.form(
                client, url, "token=\(good.token.exposed)&token_type_hint=access_token&unknown=1")
            #expect(active.status == 200 && active.header("cache-control") == "no-store")
            #expect(active.header("content-type") == "application/json")
            let members = active.json
            #expect(members["active"] == true && members["iss"]?.string == "https://issuer.harborline.example")
            #expect(members["sub"]?.string == "did:key:z6MkAgenta" && members["aud"]?.string == "clawproxy.com")
            #expect(members["scope"]?.string == "proxy:call clawproxy:call")
            #expect(members["token_type"]?.string == "Bearer" && members["jti"]?.string == "jti-a")
            #expect(members["job_id"]?.string == "job-a" && members["job_class"]?.string == "ledger_reconcile")
            #expect(members["token_hash"]?.string == good.hash.hex)
            #expect(!active.body.contains(good.token.exposed))
            for token in [
                stopped.token.exposed, forged.token.exposed, expired.token.exposed, good.token.exposed + "A", "a.b.c",
                "nonsense", String(repeating: "a", count: 33_000),
            ] {
                let answer = try await Exchange.form(client, url, "token=\(token)")
                #expect(answer.status == 200 && answer.body == #"{"active":false}"#)
                #expect(answer.header("cache-control") == "no-store")
            }
        }
    }

    @Test func whatIsNoQuestionIsNotAnswered() async throws {
        let issuer = try TestIssuer()
        try await serving(issuer) { surface, client in
            let url = surface.url("/introspect")
            for text in ["", "token=", "tokn=a", "token=a&token=a", "token=%zz", "token=%ff"] {
                let answer = try await Exchange.form(client, url, text)
                #expect(answer.status == 400 && answer.json["error"]?.string == "invalid_request", "\(text)")
            }
            #expect(try await Exchange.json(client, url, #"{"token":"a"}"#).status == 415)
            let none = try await Exchange.run(client, "POST", url, "token=a", bearer: TestCaller.token)
            #expect(none.status == 415)
            #expect(try await Exchange.form(client, url, "token=a", bearer: nil).status == 401)
        }
    }

    @Test func nobodyIsToldActiveUnderAnOldView() async throws {
        let issuer = try TestIssuer()
        let token = try issuer.mint("a")
        try await serving(issuer, looksFirst: false) { surface, client in
            let standard = try await Exchange.form(client, surface.url("/introspect"), "token=\(token.token.exposed)")
            #expect(standard.status == 503 && standard.header("retry-after") == "1")
            #expect(standard.json["error"]?.string == "temporarily_unavailable")
            let reference = try await Exchange.json(
                client, surface.url("/v1/tokens/introspect"), #"{"token":"\#(token.token.exposed)"}"#)
            #expect(reference.status == 503)
            #expect(reference.json["error"]?.string == "TOKEN_REVOCATION_VIEW_STALE")
            // What is wrong by itself needs no view.
            let bad = try await Exchange.form(client, surface.url("/introspect"), "token=a.b.c")
            #expect(bad.body == #"{"active":false}"#)
        }
    }

    @Test func theReferencesShapeHasItsCodes() async throws {
        let issuer = try TestIssuer()
        let (good, stopped) = (try issuer.mint("a"), try issuer.mint("b"))
        let forged = try issuer.mint("c", isIssued: false)
        issuer.void("request", "req-b")
        try await serving(issuer) { surface, client in
            let url = surface.url("/v1/tokens/introspect")
            func ask(_ token: String) async throws -> Exchange {
                try await Exchange.json(client, url, #"{"token":"\#(token)"}"#)
            }
            let active = try await ask(" \(good.token.exposed) ")
            #expect(active.status == 200 && active.json["active"] == true)
            #expect(active.json["kid_source"]?.string == "header")
            #expect(
                active.json.object?.members.map(\.key).prefix(5) == ["active", "token_hash", "sub", "aud", "scope"])
            let revoked = try await ask(stopped.token.exposed)
            #expect(revoked.status == 200 && revoked.json["active"] == false && revoked.json["revoked"] == true)
            #expect(revoked.json["revoked_at_iso"]?.string?.hasSuffix(".000Z") == true)
            let unknown = try await ask(forged.token.exposed)
            #expect(unknown.status == 401 && unknown.json["error"]?.string == "TOKEN_NOT_ISSUED")
            for (body, code) in [
                ("", "INVALID_JSON"), ("{", "INVALID_JSON"), ("[]", "INVALID_REQUEST"), ("{}", "INVALID_REQUEST"),
                (#"{"token":1}"#, "INVALID_REQUEST"), (#"{"token":" "}"#, "INVALID_REQUEST"),
                (#"{"token":"a","token":"b"}"#, "INVALID_JSON"),
            ] {
                let answer = try await Exchange.json(client, url, body)
                #expect(answer.status == 400 && answer.json["error"]?.string == code, "\(body)")
            }
            #expect(try await Exchange.json(client, url, #"{"token":"a.b"}"#, bearer: nil).status == 401)
            let matrix = try await Exchange.json(
                client, surface.url("/v1/tokens/introspect/matrix"),
                #"{"token":"\#(good.token.exposed)","transition":"token.revoke"}"#)
            #expect(matrix.json["transition_result"]?["reason_code"]?.string == "TOKEN_CONTROL_CHAIN_MISSING")
            let no = try await Exchange.json(
                client, surface.url("/v1/tokens/introspect/matrix"),
                #"{"token":"\#(good.token.exposed)","transition":"nope"}"#)
            #expect(no.status == 400 && no.json["error"]?.string == "TRANSITION_UNKNOWN")
        }
    }

    @Test func theReferencesRouteMayBeOpen() async throws {
        let issuer = try TestIssuer()
        let token = try issuer.mint("a")
        try await serving(issuer, isOpen: true) { surface, client in
            let answer = try await Exchange.json(
                client, surface.url("/v1/tokens/introspect"), #"{"token":"\#(token.token.exposed)"}"#, bearer: nil)
            #expect(answer.json["active"] == true)
            #expect(try await Exchange.form(client, surface.url("/introspect"), "token=a", bearer: nil).status == 401)
        }
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("cst-introspection", "cases"))
    func theReferencesVectors(_ vector: VectorCase) async throws {
        let now = try #require(Timestamp(rfc3339: try vector.text("at")))
        var verifyOnly: [(key: Ed25519PublicKey, notAfter: Int64?)] = []
        if let name = vector["env_overrides"]?["verify_only_key"]?.string {
            verifyOnly.append(
                (try SharedVectors.signer(name).publicKey, vector["env_overrides"]?["not_after_unix"]?.integer))
        }
        let issuer = try TestIssuer(
            keys: AcceptedKeys(signing: [try SharedVectors.signer("issuer").publicKey], verifyOnly: verifyOnly),
            inspection: TokenInspection(rules: .compatible, asksControlChain: false), clock: { now })
        let text = try vector.text("token")
        let expected = try #require(vector["body"])
        if let parsed = try? CST.parse(text) {
            issuer.ledger.issue(text, parsed.unverifiedClaims, revokedAt: expected["revoked_at"]?.integer)
        }
        try await serving(issuer) { surface, client in
            let body = JSONWriter.text(["token": .string(text)])
            let answer = try await Exchange.json(client, surface.url("/v1/tokens/introspect"), body)
            #expect(Int64(answer.status) == vector["status"]?.integer)
            #expect(answer.body == JSONWriter.text(expected))
            let standard = try await Exchange.form(client, surface.url("/introspect"), "token=\(text)")
            #expect(standard.json["active"]?.bool == (expected["active"]?.bool ?? false))
            if expected["active"]?.bool != true { #expect(standard.body == #"{"active":false}"#) }
        }
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: ["matrix_active", "matrix_one", "matrix_revoked"])
    func theReferencesMatrix(_ name: String) throws {
        let expected = try #require(try SharedVectors.load("revocation")["cases"]?[name]?["body"])
        let isRevoked = name == "matrix_revoked"
        var claims = CSTClaims(
            subject: "did:key:a", audience: .one("b"), scope: ["control:token:revoke"], issuedAt: 0, expiresAt: 2)
        if !isRevoked {
            (claims.ownerDID, claims.controllerDID, claims.agentDID) = ("did:key:o", "did:key:c", "did:key:a")
            claims.lane = .canonical
        }
        let signer = try SharedVectors.signer("issuer")
        let token = try CST.verify(
            try CST.parse(try CST.mint(claims, signer: signer).token.exposed),
            keys: AcceptedKeys(signing: [signer.publicKey]), now: Timestamp(seconds: 1), rules: .compatible)
        let transition = expected["transition"]?.string.flatMap { TransitionMatrix.Transition(rawValue: $0) }
        var answer = try #require(TransitionMatrix.answer(token, isRevoked: isRevoked, transition).object)
        // The vector's token is another one with the same claims that count.
        answer["token_hash"] = expected["token_hash"]
        #expect(JSONWriter.text(.object(answer)) == JSONWriter.text(expected))
    }
}
