import ApprovalSources
import ClawWire
import Foundation
import GrantChecker
import GrantWorker
import IssuanceRules
import Playground
import Postgres
import ReceiptLog
import Testing

extension StopTests {
    /// The rows of the rollback table: how privilege is taken back quickly.
    @Suite struct RollbackTests {
        private static func run(_ body: (Stage, PlaygroundWorker) async throws -> Void) async throws {
            try await Stage.run(.stops) { stage in
                let worker = try stage.playground.startWorker("one")
                try await stage.untilAtWork([worker])
                try await body(stage, worker)
            }
        }

        /// Sends one approval and waits until its request is decided.
        private static func decide(_ draft: ApprovalDraft, _ outcome: Script.Outcome, on stage: Stage) async throws {
            var script = Script(stage.playground)
            try script.add(draft, outcome, in: stage.playground)
            try await stage.send(script)
            try await stage.untilSettled()
        }

        private static func expectRevoked(_ count: Int, on stage: Stage) async throws {
            var script = Script(stage.playground)
            script.expectRevoked(count)
            try await stage.send(script)
        }

        private static func tokenHash(_ name: String, on stage: Stage) async throws -> String {
            try await stage.playground.query(
                "SELECT encode(token_hash, 'hex') FROM clawgrant.request WHERE request_id = 'req-\(name)'"
            ).string(0, 0)
        }

        @Test func revokingTheActiveTokenVoidsIt() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                for name in ["one", "two", "three"] {
                    try await Self.decide(ApprovalDraft(name, .reconcile, in: playground), .issued, on: stage)
                }
                try await playground.declare(
                    .revoke(
                        .init(scope: StopScope(kind: .token, value: try await Self.tokenHash("one", on: stage)))),
                    id: "revoke-1", by: [PlaygroundCast.ruth])
                try await playground.declare(
                    .revoke(.init(scope: StopScope(kind: .job, value: "job-two"))), id: "revoke-2",
                    by: [PlaygroundCast.ruth])
                try await stage.untilPosition(2)
                try await Self.expectRevoked(2, on: stage)
                var again = ApprovalDraft("again", .reconcile, in: playground)
                again.request?.jobID = JobID("job-two")
                try await Self.decide(again, .denied, on: stage)
                try await Self.decide(ApprovalDraft("four", .reconcile, in: playground), .issued, on: stage)
                try await stage.check()
                #expect(try await stage.decisions()["req-again"] == "TOKEN_REVOKED")
                try await stage.expectReaderAgrees(cutoffs: [try #require(CutoffScope(.job, "job-two"))])
            }
        }

        private static func rotate(_ running: ControlOperation.PolicyRotation.Running) async throws {
            try await run { stage, _ in
                let playground = stage.playground
                let old = try #require(playground.policies[.agentRun])
                let new = try stricterPolicy(in: playground)
                try await decide(ApprovalDraft("running", .agentRun, in: playground), .issued, on: stage)
                try await playground.declare(
                    .rotatePolicy(.init(jobClass: PlaygroundClass.agentRun.name, from: old, to: new, running: running)),
                    id: "rotate", by: [PlaygroundCast.ruth])
                try await stage.untilPosition(1)
                try await expectRevoked(running == .revoke ? 1 : 0, on: stage)
                try await decide(ApprovalDraft("old", .agentRun, in: playground), .denied, on: stage)
                var fresh = ApprovalDraft("new", .agentRun, in: playground)
                fresh.request?.policyHash = new
                try await decide(fresh, .issued, on: stage)
                try await stage.check()
                #expect(try await stage.decisions()["req-old"] == "POLICY_ROTATED")
                try await stage.expectReaderAgrees()
            }
        }

        @Test func rotatingThePolicyKeepsWhatRuns() async throws { try await Self.rotate(.keep) }

        @Test func rotatingThePolicyRevokesWhatRuns() async throws { try await Self.rotate(.revoke) }

        private static func stricterPolicy(in playground: Playground) throws -> Digest {
            let signer = playground.keys.policySigner
            let runbook: JSONObject = [
                "wpc_version": "1",
                "policy": [
                    "job_class": .string(PlaygroundClass.agentRun.rawValue),
                    "tool_policy": [
                        "allow": ["read"], "deny": ["exec_host", "docker_socket"], "require_sandbox": true,
                    ],
                    "model_policy": ["require_proxy": "clawproxy", "receipt_required": true],
                    "approvals": [["action": "enable_elevated", "require": "human_approval"]],
                    "session_limits": ["max_ttl_seconds": 600],
                    "audit": ["emit_gateway_receipts": true],
                ],
                "cst_requirements": ["policy_hash_pinned": true, "job_scoped_binding": true],
            ]
            let policy = try WorkPolicyContract.carrying(
                runbook: runbook, policyID: "northquay-stricter", issuerDID: signer.publicKey.did)
            let envelope = try WPCEnvelope.sign(policy, signer: signer, issuedAt: .playgroundNow)
            try JSONWriter.text(envelope.json).write(
                toFile: "\(playground.directory)/policies/stricter.json", atomically: true, encoding: .utf8)
            return policy.policyHash
        }

        @Test func disablingElevationRevokesAndRefusesElevatedGrants() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                func elevated(_ name: String) -> ApprovalDraft {
                    var draft = ApprovalDraft(
                        name, .agentRun, approvers: [PlaygroundCast.ruth, PlaygroundCast.paloma], in: playground)
                    draft.request?.actions = ["enable_elevated"]
                    return draft
                }
                try await Self.decide(elevated("up-1"), .issued, on: stage)
                try await Self.decide(ApprovalDraft("plain-1", .agentRun, in: playground), .issued, on: stage)
                try await playground.declare(
                    .disableElevated(.init(reach: .everywhere, revokesLive: true)), id: "off",
                    by: [PlaygroundCast.ruth])
                try await stage.untilPosition(1)
                try await Self.expectRevoked(1, on: stage)
                // What is enabled again within the second of the disabling is revoked with it.
                try await stage.untilSwept()
                try await Self.decide(elevated("up-2"), .denied, on: stage)
                try await Self.decide(ApprovalDraft("plain-2", .agentRun, in: playground), .issued, on: stage)
                try await playground.declare(.enableElevated(.everywhere), id: "on", by: [PlaygroundCast.milan])
                try await stage.untilPosition(2)
                try await Self.decide(elevated("up-3"), .issued, on: stage)
                try await stage.check()
                #expect(try await stage.decisions()["req-up-2"] == "CAPABILITY_ELEVATION_DISABLED")
                try await stage.expectReaderAgrees()
            }
        }

        @Test func requiringTheProxyRefusesWhatGoesAroundIt() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                for name in ["loose-1", "loose-2"] {
                    try await Self.decide(ApprovalDraft(name, .reconcile, in: playground), .issued, on: stage)
                }
                try await Self.decide(ApprovalDraft("forced", .agentRun, in: playground), .issued, on: stage)
                try await playground.declare(
                    .requireProxy(.init(reach: .jobClass(PlaygroundClass.agentRun.name), revokesLive: true)),
                    id: "proxy-of-runs", by: [PlaygroundCast.ruth])
                try await playground.declare(
                    .requireProxy(.init(reach: .everywhere, revokesLive: false)), id: "proxy",
                    by: [PlaygroundCast.ruth])
                try await stage.untilPosition(2)
                try await stage.untilSwept()
                let kept = try await stage.playground.query(
                    "SELECT count(*)::text FROM clawgrant.request WHERE revoked_at IS NOT NULL")
                #expect(try kept.string(0, 0) == "0")
                try await playground.declare(
                    .requireProxy(.init(reach: .everywhere, revokesLive: true)), id: "proxy-now",
                    by: [PlaygroundCast.ruth])
                try await stage.untilPosition(3)
                try await Self.expectRevoked(2, on: stage)
                // What is issued again within the second of the order is revoked with it.
                try await stage.untilSwept()
                try await Self.decide(ApprovalDraft("around", .reconcile, in: playground), .denied, on: stage)
                try await Self.decide(ApprovalDraft("through", .agentRun, in: playground), .issued, on: stage)
                try await playground.declare(.releaseProxy(.everywhere), id: "free", by: [PlaygroundCast.milan])
                try await playground.declare(
                    .releaseProxy(.jobClass(PlaygroundClass.agentRun.name)), id: "free-runs",
                    by: [PlaygroundCast.milan])
                try await stage.untilPosition(5)
                try await Self.decide(ApprovalDraft("after", .reconcile, in: playground), .issued, on: stage)
                try await stage.check()
                let causes = try await playground.query(
                    """
                    SELECT request_id, revoked_reason FROM clawgrant.request WHERE revoked_at IS NOT NULL
                    ORDER BY request_id
                    """)
                #expect(try (0..<causes.rowCount).map { try causes.string($0, 0) } == ["req-loose-1", "req-loose-2"])
                #expect(try causes.string(0, 1) == "proxy_required")
                try await stage.expectReaderAgrees()
                #expect(try await stage.decisions()["req-around"] == "POLICY_PROXY_REQUIRED")
            }
        }

        @Test func withdrawingASigningKeyVoidsWhatItSignedAndSignsNothing() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                let kid = playground.keys.token.kid
                try await Self.decide(ApprovalDraft("signed", .reconcile, in: playground), .issued, on: stage)
                try await playground.declare(
                    .suspectKey(.init(kid: kid, since: nil)), id: "suspect", by: [PlaygroundCast.ruth])
                try await stage.untilPosition(1)
                try await Self.expectRevoked(1, on: stage)
                // What is approved now waits for another key, until its approval ends.
                let waiting = ApprovalDraft("waiting", .reconcile, in: playground)
                var script = Script(playground)
                try script.add(waiting, .denied, in: playground)
                try await stage.send(script)
                try await stage.untilHolds(
                    "the request to wait for another key",
                    "SELECT EXISTS (SELECT 1 FROM clawgrant.request WHERE request_id = 'req-waiting' AND state = 0)")
                var end = Script(playground)
                end.ignore(
                    try waiting.ended(at: waiting.time.adding(seconds: 1)).record(signedBy: playground.keys.eventSigner)
                )
                try await stage.send(end)
                try await stage.check()
                #expect(try await stage.decisions()["req-waiting"] == "HUMAN_APPROVAL_ENDED")
                try await stage.expectReaderAgrees(cutoffs: [try #require(CutoffScope(.issuerKey, kid.rawValue))])
            }
        }

        /// What was signed before the suspicion's time is spared, what was signed since is void; of what waits in the
        /// ledger or on the topics nothing is signed any more.
        @Test func suspectingAKeyCutsOffWhatItSignedSinceAndSignsNothingOfTheBacklog() async throws {
            try await Self.run { stage, worker in
                let playground = stage.playground
                let kid = playground.keys.token.kid
                try await Self.decide(ApprovalDraft("before", .reconcile, in: playground), .issued, on: stage)
                try await stage.untilHolds(
                    "the next second",
                    "SELECT max(issued_at) + interval '1 second' <= clock_timestamp() FROM clawgrant.request")
                let since = Timestamp(seconds: Timestamp.playgroundNow.seconds)
                for name in ["since-1", "since-2"] {
                    try await Self.decide(ApprovalDraft(name, .reconcile, in: playground), .issued, on: stage)
                }
                // One of two approvers has said yes: it waits in the ledger.
                func half(_ event: String, _ approvers: [Actor], at time: Timestamp) -> ApprovalDraft {
                    var draft = ApprovalDraft("half", .agentRun, approvers: approvers, in: playground, at: time)
                    draft.request?.actions = ["enable_elevated"]
                    draft.eventID = event
                    return draft
                }
                let asked = Timestamp.playgroundNow
                var script = Script(playground)
                try script.add(half("evt-half-1", [PlaygroundCast.ruth], at: asked), .denied, in: playground)
                try await stage.send(script)
                try await stage.untilHolds(
                    "a request to wait for its second approver",
                    "SELECT EXISTS (SELECT 1 FROM clawgrant.request WHERE request_id = 'req-half' AND state = 0)")
                // The rest is on the topics and unread when the line is drawn.
                worker.freeze()
                let late = (0..<12).map { ApprovalDraft("late-\($0)", .reconcile, in: playground) }
                var backlog = Script(playground)
                for draft in late { try backlog.add(draft, .denied, in: playground) }
                let whole = half("evt-half-2", [PlaygroundCast.ruth, PlaygroundCast.paloma], at: asked)
                backlog.ignore(try whole.record(signedBy: playground.keys.eventSigner))
                backlog.expectRevoked(2)
                try await stage.send(backlog)
                let answer = try await stage.apply(.suspectKey(.init(kid: kid, since: since)), id: "suspect")
                #expect(answer.result == .applied && answer.position == 1 && answer.grantsBefore == 3)
                #expect(answer.cutoffs.map(\.issuedSince) == [since] && answer.cutoffs.map(\.isForever) == [true])
                worker.thaw()
                try await stage.untilHolds(
                    "the backlog to wait for another key", within: .seconds(120),
                    "SELECT count(*) = \(late.count + 1) FROM clawgrant.request WHERE state = 0")
                try await stage.untilHolds(
                    "the second approval to be read", within: .seconds(60),
                    "SELECT count(*) = \(late.count + 5) FROM clawgrant.event")
                var end = Script(playground)
                for draft in late + [whole] {
                    let ended = draft.ended(at: draft.time.adding(seconds: 1))
                    end.ignore(try ended.record(signedBy: playground.keys.eventSigner))
                }
                try await stage.send(end)
                let report = try await stage.check(within: .seconds(120))
                #expect(report.counts.issued == 3)
                let alive = try await playground.query(
                    "SELECT request_id FROM clawgrant.request WHERE token_hash IS NOT NULL AND revoked_at IS NULL")
                #expect(try (0..<alive.rowCount).map { try alive.string($0, 0) } == ["req-before"])
                try await stage.expectReaderAgrees(cutoffs: [try #require(CutoffScope(.issuerKey, kid.rawValue))])
            }
        }

        @Test func aSuspicionOfTheLogsKeyIsRefusedWhicheverWayItComes() async throws {
            try await Self.run { stage, worker in
                let playground = stage.playground
                let suspicion = ControlOperation.suspectKey(.init(kid: playground.keys.log.kid, since: nil))
                try await playground.declare(suspicion, id: "suspect", by: [PlaygroundCast.ruth])
                try await stage.untilLogged("key_signs_no_tokens", by: worker)
                var script = Script(playground)
                script.expectQuarantined(1)
                try await stage.send(script)
                try await Self.decide(ApprovalDraft("after", .reconcile, in: playground), .issued, on: stage)
                try await stage.check()
                let codes = try await stage.values(of: PlaygroundTopic.deadLetters).values.compactMap {
                    $0["reason"]?.string
                }
                #expect(codes == ["control_key_signs_no_tokens"])
                let events = try await playground.query("SELECT count(*)::text FROM clawgrant.control_event")
                #expect(try events.string(0, 0) == "0")
                // Without the configured keys it is the ledger that knows.
                let known = try await stage.keysWithoutTokens()
                #expect(known.contains(playground.keys.log.kid) && !known.contains(playground.keys.token.kid))
            }
        }

        @Test func stoppingAJobClassTakesReapprovalToGoOn() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                try await Self.decide(ApprovalDraft("before", .reconcile, in: playground), .issued, on: stage)
                let old = ApprovalDraft("old", .reconcile, in: playground)
                try await stage.stop("stop-1", .jobClass(.reconcile), revokesLive: true)
                try await stage.untilPosition(1)
                try await Self.expectRevoked(1, on: stage)
                try await Self.decide(ApprovalDraft("during", .reconcile, in: playground), .denied, on: stage)
                try await Self.decide(ApprovalDraft("other", .agentRun, in: playground), .issued, on: stage)
                let authority = ApprovalDraft("reapproval", .agentRun, in: playground)
                try await Self.decide(authority, .issued, on: stage)
                try await stage.lift("stop-1", on: authority.decision.approvalID)
                try await stage.untilPosition(2)
                try await Self.decide(old, .denied, on: stage)
                try await Self.decide(ApprovalDraft("fresh", .reconcile, in: playground), .issued, on: stage)
                let report = try await stage.check()
                #expect(report.counts.stops == 1)
                let decisions = try await stage.decisions()
                #expect(decisions["req-during"] == "CAPABILITY_STOPPED")
                #expect(decisions["req-old"] == "HUMAN_APPROVAL_REAPPROVAL_REQUIRED")
                try await stage.expectReaderAgrees(
                    cutoffs: [try #require(CutoffScope(.jobClass, PlaygroundClass.reconcile.rawValue))])
            }
        }
    }
}
