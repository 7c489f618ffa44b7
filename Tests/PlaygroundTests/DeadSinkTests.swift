import ClawWire
import DevStack
import Foundation
import GrantChecker
import IssuanceRules
import Playground
import Postgres
import Testing

/// A sink of security events that nobody answers, beside real workers.
@Suite(.enabled(if: BrokerTools.find().has(.noida)), .serialized, .timeLimit(.minutes(5)))
struct DeadSinkTests {
    /// Takes whatever comes over TCP and writes it to a file.
    private static let receiver = """
        import socket, sys, threading
        server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
        lock = threading.Lock()
        def take(peer):
            with open(sys.argv[2], "ab", 0) as file, peer:
                while data := peer.recv(65536):
                    with lock: file.write(data)
        while True:
            threading.Thread(target=take, args=(server.accept()[0],), daemon=True).start()
        """

    /// Where a sink stands: the next event, and the failures in a row.
    private static func sink(_ name: String, _ playground: Playground) async throws -> (next: Int, failures: Int) {
        let rows = try await playground.query(
            "SELECT next_position::text, failures::text FROM clawgrant.security_event_sink WHERE name = '\(name)'")
        guard rows.rowCount == 1 else { return (0, 0) }
        return (Int(try rows.string(0, 0)) ?? 0, Int(try rows.string(0, 1)) ?? 0)
    }

    private static func produce(_ names: Range<Int>, in playground: Playground) async throws {
        let drafts = names.map { ApprovalDraft("sink-\($0)", .reconcile, in: playground) }
        try await playground.produce(
            try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner))
    }

    /// Numbers of the events in the lines of a file, or in the frames of a receiver.
    private static func numbers(_ text: String, _ pattern: Regex<(Substring, Substring)>) -> Set<Int> {
        Set(text.matches(of: pattern).compactMap { Int($0.output.1) })
    }

    @Test("It holds up neither decisions, nor stops, nor the other sinks; when it is back it misses nothing")
    func aDeadSink() async throws {
        let port = try FreePort.next()
        var options = PlaygroundOptions()
        options.workerSections = """
            security_events:
              sinks:
                - {name: dead, kind: syslog, host: 127.0.0.1, port: \(port), transport: tcp, retry_min_ms: 50, retry_max_ms: 200, failures_before_finding: 2}
                - {name: disk, kind: file, path: events.ndjson}
            """
        let playground = try await Playground.start(options)
        do {
            try await watch(playground, port)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private func watch(_ playground: Playground, _ port: UInt16) async throws {
        let workers = try ["w1", "w2"].map { try playground.startWorker($0) }
        try await playground.waitUntilAtWork(workers)
        try await Self.produce(0..<40, in: playground)
        try await waitUntil(deadline: .seconds(60), description: "the sink to be found dead") {
            try await Self.sink("dead", playground).failures > 2
        }
        // All of this while nobody answers: approvals, a stop, and what the stop refuses.
        try await Self.produce(40..<80, in: playground)
        try await playground.waitForStatus("every approval to be decided", within: .seconds(90)) { $0.issued == 80 }
        try await playground.declare(
            .stop(.init(stopID: "stop-sink", scope: StopScope(kind: .all, value: nil), revokesLive: true)),
            id: "stop-sink", by: [PlaygroundCast.paloma])
        try await waitUntil(deadline: .seconds(90), description: "the tokens to be revoked one by one") {
            try await playground.query(
                "SELECT count(*)::text FROM clawgrant.revocation_run WHERE finished_at IS NOT NULL"
            ).string(0, 0) == "1"
        }
        try await playground.waitUntilSettled(waiting: 0, within: .seconds(90))
        let told = try await playground.status().receipts
        try await waitUntil(deadline: .seconds(60), description: "the other sink to have it all") {
            try await Self.sink("disk", playground).next >= told
        }
        #expect(try await Self.sink("dead", playground).next == 0)

        // It is back: what it gets has no gap, from the first receipt on.
        let received = "\(playground.directory)/received.log"
        let peer = try ManagedProcess(
            .init(executable: "/usr/bin/python3", arguments: ["-c", Self.receiver, "\(port)", received]))
        defer { _ = peer.signal(.kill) }
        try await waitUntil(deadline: .seconds(90), description: "the sink that was dead to have it all") {
            let (next, failures) = try await Self.sink("dead", playground)
            return next >= told && failures == 0
        }
        let disk = try String(contentsOfFile: "\(playground.directory)/events.ndjson", encoding: .utf8)
        let wanted = Set(0..<told)
        #expect(Self.numbers(disk, /"sequence":([0-9]+)/).isSuperset(of: wanted))
        try await waitUntil(deadline: .seconds(60), description: "the receiver to have written it") {
            let text = try String(contentsOfFile: received, encoding: .utf8)
            return Self.numbers(text, /\ssequence="([0-9]+)"/).isSuperset(of: wanted)
        }
        let report = try await playground.check()
        #expect(report.violations.map(\.description) == [])
    }
}
