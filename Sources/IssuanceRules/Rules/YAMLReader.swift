import ClawWire
import Yams

/// A YAML value with its place in the file and its path in the rules.
struct YAMLValue {
    let node: Node
    let path: String

    func child(_ node: Node, _ key: String) -> YAMLValue {
        YAMLValue(node: node, path: path.isEmpty ? key : "\(path).\(key)")
    }
}

/// Reads YAML values as what the rules expect, collecting every fault with its place instead of stopping at the first.
struct YAMLReader {
    private(set) var problems: [RulesProblem] = []

    mutating func report(_ value: YAMLValue, found: String? = nil, expected: String, suggestion: String? = nil) {
        let mark = value.node.mark
        problems.append(
            RulesProblem(
                line: mark?.line ?? 1, column: mark?.column ?? 1, path: value.path,
                found: found ?? Self.describe(value.node), expected: expected, suggestion: suggestion))
    }

    static func describe(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar): isNull(scalar) ? "nothing" : "\"\(scalar.string.prefix(80))\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "null", "~", "Null", "NULL"].contains(scalar.string)
    }

    static func isNull(_ value: YAMLValue) -> Bool {
        if case .scalar(let scalar) = value.node { isNull(scalar) } else { false }
    }

    /// The members of a mapping whose keys are fixed.
    mutating func members(_ value: YAMLValue, _ keys: RulesKeys) -> [String: YAMLValue] {
        var found: [String: YAMLValue] = [:]
        for (key, place, member) in placedEntries(value) {
            guard keys.keys.contains(key) else {
                report(
                    place, found: "the key \"\(key.prefix(80))\"",
                    expected: "one of " + keys.keys.joined(separator: ", "),
                    suggestion: Spelling.nearest(to: key, among: keys.keys))
                continue
            }
            if !Self.isNull(member) { found[key] = member }
        }
        return found
    }

    /// The members of a mapping whose keys are names, in the order of the file.
    mutating func entries(_ value: YAMLValue?) -> [(String, YAMLValue)] {
        value.map { placedEntries($0).map { ($0.key, $0.value) } } ?? []
    }

    private mutating func placedEntries(_ value: YAMLValue) -> [(key: String, place: YAMLValue, value: YAMLValue)] {
        guard case .mapping(let mapping) = value.node else {
            report(value, expected: "a mapping")
            return []
        }
        var entries: [(key: String, place: YAMLValue, value: YAMLValue)] = []
        for (key, node) in mapping {
            guard case .scalar(let scalar) = key, !scalar.string.isEmpty else {
                report(value.child(key, "?"), expected: "a name")
                continue
            }
            entries.append((scalar.string, value.child(key, scalar.string), value.child(node, scalar.string)))
        }
        return entries
    }

    mutating func elements(_ value: YAMLValue?) -> [YAMLValue] {
        guard let value else { return [] }
        guard case .sequence(let sequence) = value.node else {
            report(value, expected: "a list")
            return []
        }
        return sequence.enumerated().map { YAMLValue(node: $1, path: "\(value.path)[\($0)]") }
    }

    mutating func text(_ value: YAMLValue?, expected: String = "text") -> String? {
        guard let value else { return nil }
        guard case .scalar(let scalar) = value.node, !Self.isNull(scalar), !scalar.string.isEmpty else {
            report(value, expected: expected)
            return nil
        }
        return scalar.string
    }

    mutating func texts(_ value: YAMLValue?, expected: String = "text") -> [String] {
        var texts: [String] = []
        for element in elements(value) {
            if let text = text(element, expected: expected) { texts.append(text) }
        }
        return texts
    }

    /// People by their identifiers, each once, in the form in which they are compared.
    mutating func people(_ value: YAMLValue?) -> Set<PersonID> {
        Set(texts(value, expected: "a person's identifier").map { PersonID(folding: $0) })
    }

    mutating func bool(_ value: YAMLValue?, default fallback: Bool) -> Bool {
        guard let value else { return fallback }
        guard case .scalar(let scalar) = value.node, scalar.style == .plain, let bool = Bool(scalar.string) else {
            report(value, expected: "true or false")
            return fallback
        }
        return bool
    }

    mutating func count(_ value: YAMLValue?, in range: ClosedRange<Int>, default fallback: Int) -> Int {
        guard let value else { return fallback }
        guard case .scalar(let scalar) = value.node, let number = Int(scalar.string), range.contains(number) else {
            report(value, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return number
    }

    /// A duration in whole seconds: `90s`, `15m`, `1h`, `7d`, or a number of seconds.
    mutating func duration(_ value: YAMLValue?) -> Int64? {
        guard let value else { return nil }
        guard case .scalar(let scalar) = value.node, let seconds = Self.seconds(scalar.string) else {
            report(value, expected: "a duration such as 90s, 15m, 1h or 7d")
            return nil
        }
        return seconds
    }

    static func seconds(_ text: String) -> Int64? {
        var digits = text[...]
        var unit: Int64 = 1
        switch text.utf8.last {
        case UInt8(ascii: "s"): digits = digits.dropLast()
        case UInt8(ascii: "m"): (digits, unit) = (digits.dropLast(), 60)
        case UInt8(ascii: "h"): (digits, unit) = (digits.dropLast(), 3_600)
        case UInt8(ascii: "d"): (digits, unit) = (digits.dropLast(), 86_400)
        default: break
        }
        // Ten years are more than any of these settings can mean.
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int64(digits), number > 0,
            number <= 315_360_000 / unit
        else { return nil }
        return number * unit
    }

    mutating func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ value: YAMLValue?, _ type: Choice.Type
    ) -> Choice? {
        guard let value else { return nil }
        let known = Choice.allCases.map(\.rawValue)
        let text: String? = if case .scalar(let scalar) = value.node { scalar.string } else { nil }
        guard let text, let choice = Choice(rawValue: text) else {
            report(
                value, expected: "one of " + known.joined(separator: ", "),
                suggestion: text.flatMap { Spelling.nearest(to: $0, among: known) })
            return nil
        }
        return choice
    }

    /// A name that must be one of those declared elsewhere in the file.
    mutating func name(_ value: YAMLValue?, among known: Set<String>, what: String) -> String? {
        guard let value, let text = text(value, expected: what) else { return nil }
        guard known.contains(text) else {
            report(
                value,
                expected: known.isEmpty
                    ? "\(what); none is declared" : "\(what): " + known.sorted().joined(separator: ", "),
                suggestion: Spelling.nearest(to: text, among: known))
            return nil
        }
        return text
    }

    mutating func key(_ value: YAMLValue?) -> Ed25519PublicKey? {
        guard let value, let text = text(value, expected: "a did:key") else { return nil }
        guard let key = Ed25519PublicKey(did: text) else {
            report(value, expected: "a did:key of an Ed25519 key (did:key:z6Mk…)")
            return nil
        }
        return key
    }
}
