import ClawWire
import DevStack
import GrantChecker
import GrantWorker
import Kafka
import Logging
import Playground
import Testing

/// Vendors' records through one worker within the test's process.
@Suite(.enabled(if: BrokerTools.find().has(.noida)), .timeLimit(.minutes(6)))
struct VendorTests {
    private static func request(
        _ name: String, of approval: ApprovalID, in playground: Playground
    ) throws -> ProducerRecord {
        var request = RequestDraft(name, .ticketed, in: playground, at: .playgroundNow)
        request.approvalID = approval
        return try request.record(signedBy: playground.keys.requestSigner)
    }

    /// Each vendor's yes and no, everything twice and backwards, and the ends of what was approved.
    private static func records(_ playground: Playground) throws -> (first: [ProducerRecord], ends: [ProducerRecord]) {
        let past = Timestamp.playgroundNow.adding(seconds: -60)
        let change = ChangeDraft("CHG1", at: past).answered("approved", by: PlaygroundCast.ruth)
        let rejected = ChangeDraft("CHG2", at: past).answered("rejected", by: PlaygroundCast.ruth)
        let issue = IssueDraft("OPS-1", at: past).answered("approved", by: PlaygroundCast.ruth, PlaygroundCast.milan)
        let declined = IssueDraft("OPS-2", at: past).answered("declined", by: PlaygroundCast.milan)
        let deployment = DeploymentDraft(101, at: past)
        let stopped = DeploymentDraft(102, at: past)
        let activation = EntraActivation("vendor", at: past)
        var signals = RequestDraft("signals", .appAdmin, in: playground, at: .playgroundNow)
        signals.approvalID = activation.approvalID
        let first = [
            change.record, rejected.record, issue.record(), declined.record(),
            deployment.review("approved", by: PlaygroundCast.ruth), deployment.question(),
            stopped.review("rejected", by: PlaygroundCast.ruth), VendorDraft.slack(change.approvalID),
            activation.message([.requested, .routed, .approved, .completed]),
            try request("change", of: change.approvalID, in: playground),
            try request("rejected", of: rejected.approvalID, in: playground),
            try request("issue", of: issue.approvalID, in: playground),
            try request("declined", of: declined.approvalID, in: playground),
            try request("deployment", of: deployment.approvalID, in: playground),
            try request("stopped", of: stopped.approvalID, in: playground),
            try signals.record(signedBy: playground.keys.requestSigner),
        ]
        let ends = [
            change.canceled().record, issue.record(isDeleted: true),
            try VendorDraft.securityEvent(
                "set-1", "caep/event-type/credential-change", about: PlaygroundCast.ines,
                signedBy: playground.keys.signals),
            try VendorDraft.securityEvent(
                "set-2", "caep/event-type/credential-change", about: PlaygroundCast.ines,
                signedBy: playground.keys.gateway),
        ]
        return (first, ends)
    }

    @Test func vendorsRecordsAreDecidedAndRevoked() async throws {
        var options = PlaygroundOptions()
        options.vendors = [.serviceNow, .jsm, .gitHub, .slack, .sharedSignals]
        let playground = try await Playground.start(options)
        let worker = Worker(
            configuration: try playground.workerConfiguration(id: "in-process"), logger: Logger(label: "test"))
        let running = Task {
            do { try await worker.run() } catch {
                Issue.record(error)
                throw error
            }
        }
        do {
            let (first, ends) = try Self.records(playground)
            try await playground.produce(first + first.reversed())
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            var status = try await playground.status()
            #expect(status.issued == 4)
            #expect(status.denied == 3)
            try await playground.produce(ends + ends.prefix(3))
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            let report = try await playground.check()
            #expect(report.violations.map(\.description) == [])
            status = try await playground.status()
            #expect(status.issued == 4)
            #expect(report.counts.quarantined == 1)
            // The Security Event Token is about the one who asked for everything here.
            #expect(report.counts.revocations == 4)
        } catch {
            worker.stop()
            await playground.stop()
            running.cancel()
            throw error
        }
        worker.stop()
        try await running.value
        await playground.stop()
    }
}
