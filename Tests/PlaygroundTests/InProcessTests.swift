import ClawWire
import DevStack
import GrantChecker
import GrantWorker
import Kafka
import Logging
import Playground
import Testing

/// One worker within the test's process, against a private database and broker.
@Suite(.enabled(if: PrivateBroker.Kind.allCases.allSatisfy(BrokerTools.find().has)), .timeLimit(.minutes(6)))
struct InProcessTests {
    @Test(arguments: PrivateBroker.Kind.allCases) func decidesApprovals(broker: PrivateBroker.Kind) async throws {
        var options = PlaygroundOptions()
        options.broker = broker
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
            var drafts = (0..<20).map { ApprovalDraft("a\($0)", .reconcile, in: playground) }
            drafts.append(ApprovalDraft("run", .agentRun, in: playground))
            var records = try drafts.map { try $0.record(signedBy: playground.keys.eventSigner) }
            records += try ApprovalDraft.records(
                (0..<20).map { ApprovalDraft("b\($0)", .reconcile, in: playground) },
                signedTogetherBy: playground.keys.batchSigner)
            records.append(records[0])
            records.append(
                try ApprovalDraft("no", .reconcile, in: playground).denied().record(
                    signedBy: playground.keys.eventSigner))
            for broken in BrokenRecord.allCases { records.append(try broken.record("x", in: playground)) }
            let activation = EntraActivation("one", at: .playgroundNow.adding(seconds: -60))
            records.append(activation.message([.requested, .routed, .approved, .completed]))
            var request = RequestDraft("entra", .appAdmin, in: playground, at: .playgroundNow)
            request.approvalID = activation.approvalID
            records.append(try request.record(signedBy: playground.keys.requestSigner))
            try await playground.produce(records)
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            let status = try await playground.status()
            #expect(status.issued == 42)
            #expect(status.denied == 1)
            let report = try await playground.check()
            #expect(report.violations.map(\.description) == [])
            #expect(report.isPass)
            #expect(report.counts.issued == 42)
            #expect(report.counts.quarantined == BrokenRecord.allCases.count)
            #expect(report.counts.tokensOpened == 42)
            #expect(report.counts.inputRepeats == 1)
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
