/// The catalogue of metrics as a part of the documentation.
public enum MetricDocument {
    /// Markdown, a table for each part.
    public static var text: String {
        var output = ""
        for section in MetricDefinition.Section.allCases {
            let rows = MetricCatalogue.all.filter { $0.section == section }.sorted { $0.name < $1.name }
            guard !rows.isEmpty else { continue }
            output += "\n### \(section.rawValue)\n\n| metric | kind | labels | says |\n| --- | --- | --- | --- |\n"
            for row in rows {
                let labels = row.labels.map { "`\($0)`" }.joined(separator: ", ")
                output += "| `\(row.name)` | \(row.kind.word) | \(labels) | \(row.help) |\n"
            }
        }
        return output + "\n"
    }
}
