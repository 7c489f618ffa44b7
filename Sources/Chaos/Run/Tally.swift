import Primitives

/// What the tasks of a campaign count and find while they run side by side.
final class Tally: Sendable {
    private struct State {
        var counts = ChaosReport.Counts()
        var violations: [String] = []
    }

    private let state = Lock(State())

    var counts: ChaosReport.Counts { state.withLock { $0.counts } }
    var violations: [String] { state.withLock { $0.violations } }

    func count(_ change: @Sendable (inout ChaosReport.Counts) -> Void) { state.withLock { change(&$0.counts) } }

    func violate(_ text: String) { state.withLock { $0.violations.append(text) } }
}
