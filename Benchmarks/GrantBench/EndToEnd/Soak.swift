import DevStack
import Playground

/// Memory of workers that go on for long at a steady rate: whether it stays where it was.
///
/// A second's approvals are written at once, followed by some of the last second's again. Rounds of publishing are a second
/// apart: what is looked at does not depend on it, and the broker, which keeps every produced batch, lasts longer.
struct Soak {
    let options: BenchOptions
    private static let rate = 100
    private static let repeated = 10

    private struct Sample {
        let at: Double
        /// The most that a worker had in memory then, in bytes.
        let bytes: Int
    }

    func measure(into report: inout BenchReport) async throws {
        let minutes = options.soakMinutes
        options.progress("soak: \(Self.rate) approvals a second for \(minutes) minutes")
        let (samples, peak, checked) = try await BenchStack.with(
            options, inputPartitions: Int32(options.workers), fetchWaitMilliseconds: 200,
            limits: ["seal_interval_ms": 1_000]
        ) { stack in try await run(stack, seconds: minutes * 60) }
        // Caches and pools fill, and malloc finds its size, before memory can be called steady.
        let total = Double(minutes * 60)
        func most(from: Double, to: Double) -> Double {
            Double(samples.filter { $0.at >= total * from && $0.at < total * to }.map(\.bytes).max() ?? 0) / 1_048_576
        }
        report.add("soak.minutes", Double(minutes), .count)
        report.add("soak.records_checked", Double(checked), .count)
        report.add("soak.worker_memory_early", most(from: 0.1, to: 0.2), .mebibytes)
        report.add("soak.worker_memory_middle", most(from: 0.5, to: 0.6), .mebibytes)
        report.add("soak.worker_memory_late", most(from: 0.9, to: 1), .mebibytes)
        report.add("soak.worker_memory", Double(peak) / 1_048_576, .mebibytes)
    }

    private func run(_ stack: BenchStack, seconds: Int) async throws -> (samples: [Sample], peak: Int, checked: Int) {
        let playground = stack.playground
        try await stack.startWorkers()
        let watch = try GrantWatch(playground)
        try await watch.start()
        let start = ContinuousClock.now
        var samples: [Sample] = []
        var peak = 0
        for second in 0..<seconds {
            let workload = Workload(playground: playground, signing: .together(64), prefix: "soak-\(second)")
            let records = try workload.records(0..<Self.rate)
            try await playground.produce(records)
            try await playground.produce(Array(records.prefix(Self.repeated)))
            try await Task.sleep(until: start + .seconds(second + 1))
            let usages = playground.workers.compactMap(\.pid).compactMap { ProcessUsage.of(pid: $0) }
            guard usages.count == options.workers else { throw BenchError("a worker ended in second \(second)") }
            samples.append(Sample(at: Double(second), bytes: usages.map(\.residentBytes).max() ?? 0))
            peak = max(peak, usages.map(\.peakResidentBytes).max() ?? 0)
            if second % 300 == 299 {
                options.progress(
                    "soak: \((second + 1) / 60) minutes, \(watch.count) grants, \((samples.last?.bytes ?? 0) >> 20) MiB"
                )
            }
        }
        let sent = seconds * Self.rate
        try await watch.wait(for: sent, within: .seconds(60))
        await watch.stop()
        options.progress("soak: checking every record")
        try await playground.waitForStatus("everything to be published") {
            $0.unsealedGroups == 0 && $0.nextBatchToPublish == $0.batches
        }
        return (samples, peak, try await ReadBack(playground: playground).check(decisions: sent))
    }
}
