import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker

/// `clawgrant siem status`.
struct SIEMStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how far security events have come at each sink.",
        discussion: """
            Reads the ledger: the next event of each sink, how many wait, and why its last delivery failed. Ends with 1 \
            when a sink of the configuration fails or is not known yet.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let file = try source.load()
        let (positions, end) = try await LedgerAccess.ledger(file) {
            (try await $0.sinkPositions(), try await $0.logEnd())
        }
        let configured = file.worker.securityEvents?.sinks.map(\.name) ?? []
        let known = Dictionary(positions.map { ($0.name, $0) }) { first, _ in first }
        let names = configured + positions.map(\.name).filter { !configured.contains($0) }
        let rows = names.map { Row(name: $0, isConfigured: configured.contains($0), position: known[$0], end: end) }
        if output.isJSON {
            Console.out(["log_end": .integer(end.position), "sinks": .array(rows.map(\.json))])
        } else if rows.isEmpty {
            Console.out("no sinks: the configuration has no section security_events, and none ever had")
        } else {
            for line in Console.table([Row.titles] + rows.map(\.columns)) { Console.out(line) }
        }
        if rows.contains(where: { $0.isConfigured && !$0.isWell }) { throw ExitCode(1) }
    }

    /// One sink as it is shown.
    private struct Row {
        let name: String
        let isConfigured: Bool
        let position: SinkPosition?
        let end: LogEnd

        static let titles = ["SINK", "STATE", "NEXT", "WAITING", "SKIPPED", "DELIVERED", "LAST FAILURE"]

        var isWell: Bool { position.map { $0.failures == 0 } ?? false }

        private var state: String {
            guard let position else { return "new" }
            guard isConfigured else { return "not configured" }
            return position.failures > 0 ? "failing (\(position.failures))" : "ok"
        }

        private var waiting: Int64 { max(0, end.position - (position?.next ?? 0)) }

        var columns: [String] {
            let failure = position?.failure.map { "\(position?.failedAt?.iso8601 ?? ""): \($0)" }
            return [
                name, state, position.map { "\($0.next)" } ?? "-", position == nil ? "-" : "\(waiting)",
                "\(position?.skipped ?? 0)", position?.deliveredAt?.iso8601 ?? "never", failure ?? "none",
            ]
        }

        var json: JSONValue {
            var object: JSONObject = ["name": .string(name), "configured": .bool(isConfigured)]
            guard let position else { return .object(object) }
            object["first"] = .integer(position.first)
            object["next"] = .integer(position.next)
            object["waiting"] = .integer(waiting)
            object["skipped"] = .integer(position.skipped)
            object["failures"] = .integer(Int64(position.failures))
            object["delivered_at"] = position.deliveredAt.map { .string($0.iso8601) }
            object["failing_since"] = position.failingSince.map { .string($0.iso8601) }
            object["failed_at"] = position.failedAt.map { .string($0.iso8601) }
            object["failure"] = position.failure.map { .string($0) }
            return .object(object)
        }
    }
}
