package import Kafka
import Keys

/// What a section `kafka` says.
package struct KafkaSection: Sendable {
    /// The brokers' kind, where it has demands of its own. The text is the configuration's.
    package enum Preset: String, Sendable, Hashable, CaseIterable {
        /// Azure Event Hubs.
        case eventHubs = "event_hubs"
    }

    /// Properties of librdkafka.
    package var configuration: KafkaConfiguration
    /// Whether publishers use broker transactions.
    package var usesTransactions: Bool
    /// Where tokens for OAUTHBEARER come from.
    package var tokens: BrokerTokenSource?
}

extension ConfigurationReader {
    /// Reads a section `kafka`.
    ///
    /// - Parameters:
    ///   - value: the section.
    ///   - parent: what it stands in.
    ///   - resolve: makes a path absolute.
    /// - Returns: `nil` when no brokers are named.
    package mutating func kafka(
        _ value: ConfigurationValue?, in parent: ConfigurationValue, resolve: (String) -> String
    ) -> KafkaSection? {
        let section = members(
            value, of: "kafka", variables: ["transactions", "preset"],
            others: ["properties", "secret_files", "oauth"])
        let preset = choice(section["preset"], KafkaSection.Preset.self)
        var configuration = KafkaConfiguration()
        var places: [String: ConfigurationValue] = [:]
        for (name, value) in named(section["properties"], of: "kafka.properties") {
            guard let text = value.scalar else {
                report(value, expected: "a text, a number, true or false")
                continue
            }
            if KafkaConfiguration.isSecret(name) {
                report(
                    value, found: "a secret in the open",
                    expected: "it in a file of mode 0600 that kafka.secret_files.\(name) names")
                continue
            }
            places[name] = value
            configuration[name] = name.hasSuffix(".location") && text != "probe" ? resolve(text) : text
        }
        for (name, value) in named(section["secret_files"], of: "kafka.secret_files") {
            guard let file = text(value, expected: "the path of a file") else { continue }
            places[name] = value
            if let secret = secret(file, value, resolve: resolve) { configuration[name] = secret }
        }
        let tokens = brokerTokens(section["oauth"], resolve: resolve)
        if section["oauth"] != nil, configuration["sasl.mechanism"] == nil, configuration["sasl.mechanisms"] == nil {
            configuration["sasl.mechanism"] = "OAUTHBEARER"
        }
        if section["oauth"] != nil, !EventHubsPreset.usesTokens(configuration) {
            report(
                places["sasl.mechanism"] ?? places["sasl.mechanisms"] ?? parent,
                expected: "OAUTHBEARER, since kafka.oauth says where its tokens come from")
        }
        var usesTransactions = bool(section["transactions"], default: preset == nil)
        switch preset {
        case .eventHubs:
            if usesTransactions, let value = section["transactions"] {
                report(
                    value, expected: "false: transactions are not offered in every tier, and nothing here needs them")
                usesTransactions = false
            }
            eventHubs(&configuration, places, section["preset"] ?? parent, hasTokens: section["oauth"] != nil)
        case nil: break
        }
        guard configuration["bootstrap.servers"] != nil || configuration["metadata.broker.list"] != nil else {
            report(
                (section["properties"] ?? value ?? parent).place, "kafka.properties.bootstrap.servers",
                found: "nothing", expected: "the brokers, as host:port separated by commas")
            return nil
        }
        return KafkaSection(configuration: configuration, usesTransactions: usesTransactions, tokens: tokens)
    }

    private mutating func eventHubs(
        _ configuration: inout KafkaConfiguration, _ places: [String: ConfigurationValue],
        _ preset: ConfigurationValue, hasTokens: Bool
    ) {
        for (name, value) in EventHubsPreset.defaults where configuration[name] == nil { configuration[name] = value }
        if !EventHubsPreset.usesTokens(configuration) {
            if configuration["sasl.mechanism"] == nil, configuration["sasl.mechanisms"] == nil {
                configuration["sasl.mechanism"] = "PLAIN"
            }
            if configuration["sasl.username"] == nil { configuration["sasl.username"] = EventHubsPreset.userName }
        }
        for fault in EventHubsPreset.faults(in: configuration, hasTokens: hasTokens) {
            report(
                (places[fault.property] ?? preset).place, "kafka.properties.\(fault.property)", found: fault.found,
                expected: "\(fault.expected) (preset event_hubs)")
        }
    }

    private mutating func brokerTokens(
        _ value: ConfigurationValue?, resolve: (String) -> String
    ) -> BrokerTokenSource? {
        guard let value else { return nil }
        let section = members(
            value, of: "kafka.oauth",
            variables: ["token_endpoint", "client_id", "client_secret_file", "scope", "ca_file", "token_file"],
            others: ["token_command"])
        let ways = ["token_endpoint", "token_file", "token_command"].filter { section[$0] != nil }
        guard ways.count == 1 else {
            report(
                value, found: ways.isEmpty ? "no source of tokens" : ways.joined(separator: " and "),
                expected: "one of token_endpoint, token_file and token_command")
            return nil
        }
        if let file = text(section["token_file"], expected: "the path of a file") { return .file(resolve(file)) }
        if let command = section["token_command"] {
            let words = elements(command).compactMap { text($0, expected: "a word of the command") }
            guard let program = words.first, program.hasPrefix("/") else {
                report(command, expected: "a list: the absolute path of a program, and its arguments")
                return nil
            }
            return .command(words)
        }
        return clientCredentials(section, value, resolve: resolve)
    }

    private mutating func clientCredentials(
        _ section: [String: ConfigurationValue], _ value: ConfigurationValue, resolve: (String) -> String
    ) -> BrokerTokenSource? {
        guard let endpoint = text(section["token_endpoint"], expected: "an address") else { return nil }
        guard endpoint.hasPrefix("https://") else {
            report(section["token_endpoint"] ?? value, expected: "an https address: a secret is sent there")
            return nil
        }
        guard let id = text(section["client_id"]), let secret = text(section["client_secret_file"]) else {
            report(value, found: "no client_id or no client_secret_file", expected: "both beside token_endpoint")
            return nil
        }
        return .clientCredentials(
            BrokerTokenSource.ClientCredentials(
                endpoint: endpoint, clientID: id, secretFile: resolve(secret), scope: text(section["scope"]),
                authorityFile: text(section["ca_file"]).map(resolve)))
    }

    /// The one line of a file that nobody else can read.
    mutating func secret(
        _ file: String, _ value: ConfigurationValue, resolve: (String) -> String
    ) -> String? {
        do {
            let bytes = try SecretFile.load(resolve(file), form: .line)
            guard let text = bytes.textExposed() else {
                report(value, found: "a file that is not UTF-8", expected: "one line of text")
                return nil
            }
            return text
        } catch {
            report(value, found: "\"\(file.prefix(200))\" (\(error))", expected: "a readable file of mode 0600")
            return nil
        }
    }
}
