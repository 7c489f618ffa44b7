import Metrics

/// What came of a request. The text is the label of metrics and logs.
enum BridgeResult: String, Sendable, Hashable, CaseIterable {
    /// The broker has it.
    case written
    /// The broker has had it before.
    case repeated
    /// It changes nothing.
    case ignored
    /// No signature of the source's.
    case unauthorized
    /// It is proven, and the source's reader refuses it.
    case refused
    /// Too many requests are being worked on.
    case busy
    /// The broker did not take it.
    case unavailable
}

/// The bridge's metrics. Labels are bounded: configured names and results.
struct BridgeMetrics: Sendable {
    private let writeTime = Timer(label: "clawgrant_bridge_write_seconds")

    func answered(_ source: String, _ result: BridgeResult) {
        Counter(
            label: "clawgrant_bridge_requests_total", dimensions: [("source", source), ("result", result.rawValue)]
        ).increment()
    }

    func wrote(_ source: String, records: Int, in time: Duration) {
        Counter(label: "clawgrant_bridge_records_total", dimensions: [("source", source)]).increment(by: records)
        writeTime.record(duration: time)
    }
}
