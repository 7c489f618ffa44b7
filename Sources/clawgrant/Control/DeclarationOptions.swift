import ArgumentParser
import ClawWire
import Foundation
import IssuanceRules

/// Until when a declaring command stays.
enum WaitLevel: String, CaseIterable, ExpressibleByArgument, Comparable {
    /// It is committed, or handed to the broker.
    case none
    /// It is in force: its receipt is committed.
    case acknowledged
    /// Its receipt is sealed, and result and cut-offs are on their topics.
    case published
    /// Every token that it voids is revoked one by one, and all of that is on the topics.
    case converged

    static func < (left: WaitLevel, right: WaitLevel) -> Bool { left.order < right.order }

    private var order: Int {
        switch self {
        case .none: 0
        case .acknowledged: 1
        case .published: 2
        case .converged: 3
        }
    }
}

/// What every command that declares a control event takes.
struct DeclarationOptions: ParsableArguments {
    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("Why, for people and for the record.", valueName: "text"))
    var reason: String

    @Option(help: ArgumentHelp("The incident.", valueName: "number"))
    var incident: String?

    @Option(
        help: ArgumentHelp(
            "Who declares it, by directory id; may be repeated. Default: the operating system's user.",
            valueName: "person"))
    var by: [String] = []

    @Option(
        help: ArgumentHelp(
            "Names it; the same again is a repeat and changes nothing. Default: made of date and chance.",
            valueName: "id"))
    var id: String?

    @Flag(help: "Do not ask. What takes away is declared first, and what it hits is told afterwards.")
    var yes = false

    @Option(help: "Stay until it has come so far. Default: converged; over the topic published.")
    var wait: WaitLevel?

    @Option(help: ArgumentHelp("Stay no longer than this while nothing moves.", valueName: "seconds"))
    var timeout: Int64 = 30

    @Flag(
        help: "Send it over the control topic instead of to the ledger, for those without access to the database.")
    var viaTopic = false

    @Option(
        name: .customLong("sign-key"),
        help: ArgumentHelp("For --via-topic: sign with this Ed25519 key.", valueName: "file"), completion: .file())
    var signKey: String?

    @Option(
        name: .customLong("event-source"),
        help: ArgumentHelp("The CloudEvents source; with the id it names the event.", valueName: "uri"))
    var eventSource: String = "/clawgrant/cli"

    @Flag(name: .customLong("print"), help: "Print the event, not signed, and declare nothing.")
    var isPrinted = false

    mutating func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw ValidationError("--reason is what people read later: say why")
        }
        guard reason.utf8.count <= 4_096, incident?.utf8.count ?? 0 <= 128 else {
            throw ValidationError("--reason has at most 4096 bytes, --incident at most 128")
        }
        guard id.map({ Self.isName($0) && $0.utf8.count <= 128 }) ?? true else {
            throw ValidationError("--id is a text of 1 to 128 bytes without control characters")
        }
        guard by.allSatisfy(Self.isName) else { throw ValidationError("--by names nobody") }
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout is 1 second to a day") }
        guard viaTopic == (signKey != nil) || isPrinted else {
            throw ValidationError(
                viaTopic
                    ? "--via-topic needs --sign-key: the workers obey signed events only"
                    : "--sign-key goes with --via-topic; the ledger needs no signature")
        }
        guard !viaTopic || wait != .converged else {
            throw ValidationError(
                "over the topic only the answer can be seen; ask `clawgrant stop status` where the database is")
        }
    }

    /// Text that can name somebody or something in a record.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    }

    /// The people who declare it: those named, else whoever is at the keyboard.
    var people: [Actor] {
        (by.isEmpty ? [Self.operatingSystemUser] : by).map { Actor(id: PersonID($0)) }
    }

    /// Whoever is at the keyboard, as the operating system names them.
    static var operatingSystemUser: String { NSUserName() }

    /// A fresh identifier, for example `stop-20261120-5f3c0a9d`.
    static func identifier(_ prefix: String, at now: Timestamp) -> String {
        var random = SystemRandomNumberGenerator()
        let day = now.iso8601.prefix(10).filter { $0 != "-" }
        return "\(prefix)-\(day)-" + Hex.encode((0..<4).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }
}
