import ClawWire
import Foundation
import GrantLedger
import Kafka
import Keys
import Logging
import Postgres
import ReceiptLog
import Yams

/// One pass over a configuration file.
struct ConfigurationFileLoader {
    var reader: ConfigurationReader
    /// Where relative paths begin.
    let directory: URL

    /// Sections whose settings may come from the environment.
    static let sections = [
        "worker", "kafka", "topics", "database", "keys", "secrets", "wpc", "control", "gateway_receipts",
        "status_lists", "confirmation", "http", "claims", "security_events", "metrics", "tracing", "limits", "log",
    ]

    mutating func load(_ root: Node) -> (WorkerConfiguration, LogSettings)? {
        let document = ConfigurationValue(root, setting: "")
        let top = reader.members(
            document, of: "", variables: ["config_version", "log_id", "rules"], others: Self.sections + ["witnesses"])
        let version = required(top["config_version"], "config_version", document)
        if let version, version != ConfigurationFile.version {
            reader.report(
                top["config_version"] ?? document, expected: "\"\(ConfigurationFile.version)\", the only version")
        }
        let logID = logID(top["log_id"], document)
        let workerSection = reader.members(top["worker"], of: "worker", variables: ["id", "dry_run"])
        let workerID = workerID(workerSection["id"])
        let isDryRun = reader.bool(workerSection["dry_run"], default: false)
        let kafka = reader.kafka(top["kafka"], in: document) { [directory] in Self.resolve($0, in: directory) }
        let outputs = outputs(top["topics"])
        let database = database(top["database"], document)
        let keys = keys(top["keys"], document)
        let secrets = reader.members(
            top["secrets"], of: "secrets", variables: ["token_id_file", "sealing_file"])
        let tokenID = required(secrets["token_id_file"], "secrets.token_id_file", top["secrets"] ?? document)
        let sealing = required(secrets["sealing_file"], "secrets.sealing_file", top["secrets"] ?? document)
        let rules = required(top["rules"], "rules", document)
        let policies = policies(top["wpc"])
        let control = control(top["control"])
        let statusLists = statusLists(top["status_lists"])
        let gatewayReceipts = gatewayReceipts(top["gateway_receipts"])
        let witnesses = witnesses(top["witnesses"])
        let confirmation = confirmation(top["confirmation"])
        let http = http(top["http"])
        let claims = claims(top["claims"], reachedAt: http?.issuer)
        let securityEvents = securityEvents(top["security_events"])
        checkSignalKey(securityEvents, keys, top["security_events"])
        let metrics = reader.metrics(top["metrics"]) { [directory] in Self.resolve($0, in: directory) }
        let tracing = tracing(top["tracing"])
        let limits = limits(top["limits"])
        let log = log(top["log"])
        reader.reportUnknownVariables(sections: Self.sections)
        guard reader.problems.isEmpty, let logID, let kafka, let database, let tokenID, let sealing, let rules else {
            return nil
        }
        var configuration = WorkerConfiguration(
            workerID: workerID, logID: logID, kafka: kafka.configuration, database: database, keys: keys,
            tokenIDSecretFile: resolve(tokenID), sealingSecretFile: resolve(sealing), rulesFile: resolve(rules))
        configuration.usesTransactions = kafka.usesTransactions
        configuration.brokerTokens = kafka.tokens
        configuration.outputs = outputs
        configuration.policies = policies
        configuration.limits = limits
        configuration.control = control
        configuration.statusLists = statusLists
        configuration.gatewayReceipts = gatewayReceipts
        configuration.witnesses = witnesses
        configuration.confirmation = confirmation
        configuration.http = http
        configuration.claims = claims
        configuration.securityEvents = securityEvents
        configuration.metrics = metrics
        configuration.tracing = tracing
        configuration.isDryRun = isDryRun
        return (configuration, log)
    }

    // MARK: Names and paths

    func resolve(_ path: String) -> String { Self.resolve(path, in: directory) }

    static func resolve(_ path: String, in directory: URL) -> String {
        path.hasPrefix("/") ? path : directory.appendingPathComponent(path).standardizedFileURL.path
    }

    mutating func required(
        _ value: ConfigurationValue?, _ setting: String, _ parent: ConfigurationValue
    ) -> String? {
        guard let value else {
            reader.report(parent.place, setting, found: "nothing", expected: "this setting, which has no default")
            return nil
        }
        return reader.text(value)
    }

    private mutating func logID(_ value: ConfigurationValue?, _ document: ConfigurationValue) -> LogID? {
        guard let text = required(value, "log_id", document), let value else { return nil }
        // The name is the origin line of checkpoints and part of their key names, where space and plus have a meaning.
        guard text.utf8.count <= 255,
            text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F && $0 != "+" })
        else {
            reader.report(value, expected: "a name without spaces and plus signs, such as harborline.example/clawgrant")
            return nil
        }
        return LogID(text)
    }

    /// A name with a part of its own for each start: two processes that took each other's leases for their own could
    /// both commit.
    private mutating func workerID(_ value: ConfigurationValue?) -> WorkerID {
        let host = (try? String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8)) ?? ""
        var name = String(host.unicodeScalars.filter(Self.isNameScalar).map(Character.init).prefix(40))
        if name.isEmpty { name = "worker" }
        if let value, let text = reader.text(value) {
            if text.unicodeScalars.allSatisfy(Self.isNameScalar), text.utf8.count <= 40 {
                name = text
            } else {
                reader.report(value, expected: "at most 40 letters, digits, dots, hyphens and underscores")
            }
        }
        let start = String(UInt32.random(in: 0 ... .max), radix: 16)
        return WorkerID("\(name)-\(String(repeating: "0", count: 8 - start.utf8.count))\(start)")
    }

    static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_": true
        default: false
        }
    }

    // MARK: Topics

    private mutating func outputs(_ value: ConfigurationValue?) -> WorkerConfiguration.OutputTopics {
        let streams: [(key: String, stream: GrantLedger.OutputStream)] = [
            ("grants", .grants), ("decisions", .decisions), ("revocations", .revocations),
            ("receipt_batches", .receiptBatches), ("dead_letters", .deadLetters), ("control_results", .controlResults),
            ("findings", .findings),
        ]
        let section = reader.members(value, of: "topics", variables: streams.map(\.key))
        var outputs = WorkerConfiguration.OutputTopics()
        for (key, stream) in streams {
            guard let value = section[key], let name = topicName(value) else { continue }
            outputs.names[stream] = name
        }
        var taken: Set<String> = []
        for (key, stream) in streams where !taken.insert(outputs.name(stream)).inserted {
            if let value = section[key] { reader.report(value, expected: "a topic of its own for each stream") }
        }
        return outputs
    }

    mutating func topicName(_ value: ConfigurationValue?) -> String? {
        guard let value, let name = reader.text(value, expected: "a topic's name") else { return nil }
        guard name.utf8.count <= 249, name.unicodeScalars.allSatisfy(Self.isNameScalar), name != ".", name != ".."
        else {
            reader.report(value, expected: "a topic's name: at most 249 letters, digits, dots, hyphens, underscores")
            return nil
        }
        return name
    }

    // MARK: Database

    private mutating func database(
        _ value: ConfigurationValue?, _ document: ConfigurationValue
    ) -> PostgresConfiguration? {
        let section = reader.members(value, of: "database", variables: ["conninfo", "password_file", "pool_size"])
        let poolSize = reader.count(section["pool_size"], in: 1...200, default: 8)
        var password: PostgresSecret?
        if let value = section["password_file"], let file = reader.text(value, expected: "the path of a file") {
            password = reader.secret(file, value) { [directory] in Self.resolve($0, in: directory) }
                .map { PostgresSecret($0) }
        }
        guard let conninfo = section["conninfo"] else {
            reader.report(
                (value ?? document).place, "database.conninfo", found: "nothing",
                expected: "libpq's connection string, such as \"host=/run/postgresql dbname=clawgrant\"")
            return nil
        }
        guard let text = reader.text(conninfo) else { return nil }
        do {
            let given = try PostgresConfiguration(uri: text)
            // What it describes beyond its keywords are placeholders of secrets.
            let open = given.keywords.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            guard given.description == open.joined(separator: " ") else {
                reader.report(
                    conninfo, found: "a password in the open",
                    expected: "it in a file of mode 0600 that database.password_file names")
                return nil
            }
            var configuration = try PostgresConfiguration(keywords: given.keywords, password: password)
            configuration.poolSize = poolSize
            return configuration
        } catch {
            reader.report(conninfo, found: "what libpq refuses (\(error))", expected: "keyword=value pairs or a URI")
            return nil
        }
    }

    // MARK: Keys

    private enum StateName: String, CaseIterable {
        case active
        case verifyOnly = "verify_only"
        case retired
    }

    private mutating func keys(_ value: ConfigurationValue?, _ document: ConfigurationValue) -> [KeyConfiguration] {
        guard let value else {
            reader.report(
                document.place, "keys", found: "nothing",
                expected: "a list of keys, one active key for each of "
                    + KeyPurpose.needed.map(\.rawValue).joined(separator: ", "))
            return []
        }
        return reader.elements(value).compactMap { key($0) }
    }

    private mutating func key(_ value: ConfigurationValue) -> KeyConfiguration? {
        let section = reader.members(
            value, of: value.setting, variables: [],
            others: ["purpose", "file", "pkcs11", "state", "not_before", "not_after"])
        let purpose = reader.choice(section["purpose"], KeyPurpose.self)
        if section["purpose"] == nil {
            reader.report(
                value.place, "\(value.setting).purpose", found: "nothing",
                expected: "one of " + KeyPurpose.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let notBefore = reader.timestamp(section["not_before"])
        let notAfter = reader.timestamp(section["not_after"])
        let location = location(section, value)
        let state: KeyState
        switch reader.choice(section["state"], StateName.self) ?? .active {
        case .active: state = .active
        case .retired: state = .retired
        case .verifyOnly:
            guard let notAfter else {
                if section["not_after"] == nil {
                    reader.report(
                        value.place, "\(value.setting).not_after", found: "nothing",
                        expected: "the time until which a verify_only key is accepted")
                }
                return nil
            }
            state = .verifyOnly(notAfter: notAfter)
        }
        guard let purpose, let location else { return nil }
        return KeyConfiguration(
            purpose: purpose, location: location, notBefore: notBefore, notAfter: notAfter, state: state)
    }

    private mutating func location(
        _ section: [String: ConfigurationValue], _ value: ConfigurationValue
    ) -> KeyLocation? {
        switch (section["file"], section["pkcs11"]) {
        case (let file?, nil): return reader.text(file, expected: "a path").map { .file(resolve($0)) }
        case (nil, let token?): return pkcs11(token)
        case (nil, nil), (_?, _?):
            reader.report(
                value.place, value.setting, found: section["file"] == nil ? "no place" : "two places",
                expected: "either file or pkcs11")
            return nil
        }
    }

    private mutating func pkcs11(_ value: ConfigurationValue) -> KeyLocation? {
        let section = reader.members(
            value, of: value.setting, variables: [], others: ["module", "token", "key", "key_id", "pin_file"])
        let module = required(section["module"], "\(value.setting).module", value)
        let token = required(section["token"], "\(value.setting).token", value)
        let pinFile = required(section["pin_file"], "\(value.setting).pin_file", value)
        var name: PKCS11Location.KeyName?
        switch (section["key"], section["key_id"]) {
        case (let label?, nil): name = reader.text(label).map { .label($0) }
        case (nil, let id?):
            name = reader.text(id).flatMap { Hex.decode($0) }.map { .id($0) }
            if name == nil { reader.report(id, expected: "CKA_ID in hexadecimal digits") }
        case (nil, nil), (_?, _?):
            reader.report(value, expected: "either key, a label, or key_id, hexadecimal digits")
        }
        guard let module, let token, let pinFile, let name else { return nil }
        return .pkcs11(
            PKCS11Location(modulePath: resolve(module), tokenLabel: token, key: name, pinFile: resolve(pinFile)))
    }

    // MARK: Policies, limits, log

    private mutating func policies(
        _ value: ConfigurationValue?
    ) -> WorkerConfiguration.PolicySources {
        let section = reader.members(value, of: "wpc", variables: ["directory", "topic", "url"])
        var policies = WorkerConfiguration.PolicySources()
        policies.directory = reader.text(section["directory"], expected: "a path").map(resolve)
        policies.topic = topicName(section["topic"])
        policies.url = reader.text(section["url"], expected: "an address")
        if let url = section["url"], let text = policies.url, !text.hasPrefix("https://"), !text.hasPrefix("http://") {
            reader.report(url, expected: "an http or https address")
        }
        return policies
    }

    private mutating func limits(_ value: ConfigurationValue?) -> WorkerConfiguration.Limits {
        let section = reader.members(
            value, of: "limits",
            variables: [
                "batch_records", "batch_bytes", "batch_linger_ms", "seal_interval_ms", "lanes", "lease_lifetime_ms",
                "heartbeat_ms",
                "sweep_ms", "log_heartbeat_ms", "revocation_grace_s", "drain_timeout_ms", "max_event_age_s",
                "max_event_ahead_s", "max_clock_difference_s", "dead_letter_max_hops", "dead_letter_keep_days",
            ])
        var limits = WorkerConfiguration.Limits()
        limits.batchRecords = reader.count(section["batch_records"], in: 1...10_000, default: limits.batchRecords)
        limits.batchBytes = reader.count(section["batch_bytes"], in: 65_536...67_108_864, default: limits.batchBytes)
        limits.batchLinger = .milliseconds(reader.count(section["batch_linger_ms"], in: 0...1_000, default: 3))
        limits.sealInterval = .milliseconds(reader.count(section["seal_interval_ms"], in: 0...1_000, default: 20))
        limits.lanes = reader.count(section["lanes"], in: 1...64, default: limits.lanes)
        let lifetime = reader.count(section["lease_lifetime_ms"], in: 500...600_000, default: 3_000)
        let heartbeat = reader.count(section["heartbeat_ms"], in: 50...60_000, default: 500)
        if heartbeat * 2 > lifetime, let value = section["heartbeat_ms"] ?? section["lease_lifetime_ms"] {
            reader.report(
                value, found: "heartbeats every \(heartbeat) ms and leases of \(lifetime) ms",
                expected: "at least two heartbeats within a lease's lifetime")
        }
        limits.leaseLifetime = .milliseconds(lifetime)
        limits.heartbeatInterval = .milliseconds(heartbeat)
        limits.sweepInterval = .milliseconds(reader.count(section["sweep_ms"], in: 50...60_000, default: 500))
        let silence = reader.count(section["log_heartbeat_ms"], in: 0...86_400_000, default: 60_000)
        if (1..<200).contains(silence), let value = section["log_heartbeat_ms"] {
            reader.report(value, expected: "0 for no heartbeats of the log, or at least 200")
        }
        limits.logHeartbeatInterval = silence == 0 ? nil : .milliseconds(silence)
        limits.revocationGrace = .seconds(
            reader.count(section["revocation_grace_s"], in: 60...2_592_000, default: 3_900))
        limits.drainTimeout = .milliseconds(
            reader.count(section["drain_timeout_ms"], in: 0...600_000, default: 15_000))
        limits.maximumEventAge = Int64(
            reader.count(
                section["max_event_age_s"], in: 60...31_536_000, default: Int(limits.maximumEventAge)))
        limits.maximumEventAhead = Int64(
            reader.count(section["max_event_ahead_s"], in: 0...86_400, default: Int(limits.maximumEventAhead)))
        limits.maximumClockDifference = .seconds(
            reader.count(section["max_clock_difference_s"], in: 1...86_400, default: 300))
        limits.deadLetterMaximumHops = Int64(
            reader.count(section["dead_letter_max_hops"], in: 1...100, default: Int(limits.deadLetterMaximumHops)))
        limits.deadLetterRetention = .seconds(
            reader.count(section["dead_letter_keep_days"], in: 1...400, default: 30) * 86_400)
        return limits
    }

    private mutating func control(_ value: ConfigurationValue?) -> WorkerConfiguration.Control {
        let section = reader.members(value, of: "control", variables: ["topic", "stop_view_max_age_ms", "stop_file"])
        var control = WorkerConfiguration.Control()
        control.topic = topicName(section["topic"])
        control.viewMaximumAge = .milliseconds(
            reader.count(section["stop_view_max_age_ms"], in: 1_000...600_000, default: 15_000))
        control.stopFile = reader.text(section["stop_file"], expected: "a path").map(resolve)
        return control
    }

    private mutating func statusLists(_ value: ConfigurationValue?) -> WorkerConfiguration.StatusLists? {
        let section = reader.members(
            value, of: "status_lists", variables: ["topic", "uri_base", "interval_ms", "ttl_s"])
        guard let base = section["uri_base"] else {
            if let place = section.isEmpty ? nil : value?.place ?? section.values.first?.place {
                reader.report(
                    place, "status_lists.uri_base", found: "nothing",
                    expected: "the address under which the lists are served")
            }
            return nil
        }
        guard let text = reader.text(base) else { return nil }
        guard text.hasPrefix("https://"), !text.hasSuffix("/") else {
            reader.report(base, expected: "an https address without a slash at its end")
            return nil
        }
        var lists = WorkerConfiguration.StatusLists(uriBase: text)
        lists.topic = topicName(section["topic"]) ?? lists.topic
        let interval = reader.count(section["interval_ms"], in: 500...3_600_000, default: 10_000)
        let timeToLive = reader.count(section["ttl_s"], in: 1...86_400, default: 60)
        if timeToLive * 1_000 < interval, let value = section["ttl_s"] ?? section["interval_ms"] {
            reader.report(
                value, found: "lists every \(interval) ms that may be kept for \(timeToLive) s",
                expected: "a new list before the last may not be kept any more")
        }
        lists.interval = .milliseconds(interval)
        lists.timeToLive = Int64(timeToLive)
        return lists
    }

    private mutating func gatewayReceipts(_ value: ConfigurationValue?) -> WorkerConfiguration.GatewayReceipts {
        let section = reader.members(value, of: "gateway_receipts", variables: ["topic"])
        var settings = WorkerConfiguration.GatewayReceipts()
        settings.topic = topicName(section["topic"])
        return settings
    }

    /// Verifier keys in the text form of signed notes, which holds the name.
    private mutating func witnesses(_ value: ConfigurationValue?) -> [NoteKey] {
        var witnesses: [NoteKey] = []
        for element in reader.elements(value) {
            guard let text = reader.text(element, expected: "a witness's verifier key") else { continue }
            guard let key = NoteKey(text: text), key.algorithm == .cosignature else {
                reader.report(
                    element, expected: "the verifier key of a witness: name+key id+base64 of 0x04 and its Ed25519 key")
                continue
            }
            if witnesses.contains(key) {
                reader.report(element, found: "a second entry for \(key.name)", expected: "one entry for each key")
            } else {
                witnesses.append(key)
            }
        }
        return witnesses
    }

    private mutating func log(_ value: ConfigurationValue?) -> LogSettings {
        let section = reader.members(value, of: "log", variables: ["level", "format"])
        var settings = LogSettings()
        settings.level = reader.choice(section["level"], Logger.Level.self) ?? settings.level
        settings.format = reader.choice(section["format"], LogSettings.Format.self) ?? settings.format
        return settings
    }
}
