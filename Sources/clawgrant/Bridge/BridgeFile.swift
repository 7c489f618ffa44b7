import ApprovalSources
import BrokerTokens
import ClawWire
import Foundation
import GrantWorker
import HTTPService
import IssuanceRules
import Kafka
import Keys
import Logging
import WebhookBridge

/// A bridge's configuration file, read by the rules of the worker's: strictly, all faults at once, the environment laid
/// over it.
struct BridgeFile {
    /// What is written of a source's webhooks. The text is the form in the file.
    enum Output: String, CaseIterable {
        case native
        case raw
    }

    /// What the bridge is told.
    let bridge: BridgeConfiguration
    /// How it logs.
    let log: LogSettings
    /// How its figures are had.
    let metrics: MetricsSettings

    /// Loads a file, and the files of keys, secrets and rules that it names.
    ///
    /// - Throws: `ConfigurationFileError` for what stands in it, `ConfigurationError` for what it names.
    static func load(_ path: String, environment: [String: String]? = nil) throws -> BridgeFile {
        let draft = try ConfigurationFile.read(
            yaml: try InputFile.text(path), path: path,
            environment: environment ?? ProcessInfo.processInfo.environment
        ) { (reader, document, resolve) -> BridgeDraft? in
            var loader = BridgeLoader(reader: reader, resolve: resolve)
            defer { reader = loader.reader }
            return loader.load(document)
        }
        return try draft.file()
    }
}

/// What a file says, before the files that it names are looked at.
struct BridgeDraft {
    struct Source {
        let name: String
        let path: String
        let topic: String
        let output: BridgeFile.Output
        let readAs: String?
        let eventSource: String?
        let deliveryHeader: String?
        let forwarded: [String]
        let signature: HeaderSignatureRule
    }

    var http: HTTPServiceConfiguration
    var kafka: KafkaSection
    var rulesFile: String?
    var signingKeyFile: String?
    var sources: [Source]
    var maximumRequests: Int
    var rememberedDeliveries: Int
    var writeTimeout: Duration
    var log: LogSettings
    var metrics: MetricsSettings

    func file() throws -> BridgeFile {
        if let tls = http.tls {
            do {
                _ = try SecretFile.load(tls.keyFile)
            } catch {
                throw ConfigurationError("listen.tls.key_file: \(error)")
            }
        }
        let rules = try rulesFile.map { try RulesFile.load($0) }
        var kafka = kafka.configuration
        if let tokens = self.kafka.tokens { kafka.tokenProvider = BrokerTokens.provider(tokens) }
        var configuration = BridgeConfiguration(
            http: http, kafka: kafka, sources: try sources.map { try source($0, rules) },
            signer: try signingKeyFile.map(KeyArguments.signer))
        configuration.maximumRequests = maximumRequests
        configuration.rememberedDeliveries = rememberedDeliveries
        configuration.writeTimeout = writeTimeout
        return BridgeFile(bridge: configuration, log: log, metrics: metrics)
    }

    private func source(_ source: Source, _ rules: RuleSet?) throws -> WebhookSource {
        let output: WebhookSource.Output
        switch source.output {
        case .raw: output = .raw(headers: source.forwarded)
        case .native:
            guard let rules, let name = source.readAs, let rule = rules.sources[SourceName(name)] else {
                throw ConfigurationError(
                    "source \(source.name): read_as \"\(source.readAs ?? "")\" is no source of the rules; "
                        + "it says how the vendor's bodies are understood")
            }
            output = .native(
                SourceConfiguration(rule, entitlements: rules.entitlements),
                eventSource: source.eventSource ?? "/bridge/\(source.name)")
        }
        return WebhookSource(
            name: source.name, path: source.path, topic: source.topic,
            // Its paths are absolute by now.
            verifier: try HeaderSignatureFiles.load(source.signature, directory: "/", source: source.name),
            deliveryHeader: source.deliveryHeader, output: output)
    }
}
