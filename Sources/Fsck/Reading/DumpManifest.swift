import ClawWire
import Foundation

/// What stands in a dump's `manifest.json`.
struct DumpManifest {
    struct Partition {
        let number: Int32
        let file: String
        let low: Int64
        let records: Int64
    }
    struct Topic {
        let stream: String
        let name: String
        let isCompacted: Bool
        let partitions: [Partition]
    }

    static let fileName = "manifest.json"

    let logID: String?
    let isSettled: Bool
    let logKeys: [Ed25519PublicKey]
    let tokenKeys: [Ed25519PublicKey]
    let topics: [Topic]
    /// What of the rules and the WPCs the dump's maker held receipts against.
    let rules: [Digest: FsckPlan.Rules]
    let policies: [Digest: FsckPlan.Policy]
    /// The ledger's rows; `nil` when the dump holds none.
    let ledger: LedgerDumpSummary?

    init(directory: String) throws {
        let path = "\(directory)/\(Self.fileName)"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FsckError("\(path) cannot be read; make a dump with `clawgrant fsck dump --out DIR`")
        }
        do { self = try DumpManifest(Array(data)) } catch { throw FsckError("\(path): \(error)") }
    }

    /// Reads a manifest.
    init(_ bytes: [UInt8]) throws {
        let value = try JSONReader.parse(bytes, limits: JSONLimits(maximumBytes: 4 << 20))
        guard value["dump_version"]?.string == "1" else { throw FsckError("dump_version is not 1") }
        logID = value["log_id"]?.string
        isSettled = value["settled"]?.bool ?? false
        logKeys = try Self.keys(value["log_keys"])
        tokenKeys = try Self.keys(value["token_keys"])
        topics = try (value["topics"]?.array ?? []).map { try Self.topic($0) }
        rules = try DumpedExpectations.rules(value["rules"])
        policies = try DumpedExpectations.policies(value["policies"])
        ledger = try value["ledger"].map { try LedgerDumpSummary($0) }
    }

    private static func keys(_ value: JSONValue?) throws -> [Ed25519PublicKey] {
        try (value?.array ?? []).map { element in
            guard let key = element.string.flatMap({ Ed25519PublicKey(did: $0) }) else {
                throw FsckError("a key is no did:key of an Ed25519 key")
            }
            return key
        }
    }

    private static func topic(_ value: JSONValue) throws -> Topic {
        guard let stream = value["stream"]?.string, let name = value["topic"]?.string,
            let partitions = value["partitions"]?.array
        else { throw FsckError("a topic has stream, topic and partitions") }
        return Topic(
            stream: stream, name: name, isCompacted: value["is_compacted"]?.bool ?? false,
            partitions: try partitions.map { partition in
                guard let number = partition["partition"]?.integer, let file = partition["file"]?.string,
                    let low = partition["low"]?.integer, let records = partition["records"]?.integer,
                    // A file beside the manifest, never a path that leads elsewhere.
                    !file.contains("/"), file != "..", file != "."
                else { throw FsckError("a partition has partition, file, low and records") }
                return Partition(number: Int32(clamping: number), file: file, low: low, records: records)
            })
    }
}
