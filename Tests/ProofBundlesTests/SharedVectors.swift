import ClawWire
import Foundation
import Testing

@testable import ProofBundles

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
        return try JSONReader.parse(Array(data), limits: ReferenceVerifier.limits, duplicates: .keepLastValue)
    }

    /// The cases of one list of a file. Empty when the vectors are absent, so that nothing runs.
    static func cases(_ name: String, _ list: String = "cases") -> [VectorCase] {
        guard arePresent else { return [] }
        guard let elements = try? load(name)[list]?.array else {
            Issue.record("the list \(list) of \(name) cannot be read")
            return []
        }
        return elements.enumerated().map { VectorCase(file: name, index: $0, json: $1) }
    }
}

/// One case of a vector file.
struct VectorCase: Sendable, CustomTestStringConvertible {
    let file: String
    let index: Int
    let json: JSONValue

    subscript(key: String) -> JSONValue? { json[key] }

    func document(_ key: String) throws -> JSONValue {
        let text = try #require(json[key]?.string, "\(testDescription) lacks \(key)")
        return try JSONReader.parse(text, limits: ReferenceVerifier.limits, duplicates: .keepLastValue)
    }

    /// True when the vectors hold the document itself and no description of it.
    func holdsDocument(_ key: String) -> Bool { json[key]?.string?.first == "{" }

    var options: ReferenceOptions { ReferenceOptions(json["options"]?.object ?? [:]) }

    var testDescription: String {
        "\(file)[\(index)] \((json["name"] ?? json["test"] ?? json["path"])?.string ?? "")"
    }

    /// Compares an answer with what the reference said.
    func expect(_ verdict: ReferenceVerdict, _ verifier: ReferenceVerifier) throws {
        let expected = try #require(json[verifier.rawValue]?.object)
        let answer: JSONObject = [
            "status": .string(verdict.status.rawValue), "error": .optional(verdict.code),
            "field": .optional(verdict.field), "trust_tier": .optional(verdict.trustTier?.rawValue),
            "proof_tier": .optional(verdict.proofTier?.rawValue),
            "receipts_count": verdict.components["receipts_count"] ?? .null,
            "receipts_verified_count": verdict.components["receipts_verified_count"] ?? .null,
            "envelope_valid": verdict.components["envelope_valid"] ?? .null,
        ]
        for member in expected.members {
            #expect(
                answer[member.key] == member.value,
                "\(verifier) \(testDescription): \(member.key) is \(answer[member.key] ?? .null), not \(member.value)")
        }
    }
}

/// The clock at which the vectors were taken.
let vectorClock = Timestamp(rfc3339: "2026-03-01T12:00:00Z") ?? Timestamp(seconds: 0)
