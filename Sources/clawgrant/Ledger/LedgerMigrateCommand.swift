import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker

/// `clawgrant ledger migrate`.
struct LedgerMigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the schema up to this build, forward only.",
        discussion: "Safe to run again and at the same time from several places.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("Act as this database role, the schema's owner.", valueName: "name"))
    var role: String?

    mutating func run() async throws {
        let file = try source.load()
        let pastDays = Int32(clamping: file.worker.limits.maximumEventAge / 86_400 + 1)
        let report = try await LedgerAccess.connection(file, role: role) { connection in
            try await Migrator.migrate(connection, pastDays: pastDays)
        }
        if output.isJSON {
            Console.out([
                "from": .integer(report.from), "to": .integer(report.to),
                "applied": .array(report.applied.map { .string($0) }),
            ])
        } else if report.applied.isEmpty {
            Console.out("schema \(report.to): nothing to do")
        } else {
            Console.out("schema \(report.from) -> \(report.to): \(report.applied.joined(separator: ", "))")
        }
    }
}
