import Primitives
import Testing

@testable import Kafka

@Suite(.timeLimit(.minutes(2)))
struct ConfigurationTests {
    @Test func anUnknownPropertyIsNamed() {
        let error = #expect(throws: KafkaError.self) {
            try KafkaProducer(configuration: KafkaConfiguration(["bootstrap.serverz": "broker.example:9092"]))
        }
        #expect(error?.kind == .permanent)
        #expect(error?.operation == .configure)
        #expect(error?.detail == #"there is no property "bootstrap.serverz"; did you mean "bootstrap.servers"?"#)
    }

    @Test func aRefusedValueNamesItsProperty() {
        let error = #expect(throws: KafkaError.self) {
            try KafkaConsumer(configuration: KafkaConfiguration(["fetch.wait.max.ms": "soon"]))
        }
        #expect(error?.detail.contains("fetch.wait.max.ms") == true)
        let contradiction = #expect(throws: KafkaError.self) {
            try KafkaProducer(configuration: KafkaConfiguration(["acks": "1", "enable.idempotence": "true"]))
        }
        #expect(contradiction?.detail.contains("acks") == true)
    }

    @Test func nothingLikeItIsSuggestedForAStrangeName() {
        let error = #expect(throws: KafkaError.self) {
            try KafkaAdmin(configuration: KafkaConfiguration(["wpc": "x"]))
        }
        #expect(error?.detail == #"there is no property "wpc""#)
    }

    @Test(arguments: [
        "sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password",
        "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
    ])
    func secretsAreNotPrinted(_ name: String) {
        let configuration = KafkaConfiguration([name: "hunter2", "client.id": "worker"])
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("client.id=worker"))
            #expect(text.contains("\(name)=(secret)"))
        }
        #expect(configuration[name] == "hunter2")
    }

    @Test func aSecretDoesNotPrintItself() {
        let secret = KafkaSecret("hunter2")
        var dumped = ""
        dump(OAuthBearerToken(value: secret, principal: "worker", expiresAt: 0), to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect("\(secret)" == "(secret)")
        #expect(secret.reveal() == "hunter2")
    }

    @Test func propertiesKeepTheirOrder() {
        var configuration = KafkaConfiguration(["b": "2", "a": "1"])
        configuration["z"] = "26"
        configuration["c"] = "3"
        configuration["a"] = "one"
        configuration["b"] = nil
        #expect(configuration.properties.map(\.name) == ["a", "z", "c"])
        #expect(configuration.properties.map(\.value) == ["one", "26", "3"])
    }

    @Test func durationsRoundUpToMilliseconds() {
        #expect(Duration.zero.wholeMilliseconds == 0)
        #expect(Duration.seconds(-1).wholeMilliseconds == 0)
        #expect(Duration.nanoseconds(1).wholeMilliseconds == 1)
        #expect(Duration.milliseconds(1_500).wholeMilliseconds == 1_500)
        #expect(Duration.seconds(1 << 40).wholeMilliseconds == .max)
    }

    @Test func errorsTellTheirStory() {
        let error = KafkaError(
            code: .messageTooLarge, kind: .permanent, operation: .produce, detail: "too large", topic: "grants",
            partition: 3, recordIndex: 7)
        #expect(
            error.description
                == "Kafka produce grants[3] record 7: MSG_SIZE_TOO_LARGE (permanent): too large")
        #expect(KafkaError.Code.timedOut.name == "_TIMED_OUT")
        #expect(KafkaError.Code.fenced.kindByDefault == .fatal)
        #expect(KafkaError.Code.notLeaderForPartition.kindByDefault == .retriable)
        #expect(KafkaError.Code.topicAuthorizationFailed.kindByDefault == .permanent)
    }

    @Test func aTokenIsAskedForAndItsFailureReported() async throws {
        let asked = Lock(0)
        let log = LogCollector()
        let configuration = KafkaConfiguration(
            [
                "bootstrap.servers": "127.0.0.1:1", "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "OAUTHBEARER",
            ],
            tokenProvider: {
                let number = asked.withLock { count in
                    count += 1
                    return count
                }
                // The first token has expired already, so librdkafka refuses it.
                return OAuthBearerToken(
                    value: KafkaSecret("abcdefg"), principal: "worker", expiresAt: number == 1 ? 1 : 4_102_444_800_000,
                    extensions: ["tenant": "red"])
            })
        let producer = try KafkaProducer(configuration: configuration, log: log.log)
        #expect(await eventually { log.all.contains { $0.error?.operation == .refreshToken } })
        #expect(asked.withLock { $0 } == 1)
        let error = log.all.compactMap(\.error).first { $0.operation == .refreshToken }
        #expect(error?.code == .authentication)
        #expect(log.all.allSatisfy { !$0.message.contains("abcdefg") })
        await producer.close(deadline: .seconds(10))
    }

    @Test func aMissingTokenProviderIsReported() async throws {
        let log = LogCollector()
        let configuration = KafkaConfiguration([
            "bootstrap.servers": "127.0.0.1:1", "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "OAUTHBEARER",
        ])
        let consumer = try KafkaConsumer(configuration: configuration, log: log.log)
        #expect(await eventually { log.all.contains { $0.message.contains("tokenProvider") } })
        await consumer.close(deadline: .seconds(10))
    }
}
