import BrokerTokens
import ClawWire
import DevStack
import Foundation
import Kafka
import Primitives
import SecureFront
import Testing

/// Kafka over TLS and SASL, against a front with the manners of Event Hubs before a private broker.
@Suite(.enabled(if: AvailableServers.broker(.noida)), .timeLimit(.minutes(5)))
struct SecureBrokerTests {
    static let connectionString =
        "Endpoint=sb://claw.servicebus.example/;SharedAccessKeyName=worker;SharedAccessKey=c2VjcmV0"

    final class Setting: Sendable {
        let directory: TemporaryDirectory
        let certificates: TestCertificates
        let broker: PrivateBroker
        let front: SecureBrokerFront
        let problems = Lock<[String]>([])

        init(_ change: (inout SecureBrokerFront.Options) -> Void = { _ in }) async throws {
            directory = try TemporaryDirectory(prefix: "claw-sasl")
            certificates = try await TestCertificates.make(in: directory)
            broker = try PrivateBroker(.noida, directory: directory.path("broker"))
            try await broker.start()
            var options = SecureBrokerFront.Options()
            options.users["$ConnectionString"] = SecureBrokerTests.connectionString
            change(&options)
            front = try await SecureBrokerFront.open(
                to: broker.port, certificate: certificates.server, options: options)
        }

        func properties(_ more: [String: String] = [:]) -> KafkaConfiguration {
            KafkaConfiguration(
                [
                    "bootstrap.servers": front.bootstrapServers, "security.protocol": "SASL_SSL",
                    "sasl.mechanism": "PLAIN", "sasl.username": "$ConnectionString",
                    "sasl.password": SecureBrokerTests.connectionString, "ssl.ca.location": certificates.authority,
                    "message.timeout.ms": "60000", "reconnect.backoff.max.ms": "200",
                ].merging(more) { $1 })
        }

        func tokens(_ provider: @escaping @Sendable () async throws -> OAuthBearerToken) -> KafkaConfiguration {
            var configuration = properties(["sasl.mechanism": "OAUTHBEARER"])
            configuration["sasl.username"] = nil
            configuration["sasl.password"] = nil
            configuration.tokenProvider = provider
            return configuration
        }

        @Sendable func log(_ event: KafkaLogEvent) { problems.withLock { $0.append(event.message) } }

        func stop() async {
            await front.close()
            await broker.kill()
        }
    }

    private static func record(_ text: String) -> ProducerRecord {
        ProducerRecord(topic: "t", partition: 0, value: Array(text.utf8))
    }

    private static func makeTopic(_ configuration: KafkaConfiguration) async throws {
        let admin = try KafkaAdmin(configuration: configuration)
        _ = try await admin.createTopics([TopicSpecification(name: "t", partitions: 1, replicationFactor: 1)])
        await admin.close(deadline: .seconds(5))
    }

    /// What stands in the topic, read through the front from its beginning.
    private static func contents(_ configuration: KafkaConfiguration, count: Int) async throws -> [String] {
        let consumer = try KafkaConsumer(configuration: configuration)
        _ = try await consumer.assign([TopicPartition(topic: "t", partition: 0): 0])
        var texts: [String] = []
        let end = ContinuousClock.now + .seconds(60)
        while texts.count < count, .now < end {
            let batch = try await consumer.nextBatch(
                maximumRecords: 100, maximumBytes: 1 << 20, linger: .zero, timeout: .milliseconds(200))
            texts += batch.records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
        }
        await consumer.close(deadline: .seconds(5))
        return texts
    }

    @Test func recordsGoInAndOutWithAConnectionString() async throws {
        let setting = try await Setting()
        try await Self.makeTopic(setting.properties())
        let producer = try KafkaProducer(configuration: setting.properties(["compression.type": "gzip"]))
        try await producer.send((0..<50).map { Self.record("\($0)") })
        #expect(try await Self.contents(setting.properties(), count: 50) == (0..<50).map { "\($0)" })
        #expect(setting.front.counters.authenticated >= 2)
        #expect(setting.front.counters.refused == 0)
        await producer.close(deadline: .seconds(5))
        await setting.stop()
    }

    @Test func aWrongPasswordIsToldAsSuch() async throws {
        let setting = try await Setting()
        let wrong = setting.properties(["sasl.password": "planted-password"])
        let admin = try KafkaAdmin(configuration: wrong, log: setting.log)
        await #expect(throws: KafkaError.self) { _ = try await admin.metadata(timeout: .seconds(3)) }
        try await waitUntil(deadline: .seconds(60), description: "the reason") {
            setting.problems.withLock { $0.contains { $0.contains("the user or the password is wrong") } }
        }
        #expect(setting.problems.withLock { $0.contains { $0.contains("_AUTHENTICATION") } })
        #expect(!setting.problems.withLock { $0.contains { $0.contains("planted-password") } })
        #expect(setting.front.counters.refused >= 1)
        await admin.close(deadline: .seconds(5))
        await setting.stop()
    }

    @Test func aServerOfAnotherAuthorityIsNotSpokenTo() async throws {
        let setting = try await Setting()
        let admin = try KafkaAdmin(
            configuration: setting.properties(["ssl.ca.location": setting.certificates.strangeAuthority]),
            log: setting.log)
        await #expect(throws: KafkaError.self) { _ = try await admin.metadata(timeout: .seconds(2)) }
        try await waitUntil(deadline: .seconds(60), description: "the reason") {
            setting.problems.withLock { $0.contains { $0.contains("certificate verify failed") } }
        }
        #expect(setting.front.counters.authenticated == 0)
        #expect(setting.front.counters.refused == 0)
        await admin.close(deadline: .seconds(5))
        await setting.stop()
    }

    @Test func cutAndIdleConnectionsAreMadeAgain() async throws {
        let setting = try await Setting { $0.idleTimeout = .milliseconds(700) }
        try await Self.makeTopic(setting.properties())
        let producer = try KafkaProducer(configuration: setting.properties(["metadata.max.age.ms": "900000"]))
        try await producer.send([Self.record("before")])
        let front = setting.front
        try await waitUntil(deadline: .seconds(60), description: "an idle connection to be closed") {
            front.counters.closedIdle >= 1
        }
        try await producer.send([Self.record("after idleness")])
        setting.front.cutConnections()
        try await producer.send([Self.record("after a cut")])
        #expect(
            try await Self.contents(setting.properties(), count: 3) == ["before", "after idleness", "after a cut"])
        await producer.close(deadline: .seconds(5))
        await setting.stop()
    }

    @Test func anOversizedRequestLosesItsConnection() async throws {
        let setting = try await Setting()
        try await Self.makeTopic(setting.properties())
        let producer = try KafkaProducer(
            configuration: setting.properties(["message.max.bytes": "4000000", "message.timeout.ms": "4000"]))
        let large = ProducerRecord(topic: "t", partition: 0, value: [UInt8](repeating: 1, count: 2_000_000))
        await #expect(throws: KafkaError.self) { try await producer.send([large]) }
        #expect(setting.front.counters.closedOversized >= 1)
        await producer.close(deadline: .seconds(5))
        let bounded = try KafkaProducer(configuration: setting.properties(["message.max.bytes": "1000000"]))
        let refused = await #expect(throws: KafkaError.self) { try await bounded.send([large]) }
        #expect(refused?.code == .messageTooLarge)
        await bounded.close(deadline: .seconds(5))
        await setting.stop()
    }

    @Test func transactionsAreNotOffered() async throws {
        let setting = try await Setting()
        let producer = try KafkaProducer(
            configuration: setting.properties([
                "transactional.id": "worker-1", "transaction.timeout.ms": "8000", "message.timeout.ms": "8000",
                "socket.timeout.ms": "6000",
            ]))
        await #expect(throws: KafkaError.self) {
            try await producer.initTransactions(timeout: .seconds(10))
            try await producer.beginTransaction()
            try await producer.send([Self.record("never")])
            try await producer.commitTransaction(timeout: .seconds(10))
        }
        await producer.close(deadline: .seconds(5))
        await setting.stop()
    }

    // MARK: Tokens

    @Test func tokensAreRefreshedAndExpiredConnectionsMadeAgain() async throws {
        let accepted = Lock<[String: Date]>([:])
        let setting = try await Setting {
            $0.expiry = { token in accepted.withLock { $0[token] } }
        }
        let path = setting.directory.path("token")
        let asked = Lock(0)
        @Sendable func issue() throws {
            let number = asked.withLock { count in
                count += 1
                return count
            }
            let token = TestToken.make(subject: "worker-\(number)", expiresIn: 4)
            accepted.withLock { $0[token] = Date(timeIntervalSinceNow: 4) }
            try token.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let provider = BrokerTokens.provider(.file(path))
        let configuration = setting.tokens {
            try issue()
            return try await provider()
        }
        try await Self.makeTopic(configuration)
        let producer = try KafkaProducer(configuration: configuration, log: setting.log)
        try await producer.send([Self.record("with the first token")])
        let front = setting.front
        try await waitUntil(deadline: .seconds(60), description: "a connection whose token expired") {
            front.counters.closedExpired >= 1
        }
        try await producer.send([Self.record("with another token")])
        #expect(asked.withLock { $0 } >= 3)
        #expect(
            try await Self.contents(configuration, count: 2) == ["with the first token", "with another token"])
        #expect(setting.front.counters.refused == 0)
        await producer.close(deadline: .seconds(5))
        await setting.stop()
    }

    /// As the console asks for its lag: nothing is ever consumed by that client.
    @Test func aClientThatIsOnlyAskedForEndsGetsTokens() async throws {
        let accepted = Lock<[String: Date]>([:])
        let setting = try await Setting {
            $0.expiry = { token in accepted.withLock { $0[token] } }
        }
        let configuration = setting.tokens {
            let token = TestToken.make(subject: "console", expiresIn: 600)
            let end = Date(timeIntervalSinceNow: 600)
            accepted.withLock { $0[token] = end }
            return OAuthBearerToken(
                value: KafkaSecret(token), principal: "console", expiresAt: Int64(end.timeIntervalSince1970 * 1_000))
        }
        try await Self.makeTopic(configuration)
        let producer = try KafkaProducer(configuration: configuration)
        try await producer.send((0..<3).map { Self.record("\($0)") })
        let consumer = try KafkaConsumer(configuration: configuration, log: setting.log)
        let marks = try await consumer.watermarks(TopicPartition(topic: "t", partition: 0), timeout: .seconds(30))
        #expect(marks.high == 3)
        #expect(setting.front.counters.refused == 0)
        await consumer.close(deadline: .seconds(5))
        await producer.close(deadline: .seconds(5))
        await setting.stop()
    }

    @Test func aTokenThatIsNotAcceptedOrCannotBeHadIsTold() async throws {
        let setting = try await Setting()
        let refused = try KafkaAdmin(
            configuration: setting.tokens {
                OAuthBearerToken(
                    value: KafkaSecret(TestToken.make(subject: "planted", expiresIn: 600)), principal: "p",
                    expiresAt: Int64(Date().timeIntervalSince1970 * 1_000) + 600_000)
            }, log: setting.log)
        await #expect(throws: KafkaError.self) { _ = try await refused.metadata(timeout: .seconds(3)) }
        let missing = try KafkaAdmin(
            configuration: setting.tokens { try await BrokerTokens.provider(.file("/nowhere/token"))() },
            log: setting.log)
        await #expect(throws: KafkaError.self) { _ = try await missing.metadata(timeout: .seconds(3)) }
        for reason in ["the token is not accepted", "the token file /nowhere/token cannot be read"] {
            try await waitUntil(deadline: .seconds(60), description: reason) {
                setting.problems.withLock { $0.contains { $0.contains(reason) } }
            }
        }
        await refused.close(deadline: .seconds(5))
        await missing.close(deadline: .seconds(5))
        await setting.stop()
    }
}
