import Foundation
import Glibc

/// Sorts any number of fixed-width entries by their bytes in bounded memory: full buffers are sorted and written as
/// runs, and the runs are merged when they are read.
final class SortedRuns {
    /// Runs that are open at once; more are merged into one first.
    private static let maximumRuns = 128
    private let width: Int
    private let capacity: Int
    private let directory: WorkDirectory
    private var buffer: [UInt8] = []
    private var runs: [String] = []
    private(set) var count: Int64 = 0

    init(width: Int, memory: Int, in directory: WorkDirectory) {
        self.width = width
        capacity = max(1, memory / (width + 4)) * width
        self.directory = directory
    }

    /// Adds an entry; it must have the width.
    func add(_ entry: [UInt8]) throws {
        guard entry.count == width else {
            throw FsckError("an entry has \(entry.count) bytes where \(width) were expected; this is a defect")
        }
        buffer.append(contentsOf: entry)
        count += 1
        if buffer.count >= capacity { try spill() }
    }

    /// Hands over every entry in order. The entries are gone afterwards.
    func forEach(_ body: ([UInt8]) throws -> Void) throws {
        guard !runs.isEmpty else {
            for start in order() { try body(Array(buffer[start..<(start + width)])) }
            buffer = []
            return
        }
        if !buffer.isEmpty { try spill() }
        try merge(body)
        for run in runs { try? FileManager.default.removeItem(atPath: run) }
        runs = []
    }

    /// Where the entries of the buffer begin, in order.
    private func order() -> [Int] {
        var starts = Array(stride(from: 0, to: buffer.count, by: width))
        let width = width
        unsafe buffer.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            guard let base = bytes.baseAddress else { return }
            // In bounds: every start is followed by an entry.
            starts.sort { unsafe memcmp(base + $0, base + $1, width) < 0 }
        }
        return starts
    }

    private func spill() throws {
        let starts = order()
        runs.append(
            try write { put in
                for start in starts { try put(buffer[start..<(start + width)]) }
            })
        buffer.removeAll(keepingCapacity: true)
        guard runs.count >= Self.maximumRuns else { return }
        let merged = try write { put in try merge { try put($0[...]) } }
        for run in runs { try? FileManager.default.removeItem(atPath: run) }
        runs = [merged]
    }

    /// Writes a run.
    ///
    /// - Returns: its path.
    private func write(_ entries: ((ArraySlice<UInt8>) throws -> Void) throws -> Void) throws -> String {
        let path = directory.path()
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw FsckError("\(path) cannot be written; free space, or name another --work-directory")
        }
        do {
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            var chunk: [UInt8] = []
            chunk.reserveCapacity(1 << 20)
            try entries { entry in
                chunk.append(contentsOf: entry)
                if chunk.count >= 1 << 20 {
                    try file.write(contentsOf: Data(chunk))
                    chunk.removeAll(keepingCapacity: true)
                }
            }
            try file.write(contentsOf: Data(chunk))
            try file.close()
        } catch let error as FsckError {
            throw error
        } catch {
            throw FsckError("\(path) cannot be written: \(error.localizedDescription)")
        }
        return path
    }

    private func merge(_ body: ([UInt8]) throws -> Void) throws {
        var readers: [RunReader] = []
        for run in runs { readers.append(try RunReader(run, width: width)) }
        // A binary heap of readers by their next entry.
        var heap = readers.filter { $0.entry != nil }
        func sift(_ start: Int) {
            var node = start
            while true {
                var least = node
                for child in [2 * node + 1, 2 * node + 2] where child < heap.count && heap[child] < heap[least] {
                    least = child
                }
                if least == node { return }
                heap.swapAt(least, node)
                node = least
            }
        }
        for node in stride(from: heap.count / 2, through: 0, by: -1) where node < heap.count { sift(node) }
        while let first = heap.first, let entry = first.entry {
            try body(entry)
            try first.advance()
            if first.entry == nil {
                heap.swapAt(0, heap.count - 1)
                heap.removeLast()
            }
            if !heap.isEmpty { sift(0) }
        }
    }
}

/// Reads a sorted run entry by entry.
private final class RunReader {
    private let file: FileHandle
    private let path: String
    private let width: Int
    private var chunk: [UInt8] = []
    private var position = 0
    private(set) var entry: [UInt8]?

    init(_ path: String, width: Int) throws {
        self.path = path
        self.width = width
        do { file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path)) } catch {
            throw FsckError("\(path) cannot be read: \(error.localizedDescription)")
        }
        try advance()
    }

    static func < (left: RunReader, right: RunReader) -> Bool {
        guard let a = left.entry, let b = right.entry else { return left.entry != nil }
        return a.lexicographicallyPrecedes(b)
    }

    func advance() throws {
        if position == chunk.count {
            do {
                let size = max(1, 131_072 / width) * width
                chunk = Array(try file.read(upToCount: size) ?? Data())
            } catch {
                throw FsckError("\(path) cannot be read: \(error.localizedDescription)")
            }
            position = 0
        }
        guard position + width <= chunk.count else {
            entry = nil
            return
        }
        entry = Array(chunk[position..<(position + width)])
        position += width
    }
}

/// A private directory for sorted runs, removed when it is no longer held.
final class WorkDirectory {
    private let root: String
    private var next = 0

    init(in parent: String?) throws {
        let parent = parent ?? FileManager.default.temporaryDirectory.path
        root = parent + "/clawgrant-fsck-\(UUID().uuidString)"
        do {
            try FileManager.default.createDirectory(
                atPath: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw FsckError("\(root) cannot be made: \(error.localizedDescription); name another --work-directory")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    /// The path of a file that does not exist yet.
    func path() -> String {
        next += 1
        return "\(root)/\(next)"
    }
}
