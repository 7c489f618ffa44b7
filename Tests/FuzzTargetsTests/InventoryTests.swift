import Foundation
import FuzzTargets
import SurfaceTargets
import Testing

/// Every file that reads bytes from outside has a target, or says why it needs none.
struct InventoryTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// What reads bytes, in the words of this code.
    private static let marks = [
        "JSONReader.parse(", "compose(yaml", "MemberReader(parsing", "JSONDecoder", "JSON5Document(",
        "PEMBlock(parsing",
        "DERReader(", "FieldReader(",
    ]

    private struct Entry {
        let path: String
        let targets: [String]
        let reason: String?
    }

    /// Lines of `inventory.txt`: a path or a folder under `Sources`, then targets, or a dash and a reason.
    private static func entries() throws -> [Entry] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "inventory.txt")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            let parts = $0.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            let rest = parts.count == 2 ? parts[1] : ""
            let reason = rest.hasPrefix("- ") ? String(rest.dropFirst(2)) : nil
            return Entry(
                path: parts[0], targets: reason == nil ? rest.split(separator: " ").map(String.init) : [],
                reason: reason)
        }
    }

    private static func readers() throws -> [String] {
        let sources = root.appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(atPath: sources.path))
        return try files.compactMap { $0 as? String }.filter { path in
            guard path.hasSuffix(".swift") else { return false }
            let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
            return marks.contains { text.contains($0) }
        }.sorted()
    }

    @Test func everyReaderHasATargetOrAReason() throws {
        let entries = try Self.entries()
        for reader in try Self.readers() {
            #expect(
                entries.contains { reader == $0.path || reader.hasPrefix($0.path + "/") },
                "\(reader) reads bytes: give it a fuzz target, and name it in inventory.txt")
        }
    }

    @Test func everyLineOfTheInventoryHolds() throws {
        let names = Set(FuzzTarget.surface.map(\.name) + FuzzTarget.core.map(\.name))
        var named: Set<String> = []
        for entry in try Self.entries() {
            let path = Self.root.appending(path: "Sources/\(entry.path)").path
            #expect(FileManager.default.fileExists(atPath: path), "there is no \(entry.path)")
            #expect(!entry.targets.isEmpty || entry.reason?.isEmpty == false, "\(entry.path) names nothing")
            for target in entry.targets { #expect(names.contains(target), "\(entry.path): \(target) is no target") }
            named.formUnion(entry.targets)
        }
        #expect(
            names.subtracting(named).isEmpty, "targets that stand for no reader: \(names.subtracting(named).sorted())")
    }
}
