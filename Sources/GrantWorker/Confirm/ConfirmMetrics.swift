import GraphConfirmation
import Metrics
import Observability

/// Metrics of confirmations. Labels are from closed sets.
struct ConfirmMetrics: Sendable {
    private let askTime: Timer
    private let waitTime: Timer
    private let waiting: Gauge
    private let circuitOpen: Gauge
    private let answers: LabelledCounters<String>
    private let errors: LabelledCounters<String>

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        askTime = Timer(label: "clawgrant_confirmation_seconds", factory: factory)
        waitTime = Timer(label: "clawgrant_confirmation_wait_seconds", factory: factory)
        waiting = Gauge(label: "clawgrant_confirmations_waiting", factory: factory)
        circuitOpen = Gauge(label: "clawgrant_confirmation_circuit_open", factory: factory)
        answers = LabelledCounters(label: "clawgrant_confirmations_total", factory: factory) { [("result", $0)] }
        errors = LabelledCounters(label: "clawgrant_confirmation_errors_total", factory: factory) { [("code", $0)] }
    }

    /// A vendor answered.
    func answered(_ verdict: ConfirmationVerdict, in time: Duration) {
        askTime.record(duration: time)
        let result =
            switch verdict {
            case .confirmed: "confirmed"
            case .over: "over"
            case .contradicted: "contradicted"
            case .notYet: "not_yet"
            }
        answers[result].increment()
    }

    /// A vendor could not be asked.
    func failed(_ error: GraphError) { errors[error.code.rawValue].increment() }

    /// What a source said was confirmed for the first time.
    func confirmed(after wait: Duration) { waitTime.record(duration: wait) }

    func waits(_ count: Int64, isCircuitOpen: Bool) {
        waiting.record(count)
        circuitOpen.record(isCircuitOpen ? 1 : 0)
    }
}
