/// One fault of a rules file: where, what stands there, what was expected.
public struct RulesProblem: Sendable, Hashable, CustomStringConvertible {
    /// Line, from 1.
    public let line: Int
    /// Column, from 1.
    public let column: Int
    /// Path of the setting, for example `job_classes.prod_deploy.max_ttl`; empty for faults of the YAML text.
    public let path: String
    /// What was found.
    public let found: String
    /// What was expected.
    public let expected: String
    /// The known key or name that was probably meant.
    public let suggestion: String?

    /// One line for people.
    public var description: String {
        let place = path.isEmpty ? "" : " \(path):"
        let hint = suggestion.map { "; did you mean \"\($0)\"?" } ?? ""
        return "line \(line), column \(column):\(place) found \(found), expected \(expected)\(hint)"
    }
}

/// Why a rules file was refused: every fault at once, in the order of the file.
public struct RulesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The faults; never empty.
    public let problems: [RulesProblem]

    /// One line a fault.
    public var description: String { problems.map(\.description).joined(separator: "\n") }

    /// A file does not repair itself.
    public var isRetriable: Bool { false }
}

/// Finds the name that was probably meant.
enum Spelling {
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let most = max(1, min(3, word.count / 3))
        var best: (distance: Int, word: String)?
        for candidate in candidates.sorted() {
            let distance = distance(Array(word.lowercased().utf8), Array(candidate.lowercased().utf8))
            if distance <= most, distance < best?.distance ?? .max { best = (distance, candidate) }
        }
        return best?.word
    }

    /// Levenshtein's distance.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        guard left.count <= 128, right.count <= 128 else { return .max }
        var row = Array(0...right.count)
        for i in 0..<left.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<right.count {
                let substituted = diagonal + (left[i] == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
