import ClawWire
import Foundation
import Fsck

/// Every kind of damage as a dump of its own, beside a file that names what must be found: for people who write a checker,
/// or who want to see that this one keeps its word.
package enum CorruptionFolder {
    /// Where the keys lie that the dumps were made with.
    private static let keys = "keys"

    /// Writes the folder.
    ///
    /// - Returns: the number of kinds, the healthy log not counted.
    /// - Throws: ``FsckError`` when the directory is not empty or cannot be written.
    package static func write(to directory: String) async throws -> Int {
        try makeFolder(directory)
        guard try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty else {
            throw FsckError("\(directory) is not empty; name a new directory")
        }
        try makeFolder("\(directory)/\(keys)")
        try put(HealthyLog.secret, to: "\(directory)/\(keys)/token-id")
        try put(Array(pem(Forge.seed("token")).utf8), to: "\(directory)/\(keys)/token.pem")
        let healthy = try HealthyLog.forge().publish()
        try await write(
            "healthy", healthy, HealthyLog.plan(), usesLedger: true, expected: [], also: [], in: directory)
        var names: Set<String> = ["healthy", keys]
        for corruption in Corruption.all {
            let folder = folder(corruption.name)
            guard names.insert(folder).inserted else { throw FsckError("two kinds have the folder \(folder)") }
            let (log, plan) = try corruption.planted()
            try await write(
                corruption.name, log, plan, usesLedger: corruption.usesLedger, expected: corruption.expected,
                also: corruption.also, in: directory)
        }
        return Corruption.all.count
    }

    /// A kind's name as that of a folder.
    private static func folder(_ name: String) -> String {
        String(name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "-" })
    }

    private static func write(
        _ name: String, _ log: ForgedLog, _ plan: FsckPlan, usesLedger: Bool, expected: [Corruption.Expected],
        also: Set<FindingCode>, in directory: String
    ) async throws {
        let folder = "\(directory)/\(folder(name))"
        try makeFolder(folder)
        _ = try await Fsck.dump(
            MemoryTopics(log), ledger: usesLedger ? MemoryLedger(log: log) : nil, to: "\(folder)/dump", plan)
        var arguments = ["fsck", "--directory", "dump", "--token-id-secret", "../\(keys)/token-id", "--json"]
        for key in plan.logKeys { arguments += ["--log-key", key.did] }
        if usesLedger { arguments += ["--ledger", "--token-signer", "../\(keys)/token.pem"] }
        let document: JSONValue = [
            "name": .string(name), "arguments": .array(arguments.map { .string($0) }),
            "expected": .array(
                expected.map { ["code": .string($0.code.rawValue), "place": .string($0.place)] }),
            "also": .array(also.map(\.rawValue).sorted().map { .string($0) }),
        ]
        try put(JSONWriter.bytes(document) + [0x0A], to: "\(folder)/expected.json")
    }

    private static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw FsckError("\(path) cannot be made: \(error.localizedDescription)")
        }
    }

    private static func put(_ bytes: [UInt8], to path: String) throws {
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(bytes), attributes: [.posixPermissions: 0o600])
        else { throw FsckError("\(path) cannot be written") }
    }

    /// An Ed25519 seed as RFC 8410 section 7 writes a private key.
    private static func pem(_ seed: [UInt8]) -> String {
        let prefix: [UInt8] = [
            0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ]
        let kind = "PRIVATE KEY"
        return "-----BEGIN \(kind)-----\n\(Data(prefix + seed).base64EncodedString())\n-----END \(kind)-----\n"
    }
}
