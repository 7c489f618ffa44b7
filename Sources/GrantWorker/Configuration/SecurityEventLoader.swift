import SecurityEvents
import Yams

/// The section `security_events`.
extension ConfigurationFileLoader {
    /// What every sink may say, whatever its kind.
    private static let commonSettings = [
        "name", "kind", "start_from", "heartbeat_s", "retry_min_ms", "retry_max_ms", "failures_before_finding",
        "delivery_timeout_ms",
    ]

    /// Reads the section; `nil` when there is none. A section without sinks has one: the topic.
    mutating func securityEvents(_ value: ConfigurationValue?) -> SecurityEventSettings? {
        let section = reader.members(
            value, of: "security_events", variables: ["tenant", "poll_ms", "read_ahead_bytes"], others: ["sinks"])
        guard value != nil || !section.isEmpty else { return nil }
        var settings = SecurityEventSettings(sinks: [])
        if let list = section["sinks"] {
            for element in reader.elements(list) {
                guard let sink = sink(element) else { continue }
                if settings.sinks.contains(where: { $0.name == sink.name }) {
                    reader.report(element, found: "a second sink \(sink.name)", expected: "a name of its own")
                }
                settings.sinks.append(sink)
            }
            if settings.sinks.isEmpty, reader.problems.isEmpty {
                reader.report(list, found: "no sink", expected: "at least one, or no list for the topic alone")
            }
        } else {
            settings.sinks = [SecurityEventSettings.Sink(name: "kafka", kind: .kafka(.init()))]
        }
        settings.tenant = reader.text(section["tenant"], expected: "a name")
        settings.pollInterval = .milliseconds(reader.count(section["poll_ms"], in: 10...60_000, default: 250))
        settings.readAheadBytes = reader.count(
            section["read_ahead_bytes"], in: (1 << 20)...(1 << 30), default: settings.readAheadBytes)
        return settings
    }

    private mutating func sink(_ element: ConfigurationValue) -> SecurityEventSettings.Sink? {
        guard let kindName = kindName(element) else { return nil }
        let section = reader.members(
            element, of: element.setting, variables: [], others: Self.commonSettings + Self.settings(of: kindName))
        guard let name = sinkName(section["name"], element), let kind = kind(kindName, section, element) else {
            return nil
        }
        var sink = SecurityEventSettings.Sink(name: name, kind: kind)
        sink.start = start(section["start_from"])
        if section["heartbeat_s"] != nil {
            let seconds = reader.count(section["heartbeat_s"], in: 0...86_400, default: 0)
            sink.heartbeatInterval = seconds == 0 ? nil : .seconds(seconds)
        }
        let shortest = reader.count(section["retry_min_ms"], in: 10...600_000, default: 1_000)
        let longest = reader.count(section["retry_max_ms"], in: 10...3_600_000, default: 60_000)
        if shortest > longest, let value = section["retry_min_ms"] ?? section["retry_max_ms"] {
            reader.report(
                value, found: "waits from \(shortest) ms to \(longest) ms",
                expected: "a shortest wait that is no longer")
        }
        sink.patience.shortestWait = .milliseconds(shortest)
        sink.patience.longestWait = .milliseconds(longest)
        sink.patience.failuresBeforeFinding = Int32(
            reader.count(section["failures_before_finding"], in: 1...1_000, default: 5))
        sink.patience.deliveryTimeout = .milliseconds(
            reader.count(
                section["delivery_timeout_ms"], in: 100...600_000,
                // Indexers confirm when they have written, which may take a minute.
                default: kindName == .splunk ? 120_000 : 30_000))
        return sink
    }

    /// The kind stands among the settings that it decides on, so it is looked up before they are read.
    private mutating func kindName(_ element: ConfigurationValue) -> SecurityEventSettings.KindName? {
        let expected = "one of " + SecurityEventSettings.KindName.allCases.map(\.rawValue).joined(separator: ", ")
        guard case .node(.mapping(let mapping)) = element.content else {
            reader.report(element, expected: "a mapping")
            return nil
        }
        guard let node = mapping["kind"] else {
            reader.report(element.place, "\(element.setting).kind", found: "nothing", expected: expected)
            return nil
        }
        return reader.choice(
            ConfigurationValue(node, setting: "\(element.setting).kind"), SecurityEventSettings.KindName.self)
    }

    /// Sinks are labels of metrics and parts of findings.
    private mutating func sinkName(_ value: ConfigurationValue?, _ element: ConfigurationValue) -> String? {
        guard let text = required(value, "\(element.setting).name", element), let value else { return nil }
        let isName =
            text.utf8.count <= 40
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
        guard isName else {
            reader.report(value, expected: "at most 40 small letters, digits, hyphens and underscores")
            return nil
        }
        return text
    }

    private mutating func start(_ value: ConfigurationValue?) -> SecurityEventSettings.Start {
        guard let value else { return .beginning }
        switch value.scalar {
        case "beginning": return .beginning
        case "now": return .now
        case let text?:
            if let position = Int64(text), position >= 0 { return .position(position) }
            fallthrough
        case nil:
            reader.report(value, expected: "beginning, now, or a position of the log")
            return .beginning
        }
    }

    // MARK: Kinds

    private static func settings(of kind: SecurityEventSettings.KindName) -> [String] {
        switch kind {
        case .kafka: ["topic", "format", "headers", "batch_events"]
        case .syslog:
            [
                "host", "port", "transport", "format", "ca_file", "server_name", "certificate_file", "key_file",
                "batch_events", "replay_events",
            ]
        case .file: ["path", "format", "rotate_bytes", "rotate_s", "keep_files", "batch_events"]
        case .splunk, .sentinel, .otlp, .signals, .signalsTopic: collectorSettings(of: kind)
        }
    }

    private mutating func kind(
        _ name: SecurityEventSettings.KindName, _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SecurityEventSettings.Kind? {
        switch name {
        case .kafka: kafkaTopic(section, element).map { .kafka($0) }
        case .syslog: syslogReceiver(section, element).map { .syslog($0) }
        case .file: lineFile(section, element).map { .file($0) }
        case .splunk: splunk(section, element).map { .splunk($0) }
        case .sentinel: sentinel(section, element).map { .sentinel($0) }
        case .otlp: otlp(section, element).map { .otlp($0) }
        case .signals: signals(section, element).map { .signals($0) }
        case .signalsTopic: signalsTopic(section, element).map { .signalsTopic($0) }
        }
    }

    private mutating func kafkaTopic(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SecurityEventSettings.KafkaTopic? {
        var topic = SecurityEventSettings.KafkaTopic()
        topic.topic = topicName(section["topic"]) ?? topic.topic
        topic.format = reader.choice(section["format"], SecurityEventFormat.self) ?? topic.format
        for (name, value) in reader.named(section["headers"], of: "\(element.setting).headers") {
            guard let text = reader.text(value, expected: "a text") else { continue }
            guard name.utf8.count <= 100, name.utf8.allSatisfy({ (33...126).contains($0) }), !name.hasPrefix("claw_"),
                !name.hasPrefix("ce_"), name != "content-type", text.utf8.count <= 1_024
            else {
                reader.report(
                    value, found: "the header \"\(name.prefix(80))\"",
                    expected: "a name in ASCII that does not begin with claw_ or ce_, and at most 1024 bytes")
                continue
            }
            topic.headers[name] = text
        }
        topic.maximumEvents = reader.count(section["batch_events"], in: 1...10_000, default: topic.maximumEvents)
        return topic
    }

    private mutating func syslogReceiver(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SecurityEventSettings.SyslogReceiver? {
        let transport = reader.choice(section["transport"], SyslogTransport.self) ?? .tls
        guard let host = required(section["host"], "\(element.setting).host", element) else { return nil }
        let port = reader.count(section["port"], in: 1...65_535, default: transport == .tls ? 6514 : 601)
        var receiver = SecurityEventSettings.SyslogReceiver(host: host, port: port, security: nil)
        switch transport {
        case .tls: receiver.security = syslogSecurity(section)
        case .tcp:
            for name in ["ca_file", "server_name", "certificate_file", "key_file"] {
                if let value = section[name] { reader.report(value, expected: "nothing without transport tls") }
            }
        }
        if let format = reader.choice(section["format"], SecurityEventFormat.self), let value = section["format"] {
            switch format {
            case .syslog, .syslogCEF: receiver.format = format
            case .ocsf, .ecs, .cef: reader.report(value, expected: "syslog or syslog-cef")
            }
        }
        receiver.maximumEvents = reader.count(
            section["batch_events"], in: 1...10_000, default: receiver.maximumEvents)
        receiver.replayedEvents = reader.count(
            section["replay_events"], in: 0...100_000, default: receiver.replayedEvents)
        return receiver
    }

    private mutating func syslogSecurity(
        _ section: [String: ConfigurationValue]
    ) -> SecurityEventSettings.SyslogReceiver.Security {
        var security = SecurityEventSettings.SyslogReceiver.Security()
        security.authorityFile = path(section["ca_file"])
        security.serverName = reader.text(section["server_name"], expected: "a host name")
        security.certificateFile = path(section["certificate_file"])
        security.keyFile = path(section["key_file"])
        if (security.certificateFile == nil) != (security.keyFile == nil),
            let value = section["certificate_file"] ?? section["key_file"]
        {
            reader.report(value, expected: "certificate_file and key_file together")
        }
        return security
    }

    private mutating func lineFile(
        _ section: [String: ConfigurationValue], _ element: ConfigurationValue
    ) -> SecurityEventSettings.LineFile? {
        guard let path = required(section["path"], "\(element.setting).path", element) else { return nil }
        var file = SecurityEventSettings.LineFile(path: resolve(path))
        if let format = reader.choice(section["format"], SecurityEventFormat.self), let value = section["format"] {
            switch format {
            case .ocsf, .ecs: file.format = format
            case .cef, .syslog, .syslogCEF: reader.report(value, expected: "ocsf or ecs")
            }
        }
        file.rotationBytes = Int64(
            reader.count(section["rotate_bytes"], in: 4_096...(1 << 40), default: Int(file.rotationBytes)))
        let seconds = reader.count(section["rotate_s"], in: 0...31_536_000, default: 86_400)
        file.rotationInterval = seconds == 0 ? nil : .seconds(seconds)
        let kept = reader.count(section["keep_files"], in: 0...1_000_000, default: 14)
        file.keptFiles = kept == 0 ? nil : kept
        file.maximumEvents = reader.count(section["batch_events"], in: 1...10_000, default: file.maximumEvents)
        return file
    }

    private mutating func path(_ value: ConfigurationValue?) -> String? {
        reader.text(value, expected: "the path of a file").map { resolve($0) }
    }
}

/// How syslog frames travel. The text is the configuration's.
private enum SyslogTransport: String, CaseIterable {
    case tls
    case tcp
}
