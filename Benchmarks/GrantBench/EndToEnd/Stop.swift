import ClawWire
import DevStack
import GrantChecker
import Kafka
import Playground
import Postgres

/// Emergency stops: how soon they are acknowledged and visible, and that nothing passes the line.
struct Stop {
    let options: BenchOptions

    init(options: BenchOptions) {
        var own = options
        own.workers = options.stopWorkers
        own.lanes = options.stopLanes
        self.options = own
    }

    func measure(into report: inout BenchReport) async throws {
        // Each lane has a partition of its own, so that all of them are at work.
        let partitions = Int32(options.workers * options.lanes)
        var rows: [BenchRow] = []
        if options.stops != 0 {
            rows = try await BenchStack.with(options, inputPartitions: partitions) { stack in
                try await underLoad(stack)
            }
        }
        rows += try await BenchStack.with(options) { stack in
            try await StopMany(options: options, stack: stack).run(
                options.stopTokens ?? options.amount(1_000_000, quick: 20_000))
        }
        for row in rows { report.add(row.name, row.value, row.unit) }
    }

    private func underLoad(_ stack: BenchStack) async throws -> [BenchRow] {
        let playground = stack.playground
        let spaced = options.amount(400, quick: 60)
        let stops = options.stops ?? options.amount(2_000, quick: 100)
        let frozen = options.amount(40, quick: 8)
        let onTopic = options.amount(300, quick: 40)
        try await stack.startWorkers()
        let watch = try CutoffWatch(playground)
        try await watch.start()
        let desk = try StopDesk(playground)
        let load = StopLoad(playground, lead: 1_000 * options.workers * options.lanes)
        load.start()
        try await waitUntil(deadline: .seconds(120), description: "the load to run", interval: .milliseconds(50)) {
            try await load.granted() > 2_000
        }
        try await desk.warmUp("storm")
        var rows: [BenchRow] = [("stop.workers", Double(options.workers), .count)]
        options.progress("stop: \(spaced) stops straight to the ledger while \(options.workers) workers issue")
        rows += try await StopStorm(playground: playground, desk: desk, load: load, name: "", longestPause: 1_000)
            .run(spaced)
        options.progress("stop: \(stops) stops in quick succession")
        rows += try await StopStorm(playground: playground, desk: desk, load: load, name: "storm.", longestPause: 100)
            .run(stops)
        options.progress("stop: \(onTopic) stops on the control topic")
        rows += try await StopOnTopic(playground: playground, watch: watch).run(onTopic, name: "topic_to_cutoff")
        options.progress("stop: \(frozen) stops, each with a worker frozen in a transaction")
        rows += try await StopFrozen(playground: playground, desk: desk).run(frozen)
        try await load.stop()
        options.progress("stop: waiting for \(load.sent) approvals to be decided and published")
        try await playground.waitUntilSettled(within: .seconds(300))
        options.progress("stop: \(onTopic) stops on the control topic, nothing else to do")
        rows += try await StopOnTopic(playground: playground, watch: watch).run(onTopic, name: "topic_to_cutoff_idle")
        await watch.stop()
        await desk.close()
        return rows + (try await check(playground, stops: spaced + stops + frozen + 2 * onTopic))
    }

    /// Lets the checker read everything: the line is proven from the log alone.
    private func check(_ playground: Playground, stops: Int) async throws -> [BenchRow] {
        options.progress("stop: checking every record")
        try await waitUntil(deadline: .seconds(120), description: "single tokens to be revoked") {
            let open = try await playground.query(
                "SELECT count(*)::text FROM clawgrant.revocation_run WHERE finished_at IS NULL")
            return try open.string(0, 0) == "0"
        }
        try await playground.waitUntilSettled(within: .seconds(300))
        var plan = try playground.checkPlan()
        plan.opensEvery = 20
        let report = try await GrantChecker.check(plan)
        let past = report.totals[.stopLine] ?? 0
        guard report.isPass || report.totals.keys.allSatisfy({ $0 == .stopLine }) else {
            throw BenchError("the checker found: \(report.violations.map(\.description).joined(separator: "; "))")
        }
        for violation in report.violations { options.progress("stop: \(violation)") }
        guard report.counts.stops == stops else {
            throw BenchError("\(stops) stops were declared and the log has \(report.counts.stops)")
        }
        return [
            ("stop.grants_past_line", Double(past), .count), ("stop.stops_checked", Double(stops), .count),
            ("stop.grants_checked", Double(report.counts.grants), .count),
            ("stop.denials_checked", Double(report.counts.denied), .count),
            ("stop.revocations_checked", Double(report.counts.revocations), .count),
        ]
    }
}
