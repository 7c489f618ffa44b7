import ClawWire
import Foundation
import IssuanceRules
import Kafka
import Logging
import Primitives
import Testing

@testable import GrantWorker

/// Where WPCs come from, and what becomes of a source that fails.
@Suite struct PolicyCacheTests {
    /// A source that gives its answers one after the other, the last for ever.
    private final class Script: PolicySource {
        let name = "script"
        private let answers: Lock<[@Sendable () async throws -> [UInt8]?]>

        init(_ answers: [@Sendable () async throws -> [UInt8]?]) { self.answers = Lock(answers) }

        func envelope(of hash: Digest) async throws -> [UInt8]? {
            let answer = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            return try await answer()
        }
    }

    private struct Paper {
        let hash: Digest
        let envelope: [UInt8]

        init(_ id: String) throws {
            let contract = try WorkPolicyContract([
                "policy_version": "1", "policy_id": .string(id), "issuer_did": "did:web:claw.example",
            ])
            hash = contract.policyHash
            envelope = JSONWriter.bytes(
                try WPCEnvelope.sign(contract, signer: PlanFixture.eventKey, issuedAt: PlanFixture.now).json)
        }
    }

    private static let logger = Logger(label: "policies") { _ in SwiftLogNoOpLogHandler() }

    private static func cache(
        _ sources: any PolicySource..., patience: Duration = .seconds(60)
    ) -> PolicyCache {
        PolicyCache(
            sources: sources, signers: [PlanFixture.eventKey.publicKey], retryInterval: .zero, patience: patience,
            logger: logger)
    }

    private static func answer(_ status: Int, _ body: String = "") -> @Sendable () async throws -> [UInt8]? {
        { JSONWriter.bytes(try WPCRegistry.envelope(status: status, body: Array(body.utf8))) }
    }

    private static func isAvailable(_ cache: PolicyCache, _ hash: Digest) -> Bool {
        if case .available = cache.known()[hash] { true } else { false }
    }

    private static func isUnavailable(_ cache: PolicyCache, _ hash: Digest) -> Bool {
        if case .unavailable = cache.known()[hash] { true } else { false }
    }

    @Test(arguments: [(500, ""), (503, ""), (429, ""), (200, "<html>"), (200, "[]")])
    func aRegistryThatFailsIsWaitedForAndAskedAgain(_ status: Int, _ body: String) async throws {
        let paper = try Paper("p1")
        let cache = Self.cache(Script([Self.answer(status, body), { paper.envelope }]))
        await cache.load([paper.hash])
        #expect(Self.isUnavailable(cache, paper.hash))
        await cache.load([paper.hash])
        #expect(Self.isAvailable(cache, paper.hash))
    }

    @Test func aRequestOutlivesAFailureOfTheRegistry() async throws {
        let paper = try Paper("p1")
        let cache = Self.cache(Script([Self.answer(503), { paper.envelope }]))
        var fixture = try PlanFixture()
        await cache.load([paper.hash])
        fixture.policies = cache.known()
        var ledger = PaperLedger(fixture)
        var answer = Answer.contained("a", "bound")
        answer.ask?.policy = paper.hash
        #expect(try ledger.deliver([try answer.record()]).waiting == 1)
        await cache.load([paper.hash])
        ledger.fixture.policies = cache.known()
        ledger.now = PlanFixture.now.adding(seconds: 3)
        #expect(try ledger.sweep().issued == 1)
    }

    @Test func oneBadSourceHidesNoGoodOne() async throws {
        let paper = try Paper("p1")
        let bad = Script([{ Array("{}".utf8) }])
        let good = Script([{ paper.envelope }])
        let mended = Self.cache(bad, good)
        await mended.load([paper.hash])
        #expect(Self.isAvailable(mended, paper.hash))
        let refused = Self.cache(bad, Script([{ nil }]))
        await refused.load([paper.hash])
        guard case .invalid(let code, _) = refused.known()[paper.hash] else {
            Issue.record("an envelope that does not stand is not refused")
            return
        }
        #expect(code == "WPC_ENVELOPE_INVALID")
    }

    @Test func aSlowSourceHoldsNothingBackAndIsHeardWhenItAnswers() async throws {
        let (slow, quick) = (try Paper("slow"), try Paper("quick"))
        let (gate, opened) = AsyncStream<Void>.makeStream()
        final class Two: PolicySource {
            let name = "two"
            let slow: Digest
            let answers: [Digest: [UInt8]]
            let gate: AsyncStream<Void>
            init(_ slow: Digest, _ answers: [Digest: [UInt8]], _ gate: AsyncStream<Void>) {
                self.slow = slow
                self.answers = answers
                self.gate = gate
            }
            func envelope(of hash: Digest) async throws -> [UInt8]? {
                if hash == slow { for await _ in gate { break } }
                return answers[hash]
            }
        }
        let source = Two(slow.hash, [slow.hash: slow.envelope, quick.hash: quick.envelope], gate)
        let cache = Self.cache(source, patience: .milliseconds(50))
        await cache.load([slow.hash, quick.hash])
        #expect(Self.isUnavailable(cache, slow.hash))
        #expect(Self.isAvailable(cache, quick.hash))
        opened.yield()
        while !Self.isAvailable(cache, slow.hash) { await cache.load([slow.hash]) }
    }

    @Test func aDirectoryIsReadAgainForWhatItHadNot() async throws {
        let path = NSTemporaryDirectory() + "policies-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let paper = try Paper("p1")
        let source = DirectoryPolicySource(path: path)
        try Data("no JSON".utf8).write(to: URL(fileURLWithPath: path + "/a.json"))
        #expect(try await source.envelope(of: paper.hash) == nil)
        try Data(paper.envelope).write(to: URL(fileURLWithPath: path + "/b.json"))
        #expect(try await source.envelope(of: paper.hash) == paper.envelope)
    }

    @Test func aTopicKeepsTheNewestOfAKeyAndForgetsWhatIsTakenAway() async throws {
        let configuration = KafkaConfiguration(["bootstrap.servers": "127.0.0.1:1"])
        let admin = try KafkaAdmin(configuration: configuration, log: Self.logger.kafka)
        let source = TopicPolicySource(
            topic: "wpcs", configuration: configuration, admin: admin, logger: Self.logger)
        let (one, two) = (Digest(hashing: "1"), Digest(hashing: "2"))
        let key = Array(one.b64u.utf8)
        source.take([(key, [1]), (Array("no hash".utf8), [9]), (nil, [9])], capacity: 1)
        #expect(try await source.envelope(of: one) == [1])
        source.take([(key, [2]), (Array(two.b64u.utf8), [3])], capacity: 1)
        #expect(try await source.envelope(of: one) == [2])
        #expect(try await source.envelope(of: two) == nil)
        source.take([(key, nil), (Array(two.b64u.utf8), [3])], capacity: 1)
        #expect(try await source.envelope(of: one) == nil)
        #expect(try await source.envelope(of: two) == [3])
        await admin.close(deadline: .seconds(2))
    }
}
