import ArgumentParser

/// `clawgrant ledger`: the database.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Make, inspect and archive the ledger in PostgreSQL.",
        subcommands: [
            LedgerMigrateCommand.self, LedgerRolesCommand.self, LedgerStatusCommand.self, LedgerArchiveCommand.self,
        ])
}
