import ClawWire
import Foundation
import Glibc
import GrantWorker
import SecurityEvents

/// An open file of lines. Its calls block.
struct LineFile: Sendable {
    /// Read and written by its owner, read by its group.
    private static let mode: mode_t = 0o640
    /// The longest line that is looked for in a file that was there before.
    private static let longestLine = 16 << 20

    private let settings: SecurityEventSettings.LineFile
    private let calls: FileCalls
    /// Keeps other writers away for as long as it is open, through every rotation.
    private let guardFile: Descriptor
    private var file: Descriptor
    private var size: Int64
    /// The span of time in which it was last written.
    private var span: Int64
    private var first: Int64?
    private var last: Int64?

    /// Opens the file that the settings name, cuts off a torn line, and finds out which events it holds.
    init(opening settings: SecurityEventSettings.LineFile, _ calls: FileCalls) throws(SinkFailure) {
        self.settings = settings
        self.calls = calls
        let path = settings.path
        do {
            guardFile = try Descriptor(opening: path + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, mode: Self.mode)
            guard flock(guardFile.number, LOCK_EX | LOCK_NB) == 0 else {
                throw SinkFailure(
                    .retry(after: nil), "another process writes \(path); give each worker on a host a path of its own")
            }
            (file, size, span) = try Self.openFile(settings)
            try recover()
        } catch let failure as FileCalls.Failure {
            throw Self.failure(failure, path)
        } catch let failure as SinkFailure {
            throw failure
        } catch {
            throw SinkFailure(.misconfigured, "\(path) cannot be written: \(error)")
        }
    }

    /// Appends lines and forces them to disk, beginning a new file first where one is due.
    mutating func append(_ events: [RenderedEvent]) throws(SinkFailure) {
        guard let begin = events.first, let end = events.last else { return }
        do {
            let now = Self.span(of: Int64(Date().timeIntervalSince1970), settings)
            if size > 0, size >= settings.rotationBytes || now != span { try rotate() }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(events.reduce(0) { $0 + $1.bytes.count })
            for event in events { bytes += event.bytes }
            try write(bytes)
            span = now
            first = first ?? begin.sequence.value
            last = max(last ?? 0, end.sequence.value)
        } catch {
            throw Self.failure(error, settings.path)
        }
    }

    /// All of it, or none: what a full disk took in part is taken back.
    private mutating func write(_ bytes: [UInt8]) throws(FileCalls.Failure) {
        do {
            var rest = bytes[...]
            while !rest.isEmpty { rest = rest.dropFirst(try calls.write(file, rest)) }
            try calls.sync(file)
        } catch {
            try? file.truncate(to: size)
            throw error
        }
        size += Int64(bytes.count)
    }

    // MARK: Rotation

    /// Gives the file its final name and begins the next. Whatever of it a crash leaves is a whole file under one of its
    /// two names.
    private mutating func rotate() throws(FileCalls.Failure) {
        guard let first, let last else { return }
        guard unsafe rename(settings.path, Self.finishedName(settings.path, first, last)) == 0 else {
            throw FileCalls.Failure.last
        }
        (file, size, span) = try Self.openFile(settings)
        self.first = nil
        self.last = nil
        try Self.syncDirectory(of: settings.path, calls)
        prune()
    }

    /// `events.ndjson` with the events 7 to 12 becomes `events.000000000007-000000000012.ndjson`.
    static func finishedName(_ path: String, _ first: Int64, _ last: Int64) -> String {
        let (stem, suffix) = parts(of: path)
        return "\(stem).\(padded(first))-\(padded(last))\(suffix)"
    }

    private static func padded(_ number: Int64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits
    }

    private static func parts(of path: String) -> (stem: String, suffix: String) {
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return (path, "") }
        return (String(path[..<dot]), String(path[dot...]))
    }

    /// The finished files beside a path, oldest first.
    static func finishedFiles(of path: String) -> [String] {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let (stem, suffix) = parts(of: path)
        let prefix = (stem.split(separator: "/").last.map(String.init) ?? stem) + "."
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let numbered = names.compactMap { name -> (first: Int64, name: String)? in
            guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.count > prefix.count + suffix.count else {
                return nil
            }
            let range = name.dropFirst(prefix.count).dropLast(suffix.count).split(separator: "-")
            guard range.count == 2, range.allSatisfy({ $0.utf8.count >= 12 }), let first = Int64(range[0]),
                Int64(range[1]) != nil
            else { return nil }
            return (first, name)
        }
        return numbered.sorted { ($0.first, $0.name) < ($1.first, $1.name) }.map { "\(folder)/\($0.name)" }
    }

    /// Removes the oldest finished files beyond those that are kept.
    private func prune() {
        guard let kept = settings.keptFiles else { return }
        for path in Self.finishedFiles(of: settings.path).dropLast(kept) { unsafe unlink(path) }
    }

    private static func span(of seconds: Int64, _ settings: SecurityEventSettings.LineFile) -> Int64 {
        guard let interval = settings.rotationInterval else { return 0 }
        return seconds / max(1, interval.components.seconds)
    }

    // MARK: Opening

    private static func openFile(
        _ settings: SecurityEventSettings.LineFile
    ) throws(FileCalls.Failure) -> (file: Descriptor, size: Int64, span: Int64) {
        let file = try Descriptor(opening: settings.path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, mode: mode)
        let status = try file.status()
        guard status.isRegular else { throw FileCalls.Failure(number: EINVAL) }
        // What the process masks must not close it to the collector's group, or open it to the world.
        guard fchmod(file.number, mode) == 0 else { throw FileCalls.Failure.last }
        return (file, status.size, span(of: status.modified, settings))
    }

    private static func syncDirectory(of path: String, _ calls: FileCalls) throws(FileCalls.Failure) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        try calls.sync(try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY))
    }

    /// Cuts off what a crash left of a line, and reads the numbers of the first and the last event.
    private mutating func recover() throws {
        guard size > 0 else { return try Self.syncDirectory(of: settings.path, calls) }
        let end = try lineEnd(before: size).map { $0 + 1 } ?? 0
        if end < size {
            try file.truncate(to: end)
            try calls.sync(file)
            size = end
        }
        guard size > 0 else { return }
        let start = try file.read(min(Int(size), Self.longestLine), at: 0)
        first = try number(in: start.prefix { $0 != UInt8(ascii: "\n") })
        let lastStart = try lineEnd(before: size - 1).map { $0 + 1 } ?? 0
        last = try number(in: try file.read(Int(size - 1 - lastStart), at: lastStart)[...])
    }

    /// The place of the last line end before an offset.
    private func lineEnd(before offset: Int64) throws -> Int64? {
        let block: Int64 = 65_536
        var end = offset
        while end > 0 {
            guard offset - end <= Int64(Self.longestLine) else { throw foreign }
            let start = max(0, end - block)
            let bytes = try file.read(Int(end - start), at: start)
            if let place = bytes.lastIndex(of: UInt8(ascii: "\n")) { return start + Int64(place) }
            end = start
        }
        return nil
    }

    private func number(in line: ArraySlice<UInt8>) throws -> Int64 {
        let object = try? JSONReader.parse(Array(line))
        let part = settings.format == .ecs ? object?["event"] : object?["metadata"]
        guard let number = part?["sequence"]?.integer else { throw foreign }
        return number
    }

    private var foreign: SinkFailure {
        SinkFailure(
            .misconfigured,
            "\(settings.path) holds lines that are no security events in \(settings.format.rawValue); give another path"
        )
    }

    private static func failure(_ failure: FileCalls.Failure, _ path: String) -> SinkFailure {
        failure.isFull
            ? SinkFailure(.retry(after: nil), "no room for \(path): \(failure.text); free some, nothing is lost")
            : SinkFailure(
                [EACCES, ENOENT, ENOTDIR, ELOOP, EISDIR, EROFS, EINVAL, EPERM].contains(failure.number)
                    ? .misconfigured : .retry(after: nil), "\(path) cannot be written: \(failure.text)")
    }
}
