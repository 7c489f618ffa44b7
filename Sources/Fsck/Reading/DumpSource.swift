import ClawWire
import Foundation

/// Reads a dump: one file a partition, one JSON object a line, bytes in base64.
struct DumpSource: TopicSource {
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
            let lines = try LineReader(path)
            while let line = try lines.next() {
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

    /// Bytes, or that there are none.
    struct Bytes {
        let bytes: [UInt8]?
    }

    /// What base64 text at a place says; `null` for what is not there.
    static func bytes(_ line: [UInt8], _ range: Range<Int>) -> Bytes? {
        if line[range].elementsEqual("null".utf8) { return Bytes(bytes: nil) }
        guard range.count >= 2, line[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        let text = Data(line[(range.lowerBound + 1)..<(range.upperBound - 1)])
        return Data(base64Encoded: text).map { Bytes(bytes: Array($0)) }
    }
}
