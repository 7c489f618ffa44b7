import ClawWire
import CollectorDoubles
import GrantWorker
import Keys
import ReceiptLog
import SecureFront
import SecurityEvents
import SecuritySinks
import TestSupport
import Testing

@Suite struct SignalPushTests {
    @Test func everyRevocationIsPushedOnceAndNothingElse() async throws {
        let bench = try SignalBench()
        try await SignalReceiver.run { receiver in
            var run = SinkRun()
            try await run.drive(bench.push(receiver), SignalBench.mixed(90))
            #expect(run.failures.isEmpty)
            let sessions = receiver.claims.compactMap { $0["sub_id"]?["session"]?["jti"]?.string }
            #expect(Set(sessions) == Set(stride(from: 0, to: 90, by: 3).map { "jti-\($0)" }))
            #expect(receiver.requests == 30)
            #expect(receiver.repeats == 0)
            #expect(Set(receiver.claims.compactMap { $0["txn"]?.string }).count == 1)
        }
    }

    @Test func nothingIsAskedOfAReceiverWithoutARevocation() async throws {
        // The key has been withdrawn, and nobody is at the address.
        let bench = try SignalBench(state: .retired)
        let sink = SignalPushSink(
            name: "gateway", SignalPushSettings(url: "http://127.0.0.1:1", parties: SignalBench.parties),
            keys: bench.ring
        ) { Samples.noon }
        let others = SinkBench.events(40).filter { $0.receipt.content.kind != .revocation }
        #expect(await failure(of: sink, others) == nil)
        #expect(await failure(of: sink, [SignalBench.revocation(0)])?.remedy == .misconfigured)
    }

    @Test func anExpiredKeySignsNothing() async throws {
        let bench = try SignalBench(notAfter: Samples.noon)
        try await SignalReceiver.run { receiver in
            let expired = try #require(await failure(of: bench.push(receiver), [SignalBench.revocation(0)]))
            #expect(expired.remedy == .misconfigured)
            #expect(expired.description.contains("its period was over"))
            #expect(receiver.requests == 0)
        }
    }

    @Test func theAnswersOfAReceiverAreToldApart() async throws {
        let bench = try SignalBench()
        try await SignalReceiver.run { receiver in
            func remedy(
                _ fault: SignalReceiver.Fault, answer: Duration = .seconds(60)
            ) async -> SinkFailure.Remedy? {
                receiver.faults.fail("/ssf/events", fault)
                let found = await failure(
                    of: bench.push(receiver, answer: answer), [SignalBench.revocation(5)])
                expectClean([found].compactMap(\.self), secrets: ["eyJ"])
                // A request that was given up before it arrived leaves its fault to the next.
                receiver.faults.heal()
                return found?.remedy
            }
            #expect(await remedy(.status(429, retryAfter: 9)) == .retry(after: .seconds(9)))
            #expect(await remedy(.status(503)) == .retry(after: nil))
            #expect(await remedy(.silence, answer: .milliseconds(100)) == .retry(after: nil))
            #expect(await remedy(.answerLost) == .retry(after: nil))
            #expect(await remedy(.status(401)) == .misconfigured)
            #expect(await remedy(.status(404)) == .misconfigured)
            #expect(await remedy(.refused("invalid_request")) == .skip([SequenceNumber(5)]))
            for code in ["invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"]
            {
                #expect(await remedy(.refused(code)) == .misconfigured)
            }
            #expect(await remedy(.refused("planted\r\nx: y")) == .misconfigured)
            #expect(await failure(of: bench.push(receiver), [SignalBench.revocation(5)]) == nil)
            // What came again was the same token, byte for byte.
            #expect(receiver.tokens.count == 1 && receiver.repeats == 1)
            #expect(receiver.complaints.isEmpty)
        }
    }

    @Test func aTokenThatAReceiverRefusesIsSkippedAlone() async throws {
        let bench = try SignalBench()
        try await SignalReceiver.run { receiver in
            receiver.change { $0.refusedSessions = ["jti-3", "jti-12"] }
            var run = SinkRun()
            try await run.drive(bench.push(receiver), SignalBench.mixed(20))
            #expect(run.skipped == [3, 12])
            let sessions = receiver.claims.compactMap { $0["sub_id"]?["session"]?["jti"]?.string }
            #expect(Set(sessions) == ["jti-0", "jti-6", "jti-9", "jti-15", "jti-18"])
        }
    }

    @Test func aReceiverThatExpectsAnotherKeyOrAudienceIsMisconfigured() async throws {
        let bench = try SignalBench()
        try await SignalReceiver.run { receiver in
            let sink = bench.push(receiver)
            receiver.change { $0.audience = "https://elsewhere.example" }
            #expect(
                await failure(of: sink, [SignalBench.revocation(0)])?.description.contains("invalid_audience") == true)
            receiver.change { $0.keys = [] }
            #expect(await failure(of: sink, [SignalBench.revocation(0)])?.description.contains("invalid_key") == true)
        }
    }

    @Test func aBearerTokenComesFromItsFileOverTLS() async throws {
        let bench = try SignalBench()
        let certificates = try await TestCertificates.make(in: bench.room.directory)
        try await SignalReceiver.run(tls: .of(certificates)) { receiver in
            receiver.change { $0.token = "planted-receiver-bearer" }
            let file = try bench.room.write("bearer", "planted-wrong-bearer\n")
            let sink = bench.push(receiver) { settings in
                settings.tokenFile = file
                settings.connection.authorityFile = certificates.authority
            }
            let wrong = try #require(await failure(of: sink, [SignalBench.revocation(0)]))
            #expect(wrong.remedy == .misconfigured)
            expectClean([wrong])
            try bench.room.write("bearer", "planted-receiver-bearer\n")
            #expect(await failure(of: sink, [SignalBench.revocation(0)]) == nil)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func faultsAllAlongLeaveNoRevocationUntold(seed: UInt64) async throws {
        let bench = try SignalBench()
        try await SignalReceiver.run { receiver in
            receiver.faults.failAtRandom(
                seed: seed, oneIn: 8, [.status(429, retryAfter: 0), .status(500), .status(503), .answerLost])
            let sink = bench.push(receiver) { $0.deliveryEvents = 12 }
            var run = SinkRun()
            try await run.drive(sink, SignalBench.mixed(150))
            #expect(receiver.faults.fired > 2)
            #expect(run.skipped.isEmpty)
            let sessions = receiver.claims.compactMap { $0["sub_id"]?["session"]?["jti"]?.string }
            #expect(Set(sessions) == Set(stride(from: 0, to: 150, by: 3).map { "jti-\($0)" }))
            #expect(receiver.complaints.isEmpty)
        }
    }
}
