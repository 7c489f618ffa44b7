import ClawWire
import Foundation
import Testing

/// Vectors of the reference services, read from a folder beside the package when there is one.
enum SharedVectors {
    private static let folder: String? = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let beside = root.deletingLastPathComponent().appendingPathComponent("shared").path
        let named = ProcessInfo.processInfo.environment["CLAWGRANT_SHARED"]
        return [named, beside].compactMap { $0 }.map { $0 + "/vectors" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }()

    static var arePresent: Bool { folder != nil }

    struct Missing: Error { let name: String }

    static func load(_ name: String) throws -> JSONValue {
        guard let folder, let data = FileManager.default.contents(atPath: "\(folder)/\(name).json") else {
            throw Missing(name: name)
        }
        let limits = JSONLimits(maximumBytes: 16_777_216, maximumMembers: 1_000_000, maximumStringBytes: 1_048_576)
        return try JSONReader.parse(Array(data), limits: limits, duplicates: .keepLastValue)
    }

    /// The cases of one list of a file. Empty when the vectors are absent, so that nothing runs.
    static func cases(_ name: String, _ list: String) -> [VectorCase] {
        guard arePresent else { return [] }
        guard let elements = try? load(name)[list]?.array else {
            Issue.record("the list \(list) of \(name) cannot be read")
            return []
        }
        return elements.enumerated().map { VectorCase(file: name, index: $0, json: $1) }
    }

    static func signer(_ name: String) throws -> SeedSigner {
        try #require(SeedSigner(seed: Digest(hashing: "claw-vectors:\(name)").bytes))
    }
}

/// One case of a vector file.
struct VectorCase: Sendable, CustomTestStringConvertible {
    let file: String
    let index: Int
    let json: JSONValue

    subscript(key: String) -> JSONValue? { json[key] }

    func text(_ key: String) throws -> String { try #require(json[key]?.string, "\(testDescription) lacks \(key)") }

    var testDescription: String { "\(file)[\(index)] \(json["name"]?.string ?? json["json_text"]?.string ?? "")" }
}
