import ClawWire
import DevStack
import GrantChecker
import GrantWorker
import Kafka
import Logging
import Playground
import Testing

/// A longer stream under batch signatures.
@Suite(.enabled(if: BrokerTools.find().has(.noida)), .timeLimit(.minutes(6)))
struct StreamTests {
    @Test func decidesAStreamUnderBatchSignatures() async throws {
        let playground = try await Playground.start()
        let worker = Worker(
            configuration: try playground.workerConfiguration(id: "in-process"), logger: Logger(label: "test"))
        let running = Task { try await worker.run() }
        do {
            let drafts = (0..<800).map { ApprovalDraft("s\($0)", .reconcile, in: playground) }
            for start in stride(from: 0, to: 800, by: 100) {
                try await playground.produce(
                    try ApprovalDraft.records(
                        Array(drafts[start..<(start + 100)]), signedTogetherBy: playground.keys.batchSigner))
            }
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            #expect(try await playground.status().issued == 800)
            #expect(try await playground.check().violations.map(\.description) == [])
        } catch {
            Issue.record(error)
        }
        worker.stop()
        _ = try? await running.value
        await playground.stop()
    }
}
