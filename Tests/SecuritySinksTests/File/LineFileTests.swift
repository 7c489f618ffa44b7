import ClawWire
import DevStack
import Foundation
import Glibc
import GrantWorker
import Primitives
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// Files of lines: what is on disk after deliveries, rotations, crashes and with a full disk.
@Suite("Files of security events", .timeLimit(.minutes(1)))
struct LineFileTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory(prefix: "claw-lines")
        path = directory.path("events.ndjson")
    }

    private func settings(_ change: (inout SecurityEventSettings.LineFile) -> Void = { _ in })
        -> SecurityEventSettings.LineFile
    {
        var settings = SecurityEventSettings.LineFile(path: path)
        change(&settings)
        return settings
    }

    private func events(_ range: Range<Int>, for sink: LineFileSink) -> [RenderedEvent] {
        range.map { number in
            let event = SecurityEvent(
                receipt: Samples.grant(number), sequence: SequenceNumber(Int64(number)), batch: SequenceNumber(0),
                sealedAt: Samples.noon,
                producer: EventProducer(version: "1", logID: Samples.logID, workerID: WorkerID("w")))
            return RenderedEvent(event, bytes: sink.rendered(event))
        }
    }

    private func numbers(_ path: String) throws -> [Int64] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return try text.split(separator: "\n").map { line in
            try #require(try JSONReader.parse(String(line))["metadata"]?["sequence"]?.integer)
        }
    }

    private var finished: [String] { LineFile.finishedFiles(of: path) }

    @Test("Lines are appended, readable by the owner and the group alone, and found again after a restart")
    func appends() async throws {
        let sink = LineFileSink(name: "disk", settings())
        try await sink.deliver(events(0..<3, for: sink))
        try await sink.deliver(events(3..<5, for: sink))
        await sink.close()
        let second = LineFileSink(name: "disk", settings())
        try await second.deliver(events(5..<6, for: second))
        #expect(try numbers(path) == [0, 1, 2, 3, 4, 5])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o640)
    }

    @Test("A line that a crash tore is cut off, and its event comes again", arguments: [1, 40, 900, 2_000])
    func torn(cut: Int) async throws {
        let sink = LineFileSink(name: "disk", settings())
        try await sink.deliver(events(0..<4, for: sink))
        await sink.close()
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        try whole.dropLast(cut).write(to: URL(fileURLWithPath: path))
        let kept = whole.dropLast(cut).count { $0 == UInt8(ascii: "\n") }
        let second = LineFileSink(name: "disk", settings())
        try await second.deliver(events(kept..<6, for: second))
        #expect(try numbers(path) == [0, 1, 2, 3, 4, 5])
    }

    @Test("A file that holds nothing but a torn line is begun anew")
    func tornFirst() async throws {
        try Data("{\"metad".utf8).write(to: URL(fileURLWithPath: path))
        let sink = LineFileSink(name: "disk", settings())
        try await sink.deliver(events(0..<1, for: sink))
        #expect(try numbers(path) == [0])
    }

    @Test("Files are rotated by size, named by their first and last event, and the oldest removed")
    func rotatesBySize() async throws {
        let small = settings {
            $0.rotationBytes = 4_096
            $0.keptFiles = 3
            $0.rotationInterval = nil
        }
        let sink = LineFileSink(name: "disk", small)
        for start in stride(from: 0, to: 60, by: 3) {
            try await sink.deliver(events(start..<(start + 3), for: sink))
            if start == 30 { await sink.close() }
        }
        #expect(finished.count == 3)
        var all: [Int64] = []
        for file in finished {
            let inside = try numbers(file)
            #expect(file == LineFile.finishedName(path, try #require(inside.first), try #require(inside.last)))
            all += inside
        }
        all += try numbers(path)
        // What is left is the end of the log without a gap.
        #expect(all == Array(try #require(all.first)..<60))
        #expect(finished[0].contains("events.0000000000"))
    }

    @Test("A new span of time begins a new file, also when the sink was closed over its turn")
    func rotatesByAge() async throws {
        let sink = LineFileSink(name: "disk", settings { $0.rotationInterval = .seconds(3_600) })
        try await sink.deliver(events(0..<2, for: sink))
        await sink.close()
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -7_200)], ofItemAtPath: path)
        try await sink.deliver(events(2..<3, for: sink))
        #expect(try numbers(path) == [2])
        #expect(try finished.map { try numbers($0) } == [[0, 1]])
    }

    @Test("A full disk is tried again: what it took in part is taken back, and nothing is torn or lost")
    func full() async throws {
        let room = Lock(3_000)
        var calls = FileCalls()
        let real = calls.write
        calls.write = { file, bytes throws(FileCalls.Failure) in
            let left = room.withLock { $0 }
            guard left > 0 else { throw FileCalls.Failure(number: ENOSPC) }
            let count = try real(file, bytes.prefix(left))
            room.withLock { $0 -= count }
            return count
        }
        let sink = LineFileSink(name: "disk", settings(), calls)
        try await sink.deliver(events(0..<1, for: sink))
        await #expect { try await sink.deliver(events(1..<4, for: sink)) } throws: { error in
            guard let failure = error as? SinkFailure else { return false }
            return failure.remedy == .retry(after: nil) && failure.description.contains("no room")
        }
        #expect(try numbers(path) == [0])
        room.withLock { $0 = 1 << 20 }
        try await sink.deliver(events(1..<4, for: sink))
        #expect(try numbers(path) == [0, 1, 2, 3])
    }

    @Test("Lines that are not on disk are not delivered")
    func syncFails() async throws {
        let isBroken = Lock(false)
        var calls = FileCalls()
        let real = calls.sync
        calls.sync = { file throws(FileCalls.Failure) in
            guard !isBroken.withLock({ $0 }) else { throw FileCalls.Failure(number: EIO) }
            try real(file)
        }
        let sink = LineFileSink(name: "disk", settings(), calls)
        try await sink.deliver(events(0..<1, for: sink))
        isBroken.withLock { $0 = true }
        await #expect(throws: SinkFailure.self) { try await sink.deliver(events(1..<2, for: sink)) }
        isBroken.withLock { $0 = false }
        try await sink.deliver(events(1..<2, for: sink))
        #expect(try numbers(path) == [0, 1])
    }

    @Test("Two writers never write one file; a link, a folder and another's file are not written")
    func refusals() async throws {
        let first = LineFileSink(name: "one", settings())
        try await first.deliver(events(0..<1, for: first))
        let second = LineFileSink(name: "two", settings())
        await #expect { try await second.deliver(events(0..<1, for: second)) } throws: { error in
            (error as? SinkFailure)?.description.contains("another process writes") == true
        }
        await first.close()
        try await second.deliver(events(1..<2, for: second))
        await second.close()
        #expect(try numbers(path) == [0, 1])

        func remedy(_ path: String) async -> SinkFailure.Remedy? {
            let sink = LineFileSink(name: "x", SecurityEventSettings.LineFile(path: path))
            do {
                try await sink.deliver(events(0..<1, for: sink))
                return nil
            } catch {
                return error.remedy
            }
        }
        try FileManager.default.createSymbolicLink(
            atPath: directory.path("link.ndjson"), withDestinationPath: directory.path("target"))
        #expect(await remedy(directory.path("link.ndjson")) == .misconfigured)
        #expect(await remedy(directory.path("no/such/folder.ndjson")) == .misconfigured)
        try FileManager.default.createDirectory(
            atPath: directory.path("folder.ndjson"), withIntermediateDirectories: true)
        #expect(await remedy(directory.path("folder.ndjson")) == .misconfigured)
        try "a list of things\n".write(toFile: directory.path("notes.ndjson"), atomically: true, encoding: .utf8)
        #expect(await remedy(directory.path("notes.ndjson")) == .misconfigured)
        #expect(try String(contentsOfFile: directory.path("notes.ndjson"), encoding: .utf8) == "a list of things\n")
    }

    @Test("Hostile texts stay inside their lines")
    func canaries() async throws {
        for format in [SecurityEventFormat.ocsf, .ecs] {
            let sink = LineFileSink(
                name: "disk",
                settings {
                    $0.format = format
                    $0.path = directory.path("\(format.rawValue).ndjson")
                })
            let events = Canaries.events
            try await sink.deliver(events.map { RenderedEvent($0, bytes: sink.rendered($0)) })
            await sink.close()
            let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.path("\(format.rawValue).ndjson")))
            #expect(bytes.count { $0 == UInt8(ascii: "\n") } == events.count)
            // C0 controls never stand in JSON as they are.
            #expect(!bytes.contains { $0 < 0x20 && $0 != 0x0A })
        }
    }
}
