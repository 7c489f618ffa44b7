import Metrics

/// What is measured of one sink. Its name is from the configuration.
struct StreamMetrics: Sendable {
    private let delivered: Counter
    private let failures: Counter
    private let skipped: Counter
    private let position: Gauge
    private let lag: Gauge
    private let lagSeconds: Gauge
    private let isFailing: Gauge
    private let deliveryTime: Metrics.Timer

    init(sink: String) {
        let labels = [("sink", sink)]
        delivered = Counter(label: "clawgrant_siem_delivered_total", dimensions: labels)
        failures = Counter(label: "clawgrant_siem_failures_total", dimensions: labels)
        skipped = Counter(label: "clawgrant_siem_skipped_total", dimensions: labels)
        position = Gauge(label: "clawgrant_siem_position", dimensions: labels)
        lag = Gauge(label: "clawgrant_siem_lag_events", dimensions: labels)
        lagSeconds = Gauge(label: "clawgrant_siem_lag_seconds", dimensions: labels)
        isFailing = Gauge(label: "clawgrant_siem_failing", dimensions: labels)
        deliveryTime = Metrics.Timer(label: "clawgrant_siem_delivery_seconds", dimensions: labels)
    }

    func delivered(_ count: Int, in time: Duration) {
        delivered.increment(by: count)
        deliveryTime.record(duration: time)
    }

    func failed() { failures.increment() }

    func skipped(_ count: Int) { skipped.increment(by: count) }

    /// Where it stands: the next event, how many wait, and since when the first of them was sealed.
    func stands(at next: Int64, behind count: Int64, for time: Duration, isFailing failing: Bool) {
        position.record(next)
        lag.record(max(0, count))
        lagSeconds.record(max(0, time / .seconds(1)))
        isFailing.record(failing ? 1 : 0)
    }
}
