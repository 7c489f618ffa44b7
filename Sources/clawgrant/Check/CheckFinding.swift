import ClawWire

/// One thing that `clawgrant check` looked at.
struct CheckFinding: Sendable {
    /// How much it matters.
    enum Severity: String, Sendable {
        /// As it should be.
        case ok
        /// Worth knowing.
        case notice
        /// It works, and something that is relied upon is not so.
        case warning
        /// The worker would not start, or not do its work.
        case error
    }

    let severity: Severity
    /// Part of the system: `configuration`, `rules`, `keys`, `secrets`, `wpc`, `budgets`, `control`, `http`, `siem`,
    /// `broker`, `topics`, `database`, `ledger`.
    let area: String
    /// What was found.
    let finding: String
    /// What to do about it; empty when there is nothing to do.
    let remedy: String

    static func ok(_ area: String, _ finding: String) -> CheckFinding {
        CheckFinding(severity: .ok, area: area, finding: finding, remedy: "")
    }

    static func notice(_ area: String, _ finding: String, _ remedy: String) -> CheckFinding {
        CheckFinding(severity: .notice, area: area, finding: finding, remedy: remedy)
    }

    static func warning(_ area: String, _ finding: String, _ remedy: String) -> CheckFinding {
        CheckFinding(severity: .warning, area: area, finding: finding, remedy: remedy)
    }

    static func error(_ area: String, _ finding: String, _ remedy: String) -> CheckFinding {
        CheckFinding(severity: .error, area: area, finding: finding, remedy: remedy)
    }

    /// For programs.
    var json: JSONValue {
        [
            "severity": .string(severity.rawValue), "area": .string(area), "finding": .string(finding),
            "remedy": remedy.isEmpty ? .null : .string(remedy),
        ]
    }

    /// For people.
    var line: String {
        let mark =
            switch severity {
            case .ok: Console.styled("ok     ", .green)
            case .notice: Console.styled("notice ", .blue)
            case .warning: Console.styled("warning", .yellow)
            case .error: Console.styled("error  ", .red)
            }
        let area = area + String(repeating: " ", count: max(0, 13 - area.count))
        let lines = "\(mark)  \(area)  \(Console.plain(finding))"
        return remedy.isEmpty ? lines : "\(lines)\n\(String(repeating: " ", count: 24))-> \(Console.plain(remedy))"
    }
}
