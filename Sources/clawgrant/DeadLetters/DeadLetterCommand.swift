import ArgumentParser
import ClawWire
import GrantLedger
import ReceiptLog

/// `clawgrant dlq`: what was set aside, why, and what to do about it.
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "List, explain, redrive and discard dead letters.",
        discussion: """
            A dead letter is named by where its record stands: topic/partition/offset. Reads and writes the ledger; a \
            worker does the redriving. docs/dead-letters.md explains the workflow.
            """,
        subcommands: [
            DeadLetterListCommand.self, DeadLetterShowCommand.self, DeadLetterExplainCommand.self,
            DeadLetterRedriveCommand.self, DeadLetterDiscardCommand.self,
        ])
}

/// The place of a record, as people write it.
struct RecordPlace: ExpressibleByArgument {
    let origin: RecordOrigin

    /// `topic/partition/offset`.
    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, let partition = Int32(parts[1]), partition >= 0,
            let offset = Int64(parts[2]), offset >= 0
        else { return nil }
        origin = RecordOrigin(topic: String(parts[0]), partition: partition, offset: offset)
    }
}

/// A state as people name it; `all` does not narrow.
enum StateChoice: String, CaseIterable, ExpressibleByArgument {
    case open, redriven, discarded, all

    var state: StoredDeadLetter.State? {
        switch self {
        case .open: .open
        case .redriven: .redriven
        case .discarded: .discarded
        case .all: nil
        }
    }
}

/// Which dead letters a command is about.
struct DeadLetterSelection: ParsableArguments {
    @Option(help: ArgumentHelp("Those that this source read.", valueName: "name"))
    var source: String?

    @Option(help: ArgumentHelp("Those with this reason.", valueName: "code"))
    var code: String?

    @Option(help: ArgumentHelp("Those of this topic.", valueName: "name"))
    var topic: String?

    @Option(help: ArgumentHelp("Those of this partition.", valueName: "number"))
    var partition: Int32?

    @Option(name: .customLong("from-offset"), help: ArgumentHelp("Those at or behind it.", valueName: "offset"))
    var fromOffset: Int64?

    @Option(name: .customLong("to-offset"), help: ArgumentHelp("Those at or before it.", valueName: "offset"))
    var toOffset: Int64?

    @Option(help: ArgumentHelp("Those set aside at or after it.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Those set aside before it.", valueName: "time"))
    var until: String?

    @Option(help: ArgumentHelp("Most of them, the newest first.", valueName: "count"))
    var limit: Int64 = 100

    mutating func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is from 1 to 10000") }
        for text in [since, until].compactMap(\.self) { _ = try Timestamp(argument: text) }
    }

    /// True when anything narrows it.
    var isNarrowed: Bool {
        [source, code, topic, since, until].contains { $0 != nil } || partition != nil || fromOffset != nil
            || toOffset != nil
    }

    func filter(_ state: StoredDeadLetter.State?) throws -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.source = source.map { SourceName($0) }
        filter.code = code
        filter.topic = topic
        filter.partition = partition
        filter.fromOffset = fromOffset
        filter.toOffset = toOffset
        filter.since = try since.map { try Timestamp(argument: $0) }
        filter.until = try until.map { try Timestamp(argument: $0) }
        filter.state = state
        return filter
    }
}

/// The dead letters that a command acts on: those named, or the open ones of a selection.
struct DeadLetterTargets: ParsableArguments {
    @Argument(help: ArgumentHelp("Dead letters, by the place of their record.", valueName: "topic/partition/offset"))
    var places: [RecordPlace] = []

    @OptionGroup(title: "Selecting open ones instead") var selection: DeadLetterSelection

    @Flag(help: "All that are open, up to --limit.")
    var all = false

    mutating func validate() throws {
        let isSelected = all || selection.isNarrowed
        guard places.isEmpty != !isSelected else {
            throw ValidationError(
                places.isEmpty
                    ? "name dead letters as topic/partition/offset, narrow with --source, --code, --topic, --since or "
                        + "--until, or give --all" : "name dead letters or select them, not both")
        }
        guard places.count <= 10_000 else { throw ValidationError("name at most 10000 dead letters at once") }
    }

    /// The dead letters; those that were named and do not exist are refused.
    func letters(_ ledger: some DeadLetterLedger) async throws -> [StoredDeadLetter] {
        guard !places.isEmpty else {
            return try await ledger.deadLetters(matching: try selection.filter(.open), limit: selection.limit)
        }
        var letters: [StoredDeadLetter] = []
        for place in places { letters.append(try await DeadLetterLookup.story(place, ledger).letter) }
        return letters
    }
}

/// Finds one dead letter, or says that there is none.
enum DeadLetterLookup {
    static func story(_ place: RecordPlace, _ ledger: some DeadLetterLedger) async throws -> DeadLetterStory {
        guard let story = try await ledger.deadLetter(at: place.origin) else {
            throw CommandFailure.negative(
                "there is no dead letter \(Console.plain(place.origin.description))",
                remedy: "look with `clawgrant dlq list --state all`; those whose time is over are in the receipts alone"
            )
        }
        return story
    }
}
