/// Times of one kind, to be told by quantiles.
struct Spread: Sendable {
    private var sorted: [Double] = []

    /// Times in milliseconds, in any order.
    init(_ milliseconds: [Double]) { sorted = milliseconds.sorted() }

    /// How many.
    var count: Int { sorted.count }

    /// Milliseconds that a share of the times do not exceed; 1 is the longest.
    func quantile(_ share: Double) -> Double {
        sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    /// The half, the 99th of a hundred and the longest as figures below a name.
    func figures(_ name: String) -> [BenchRow] {
        [
            (name: "\(name).p50", value: quantile(0.5), unit: .milliseconds),
            (name: "\(name).p99", value: quantile(0.99), unit: .milliseconds),
            (name: "\(name).max", value: quantile(1), unit: .milliseconds),
        ]
    }
}

/// A figure that is still to be noted in the report.
typealias BenchRow = (name: String, value: Double, unit: FigureUnit)
