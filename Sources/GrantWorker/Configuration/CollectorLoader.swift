import GraphConfirmation
import Keys
import SecurityEvents

/// Sinks of the section `security_events` that are reached over HTTP, and those of signals.
extension ConfigurationFileLoader {
    private static let tls = ["ca_file", "certificate_file", "key_file"]
    private static let waits = ["connect_timeout_ms", "answer_timeout_ms"]
    private static let parties = ["issuer", "audience"]

    /// The settings of a kind, beside those that every sink has.
    static func collectorSettings(of kind: SecurityEventSettings.KindName) -> [String] {
        switch kind {
        case .kafka, .syslog, .file: []
        case .splunk:
            [
                "url", "token_file", "index", "source_type", "acknowledgement", "batch_events",
                "request_bytes", "compression",
            ] + tls + waits
        case .sentinel:
            [
                "endpoint", "rule_id", "stream", "tenant_id", "client_id", "secret_file", "certificate_file",
                "key_file",
                "algorithm", "authority", "scope", "batch_events", "compression", "ca_file",
            ] + waits
        case .otlp: ["url", "token_file", "batch_events", "request_bytes", "compression"] + tls + waits
        case .signals: ["url", "token_file", "concurrency", "batch_events"] + parties + tls + waits
        case .signalsTopic: ["topic", "batch_events"] + parties
        }
    }

    // MARK: Kinds

    mutating func splunk(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SplunkHECSettings? {
        let url = address("url", section, element)
        let token = secretPath("token_file", section, element)
        let connection = connection(section)
        guard let url, let token else { return nil }
        var settings = SplunkHECSettings(url: url, tokenFile: token)
        settings.target.index = reader.text(section["index"], expected: "the name of an index")
        settings.target.sourceType =
            reader.text(section["source_type"], expected: "a source type") ?? settings.target.sourceType
        settings.awaitsAcknowledgement = reader.bool(section["acknowledgement"], default: true)
        settings.deliveryEvents = reader.count(
            section["batch_events"], in: 1...10_000, default: settings.deliveryEvents)
        settings.requestBytes = reader.count(
            section["request_bytes"], in: 10_000...8_000_000, default: settings.requestBytes)
        settings.connection = connection
        return settings
    }

    mutating func sentinel(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> LogsIngestionSettings? {
        let endpoint = address("endpoint", section, element)
        let rule = segment("rule_id", section, element)
        let stream = segment("stream", section, element)
        let tenant = segment("tenant_id", section, element)
        let client = segment("client_id", section, element)
        let proof = proof(section, element)
        guard let endpoint, let rule, let stream, let tenant, let client, let proof else { return nil }
        var settings = LogsIngestionSettings(
            endpoint: endpoint, ruleID: rule, stream: stream, tenant: tenant, clientID: client, proof: proof)
        if section["authority"] != nil {
            settings.authority = address("authority", section, element) ?? settings.authority
        }
        settings.scope = reader.text(section["scope"], expected: "a scope") ?? settings.scope
        settings.deliveryEvents = reader.count(
            section["batch_events"], in: 1...10_000, default: settings.deliveryEvents)
        // The files of a certificate are the application's here; the service asks for none at the door.
        settings.connection = connection(section.filter { !["certificate_file", "key_file"].contains($0.key) })
        return settings
    }

    mutating func otlp(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> OTLPLogsSettings? {
        let url = address("url", section, element)
        let connection = connection(section)
        guard let url else { return nil }
        var settings = OTLPLogsSettings(url: url)
        settings.tokenFile = file(section["token_file"])
        settings.deliveryEvents = reader.count(
            section["batch_events"], in: 1...10_000, default: settings.deliveryEvents)
        settings.requestBytes = reader.count(
            section["request_bytes"], in: 10_000...20_000_000, default: settings.requestBytes)
        settings.connection = connection
        return settings
    }

    mutating func signals(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SignalPushSettings? {
        let url = address("url", section, element)
        let parties = signalParties(section, element)
        var connection = connection(section)
        guard let url, let parties else { return nil }
        var settings = SignalPushSettings(url: url, parties: parties)
        connection.compresses = settings.connection.compresses
        settings.connection = connection
        settings.tokenFile = file(section["token_file"])
        settings.concurrency = reader.count(section["concurrency"], in: 1...64, default: settings.concurrency)
        settings.deliveryEvents = reader.count(
            section["batch_events"], in: 1...1_000, default: settings.deliveryEvents)
        return settings
    }

    mutating func signalsTopic(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SignalTopicSettings? {
        guard let parties = signalParties(section, element) else { return nil }
        var settings = SignalTopicSettings(parties: parties)
        settings.topic = topicName(section["topic"]) ?? settings.topic
        settings.deliveryEvents = reader.count(
            section["batch_events"], in: 1...10_000, default: settings.deliveryEvents)
        return settings
    }

    /// A sink of signals has to sign.
    mutating func checkSignalKey(
        _ settings: SecurityEventSettings?, _ keys: [KeyConfiguration], _ value: ConfigurationValue?
    ) {
        let signal = settings?.sinks.first { sink in
            switch sink.kind {
            case .signals, .signalsTopic: true
            case .kafka, .syslog, .file, .splunk, .sentinel, .otlp: false
            }
        }
        guard let signal, let value, !keys.contains(where: { $0.purpose == .set && $0.state == .active }) else {
            return
        }
        reader.report(
            value, found: "the sink \(signal.name) and no active key of purpose set",
            expected: "one in `keys`; make it with `clawgrant keys generate --purpose set`")
    }

    // MARK: Parts

    private mutating func file(_ value: ConfigurationValue?) -> String? {
        reader.text(value, expected: "the path of a file").map { resolve($0) }
    }

    private mutating func secretPath(
        _ name: String, _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> String? {
        required(section[name], "\(element.setting).\(name)", element).map { resolve($0) }
    }

    /// An address that credentials may be sent to: HTTPS, or this host itself.
    private mutating func address(
        _ name: String, _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> String? {
        guard let text = required(section[name], "\(element.setting).\(name)", element), let value = section[name]
        else {
            return nil
        }
        let isVisible = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isVisible, GraphSettings.isAcceptable(text), !text.contains("?"), !text.contains("#"), !text.contains("@")
        else {
            reader.report(
                value, expected: "an address that begins with https://, without user, query and a slash at its end")
            return nil
        }
        return text
    }

    /// A name that becomes a part of an address.
    private mutating func segment(
        _ name: String, _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> String? {
        guard let text = required(section[name], "\(element.setting).\(name)", element), let value = section[name]
        else {
            return nil
        }
        guard text.utf8.count <= 128, text != ".", text != "..", text.unicodeScalars.allSatisfy(Self.isNameScalar)
        else {
            reader.report(value, expected: "at most 128 letters, digits, dots, hyphens and underscores")
            return nil
        }
        return text
    }

    private enum Compression: String, CaseIterable {
        case gzip
        case none
    }

    private mutating func connection(_ section: [String: ConfigurationValue]) -> CollectorConnection {
        var connection = CollectorConnection()
        connection.authorityFile = file(section["ca_file"])
        connection.certificate = certificate(section)
        connection.compresses = (reader.choice(section["compression"], Compression.self) ?? .gzip) == .gzip
        connection.connectTimeout = .milliseconds(
            reader.count(section["connect_timeout_ms"], in: 100...60_000, default: 5_000))
        connection.answerTimeout = .milliseconds(
            reader.count(section["answer_timeout_ms"], in: 100...600_000, default: 20_000))
        return connection
    }

    private mutating func certificate(
        _ section: [String: ConfigurationValue]
    ) -> CollectorConnection.Certificate? {
        let (certificate, key) = (file(section["certificate_file"]), file(section["key_file"]))
        guard let certificate, let key else {
            if let value = section["certificate_file"] ?? section["key_file"] {
                reader.report(value, expected: "certificate_file and key_file together")
            }
            return nil
        }
        return CollectorConnection.Certificate(certificateFile: certificate, keyFile: key)
    }

    private mutating func proof(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> LogsIngestionSettings.Proof? {
        let algorithm = reader.choice(section["algorithm"], ClientCertificate.Algorithm.self) ?? .ps256
        let certificate = certificate(section)
        let secret = file(section["secret_file"])
        switch (secret, certificate) {
        case (let secret?, nil): return .secret(file: secret)
        case (nil, let certificate?): return .certificate(certificate, algorithm)
        case (nil, nil), (_?, _?):
            reader.report(
                element, found: secret == nil ? "no proof of the application" : "two proofs of the application",
                expected: "either secret_file, or certificate_file and key_file")
            return nil
        }
    }

    private mutating func signalParties(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SignalParties? {
        let issuer = address("issuer", section, element)
        let audience = required(section["audience"], "\(element.setting).audience", element)
        guard let issuer, let audience else { return nil }
        guard audience.utf8.count <= 512 else {
            if let value = section["audience"] { reader.report(value, expected: "at most 512 bytes") }
            return nil
        }
        return SignalParties(issuer: issuer, audience: audience)
    }
}
