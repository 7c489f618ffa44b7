import Kafka
import Testing

@Suite(.timeLimit(.minutes(2)))
struct TransactionTests {
    private func producer(_ fixture: Fixture) async throws -> KafkaProducer {
        let producer = try fixture.producer(["transactional.id": "publisher", "retry.backoff.ms": "10"])
        try await producer.initTransactions(timeout: .seconds(30))
        return producer
    }

    @Test func committedRecordsAreRead() async throws {
        let fixture = try Fixture()
        let producer = try await producer(fixture)
        for _ in 0..<3 {
            try await producer.beginTransaction()
            try await producer.send(fixture.records(10))
            try await producer.commitTransaction(timeout: .seconds(30))
        }
        let consumer = try fixture.consumer()
        try await consumer.assign([fixture.partition(): 0])
        #expect(try await consumer.read(30).map(\.offset) == Array(0..<30))
        await consumer.close(deadline: .seconds(10))
        await producer.close(deadline: .seconds(10))
    }

    @Test func aTransactionCanBeAborted() async throws {
        let fixture = try Fixture()
        let producer = try await producer(fixture)
        try await producer.beginTransaction()
        try await producer.send(fixture.records(1))
        try await producer.abortTransaction(timeout: .seconds(30))
        try await producer.beginTransaction()
        try await producer.send(fixture.records(1))
        try await producer.commitTransaction(timeout: .seconds(30))
        await producer.close(deadline: .seconds(10))
    }

    @Test(arguments: [
        [KafkaError.Code.coordinatorNotAvailable, .coordinatorNotAvailable], [.notCoordinator],
        [.concurrentTransactions],
    ])
    func retriableErrorsOfTheCommitAreRecoveredFrom(_ codes: [KafkaError.Code]) async throws {
        let fixture = try Fixture()
        let producer = try await producer(fixture)
        try await producer.beginTransaction()
        try await producer.send(fixture.records(1))
        fixture.cluster.pushErrors(.endTransaction, codes)
        try await producer.commitTransaction(timeout: .seconds(30))
        await producer.close(deadline: .seconds(10))
    }

    @Test(arguments: [KafkaError.Code.producerFenced, .invalidProducerEpoch, .invalidTransactionState])
    func aFencedCommitIsFatal(_ code: KafkaError.Code) async throws {
        let fixture = try Fixture()
        let producer = try await producer(fixture)
        try await producer.beginTransaction()
        try await producer.send(fixture.records(1))
        fixture.cluster.pushErrors(.endTransaction, [code])
        let error = await kafkaError { try await producer.commitTransaction(timeout: .seconds(30)) }
        #expect(error?.isFatal == true)
        #expect(error?.operation == .commitTransaction)
        #expect(await kafkaError { try await producer.beginTransaction() }?.isFatal == true)
        #expect(await producer.close(deadline: .seconds(30)))
    }

    @Test func aRecordThatFailsCallsForAnAbort() async throws {
        let fixture = try Fixture()
        let producer = try await producer(fixture)
        try await producer.beginTransaction()
        fixture.cluster.pushErrors(.produce, [.messageTooLarge])
        let error = await kafkaError { try await producer.send(fixture.records(2)) }
        #expect(error?.requiresAbort == true)
        #expect(error?.recordIndex == 0)
        let commit = await kafkaError { try await producer.commitTransaction(timeout: .seconds(30)) }
        #expect(commit?.requiresAbort == true)
        // The refused records left a gap in the producer's numbering. The next transaction runs into it, and its abort
        // starts the numbering afresh.
        var failures: [KafkaError?] = []
        repeat {
            try await producer.abortTransaction(timeout: .seconds(30))
            try await producer.beginTransaction()
            failures.append(await kafkaError { try await producer.send(fixture.records(2)) })
        } while failures.last != .some(nil) && failures.count < 3
        #expect(failures.allSatisfy { $0?.requiresAbort ?? true })
        #expect(failures.last == .some(nil))
        try await producer.commitTransaction(timeout: .seconds(30))
        await producer.close(deadline: .seconds(10))
    }

    @Test func callsOutOfTurnAreTyped() async throws {
        let fixture = try Fixture()
        let producer = try await producer(fixture)
        let commit = await kafkaError { try await producer.commitTransaction(timeout: .seconds(5)) }
        #expect(commit?.code == .state)
        #expect(commit?.kind == .permanent)
        let plain = try fixture.producer()
        let none = await kafkaError { try await plain.beginTransaction() }
        #expect(none?.code == .notConfigured)
        await plain.close(deadline: .seconds(10))
        await producer.close(deadline: .seconds(10))
    }

    @Test func anUnreachableCoordinatorIsRetriable() async throws {
        let fixture = try Fixture()
        try fixture.cluster.takeDown(broker: 1)
        let producer = try fixture.producer(["transactional.id": "publisher", "reconnect.backoff.max.ms": "100"])
        let error = await kafkaError { try await producer.initTransactions(timeout: .milliseconds(200)) }
        #expect(error?.isRetriable == true)
        #expect(error?.code == .timedOut)
        try fixture.cluster.bringUp(broker: 1)
        try await producer.initTransactions(timeout: .seconds(30))
        await producer.close(deadline: .seconds(10))
    }
}
