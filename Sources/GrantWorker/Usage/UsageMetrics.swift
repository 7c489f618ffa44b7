import IssuanceRules
import Metrics

/// Metrics of usage. Labels are from closed sets.
struct UsageMetrics: Sendable {
    private let recordTime = Timer(label: "clawgrant_usage_seconds")
    private let revoked = Counter(label: "clawgrant_tokens_revoked_by_budget_total")

    func recorded(_ summary: UsagePlanner.Summary, in time: Duration) {
        recordTime.record(duration: time)
        revoked.increment(by: summary.revoked)
        for (result, count) in [
            ("counted", summary.counted), ("unbound", summary.unbound), ("repeated", summary.repeated),
            ("refused", summary.refused),
        ] where count > 0 {
            Counter(label: "clawgrant_gateway_receipts_total", dimensions: [("result", result)]).increment(by: count)
        }
        for (code, count) in summary.findings {
            Counter(label: "clawgrant_findings_total", dimensions: [("code", code.rawValue)]).increment(by: count)
        }
        for mark in summary.marks {
            Counter(
                label: "clawgrant_budget_marks_total",
                dimensions: [
                    ("dimension", mark.limit.dimension.rawValue), ("level", mark.isLimit ? "limit" : "threshold"),
                ]
            ).increment()
        }
    }
}
