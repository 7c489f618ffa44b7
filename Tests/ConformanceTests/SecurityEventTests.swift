import ClawWire
import DevStack
import Foundation
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

/// Security events, against the schema of OCSF that others publish.
@Suite(
    .enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"),
    .timeLimit(.minutes(5)))
struct SecurityEventTests {
    private static let producer = EventProducer(
        version: "1.2.3", logID: Samples.logID, workerID: WorkerID("worker-1"), tenant: "harborline")

    private func validate(_ lines: [String]) async throws -> (code: Int32, told: [String]) {
        let home = try TemporaryDirectory(prefix: "claw-ocsf")
        defer { home.close() }
        let path = home.path("events.jsonl")
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        let (code, told) = try await Peers.run("ocsf", [OCSF.version, path])
        return (code, told)
    }

    private var events: [SecurityEvent] {
        Samples.every.enumerated().map { index, receipt in
            SecurityEvent(
                receipt: receipt, sequence: SequenceNumber(Int64(index)), batch: SequenceNumber(0),
                sealedAt: Samples.noon, producer: Self.producer)
        }
    }

    @Test("An event of every kind of receipt is valid")
    func every() async throws {
        let (code, told) = try await validate(events.map(SecurityEventFormat.ocsf.line))
        #expect(code == 0, "\(told.joined(separator: "\n"))")
        #expect(told.last == "\(events.count) events, 0 faults")
    }

    @Test("What the schema does not allow is found")
    func faults() async throws {
        let good = OCSF.object(try #require(events.first))
        var nobody = good
        nobody["user"] = nil
        var unknown = good
        unknown["claw"] = "outside of unmapped"
        var both = good
        both["group"] = ["name": "dba", "uid": "g-1"]
        var wrong = good
        wrong["time"] = "noon"
        let (code, told) = try await validate(
            [nobody, unknown, both, wrong].map { JSONWriter.text(.object($0), order: .asGiven) })
        #expect(code == 1)
        for number in 1...4 { #expect(told.contains { $0.hasPrefix("event \(number) ") }) }
    }
}
