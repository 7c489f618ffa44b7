import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker
import ReceiptLog
import SecurityEvents

/// `clawgrant siem`: receipts as security events.
struct SIEMCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "siem", abstract: "Tell receipts as security events.",
        discussion: "docs/siem.md says what each kind of receipt becomes in each format.",
        subcommands: [SIEMReplayCommand.self, SIEMStatusCommand.self])
}

/// `clawgrant siem replay`.
struct SIEMReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Write the security events of sealed receipts, one a line.",
        discussion: """
            Reads the ledger, in the order of the log, and ends at the last sealed receipt. The number of an event is \
            the position of its receipt: without a gap, and the same each time.
            """)

    @OptionGroup var source: ConfigurationOptions

    @Option(help: ArgumentHelp("First position of a receipt.", valueName: "position"))
    var from: Int64 = 0

    @Option(help: ArgumentHelp("Last position of a receipt.", valueName: "position"))
    var to: Int64?

    @Option(
        help: ArgumentHelp("One of: \(Self.formats).", valueName: "format"),
        completion: .list(SecurityEventFormat.allCases.map(\.rawValue)), transform: Self.format)
    var format = SecurityEventFormat.ocsf

    @Option(help: ArgumentHelp("The tenant that this log stands for.", valueName: "name"))
    var tenant: String?

    private static var formats: String { SecurityEventFormat.allCases.map(\.rawValue).joined(separator: ", ") }

    private static func format(_ text: String) throws -> SecurityEventFormat {
        guard let format = SecurityEventFormat(rawValue: text) else {
            throw ValidationError("\"\(text)\" is none of \(formats)")
        }
        return format
    }

    mutating func validate() throws {
        guard from >= 0, to.map({ $0 >= from }) ?? true else {
            throw ValidationError("--from and --to are positions, the smaller first")
        }
    }

    mutating func run() async throws {
        let file = try source.load()
        let producer = EventProducer(
            version: Version.text, logID: file.worker.logID, workerID: LedgerAccess.name, tenant: tenant)
        let (from, to, format) = (from, to, format)
        try await LedgerAccess.ledger(file) { ledger in
            var next = try await ledger.batch(holding: from) ?? 0
            while true {
                let batches = try await ledger.batches(from: next, limit: 16)
                guard let last = batches.last else { return }
                for batch in batches {
                    for event in try SecurityEvent.events(of: batch, by: producer) where event.sequence.value >= from {
                        if let to, event.sequence.value > to { return }
                        Console.out(format.line(event))
                    }
                }
                next = last.number + 1
            }
        }
    }
}
