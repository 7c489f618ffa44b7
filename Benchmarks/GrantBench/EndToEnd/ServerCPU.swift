import DevStack
import Playground

/// Processor time and memory of a playground's processes.
struct ServerCPU {
    /// Seconds of processor time since their starts, and the largest memory of a worker.
    struct Reading {
        let at: ContinuousClock.Instant
        let workers: Double
        let postgres: Double
        let broker: Double
        /// This process: the relay before the broker, the generator and the reader.
        let own: Double
        /// The most bytes that any worker ever had in memory.
        let workerPeakBytes: Int
    }

    private let playground: Playground

    init(_ playground: Playground) { self.playground = playground }

    func now() -> Reading {
        func tree(_ pid: Int32?) -> Double { pid.flatMap { ProcessUsage.cpuTimeOfTree(root: $0) }?.inSeconds ?? 0 }
        let usages = playground.workers.compactMap(\.pid).compactMap { ProcessUsage.of(pid: $0) }
        return Reading(
            at: .now, workers: usages.reduce(0) { $0 + $1.cpuTime.inSeconds }, postgres: tree(playground.postgres.pid),
            broker: tree(playground.broker.pid), own: CPUClock.process(),
            workerPeakBytes: usages.map(\.peakResidentBytes).max() ?? 0)
    }
}
