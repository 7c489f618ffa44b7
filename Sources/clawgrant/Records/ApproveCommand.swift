import ApprovalSources
import ArgumentParser
import ClawWire
import IssuanceRules

/// `clawgrant approve`: says yes or no.
struct ApproveCommand: AsyncParsableCommand {
    /// What is decided.
    enum Verdict: String, CaseIterable, ExpressibleByArgument {
        case approved
        case denied
        case canceled
        case ended
    }

    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Publish a signed native approval or denial.",
        discussion: """
            For tests, demonstrations and break-glass: whoever holds the signing key of a source speaks for its people. \
            The rules decide whether the approval counts.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The approval.", valueName: "approval-id"))
    var approvalID: String

    @Option(help: ArgumentHelp("Who decides, by directory id; may be repeated.", valueName: "id"))
    var approver: [String] = []

    @Option(help: ArgumentHelp("Who asked, by directory id.", valueName: "id"))
    var requester: String?

    @Option(help: ArgumentHelp("Whom it is for; default: the requester.", valueName: "id"))
    var subject: String?

    @Option(help: "What is decided.")
    var verdict: Verdict = .approved

    @Option(name: .customLong("class"), help: ArgumentHelp("The job class.", valueName: "name"))
    var jobClass: String?

    @Option(
        name: .customLong("valid-for"),
        help: ArgumentHelp("Length of the approved window from now.", valueName: "seconds"))
    var validFor: Int64 = 3_600

    @Option(help: ArgumentHelp("The ticket.", valueName: "number"))
    var ticket: String?

    @Option(help: ArgumentHelp("Why, for people.", valueName: "text"))
    var justification: String?

    @Option(
        help: ArgumentHelp(
            "How much the job's calls may use, beside what the rules say; may be repeated.",
            discussion: "One of \(BudgetArgument.form).", valueName: "limit"))
    var budget: [BudgetArgument] = []

    @Option(
        name: .customLong("request"),
        help: ArgumentHelp(
            "A file with the capability request that is approved with it, as `clawgrant request --print` prints it.",
            valueName: "file"), completion: .file())
    var requestFile: String?

    @Option(
        name: .customLong("sign-key"),
        help: ArgumentHelp("Sign with this Ed25519 key.", valueName: "file"), completion: .file())
    var signKey: String?

    @Option(
        name: .customLong("event-source"),
        help: ArgumentHelp("The CloudEvents source; the rules may list those that count.", valueName: "uri"))
    var eventSource: String = "/clawgrant/cli"

    @Option(help: ArgumentHelp("The topic; default: that of the rules' one native source.", valueName: "name"))
    var topic: String?

    @Flag(name: .customLong("print"), help: "Print the event and publish nothing.")
    var isPrinted = false

    mutating func validate() throws {
        guard !approver.isEmpty || verdict == .canceled || verdict == .ended else {
            throw ValidationError("give at least one --approver")
        }
        guard (1...31_536_000).contains(validFor) else {
            throw ValidationError("--valid-for is a number of seconds from 1 to a year")
        }
        do {
            _ = try BudgetArgument.budget(budget)
        } catch let error as BudgetError {
            throw ValidationError("--budget: \(error)")
        }
    }

    mutating func run() async throws {
        let now = Clock.now
        let decision = try decision(at: now)
        let event = try RecordPublishing.signed(
            decision.event(id: RecordPublishing.identifier("evt-"), source: eventSource, at: now), key: signKey)
        guard !isPrinted else {
            Console.out(event.structuredJSON)
            return
        }
        let file = try source.load()
        let topic = try RecordPublishing.topic(topic, kind: .native, file)
        let record = try await RecordPublishing.publish(event, key: approvalID, topic: topic, file)
        RecordPublishing.tell(
            record, what: "the approval", id: approvalID, isJSON: output.isJSON,
            next: "watch what becomes of it with `clawgrant tail`")
    }

    private func decision(at now: Timestamp) throws -> NativeDecision {
        let verdict: NativeDecision.Verdict =
            switch verdict {
            case .approved: .approved
            case .denied: .denied
            case .canceled: .canceled
            case .ended: .ended
            }
        var decision = NativeDecision(
            approvalID: ApprovalID(approvalID), verdict: verdict, requester: requester.map { Actor(id: PersonID($0)) },
            answers: approver.map {
                NativeDecision.Answer(
                    approver: Actor(id: PersonID($0)), decidedAt: now, justification: justification)
            })
        decision.subject = subject.map { Actor(id: PersonID($0)) }
        decision.jobClass = jobClass.map { JobClass($0) }
        decision.justification = justification
        decision.ticket = ticket.map { Ticket(system: nil, number: $0) }
        decision.budget = try BudgetArgument.budget(budget)
        if verdict == .approved {
            decision.notBefore = now
            decision.notAfter = now.adding(seconds: validFor)
        }
        decision.request = try requestFile.map(Self.request)
        do {
            _ = try NativeDecision(decision.json)
        } catch {
            throw CommandFailure.usage("the approval would be refused: \(error)")
        }
        return decision
    }

    /// A request's document, bare or inside of an event.
    private static func request(_ path: String) throws -> JSONValue {
        do {
            let value = try JSONReader.parse(try InputFile.bytes(path, atMost: 1 << 20))
            let document = value["specversion"] == nil ? value : value["data"] ?? .null
            _ = try CapabilityRequestDocument.decode(document)
            return document
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(path) is no capability request: \(error)")
        }
    }
}
