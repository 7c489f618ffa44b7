import AsyncHTTPClient
import ClawWire
import DevStack
import GrantWorker
import IssuanceRules
import Playground
import Postgres
import SecureFront
import Testing

/// Stops from the console, over TLS with certificates of clients.
@Suite(
    "Stops from the console", .serialized, .enabled(if: BrokerTools.find().has(.noida), "no broker"),
    .timeLimit(.minutes(8)))
struct ConsoleStopTests {
    private static let order: JSONObject = [
        "kind": "job_class", "value": "ledger_reconcile", "action": "revoke_and_deny", "reason": "Unexpected writes",
        "incident": "INC-77",
    ]

    private static func order(_ changes: [String: JSONValue?]) -> JSONValue {
        var order = Self.order
        for (key, value) in changes { order[key] = value }
        return .object(order)
    }

    @Test func takesACertificateTheTypedScopeAndAReason() async throws {
        try await PlayedConsole.with(isSecure: true) { settings, certificates in
            guard let certificates else { return }
            settings.stoppers = [
                try PlayedConsole.thumbprint(certificates.client.certificate): PlaygroundCast.paloma.id
            ]
        } _: { console in
            let certificates = try #require(console.certificates)
            let client = try TestClient.make(
                trusting: certificates.authority, certificate: certificates.client, http1Only: true)
            try await TestClient.with(client) { client in
                try await withoutACertificate(console, certificates)
                let (fields, session) = try await console.signIn(client, token: nil)
                #expect(session["name"] == "soc" && session["may_stop"] == true)
                let token = ("x-console-token", try #require(session["token"]?.string))
                try await refusals(console, client, fields, token)
                try await stops(console, client, fields + [token])
            }
        }
    }

    /// A bearer's session, even over a connection with the certificate, and a certificate's cookie without it.
    private func withoutACertificate(_ console: PlayedConsole, _ certificates: TestCertificates) async throws {
        let bare = try TestClient.make(trusting: certificates.authority, http1Only: true)
        try await TestClient.with(bare) { client in
            let (fields, session) = try await console.signIn(client, token: PlayedConsole.reader)
            #expect(session["may_stop"] == false)
            #expect(session["why_no_stop"]?.string?.contains("takes a client certificate") == true)
            let answer = try await console.ask(
                client, "/console/api/v1/stop/prepare", "POST",
                fields: fields + [("x-console-token", session["token"]?.string ?? "")], body: Self.order([:]))
            #expect(answer.status == 401)
            let withBearer = try await console.ask(
                client, "/console/api/v1/stop/prepare", "POST",
                fields: fields + [
                    ("authorization", "Bearer \(PlayedConsole.reader)"),
                    ("x-console-token", session["token"]?.string ?? ""),
                ], body: Self.order([:]))
            #expect(withBearer.status == 403)
        }
        let shown = try TestClient.make(
            trusting: certificates.authority, certificate: certificates.client, http1Only: true)
        let certified = try await TestClient.with(shown) { client in
            let (fields, session) = try await console.signIn(client, token: PlayedConsole.reader)
            #expect(session["has_certificate"] == true)
            return fields
        }
        let stolen = try TestClient.make(trusting: certificates.authority, http1Only: true)
        try await TestClient.with(stolen) { client in
            let answer = try await console.ask(client, "/console/api/v1/overview", fields: certified)
            #expect(answer.status == 401)
        }
    }

    private func refusals(
        _ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)], _ token: (String, String)
    ) async throws {
        func code(
            _ path: String, _ body: JSONValue, fields: [(String, String)]
        ) async throws -> String? {
            let answer = try await console.ask(
                client, "/console/api/v1/\(path)", "POST", fields: fields, body: body)
            #expect((400..<500).contains(answer.status))
            #expect(answer.json["error"]?["message"]?.string?.isEmpty == false)
            return answer.json["error"]?["code"]?.string
        }
        let own = fields + [token]
        #expect(try await code("stop/prepare", Self.order([:]), fields: fields) == "foreign_request")
        let foreign = own.filter { $0.0 != "sec-fetch-site" } + [("sec-fetch-site", "cross-site")]
        #expect(try await code("stop/prepare", Self.order([:]), fields: foreign) == "foreign_request")
        let unsigned = [("sec-fetch-site", "same-origin"), token]
        #expect(try await code("stop/prepare", Self.order([:]), fields: unsigned) == "not_signed_in")
        for changes: [String: JSONValue?] in [
            ["kind": "token_hash", "value": .string(String(repeating: "a", count: 64))], ["kind": "everything"],
            ["kind": "all"], ["value": nil], ["value": ""], ["kind": "policy_hash", "value": "short"],
            ["action": "revoke"], ["value": "two\nlines"],
        ] {
            #expect(try await code("stop/prepare", Self.order(changes), fields: own) == "argument", "\(changes)")
        }
        let challenge = try await prepare(console, client, own)["challenge"] ?? .null
        let complete: [String: JSONValue?] = ["challenge": challenge, "typed": "ledger_reconcile"]
        for (changes, expected) in [
            (["typed": "ledger_reconcil"], "typed_differs"), (["typed": "Ledger_reconcile"], "typed_differs"),
            (["typed": nil], "typed_differs"), (["challenge": nil], "challenge_over"),
            (["value": "prod_deploy", "typed": "prod_deploy"], "challenge_over"),
            (["action": "deny_new"], "challenge_over"), (["reason": " "], "argument"), (["reason": nil], "argument"),
            (["incident": nil], "argument"), (["incident": ""], "argument"),
        ] as [([String: JSONValue?], String)] {
            let order = Self.order(complete.merging(changes) { $1 })
            #expect(try await code("stop", order, fields: own) == expected, "\(changes)")
        }
        let standing = try await console.ask(client, "/console/api/v1/overview", fields: fields)
        #expect(standing.json["stops"]?.array?.count == 1)
    }

    private func prepare(
        _ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]
    ) async throws -> JSONValue {
        let answer = try await console.ask(
            client, "/console/api/v1/stop/prepare", "POST", fields: fields, body: Self.order([:]))
        #expect(answer.status == 200)
        return answer.json
    }

    private func stops(_ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]) async throws {
        let plan = try await prepare(console, client, fields)
        #expect(plan["type"] == "ledger_reconcile" && plan["live_tokens"] == 3 && plan["warning"] == .null)
        let order = Self.order(["challenge": plan["challenge"], "typed": "ledger_reconcile"])
        let answer = try await console.ask(client, "/console/api/v1/stop", "POST", fields: fields, body: order)
        #expect(answer.status == 200 && answer.json["result"] == "STOPPED")
        let position = try #require(answer.json["control_position"]?.integer)
        #expect(answer.json["voided_tokens"] == 3 && answer.json["grants_before"] == 5)
        // The same request sent twice is one stop.
        let again = try await console.ask(client, "/console/api/v1/stop", "POST", fields: fields, body: order)
        #expect(again.json["result"] == "HOLDS ALREADY" && again.json["control_position"]?.integer == position)
        // It holds: what is approved from now on is refused.
        let late = ApprovalDraft("late", .reconcile, in: console.playground)
        try await console.playground.produce([try late.record(signedBy: console.playground.keys.eventSigner)])
        try await console.playground.waitForStatus("the late request to be denied", within: .seconds(60)) {
            $0.denied == 3 && $0.unsealedGroups == 0
        }
        let refused = try await console.ask(client, "/console/api/v1/request?id=req-late", fields: fields)
        #expect(refused.json["reasons"]?.array?.first?["code"] == "CAPABILITY_STOPPED")
        let events = try await console.playground.query(
            "SELECT convert_from(body, 'UTF8') FROM clawgrant.control_event WHERE position = \(position)")
        let event = try JSONReader.parse(Array(try events.string(0, 0).utf8))
        let text = JSONWriter.text(event)
        for expected in [PlaygroundCast.paloma.id.rawValue, "Unexpected writes", "INC-77", "/clawgrant/console"] {
            #expect(text.contains(expected), "\(expected)")
        }
        // A second of the list is not waited for: the answer of the stop is in the next standing.
        try await waitUntil(deadline: .seconds(30), description: "the stop in the standing") {
            let standing = try await console.ask(client, "/console/api/v1/overview", fields: fields).json
            return standing["stops"]?.array?.contains { $0["incident"] == "INC-77" } ?? false
        }
    }
}
