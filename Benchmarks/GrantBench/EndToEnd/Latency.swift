import ClawWire
import DevStack
import Kafka
import Playground

/// Time from the moment a record is due to be produced until its grant can be read, at a fixed rate.
///
/// Measured from when the record is due, not from when it was sent: a generator that falls behind makes the figures
/// worse, not better.
struct Latency {
    let options: BenchOptions

    func measure(peak: Double?, into report: inout BenchReport) async throws {
        // This broker keeps every produced batch as an object of its own and looks through them at each fetch, records or
        // not: partitions are no more than the workers, so that batches are no smaller than they must, and whoever finds
        // nothing asks again after a time at which asking takes less of the processors than deciding does.
        var rates = (options.rates ?? [100, 1_000]).map { (name: String($0), value: $0) }
        if options.rates == nil, let peak, peak > 1_500 { rates.append((name: "peak70", value: Int(peak * 0.7))) }
        var checked = 0
        for (name, rate) in rates {
            // What one rate leaves in the broker's memory must not slow down the next.
            let (figures, count) = try await BenchStack.with(
                options, inputPartitions: Int32(options.workers), fetchWaitMilliseconds: 50
            ) { [report] stack in
                var figures = report
                let count = try await measure(name, rate, on: stack, into: &figures)
                return (figures, count)
            }
            report = figures
            checked += count
        }
        report.add("latency.records_checked", Double(checked), .count)
    }

    private func measure(
        _ name: String, _ rate: Int, on stack: BenchStack, into report: inout BenchReport
    ) async throws -> Int {
        let playground = stack.playground
        let seconds = options.amount(20, quick: 6)
        try await stack.startWorkers()
        let watch = try GrantWatch(playground, notesArrivals: true)
        try await watch.start()
        var sent = 0
        // The first decisions open connections and prepare statements.
        try await Self.send(playground, watch, "warm", rate: 500, count: 1_000, &sent)
        options.progress("latency: \(rate) approvals a second for \(seconds) s")
        let server = ServerCPU(playground)
        let before = server.now()
        let times = try await Self.send(
            playground, watch, "at-\(name)", rate: rate, count: rate * seconds, &sent
        ).sorted()
        let after = server.now()
        func quantile(_ q: Double) -> Double { times[min(times.count - 1, Int(Double(times.count) * q))] * 1e3 }
        func each(_ seconds: Double) -> Double { seconds / Double(times.count) * 1e6 }
        report.add("latency.\(name).rate", Double(rate), .perSecond)
        report.add("latency.\(name).p50", quantile(0.5), .milliseconds)
        report.add("latency.\(name).p99", quantile(0.99), .milliseconds)
        report.add("latency.\(name).max", quantile(1), .milliseconds)
        for (process, time) in [
            ("worker", after.workers - before.workers), ("postgres", after.postgres - before.postgres),
            ("broker", after.broker - before.broker), ("relay_and_reader", after.own - before.own),
        ] {
            report.add("latency.\(name).\(process)_cpu_per_decision", each(time), .microseconds)
        }
        await watch.stop()
        try await playground.waitForStatus("everything to be published") {
            $0.unsealedGroups == 0 && $0.nextBatchToPublish == $0.batches
        }
        return try await ReadBack(playground: playground).check(decisions: sent)
    }

    /// Sends at a rate and returns the time of each record in seconds.
    @discardableResult
    private static func send(
        _ playground: Playground, _ watch: GrantWatch, _ prefix: String, rate: Int, count: Int, _ sent: inout Int
    ) async throws -> [Double] {
        let workload = Workload(playground: playground, signing: .together(64), prefix: prefix)
        let records = try workload.records(0..<count)
        let tick = Duration.milliseconds(rate >= 500 ? 5 : 10)
        let start = ContinuousClock.now + .milliseconds(50)
        func due(_ index: Int) -> ContinuousClock.Instant { start + .seconds(Double(index) / Double(rate)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = 0
            while next < count {
                let now = ContinuousClock.now
                var end = next
                while end < count, due(end) <= now { end += 1 }
                if end > next {
                    let part = Array(records[next..<end])
                    group.addTask { try await playground.produce(part) }
                    next = end
                }
                try await Task.sleep(until: max(now + tick, next < count ? due(next) : now), tolerance: .zero)
            }
            try await group.waitForAll()
        }
        sent += count
        try await watch.wait(for: sent, within: .seconds(60))
        let arrivals = watch.arrivals
        return try (0..<count).map { index in
            guard let arrival = arrivals[Array(workload.jobID(index).rawValue.utf8)] else {
                throw BenchError("the grant of job \(workload.jobID(index)) did not come")
            }
            return (arrival - due(index)).inSeconds
        }
    }
}
