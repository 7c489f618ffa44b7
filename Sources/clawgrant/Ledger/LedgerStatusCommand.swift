import ArgumentParser
import ClawWire
import GrantLedger

/// `clawgrant ledger status`.
struct LedgerStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what the ledger holds and what is still to be sealed and published.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let file = try source.load()
        let status = try await LedgerAccess.ledger(file) { try await $0.status() }
        let requests = status.requests.sorted { $0.key.rawValue < $1.key.rawValue }
        let unpublished = max(0, status.batches - status.nextBatchToPublish)
        if output.isJSON {
            Console.out([
                "requests": .object(JSONObject(requests.map { ("\($0.key)", .integer($0.value)) })),
                "approvals": .integer(status.approvals), "receipts": .integer(status.receipts),
                "batches": .integer(status.batches), "unsealed_groups": .integer(status.unsealedGroups),
                "unpublished_batches": .integer(unpublished), "live_workers": .integer(status.liveWorkers),
            ])
            return
        }
        let counts = requests.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        let rows = [
            ["requests", counts.isEmpty ? "none" : counts], ["approvals", "\(status.approvals)"],
            ["receipts", "\(status.receipts) in \(status.batches) batches"],
            ["to be sealed", "\(status.unsealedGroups) groups"],
            ["to be published", "\(unpublished) batches at most"], ["live workers", "\(status.liveWorkers)"],
        ]
        for line in Console.table(rows) { Console.out(line) }
    }
}
