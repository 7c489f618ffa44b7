import DevStack
import Kafka
import Playground
import Postgres

/// Decisions a second at the peak: everything lies in the broker before the workers start.
struct Backlog {
    let options: BenchOptions
    /// First part of the figures' names.
    let name: String
    let signing: Workload.Signing
    let count: Int
    /// Rows that the ledger holds beforehand.
    var rows = 0
    /// Whether the same records are sent a second time.
    var sendsRepeats = false

    func measure(into report: inout BenchReport) async throws {
        let figures = try await BenchStack.with(options) { stack in try await run(stack) }
        for figure in figures { report.add(figure.name, figure.value, figure.unit) }
    }

    private typealias Row = (name: String, value: Double, unit: FigureUnit)

    private func run(_ stack: BenchStack) async throws -> [Row] {
        let playground = stack.playground
        if rows > 0 {
            options.progress("\(name): filling the ledger with \(rows) decisions")
            try await Prefill(playground: playground).run(rows)
        }
        options.progress("\(name): writing \(count) approvals to the broker")
        let workload = Workload(playground: playground, signing: signing, prefix: name)
        try await workload.produce(count)
        options.progress("\(name): deciding")
        let watch = try GrantWatch(playground)
        try await watch.start()
        let server = ServerCPU(playground)
        var samples: [(count: Int, reading: ServerCPU.Reading)] = []
        let started = ContinuousClock.now
        try await stack.startWorkers()
        try await watch.wait(for: count, within: .seconds(120 + count / 200)) { samples.append(($0, server.now())) }
        let wall = (ContinuousClock.now - started).inSeconds
        await watch.stop()
        var figures = try window(samples)
        figures.append(("\(name).seconds_from_worker_start", wall, .count))
        if sendsRepeats { figures += try await repeats(workload, playground) }
        options.progress("\(name): checking every record")
        try await playground.waitForStatus("everything to be published") {
            $0.unsealedGroups == 0 && $0.nextBatchToPublish == $0.batches
        }
        let checked = try await ReadBack(playground: playground).check(decisions: count)
        figures.append(("\(name).records_checked", Double(checked), .count))
        return figures
    }

    /// The middle of the run, without the workers' start and the last batches.
    private func window(_ samples: [(count: Int, reading: ServerCPU.Reading)]) throws -> [Row] {
        guard let first = samples.first(where: { $0.count >= count / 10 }),
            let last = samples.last(where: { $0.count <= count * 95 / 100 }), last.count > first.count
        else { throw BenchError("\(name): too few decisions to measure") }
        let done = Double(last.count - first.count)
        func each(_ part: (ServerCPU.Reading) -> Double) -> Double {
            (part(last.reading) - part(first.reading)) / done * 1e6
        }
        return [
            ("\(name).decisions_per_second", done / (last.reading.at - first.reading.at).inSeconds, .perSecond),
            ("\(name).worker_cpu_per_decision", each(\.workers), .microseconds),
            ("\(name).postgres_cpu_per_decision", each(\.postgres), .microseconds),
            ("\(name).broker_cpu_per_decision", each(\.broker), .microseconds),
            ("\(name).relay_and_reader_cpu_per_decision", each(\.own), .microseconds),
            (
                "\(name).worker_memory", Double(samples.map(\.reading.workerPeakBytes).max() ?? 0) / 1_048_576,
                .mebibytes
            ),
        ]
    }

    /// Sends events that are known already; each must be recognised and change nothing.
    private func repeats(_ workload: Workload, _ playground: Playground) async throws -> [Row] {
        let again = min(count, options.amount(50_000, quick: 5_000))
        options.progress("\(name): sending \(again) of the records again")
        let before = try await playground.status()
        let server = ServerCPU(playground)
        let first = server.now()
        try await workload.produce(again)
        let wanted = before.recordsCommitted + again
        // The status of everything counts whole tables, which would cost more than the repeats.
        try await waitUntil(deadline: .seconds(300), description: "repeats to be refused", interval: .milliseconds(50))
        {
            let offsets = try await playground.query("SELECT sum(next_offset)::text FROM clawgrant.input_partition")
            return Int(try offsets.string(0, 0)) ?? 0 >= wanted
        }
        let last = server.now()
        let after = try await playground.status()
        guard after.issued == before.issued, after.receipts == before.receipts else {
            throw BenchError(
                "repeats made \(after.issued - before.issued) grants, \(after.receipts - before.receipts) receipts")
        }
        return [
            ("repeats.refused_per_second", Double(again) / (last.at - first.at).inSeconds, .perSecond),
            ("repeats.worker_cpu_per_record", (last.workers - first.workers) / Double(again) * 1e6, .microseconds),
            ("repeats.postgres_cpu_per_record", (last.postgres - first.postgres) / Double(again) * 1e6, .microseconds),
        ]
    }
}
