import ArgumentParser
import ClawWire
import Console
import GrantLedger
import GrantWorker
import IssuanceRules

/// `clawgrant explain`: why a request was decided as it was, or would be.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say in plain words what was asked, what was decided and why.",
        discussion: """
            With a request's id it reads the ledger. With --file it decides the cases of a file, in the form of \
            `clawgrant rules test`, and needs neither broker nor database.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The request.", valueName: "request-id"))
    var requestID: String?

    @Option(
        name: .customLong("file"), help: ArgumentHelp("Cases: what would be decided?", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"]))
    var caseFile: String?

    @Option(
        name: .customLong("rules"),
        help: ArgumentHelp("The rules for --file; without it, those of the configuration.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var rulesFile: String?

    mutating func validate() throws {
        guard (requestID != nil) != (caseFile != nil) else { throw ValidationError("give a request's id or --file") }
        guard rulesFile == nil || caseFile != nil else { throw ValidationError("--rules goes with --file") }
    }

    mutating func run() async throws {
        if let caseFile { try explain(caseFile) }
        if let requestID { try await explain(RequestID(requestID)) }
    }

    private func explain(_ path: String) throws {
        let rules = try RulesFile.load(try rulesFile ?? source.load().worker.rulesFile)
        for (index, example) in try CaseFiles.read(path).enumerated() {
            let explanation = Explanation(
                of: example.run(under: rules).decision, on: example.input.request, rulesHash: rules.hash)
            if output.isJSON {
                var object = explanation.json.object ?? JSONObject()
                object["case"] = .string(example.name)
                Console.out(.object(object))
            } else {
                if index > 0 { Console.out("") }
                Console.out(Console.styled(Console.plain(example.name), .bold))
                for line in explanation.lines { Console.out(Console.plain(line)) }
            }
        }
    }

    private func explain(_ requestID: RequestID) async throws {
        let file = try source.load()
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
            for line in story.lines { Console.out(Console.plain(line)) }
        }
    }
}
