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

/// Reads a dump: one file a partition, one JSON object a line, bytes in base64.
struct DumpSource: TopicSource {
    private static let maximumLine = 8 << 20

    let directory: String
    let manifest: DumpManifest

    init(directory: String) throws {
        self.directory = directory
        manifest = try DumpManifest(directory: directory)
    }

    func beginnings(of topic: String) -> [Int32: Int64] {
        var lows: [Int32: Int64] = [:]
        for partition in partitions(of: topic) { lows[partition.number] = partition.low }
        return lows
    }

    private func partitions(of topic: String) -> [DumpManifest.Partition] {
        manifest.topics.first { $0.name == topic }?.partitions ?? []
    }

    func read(_ topic: String, _ body: (FsckRecord) throws -> Void) throws {
        for partition in partitions(of: topic) {
            let path = "\(directory)/\(partition.file)"
            var count: Int64 = 0
            try Self.lines(of: path) { line in
                count += 1
                guard let record = Self.record(line, partition: partition.number) else {
                    throw FsckError("\(path):\(count) is no record of a dump")
                }
                try body(record)
            }
            guard count == partition.records else {
                throw FsckError("\(path) has \(count) records, the manifest says \(partition.records)")
            }
        }
    }

    private static func lines(of path: String, _ body: ([UInt8]) throws -> Void) throws {
        let file: FileHandle
        do { file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path)) } catch {
            throw FsckError("\(path) cannot be read: \(error.localizedDescription)")
        }
        defer { try? file.close() }
        var rest: [UInt8] = []
        while let data = try file.read(upToCount: 4 << 20), !data.isEmpty {
            let chunk = Array(data)
            var start = 0
            while let end = chunk[start...].firstIndex(of: 0x0A) {
                try body(rest.isEmpty ? Array(chunk[start..<end]) : rest + chunk[start..<end])
                rest = []
                start = end + 1
            }
            rest += chunk[start...]
            guard rest.count <= maximumLine else { throw FsckError("a line of \(path) is too long") }
        }
        guard rest.isEmpty else { throw FsckError("\(path) does not end with a newline") }
    }

    /// Reads one line; `nil` when it is no record.
    static func record(_ line: [UInt8], partition: Int32) -> FsckRecord? {
        guard let members = try? Members(line), let offset = members.count("offset"),
            let headers = members.range("headers"),
            let (pairs, _) = try? CanonicalText.array(line.span, at: headers.lowerBound, maximum: 256)
        else { return nil }
        var named: [(name: String, value: [UInt8]?)] = []
        for pair in pairs {
            guard let (parts, _) = try? CanonicalText.array(line.span, at: pair.lowerBound, maximum: 2),
                parts.count == 2, let name = members.string(at: parts[0]),
                let value = bytes(line, parts[1])
            else { return nil }
            named.append((name, value.bytes))
        }
        guard let key = members.range("key").map({ bytes(line, $0) }) ?? nil,
            let value = members.range("value").map({ bytes(line, $0) }) ?? nil
        else { return nil }
        return FsckRecord(
            partition: partition, offset: offset, timestamp: members.count("timestamp"), key: key.bytes,
            value: value.bytes, headers: named)
    }

    private struct Bytes {
        let bytes: [UInt8]?
    }

    /// What base64 text at a place says; `null` for what is not there.
    private static func bytes(_ line: [UInt8], _ range: Range<Int>) -> Bytes? {
        if line[range].elementsEqual("null".utf8) { return Bytes(bytes: nil) }
        guard range.count >= 2, line[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        let text = Data(line[(range.lowerBound + 1)..<(range.upperBound - 1)])
        return Data(base64Encoded: text).map { Bytes(bytes: Array($0)) }
    }
}

/// Writes a dump.
struct DumpWriter {
    private let directory: String

    init(directory: String) throws {
        self.directory = directory
        let files = FileManager.default
        do {
            try files.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            guard try files.contentsOfDirectory(atPath: directory).isEmpty else {
                throw FsckError("\(directory) is not empty; name a new directory")
            }
        } catch let error as FsckError {
            throw error
        } catch {
            throw FsckError("\(directory) cannot be made: \(error.localizedDescription)")
        }
    }

    /// A record as one line.
    static func line(_ record: FsckRecord) -> [UInt8] {
        var line: [UInt8] = Array("{\"headers\":[".utf8)
        func put(_ bytes: [UInt8]?) {
            if let bytes {
                line.append(UInt8(ascii: "\""))
                line += Array(Data(bytes).base64EncodedData())
                line.append(UInt8(ascii: "\""))
            } else {
                line += Array("null".utf8)
            }
        }
        for (index, header) in record.headers.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.append(UInt8(ascii: "["))
            line += EffectImageWriter.quoted(header.name)
            line.append(UInt8(ascii: ","))
            put(header.value)
            line.append(UInt8(ascii: "]"))
        }
        line += Array("],\"key\":".utf8)
        put(record.key)
        line += Array(",\"offset\":\(record.offset)".utf8)
        if let timestamp = record.timestamp { line += Array(",\"timestamp\":\(timestamp)".utf8) }
        line += Array(",\"value\":".utf8)
        put(record.value)
        return line + Array("}\n".utf8)
    }

    /// Writes all topics of a plan, then the manifest.
    func write(_ plan: FsckPlan, from source: any TopicSource) async throws -> Int64 {
        var topics: [JSONValue] = []
        var total: Int64 = 0
        for stream in plan.streams {
            let lows = try await source.beginnings(of: stream.topic)
            var files: [Int32: DumpFile] = [:]
            for number in lows.keys {
                files[number] = try DumpFile("\(directory)/\(stream.topic)-\(number).ndjson")
            }
            try await source.read(stream.topic) { record in try files[record.partition]?.write(Self.line(record)) }
            var partitions: [JSONValue] = []
            for (number, file) in files.sorted(by: { $0.key < $1.key }) {
                try file.close()
                total += file.records
                partitions.append([
                    "partition": .integer(number), "file": .string("\(stream.topic)-\(number).ndjson"),
                    "low": .integer(lows[number] ?? 0), "records": .integer(file.records),
                ])
            }
            topics.append([
                "stream": .string(stream.name), "topic": .string(stream.topic),
                "is_compacted": .bool(stream.isCompacted), "partitions": .array(partitions),
            ])
        }
        let manifest: JSONValue = [
            "dump_version": "1", "log_id": plan.logID.map { .string($0) } ?? .null, "settled": .bool(plan.isSettled),
            "log_keys": .array(plan.logKeys.map { .string($0.did) }),
            "token_keys": .array(plan.tokenKeys.map { .string($0.did) }), "topics": .array(topics),
        ]
        let path = "\(directory)/\(DumpManifest.fileName)"
        guard FileManager.default.createFile(atPath: path, contents: Data(JSONWriter.bytes(manifest))) else {
            throw FsckError("\(path) cannot be written")
        }
        return total
    }
}

/// One file of a dump while it is written.
private final class DumpFile {
    private let file: FileHandle
    private let path: String
    private var buffer: [UInt8] = []
    private(set) var records: Int64 = 0

    init(_ path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let file = FileHandle(forWritingAtPath: path)
        else { throw FsckError("\(path) cannot be written") }
        self.file = file
    }

    func write(_ line: [UInt8]) throws {
        buffer += line
        records += 1
        if buffer.count >= 1 << 20 { try flush() }
    }

    func close() throws {
        try flush()
        try? file.close()
    }

    private func flush() throws {
        do { try file.write(contentsOf: Data(buffer)) } catch {
            throw FsckError("\(path) cannot be written: \(error.localizedDescription)")
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
