import ClawWire
import Foundation
import TestSupport

/// The shared samples, where they are present.
enum SharedSamples {
    static let prefixes = [
        "entra-audit-", "azure-activity-", "graph-", "em-", "native-", "servicenow-", "jsm-", "github-", "pagerduty-",
        "opsgenie-", "slack-", "ssf-",
    ]

    static let folder = SharedFolder.folder("samples")

    static var isPresent: Bool { folder != nil }

    /// Names of the samples that this target covers, without their ending.
    static var names: [String] {
        guard let folder, let files = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            return []
        }
        let suffix = ".expected.json"
        return files.filter { file in
            file.hasSuffix(suffix) && prefixes.contains { file.hasPrefix($0) }
        }.map { String($0.dropLast(suffix.count)) }.sorted()
    }

    static func bytes(_ file: String) throws -> [UInt8] {
        guard let folder else { throw CocoaError(.fileNoSuchFile) }
        return Array(try Data(contentsOf: folder.appending(path: file)))
    }

    static func input(_ name: String) throws -> [UInt8] {
        try (try? bytes("\(name).json")) ?? bytes("\(name).txt")
    }
}

/// Compares a result with an expectation: every member that the expectation lists must be there with the same value;
/// texts that are times compare as instants; `null` and absent are the same.
enum Expectation {
    static func differences(_ expected: JSONValue, _ actual: JSONValue?, at path: String = "") -> [String] {
        guard let actual, !actual.isNull else {
            return expected.isNull ? [] : ["\(path): expected \(JSONWriter.text(expected)), there is nothing"]
        }
        switch expected {
        case .object(let object):
            return object.members.flatMap { differences($0.value, actual[$0.key], at: "\(path).\($0.key)") }
        case .array(let elements):
            guard let others = actual.array, others.count == elements.count else {
                return ["\(path): expected \(elements.count) elements, there are \(actual.array?.count ?? -1)"]
            }
            return zip(elements, others).enumerated().flatMap { differences($1.0, $1.1, at: "\(path)[\($0)]") }
        case .string(let text):
            if let instant = Timestamp(rfc3339: text), let other = actual.string.flatMap({ Timestamp(rfc3339: $0) }) {
                return instant == other ? [] : ["\(path): expected \(text), there is \(other)"]
            }
            return expected == actual ? [] : ["\(path): expected \(text), there is \(JSONWriter.text(actual))"]
        case .null, .bool, .number:
            return expected == actual
                ? [] : ["\(path): expected \(JSONWriter.text(expected)), there is \(JSONWriter.text(actual))"]
        }
    }
}
