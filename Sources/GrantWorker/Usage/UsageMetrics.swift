import IssuanceRules
import Metrics
import Observability

/// Metrics of usage. Labels are from closed sets.
struct UsageMetrics: Sendable {
    private struct Mark: Hashable, Sendable {
        let dimension: String
        let level: String
    }

    private let recordTime: Timer
    private let revoked: Counter
    private let receipts: LabelledCounters<String>
    private let findings: LabelledCounters<String>
    private let marks: LabelledCounters<Mark>

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        recordTime = Timer(label: "clawgrant_usage_seconds", factory: factory)
        revoked = Counter(label: "clawgrant_tokens_revoked_by_budget_total", factory: factory)
        receipts = LabelledCounters(
            label: "clawgrant_gateway_receipts_total", known: ["counted", "unbound", "repeated", "refused"],
            factory: factory
        ) { [("result", $0)] }
        findings = LabelledCounters(label: "clawgrant_findings_total", factory: factory) { [("code", $0)] }
        marks = LabelledCounters(label: "clawgrant_budget_marks_total", factory: factory) {
            [("dimension", $0.dimension), ("level", $0.level)]
        }
    }

    func recorded(_ summary: UsagePlanner.Summary, in time: Duration) {
        recordTime.record(duration: time)
        revoked.increment(by: summary.revoked)
        for (result, count) in [
            ("counted", summary.counted), ("unbound", summary.unbound), ("repeated", summary.repeated),
            ("refused", summary.refused),
        ] where count > 0 {
            receipts[result].increment(by: count)
        }
        for (code, count) in summary.findings { findings[code.rawValue].increment(by: count) }
        for mark in summary.marks {
            let key = Mark(dimension: mark.limit.dimension.rawValue, level: mark.isLimit ? "limit" : "threshold")
            marks[key].increment()
        }
    }
}
