import ClawWire
import CollectorDoubles
import GrantLedger
import GrantWorker
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// The worker's own driver over collectors that fail all along.
@Suite("Driving collectors", .timeLimit(.minutes(5)))
struct DrivenCollectorsTests {
    @Test("Whatever each collector does, it ends with every number but the one that it refuses")
    func faultsAllAlong() async throws {
        let room = try SecretRoom()
        let signals = try SignalBench()
        let count = 240
        let log = try PaperLog(receipts: count - 8)
        try log.append((0..<8).map { SignalBench.revocation($0).receipt })
        try await HECDouble.run { hec in
            hec.change { $0.poison = [77] }
            hec.faults.failAtRandom(seed: 4, oneIn: 5, [.busy(), .internalError, .answerLost, .restart])
            var splunk = SplunkHECSettings(
                url: hec.address, tokenFile: try room.write("hec", "planted-hec-0b2f6d1e-token"))
            splunk.deliveryEvents = 20
            let hecSink = SplunkHECSink(name: "splunk", splunk, timeout: .seconds(20))
            try await IngestionDouble.run { ingestion in
                ingestion.faults.failAtRandom(
                    seed: 5, oneIn: 5, [.status(429, retryAfter: 0), .status(503), .answerLost, .tokensRevoked])
                var sentinel = LogsIngestionSettings(
                    endpoint: ingestion.address, ruleID: IngestionDouble.ruleID, stream: IngestionDouble.stream,
                    tenant: IngestionDouble.tenant, clientID: IngestionDouble.clientID,
                    proof: .secret(file: try room.write("client", "planted-client-secret-7f1c")))
                sentinel.authority = ingestion.address
                sentinel.deliveryEvents = 20
                let ingestionSink = LogsIngestionSink(name: "sentinel", sentinel)
                try await SignalReceiver.run { receiver in
                    receiver.faults.failAtRandom(seed: 6, oneIn: 3, [.status(503), .answerLost])
                    let push = signals.push(receiver)
                    var bench = DriverBench(log: log)
                    bench.patience.failuresBeforeFinding = 1_000
                    bench.limit = .seconds(240)
                    try await bench.drive([hecSink, ingestionSink, push], until: "every event at every collector") {
                        ["splunk", "sentinel", "gateway"].allSatisfy { (log.sink($0)?.next ?? 0) >= Int64(count) }
                    }
                    let numbers = 0..<Int64(count)
                    #expect(hec.received.sequences.filter(numbers.contains) == numbers.filter { $0 != 77 })
                    #expect(ingestion.received.sequences.filter(numbers.contains) == Array(numbers))
                    #expect(Set(receiver.claims.compactMap { $0["sub_id"]?["session"]?["jti"]?.string }).count == 8)
                    #expect(hec.faults.fired > 0 && ingestion.faults.fired > 0 && receiver.faults.fired > 0)
                    #expect(hec.received.complaints.isEmpty && receiver.complaints.isEmpty)
                    // The gap at one collector is told to all of them.
                    #expect(try log.findings.contains { $0.finding.code == "SECURITY_EVENTS_SKIPPED" })
                }
            }
        }
    }
}
