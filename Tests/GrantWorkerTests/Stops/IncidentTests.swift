import ApprovalSources
import ClawWire
import DevStack
import GrantChecker
import IssuanceRules
import Kafka
import Playground
import Testing

extension StopTests {
    /// Incidents and alerts of vendors stop issuance, and nothing that the vendor says afterwards lets it go on.
    @Suite struct IncidentTests {
        private static func send(
            _ records: [ProducerRecord] = [], _ drafts: [(ApprovalDraft, Script.Outcome)] = [], revoked: Int = 0,
            on stage: Stage
        ) async throws {
            var script = Script(stage.playground)
            for record in records { script.ignore(record) }
            for (draft, outcome) in drafts { try script.add(draft, outcome, in: stage.playground) }
            script.expectRevoked(revoked)
            try await stage.send(script)
            try await stage.untilSettled()
        }

        @Test(arguments: [PlaygroundVendor.pagerDuty, .opsgenie]) func anIncidentIsALine(
            vendor: PlaygroundVendor
        ) async throws {
            var options = PlaygroundOptions.stops
            options.vendors = [vendor]
            try await Stage.run(options) { stage in
                let playground = stage.playground
                let worker = try playground.startWorker("one")
                try await stage.untilAtWork([worker])
                let tags = [PlaygroundVendor.stoppingTag, "job_class:\(PlaygroundClass.reconcile.rawValue)"]
                let (harmless, incident, end): (ProducerRecord, ProducerRecord, ProducerRecord) =
                    vendor == .pagerDuty
                    ? (
                        VendorDraft.pagerDuty("P0", service: "POTHER"), VendorDraft.pagerDuty("P1"),
                        VendorDraft.pagerDuty("P1", "incident.resolved")
                    )
                    : (
                        VendorDraft.opsgenie("P0", tags: ["oncall"]), VendorDraft.opsgenie("P1", tags: tags),
                        VendorDraft.opsgenie("P1", "Close", tags: tags)
                    )
                try await Self.send(
                    [harmless], [(ApprovalDraft("before", .reconcile, in: playground), .issued)], on: stage)
                try await Self.send([incident, incident], revoked: 1, on: stage)
                try await stage.untilPosition(1)
                try await Self.send([], [(ApprovalDraft("during", .reconcile, in: playground), .denied)], on: stage)
                try await Self.send([end, end], on: stage)
                try await Self.send(
                    [],
                    [
                        (ApprovalDraft("after", .reconcile, in: playground), .denied),
                        (ApprovalDraft("elsewhere", .agentRun, in: playground), .issued),
                    ], on: stage)
                try await stage.untilSwept()
                let report = try await stage.check()
                #expect(report.counts.stops == 1)
                #expect(try await stage.decisions()["req-elsewhere"] == "granted")
                let stops = try await stage.values(of: PlaygroundTopic.controlResults).values
                #expect(stops.compactMap { $0["stop_id"]?.string } == ["\(vendor.rawValue)/P1"])
            }
        }

        @Test func aSourceThatMayNotStopStopsNothing() async throws {
            var options = PlaygroundOptions.stops
            options.vendors = [.slack]
            try await Stage.run(options) { stage in
                let worker = try stage.playground.startWorker("one")
                try await stage.untilAtWork([worker])
                var record = VendorDraft.pagerDuty("P1")
                record.topic = PlaygroundVendor.slack.topic
                var script = Script(stage.playground)
                script.poison(record)
                try await stage.send(script)
                try await Self.send(
                    [], [(ApprovalDraft("after", .reconcile, in: stage.playground), .issued)], on: stage)
                #expect(try await stage.check().counts.stops == 0)
            }
        }
    }
}
