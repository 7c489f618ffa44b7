import ApprovalSources
import ClawWire
import Foundation
import GrantWorker
import IssuanceRules
import ReceiptLog
import Testing
import Yams

/// The reference of topics and records: `topics/asyncapi.yaml`, and the words of the code's closed sets.
struct EventReferenceTests {
    @Test func theReferenceIsTheDocumentAndTheCode() throws {
        let text = try Tree.text("topics/asyncapi.yaml")
        let loaded = try Yams.load(yaml: text) as? [String: Any]
        let composed = try Yams.compose(yaml: text)
        let (document, root) = (try #require(loaded), try #require(composed))
        let components = document["components"] as? [String: Any]
        let messages = try #require(components?["messages"] as? [String: [String: Any]])
        let channels = try #require(document["channels"] as? [String: [String: Any]])
        var output = ""
        for (key, _) in try #require(root["channels"]?.mapping) {
            let name = try #require(key.string)
            let channel = try #require(channels[name])
            output += try Self.topic(channel, messages, in: root, named: name)
        }
        output += "\n# Words on the topics\n\nClosed sets of the code, as they stand in records.\n"
        for set in try WordSet.all() { output += set.table }
        #expect(try Tree.isGenerated("docs/reference/events.md", output + "\n"))
    }

    private static func topic(
        _ channel: [String: Any], _ messages: [String: [String: Any]], in root: Node, named name: String
    ) throws -> String {
        let address = try #require(channel["address"] as? String ?? channel["title"] as? String)
        var output = "\n## `\(address)`\n\n\(sentence(channel["summary"]))"
        if let more = channel["description"] as? String { output += " \(more)" }
        output += "\n\n| | |\n| --- | --- |\n"
        if let place = channel["x-configured-by"] as? String { output += "| named by | \(place) |\n" }
        if let key = channel["x-key"] as? String { output += "| key | \(key) |\n" }
        let kafka = (channel["bindings"] as? [String: [String: Any]])?["kafka"]
        if let partitions = kafka?["partitions"] as? Int {
            let isFixed = channel["x-partitions-fixed"] as? Bool == true
            output += "| partitions | \(partitions)\(isFixed ? ", a part of the contract" : "") |\n"
        }
        if let settings = kafka?["topicConfiguration"] as? [String: Any] {
            let words = settings.sorted { $0.key < $1.key }.map { key, value in
                let text = (value as? [Any])?.map { "\($0)" }.joined(separator: ",") ?? "\(value)"
                return "`\(key)=\(text)`"
            }
            output += "| settings | \(words.joined(separator: ", ")) |\n"
        }
        if let access = root["channels"]?[name]?["x-access"]?.mapping {
            let words = access.map { role, rights in
                "\(role.string ?? "") \(rights.sequence?.compactMap(\.string).joined(separator: ", ") ?? "")"
            }
            output += "| access | \(words.joined(separator: "; ")) |\n"
        }
        for (key, _) in try #require(root["channels"]?[name]?["messages"]?.mapping) {
            let name = try #require(key.string)
            let found = try #require(messages[name], "the message \(name) is not there")
            output += try message(found)
        }
        return output
    }

    private static func message(_ message: [String: Any]) throws -> String {
        let title = try #require(message["title"] as? String)
        let type = try #require(message["name"] as? String)
        var output = "\n### \(title)\n\n"
        if let summary = message["summary"] as? String { output += "\(sentence(summary)) " }
        let schema = (message["payload"] as? [String: Any])?["schema"] as? [String: Any]
        let reference = (schema?["$ref"] as? String).map { String($0.split(separator: "#")[0].dropFirst(2)) }
        let link = reference.map { "schema [\($0.split(separator: "/").last ?? "")](../../topics/\($0))" }
        output += "Type `\(type)`; \(link ?? (schema == nil ? "no value" : "schema in the AsyncAPI document")).\n"
        for example in (message["examples"] as? [[String: Any]]) ?? [] {
            guard let payload = example["payload"], !(payload is NSNull) else { continue }
            output += "\n<details><summary>an example</summary>\n\n```\(payload is String ? "text" : "json")\n"
            output += "\(try text(payload))\n```\n\n</details>\n"
            break
        }
        return output
    }

    private static func text(_ payload: Any) throws -> String {
        if let text = payload as? String { return text }
        let data = try JSONSerialization.data(
            withJSONObject: plain(payload), options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data, as: UTF8.self).replacing(" : ", with: ": ")
    }

    /// YAML has times where JSON has texts.
    private static func plain(_ value: Any) -> Any {
        switch value {
        case let mapping as [String: Any]: mapping.mapValues(plain)
        case let list as [Any]: list.map(plain)
        case let date as Date: date.formatted(.iso8601)
        default: value
        }
    }

    private static func sentence(_ value: Any?) -> String {
        guard let text = value as? String, let last = text.last else { return "" }
        return last == "." ? text : "\(text)."
    }
}

/// An enumeration of the code with the comments above its cases, which are their documentation.
struct WordSet {
    let title: String
    let rows: [(word: String, meaning: String)]

    /// - Parameters:
    ///   - words: the cases' texts, from the code that runs; the source must have a comment for each.
    init(_ title: String, _ words: [String], in path: String, after declaration: String) throws {
        self.title = title
        let source = try Tree.text("Sources/\(path)")
        let start = try #require(source.range(of: declaration), "\(path) declares no \(declaration)")
        var comment: [String] = []
        var found: [String: String] = [:]
        for line in source[start.upperBound...].split(separator: "\n") {
            let text = line.trimmingCharacters(in: .whitespaces)
            if text.hasPrefix("///") {
                comment.append(text.dropFirst(3).trimmingCharacters(in: .whitespaces))
            } else if let match = text.firstMatch(of: /^case `?(\w+)`?(?:\(.*\))?(?: = "([^"]+)")?$/) {
                found[String(match.2 ?? match.1)] = comment.joined(separator: " ").replacing("``", with: "`")
                    .replacing("(_:)", with: "")
                comment = []
            } else {
                comment = []
                if words.allSatisfy({ found[$0] != nil }) { break }
            }
        }
        rows = try words.map { word in
            (word, try #require(found[word] ?? found[Self.camel(word)], "\(path): the case \(word) has no comment"))
        }
    }

    private static func camel(_ word: String) -> String {
        let parts = word.split(separator: "-")
        return (parts.prefix(1).map(String.init) + parts.dropFirst().map(\.capitalized)).joined()
    }

    var table: String {
        "\n## \(title)\n\n| word | meaning |\n| --- | --- |\n"
            + rows.map { "| `\($0.word)` | \($0.meaning.replacing("|", with: "\\|")) |\n" }.joined()
    }

    static func all() throws -> [WordSet] {
        [
            try WordSet(
                "Kinds of receipts", Receipt.Kind.allCases.map(\.rawValue),
                in: "ReceiptLog/Receipts/ReceiptContent.swift",
                after: "public enum Kind:"),
            try WordSet(
                "Outcomes of decisions", DecisionRecord.Outcome.allCases.map(\.rawValue),
                in: "ReceiptLog/Effects/DecisionRecord.swift", after: "public enum Outcome:"),
            try WordSet(
                "Causes of revocations", RevocationCause.allCases.map(\.rawValue),
                in: "ReceiptLog/Receipts/ReceiptParts.swift", after: "public enum RevocationCause:"),
            try WordSet(
                "Operations of control events", ControlOperation.Kind.allCases.map(\.rawValue),
                in: "IssuanceRules/Control/ControlOperation.swift", after: "public enum ControlOperation:"),
            try WordSet(
                "Refusals of control events", ControlRefusal.allCases.map(\.rawValue),
                in: "IssuanceRules/Control/ControlOutcome.swift", after: "public enum ControlRefusal:"),
            try WordSet(
                "Findings about use", UsageFinding.Code.allCases.map(\.rawValue),
                in: "IssuanceRules/Budget/UsageFinding.swift", after: "public enum Code:"),
            try WordSet(
                "Findings about sources", HealthFinding.Code.allCases.map(\.rawValue),
                in: "IssuanceRules/Health/HealthFinding.swift", after: "public enum Code:"),
            try WordSet(
                "Why a record is a dead letter", DeadLetterReason.allCases.map(\.rawValue),
                in: "ApprovalSources/SourceFault.swift", after: "public enum DeadLetterReason:"),
            try WordSet(
                "Why an entry of a record decides nothing", WhyCode.allCases.map(\.rawValue),
                in: "ApprovalSources/WhyCode.swift", after: "public enum WhyCode:"),
        ]
    }
}
