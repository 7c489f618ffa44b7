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
        var rows: [BenchRow] = [("stop.workers", Double(options.workers), .count)]
        var totals = Totals()
        if options.stops != 0 {
            rows += try await BenchStack.with(options, inputPartitions: partitions) { stack in
                try await underLoad(stack, &totals)
            }
            rows += try await storms(partitions, &totals)
            rows += totals.rows
        }
        rows += try await BenchStack.with(options) { stack in
            try await StopMany(options: options, stack: stack).run(
                options.stopTokens ?? options.amount(1_000_000, quick: 20_000))
        }
        for row in rows { report.add(row.name, row.value, row.unit) }
    }

    /// What the checker read, over all stacks.
    private struct Totals {
        var past = 0
        var stops = 0
        var grants = 0
        var denials = 0
        var revocations = 0

        var rows: [BenchRow] {
            [
                ("stop.grants_past_line", Double(past), .count), ("stop.stops_checked", Double(stops), .count),
                ("stop.grants_checked", Double(grants), .count), ("stop.denials_checked", Double(denials), .count),
                ("stop.revocations_checked", Double(revocations), .count),
            ]
        }
    }

    /// Says at once what was measured: what comes behind may fail.
    private func told(_ rows: [BenchRow]) -> [BenchRow] {
        for row in rows { options.progress("stop: \(row.name) \(row.value) \(row.unit.rawValue)") }
        return rows
    }

    private func underLoad(_ stack: BenchStack, _ totals: inout Totals) async throws -> [BenchRow] {
        let playground = stack.playground
        let spaced = options.amount(400, quick: 60)
        let frozen = options.amount(40, quick: 8)
        let onTopic = options.amount(300, quick: 40)
        let (desk, load) = try await begin(stack)
        let watch = try CutoffWatch(playground)
        try await watch.start()
        var rows: [BenchRow] = []
        options.progress("stop: \(spaced) stops straight to the ledger while \(options.workers) workers issue")
        let storm = try await StopStorm(playground: playground, desk: desk, load: load, longestPause: 1_000).run(spaced)
        rows += told(storm.rows("stop."))
        options.progress("stop: \(onTopic) stops on the control topic")
        rows += told(try await StopOnTopic(playground: playground, watch: watch).run(onTopic, name: "topic_to_cutoff"))
        options.progress("stop: \(frozen) stops, each with a worker frozen in a transaction")
        rows += told(try await StopFrozen(playground: playground, desk: desk).run(frozen))
        try await settle(playground, load)
        options.progress("stop: \(onTopic) stops on the control topic, nothing else to do")
        rows += told(
            try await StopOnTopic(playground: playground, watch: watch).run(onTopic, name: "topic_to_cutoff_idle"))
        await watch.stop()
        await desk.close()
        try await check(playground, stops: spaced + frozen + 2 * onTopic, &totals)
        return rows
    }

    /// Stops in quick succession. Few of them on one stack: this broker takes ever longer to read much back.
    private func storms(_ partitions: Int32, _ totals: inout Totals) async throws -> [BenchRow] {
        let stops = options.stops ?? options.amount(2_000, quick: 100)
        var storm = StopStorm.Result()
        while storm.answers.count < stops {
            let count = min(stops - storm.answers.count, 500)
            options.progress("stop: \(count) stops in quick succession, \(storm.answers.count) of \(stops) are done")
            let (round, found) = try await BenchStack.with(options, inputPartitions: partitions) { stack in
                let (desk, load) = try await begin(stack)
                let round = try await StopStorm(
                    playground: stack.playground, desk: desk, load: load, longestPause: 100
                ).run(count)
                try await settle(stack.playground, load)
                await desk.close()
                var found = totals
                try await check(stack.playground, stops: count, &found)
                return (round, found)
            }
            storm.add(round)
            totals = found
        }
        return told(storm.rows("stop.storm."))
    }

    /// Starts workers and load.
    private func begin(_ stack: BenchStack) async throws -> (StopDesk, StopLoad) {
        try await stack.startWorkers()
        let desk = try StopDesk(stack.playground)
        let load = StopLoad(stack.playground, lead: 1_000 * options.workers * options.lanes)
        load.start()
        try await waitUntil(deadline: .seconds(120), description: "the load to run", interval: .milliseconds(50)) {
            try await load.granted() > 2_000
        }
        try await desk.warmUp("storm")
        return (desk, load)
    }

    private func settle(_ playground: Playground, _ load: StopLoad) async throws {
        try await load.stop()
        options.progress("stop: waiting for \(load.sent) approvals to be decided and published")
        try await playground.waitUntilSettled(within: .seconds(300))
    }

    /// Lets the checker read everything: the line is proven from the log alone.
    private func check(_ playground: Playground, stops: Int, _ totals: inout Totals) async throws {
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
        totals.past += past
        totals.stops += stops
        totals.grants += report.counts.grants
        totals.denials += report.counts.denied
        totals.revocations += report.counts.revocations
        options.progress("stop: \(stops) stops and \(report.counts.grants) grants checked, \(past) past a line")
    }
}
