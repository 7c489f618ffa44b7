import Metrics
import Observability

/// Counts and observes so many times, as deciding does, and nothing else: what that costs is what a run of many takes more
/// than a run of none.
@main
enum MetricCost {
    private enum Outcome: String, CaseIterable { case issued, denied }

    static func main() {
        let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 0
        let registry = MetricRegistry()
        let counter = Counter(label: "clawgrant_records_read_total", factory: registry)
        let timer = Timer(label: "clawgrant_decide_seconds", factory: registry)
        let gauge = Gauge(label: "clawgrant_ledger_up", factory: registry)
        let outcomes = LabelledCounters<Outcome>(
            label: "clawgrant_outcomes_total", known: Outcome.allCases, factory: registry
        ) { [("outcome", $0.rawValue)] }
        for round in 0..<rounds {
            counter.increment(by: 3)
            outcomes[.issued].increment()
            timer.recordNanoseconds(Int64(round) * 1_000)
            gauge.record(1)
        }
        guard registry.value("clawgrant_records_read_total") == Double(3 * rounds),
            registry.value("clawgrant_decide_seconds") == Double(rounds)
        else { return print("lost") }
        print("counted")
    }
}
