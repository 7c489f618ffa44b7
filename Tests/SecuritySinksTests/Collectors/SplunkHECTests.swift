import ClawWire
import CollectorDoubles
import Foundation
import GrantWorker
import SecurityEvents
import Testing

@testable import SecuritySinks

@Suite struct SplunkHECTests {
    private static let token = "planted-hec-0b2f6d1e-token"

    private static func sink(
        _ double: HECDouble, _ room: SecretRoom, token: String = token, timeout: Duration = .seconds(60),
        answer: Duration = .seconds(60), _ change: (inout SplunkHECSettings) -> Void = { _ in }
    ) throws -> SplunkHECSink {
        var settings = SplunkHECSettings(url: double.address, tokenFile: try room.write("hec", token + "\n"))
        settings.target.index = "claw"
        settings.longestPollInterval = .milliseconds(20)
        settings.requestBytes = 20_000
        settings.deliveryEvents = 100
        settings.connection.answerTimeout = answer
        change(&settings)
        return SplunkHECSink(name: "splunk", settings, timeout: timeout)
    }

    @Test func everyEventIsConfirmedByTheIndexers() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.change { $0.pollsBeforeConfirmation = 3 }
            var run = SinkRun()
            try await run.drive(try Self.sink(double, room), SinkBench.events(250))
            #expect(run.failures.isEmpty)
            #expect(double.received.sequences == Array(0..<250))
            #expect(double.received.repeats == 0)
            #expect(double.received.complaints.isEmpty)
            #expect(double.requests > 3 && double.compressedRequests == double.requests)
            #expect(double.channels == 1)
        }
    }

    @Test func withoutAcknowledgementTheAnswerCounts() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.change { $0.acknowledges = false }
            var run = SinkRun()
            let sink = try Self.sink(double, room) {
                $0.awaitsAcknowledgement = false
                $0.connection.compresses = false
            }
            try await run.drive(sink, SinkBench.events(30))
            #expect(double.received.sequences == Array(0..<30))
            #expect(double.compressedRequests == 0)
        }
    }

    @Test(arguments: [true, false]) func anEventThatIsRefusedIsSkippedAlone(isNamed: Bool) async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.change { settings in
                settings.poison = [0, 41, 42, 119]
                settings.namesInvalidEvents = isNamed
            }
            var run = SinkRun()
            try await run.drive(try Self.sink(double, room), SinkBench.events(120))
            #expect(run.skipped == [0, 41, 42, 119])
            #expect(double.received.sequences == (0..<120).filter { !run.skipped.contains($0) })
            #expect(double.received.complaints.isEmpty)
            #expect(run.failures.map(\.remedy) == [0, 41, 42, 119].map { .skip([SequenceNumber($0)]) })
            expectClean(run.failures, secrets: [Self.token])
        }
    }

    @Test func aRequestThatIsTooLongIsHalved() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.change { $0.maximumBytes = 9_000 }
            var run = SinkRun()
            try await run.drive(try Self.sink(double, room), SinkBench.events(60))
            #expect(run.failures.isEmpty)
            #expect(double.received.sequences == Array(0..<60))
            double.change { $0.maximumBytes = 100 }
            let sink = try Self.sink(double, room)
            #expect(await failure(of: sink, SinkBench.events(2))?.remedy == .skip([SequenceNumber(0)]))
        }
    }

    @Test func theFaultsOfACollectorAreToldApart() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            let events = SinkBench.events(5)
            func expect(
                _ fault: HECDouble.Fault, _ remedy: SinkFailure.Remedy, answer: Duration = .seconds(60)
            ) async throws {
                double.faults.fail("/collector/event", fault)
                let found = try await failure(of: Self.sink(double, room, answer: answer), events)
                expectClean([found].compactMap(\.self), secrets: [Self.token])
                #expect(found?.remedy == remedy, "\(fault)")
                // A request that was given up before it arrived leaves its fault to the next.
                double.faults.heal()
            }
            try await expect(.busy(retryAfter: 7), .retry(after: .seconds(7)))
            try await expect(.busy(), .retry(after: nil))
            try await expect(.internalError, .retry(after: nil))
            try await expect(.silence, .retry(after: nil), answer: .milliseconds(100))
            try await expect(.answerLost, .retry(after: nil))
            try await expect(.restart, .retry(after: nil))
            try await expect(.garbage, .misconfigured)
            try await expect(.redirect, .misconfigured)
            let sink = try Self.sink(double, room)
            #expect(await failure(of: sink, events) == nil)
        }
    }

    @Test func whatAnAdministratorMustMendIsMisconfigured() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            let events = SinkBench.events(3)
            @discardableResult
            func expectMisconfigured(_ change: (inout HECDouble.Settings) -> Void) async throws -> SinkFailure? {
                double.change { $0 = HECDouble.Settings() }
                double.change(change)
                let found = try await failure(of: Self.sink(double, room), events)
                expectClean([found].compactMap(\.self), secrets: [Self.token])
                #expect(found?.remedy == .misconfigured)
                return found
            }
            try await expectMisconfigured { $0.token = "another" }
            try await expectMisconfigured { $0.isEnabled = false }
            try await expectMisconfigured { $0.indexes = ["main"] }
            let unconfirmed = try await expectMisconfigured { $0.acknowledges = false }
            #expect(unconfirmed?.description.contains("acknowledgement") == true)
            #expect(double.received.complaints.isEmpty)
        }
    }

    @Test func aBatchThatNoIndexerConfirmsIsSentAgainOnAnotherChannel() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.faults.fail("/collector/event", .indexerLost)
            let sink = try Self.sink(double, room, timeout: .milliseconds(400))
            var run = SinkRun()
            try await run.drive(sink, SinkBench.events(10))
            #expect(run.failures.first?.description.contains("not confirmed by the indexers in time") == true)
            #expect(double.received.sequences == Array(0..<10))
            #expect(double.channels > 1)
        }
    }

    @Test func aLostAnswerAboutAcknowledgementsIsAskedForAgain() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.change { $0.pollsBeforeConfirmation = 1 }
            double.faults.fail("/collector/ack", .busy(), .internalError)
            var run = SinkRun()
            try await run.drive(try Self.sink(double, room, timeout: .seconds(300)), SinkBench.events(10))
            #expect(run.failures.isEmpty)
            #expect(double.received.repeats == 0)
        }
    }

    @Test func cancellationEndsTheWaitForAcknowledgements() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.faults.fail("/collector/event", .indexerLost)
            let sink = try Self.sink(double, room, timeout: .seconds(600))
            let delivery = Task { await failure(of: sink, SinkBench.events(1)) }
            while double.requests == 0 { await Task.yield() }
            delivery.cancel()
            #expect(await delivery.value?.remedy == .retry(after: nil))
        }
    }

    @Test func aChangedTokenIsInForceAtOnce() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            let sink = try Self.sink(double, room, token: "wrong")
            let events = SinkBench.events(1)
            #expect(await failure(of: sink, events)?.remedy == .misconfigured)
            try room.write("hec", Self.token)
            #expect(await failure(of: sink, events) == nil)
            try room.write("hec", Self.token, mode: 0o644)
            let open = try #require(await failure(of: sink, events))
            #expect(open.remedy == .misconfigured)
            #expect(open.description.contains("chmod 600"))
            try room.write("hec", "two\r\nx-injected: 1")
            #expect(await failure(of: sink, events)?.remedy == .misconfigured)
            expectClean([open], secrets: [Self.token])
            #expect(!"\(Credential(text: Self.token))".contains("planted"))
            var dumped = ""
            dump(Credential(text: Self.token), to: &dumped)
            #expect(!dumped.contains("planted"))
        }
    }

    @Test func hostileTextStaysText() async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            let events =
                SinkBench.events(3) + [SinkBench.attack(at: 3)] + [
                    SinkBench.event(SinkBench.events(1)[0].receipt, at: 4)
                ]
            var run = SinkRun()
            try await run.drive(try Self.sink(double, room), events)
            #expect(double.received.sequences == Array(0..<5))
            #expect(double.event(3)?["event"]?["status_detail"]?.string == SinkBench.hostile)
            #expect(double.received.complaints.isEmpty)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func faultsAllAlongLeaveNoGap(seed: UInt64) async throws {
        let room = try SecretRoom()
        try await HECDouble.run { double in
            double.change { settings in
                settings.pollsBeforeConfirmation = 1
                settings.poison = [77, 300]
            }
            double.faults.failAtRandom(
                seed: seed, oneIn: 5,
                [.busy(), .busy(retryAfter: 0), .internalError, .answerLost, .indexerLost, .restart])
            let sink = try Self.sink(double, room, timeout: .milliseconds(500)) {
                $0.deliveryEvents = 40
            }
            var run = SinkRun()
            try await run.drive(sink, SinkBench.events(400))
            #expect(double.faults.fired > 5)
            #expect(run.skipped == [77, 300])
            #expect(double.received.sequences == (0..<400).filter { $0 != 77 && $0 != 300 })
            #expect(double.received.complaints.isEmpty)
            expectClean(run.failures, secrets: [Self.token])
        }
    }
}
