import Metrics
import Synchronization

/// Where a series is kept, so that it can be found again when its handler is destroyed.
struct SeriesKey: Hashable, Sendable {
    let name: String
    /// Names and values in the order of the names.
    let labels: [Label]

    struct Label: Hashable, Sendable {
        let name: String
        let value: String
    }
}

/// A counter of whole things: one atomic addition an increment.
final class CounterCell: CounterHandler {
    let key: SeriesKey
    private let count = Atomic<Int64>(0)

    init(_ key: SeriesKey) { self.key = key }

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() { count.store(0, ordering: .relaxed) }
}

/// A number with a fraction that many threads write.
struct AtomicDouble: ~Copyable {
    private let bits: Atomic<UInt64>

    init(_ value: Double) { bits = Atomic(value.bitPattern) }

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func store(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}

/// A counter of what has fractions, such as seconds of processor time.
final class FloatingCounterCell: FloatingPointCounterHandler {
    let key: SeriesKey
    private let sum = AtomicDouble(0)

    init(_ key: SeriesKey) { self.key = key }

    var value: Double { sum.value }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        sum.add(amount)
    }

    /// Takes over what something else counts.
    func store(_ value: Double) { sum.store(value) }

    func reset() { sum.store(0) }
}

/// A gauge; shown once it was set.
final class GaugeCell: RecorderHandler, MeterHandler {
    let key: SeriesKey
    private let current = AtomicDouble(.nan)

    init(_ key: SeriesKey) { self.key = key }

    /// `nil` before it was set.
    var value: Double? {
        let value = current.value
        return value.isNaN ? nil : value
    }

    func record(_ value: Int64) { current.store(Double(value)) }
    func record(_ value: Double) { current.store(value) }
    func set(_ value: Int64) { current.store(Double(value)) }
    func set(_ value: Double) { current.store(value) }

    func increment(by amount: Double) {
        begin()
        current.add(amount)
    }

    func decrement(by amount: Double) {
        begin()
        current.add(-amount)
    }

    private func begin() { if current.value.isNaN { current.store(0) } }
}

/// A histogram with fixed buckets: two atomic additions an observation, and no allocation.
final class HistogramCell: RecorderHandler, TimerHandler {
    private final class Bucket: Sendable { let count = Atomic<UInt64>(0) }

    let key: SeriesKey
    let bounds: [Double]
    private let buckets: [Bucket]
    private let total = AtomicDouble(0)

    init(_ key: SeriesKey, bounds: [Double]) {
        self.key = key
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Bucket() }
    }

    /// Observations in each bucket, the one without a bound last, and their sum.
    var value: (counts: [UInt64], sum: Double) {
        (buckets.map { $0.count.load(ordering: .relaxed) }, total.value)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        var index = 0
        while index < bounds.count, bounds[index] < value { index += 1 }
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        total.add(value)
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}
