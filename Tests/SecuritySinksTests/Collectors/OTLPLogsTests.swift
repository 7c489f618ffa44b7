import ClawWire
import CollectorDoubles
import GrantWorker
import SecurityEvents
import SecuritySinks
import Testing

@Suite struct OTLPLogsTests {
    private static let token = "planted-otlp-bearer"

    private static func sink(
        _ double: OTLPDouble, answer: Duration = .seconds(60), _ change: (inout OTLPLogsSettings) -> Void = { _ in }
    ) -> OTLPLogsSink {
        var settings = OTLPLogsSettings(url: double.address)
        settings.deliveryEvents = 40
        settings.connection.answerTimeout = answer
        change(&settings)
        return OTLPLogsSink(name: "otel", settings)
    }

    @Test func recordsArriveInOrder() async throws {
        try await OTLPDouble.run { double in
            var run = SinkRun()
            try await run.drive(Self.sink(double), SinkBench.events(250))
            #expect(run.failures.isEmpty)
            #expect(double.received.sequences == Array(0..<250))
            #expect(double.received.repeats == 0)
            #expect(double.received.complaints.isEmpty)
            #expect(double.services == ["clawgrant"])
        }
    }

    @Test func whatACollectorRejectsIsSkippedAndCounted() async throws {
        try await OTLPDouble.run { double in
            double.faults.fail("/v1/logs", .rejected(3))
            var run = SinkRun()
            try await run.drive(Self.sink(double), SinkBench.events(100))
            #expect(run.skipped == Set(0..<40))
            let failure = try #require(run.failures.first)
            #expect(run.failures.count == 1)
            #expect(failure.description.contains("rejected 3 of the 40 events from 0 on"))
            // What was rejected is not sent again, and neither is what was taken with it.
            #expect(double.received.sequences == Array(3..<100))
            #expect(double.received.repeats == 0)
            expectClean(run.failures)
        }
    }

    @Test func theFaultsOfACollectorAreToldApart() async throws {
        try await OTLPDouble.run { double in
            func remedy(
                _ fault: OTLPDouble.Fault, answer: Duration = .seconds(60)
            ) async -> SinkFailure.Remedy? {
                double.faults.fail("/v1/logs", fault)
                let found = await failure(of: Self.sink(double, answer: answer), SinkBench.events(3))
                expectClean([found].compactMap(\.self))
                // A request that was given up before it arrived leaves its fault to the next.
                double.faults.heal()
                return found?.remedy
            }
            #expect(await remedy(.status(429, retryAfter: 11)) == .retry(after: .seconds(11)))
            #expect(await remedy(.status(503, retryAfter: 2)) == .retry(after: .seconds(2)))
            #expect(await remedy(.status(502)) == .retry(after: nil))
            #expect(await remedy(.silence, answer: .milliseconds(100)) == .retry(after: nil))
            #expect(await remedy(.answerLost) == .retry(after: nil))
            #expect(await remedy(.status(400)) == .misconfigured)
            #expect(await remedy(.status(404)) == .misconfigured)
            #expect(await remedy(.garbage) == .misconfigured)
            #expect(await failure(of: Self.sink(double), SinkBench.events(3)) == nil)
        }
    }

    @Test func aRequestThatIsTooLargeIsHalved() async throws {
        try await OTLPDouble.run { double in
            double.change { $0.maximumBytes = 8_000 }
            var run = SinkRun()
            try await run.drive(Self.sink(double), SinkBench.events(60))
            #expect(run.failures.isEmpty)
            #expect(double.received.sequences == Array(0..<60))
            double.change { $0.maximumBytes = 100 }
            #expect(await failure(of: Self.sink(double), SinkBench.events(1))?.remedy == .skip([SequenceNumber(0)]))
        }
    }

    @Test func aBearerTokenComesFromItsFile() async throws {
        let room = try SecretRoom()
        try await OTLPDouble.run { double in
            double.change { $0.token = Self.token }
            let file = try room.write("bearer", "planted-wrong")
            let sink = Self.sink(double) { $0.tokenFile = file }
            let wrong = try #require(await failure(of: sink, SinkBench.events(1)))
            #expect(wrong.remedy == .misconfigured)
            try room.write("bearer", Self.token + "\n")
            #expect(await failure(of: sink, SinkBench.events(1)) == nil)
            expectClean([wrong])
        }
    }

    @Test func hostileTextStaysText() async throws {
        try await OTLPDouble.run { double in
            var run = SinkRun()
            try await run.drive(Self.sink(double), [SinkBench.attack(at: 0)] + SinkBench.events(3).dropFirst())
            #expect(double.received.sequences == [0, 1, 2])
            let attributes = double.record(0)?["attributes"]?.array ?? []
            let request = attributes.first { $0["key"] == "claw.request_id" }
            #expect(request?["value"]?["stringValue"]?.string == "req\"}\n{")
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func faultsAllAlongLeaveNoGap(seed: UInt64) async throws {
        try await OTLPDouble.run { double in
            double.faults.failAtRandom(
                seed: seed, oneIn: 4,
                [.status(429, retryAfter: 0), .status(502), .status(503), .answerLost])
            var run = SinkRun()
            try await run.drive(Self.sink(double) { $0.deliveryEvents = 10 }, SinkBench.events(400))
            #expect(double.faults.fired > 2)
            #expect(run.skipped.isEmpty)
            #expect(double.received.sequences == Array(0..<400))
            #expect(double.received.complaints.isEmpty)
            expectClean(run.failures)
        }
    }
}
