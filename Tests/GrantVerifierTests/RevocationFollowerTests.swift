import ClawWire
import GrantVerifier
import Kafka
import Primitives
import ReceiptLog
import Testing

struct RevocationFollowerTests {
    /// A mock cluster with a revocations topic, and a publisher of it.
    private struct Topic {
        let cluster: MockKafkaCluster
        let name = "claw.revocations.v1"
        let producer: KafkaProducer

        init(partitions: Int32? = 1) throws {
            cluster = try MockKafkaCluster()
            if let partitions { try cluster.createTopic(name, partitions: partitions) }
            producer = try KafkaProducer(
                configuration: KafkaConfiguration([
                    "bootstrap.servers": cluster.bootstrapServers, "linger.ms": "0",
                ]))
        }

        func write(_ records: [RevocationTopicRecord]) async throws {
            try await producer.send(
                records.map { record in
                    let sequence = record.sequence.map {
                        KafkaHeader(name: "claw_seq", value: Array(String($0.value).utf8))
                    }
                    return ProducerRecord(
                        topic: name, partition: 0, key: record.key, value: record.value,
                        headers: [KafkaHeader(name: "content-type", value: nil)] + (sequence.map { [$0] } ?? []))
                })
        }

        func follower(
            limits: RevocationLimits = RevocationLimits(),
            report: @escaping @Sendable (RevocationFollower.Event) -> Void = { _ in }
        ) -> RevocationFollower {
            RevocationFollower(
                // The mock does not wake a waiting fetch.
                kafka: KafkaConfiguration([
                    "bootstrap.servers": cluster.bootstrapServers, "fetch.wait.max.ms": "10",
                    "reconnect.backoff.max.ms": "200",
                ]),
                settings: RevocationFollower.Settings(
                    topic: name, logID: Samples.logID, logKeys: [Samples.log.publicKey], limits: limits,
                    batchRecords: 7, retryDelay: .milliseconds(20)),
                report: report)
        }
    }

    /// Runs a follower beside a body, and ends it.
    private func following<Result>(
        _ follower: RevocationFollower, _ body: () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await follower.run() }
        defer { task.cancel() }
        return try await body()
    }

    private func token(_ n: Int) -> TokenHash { TokenHash(Digest(hashing: "token \(n)")) }

    private func revocations(_ range: Range<Int>) -> [RevocationTopicRecord] {
        range.map { Samples.revocation(token($0).digest, Int64($0)) }
    }

    @Test(.timeLimit(.minutes(2))) func itLoadsTheTopicAndKeepsUp() async throws {
        let topic = try Topic()
        try await topic.write(revocations(0..<100) + [try Samples.head(100, tokens: 100)])
        let follower = topic.follower()
        #expect(follower.state.defect == .notLoaded)
        try await following(follower) {
            let loaded = try await follower.loaded()
            #expect(loaded.live.tokens == 100)
            #expect(loaded.loadedThrough == SequenceNumber(100))
            try await topic.write([
                Samples.topic(Samples.cutoff(.all, before: Samples.noon.adding(seconds: 1)), 100),
                Samples.tombstone(.token(token(0).digest), 101),
                try Samples.head(
                    102, asOf: Samples.noon.adding(seconds: 5), position: 1, swept: 1, tokens: 99, cutoffs: 1),
            ])
            let later = try await follower.state { $0.loadedThrough == SequenceNumber(102) }
            #expect(later.isComplete)
            #expect(later.cutoff(of: .all) != nil)
            #expect(later.revocation(of: token(0)) == nil)
            // What was handed out before has not changed.
            #expect(loaded.revocation(of: token(0)) != nil)
            #expect(loaded.cutoff(of: .all) == nil)
        }
    }

    @Test(.timeLimit(.minutes(2))) func itAppliesWhatTheTopicHoldsAsTheStateDoes() async throws {
        let topic = try Topic()
        let records =
            revocations(0..<40) + revocations(0..<20)
            + [Samples.tombstone(.token(token(3).digest), 40), try Samples.head(41, tokens: 39)]
        try await topic.write(records)
        let follower = topic.follower()
        try await following(follower) {
            let loaded = try await follower.loaded()
            #expect(loaded == Samples.state(records))
        }
    }

    @Test(.timeLimit(.minutes(2))) func itReportsWhatItCannotTakeInAndRecovers() async throws {
        let topic = try Topic()
        let events = Lock<[RevocationFollower.Event]>([])
        try await topic.write([
            RevocationTopicRecord(key: Array("odd:1".utf8), value: [1], sequence: nil), try Samples.head(0),
        ])
        let follower = topic.follower(report: { event in events.withLock { $0.append(event) } })
        try await following(follower) {
            let state = try await follower.state { $0.head != nil }
            #expect(!state.isComplete)
            try await topic.write([RevocationTopicRecord(key: Array("odd:1".utf8), value: nil, sequence: nil)])
            try await follower.loaded()
        }
        let seen = events.withLock { $0 }
        guard case .refused(let fault, offset: 0)? = seen.first else {
            Issue.record("nothing was reported")
            return
        }
        #expect(fault.code == .unknownKey)
        #expect(seen.last == .complete(asOf: Samples.noon))
    }

    @Test(.timeLimit(.minutes(2))) func itOutlivesABrokerThatGoesAway() async throws {
        let topic = try Topic()
        try await topic.write(revocations(0..<10) + [try Samples.head(10, tokens: 10)])
        let follower = topic.follower()
        try await following(follower) {
            try await follower.loaded()
            try topic.cluster.takeDown(broker: 1)
            #expect(follower.state.isComplete)
            try topic.cluster.bringUp(broker: 1)
            try await topic.write(
                revocations(10..<12) + [try Samples.head(12, asOf: Samples.noon.adding(seconds: 9), tokens: 12)])
            let state = try await follower.state { $0.loadedThrough == SequenceNumber(12) }
            #expect(state.live.tokens == 12)
        }
    }

    @Test(.timeLimit(.minutes(2))) func itLoadsAnewWhenItsPositionIsGone() async throws {
        let topic = try Topic()
        let reloads = Lock(0)
        try await topic.write(revocations(0..<10) + [try Samples.head(10, tokens: 10)])
        let follower = topic.follower(report: { event in
            if event == .reloading { reloads.withLock { $0 += 1 } }
        })
        try await following(follower) {
            try await follower.loaded()
            topic.cluster.pushErrors(.fetch, [.offsetOutOfRange])
            while reloads.withLock({ $0 }) == 0 { await Task.yield() }
            // The complete view stays until the topic has been read again.
            #expect(follower.state.isComplete)
            try await topic.write(
                revocations(10..<11) + [try Samples.head(11, asOf: Samples.noon.adding(seconds: 9), tokens: 11)])
            let state = try await follower.state { $0.loadedThrough == SequenceNumber(11) }
            #expect(state.live.tokens == 11)
            #expect(state.isComplete)
        }
    }

    @Test(.timeLimit(.minutes(2))) func itWaitsForATopicThatIsNotThereYet() async throws {
        let topic = try Topic(partitions: nil)
        let disconnects = Lock(0)
        let follower = topic.follower(report: { event in
            if case .disconnected = event { disconnects.withLock { $0 += 1 } }
        })
        try await following(follower) {
            while disconnects.withLock({ $0 }) == 0 { await Task.yield() }
            try topic.cluster.createTopic(topic.name, partitions: 1)
            try await topic.write([try Samples.head(0)])
            try await follower.loaded()
        }
    }

    @Test(.timeLimit(.minutes(2))) func aTopicOfManyPartitionsHasNoOrder() async throws {
        let topic = try Topic(partitions: 3)
        let expected = RevocationFollowerError.partitions(topic: topic.name, count: 3)
        await #expect(throws: expected) { try await topic.follower().run() }
    }

    @Test(.timeLimit(.minutes(2))) func waitingEndsWithItsTask() async throws {
        let topic = try Topic()
        let follower = topic.follower()
        let waiting = Task { try await follower.loaded() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { _ = try await waiting.value }
        let running = Task { try await follower.run() }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
    }
}
