/// Measures Clawgrant on this machine: its limits alone, then the whole, with every published record checked.
public struct Bench: Sendable {
    private let options: BenchOptions

    /// Prepares a run.
    public init(_ options: BenchOptions) { self.options = options }

    /// Measures, part by part. The first part that fails is the last one: ``BenchReport/failure`` says why, and what was
    /// measured before it is in the report.
    public func run() async -> BenchReport {
        var report = BenchReport(machine: .current(), options: options)
        do {
            try await measure(into: &report)
        } catch {
            report.failure = error
        }
        return report
    }

    private func measure(into report: inout BenchReport) async throws {
        let sections = options.sections
        if sections.contains(.sources) {
            options.progress("sources: messages of approval systems, read by one core")
            try SourceCosts(options: options).measure(into: &report)
        }
        if !sections.isDisjoint(with: [.calls, .signatures, .ledger, .kafka]) {
            report = try await BenchStack.with(options) { [report] stack in
                var report = report
                try await limits(stack, into: &report)
                return report
            }
        }
        let together = Workload.Signing.together(options.eventsPerSignature)
        if sections.contains(.batch) {
            var backlog = Backlog(
                options: options, name: "batch", signing: together, count: options.amount(100_000, quick: 10_000))
            backlog.sendsRepeats = true
            try await backlog.measure(into: &report)
        }
        if sections.contains(.single) {
            try await Backlog(
                options: options, name: "single", signing: .each, count: options.amount(60_000, quick: 6_000)
            ).measure(into: &report)
        }
        if sections.contains(.latency) {
            try await Latency(options: options).measure(
                peak: report.value("batch.decisions_per_second"), into: &report)
        }
        if sections.contains(.restart) { try await Restart(options: options).measure(into: &report) }
        if sections.contains(.rows) {
            for rows in options.rows ?? [100_000, 1_000_000] {
                var backlog = Backlog(
                    options: options, name: "rows_\(rows)", signing: together,
                    count: options.amount(60_000, quick: 10_000))
                backlog.rows = rows
                try await backlog.measure(into: &report)
            }
        }
        if sections.contains(.million) {
            try await Backlog(options: options, name: "million", signing: together, count: 1_000_000)
                .measure(into: &report)
        }
        if sections.contains(.soak) { try await Soak(options: options).measure(into: &report) }
        if sections.contains(.stop) { try await Stop(options: options).measure(into: &report) }
    }

    private func limits(_ stack: BenchStack, into report: inout BenchReport) async throws {
        let playground = stack.playground
        let sections = options.sections
        if sections.contains(.calls) {
            options.progress("calls: processor time of single calls")
            try CallCosts(options: options, playground: playground).measure(into: &report)
        }
        if sections.contains(.signatures) {
            options.progress("signatures: tokens signed by one core")
            try SignatureLimit(options: options, playground: playground).measure(into: &report)
        }
        if sections.contains(.ledger) {
            options.progress("ledger: prepared decisions into PostgreSQL")
            try await LedgerLimit(options: options, playground: playground).measure(into: &report)
        }
        if sections.contains(.kafka) {
            options.progress("kafka: records into and out of the broker")
            try await KafkaLimit(options: options, playground: playground).measure(into: &report)
        }
    }
}
