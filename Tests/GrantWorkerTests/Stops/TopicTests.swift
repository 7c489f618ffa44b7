import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantWorker
import IssuanceRules
import Kafka
import Playground
import Postgres
import ReceiptLog
import Testing

extension StopTests {
    /// What comes on the control topic and on approval topics, in whatever order and number, and what does not come.
    @Suite struct TopicTests {
        private static func run(
            _ options: PlaygroundOptions = .stops, _ body: (Stage, PlaygroundWorker) async throws -> Void
        ) async throws {
            try await Stage.run(options) { stage in
                let worker = try stage.playground.startWorker("one")
                try await stage.untilAtWork([worker])
                try await body(stage, worker)
            }
        }

        private static func decide(_ draft: ApprovalDraft, _ outcome: Script.Outcome, on stage: Stage) async throws {
            var script = Script(stage.playground)
            try script.add(draft, outcome, in: stage.playground)
            try await stage.send(script)
            try await stage.untilSettled()
        }

        private static func expectQuarantined(_ count: Int, on stage: Stage) async throws {
            var script = Script(stage.playground)
            script.expectQuarantined(count)
            try await stage.send(script)
        }

        private static func controlRecord(_ event: CloudEvent) -> ProducerRecord {
            var record = event.producerRecord(.structured)
            record.topic = PlaygroundTopic.control
            record.partition = 0
            return record
        }

        @Test func repeatsAndALiftBeforeItsStopComeToTheSame() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                let now = Timestamp.playgroundNow
                let authority = ApprovalDraft("authority", .agentRun, in: playground, at: now.adding(seconds: -30))
                let old = ApprovalDraft("old", .reconcile, in: playground, at: now.adding(seconds: -20))
                try await Self.decide(authority, .issued, on: stage)
                for _ in 0..<2 {
                    try await stage.lift("stop-1", on: authority.decision.approvalID, at: now.adding(seconds: -10))
                }
                try await stage.untilPosition(1)
                for round in 0..<3 {
                    try await stage.stop("stop-1", .jobClass(.reconcile), at: now.adding(seconds: -60))
                    if round == 0 { try await stage.untilPosition(2) }
                    try await stage.lift("stop-1", on: authority.decision.approvalID, at: now.adding(seconds: -10))
                }
                // A drill behind them all: everything before it has been read.
                try await playground.declare(
                    .drill(.init(drillID: "drill", scope: .everything)), id: "drill", by: [PlaygroundCast.ruth])
                try await stage.untilPosition(3)
                try await Self.decide(old, .denied, on: stage)
                try await Self.decide(ApprovalDraft("fresh", .reconcile, in: playground), .issued, on: stage)
                let report = try await stage.check()
                #expect(report.counts.stops == 1)
                #expect(try await stage.decisions()["req-old"] == "HUMAN_APPROVAL_REAPPROVAL_REQUIRED")
            }
        }

        @Test func whatIsNotProvenOrNotAllowedIsADeadLetterAndNotObeyed() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                let stop = ControlOperation.stop(.init(stopID: "stop-1", scope: .everything, revokesLive: true))
                let stranger = ControlEmitter(
                    signer: try #require(SeedSigner(seed: [UInt8](repeating: 7, count: 32))),
                    source: PlaygroundCast.controlSource)
                try await playground.declare(stop, id: "by-a-stranger", by: [PlaygroundCast.ruth], as: stranger)
                try await playground.declare(
                    .revoke(.init(scope: .everything)), id: "beyond-its-rights", by: [PlaygroundCast.ruth],
                    as: playground.keys.stopOnly)
                let unsigned = ControlEmitter.event(
                    stop, id: "unsigned", source: PlaygroundCast.controlSource, by: [PlaygroundCast.ruth],
                    at: .playgroundNow)
                var tampered = try playground.keys.control.event(
                    .drill(.init(drillID: "d", scope: .everything)), id: "tampered", by: [PlaygroundCast.ruth],
                    at: .playgroundNow)
                tampered.type = "com.clawbureau.clawgrant.control.stop.v1"
                try await playground.produce([Self.controlRecord(unsigned), Self.controlRecord(tampered)])
                try await playground.declare(
                    .drill(.init(drillID: "drill", scope: .everything)), id: "drill", by: [PlaygroundCast.ruth])
                try await stage.untilPosition(1)
                try await Self.expectQuarantined(4, on: stage)
                try await Self.decide(ApprovalDraft("after", .reconcile, in: playground), .issued, on: stage)
                let report = try await stage.check()
                #expect(report.counts.stops == 0)
                let codes = try await stage.values(of: PlaygroundTopic.deadLetters).values.compactMap {
                    $0["reason"]?.string
                }
                #expect(
                    codes.sorted() == [
                        "control_operation_not_allowed", "control_unauthenticated", "control_unauthenticated",
                        "control_unknown_signer",
                    ])
            }
        }

        @Test func aStopThatCannotBeReadStopsEverything() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                try await Self.decide(ApprovalDraft("before", .reconcile, in: playground), .issued, on: stage)
                var event = ControlEmitter.event(
                    .stop(.init(stopID: "stop-1", scope: .everything, revokesLive: true)), id: "stop-1",
                    source: PlaygroundCast.controlSource, by: [PlaygroundCast.ruth], at: .playgroundNow)
                event.data = .json([
                    "stop_id": "stop-1", "scope": ["kind": "continent", "value": "atlantis"],
                    "action": "revoke_and_deny",
                ])
                try await playground.produce([Self.controlRecord(try playground.keys.controlSigner.sign(event))])
                try await stage.untilPosition(1)
                var script = Script(playground)
                script.expectRevoked(1)
                try script.add(ApprovalDraft("after", .agentRun, in: playground), .denied, in: playground)
                try await stage.send(script)
                let report = try await stage.check()
                #expect(report.counts.stops == 1)
                #expect(try await stage.decisions()["req-after"] == "CAPABILITY_STOPPED")
                try await stage.expectReaderAgrees(cutoffs: [.all])
            }
        }

        @Test func aRevocationThatComesFirstPreventsTheGrant() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                let agent = AgentDID("did:web:lost.northquay.example")
                let scopes = [
                    StopScope(kind: .approval, value: "apr-a"), StopScope(kind: .request, value: "req-b"),
                    StopScope(kind: .job, value: "job-c"), StopScope(kind: .agent, value: agent.rawValue),
                ]
                for (index, scope) in scopes.enumerated() {
                    try await playground.declare(
                        .revoke(.init(scope: scope)), id: "revoke-\(index)", by: [PlaygroundCast.ruth])
                }
                try await stage.untilPosition(scopes.count)
                var script = Script(playground)
                for name in ["a", "b", "c", "d"] {
                    var draft = ApprovalDraft(name, .reconcile, in: playground)
                    if name == "d" { draft.request?.agentDID = agent }
                    try script.add(draft, .denied, in: playground)
                }
                try script.add(ApprovalDraft("e", .reconcile, in: playground), .issued, in: playground)
                try await stage.send(script)
                try await stage.check()
                let decisions = try await stage.decisions()
                for name in ["a", "b", "c", "d"] { #expect(decisions["req-\(name)"] == "TOKEN_REVOKED", "\(name)") }
                #expect(decisions["req-e"] == "granted")
            }
        }

        // MARK: On a topic of approvals

        private static func event(_ stop: StopDeclaration, _ id: String) -> CloudEvent {
            CloudEvent(
                id: id, source: PlaygroundCast.approvalSource, type: EventType.stopDeclared, time: .playgroundNow,
                data: .json(NativeStop.json(stop)))
        }

        private static func first(_ event: CloudEvent) -> ProducerRecord {
            var record = event.producerRecord(.binary)
            record.partition = 0
            return record
        }

        @Test func aStopAndItsLiftOnATopicOfApprovalsAreObeyed() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                let signer = playground.keys.eventSigner
                let stop = StopDeclaration(
                    stopID: "stop-1", scope: .jobClass(.reconcile), revokesLive: true, reason: "odd writes",
                    incident: nil, declaredBy: PlaygroundCast.ruth)
                try await Self.decide(ApprovalDraft("before", .reconcile, in: playground), .issued, on: stage)
                var script = Script(playground)
                let declared = try signer.sign(Self.event(stop, "evt-stop"))
                for _ in 0..<2 { script.ignore(Self.first(declared)) }
                // A key of the source without the right.
                script.poison(Self.first(try playground.keys.batchSigner.sign(Self.event(stop, "evt-other"))))
                // A lift that rests on nothing.
                let weak = StopLift(
                    stopID: "stop-1", liftedBy: [PlaygroundCast.milan, PlaygroundCast.paloma],
                    reapproval: ApprovalID("apr-nothing"), policyHash: nil)
                func lift(_ lift: StopLift, _ id: String) throws -> ProducerRecord {
                    Self.first(
                        try signer.sign(
                            CloudEvent(
                                id: id, source: PlaygroundCast.approvalSource, type: EventType.stopLifted,
                                // Not of the same instant as the stop.
                                time: Timestamp(microseconds: Timestamp.playgroundNow.microseconds + 1_000),
                                data: .json(NativeStop.json(lift, reason: nil)))))
                }
                script.poison(try lift(weak, "evt-weak"))
                script.expectRevoked(1)
                try await stage.send(script)
                try await stage.untilSettled()
                try await stage.untilPosition(1)
                try await Self.decide(ApprovalDraft("during", .reconcile, in: playground), .denied, on: stage)

                // The approval that the lift rests on stands right before it.
                var lifting = Script(playground)
                let authority = ApprovalDraft("authority", .agentRun, in: playground)
                try lifting.add(authority, .issued, in: playground)
                lifting.records[0].partition = 0
                let good = StopLift(
                    stopID: "stop-1", liftedBy: [PlaygroundCast.milan, PlaygroundCast.paloma],
                    reapproval: authority.decision.approvalID, policyHash: nil)
                lifting.ignore(try lift(good, "evt-lift"))
                try await stage.send(lifting)
                try await stage.untilPosition(2)
                try await Self.decide(ApprovalDraft("fresh", .reconcile, in: playground), .issued, on: stage)
                let report = try await stage.check()
                #expect(report.counts.stops == 1)
                #expect(try await stage.decisions()["req-during"] == "CAPABILITY_STOPPED")
                let codes = try await stage.values(of: PlaygroundTopic.deadLetters).values.compactMap {
                    $0["reason"]?.string
                }
                #expect(codes.sorted() == ["control_lift_approval_not_granted", "signer_not_allowed"])
            }
        }

        // MARK: Without the broker, without the topic, for one worker

        @Test func aStopWithoutTheBrokerHoldsAndIsPublishedLater() async throws {
            try await Self.run { stage, _ in
                let playground = stage.playground
                try await Self.decide(ApprovalDraft("before", .reconcile, in: playground), .issued, on: stage)
                try await playground.broker.stop()
                let answer = try await stage.apply(
                    .stop(.init(stopID: "stop-1", scope: .everything, revokesLive: true)), id: "stop-1")
                #expect(answer.position == 1)
                #expect(answer.grantsBefore == 1)
                try await playground.broker.start()
                var script = Script(playground)
                script.expectRevoked(1)
                try script.add(ApprovalDraft("after", .reconcile, in: playground), .denied, in: playground)
                try await stage.send(script)
                try await stage.check(within: .seconds(90))
                let results = try await stage.values(of: PlaygroundTopic.controlResults)
                #expect(results["stop-1"]?["control_position"]?.integer == 1)
                try await stage.expectReaderAgrees(cutoffs: [.all])
            }
        }

        @Test func withoutTheControlTopicNothingIsIssuedAndInputWaits() async throws {
            var options = PlaygroundOptions.stops
            options.stopViewMaximumAge = 1_500
            try await Self.run(options) { stage, worker in
                let playground = stage.playground
                try await Self.decide(ApprovalDraft("before", .reconcile, in: playground), .issued, on: stage)
                for (topic, outcome) in try await playground.admin.deleteTopics([PlaygroundTopic.control])
                where !outcome.isDone {
                    Issue.record("\(topic) was not deleted: \(outcome)")
                }
                try await stage.untilHolds(
                    "an old view",
                    "SELECT polled_at < clock_timestamp() - interval '1600 ms' FROM clawgrant.control_state")
                let before = try await playground.status().recordsCommitted
                var script = Script(playground)
                try script.add(ApprovalDraft("waits", .reconcile, in: playground), .issued, in: playground)
                try await stage.send(script)
                try await stage.untilLogged("a batch is held back", by: worker)
                #expect(try await playground.status().recordsCommitted == before)
                let again = TopicSpecification(name: PlaygroundTopic.control, partitions: 1, replicationFactor: 1)
                for (topic, outcome) in try await playground.admin.createTopics([again]) where !outcome.isDone {
                    Issue.record("\(topic) was not created: \(outcome)")
                }
                try await stage.check(within: .seconds(90))
            }
        }

        @Test func aLocalStopHaltsOneWorkerOnly() async throws {
            try await Stage.run(.stops) { stage in
                let playground = stage.playground
                let workers = try ["one", "two"].map { try playground.startWorker($0) }
                try await stage.untilAtWork(workers)
                #expect(FileManager.default.createFile(atPath: workers[0].stopFile, contents: nil))
                func held(by worker: PlaygroundWorker) -> String {
                    """
                    SELECT coalesce(sum(next_offset), 0)::text FROM clawgrant.input_partition
                    WHERE lease_owner LIKE '\(worker.name).%'
                    """
                }
                let halted = try await playground.query(held(by: workers[0])).string(0, 0)
                var script = Script(playground)
                try script.approve((0..<200).map { "m-\($0)" })
                script.scatter(copies: 1, partitions: 4, seed: 3) { _ in false }
                try await stage.send(script)
                try await stage.untilLogged("a batch is held back", by: workers[0])
                let partitions = try await playground.query(
                    """
                    SELECT partition::text FROM clawgrant.input_partition
                    WHERE lease_owner LIKE 'two.%' AND topic = '\(PlaygroundTopic.approvals)'
                    """)
                let theirs = try (0..<partitions.rowCount).map { try partitions.string($0, 0) }
                let expected = script.records.count { $0.partition.map { theirs.contains("\($0)") } ?? false }
                try await stage.until("the other worker to do its part") { $0.issued == expected }
                #expect(try await playground.query(held(by: workers[0])).string(0, 0) == halted)
                // A stop still goes through, whoever reads the control topic.
                try await stage.stop("stop-1", StopScope(kind: .agent, value: "did:web:other.northquay.example"))
                try await stage.untilPosition(1)
                try FileManager.default.removeItem(atPath: workers[0].stopFile)
                try await stage.check(within: .seconds(90))
            }
        }
    }
}
