import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import ReceiptLog

/// Who acts, as the record will have it.
struct ActingPerson: ParsableArguments {
    @Option(
        help: ArgumentHelp("Who decides it. Default: the operating system's user.", valueName: "person"))
    var by: String?

    mutating func validate() throws {
        guard by.map({ DeclarationOptions.isName($0) && $0.utf8.count <= 256 }) ?? true else {
            throw ValidationError("--by is a text of 1 to 256 bytes without control characters")
        }
    }

    var name: String { by ?? DeclarationOptions.operatingSystemUser }
}

/// `clawgrant dlq redrive`.
struct DeadLetterRedriveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive", abstract: "Have records read again, through the door by which they came.",
        discussion: """
            A worker reads the record from its topic and takes it as it would take it today: with the source's rules of \
            now, and with every check. What was decided before is not decided again. Each redrive leaves a receipt. A \
            record that is refused again stays the same dead letter with one hop more; limits.dead_letter_max_hops bounds \
            the hops.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var targets: DeadLetterTargets
    @OptionGroup var person: ActingPerson

    @Flag(name: .customLong("dry-run"), help: "Only say what reading each record again would come to.")
    var isTrial = false

    @Flag(inversion: .prefixedNo, help: "Stay until a worker has done it.")
    var wait = true

    @Option(help: ArgumentHelp("Stay no longer than this.", valueName: "seconds"))
    var timeout: Int64 = 60

    mutating func validate() throws {
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout is 1 second to a day") }
    }

    mutating func run() async throws {
        let file = try source.load()
        let this = self
        try await LedgerAccess.ledger(file) { ledger in
            let letters = try await this.targets.letters(ledger)
            guard !letters.isEmpty else {
                if !this.output.isJSON { Console.out("no open dead letters are selected") }
                return
            }
            if this.isTrial {
                try await this.attempt(letters, file)
            } else {
                try await this.redrive(letters.map(\.origin), file, ledger)
            }
        }
    }

    // MARK: Trying

    private func attempt(_ letters: [StoredDeadLetter], _ file: ConfigurationFile) async throws {
        let trial = try RedriveTrial(rules: try file.rules(), configuration: file.worker)
        let events = KafkaEvents()
        var wouldFail = false
        do {
            let fetcher = try RecordFetcher(file.worker.kafka, log: events.take)
            do {
                for letter in letters {
                    let verdict = trial.judge(try await fetcher.fetch(letter.origin), of: letter, at: Clock.now)
                    wouldFail = tell(verdict, letter) || wouldFail
                }
            } catch {
                await fetcher.close()
                throw error
            }
            await fetcher.close()
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        }
        if wouldFail { throw CommandFailure.no }
    }

    /// Prints a verdict; true when the record would not be taken.
    private func tell(_ verdict: RedriveTrial.Verdict, _ letter: StoredDeadLetter) -> Bool {
        var object: JSONObject = ["dead_letter": .string(letter.origin.description)]
        let text: String
        let wouldFail: Bool
        switch verdict {
        case .understood(let kinds):
            object["verdict"] = "understood"
            object["facts"] = .array(kinds.map { .string($0) })
            (text, wouldFail) = ("would be taken: \(kinds.joined(separator: ", "))", false)
        case .ignored(let why):
            object["verdict"] = "ignored"
            object["why"] = .array(why.map { .string($0) })
            (text, wouldFail) = ("would be passed over: \(why.joined(separator: ", "))", false)
        case .refused(let code, let detail):
            object["verdict"] = "refused"
            object["code"] = .string(code)
            object["detail"] = .string(detail)
            (text, wouldFail) = ("would be refused again: \(code): \(Console.plain(detail))", true)
        case .gone(let why):
            object["verdict"] = "gone"
            object["detail"] = .string(why)
            (text, wouldFail) = ("cannot be read again: \(why)", true)
        }
        if output.isJSON {
            Console.out(.object(object))
        } else {
            Console.out("\(Console.plain(letter.origin.description))  \(text)")
        }
        return wouldFail
    }

    // MARK: Redriving

    private func redrive(_ origins: [RecordOrigin], _ file: ConfigurationFile, _ ledger: PostgresLedger) async throws {
        let answers = try await ledger.requestRedrive(
            of: origins, by: person.name, maximumHops: file.worker.limits.deadLetterMaximumHops)
        var open: [RecordOrigin] = []
        var isRefused = false
        for origin in origins {
            switch answers[origin] ?? .unknown {
            case .accepted, .waiting: open.append(origin)
            case .closed(let state, let outcome):
                tell(origin, state == .discarded ? "discarded" : "done", outcome, "nothing is left to be done about it")
            case .tooManyHops(let hops):
                isRefused = true
                tell(
                    origin, "too_many_hops", nil,
                    "its record was read again \(hops) times, as often as limits.dead_letter_max_hops allows")
            case .unknown:
                isRefused = true
                tell(origin, "unknown", nil, "there is no such dead letter")
            }
        }
        guard wait else {
            for origin in open { tell(origin, "asked_for", nil, "a worker reads its record again") }
            if isRefused { throw CommandFailure.no }
            return
        }
        let stopwatch = Stopwatch()
        while !open.isEmpty, stopwatch.seconds < timeout {
            var left: [RecordOrigin] = []
            let letters = try await ledger.deadLetters(at: open)
            let byOrigin = Dictionary(letters.map { ($0.origin, $0) }) { first, _ in first }
            for origin in open {
                guard let letter = byOrigin[origin], letter.request == nil else {
                    left.append(origin)
                    continue
                }
                let isDone = letter.state != .open
                isRefused = isRefused || !isDone
                tell(
                    origin, isDone ? "done" : "refused", letter.outcome,
                    isDone
                        ? DeadLetterExplanation.outlook(of: letter)
                        : "\(letter.code): \(Console.plain(letter.detail ?? "see `clawgrant dlq explain`"))")
            }
            open = left
            if !open.isEmpty { try await Task.sleep(for: .milliseconds(100)) }
        }
        guard open.isEmpty else {
            throw CommandFailure.negative(
                "\(open.count) records were not read again within \(timeout) s",
                remedy: "they stay asked for; look whether a worker runs and reaches the broker")
        }
        if isRefused { throw CommandFailure.no }
    }

    private func tell(
        _ origin: RecordOrigin, _ answer: String, _ outcome: Receipt.DeadLetterAction.Outcome?, _ text: String
    ) {
        if output.isJSON {
            var object: JSONObject = ["dead_letter": .string(origin.description), "answer": .string(answer)]
            object["outcome"] = outcome.map { .string($0.rawValue) }
            object["detail"] = .string(text)
            Console.out(.object(object))
        } else {
            let word = outcome?.rawValue ?? answer.replacing("_", with: " ")
            Console.out("\(Console.plain(origin.description))  \(word): \(text)")
        }
    }
}

/// `clawgrant dlq discard`.
struct DeadLetterDiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Give dead letters up, with a receipt that says who and why.",
        discussion:
            "The record stays in its topic, and the dead letter on its own; nothing can be done about it any more.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var targets: DeadLetterTargets
    @OptionGroup var person: ActingPerson

    @Option(help: ArgumentHelp("Why, for people and for the record.", valueName: "text"))
    var reason: String

    mutating func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }), reason.utf8.count <= 1_024 else {
            throw ValidationError("--reason is what people read later: say why, in at most 1024 bytes")
        }
    }

    mutating func run() async throws {
        let file = try source.load()
        let this = self
        try await LedgerAccess.ledger(file) { ledger in
            var isRefused = false
            let letters = try await this.targets.letters(ledger)
            for letter in letters {
                let answer = try await DeadLetterDiscard.discard(
                    letter.origin, by: this.person.name, reason: this.reason, worker: LedgerAccess.name, in: ledger)
                switch answer {
                case .discarded: this.tell(letter.origin, "discarded")
                case .closed(.discarded, _): this.tell(letter.origin, "was discarded before")
                case .closed(let state, _):
                    isRefused = true
                    this.tell(letter.origin, "is \(state.name): nothing is left to be given up")
                case .unknown:
                    isRefused = true
                    this.tell(letter.origin, "is unknown")
                }
            }
            if letters.isEmpty, !this.output.isJSON { Console.out("no open dead letters are selected") }
            if isRefused { throw CommandFailure.no }
        }
    }

    private func tell(_ origin: RecordOrigin, _ answer: String) {
        if output.isJSON {
            Console.out(["dead_letter": .string(origin.description), "answer": .string(answer)])
        } else {
            Console.out("\(Console.plain(origin.description))  \(answer)")
        }
    }
}
