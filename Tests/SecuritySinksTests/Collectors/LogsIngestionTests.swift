import ClawWire
import CollectorDoubles
import GrantWorker
import GraphConfirmation
import GraphDouble
import SecurityEvents
import SecuritySinks
import Testing

@Suite struct LogsIngestionTests {
    private static let secret = "planted-client-secret-7f1c"

    private static func sink(
        _ double: IngestionDouble, _ room: SecretRoom, proof: LogsIngestionSettings.Proof? = nil,
        answer: Duration = .seconds(60), _ change: (inout LogsIngestionSettings) -> Void = { _ in }
    ) throws -> LogsIngestionSink {
        var settings = LogsIngestionSettings(
            endpoint: double.address, ruleID: IngestionDouble.ruleID, stream: IngestionDouble.stream,
            tenant: IngestionDouble.tenant, clientID: IngestionDouble.clientID,
            proof: try proof ?? .secret(file: try room.write("client", secret + "\n")))
        settings.authority = double.address
        settings.deliveryEvents = 100
        settings.connection.answerTimeout = answer
        change(&settings)
        return LogsIngestionSink(name: "sentinel", settings)
    }

    @Test func rowsArriveInOrderOnOneToken() async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            var run = SinkRun()
            let sink = try Self.sink(double, room) { $0.requestBytes = 30_000 }
            try await run.drive(sink, SinkBench.events(250))
            #expect(run.failures.isEmpty)
            #expect(double.received.sequences == Array(0..<250))
            #expect(double.received.repeats == 0)
            #expect(double.received.complaints.isEmpty)
            #expect(double.tokenRequests == 1)
            #expect(double.calls > 3)
        }
    }

    @Test(arguments: [ClientAlgorithm.ps256, .rs256]) func aCertificateProvesTheApplication(
        algorithm: ClientAlgorithm
    ) async throws {
        let room = try SecretRoom()
        let certificate = try TestCertificate()
        let files = CollectorConnection.Certificate(
            certificateFile: try room.write("app.crt", certificate.certificate, mode: 0o644),
            keyFile: try room.write("app.key", certificate.privateKey))
        try await IngestionDouble.run { double in
            double.change { $0.proof = .certificate(der: certificate.der, key: certificate.privateKey) }
            let sink = try Self.sink(double, room, proof: .certificate(files, algorithm.value))
            #expect(await failure(of: sink, SinkBench.events(3)) == nil)
            #expect(double.received.sequences == [0, 1, 2])
            // Another key than the certificate's, and a file that others can read.
            let other = try TestCertificate()
            try room.write("app.key", other.privateKey)
            let fresh = try Self.sink(double, room, proof: .certificate(files, algorithm.value))
            let foreign = try #require(await failure(of: fresh, SinkBench.events(1)))
            try room.write("app.key", certificate.privateKey, mode: 0o640)
            let open = try #require(await failure(of: fresh, SinkBench.events(1)))
            #expect(foreign.remedy == .misconfigured && open.remedy == .misconfigured)
            expectClean([foreign, open], secrets: ["PRIVATE KEY"])
        }
    }

    enum ClientAlgorithm: Sendable {
        case ps256
        case rs256
        var value: ClientCertificate.Algorithm { self == .ps256 ? .ps256 : .rs256 }
    }

    @Test func aTokenThatEndsBeforeItsTimeIsReplacedWithoutAFailure() async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            let sink = try Self.sink(double, room)
            #expect(await failure(of: sink, SinkBench.events(2)) == nil)
            double.faults.fail("/dataCollectionRules", .tokensRevoked)
            #expect(await failure(of: sink, SinkBench.events(4)) == nil)
            #expect(double.tokenRequests == 2)
            #expect(double.received.sequences == [0, 1, 2, 3])
            double.change { $0.tokenLife = 0 }
            double.faults.fail("/dataCollectionRules", .tokensRevoked)
            #expect(await failure(of: sink, SinkBench.events(1))?.remedy == .misconfigured)
        }
    }

    @Test func theFaultsOfTheServiceAreToldApart() async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            let events = SinkBench.events(5)
            func expect(
                _ path: String, _ fault: IngestionDouble.Fault, _ remedy: SinkFailure.Remedy,
                answer: Duration = .seconds(60)
            ) async throws {
                double.faults.fail(path, fault)
                let found = try await failure(of: Self.sink(double, room, answer: answer), events)
                expectClean([found].compactMap(\.self), secrets: [Self.secret] + double.tokens)
                #expect(found?.remedy == remedy, "\(path) \(fault)")
                // A request that was given up before it arrived leaves its fault to the next.
                double.faults.heal()
            }
            for path in ["/dataCollectionRules", "/oauth2/"] {
                try await expect(path, .status(429, retryAfter: 30), .retry(after: .seconds(30)))
                try await expect(path, .status(500), .retry(after: nil))
                try await expect(path, .status(503), .retry(after: nil))
                try await expect(path, .silence, .retry(after: nil), answer: .milliseconds(100))
                try await expect(path, .answerLost, .retry(after: nil))
                try await expect(path, .status(400), .misconfigured)
                try await expect(path, .status(403), .misconfigured)
            }
            try await expect("/oauth2/", .garbage, .misconfigured)
            double.change { $0.isAdmitted = false }
            let sink = try Self.sink(double, room)
            let refused = try #require(await failure(of: sink, events))
            #expect(refused.description.contains("Monitoring Metrics Publisher"))
            let elsewhere = try Self.sink(double, room) { $0.stream = "Custom-Other_CL" }
            double.change { $0.isAdmitted = true }
            #expect(await failure(of: elsewhere, events)?.remedy == .misconfigured)
        }
    }

    @Test func aWrongSecretIsMisconfiguredAndNeverShown() async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            let sink = try Self.sink(double, room)
            try room.write("client", "planted-wrong-secret")
            // The endpoint repeats in its description what it was sent.
            let wrong = try #require(await failure(of: sink, SinkBench.events(1)))
            #expect(wrong.remedy == .misconfigured)
            #expect(wrong.description.contains("invalid_client"))
            expectClean([wrong])
            try room.write("client", Self.secret)
            #expect(await failure(of: sink, SinkBench.events(1)) == nil)
        }
    }

    @Test func aCallThatIsTooLargeIsHalvedDownToTheRowThatIs() async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            double.change { $0.oversized = [13, 59] }
            var run = SinkRun()
            try await run.drive(try Self.sink(double, room), SinkBench.events(60))
            #expect(run.skipped == [13, 59])
            #expect(double.received.sequences == (0..<60).filter { $0 != 13 && $0 != 59 })
            #expect(double.received.complaints.isEmpty)
        }
    }

    @Test func hostileTextStaysText() async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            var run = SinkRun()
            try await run.drive(
                try Self.sink(double, room), [SinkBench.attack(at: 0)] + SinkBench.events(3).dropFirst())
            #expect(double.row(0)?["Raw"]?["status_detail"]?.string == SinkBench.hostile)
            #expect(double.received.sequences == [0, 1, 2])
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func faultsAllAlongLeaveNoGap(seed: UInt64) async throws {
        let room = try SecretRoom()
        try await IngestionDouble.run { double in
            double.change { $0.oversized = [100] }
            double.faults.failAtRandom(
                seed: seed, oneIn: 4,
                [.status(429, retryAfter: 0), .status(500), .status(503), .answerLost, .tokensRevoked])
            let sink = try Self.sink(double, room) {
                $0.deliveryEvents = 40
                $0.requestBytes = 20_000
            }
            var run = SinkRun()
            try await run.drive(sink, SinkBench.events(400))
            #expect(double.faults.fired > 5)
            #expect(run.skipped == [100])
            #expect(double.received.sequences == (0..<400).filter { $0 != 100 })
            #expect(double.received.complaints.isEmpty)
            expectClean(run.failures, secrets: [Self.secret])
        }
    }
}
