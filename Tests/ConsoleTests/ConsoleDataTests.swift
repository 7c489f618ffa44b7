import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantWorker
import HTTPService
import IssuanceRules
import Playground
import Postgres
import SecureFront
import Testing

/// The console over HTTP, on a real database with a played run.
@Suite(
    "The console's data", .serialized, .enabled(if: BrokerTools.find().has(.noida), "no broker"),
    .timeLimit(.minutes(8)))
struct ConsoleDataTests {
    private static func client(_ console: PlayedConsole, certificate: (String, String)? = nil) throws -> HTTPClient {
        try TestClient.make(
            trusting: console.certificates?.authority,
            certificate: certificate.map { (certificate: $0.0, key: $0.1) }, http1Only: true)
    }

    @Test func tellsWhatWasDecidedAndNothingToStrangers() async throws {
        try await PlayedConsole.with { console in
            try await TestClient.with(try Self.client(console)) { client in
                try await strangersSeeNothing(console, client)
                let (fields, session) = try await console.signIn(client, token: PlayedConsole.reader)
                #expect(session["name"] == "oncall" && session["may_stop"] == false)
                #expect(session["why_no_stop"]?.string?.contains("clawgrant stop") == true)
                try await decisions(console, client, fields)
                try await requests(console, client, fields)
                try await standing(console, client, fields)
                try await sinks(console, client, fields)
                try await unreadableArguments(console, client, fields)
                try await stopIsOff(console, client, fields, session)
                let out = try await console.ask(client, "/console/logout", "POST", fields: fields)
                #expect(out.status == 200 && out.fields["set-cookie"]?.contains("Max-Age=0") == true)
                #expect(try await console.ask(client, "/console/api/v1/overview", fields: fields).status == 401)
            }
        }
    }

    private func strangersSeeNothing(_ console: PlayedConsole, _ client: HTTPClient) async throws {
        for path in ["overview", "decisions", "waiting", "live", "find?q=req-one", "request?id=req-one"] {
            let answer = try await console.ask(client, "/console/api/v1/\(path)")
            #expect(answer.status == 401 && answer.json["error"]?["code"] == "not_signed_in", "\(path)")
            let forged = try await console.ask(
                client, "/console/api/v1/\(path)", fields: [("cookie", "__Host-clawgrant-console=e30.AAAA")])
            #expect(forged.status == 401, "\(path)")
        }
        #expect(try await console.ask(client, "/console/api/v1/session").json == ["name": .null])
        let own = ("sec-fetch-site", "same-origin")
        for (token, status) in [(nil, 401), ("guess", 401), (PlayedConsole.meter, 403)] {
            let fields = [own] + (token.map { [("authorization", "Bearer \($0)")] } ?? [])
            let answer = try await console.ask(client, "/console/session", "POST", fields: fields)
            #expect(answer.status == status && answer.fields["set-cookie"] == nil)
        }
        let foreign = try await console.ask(
            client, "/console/session", "POST",
            fields: [("authorization", "Bearer \(PlayedConsole.reader)"), ("sec-fetch-site", "cross-site")])
        #expect(foreign.status == 403 && foreign.fields["set-cookie"] == nil)
        let page = try await console.ask(client, "/console")
        #expect(page.status == 200 && page.fields["content-security-policy"]?.contains("default-src 'none'") == true)
        #expect(page.fields["x-content-type-options"] == "nosniff")
    }

    private func list(_ answer: PlayedConsole.Answer, _ member: String) -> [JSONValue] {
        answer.json[member]?.array ?? []
    }

    private func decisions(_ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]) async throws {
        func ask(_ query: String) async throws -> [JSONValue] {
            let answer = try await console.ask(client, "/console/api/v1/decisions\(query)", fields: fields)
            #expect(answer.status == 200)
            return list(answer, "decisions")
        }
        let all = try await ask("")
        #expect(all.count == 9)
        #expect(all.map { $0["at"]?.string ?? "" } == all.map { $0["at"]?.string ?? "" }.sorted(by: >))
        #expect(Set(all.compactMap { $0["outcome"]?.string }) == ["issued", "denied", "quarantined"])
        let denied = try await ask("?outcome=denied")
        #expect(Set(denied.compactMap { $0["request_id"]?.string }) == ["req-no", "req-never"])
        #expect(denied.allSatisfy { $0["reasons"]?.array?.first?["code"] == "HUMAN_APPROVAL_DENIED" })
        #expect(try await ask("?class=dev_sandbox").map { $0["request_id"] } == ["req-hostile"])
        #expect(try await ask("?approval=apr-two").map { $0["request_id"] } == ["req-two"])
        #expect(try await ask("?text=REQ-THREE").map { $0["request_id"] } == ["req-three"])
        #expect(try await ask("?agent=did:key:nobody").isEmpty)
        #expect(try await ask("?outcome=control").contains { $0["summary"]?.string?.contains("stop-played") == true })
        let hostile = try #require(try await ask("?class=dev_sandbox").first)
        #expect(hostile["summary"]?.string?.hasPrefix("approved by \(PlayedConsole.hostilePerson); ") == true)
        // What has not changed is not sent again.
        let first = try await console.ask(client, "/console/api/v1/decisions", fields: fields)
        let tag = try #require(first.fields["etag"])
        let again = try await console.ask(
            client, "/console/api/v1/decisions", fields: fields + [("if-none-match", tag)])
        #expect(again.status == 304 && again.body.isEmpty)
    }

    private func requests(_ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]) async throws {
        let answer = try await console.ask(client, "/console/api/v1/request?id=req-one", fields: fields)
        let request = answer.json
        #expect(request["state"] == "issued")
        #expect(request["headline"] == "a token was issued for the request req-one")
        let titles = (request["story"]?.array ?? []).compactMap { $0["title"]?.string }
        #expect(titles == ["asked", "approvals", "granted", "decided", "inputs", "evidence"])
        let position = try #require(request["position"]?.integer)
        let sealed = try await sealedReceipt(at: position, in: console.playground)
        #expect(sealed == request["receipt_id"]?.string)
        #expect(!String(decoding: answer.body, as: UTF8.self).contains("eyJ"))

        let waiting = try await console.ask(client, "/console/api/v1/waiting", fields: fields)
        let row = try #require(list(waiting, "requests").first)
        #expect(row["request_id"] == "req-waits" && list(waiting, "requests").count == 1)
        let reason = try #require(row["waits_for"]?.array?.first)
        #expect(reason["code"] == "CAPABILITY_REQUIRES_APPROVAL", "\(JSONWriter.text(row))")
        #expect(reason["needed"]?.string?.isEmpty == false)
        let story = try await console.ask(client, "/console/api/v1/request?id=req-waits", fields: fields)
        #expect(story.json["position"] == .null && story.json["state"] == "waiting")
        let because = (story.json["story"]?.array ?? []).first { $0["title"] == "because" }
        #expect(because?["items"]?.array?.first?.string?.hasPrefix("CAPABILITY_REQUIRES_APPROVAL: ") == true)

        let unknown = try await console.ask(client, "/console/api/v1/request?id=req-unknown", fields: fields)
        #expect(unknown.status == 404 && unknown.json["error"]?["code"] == "no_such_request")
        for (name, by) in [("req-one", "request"), ("apr-one", "approval"), ("job-one", "job")] {
            let found = try await console.ask(client, "/console/api/v1/find?q=\(name)", fields: fields)
            #expect(list(found, "matches") == [["by": .string(by), "request_id": "req-one"]], "\(name)")
        }
        let asked = (story.json["story"]?.array ?? []).first { $0["title"] == "asked" }
        #expect(asked?["items"]?.array?.contains(.string("reason given: \(PlayedConsole.hostileReason)")) == true)
        #expect(story.fields["content-type"] == "application/json")
    }

    /// The identifier of the receipt at a position, by the batch's own summary of its receipts.
    private func sealedReceipt(at position: Int64, in playground: Playground) async throws -> String? {
        let batches = try await playground.query(
            """
            SELECT first_position::text, array_to_string(group_days, ','), array_to_string(group_ids, ',')
            FROM clawgrant.receipt_batch WHERE first_position <= \(position) AND last_position >= \(position)
            """)
        guard batches.rowCount == 1, let first = Int64(try batches.string(0, 0)) else { return nil }
        var index = Int(position - first)
        let days = try batches.string(0, 1).split(separator: ",")
        for (day, group) in zip(days, try batches.string(0, 2).split(separator: ",")) {
            let body = try await playground.query(
                """
                SELECT encode(body, 'hex'), entries::text FROM clawgrant.effect_group
                WHERE day = \(day) AND group_id = \(group)
                """)
            let entries = Int(try body.string(0, 1)) ?? 0
            guard index >= entries else {
                let bytes = try #require(Hex.decode(try body.string(0, 0)))
                return try Self.receiptID(index, of: bytes)
            }
            index -= entries
        }
        return nil
    }

    /// Reads the identifier of one of a group's receipts off its stored form: each is a canonical object that begins with
    /// the text `{"agent_did"` or another member, and has one `"receipt_id"`.
    private static func receiptID(_ index: Int, of group: [UInt8]) throws -> String? {
        let text = String(decoding: group, as: UTF8.self)
        var identifiers: [String] = []
        for part in text.components(separatedBy: #""receipt_id":""#).dropFirst() {
            let identifier = String(part.prefix { $0 != "\"" })
            // Outputs of an effect name its receipt again.
            if identifiers.last != identifier { identifiers.append(identifier) }
        }
        return identifiers.indices.contains(index) ? identifiers[index] : nil
    }

    private func standing(_ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]) async throws {
        let answer = try await console.ask(client, "/console/api/v1/overview", fields: fields)
        #expect(answer.status == 200 && Timestamp(rfc3339: answer.fields["x-console-as-of"] ?? "") != nil)
        let standing = answer.json
        #expect(standing["verdict"]?["headline"] == "PARTLY STOPPED: job_class:prod_deploy")
        #expect(standing["verdict"]?["is_issuing"] == true)
        let stop = try #require(standing["stops"]?.array?.first)
        #expect(stop["stop_id"] == "stop-played" && stop["reason"] == "Unexpected writes")
        #expect(stop["to_lift"]?.string?.hasPrefix("2 people, none of them a declarer") == true)
        #expect((standing["cutoffs"]?.array ?? []).contains { $0["key"]?.string?.contains("prod_deploy") == true })
        let status = try await console.playground.status()
        #expect(standing["log"]?["receipts"]?.integer == Int64(status.receipts))
        #expect(standing["log"]?["checkpoint"]?.string?.hasPrefix(console.playground.logID.rawValue) == true)
        #expect(standing["log"]?["unsealed_groups"] == 0)
        #expect(standing["waiting"] == ["count": 1, "is_more": false])
        let grants = Dictionary(
            uniqueKeysWithValues: (standing["grants"]?.array ?? []).map {
                ($0["job_class"]?.string ?? "", $0["live"]?.integer ?? 0)
            })
        #expect(grants == ["dev_sandbox": 1, "enterprise_agent_run": 1, "ledger_reconcile": 3])
        #expect(standing["dead_letters"]?["open"] == 2)
        #expect(standing["dead_letters"]?["newest"]?.array?.count == 2)
        #expect(standing["findings"]?.array?.isEmpty == true)
        #expect((standing["workers"]?.array ?? []).filter { $0["is_alive"] == true }.count == 1)
        let inputs = standing["inputs"]?.array ?? []
        #expect(Set(inputs.compactMap { $0["topic"]?.string }) == Set(PlaygroundTopic.inputs))
        #expect(inputs.allSatisfy { $0["unread"] == 0 && $0["records_behind"] == 0 })
        #expect(standing["stop_is_allowed"] == false && standing["latest"]?["at"]?.string?.isEmpty == false)
        let live = try await console.ask(client, "/console/api/v1/live", fields: fields)
        #expect(list(live, "tokens").count == 5)
        let some = try await console.ask(client, "/console/api/v1/live?class=ledger_reconcile", fields: fields)
        let names = Set(list(some, "tokens").compactMap { $0["request_id"]?.string })
        #expect(names == ["req-one", "req-two", "req-three"])
    }

    /// The table of sinks, whoever made it, with one that goes on and one that fails.
    private func sinks(_ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]) async throws {
        _ = try await console.playground.query(
            """
            CREATE TABLE IF NOT EXISTS clawgrant.security_event_sink (
                name text PRIMARY KEY, first_position bigint NOT NULL, next_position bigint NOT NULL,
                delivered_at timestamptz, failures int NOT NULL DEFAULT 0, failing_since timestamptz,
                failed_at timestamptz, failure text, is_reported boolean NOT NULL DEFAULT false,
                skipped bigint NOT NULL DEFAULT 0)
            """)
        let end = try await console.playground.status().receipts
        _ = try await console.playground.query(
            """
            INSERT INTO clawgrant.security_event_sink (name, first_position, next_position, delivered_at, failures,
                failing_since, failure)
            VALUES ('siem', 0, \(end), now(), 0, NULL, 'an old one'), ('archive', 0, 2, now(), 3, now(), 'refused')
            """)
        var sinks: [JSONValue] = []
        // What was read within the last second is answered again.
        for _ in 0..<2_000 where sinks.isEmpty {
            let answer = try await console.ask(client, "/console/api/v1/overview", fields: fields)
            if answer.status == 200 { sinks = answer.json["sinks"]?.array ?? [] } else { await Task.yield() }
        }
        #expect(sinks.map { $0["name"] } == ["archive", "siem"])
        #expect(sinks.first?["failure"] == "refused" && sinks.first?["receipts_behind"]?.integer == Int64(end - 2))
        #expect(sinks.last?["failure"] == .null && sinks.last?["receipts_behind"] == 0)
    }

    private func unreadableArguments(
        _ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)]
    ) async throws {
        for path in [
            "decisions?outcome=approved", "decisions?before=1", "decisions?before=1.9223372036854775807.0",
            "waiting?after=x", "waiting?after=99999999999999999.AA", "live?after=1.%00", "find?q=", "find?q=%00",
            "find?q=\(String(repeating: "a", count: 600))", "request", "request?id=a&id=b",
        ] {
            let answer = try await console.ask(client, "/console/api/v1/\(path)", fields: fields)
            #expect(answer.status == 400 && answer.json["error"]?["code"] == "argument", "\(path.prefix(60))")
        }
    }

    private func stopIsOff(
        _ console: PlayedConsole, _ client: HTTPClient, _ fields: [(String, String)], _ session: JSONValue
    ) async throws {
        let token = ("x-console-token", session["token"]?.string ?? "")
        for path in ["stop/prepare", "stop"] {
            let answer = try await console.ask(
                client, "/console/api/v1/\(path)", "POST", fields: fields + [token],
                body: ["kind": "all", "action": "revoke_and_deny", "reason": "x", "incident": "x", "typed": "all"])
            #expect(answer.status == 403 && answer.json["error"]?["code"] == "stop_off", "\(path)")
        }
        #expect(try await console.playground.status().issued == 5)
    }
}
