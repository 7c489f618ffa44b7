import ClawWire
import Foundation
import GrantWorker
import Logging
import Metrics
import Observability
import SecurityEvents

/// Writes each event as one line to standard error, for people or as JSON, with tokens taken out and line breaks shown
/// as what they are, so that text from outside cannot forge a line.
struct LineLogHandler: LogHandler {
    /// The name of a line that a library wrote.
    static let unlisted = "library"
    /// Most characters of a field that are shown.
    static let maximumFieldLength = 4_096

    let format: LogSettings.Format
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let write: @Sendable (String) -> Void

    init(_ settings: LogSettings, write: @escaping @Sendable (String) -> Void = { Console.error($0) }) {
        format = settings.format
        logLevel = settings.level
        self.write = write
        LogCounters.prepare()
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        let name = all.removeValue(forKey: LogLine.field).map { "\($0)" } ?? Self.unlisted
        if event.level >= .warning { LogCounters.count(name, event.level) }
        let fields = all.sorted { $0.key < $1.key }.map { ($0.key, Self.bounded(TokenMask.masked("\($0.value)"))) }
        let message = Self.bounded(TokenMask.masked("\(event.message)"))
        let time = Clock.now.iso8601
        switch format {
        case .text:
            let level = event.level.rawValue.uppercased()
            let padding = String(repeating: " ", count: max(0, 8 - level.count))
            let tail = ([(LogLine.field, name)] + fields).map { " \(Console.plain($0.0))=\(Self.shown($0.1))" }.joined()
            write("\(time) \(level)\(padding) \(Console.plain(message))\(tail)")
        case .json:
            var line: JSONObject = [
                "time": .string(time), "level": .string(event.level.rawValue), "event": .string(name),
                "message": .string(message),
            ]
            for (key, value) in fields { line[line.contains(key) ? "\(key)_" : key] = .string(value) }
            write(JSONWriter.text(.object(line)))
        }
    }

    private static func bounded(_ text: String) -> String {
        text.utf8.count <= maximumFieldLength ? text : "\(text.prefix(maximumFieldLength))…"
    }

    /// A value as it stands behind its key: quoted where a space or quote would make it ambiguous.
    private static func shown(_ value: String) -> String {
        let plain = Console.plain(value)
        guard plain.isEmpty || plain.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return plain }
        return "\"" + plain.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// How often lines of some weight were written, so that an alert can rest on one.
private enum LogCounters {
    private struct Line: Hashable, Sendable {
        let event: String
        let level: Logger.Level
    }

    /// The worst are shown as 0 from the beginning, so that their first occurrence is an increase.
    private static let counters = LabelledCounters<Line>(
        label: "clawgrant_log_events_total",
        known: LogLine.all.filter { $0.level >= .error }.map { Line(event: $0.id, level: $0.level) },
        factory: MetricsSystem.factory
    ) { [("event", $0.event), ("level", $0.level.rawValue)] }

    /// Makes the counters of the worst lines.
    static func prepare() { _ = counters }

    /// Names that the catalogue does not have are counted together.
    static func count(_ name: String, _ level: Logger.Level) {
        counters[Line(event: LogLine.named(name) == nil ? LineLogHandler.unlisted : name, level: level)].increment()
    }
}
