public import Metrics
import Primitives
import Synchronization

/// The metrics of a process, kept in memory until somebody asks for them: the backend of swift-metrics.
///
/// Making a handler takes a lock; counting with one takes none, and allocates nothing. The number of series of a name is
/// bounded: what comes beyond is counted nowhere but in ``droppedSeriesName``.
public final class MetricRegistry: MetricsFactory, Sendable {
    /// How many series were refused because their name has enough, or is of another kind.
    public static let droppedSeriesName = "clawgrant_metric_series_dropped_total"
    /// Longest value of a label, in characters.
    static let maximumLabelLength = 128
    /// What observations of an unknown name are counted by.
    static let defaultBounds: [Double] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]

    enum Series: Sendable {
        case counter(CounterCell)
        case floatingCounter(FloatingCounterCell)
        case gauge(GaugeCell)
        case histogram(HistogramCell)
    }

    struct Family: Sendable {
        let definition: MetricDefinition
        var series: [[SeriesKey.Label]: Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var collectors: [@Sendable () -> Void] = []
    }

    private let catalogue: [String: MetricDefinition]
    private let maximumSeries: Int
    private let state = Lock(State())
    private let dropped: CounterCell

    /// Makes an empty registry.
    ///
    /// - Parameters:
    ///   - catalogue: the names that are known.
    ///   - maximumSeries: most series of a name.
    public init(catalogue: [MetricDefinition] = MetricCatalogue.all, maximumSeries: Int = 1_000) {
        self.catalogue = Dictionary(catalogue.map { ($0.name, $0) }) { first, _ in first }
        self.maximumSeries = maximumSeries
        dropped = CounterCell(SeriesKey(name: Self.droppedSeriesName, labels: []))
        let definition =
            self.catalogue[Self.droppedSeriesName] ?? Self.unlisted(Self.droppedSeriesName, kind: .counter)
        state.withLock {
            $0.families[Self.droppedSeriesName] = Family(definition: definition, series: [[]: .counter(dropped)])
        }
    }

    /// Series that were refused.
    public var droppedSeries: Int64 { dropped.value }

    /// Adds what is measured whenever somebody asks for the metrics; it must not wait for anything.
    public func collect(_ collector: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(collector) }
    }

    /// The families in the order of their names, measured now.
    func families() -> [Family] {
        for collector in state.withLock({ $0.collectors }) { collector() }
        return state.withLock { state in state.families.keys.sorted().compactMap { state.families[$0] } }
    }

    /// The value of a counter or gauge, for tests and displays; `nil` when there is none.
    public func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let key = labels.sorted { $0.key < $1.key }.map { SeriesKey.Label(name: $0.key, value: $0.value) }
        switch state.withLock({ $0.families[name]?.series[key] }) {
        case .counter(let cell): return Double(cell.value)
        case .floatingCounter(let cell): return cell.value
        case .gauge(let cell): return cell.value
        case .histogram(let cell): return Double(cell.value.counts.reduce(0, +))
        case nil: return nil
        }
    }

    // MARK: Handlers

    /// See `MetricsFactory`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let key = Self.key(label, dimensions)
        let made = CounterCell(key)
        let series = series(key, .counter) { _ in .counter(made) }
        if case .counter(let cell) = series { return cell }
        return made
    }

    /// See `MetricsFactory`.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        floatingCounter(label, dimensions)
    }

    func floatingCounter(_ label: String, _ dimensions: [(String, String)] = []) -> FloatingCounterCell {
        let key = Self.key(label, dimensions)
        let made = FloatingCounterCell(key)
        let series = series(key, .counter) { _ in .floatingCounter(made) }
        if case .floatingCounter(let cell) = series { return cell }
        return made
    }

    /// See `MetricsFactory`.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    /// See `MetricsFactory`.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { histogram(label, dimensions) } else { gauge(label, dimensions) }
    }

    /// See `MetricsFactory`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    func gauge(_ label: String, _ dimensions: [(String, String)] = []) -> GaugeCell {
        let key = Self.key(label, dimensions)
        let made = GaugeCell(key)
        let series = series(key, .gauge) { _ in .gauge(made) }
        if case .gauge(let cell) = series { return cell }
        return made
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramCell {
        let key = Self.key(label, dimensions)
        let series = series(key, .histogram(Self.defaultBounds)) { bounds in
            .histogram(HistogramCell(key, bounds: bounds))
        }
        if case .histogram(let cell) = series { return cell }
        return HistogramCell(key, bounds: [])
    }

    /// See `MetricsFactory`.
    public func destroyCounter(_ handler: any CounterHandler) {
        if let cell = handler as? CounterCell { remove(cell.key) }
    }

    /// See `MetricsFactory`.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        if let cell = handler as? FloatingCounterCell { remove(cell.key) }
    }

    /// See `MetricsFactory`.
    public func destroyMeter(_ handler: any MeterHandler) {
        if let cell = handler as? GaugeCell { remove(cell.key) }
    }

    /// See `MetricsFactory`.
    public func destroyRecorder(_ handler: any RecorderHandler) {
        if let cell = handler as? GaugeCell { remove(cell.key) }
        if let cell = handler as? HistogramCell { remove(cell.key) }
    }

    /// See `MetricsFactory`.
    public func destroyTimer(_ handler: any TimerHandler) {
        if let cell = handler as? HistogramCell { remove(cell.key) }
    }

    private func remove(_ key: SeriesKey) {
        state.withLock { $0.families[key.name]?.series[key.labels] = nil }
    }

    /// The series of a key, made when there is none; `nil` when there is no room, or the name is of another kind.
    private func series(
        _ key: SeriesKey, _ kind: MetricDefinition.Kind, make: ([Double]) -> Series
    ) -> Series? {
        state.withLock { state in
            var family =
                state.families[key.name]
                ?? Family(definition: catalogue[key.name] ?? Self.unlisted(key.name, kind: kind))
            let bounds: [Double]
            switch (family.definition.kind, kind) {
            case (.counter, .counter), (.gauge, .gauge): bounds = []
            case (.histogram(let own), .histogram): bounds = own
            case (.counter, _), (.gauge, _), (.histogram, _):
                dropped.increment(by: 1)
                return nil
            }
            if let known = family.series[key.labels] { return known }
            guard family.series.count < maximumSeries else {
                dropped.increment(by: 1)
                return nil
            }
            let made = make(bounds)
            family.series[key.labels] = made
            state.families[key.name] = family
            return made
        }
    }

    private static func unlisted(_ name: String, kind: MetricDefinition.Kind) -> MetricDefinition {
        MetricDefinition(name, kind, in: .process, "Of a library; not in the catalogue.")
    }

    private static func key(_ label: String, _ dimensions: [(String, String)]) -> SeriesKey {
        SeriesKey(
            name: sanitized(label, colon: true),
            labels: dimensions.map {
                SeriesKey.Label(
                    name: sanitized($0.0, colon: false), value: String($0.1.prefix(maximumLabelLength)))
            }.sorted { $0.name < $1.name })
    }

    /// A name that the exposition formats allow.
    private static func sanitized(_ name: String, colon: Bool) -> String {
        var bytes = name.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                byte
            case UInt8(ascii: ":") where colon: byte
            default: UInt8(ascii: "_")
            }
        }
        if let first = bytes.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
            bytes.insert(UInt8(ascii: "_"), at: 0)
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }
}
