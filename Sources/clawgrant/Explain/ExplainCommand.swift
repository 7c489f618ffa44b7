import ArgumentParser
import ClawWire
import GrantLedger
import IssuanceRules

/// `clawgrant explain`: why a request was decided as it was.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say in plain words what was asked, what was decided and why.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The request.", valueName: "request-id"))
    var requestID: String

    mutating func run() async throws {
        let file = try source.load()
        let requestID = RequestID(requestID)
        let history = try await LedgerAccess.ledger(file) { try await $0.history(of: requestID) }
        guard let history else {
            throw CommandFailure.negative(
                "the ledger has no request \(Console.plain(requestID.rawValue)); check its id, whether a worker has read "
                    + "it (`clawgrant ledger status`), and whether it went to the dead letters "
                    + "(`clawgrant tail --from-beginning --stream dead-letters`)")
        }
        // Without readable rules the history still tells what was decided; only approvals are not assessed.
        let story = RequestStory(history, rules: try? file.rules(), now: Clock.now)
        if output.isJSON {
            Console.out(story.json)
        } else {
            for line in story.lines { Console.out(line) }
        }
    }
}
