import ClawWire
import Primitives

/// Prints the demonstration: with colour and a moving line on a terminal, as plain lines into a pipe, as objects for
/// programs.
public final class DemoPrinter: Sendable {
    /// How it prints.
    public enum Style: Sendable, Hashable {
        /// Colours, and progress on one line.
        case terminal
        /// Plain lines.
        case lines
        /// One object a line.
        case objects
    }

    private let style: Style
    private let write: @Sendable (String) -> Void
    private let progressWidth = Lock(0)

    /// Makes a printer; `write` takes text that may lack a newline at its end.
    public init(_ style: Style, write: @escaping @Sendable (String) -> Void) {
        self.style = style
        self.write = write
    }

    /// Prints an event.
    public func print(_ event: DemoEvent) {
        switch style {
        case .objects:
            if event.kind != .progress { write(JSONWriter.text(event.json) + "\n") }
        case .lines:
            if event.kind != .progress { write(lines(event).map { Self.safe($0) + "\n" }.joined()) }
        case .terminal:
            let cleared = clearProgress()
            if event.kind == .progress {
                progressWidth.withLock { $0 = event.text.count + 4 }
                write(cleared + paint("  … \(Self.safe(event.text))", "2"))
            } else {
                write(cleared + painted(event).map { $0 + "\n" }.joined())
            }
        }
    }

    /// Prints the end.
    public func print(_ summary: DemoSummary) {
        switch style {
        case .objects: write(JSONWriter.text(summary.json) + "\n")
        case .lines, .terminal:
            let text = """

                \(summary.recordsRead) records read: \(summary.issued) tokens issued, \(summary.denied) refused, \
                \(summary.expired) expired, \(summary.quarantined) set aside; \(summary.repeatsSeen) repeats seen and \
                not counted twice
                \(summary.grants) grants and \(summary.receipts) receipts\(Self.heartbeats(summary)) in \(summary.batches) batches, \
                \(summary.kills == 0 ? "" : "\(summary.kills) worker killed, ")checker: \(Self.verdict(summary.checker)), \
                \((summary.seconds * 10).rounded() / 10) s

                """
            write(clearProgress() + (style == .terminal ? paint(text, summary.isPass ? "32" : "31") : text))
        }
    }

    private static func heartbeats(_ summary: DemoSummary) -> String {
        summary.heartbeats == 0 ? "" : " (\(summary.heartbeats) of them heartbeats)"
    }

    private static func verdict(_ checker: JSONValue) -> String {
        checker.string ?? (checker.array ?? []).compactMap(\.string).joined(separator: "; ")
    }

    private func clearProgress() -> String {
        guard style == .terminal else { return "" }
        let width = progressWidth.withLock { width in
            defer { width = 0 }
            return width
        }
        return width == 0 ? "" : "\r\u{1B}[K"
    }

    private func lines(_ event: DemoEvent) -> [String] {
        switch event.kind {
        case .chapter: ["", event.text]
        case .action, .advice: ["  " + event.text] + event.details.map { "      " + $0 }
        case .decision, .deadLetter, .revocation, .control, .finding, .kill, .progress:
            ["    " + event.text] + event.details.map { "      " + $0 }
        }
    }

    private func painted(_ event: DemoEvent) -> [String] {
        let lines = lines(event).map(Self.safe)
        let first = event.kind == .chapter ? 1 : 0
        return lines.enumerated().map { index, line in
            if index > first { return paint(line, "2") }
            guard index == first else { return line }
            return switch (event.kind, event.tone) {
            case (.chapter, _): paint(line, "1")
            case (.kill, _): paint(line, "31")
            case (_, .good): paint(line, "32")
            case (_, .refused): paint(line, "33")
            case (_, .aside): paint(line, "34")
            case (_, .neutral): line
            }
        }
    }

    private func paint(_ text: String, _ code: String) -> String {
        text.isEmpty ? text : "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }

    /// Text from records, harmless to a terminal.
    private static func safe(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }
}
