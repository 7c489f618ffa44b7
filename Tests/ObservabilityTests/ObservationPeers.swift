import ClawWire
import DevStack
import Foundation

/// Programs by others that the tests of observation use; `./dev test` installs them.
enum ObservationPeers {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    static let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    private static let packages = BrokerTools.find().folder + "/python"
    static let promtool = BrokerTools.find().folder + "/promtool"
    private static let areRequired = ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"

    static let hasParser =
        areRequired || FileManager.default.fileExists(atPath: packages + "/prometheus_client")
    static let hasPromtool = areRequired || FileManager.default.isExecutableFile(atPath: promtool)

    static func python(_ script: String, _ arguments: [String]) -> ManagedProcess.Configuration {
        ManagedProcess.Configuration(
            executable: "/usr/bin/env",
            arguments: [
                "PYTHONPATH=\(packages)", "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8", "python3",
                folder.appendingPathComponent("Peers/\(script).py").path,
            ] + arguments)
    }

    /// A text of the repository.
    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// The Swift sources below a folder of `Sources`, by path.
    static func sources(below folder: String = "") throws -> [String: String] {
        let base = root.appendingPathComponent("Sources/\(folder)")
        var found: [String: String] = [:]
        for case let url as URL in FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) ?? .init()
        where url.pathExtension == "swift" {
            found[String(url.path.dropFirst(root.path.count + 1))] = try String(contentsOf: url, encoding: .utf8)
        }
        return found
    }

    /// Compares a part of a document with what the code says of it, or writes it where the environment asks for that.
    static func documented(_ path: String, _ generated: String) throws -> Bool {
        let url = root.appendingPathComponent(path)
        let begin = "<!-- generated: begin -->\n"
        let end = "<!-- generated: end -->"
        let text = try String(contentsOf: url, encoding: .utf8)
        guard let start = text.range(of: begin), let stop = text.range(of: end, range: start.upperBound..<text.endIndex)
        else { return false }
        if ProcessInfo.processInfo.environment["CLAWGRANT_WRITE_DOCS"] == "1" {
            let fresh = text[..<start.upperBound] + generated + text[stop.lowerBound...]
            try Data(fresh.utf8).write(to: url)
            return true
        }
        return text[start.upperBound..<stop.lowerBound] == generated
    }
}
