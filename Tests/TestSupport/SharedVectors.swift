public import ClawWire
import Foundation
public import Testing

/// Vectors of the reference services, where they are present.
public enum SharedVectors {
    private static let folder = SharedFolder.folder("vectors")

    /// False when tests that need vectors are to be skipped.
    public static var arePresent: Bool { folder != nil }

    /// A file of vectors that is not there.
    public struct Missing: Error {
        let name: String
    }

    /// Bounds that take the largest of the files.
    public static let limits = JSONLimits(
        maximumBytes: 16_777_216, maximumMembers: 1_000_000, maximumStringBytes: 1_048_576)

    /// Reads `name.json`, the last of repeated members counting, as the services read it.
    public static func load(_ name: String) throws -> JSONValue {
        guard let folder, let data = FileManager.default.contents(atPath: folder.appending(path: "\(name).json").path)
        else { throw Missing(name: name) }
        return try JSONReader.parse(Array(data), limits: limits, duplicates: .keepLastValue)
    }

    /// The cases of one list of a file. Empty when the vectors are absent, so that nothing runs.
    public static func cases(_ name: String, _ list: String = "cases") -> [VectorCase] {
        guard arePresent else { return [] }
        guard let elements = try? load(name)[list]?.array else {
            Issue.record("the list \(list) of \(name) cannot be read")
            return []
        }
        return elements.enumerated().map { VectorCase(file: name, index: $0, json: $1) }
    }

    /// The key that the vectors call `name`.
    public static func signer(_ name: String) throws -> SeedSigner {
        try #require(SeedSigner(seed: Digest(hashing: "claw-vectors:\(name)").bytes))
    }
}

/// One case of a vector file.
public struct VectorCase: Sendable, CustomTestStringConvertible {
    /// The file's name, without its ending.
    public let file: String
    let index: Int
    /// The case.
    public let json: JSONValue

    /// A member of the case.
    public subscript(key: String) -> JSONValue? { json[key] }

    /// A text that the case must have.
    public func text(_ key: String) throws -> String {
        try #require(json[key]?.string, "\(testDescription) lacks \(key)")
    }

    /// A text that the case must have, read as JSON.
    public func document(_ key: String) throws -> JSONValue {
        try JSONReader.parse(text(key), limits: SharedVectors.limits, duplicates: .keepLastValue)
    }

    /// The case as test reports name it.
    public var testDescription: String {
        let title = ["name", "test", "path", "json_text"].lazy.compactMap { json[$0]?.string }.first
        return "\(file)[\(index)] \(title ?? "")"
    }
}
