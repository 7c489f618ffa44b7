import ClawWire
import Foundation
import GrantWorker
import Logging
import SecurityEvents

/// Writes each event as one line to standard error, for people or as JSON, with tokens taken out and line breaks shown
/// as what they are, so that text from outside cannot forge a line.
struct LineLogHandler: LogHandler {
    let format: LogSettings.Format
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let write: @Sendable (String) -> Void

    init(_ settings: LogSettings, write: @escaping @Sendable (String) -> Void = { Console.error($0) }) {
        format = settings.format
        logLevel = settings.level
        self.write = write
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
        let fields = all.sorted { $0.key < $1.key }.map { ($0.key, TokenMask.masked("\($0.value)")) }
        let message = TokenMask.masked("\(event.message)")
        let time = Clock.now.iso8601
        switch format {
        case .text:
            let level = event.level.rawValue.uppercased()
            let padding = String(repeating: " ", count: max(0, 8 - level.count))
            let tail = fields.map { " \($0.0)=\(Self.shown($0.1))" }.joined()
            write("\(time) \(level)\(padding) \(Console.plain(message))\(tail)")
        case .json:
            var line: JSONObject = [
                "time": .string(time), "level": .string(event.level.rawValue), "message": .string(message),
            ]
            for (key, value) in fields { line[line.contains(key) ? "\(key)_" : key] = .string(value) }
            write(JSONWriter.text(.object(line)))
        }
    }

    /// A value as it stands behind its key: quoted where a space or quote would make it ambiguous.
    private static func shown(_ value: String) -> String {
        let plain = Console.plain(value)
        guard plain.isEmpty || plain.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return plain }
        return "\"" + plain.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
