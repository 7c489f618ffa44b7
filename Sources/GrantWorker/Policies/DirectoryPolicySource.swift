import ClawWire
import Foundation
import Primitives

/// Signed WPC envelopes in the files of a directory, `*.json`, found by the `payload_hash_b64u` inside.
///
/// The directory is read again when a hash is asked for that it did not have; a file that does not read is passed over,
/// since another may hold the hash, and verification decides about what is found.
final class DirectoryPolicySource: PolicySource {
    private static let maximumFiles = 10_000
    private static let maximumFileBytes = 131_072
    let name: String
    private let path: String
    private let index = Lock<[String: String]>([:])

    init(path: String) {
        self.path = path
        name = "directory \(path)"
    }

    func envelope(of hash: Digest) async throws -> [UInt8]? {
        if let file = index.withLock({ $0[hash.b64u] }) { return try read(file) }
        try scan()
        return try index.withLock { $0[hash.b64u] }.map(read)
    }

    private func read(_ file: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: file)))
    }

    private func scan() throws {
        var found: [String: String] = [:]
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".json") }.sorted()
        for name in names.prefix(Self.maximumFiles) {
            let file = path + "/" + name
            guard let bytes = try? read(file), bytes.count <= Self.maximumFileBytes,
                let hash = (try? JSONReader.parse(bytes, limits: .workPolicyContractEnvelope))?["payload_hash_b64u"]?
                    .string
            else { continue }
            found[hash] = file
        }
        index.withLock { $0 = found }
    }
}

extension JSONLimits {
    static let workPolicyContractEnvelope = JSONLimits(maximumBytes: 131_072, maximumDepth: 40)
}
