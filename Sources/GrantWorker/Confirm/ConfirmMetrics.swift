import GraphConfirmation
import Metrics

/// Metrics of confirmations. Labels are from closed sets.
struct ConfirmMetrics: Sendable {
    private let askTime = Timer(label: "clawgrant_confirmation_seconds")
    private let waitTime = Timer(label: "clawgrant_confirmation_wait_seconds")
    private let waiting = Gauge(label: "clawgrant_confirmations_waiting")
    private let circuitOpen = Gauge(label: "clawgrant_confirmation_circuit_open")

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
        Counter(label: "clawgrant_confirmations_total", dimensions: [("result", result)]).increment()
    }

    /// A vendor could not be asked.
    func failed(_ error: GraphError) {
        Counter(label: "clawgrant_confirmation_errors_total", dimensions: [("code", error.code.rawValue)]).increment()
    }

    /// What a source said was confirmed for the first time.
    func confirmed(after wait: Duration) { waitTime.record(duration: wait) }

    func waits(_ count: Int64, isCircuitOpen: Bool) {
        waiting.record(count)
        circuitOpen.record(isCircuitOpen ? 1 : 0)
    }
}
