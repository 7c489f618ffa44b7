import Logging

/// The catalogue of lines as a part of the documentation.
public enum LogDocument {
    /// Markdown, a table for each part.
    public static var text: String {
        var output = ""
        for (part, lines) in LogLine.byPart {
            output += "\n### \(part)\n\n| event | level | line | it means | what to do |\n"
            output += "| --- | --- | --- | --- | --- |\n"
            for line in lines {
                output +=
                    "| `\(line.id)` | \(line.level.rawValue) | \(line.message) | \(line.meaning) | \(line.action) |\n"
            }
        }
        return output + "\n"
    }
}
