/// One fault of a configuration: where, what stands there, what was expected.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// Where a setting came from.
    public enum Place: Sendable, Hashable {
        /// The file; line and column count from 1.
        case file(line: Int, column: Int)
        /// An environment variable, by name.
        case environment(String)
    }

    /// Where it stands.
    public let place: Place
    /// The setting, for example `database.conninfo`; empty for faults of the YAML text.
    public let setting: String
    /// What was found; never a secret.
    public let found: String
    /// What was expected, or what to do instead.
    public let expected: String
    /// The known name that was probably meant.
    public let suggestion: String?

    /// One line for people, without the file's name.
    public var description: String {
        let place =
            switch place {
            case .file(let line, let column): "line \(line), column \(column):"
            case .environment(let name): "environment variable \(name):"
            }
        let setting = setting.isEmpty ? "" : " \(setting):"
        let hint = suggestion.map { "; did you mean \"\($0)\"?" } ?? ""
        return "\(place)\(setting) found \(found), expected \(expected)\(hint)"
    }
}

/// Why a configuration was refused: every fault at once, in the order of the file.
public struct ConfigurationFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public let path: String
    /// The faults; never empty.
    public let problems: [ConfigurationProblem]

    /// One line a fault, each with the file's name.
    public var description: String { problems.map { "\(path): \($0)" }.joined(separator: "\n") }

    /// A file does not repair itself.
    public var isRetriable: Bool { false }
}

/// Finds the name that was probably meant.
enum NearestName {
    static func of(_ word: String, among candidates: some Sequence<String>) -> String? {
        let most = max(1, min(3, word.count / 3))
        var best: (distance: Int, word: String)?
        for candidate in candidates.sorted() {
            let distance = distance(Array(word.lowercased().utf8), Array(candidate.lowercased().utf8))
            if distance <= most, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.word
    }

    /// Levenshtein's distance, row by row.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        guard left.count <= 128, right.count <= 128 else { return .max }
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
