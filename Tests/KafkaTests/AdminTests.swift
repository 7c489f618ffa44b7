import Kafka
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The address of a broker to run the tests against that the mock cluster cannot serve.
private let bootstrap = ProcessInfo.processInfo.environment["CLAWGRANT_TEST_BOOTSTRAP"]

@Suite(.timeLimit(.minutes(2)))
struct AdminTests {
    @Test func metadataNamesBrokersAndPartitions() async throws {
        let fixture = try Fixture(partitions: 3, brokers: 2)
        let admin = try KafkaAdmin(configuration: fixture.configuration())
        let metadata = try await admin.metadata()
        #expect(metadata.brokers.map(\.id) == [1, 2])
        let topic = try #require(metadata.topics[fixture.topic])
        #expect(topic.error == nil)
        #expect(topic.partitions.map(\.id) == [0, 1, 2])
        #expect(topic.partitions.allSatisfy { $0.leader != nil && !$0.replicas.isEmpty })
        #expect(await admin.close(deadline: .seconds(30)))
        #expect(await kafkaError { _ = try await admin.metadata() }?.isClosed == true)
    }

    @Test func noAnswerIsRetriable() async throws {
        let admin = try KafkaAdmin(configuration: KafkaConfiguration(["bootstrap.servers": "127.0.0.1:1"]))
        let metadata = await kafkaError { _ = try await admin.metadata(timeout: .milliseconds(100)) }
        #expect(metadata?.isRetriable == true)
        let topics = await kafkaError {
            _ = try await admin.createTopics(
                [TopicSpecification(name: "grants", partitions: 1)], timeout: .milliseconds(100))
        }
        #expect(topics?.code == .timedOut)
        #expect(topics?.operation == .createTopics)
        await admin.close(deadline: .seconds(30))
    }

    @Test func aSenselessSpecificationIsNamed() async throws {
        let fixture = try Fixture()
        let admin = try KafkaAdmin(configuration: fixture.configuration())
        let error = await kafkaError {
            _ = try await admin.createTopics([TopicSpecification(name: "grants", partitions: 0)])
        }
        #expect(error?.topic == "grants")
        #expect(error?.code == .invalidArgument)
        #expect(error?.kind == .permanent)
        await admin.close(deadline: .seconds(30))
    }

    @Test(.enabled(if: bootstrap != nil, "needs CLAWGRANT_TEST_BOOTSTRAP"))
    func topicsOnABroker() async throws {
        let configuration = KafkaConfiguration(["bootstrap.servers": try #require(bootstrap)])
        let admin = try KafkaAdmin(configuration: configuration)
        let name = "admin-\(UInt32.random(in: 0...UInt32.max))"
        let specification = TopicSpecification(
            name: name, partitions: 2, replicationFactor: 1,
            configuration: ["cleanup.policy": "compact", "retention.ms": "86400000"])
        #expect(try await admin.createTopics([specification]) == [name: .done])
        #expect(try await admin.createTopics([specification]) == [name: .alreadyExists])

        let settings = try await admin.describeTopicConfiguration([name])
        #expect(settings[name]?["cleanup.policy"] == "compact")
        #expect(settings[name]?["retention.ms"] == "86400000")

        #expect(try await admin.alterConfiguration([name: ["retention.ms": "3600000"]]) == [name: .done])
        let altered = try await admin.describeTopicConfiguration([name])
        #expect(altered[name]?["cleanup.policy"] == "compact")
        #expect(altered[name]?["retention.ms"] == "3600000")

        #expect(try await admin.createPartitions([name: 5]) == [name: .done])
        #expect(try await admin.metadata().topics[name]?.partitions.count == 5)

        #expect(try await admin.deleteTopics([name]) == [name: .done])
        #expect(try await admin.deleteTopics([name]) == [name: .unknownTopic])
        await admin.close(deadline: .seconds(30))
    }

    @Test(.enabled(if: bootstrap != nil, "needs CLAWGRANT_TEST_BOOTSTRAP"))
    func timesOnABroker() async throws {
        let configuration = KafkaConfiguration(["bootstrap.servers": try #require(bootstrap)])
        let admin = try KafkaAdmin(configuration: configuration)
        let name = "times-\(UInt32.random(in: 0...UInt32.max))"
        let specification = TopicSpecification(name: name, partitions: 1, replicationFactor: 1)
        #expect(try await admin.createTopics([specification]) == [name: .done])
        let producer = try KafkaProducer(configuration: configuration)
        try await producer.send(
            (0..<10).map { number in
                ProducerRecord(
                    topic: name, partition: 0, value: [1], timestamp: 1_800_000_000_000 + Int64(number) * 1_000)
            })
        let consumer = try KafkaConsumer(configuration: configuration)
        let partition = TopicPartition(topic: name, partition: 0)
        let found = try await consumer.offsetsForTimes([partition: 1_800_000_003_500], timeout: .seconds(10))
        #expect(found == [partition: 4])
        await consumer.close(deadline: .seconds(10))
        await producer.close(deadline: .seconds(10))
        _ = try await admin.deleteTopics([name])
        await admin.close(deadline: .seconds(30))
    }
}
