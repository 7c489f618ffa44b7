import ClawWire
import GrantWorker
import HTTPService
import IssuanceRules
import Kafka
import Logging

/// One pass over a bridge's configuration file.
struct BridgeLoader {
    var reader: ConfigurationReader
    let resolve: (String) -> String

    /// Sections whose settings may come from the environment.
    private static let sections = ["listen", "kafka", "limits", "log", "metrics", "sources"]

    mutating func load(_ document: ConfigurationValue) -> BridgeDraft? {
        let top = reader.members(
            document, of: "", variables: ["config_version", "rules", "signing_key_file"], others: Self.sections)
        let version = reader.text(top["config_version"])
        if version != ConfigurationFile.version {
            reader.report(
                (top["config_version"] ?? document).place, "config_version", found: version ?? "nothing",
                expected: "\"\(ConfigurationFile.version)\", the only version")
        }
        let limits = reader.members(
            top["limits"], of: "limits",
            variables: [
                "body_bytes", "connections", "requests", "remembered_deliveries", "idle_timeout_ms",
                "request_timeout_ms", "write_timeout_ms", "drain_timeout_ms",
            ])
        let http = http(top["listen"], document, limits)
        let kafka = reader.kafka(top["kafka"], in: document, resolve: resolve)
        let key = reader.text(top["signing_key_file"], expected: "the path of a file").map(resolve)
        let rules = reader.text(top["rules"], expected: "the path of a file").map(resolve)
        let sources = sources(top["sources"], document)
        if let native = sources.first(where: { $0.output == .native }), key == nil || rules == nil {
            reader.report(
                document.place, key == nil ? "signing_key_file" : "rules", found: "nothing",
                expected: "this setting, since source \(native.name) writes native events")
        }
        let log = log(top["log"])
        let metrics = reader.metrics(top["metrics"], resolve: resolve)
        reader.reportUnknownVariables(sections: ["listen", "kafka", "limits", "log", "metrics"])
        guard let http, let kafka else { return nil }
        return BridgeDraft(
            http: http, kafka: kafka, rulesFile: rules, signingKeyFile: key, sources: sources,
            maximumRequests: reader.count(limits["requests"], in: 1...10_000, default: 64),
            rememberedDeliveries: reader.count(
                limits["remembered_deliveries"], in: 1...1_000_000, default: 10_000),
            writeTimeout: .milliseconds(reader.count(limits["write_timeout_ms"], in: 100...60_000, default: 8_000)),
            log: log, metrics: metrics)
    }

    // MARK: Listening

    private mutating func http(
        _ value: ConfigurationValue?, _ document: ConfigurationValue, _ limits: [String: ConfigurationValue]
    ) -> HTTPServiceConfiguration? {
        let section = reader.members(value, of: "listen", variables: ["host", "port"], others: ["tls"])
        let host = reader.text(section["host"]) ?? "127.0.0.1"
        let port = reader.count(section["port"], in: 0...65_535, default: 8_443)
        let tls = tls(section["tls"])
        if section["tls"] == nil, host != "127.0.0.1", host != "::1", host != "localhost" {
            reader.report(
                (value ?? document).place, "listen.tls", found: "nothing",
                expected: "certificate_file and key_file; without TLS only loopback is listened on")
        }
        var configuration = HTTPServiceConfiguration(host: host, port: port, tls: tls)
        var bounds = HTTPServiceConfiguration.Limits()
        bounds.bodyBytes = reader.count(limits["body_bytes"], in: 1_024...16_777_216, default: bounds.bodyBytes)
        bounds.connections = reader.count(limits["connections"], in: 1...65_536, default: bounds.connections)
        bounds.idleTimeout = duration(limits["idle_timeout_ms"], default: 30_000)
        bounds.requestTimeout = duration(limits["request_timeout_ms"], default: 20_000)
        bounds.drainTimeout = duration(limits["drain_timeout_ms"], default: 15_000)
        configuration.limits = bounds
        return configuration
    }

    private mutating func duration(_ value: ConfigurationValue?, default fallback: Int) -> Duration {
        .milliseconds(reader.count(value, in: 100...600_000, default: fallback))
    }

    private mutating func tls(_ value: ConfigurationValue?) -> HTTPServiceConfiguration.TLS? {
        guard let value else { return nil }
        let section = reader.members(
            value, of: "listen.tls", variables: ["certificate_file", "key_file", "client_ca_file"])
        guard let certificate = reader.text(section["certificate_file"]), let key = reader.text(section["key_file"])
        else {
            reader.report(value, found: "no certificate_file or no key_file", expected: "both, in PEM")
            return nil
        }
        return HTTPServiceConfiguration.TLS(
            certificateFile: resolve(certificate), keyFile: resolve(key),
            clientAuthorityFile: reader.text(section["client_ca_file"]).map(resolve))
    }

    // MARK: Sources

    private mutating func sources(
        _ value: ConfigurationValue?, _ document: ConfigurationValue
    ) -> [BridgeDraft.Source] {
        var sources: [BridgeDraft.Source] = []
        var paths: Set<String> = ["/healthz"]
        for (name, value) in reader.named(value, of: "sources") {
            guard let source = source(name, value) else { continue }
            if !paths.insert(source.path).inserted {
                reader.report(value, found: "path \(source.path)", expected: "a path of its own for each source")
            }
            sources.append(source)
        }
        if sources.isEmpty, value == nil {
            reader.report(document.place, "sources", found: "nothing", expected: "at least one source")
        }
        return sources
    }

    private mutating func source(_ name: String, _ value: ConfigurationValue) -> BridgeDraft.Source? {
        let section = reader.members(
            value, of: value.setting, variables: [],
            others: [
                "path", "topic", "output", "read_as", "event_source", "delivery_header", "forward_headers", "signature",
            ])
        let isNamed =
            name.utf8.count <= 64 && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        if !isNamed {
            reader.report(value, found: "the name \"\(name.prefix(80))\"", expected: "letters, digits and hyphens")
        }
        let path = reader.text(section["path"])
        if let path, !path.hasPrefix("/") || path.contains("?") || path.contains("#") {
            reader.report(section["path"] ?? value, expected: "a path such as /hooks/\(name)")
        }
        let topic = reader.text(section["topic"])
        let output = reader.choice(section["output"], BridgeFile.Output.self) ?? .native
        for (key, use) in [("read_as", BridgeFile.Output.native), ("event_source", .native), ("forward_headers", .raw)]
        {
            guard let given = section[key], output != use else { continue }
            reader.report(given, found: key, expected: "no \(key): it belongs to output: \(use.rawValue)")
        }
        let signature = signature(section["signature"], value)
        guard let path, let topic, let signature else {
            for key in ["path", "topic", "signature"] where section[key] == nil {
                reader.report(
                    value.place, "\(value.setting).\(key)", found: "nothing",
                    expected: "this setting, which has no default")
            }
            return nil
        }
        if output == .native, section["read_as"] == nil {
            reader.report(
                value.place, "\(value.setting).read_as", found: "nothing",
                expected: "the source of the rules that says how its bodies are understood")
        }
        let asked = reader.elements(section["forward_headers"]).compactMap { forwarded($0) }
        return BridgeDraft.Source(
            name: name, path: path, topic: topic, output: output, readAs: reader.text(section["read_as"]),
            eventSource: reader.text(section["event_source"]),
            deliveryHeader: (reader.text(section["delivery_header"]) ?? Self.deliveryHeader(signature.scheme))?
                .lowercased(),
            forwarded: asked + Self.kindHeaders(signature.scheme).filter { !asked.contains($0) }, signature: signature)
    }

    /// Where a vendor puts its name of a delivery.
    private static func deliveryHeader(_ scheme: HeaderSignatureRule.Scheme) -> String? {
        switch scheme {
        case .github: "x-github-delivery"
        case .pagerDuty: "x-webhook-id"
        case .jira: "x-atlassian-webhook-identifier"
        case .slack, .hmacSHA256, .jws: nil
        }
    }

    /// Headers that say what a vendor's body is, without which it cannot be read.
    private static func kindHeaders(_ scheme: HeaderSignatureRule.Scheme) -> [String] {
        switch scheme {
        case .github: ["x-github-event"]
        case .pagerDuty, .jira, .slack, .hmacSHA256, .jws: []
        }
    }

    private mutating func forwarded(_ value: ConfigurationValue) -> String? {
        guard let name = reader.text(value, expected: "a header's name")?.lowercased() else { return nil }
        guard !["authorization", "proxy-authorization", "cookie"].contains(name) else {
            reader.report(value, expected: "a header that carries no credentials")
            return nil
        }
        return name
    }

    // MARK: Signatures

    private mutating func signature(
        _ value: ConfigurationValue?, _ source: ConfigurationValue
    ) -> HeaderSignatureRule? {
        guard let value else { return nil }
        let section = reader.members(
            value, of: value.setting, variables: [], others: ["scheme", "header", "prefix", "encoding", "keys"])
        guard let scheme = reader.choice(section["scheme"], HeaderSignatureRule.Scheme.self) else {
            if section["scheme"] == nil {
                reader.report(
                    value, found: "no scheme",
                    expected: "one of " + HeaderSignatureRule.Scheme.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return nil
        }
        let header = reader.text(section["header"])
        if scheme == .hmacSHA256, header == nil {
            reader.report(value, found: "no header", expected: "the name of the header that has the code")
        }
        let keys = reader.elements(section["keys"]).compactMap { key($0) }
        if keys.isEmpty || keys.count > HeaderSignatureRule.maximumKeys || Set(keys.map(\.name)).count != keys.count {
            reader.report(
                section["keys"] ?? value, found: "\(keys.count) keys",
                expected: "1 to \(HeaderSignatureRule.maximumKeys) keys, each with a name of its own")
        }
        return HeaderSignatureRule(
            scheme: scheme, header: header, prefix: reader.text(section["prefix"]) ?? "",
            encoding: reader.choice(section["encoding"], HeaderSignatureRule.Encoding.self) ?? .hex, keys: keys)
    }

    private mutating func key(_ value: ConfigurationValue) -> HeaderSignatureRule.Key? {
        let section = reader.members(
            value, of: value.setting, variables: [], others: ["name", "file", "not_before", "not_after"])
        guard let name = reader.text(section["name"]), let file = reader.text(section["file"]) else {
            reader.report(value, found: "no name or no file", expected: "name and file")
            return nil
        }
        return HeaderSignatureRule.Key(
            name: name, file: resolve(file), notBefore: reader.timestamp(section["not_before"]),
            notAfter: reader.timestamp(section["not_after"]))
    }

    // MARK: Log

    private mutating func log(_ value: ConfigurationValue?) -> LogSettings {
        let section = reader.members(value, of: "log", variables: ["level", "format"])
        var settings = LogSettings()
        settings.level = reader.choice(section["level"], Logger.Level.self) ?? settings.level
        settings.format = reader.choice(section["format"], LogSettings.Format.self) ?? settings.format
        return settings
    }
}
