import Kafka

/// What Azure Event Hubs demands of a Kafka client, as defaults and as refusals.
///
/// docs/connections.md gives the reason of each.
enum EventHubsPreset {
    /// Properties that hold unless the configuration says otherwise.
    static let defaults: [(name: String, value: String)] = [
        ("security.protocol", "SASL_SSL"), ("socket.keepalive.enable", "true"), ("metadata.max.age.ms", "180000"),
        ("connections.max.idle.ms", "180000"), ("session.timeout.ms", "30000"), ("request.timeout.ms", "60000"),
        ("message.max.bytes", "1000000"), ("allow.auto.create.topics", "false"),
    ]
    /// The literal user name for connection strings.
    static let userName = "$ConnectionString"
    /// After so long without a request the service closes a connection.
    private static let idleLimit = 240_000
    /// A request larger than this closes the connection.
    private static let requestLimit = 1_046_528

    /// A setting that cannot work.
    struct Fault {
        let property: String
        let found: String
        let expected: String
    }

    /// The settings that cannot work there; `hasTokens` when the configuration names a source of tokens.
    static func faults(in configuration: KafkaConfiguration, hasTokens: Bool) -> [Fault] {
        var faults: [Fault] = []
        func refuse(_ property: String, _ expected: String, unless isGood: (String) -> Bool) {
            guard let value = configuration[property], !isGood(value.lowercased()) else { return }
            faults.append(Fault(property: property, found: "\"\(value.prefix(80))\"", expected: expected))
        }
        refuse("security.protocol", "SASL_SSL: nothing else is served") { $0 == "sasl_ssl" }
        for property in ["sasl.mechanism", "sasl.mechanisms"] {
            refuse(property, "PLAIN or OAUTHBEARER") { $0 == "plain" || $0 == "oauthbearer" }
        }
        for property in ["compression.type", "compression.codec"] {
            refuse(property, "none or gzip: the other codecs are refused there") { $0 == "none" || $0 == "gzip" }
        }
        refuse("transactional.id", "nothing: transactions are not offered in every tier") { _ in false }
        refuse("socket.keepalive.enable", "true: idle connections are closed in silence") { $0 == "true" }
        refuse("allow.auto.create.topics", "false: hubs are made in Azure") { $0 == "false" }
        refuse("metadata.max.age.ms", "at most 180000: idle connections are closed after 240 s") {
            (Int($0) ?? .max) <= 180_000
        }
        refuse("connections.max.idle.ms", "1 to 239999: idle connections are closed after 240 s") {
            (1..<idleLimit).contains(Int($0) ?? 0)
        }
        refuse("message.max.bytes", "at most \(requestLimit): a larger request closes the connection") {
            (Int($0) ?? .max) <= requestLimit
        }
        refuse("bootstrap.servers", "port 9093") { servers in
            servers.split(separator: ",").allSatisfy { server in
                let server = server.trimmingSpaces()
                return !server.split(separator: ":")[0].hasSuffix(".servicebus.windows.net")
                    || server.hasSuffix(":9093")
            }
        }
        return faults + credentials(configuration, hasTokens: hasTokens)
    }

    /// True when the configuration says OAUTHBEARER.
    static func usesTokens(_ configuration: KafkaConfiguration) -> Bool {
        (configuration["sasl.mechanism"] ?? configuration["sasl.mechanisms"])?.uppercased() == "OAUTHBEARER"
    }

    private static func credentials(_ configuration: KafkaConfiguration, hasTokens: Bool) -> [Fault] {
        if usesTokens(configuration) {
            guard !hasTokens, configuration["sasl.oauthbearer.method"]?.lowercased() != "oidc" else { return [] }
            return [Fault(property: "sasl.mechanism", found: "OAUTHBEARER", expected: "kafka.oauth beside it")]
        }
        var faults: [Fault] = []
        if let name = configuration["sasl.username"], name != userName {
            faults.append(
                Fault(property: "sasl.username", found: "another name", expected: "the literal \(userName)"))
        }
        guard let password = configuration["sasl.password"] else {
            return faults + [
                Fault(
                    property: "sasl.password", found: "nothing",
                    expected: "kafka.secret_files.sasl.password with the connection string, or kafka.oauth")
            ]
        }
        if !password.hasPrefix("Endpoint=sb://") || !password.contains(";SharedAccessKeyName=")
            || !password.contains(";SharedAccessKey=")
        {
            faults.append(
                Fault(
                    property: "sasl.password", found: "a text that is no connection string",
                    expected: "Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…"))
        }
        return faults
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> Substring {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}
