import DevStack
import Playground

/// Time from the start of a worker that was killed with SIGKILL until its first new grant can be read.
///
/// It is killed in the middle of work and comes back under its name, as a supervisor brings it; approvals wait for it.
struct Restart {
    let options: BenchOptions

    func measure(into report: inout BenchReport) async throws {
        var alone = options
        alone.workers = 1
        let options = alone
        let times = try await BenchStack.with(options, inputPartitions: Int32(options.lanes)) { stack in
            let playground = stack.playground
            try await stack.startWorkers()
            let watch = try GrantWatch(playground)
            try await watch.start()
            guard let worker = playground.workers.first else { throw BenchError("no worker was started") }
            var sent = 0
            func send(_ count: Int) async throws {
                let workload = Workload(playground: playground, signing: .together(64), prefix: "restart-\(sent)")
                try await playground.produce(try workload.records(0..<count))
                sent += count
            }
            try await send(500)
            try await watch.wait(for: sent, within: .seconds(60))
            var times: [Double] = []
            for round in 1...options.amount(20, quick: 5) {
                options.progress("restart: worker killed and started, \(round)")
                try await send(500)
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...100)))
                await worker.kill()
                // What the dead one had published already has come; what comes now, the new one has made.
                let before = try await Self.settled(watch)
                try await send(100)
                let start = ContinuousClock.now
                try worker.startAgain()
                try await waitUntil(
                    deadline: .seconds(60), description: "the first grant", interval: .milliseconds(2)
                ) { watch.count > before }
                times.append((ContinuousClock.now - start).inSeconds * 1e3)
                try await watch.wait(for: sent, within: .seconds(60))
            }
            await watch.stop()
            options.progress("restart: checking every record")
            try await playground.waitForStatus("everything to be published") {
                $0.unsealedGroups == 0 && $0.nextBatchToPublish == $0.batches
            }
            _ = try await ReadBack(playground: playground).check(decisions: sent)
            return times.sorted()
        }
        report.add("restart.p50", times[times.count / 2], .milliseconds)
        report.add("restart.max", times[times.count - 1], .milliseconds)
    }

    /// The count of grants once no more come for longer than a fetch takes.
    private static func settled(_ watch: GrantWatch) async throws -> Int {
        var count = watch.count
        while true {
            try await Task.sleep(for: .milliseconds(300))
            if watch.count == count { return count }
            count = watch.count
        }
    }
}
