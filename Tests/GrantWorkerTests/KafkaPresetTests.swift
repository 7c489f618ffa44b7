import Foundation
import GrantWorker
import Kafka
import Testing

/// The section `kafka`: tokens, and what Event Hubs demands.
@Suite struct KafkaPresetTests {
    static let password = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=w;SharedAccessKey=cGxhbnRlZA=="

    private static func room(_ password: String = password) throws -> ConfigurationRoom {
        let room = try ConfigurationRoom()
        try room.write("secrets/connection", password + "\n")
        return room
    }

    private static func yaml(_ section: String) -> String {
        ConfigurationSample.least.replacing(
            #"  properties: {bootstrap.servers: "127.0.0.1:19092"}"#, with: section)
    }

    private static func hubs(_ properties: String = "", _ more: String = "") -> String {
        yaml(
            """
              preset: event_hubs
              properties: {bootstrap.servers: "ns.servicebus.windows.net:9093"\(properties)}
              secret_files: {sasl.password: secrets/connection}
            \(more)
            """)
    }

    @Test func thePresetFillsInWhatTheServiceDemands() throws {
        let worker = try Self.room().read(Self.hubs()).worker
        for (name, value) in [
            ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "PLAIN"), ("sasl.username", "$ConnectionString"),
            ("sasl.password", Self.password), ("socket.keepalive.enable", "true"), ("metadata.max.age.ms", "180000"),
            ("connections.max.idle.ms", "180000"), ("session.timeout.ms", "30000"), ("request.timeout.ms", "60000"),
            ("message.max.bytes", "1000000"),
        ] {
            #expect(worker.kafka[name] == value, "\(name)")
        }
        #expect(!worker.usesTransactions)
        // librdkafka knows every one of them.
        #expect(throws: Never.self) { _ = try KafkaAdmin(configuration: worker.kafka) }
    }

    @Test func settingsThatWorkAreLeftAlone() throws {
        let worker = try Self.room().read(
            Self.hubs(#", compression.type: gzip, metadata.max.age.ms: 60000, connections.max.idle.ms: 100000"#)
        ).worker
        #expect(worker.kafka["compression.type"] == "gzip")
        #expect(worker.kafka["metadata.max.age.ms"] == "60000")
        #expect(worker.kafka["connections.max.idle.ms"] == "100000")
    }

    @Test(arguments: [
        ("security.protocol: SASL_PLAINTEXT", "security.protocol"), ("security.protocol: SSL", "security.protocol"),
        ("sasl.mechanism: SCRAM-SHA-256", "sasl.mechanism"), ("sasl.mechanisms: GSSAPI", "sasl.mechanisms"),
        ("compression.type: zstd", "compression.type"), ("compression.codec: snappy", "compression.codec"),
        ("compression.type: lz4", "compression.type"), ("transactional.id: w", "transactional.id"),
        ("socket.keepalive.enable: false", "socket.keepalive.enable"),
        ("metadata.max.age.ms: 300000", "metadata.max.age.ms"),
        ("connections.max.idle.ms: 240000", "connections.max.idle.ms"),
        ("connections.max.idle.ms: 0", "connections.max.idle.ms"),
        ("message.max.bytes: 2000000", "message.max.bytes"), ("sasl.username: worker", "sasl.username"),
        ("allow.auto.create.topics: true", "allow.auto.create.topics"),
    ])
    func settingsThatCannotWorkThereAreRefused(_ setting: String, _ name: String) throws {
        let room = try Self.room()
        let problems = room.problems(Self.hubs(", \(setting)"))
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.first?.contains("kafka.properties.\(name):") == true, "\(problems)")
        #expect(problems.first?.contains("preset event_hubs") == true)
        // Elsewhere it is the operator's affair.
        let plain = room.problems(Self.yaml(#"  properties: {bootstrap.servers: "127.0.0.1:1", \#(setting)}"#))
        #expect(plain.isEmpty, "\(plain)")
    }

    @Test func transactionsAndOtherPortsAreRefused() throws {
        let room = try Self.room()
        #expect(room.problems(Self.hubs("", "  transactions: true")).first?.contains("kafka.transactions") == true)
        #expect(room.problems(Self.hubs("", "  transactions: false")).isEmpty)
        let port = room.problems(Self.hubs().replacing(":9093", with: ":9092"))
        #expect(port.first?.contains("port 9093") == true)
        let misspelt = room.problems(Self.hubs().replacing("preset: event_hubs", with: "preset: event_hub"))
        #expect(misspelt.contains { $0.contains("did you mean \"event_hubs\"?") }, "\(misspelt)")
    }

    @Test(arguments: ["hunter2", "Endpoint=sb://ns.servicebus.windows.net/", "SharedAccessKey=cGxhbnRlZA=="])
    func aPasswordThatIsNoConnectionStringIsNotRepeated(_ password: String) throws {
        let problems = try Self.room(password).problems(Self.hubs())
        #expect(problems.count == 1)
        #expect(problems.first?.contains("no connection string") == true)
        #expect(problems.first?.contains(password) == false)
    }

    @Test func credentialsAreNeeded() throws {
        let problems = try Self.room().problems(
            Self.yaml(#"  {preset: event_hubs, properties: {bootstrap.servers: "a:9093"}}"#))
        #expect(problems.first?.contains("kafka.oauth") == true, "\(problems)")
        let bearer = try Self.room().problems(Self.hubs(", sasl.mechanism: OAUTHBEARER"))
        #expect(bearer.first?.contains("kafka.oauth beside it") == true, "\(bearer)")
    }

    // MARK: Tokens

    private static func oauth(_ section: String, _ more: String = "") -> String {
        yaml(
            """
              properties: {bootstrap.servers: "broker.harborline.example:9093"\(more)}
              oauth: \(section)
            """)
    }

    @Test func sourcesOfTokensAreRead() throws {
        let room = try Self.room()
        let file = try room.read(Self.oauth("{token_file: secrets/token}")).worker
        #expect(file.brokerTokens == .file(room.directory + "/secrets/token"))
        #expect(file.kafka["sasl.mechanism"] == "OAUTHBEARER")
        #expect(file.usesTransactions)
        let command = try room.read(Self.oauth("{token_command: [/usr/bin/print-token, --json]}")).worker
        #expect(command.brokerTokens == .command(["/usr/bin/print-token", "--json"]))
        let section =
            "{token_endpoint: \"https://login.example/t\", client_id: a, client_secret_file: secrets/c, scope: s}"
        let client = try room.read(Self.oauth(section)).worker
        #expect(
            client.brokerTokens
                == .clientCredentials(
                    .init(
                        endpoint: "https://login.example/t", clientID: "a", secretFile: room.directory + "/secrets/c",
                        scope: "s")))
        #expect(client.kafka.tokenProvider == nil)
        let given = try room.read(Self.oauth(section)).withTokens { _ in
            { OAuthBearerToken(value: KafkaSecret("t"), principal: "p", expiresAt: 0) }
        }
        #expect(given.worker.kafka.tokenProvider != nil)
    }

    @Test(arguments: [
        ("{}", "no source of tokens"), ("{token_file: a, token_command: [/b]}", "token_file and token_command"),
        ("{token_endpoint: \"http://login.example/t\", client_id: a, client_secret_file: b}", "https"),
        ("{token_endpoint: \"https://login.example/t\", client_id: a}", "client_secret_file"),
        ("{token_command: [print-token]}", "absolute path"), ("{token_command: []}", "absolute path"),
        ("{token_endpoint: \"https://login.example/t\", client_secret: planted}", "client_secret_file"),
    ])
    func sourcesThatCannotBeUsedAreRefused(_ section: String, _ expected: String) throws {
        let problems = try Self.room().problems(Self.oauth(section))
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }

    @Test func tokensWithoutTheirMechanismAreRefused() throws {
        let problems = try Self.room().problems(Self.oauth("{token_file: a}", ", sasl.mechanism: PLAIN"))
        #expect(problems.first?.contains("OAUTHBEARER") == true)
    }
}
