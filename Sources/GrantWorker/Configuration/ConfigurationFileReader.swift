package import ClawWire
import Yams

/// The value of a setting with its place: a YAML node, or the text of an environment variable.
package struct ConfigurationValue {
    enum Content {
        case node(Node)
        case text(String)
    }

    let content: Content
    package let place: ConfigurationProblem.Place
    package let setting: String

    init(_ node: Node, setting: String) {
        content = .node(node)
        place = .file(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        self.setting = setting
    }

    init(variable name: String, _ text: String, setting: String) {
        content = .text(text)
        place = .environment(name)
        self.setting = setting
    }

    /// The text of a scalar; nil for mappings, lists and nothing.
    package var scalar: String? {
        switch content {
        case .text(let text): text
        case .node(.scalar(let scalar)): isNull ? nil : scalar.string
        case .node(.mapping), .node(.sequence), .node(.alias): nil
        }
    }

    var isNull: Bool {
        guard case .node(.scalar(let scalar)) = content else { return false }
        return scalar.style == .plain && ["", "null", "~", "Null", "NULL"].contains(scalar.string)
    }

    var shown: String {
        switch content {
        case .text(let text): "\"\(text.prefix(80))\""
        case .node(.scalar(let scalar)): isNull ? "nothing" : "\"\(scalar.string.prefix(80))\""
        case .node(.mapping): "a mapping"
        case .node(.sequence): "a list"
        case .node(.alias): "an alias"
        }
    }
}

/// Reads settings from YAML nodes with environment variables laid over them, collecting every fault instead of stopping
/// at the first.
package struct ConfigurationReader {
    private(set) var problems: [ConfigurationProblem] = []
    private let environment: [String: String]
    private var variables: Set<String> = []
    private var openPrefixes: [String] = []
    /// What was asked so far; `nil` where nobody wants to know.
    var record: SettingRecord?

    static let prefix = "CLAWGRANT_"

    init(environment: [String: String]) { self.environment = environment }

    package mutating func report(
        _ place: ConfigurationProblem.Place, _ setting: String, found: String, expected: String,
        suggestion: String? = nil
    ) {
        problems.append(
            ConfigurationProblem(
                place: place, setting: setting, found: found, expected: expected, suggestion: suggestion))
    }

    package mutating func report(_ value: ConfigurationValue, found: String? = nil, expected: String) {
        report(value.place, value.setting, found: found ?? value.shown, expected: expected)
    }

    // MARK: Mappings

    /// The members of a mapping whose keys are fixed. Those in `variables` may be set from the environment too.
    package mutating func members(
        _ value: ConfigurationValue?, of section: String, variables: [String], others: [String] = []
    ) -> [String: ConfigurationValue] {
        let known = variables + others
        record?.add(known, of: section)
        var found: [String: ConfigurationValue] = [:]
        for (key, place, member) in entries(value) {
            guard known.contains(key) else {
                report(
                    place, member.setting, found: "the key \"\(key.prefix(80))\"",
                    expected: "one of " + known.joined(separator: ", "),
                    suggestion: NearestName.of(key, among: known))
                continue
            }
            if !member.isNull { found[key] = member }
        }
        for key in variables {
            let setting = section.isEmpty ? key : "\(section).\(key)"
            let name = Self.variable(setting)
            self.variables.insert(name)
            record?.add(variable: name, of: setting)
            if let text = environment[name] {
                found[key] = ConfigurationValue(variable: name, text, setting: setting)
            }
        }
        return found
    }

    /// The members of a mapping whose keys are names, those from the environment last: a variable's name gives the key
    /// in small letters with dots for underscores, unless the file spells a key that reads the same.
    package mutating func named(
        _ value: ConfigurationValue?, of section: String
    ) -> [(name: String, value: ConfigurationValue)] {
        var found: [(name: String, value: ConfigurationValue)] = entries(value).map { ($0.key, $0.value) }
        let prefix = Self.variable(section) + "_"
        openPrefixes.append(prefix)
        record?.add(openMapping: section, prefix: prefix)
        for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix(prefix) {
            let suffix = String(variable.dropFirst(prefix.count))
            let position = found.firstIndex { Self.variable("\(section).\($0.name)") == variable }
            let name = position.map { found[$0].name } ?? suffix.lowercased().replacing("_", with: ".")
            let value = ConfigurationValue(variable: variable, text, setting: "\(section).\(name)")
            if let position { found[position].value = value } else { found.append((name, value)) }
        }
        return found
    }

    private mutating func entries(
        _ value: ConfigurationValue?
    ) -> [(key: String, place: ConfigurationProblem.Place, value: ConfigurationValue)] {
        guard let value, !value.isNull else { return [] }
        guard case .node(.mapping(let mapping)) = value.content else {
            report(value, expected: "a mapping")
            return []
        }
        var entries: [(key: String, place: ConfigurationProblem.Place, value: ConfigurationValue)] = []
        for (key, node) in mapping {
            let place = ConfigurationValue(key, setting: value.setting).place
            guard case .scalar(let scalar) = key, !scalar.string.isEmpty else {
                report(place, value.setting, found: "a key that is no name", expected: "a name")
                continue
            }
            let setting = value.setting.isEmpty ? scalar.string : "\(value.setting).\(scalar.string)"
            entries.append((scalar.string, place, ConfigurationValue(node, setting: setting)))
        }
        return entries
    }

    package mutating func elements(_ value: ConfigurationValue?) -> [ConfigurationValue] {
        guard let value, !value.isNull else { return [] }
        guard case .node(.sequence(let sequence)) = value.content else {
            report(value, expected: "a list")
            return []
        }
        return sequence.enumerated().map { ConfigurationValue($1, setting: "\(value.setting)[\($0)]") }
    }

    // MARK: Scalars

    package mutating func text(_ value: ConfigurationValue?, expected: String = "text") -> String? {
        guard let value else { return nil }
        record?.add(.text, of: value.setting)
        guard let text = value.scalar, !text.isEmpty else {
            report(value, expected: expected)
            return nil
        }
        return text
    }

    package mutating func bool(_ value: ConfigurationValue?, default fallback: Bool) -> Bool {
        guard let value else { return fallback }
        record?.add(.truth(fallback: fallback), of: value.setting)
        guard let text = value.scalar, let bool = Bool(text) else {
            report(value, expected: "true or false")
            return fallback
        }
        return bool
    }

    package mutating func count(
        _ value: ConfigurationValue?, in range: ClosedRange<Int>, default fallback: Int
    ) -> Int {
        guard let value else { return fallback }
        record?.add(.count(range, fallback: fallback), of: value.setting)
        guard let text = value.scalar, let number = Int(text), range.contains(number) else {
            report(value, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return number
    }

    package mutating func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ value: ConfigurationValue?, _ type: Choice.Type
    ) -> Choice? {
        guard let value else { return nil }
        let known = Choice.allCases.map(\.rawValue)
        record?.add(.choice(known), of: value.setting)
        guard let text = value.scalar, let choice = Choice(rawValue: text) else {
            report(
                value.place, value.setting, found: value.shown, expected: "one of " + known.joined(separator: ", "),
                suggestion: value.scalar.flatMap { NearestName.of($0, among: known) })
            return nil
        }
        return choice
    }

    package mutating func timestamp(_ value: ConfigurationValue?) -> Timestamp? {
        guard let value else { return nil }
        record?.add(.time, of: value.setting)
        guard let text = value.scalar, let timestamp = Timestamp(rfc3339: text) else {
            report(value, expected: "a time such as 2026-11-20T09:00:00Z")
            return nil
        }
        return timestamp
    }

    // MARK: The environment

    /// The variable that overrides a setting: `database.pool_size` is `CLAWGRANT_DATABASE_POOL_SIZE`.
    static func variable(_ setting: String) -> String {
        prefix + setting.uppercased().replacing(".", with: "_")
    }

    /// Reports variables that begin like a section's and name no setting: a misspelt override must not pass in silence.
    package mutating func reportUnknownVariables(sections: [String]) {
        let prefixes = sections.map { Self.variable($0) + "_" }
        for name in environment.keys.sorted() {
            guard prefixes.contains(where: name.hasPrefix), !variables.contains(name),
                !openPrefixes.contains(where: name.hasPrefix), !Self.isServiceLink(name)
            else { continue }
            report(
                .environment(name), "", found: "no setting of that name",
                expected: "a setting of docs/configuration.md",
                suggestion: NearestName.of(name, among: variables))
        }
    }

    /// Kubernetes announces every service of a namespace to each container in variables of these forms.
    private static func isServiceLink(_ name: String) -> Bool {
        name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.hasSuffix("_PORT")
            || name.contains("_PORT_")
    }
}
