public import Observability

/// How a worker's figures are had, beside the HTTP surface.
public struct MetricsSettings: Sendable, Hashable {
    /// File for the node exporter's textfile collector; `nil` for none.
    public var textfile: String?
    /// Time between two looks at the ledger, the keys and the lag, and between two files.
    public var interval: Duration = .seconds(10)
    /// The standard settings.
    public init() {}
}

/// Whether decisions are traced, and where spans go.
public struct TracingSettings: Sendable, Hashable {
    /// The collector.
    public var exporter: SpanExporter.Settings
    /// Share of traces that begin here which are kept, in thousandths. What began elsewhere is kept when it was there.
    public var ratioPerMille = 0
    /// The standard settings.
    public init(endpoint: String) { exporter = SpanExporter.Settings(endpoint: endpoint) }
}

extension ConfigurationReader {
    /// The section `metrics`.
    package mutating func metrics(_ value: ConfigurationValue?, resolve: (String) -> String) -> MetricsSettings {
        let section = members(value, of: "metrics", variables: ["textfile", "interval_s"])
        var settings = MetricsSettings()
        if let place = section["textfile"], let path = text(place, expected: "a path") {
            if path.hasSuffix(".prom") {
                settings.textfile = resolve(path)
            } else {
                report(place, expected: "a path that ends in .prom: the collector reads no other")
            }
        }
        settings.interval = .seconds(count(section["interval_s"], in: 1...300, default: 10))
        return settings
    }
}

extension ConfigurationFileLoader {
    /// The section `tracing`; `nil` when there is none.
    mutating func tracing(_ value: ConfigurationValue?) -> TracingSettings? {
        let section = reader.members(
            value, of: "tracing", variables: ["endpoint", "ratio_per_mille", "queue", "timeout_ms"],
            others: ["header_files"])
        guard let endpoint = section["endpoint"] else {
            if let place = section.isEmpty ? nil : value?.place ?? section.values.first?.place {
                reader.report(
                    place, "tracing.endpoint", found: "nothing",
                    expected: "the collector's receiver for traces, such as https://collector.example:4318/v1/traces")
            }
            return nil
        }
        guard let address = reader.text(endpoint, expected: "an address") else { return nil }
        guard Self.isCollector(address) else {
            reader.report(endpoint, expected: "an https address, or an http address of this host")
            return nil
        }
        var settings = TracingSettings(endpoint: address)
        for (name, value) in reader.named(section["header_files"], of: "tracing.header_files") {
            guard Self.isHeaderName(name) else {
                reader.report(value, expected: "the name of a header")
                continue
            }
            guard let file = reader.text(value, expected: "the path of a file") else { continue }
            let secret = reader.secret(file, value) { [directory] in Self.resolve($0, in: directory) }
            if let secret { settings.exporter.headers[name] = SecretText(secret) }
        }
        settings.ratioPerMille = reader.count(section["ratio_per_mille"], in: 0...1_000, default: 0)
        settings.exporter.queueLength = reader.count(section["queue"], in: 128...65_536, default: 2_048)
        settings.exporter.timeout = .milliseconds(
            reader.count(section["timeout_ms"], in: 100...60_000, default: 10_000))
        return settings
    }

    /// Spans name agents' jobs and their outcomes: they leave this host over TLS alone.
    private static func isCollector(_ address: String) -> Bool {
        if address.hasPrefix("https://") { return address.utf8.count > "https://".utf8.count }
        return ["http://127.0.0.1", "http://localhost", "http://[::1]"].contains { host in
            guard address.hasPrefix(host) else { return false }
            let next = address.dropFirst(host.count).first
            return next == nil || next == ":" || next == "/"
        }
    }

    private static func isHeaderName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) || $0 == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
    }
}
