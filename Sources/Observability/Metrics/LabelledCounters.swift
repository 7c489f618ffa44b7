public import Metrics
import Primitives

/// Counters that differ by a label, made once and found again without a lock where their values are known beforehand.
public final class LabelledCounters<Key: Hashable & Sendable>: Sendable {
    private let label: String
    private let factory: any MetricsFactory
    private let dimensions: @Sendable (Key) -> [(String, String)]
    private let known: [Key: Counter]
    private let others = Lock<[Key: Counter]>([:])
    /// Most counters that are kept beside the known ones: the registry refuses more of a name than that anyway.
    private static var maximumOthers: Int { 1_000 }

    /// Makes the counters of the known values, so that they are shown as 0 before anything happens.
    ///
    /// - Parameters:
    ///   - label: the metric's name.
    ///   - known: values that are known beforehand.
    ///   - factory: the backend.
    ///   - dimensions: names and values of the labels.
    public init(
        label: String, known: [Key] = [], factory: any MetricsFactory,
        dimensions: @escaping @Sendable (Key) -> [(String, String)]
    ) {
        self.label = label
        self.factory = factory
        self.dimensions = dimensions
        self.known = Dictionary(
            known.map { ($0, Counter(label: label, dimensions: dimensions($0), factory: factory)) }
        ) { first, _ in first }
    }

    /// The counter of a value.
    public subscript(key: Key) -> Counter {
        if let counter = known[key] { return counter }
        return others.withLock { others in
            if let counter = others[key] { return counter }
            let counter = Counter(label: label, dimensions: dimensions(key), factory: factory)
            if others.count < Self.maximumOthers { others[key] = counter }
            return counter
        }
    }
}

/// Gauges that differ by a label; those that are not set any more are taken away.
public final class LabelledGauges<Key: Hashable & Sendable>: Sendable {
    private let label: String
    private let factory: any MetricsFactory
    private let dimensions: @Sendable (Key) -> [(String, String)]
    private let gauges = Lock<[Key: Gauge]>([:])

    /// Makes an empty set of gauges.
    ///
    /// - Parameters:
    ///   - label: the metric's name.
    ///   - factory: the backend.
    ///   - dimensions: names and values of the labels.
    public init(
        label: String, factory: any MetricsFactory, dimensions: @escaping @Sendable (Key) -> [(String, String)]
    ) {
        self.label = label
        self.factory = factory
        self.dimensions = dimensions
    }

    /// Sets one.
    public func set(_ key: Key, to value: Double) {
        let gauge = gauges.withLock { gauges in
            if let gauge = gauges[key] { return gauge }
            let gauge = Gauge(label: label, dimensions: dimensions(key), factory: factory)
            gauges[key] = gauge
            return gauge
        }
        gauge.record(value)
    }

    /// Takes away those whose keys are not among these: what a worker does not read any more has no lag.
    public func keep(only keys: Set<Key>) {
        let gone = gauges.withLock { gauges in
            let gone = gauges.filter { !keys.contains($0.key) }
            for key in gone.keys { gauges[key] = nil }
            return gone
        }
        for gauge in gone.values { gauge.destroy() }
    }
}
