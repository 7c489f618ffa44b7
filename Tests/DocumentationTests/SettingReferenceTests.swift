import Foundation
import GrantWorker
import Testing

/// The reference of settings is what the loader takes, in the catalogue's words.
struct SettingReferenceTests {
    /// What the loader asks, with the places of the catalogue: no numbers in brackets, names for free keys.
    struct Asked {
        var keys: [String: Set<String>] = [:]
        var variables: [String: String] = [:]
        var openMappings: [String: String] = [:]
        var forms: [String: SettingRecord.Form] = [:]

        init() throws {
            let room = try ConfigurationRoom()
            defer { room.close() }
            for sample in ConfigurationSamples.all {
                let record = try ConfigurationFile.settings(askedOf: sample, path: room.path("clawgrant.yaml"))
                for (place, names) in record.keys { keys[Self.general(place), default: []].formUnion(names) }
                for (setting, form) in record.forms { forms[Self.general(setting)] = form }
                variables.merge(record.variables) { one, _ in one }
                openMappings.merge(record.openMappings.map { (Self.general($0.key), $0.value) }) { one, _ in one }
            }
        }

        private static let kinds = SecurityEventSettings.KindName.allCases.map(\.rawValue)

        /// The sample has one sink of each kind, in the order of the kinds.
        static func general(_ place: String) -> String {
            var text = place
            for (index, kind) in kinds.enumerated() {
                text = text.replacing("security_events.sinks[\(index)]", with: "security_events.sinks[\(kind)]")
            }
            text = text.replacing(/\[\d+\]/, with: "[]")
            return text.replacing(/^http\.callers\.[a-z]+/, with: "http.callers.NAME")
        }
    }

    private static let everySink = "security_events.sinks[]"

    /// The kinds that a section of the catalogue speaks of.
    private static func places(_ section: SettingSection) -> [String] {
        guard section.path == everySink else { return [section.path] }
        return SecurityEventSettings.KindName.allCases.map { "security_events.sinks[\($0.rawValue)]" }
    }

    private static func setting(_ place: String, _ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    @Test func everySettingIsDescribed() throws {
        let asked = try Asked()
        var described: [String: Set<String>] = [:]
        for section in SettingCatalogue.all {
            for place in Self.places(section) {
                described[place, default: []].formUnion(section.settings.map(\.name))
            }
        }
        let places = Set(described.keys)
        for (place, names) in asked.keys {
            for name in names.subtracting(described[place] ?? []) {
                let setting = Self.setting(place, name)
                // A mapping or a list of mappings is described by a section of its own.
                let isSection = places.contains {
                    $0.hasPrefix(setting) && $0.dropFirst(setting.count).first.map { ".[".contains($0) } ?? true
                }
                #expect(isSection, "\(setting) is taken by the loader and missing in SettingCatalogue")
            }
        }
        for (place, names) in described {
            for name in names.subtracting(asked.keys[place] ?? []) {
                Issue.record("\(Self.setting(place, name)) is in SettingCatalogue, and no loader takes it")
            }
        }
    }

    /// The samples give every number a value, or else the reference could not say its range.
    @Test func everyNumberHasItsRange() throws {
        let asked = try Asked()
        for section in SettingCatalogue.all {
            for row in section.settings {
                let forms = Self.places(section).map { asked.forms[Self.setting($0, row.name)] }
                let setting = Self.setting(section.path, row.name)
                let isNumber = ["_ms", "_s", "_bytes", "_days", "_per_mille"].contains { row.name.hasSuffix($0) }
                for form in forms {
                    switch form {
                    case .count: break
                    case .truth: #expect(row.fallback != .nothing, "\(setting) has a default")
                    case .choice, .time, .text, nil:
                        #expect(!isNumber, "no sample gives \(setting) a value")
                        #expect(row.fallback != .measured, "\(setting) has no default that can be measured")
                    }
                }
                #expect(!row.meaning.isEmpty && row.meaning.last.map { ".`".contains($0) } == true, "\(setting)")
            }
        }
    }

    @Test func theReferenceIsTheCatalogue() throws {
        let asked = try Asked()
        var output = ""
        for section in SettingCatalogue.all {
            let title = section.path.isEmpty ? "Top level" : "`\(section.path)`"
            output += "\n## \(title)\n\n\(section.about)\n\n"
            if let prefix = asked.openMappings[section.path] { output += "Variables: `\(prefix)…`.\n\n" }
            output += "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n"
            for row in section.settings {
                let settings = Self.places(section).map { Self.setting($0, row.name) }
                let variable =
                    asked.variables[settings[0]].map { "<br>`\($0)`" }
                    ?? asked.openMappings[settings[0]].map { "<br>`\($0)…`" } ?? ""
                output +=
                    "| `\(row.name)`\(variable) | \(Self.value(row.name, settings, asked)) | "
                    + "\(Self.fallback(row, settings, asked)) | \(row.meaning.replacing("|", with: "\\|")) |\n"
            }
        }
        #expect(try Tree.isGenerated("docs/reference/configuration.md", output + "\n"))
    }

    // MARK: Words

    private static func number(_ number: Int) -> String {
        let digits = String(number)
        guard digits.count > 4 else { return digits }
        var groups: [Substring] = []
        var rest = digits[...]
        while !rest.isEmpty {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        return groups.joined(separator: " ")
    }

    private static func unit(_ name: String) -> String {
        for (suffix, unit) in [
            ("_per_s", "a second"), ("_ms", "milliseconds"), ("_s", "seconds"), ("_bytes", "bytes"), ("_days", "days"),
            ("_per_mille", "thousandths"),
        ] where name.hasSuffix(suffix) { return " \(unit)" }
        return ""
    }

    private static func value(_ name: String, _ settings: [String], _ asked: Asked) -> String {
        var words: [String] = []
        for setting in settings {
            let word =
                switch asked.forms[setting] {
                case .count(let range, _): "\(number(range.lowerBound))–\(number(range.upperBound))\(unit(name))"
                case .truth: "`true` or `false`"
                case .choice(let choices): choices.map { "`\($0)`" }.joined(separator: ", ")
                case .time: "time, RFC 3339"
                case .text, nil: asked.openMappings[setting] != nil ? "mapping" : text(name, setting, asked)
                }
            if !words.contains(word) { words.append(word) }
        }
        return words.joined(separator: "; ")
    }

    private static func text(_ name: String, _ setting: String, _ asked: Asked) -> String {
        if asked.keys[setting] != nil { return "mapping" }
        if asked.forms["\(setting)[]"] != nil || asked.keys["\(setting)[]"] != nil { return "list" }
        if name.hasSuffix("_file") || ["file", "path", "textfile", "module", "directory", "rules"].contains(name) {
            return "path"
        }
        if name.hasSuffix("url")
            || ["endpoint", "issuer", "address", "authority", "uri_base", "token_endpoint"].contains(name)
        {
            return "address"
        }
        return setting.hasPrefix("topics.") || name == "topic" ? "topic" : "text"
    }

    private static func fallback(_ row: DescribedSetting, _ settings: [String], _ asked: Asked) -> String {
        switch row.fallback {
        case .required: return "required"
        case .nothing: return "none"
        case .text(let words): return words
        case .measured:
            let values = settings.map { setting -> (place: String, value: String) in
                let value =
                    switch asked.forms[setting] {
                    case .count(_, let fallback): number(fallback)
                    case .truth(let fallback): "`\(fallback)`"
                    case .choice, .time, .text, nil: "?"
                    }
                return (setting.split(separator: "[").last?.split(separator: "]").first.map(String.init) ?? "", value)
            }
            let usual = Dictionary(grouping: values, by: \.value).max { $0.value.count < $1.value.count }?.key ?? ""
            let others = values.filter { $0.value != usual }.map { "`\($0.place)` \($0.value)" }
            return ([usual] + (others.isEmpty ? [] : [others.joined(separator: ", ")])).joined(separator: "; ")
        }
    }
}

/// A directory with the files of secrets that samples name, removed at the end.
struct ConfigurationRoom {
    let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "clawgrant-documents-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for name in ["sasl", "database", "collector"] { try writeSecret("secrets/\(name)") }
    }

    func close() { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// The one form that is looked into is a connection string's.
    func writeSecret(_ name: String) throws {
        let url = URL(fileURLWithPath: path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data("Endpoint=sb://harborline.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k\n".utf8)
            .write(to: url)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: url.path)
    }
}
