import ApprovalSources
import ClawWire
import Foundation
import GrantLedger
import IssuanceRules
import Playground
import Postgres
import Testing

@testable import IssuerAPI

/// What a preflight says, and what it leaves as it was.
@Suite(.serialized) struct PreflightTests {
    private func ask(
        _ stage: SurfaceStage, _ request: JSONValue, as token: String = SurfaceStage.readToken, query: String = ""
    ) async throws -> SurfaceStage.Answer {
        let path = token == SurfaceStage.readToken ? "/v1/capabilities/explain" : "/v1/capabilities/preflight"
        return try await stage.send(
            "POST", path + query, fields: [("authorization", "Bearer \(token)")], body: JSONWriter.bytes(request))
    }

    /// A request of the class whose approval it names.
    private func request(_ name: String, _ stage: SurfaceStage) -> RequestDraft {
        RequestDraft(name, .appAdmin, in: stage.playground, at: .playgroundNow)
    }

    /// Everything in the ledger that a look must not change.
    private func state(_ stage: SurfaceStage) async throws -> String {
        try await stage.playground.query(
            """
            SELECT concat_ws(' ', (SELECT count(*) FROM clawgrant.request), (SELECT count(*) FROM clawgrant.event),
                (SELECT count(*) FROM clawgrant.approval), (SELECT max(number) FROM clawgrant.receipt_batch),
                (SELECT count(*) FROM clawgrant.effect_group), (SELECT string_agg(xmin::text || xmax::text, ',') FROM
                    clawgrant.approval))
            """
        ).string(0, 0)
    }

    @Test func itSaysWhatComesAndChangesNothing() async throws {
        try await SurfaceStage.run { stage in
            let entra = EntraActivation("app", at: Timestamp.playgroundNow.adding(seconds: -60))
            var draft = request("app", stage)
            draft.approvalID = entra.approvalID
            let waiting = try await ask(stage, draft.json)
            #expect(waiting.status == 200 && waiting.field("cache-control") == "no-store")
            #expect(waiting.json["decision"]?.string == "requires_approval")
            #expect(waiting.json["reason_code"]?.string == "CAPABILITY_REQUIRES_APPROVAL")
            #expect(waiting.json["clawgrant"]?["outcome"]?.string == "wait")
            #expect(waiting.json["request_id"]?.string == "req-app")

            try await stage.playground.produce([entra.message([.requested, .routed, .approved, .completed])])
            try await stage.untilHolds("the approval", "SELECT count(*) = 1 FROM clawgrant.approval")
            let before = try await state(stage)
            let passing = try await ask(stage, draft.json)
            #expect(passing.json["decision"]?.string == "preflight_pass", "\(passing.text)")
            #expect(passing.json["clawgrant"]?["would_grant"]?["scope"]?.array == ["proxy:call"])
            #expect(passing.json["granted_capability"] == nil)
            #expect(try await state(stage) == before)

            // What it said comes true.
            try await stage.playground.produce([try draft.record(signedBy: stage.playground.keys.requestSigner)])
            try await stage.untilDecided(1)
            let issued = try await ask(stage, draft.json)
            #expect(issued.json["clawgrant"]?["known_outcome"]?.string == "issued")
        }
    }

    @Test func aCallerThatMayNotReadLearnsNothingOfApprovals() async throws {
        try await SurfaceStage.run { stage in
            let entra = EntraActivation("app", at: Timestamp.playgroundNow.adding(seconds: -60))
            var draft = request("quiet", stage)
            draft.approvalID = entra.approvalID
            let token = SurfaceStage.preflightToken
            func essence(_ answer: SurfaceStage.Answer) -> JSONValue {
                var object = answer.json.object ?? JSONObject()
                // What follows from the time of the question.
                object["timestamp"] = nil
                object["response_id"] = nil
                var ours = object["clawgrant"]?.object ?? JSONObject()
                ours["waits_until"] = nil
                object["clawgrant"] = .object(ours)
                return .object(object)
            }
            let before = try await ask(stage, draft.json, as: token)
            #expect(before.json["decision"]?.string == "requires_approval")
            try await stage.playground.produce([entra.message([.requested, .routed, .approved, .completed])])
            try await stage.untilHolds("the approval", "SELECT count(*) = 1 FROM clawgrant.approval")
            let after = try await ask(stage, draft.json, as: token)
            #expect(essence(after) == essence(before))
            try await stage.playground.produce([try draft.record(signedBy: stage.playground.keys.requestSigner)])
            try await stage.untilDecided(1)
            #expect(essence(try await ask(stage, draft.json, as: token)) == essence(before))
            #expect(!after.text.contains("approval_ids"))

            // What its request alone is refused for, it is told.
            draft.scope = ["proxy:everything"]
            let refused = try await ask(stage, draft.json, as: token)
            #expect(refused.json["decision"]?.string == "preflight_fail")
            #expect(refused.json["reason_code"]?.string == "SCOPE_NOT_ALLOWED")
            // And it may not ask for more.
            let forbidden = try await stage.send(
                "POST", "/v1/capabilities/explain", fields: [("authorization", "Bearer \(token)")],
                body: JSONWriter.bytes(draft.json))
            #expect(forbidden.status == 403)
        }
    }

    @Test func aStopShowsAtOnce() async throws {
        try await SurfaceStage.run { stage in
            try await stage.playground.declare(
                .stop(.init(stopID: "stop-1", scope: .everything, revokesLive: false)), id: "stop-1",
                by: [PlaygroundCast.ruth])
            try await stage.untilHolds("the stop", "SELECT control_position >= 1 FROM clawgrant.control_state")
            let answer = try await ask(stage, request("late", stage).json, as: SurfaceStage.preflightToken)
            #expect(answer.json["decision"]?.string == "preflight_fail")
            #expect(answer.json["reason_code"]?.string == "CAPABILITY_STOPPED")
        }
    }

    @Test func whatIsNoRequestIsRefusedWithItsMember() async throws {
        try await SurfaceStage.run { stage in
            var document = request("odd", stage).json.object ?? JSONObject()
            document["preflight"] = true
            #expect(try await ask(stage, .object(document)).status == 200)
            #expect(try await ask(stage, .object(document), query: "?source=nobody").status == 400)
            document["extra"] = 1
            let unknown = try await ask(stage, .object(document))
            #expect(unknown.status == 400 && unknown.json["detail"]?.string?.contains("extra") == true)
            for body in ["", "[]", "{", "null", "{\"request_id\":1}"] {
                let answer = try await stage.send(
                    "POST", "/v1/capabilities/explain",
                    fields: [("authorization", "Bearer \(SurfaceStage.readToken)")], body: Array(body.utf8))
                #expect(answer.status == 400, "\(body)")
            }
            #expect(try await stage.send("POST", "/v1/capabilities/explain", body: [0x7B, 0x7D]).status == 401)
        }
    }
}
