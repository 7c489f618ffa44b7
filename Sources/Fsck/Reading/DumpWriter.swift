import ClawWire
import Foundation

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

    /// Writes all topics of a plan, the ledger where it is given, then the manifest.
    ///
    /// - Returns: the number of records and rows.
    func write(
        _ plan: FsckPlan, from source: any TopicSource, ledger: (any LedgerSource)? = nil
    ) async throws -> Int64 {
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
        var manifest: JSONObject = [
            "dump_version": "1", "log_id": plan.logID.map { .string($0) } ?? .null, "settled": .bool(plan.isSettled),
            "log_keys": .array(plan.logKeys.map { .string($0.did) }),
            "token_keys": .array(plan.tokenKeys.map { .string($0.did) }), "topics": .array(topics),
        ]
        if !plan.rules.isEmpty { manifest["rules"] = DumpedExpectations.json(plan.rules) }
        if !plan.policies.isEmpty { manifest["policies"] = DumpedExpectations.json(plan.policies) }
        if let ledger {
            let summary = try await LedgerDumpWriter(directory: directory).write(ledger)
            manifest["ledger"] = summary.json
            total += summary.rows.values.reduce(0, +)
        }
        let path = "\(directory)/\(DumpManifest.fileName)"
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(JSONWriter.bytes(.object(manifest))),
                attributes: [.posixPermissions: 0o600])
        else {
            throw FsckError("\(path) cannot be written")
        }
        return total
    }
}

/// One file of a dump while it is written.
final class DumpFile {
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
