public import Logging

/// A kind of line of the log: its name, which never changes, and what whoever reads it is to make of it.
public struct LogLine: Sendable, Hashable {
    /// Part and occasion, such as `decide.held_back`: the field `event` of the line.
    public let id: String
    /// Severity.
    public let level: Logger.Level
    /// The line's text, without anything from outside.
    public let message: String
    /// What it means.
    public let meaning: String
    /// What to do; empty when there is nothing to do.
    public let action: String

    init(_ id: String, _ level: Logger.Level, _ message: String, means meaning: String, do action: String = "") {
        self.id = id
        self.level = level
        self.message = message
        self.meaning = meaning
        self.action = action
    }

    /// The field that holds a line's name.
    public static let field = "event"

    /// The line of a name.
    public static func named(_ id: String) -> LogLine? { byID[id] }

    private static let byID = Dictionary(all.map { ($0.id, $0) }) { first, _ in first }
}

extension Logger {
    /// Writes a line of the catalogue.
    ///
    /// - Parameters:
    ///   - line: which.
    ///   - level: its severity this once, where the same occasion is worse at one time than at another.
    ///   - metadata: the fields of the line; what somebody else wrote goes through `.outside(_:)`.
    public func log(
        _ line: LogLine, at level: Logger.Level? = nil, metadata: @autoclosure () -> Logger.Metadata = [:],
        file: String = #fileID, function: String = #function, number: UInt = #line
    ) {
        let severity = level ?? line.level
        guard severity >= logLevel else { return }
        var fields = metadata()
        fields[LogLine.field] = .string(line.id)
        log(level: severity, "\(line.message)", metadata: fields, file: file, function: function, line: number)
    }
}

extension Logger.MetadataValue {
    /// Longest text from outside that a line shows.
    public static let maximumOutsideLength = 256

    /// A text that somebody else wrote: one line of it, and not more than ``maximumOutsideLength`` characters.
    public static func outside(_ text: some CustomStringConvertible) -> Logger.MetadataValue {
        .string(OutsideText(text.description).description)
    }
}

/// A text that somebody else wrote, made fit to be shown: control and format characters as what they are, and no more of
/// it than anybody reads.
public struct OutsideText: Sendable, Hashable, CustomStringConvertible {
    /// The text, escaped and cut.
    public let description: String

    /// Makes a text fit to be shown.
    public init(_ text: String, atMost limit: Int = Logger.MetadataValue.maximumOutsideLength) {
        var shown = String.UnicodeScalarView()
        var rest = limit
        for scalar in text.unicodeScalars {
            guard rest > 0 else {
                shown.append("…")
                break
            }
            rest -= 1
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            default: shown.append(scalar)
            }
        }
        description = String(shown)
    }
}
