import Metrics
import Observability

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
    private struct Answer: Hashable, Sendable {
        let source: String
        let result: BridgeResult
    }

    private let writeTime: Timer
    private let requests: LabelledCounters<Answer>
    private let records: LabelledCounters<String>

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        writeTime = Timer(label: "clawgrant_bridge_write_seconds", factory: factory)
        requests = LabelledCounters(label: "clawgrant_bridge_requests_total", factory: factory) {
            [("source", $0.source), ("result", $0.result.rawValue)]
        }
        records = LabelledCounters(label: "clawgrant_bridge_records_total", factory: factory) { [("source", $0)] }
    }

    func answered(_ source: String, _ result: BridgeResult) {
        requests[Answer(source: source, result: result)].increment()
    }

    func wrote(_ source: String, records count: Int, in time: Duration) {
        records[source].increment(by: count)
        writeTime.record(duration: time)
    }
}
