import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker
import ReceiptLog

/// `clawgrant dlq list`.
struct DeadLetterListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List dead letters, the newest first.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var selection: DeadLetterSelection

    @Option(help: "open, redriven, discarded or all.")
    var state = StateChoice.open

    mutating func run() async throws {
        let file = try source.load()
        let filter = try selection.filter(state.state)
        let limit = selection.limit
        let letters = try await LedgerAccess.ledger(file) { try await $0.deadLetters(matching: filter, limit: limit) }
        if output.isJSON {
            for letter in letters { Console.out(DeadLetterView(letter).json) }
            return
        }
        guard !letters.isEmpty else {
            return Console.out("no dead letters\(state == .all ? "" : " that are \(state)")")
        }
        var rows = [["SET ASIDE", "DEAD LETTER", "SOURCE", "CODE", "STATE", "HOPS"]]
        for letter in letters { rows.append(DeadLetterView(letter).row) }
        for line in Console.table(rows) { Console.out(line) }
        if Int64(letters.count) == limit {
            Console.error("there may be more: narrow the selection, or raise --limit")
        }
    }
}

/// `clawgrant dlq show`.
struct DeadLetterShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one dead letter: where, why, what became of it, and an excerpt.",
        discussion: "The excerpt has at most 1024 bytes and no secrets; the record itself stays in its topic.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The place of its record.", valueName: "topic/partition/offset"))
    var place: RecordPlace

    mutating func run() async throws {
        let file = try source.load()
        let place = place
        let story = try await LedgerAccess.ledger(file) { try await DeadLetterLookup.story(place, $0) }
        let view = DeadLetterView(story.letter)
        if output.isJSON {
            Console.out(view.json(with: story))
        } else {
            for line in view.lines(with: story) { Console.out(line) }
        }
    }
}

/// `clawgrant dlq explain`.
struct DeadLetterExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say in words what was wrong with a record, where, and what to do.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The place of its record.", valueName: "topic/partition/offset"))
    var place: RecordPlace

    mutating func run() async throws {
        let file = try source.load()
        let place = place
        let story = try await LedgerAccess.ledger(file) { try await DeadLetterLookup.story(place, $0) }
        let letter = story.letter
        let explanation = DeadLetterExplanation.of(letter.code)
        let detail = letter.detail ?? story.record?.detail
        if output.isJSON {
            Console.out([
                "dead_letter": .string(letter.origin.description), "code": .string(letter.code),
                "meaning": .optional(explanation?.meaning), "detail": .optional(detail),
                "remedy": .optional(explanation?.remedy), "cure": .optional(explanation?.cure.rawValue),
                "state": .string(letter.state.name), "outlook": .string(DeadLetterExplanation.outlook(of: letter)),
            ])
            return
        }
        Console.out(
            "The record at \(Console.plain(letter.origin.description)) was set aside at \(letter.setAsideAt)"
                + (letter.source.rawValue.isEmpty ? "." : " by the source \(Console.plain(letter.source.rawValue))."))
        Console.out(
            Console.styled("What was wrong", .bold) + ": "
                + (explanation?.meaning ?? "the code \(Console.plain(letter.code)) is not known to this version."))
        if let detail { Console.out(Console.styled("Where", .bold) + ": " + Console.plain(detail)) }
        Console.out(
            Console.styled("What to do", .bold) + ": "
                + (explanation?.remedy ?? "Look at the detail; use the version that set it aside."))
        Console.out(DeadLetterExplanation.outlook(of: letter))
        guard letter.state == .open, letter.request == nil else { return }
        switch explanation?.cure {
        case .configuration, .time, nil:
            Console.out("  clawgrant dlq redrive \(Console.plain(letter.origin.description)) --dry-run")
        case .sender, .nothing:
            Console.out("  clawgrant dlq discard \(Console.plain(letter.origin.description)) --reason TEXT")
        }
    }
}

/// A dead letter for people and for programs.
struct DeadLetterView {
    private let letter: StoredDeadLetter

    init(_ letter: StoredDeadLetter) { self.letter = letter }

    private var state: String { letter.request == nil ? letter.state.name : "\(letter.state.name), asked for" }

    // MARK: For programs

    private var object: JSONObject {
        var object: JSONObject = [
            "dead_letter": .string(letter.origin.description), "topic": .string(letter.origin.topic),
            "partition": .integer(Int64(letter.origin.partition)), "offset": .integer(letter.origin.offset),
            "source": .string(letter.source.rawValue), "code": .string(letter.code),
            "state": .string(letter.state.name), "hops": .integer(letter.hops),
            "set_aside_at": .string(letter.setAsideAt.iso8601), "value_sha256": .string(letter.valueDigest.hex),
            "value_bytes": .integer(letter.valueBytes),
        ]
        if let request = letter.request {
            object["requested_at"] = .string(request.at.iso8601)
            object["requested_by"] = .string(request.by)
        }
        object["tried_at"] = letter.triedAt.map { .string($0.iso8601) }
        object["outcome"] = letter.outcome.map { .string($0.rawValue) }
        return object
    }

    var json: JSONValue { .object(object) }

    func json(with story: DeadLetterStory) -> JSONValue {
        var object = object
        object["detail"] = (letter.detail ?? story.record?.detail).map { .string($0) }
        object["batch_number"] = story.batchNumber.map { .integer($0) }
        if let record = story.record {
            object["receipt_id"] = .string(record.receiptID.rawValue)
            object["excerpt"] = [
                "text": .string(record.excerpt.text), "redactions": .integer(record.excerpt.redactions),
                "is_truncated": .bool(record.excerpt.isTruncated),
            ]
        }
        return .object(object)
    }

    // MARK: For people

    var row: [String] {
        [
            letter.setAsideAt.iso8601, Console.plain(letter.origin.description), Console.plain(letter.source.rawValue),
            Console.plain(letter.code), state, "\(letter.hops)",
        ]
    }

    func lines(with story: DeadLetterStory) -> [String] {
        var rows = [
            ["dead letter", Console.plain(letter.origin.description)],
            ["source", letter.source.rawValue.isEmpty ? "none" : Console.plain(letter.source.rawValue)],
            ["code", Console.plain(letter.code)],
        ]
        if let detail = letter.detail ?? story.record?.detail { rows.append(["detail", Console.plain(detail)]) }
        rows += [
            ["state", state], ["set aside", "\(letter.setAsideAt)"],
            ["hops", "\(letter.hops)"], ["value", "\(letter.valueBytes) bytes, SHA-256 \(letter.valueDigest.hex)"],
        ]
        if let request = letter.request { rows.append(["asked for", "\(request.at) by \(Console.plain(request.by))"]) }
        if let triedAt = letter.triedAt, let outcome = letter.outcome {
            rows.append(["last", "\(outcome.rawValue) at \(triedAt)"])
        }
        if let record = story.record {
            let batch = story.batchNumber.map { "batch \($0)" } ?? "not sealed yet"
            rows.append(["receipt", "\(record.receiptID) in \(batch)"])
        }
        var lines = Console.table(rows)
        guard let excerpt = story.record?.excerpt else {
            return lines + ["the receipt's day is in the archive; the excerpt is on the topic as long as that keeps it"]
        }
        lines.append(
            "excerpt\(excerpt.isTruncated ? ", cut" : "")"
                + (excerpt.redactions > 0 ? ", \(excerpt.redactions) secrets removed" : "") + ":")
        for line in excerpt.text.split(separator: "\n", omittingEmptySubsequences: false) {
            lines.append("  " + Console.plain(String(line)))
        }
        return lines
    }
}
