import ArgumentParser
import ClawWire
import GrantWorker
import Postgres

/// `clawgrant ledger archive`.
struct LedgerArchiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive", abstract: "Move finished days into the schema clawgrant_archive.",
        discussion: """
            Refused while anything of these days is still to be sealed or published. Run it as the schema's owner, at \
            most up to the age from which events are refused anyway. Gateway receipts that are dated before the day are \
            not counted any more: they become dead letters.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("Days before this one are moved.", valueName: "date"))
    var before: String

    @Option(help: ArgumentHelp("Act as this database role, the schema's owner.", valueName: "name"))
    var role: String?

    mutating func run() async throws {
        let day = try Timestamp(argument: before).day
        let file = try source.load()
        // A day that still takes events must keep its uniqueness (P1).
        let youngest = Clock.now.adding(seconds: -file.worker.limits.maximumEventAge).day
        guard day <= youngest else {
            throw CommandFailure.usage(
                "events of \(before) may still arrive: limits.max_event_age_s is \(file.worker.limits.maximumEventAge); "
                    + "give \(Timestamp(seconds: Int64(youngest) * 86_400).iso8601.prefix(10)) or earlier")
        }
        let rows = try await LedgerAccess.connection(file, role: role) { connection in
            try await connection.simple("SELECT * FROM clawgrant.archive_before(\(day))")
        }
        guard let result = rows.first, result.rowCount == 1 else {
            throw CommandFailure.defect("clawgrant.archive_before(\(day)) returned no row")
        }
        let counts = (
            partitions: try result.int64(0, 0), approvals: try result.int64(0, 1), requests: try result.int64(0, 2)
        )
        if output.isJSON {
            Console.out([
                "partitions": .integer(counts.partitions), "approvals": .integer(counts.approvals),
                "requests": .integer(counts.requests),
            ])
        } else {
            Console.out(
                "moved \(counts.partitions) day partitions, \(counts.approvals) approvals and \(counts.requests) requests"
            )
        }
    }
}
