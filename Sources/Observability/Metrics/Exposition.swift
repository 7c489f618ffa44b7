/// How metrics are written down for whoever collects them.
public enum ExpositionFormat: Sendable, Hashable, CaseIterable {
    /// Prometheus text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.0.
    case openMetrics

    /// The media type of a document.
    public var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format that suits the header `Accept` of a request: OpenMetrics where it is asked for and not asked for less
    /// than anything else, else the text format, which every collector reads.
    public init(accept: String?) {
        var openMetrics = 0.0
        var text = 0.0
        for part in (accept ?? "").lowercased().split(separator: ",") {
            let fields = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let type = fields.first else { continue }
            let weight = fields.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            switch type {
            case "application/openmetrics-text": openMetrics = max(openMetrics, weight)
            case "text/plain", "text/*", "*/*": text = max(text, weight)
            default: continue
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .prometheus
    }
}

extension MetricRegistry {
    /// Everything, as a document.
    ///
    /// Names are in order, and so are the series of a name: two documents differ by their figures alone.
    public func render(_ format: ExpositionFormat = .prometheus) -> [UInt8] {
        var output = ExpositionWriter(format: format)
        for family in families() { output.write(family) }
        return output.finish()
    }
}

/// Writes families one after the other.
private struct ExpositionWriter {
    let format: ExpositionFormat
    private var bytes: [UInt8] = []

    init(format: ExpositionFormat) {
        self.format = format
        bytes.reserveCapacity(32_768)
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func write(_ family: MetricRegistry.Family) {
        let samples = family.series.sorted { left, right in
            left.key.lexicographicallyPrecedes(right.key) { $0.value < $1.value }
        }
        let shown = samples.filter { if case .gauge(let cell) = $0.value { cell.value != nil } else { true } }
        guard !shown.isEmpty else { return }
        let definition = family.definition
        let base = Self.base(definition)
        let name: String
        switch (format, definition.kind) {
        case (.openMetrics, .counter): name = base
        case (.prometheus, .counter): name = "\(base)_total"
        case (_, .gauge), (_, .histogram): name = definition.name
        }
        if format == .prometheus { put("# HELP \(name) \(Self.escaped(definition.help, quote: false))\n") }
        put("# TYPE \(name) \(definition.kind.word)\n")
        if format == .openMetrics {
            let unit = definition.unit.rawValue
            if !unit.isEmpty, name.hasSuffix("_\(unit)") { put("# UNIT \(name) \(unit)\n") }
            put("# HELP \(name) \(Self.escaped(definition.help, quote: true))\n")
        }
        for (labels, series) in shown {
            let text = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quote: true))\"" }.joined(separator: ",")
            switch series {
            case .counter(let cell): sample("\(base)_total", text, String(cell.value))
            case .floatingCounter(let cell): sample("\(base)_total", text, Self.number(cell.value))
            case .gauge(let cell): sample(name, text, Self.number(cell.value ?? .nan))
            case .histogram(let cell): write(cell, name, text)
            }
        }
    }

    private mutating func write(_ cell: HistogramCell, _ name: String, _ labels: String) {
        let (counts, sum) = cell.value
        var below: UInt64 = 0
        for (index, count) in counts.enumerated() {
            below += count
            let bound = index < cell.bounds.count ? Self.number(cell.bounds[index]) : "+Inf"
            sample("\(name)_bucket", labels.isEmpty ? "le=\"\(bound)\"" : "\(labels),le=\"\(bound)\"", String(below))
        }
        sample("\(name)_sum", labels, Self.number(sum))
        sample("\(name)_count", labels, String(below))
    }

    private mutating func sample(_ name: String, _ labels: String, _ value: String) {
        put(labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n")
    }

    mutating func finish() -> [UInt8] {
        if format == .openMetrics { put("# EOF\n") }
        return bytes
    }

    /// A counter's name without its ending.
    private static func base(_ definition: MetricDefinition) -> String {
        let ending = "_total"
        return definition.name.hasSuffix(ending) ? String(definition.name.dropLast(ending.count)) : definition.name
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": output.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": output.append(contentsOf: "\\n".unicodeScalars)
            case "\"" where quote: output.append(contentsOf: "\\\"".unicodeScalars)
            default: output.append(scalar)
            }
        }
        return String(output)
    }
}
