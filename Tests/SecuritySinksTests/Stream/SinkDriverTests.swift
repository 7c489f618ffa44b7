import ClawWire
import DevStack
import GrantLedger
import GrantWorker
import Logging
import Primitives
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// Drivers of sinks over a log in memory.
@Suite("Driving sinks", .timeLimit(.minutes(2)))
struct SinkDriverTests {
    /// Drives sinks until a condition holds.
    private func drive(
        _ sinks: [ScriptedSink], over log: PaperLog, heartbeat: Duration? = nil, start: SinkStart = .position(0),
        timeout: Duration = .seconds(20), failuresBeforeFinding: Int32 = 3,
        until description: String, _ condition: @escaping @Sendable () async throws -> Bool
    ) async throws {
        var bench = DriverBench(log: log)
        bench.heartbeat = heartbeat
        bench.start = start
        bench.patience.deliveryTimeout = timeout
        bench.patience.failuresBeforeFinding = failuresBeforeFinding
        try await bench.drive(sinks, until: description, condition)
    }

    @Test("Everything arrives once and in order, in deliveries as large as the sink allows")
    func plain() async throws {
        let log = try PaperLog(receipts: 100)
        let sink = ScriptedSink(maximumEvents: 30)
        try await drive([sink], over: log, until: "100 events") { log.sink("sink")?.next == 100 }
        #expect(sink.arrived == Array(0..<100))
        #expect(sink.deliveries.map(\.count) == [30, 30, 30, 10])
        #expect(try log.findings.isEmpty)
    }

    @Test("Busy, partial, lost and hung deliveries are repeated, and no number is missing")
    func misbehaviour() async throws {
        let log = try PaperLog(receipts: 90)
        let sink = ScriptedSink(
            "sink",
            [
                .busy(after: nil), .take, .partial(3), .lostAcknowledgement, .take, .dead,
                .busy(after: .milliseconds(2)),
                .partial(0), .take,
            ])
        try await drive(
            [sink], over: log, timeout: .milliseconds(50), failuresBeforeFinding: 100, until: "90 events"
        ) { log.sink("sink")?.next == 90 }
        #expect(NumberCheck.faults(sink.arrived, 0..<90).isEmpty)
        // The position is only ever written behind what had arrived.
        let moves = log.moves(of: "sink")
        #expect(moves == moves.sorted() && moves.last == 90)
        #expect(log.sink("sink")?.failures == 0)
    }

    @Test("An outage is told of once, and its end once, whatever number of attempts it takes")
    func outage() async throws {
        let log = try PaperLog(receipts: 20)
        let sink = ScriptedSink("soc", always: .busy(after: nil))
        try await drive([sink], over: log, until: "many attempts") { sink.deliveries.count >= 12 }
        var found = try log.findings
        #expect(found.map(\.finding.code) == ["SECURITY_SINK_FAILING"])
        #expect(found[0].finding.about == "sink:soc" && found[0].finding.severity == .critical)
        #expect(found[0].detail.contains("3 deliveries in a row failed, events from 0 on wait: busy"))
        #expect(log.sink("soc")?.isReported == true)

        // Another worker takes over: the same outage, no second finding.
        try await drive([sink], over: log, until: "more attempts") { sink.deliveries.count >= 20 }
        #expect(try log.findings.count == 1)

        sink.become(.take)
        try await drive([sink], over: log, until: "everything") { log.sink("soc")?.next == log.end }
        found = try log.findings
        #expect(found.map(\.finding.code) == ["SECURITY_SINK_FAILING", "SECURITY_SINK_RECOVERED"])
        #expect(found[1].finding.severity == .notice)
        // The findings are events of the log and reach the sink themselves.
        #expect(NumberCheck.faults(sink.arrived, 0..<log.end).isEmpty && log.end == 22)
        #expect(log.sink("soc")?.isReported == false)
    }

    @Test("Wrong credentials are told of at the first attempt")
    func misconfigured() async throws {
        let log = try PaperLog(receipts: 3)
        let sink = ScriptedSink(always: .misconfigured)
        try await drive([sink], over: log, failuresBeforeFinding: 50, until: "the finding") {
            try !log.findings.isEmpty && sink.deliveries.count > 2
        }
        #expect(
            try log.findings.map(\.detail) == [
                "1 delivery in a row failed, events from 0 on wait: wrong credentials"
            ])
    }

    @Test("Events that are refused for good are left out, each run told of by a finding, the others arrive")
    func poison() async throws {
        let log = try PaperLog(receipts: 40)
        let refused: Set<Int64> = [0, 5, 6, 7, 12, 39]
        let sink = ScriptedSink(always: .poison(refused))
        try await drive([sink], over: log, until: "everything") { log.sink("sink")?.next == log.end && log.end > 40 }
        #expect(NumberCheck.faults(sink.arrived, 0..<log.end, without: refused).isEmpty)
        // Nothing else was sent twice.
        #expect(sink.arrived == sink.arrived.sorted() && Set(sink.arrived).count == sink.arrived.count)
        let found = try log.findings
        #expect(Set(found.map(\.finding.code)) == ["SECURITY_EVENTS_SKIPPED"])
        #expect(found.count == 4)
        #expect(found[1].detail == "events 5 to 7 were not delivered: malformed event  [2J")
        #expect(log.sink("sink")?.skipped == 6)
    }

    @Test("A dead sink and a slow one hold up no other, and share what is read")
    func isolation() async throws {
        let log = try PaperLog(receipts: 2_000, perBatch: 50)
        let dead = ScriptedSink("dead", always: .dead)
        let failing = ScriptedSink("failing", always: .busy(after: nil))
        let quick = ScriptedSink("quick", maximumEvents: 100)
        let second = ScriptedSink("second", maximumEvents: 70)
        try await drive([dead, failing, quick, second], over: log, until: "two of four") {
            (log.sink("quick")?.next ?? 0) >= 2_000 && (log.sink("second")?.next ?? 0) >= 2_000
        }
        #expect(NumberCheck.faults(quick.arrived.filter { $0 < 2_000 }, 0..<2_000).isEmpty)
        #expect(NumberCheck.faults(second.arrived.filter { $0 < 2_000 }, 0..<2_000).isEmpty)
        #expect(log.sink("dead")?.next == 0 && dead.arrived.isEmpty)
        // What one is sending is all that is in memory for a sink that takes nothing.
        #expect(dead.deliveries.allSatisfy { $0.count <= 10 })
    }

    @Test("A sink that acknowledges nothing is told the last events again after every failure")
    func repeats() async throws {
        let log = try PaperLog(receipts: 50)
        let sink = ScriptedSink("sink", [.take, .take, .busy(after: .zero)], replayedEvents: 15)
        try await drive([sink], over: log, until: "50 events") { log.sink("sink")?.next == 50 }
        #expect(sink.deliveries.map { $0[0] }.prefix(4) == [0, 10, 20, 5])
        #expect(NumberCheck.faults(sink.arrived, 0..<50).isEmpty)
        // Whoever takes over does the same.
        let next = ScriptedSink("sink", replayedEvents: 15)
        try log.append([Samples.grant(51)])
        try await drive([next], over: log, until: "the last") { log.sink("sink")?.next == 51 }
        #expect(next.arrived == Array(35..<51))
    }

    @Test("A database that is away for a while loses nothing and leaves nothing out")
    func ledgerAway() async throws {
        let log = try PaperLog(receipts: 60)
        let sink = ScriptedSink()
        log.fail(0)
        try await drive([sink], over: log, until: "60 events") {
            if sink.deliveries.count == 2 { log.fail(5) }
            return log.sink("sink")?.next == 60
        }
        #expect(NumberCheck.faults(sink.arrived, 0..<60).isEmpty)
        #expect(log.sink("sink")?.skipped == 0)
    }

    @Test("A worker that is no longer in charge moves nothing")
    func fenced() async throws {
        let log = try PaperLog(receipts: 30)
        let sink = ScriptedSink()
        log.fence()
        await #expect(throws: LedgerError.self) {
            try await drive([sink], over: log, until: "a delivery") {
                if !sink.deliveries.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
                return !sink.deliveries.isEmpty
            }
        }
        #expect(log.moves(of: "sink").isEmpty)
    }

    @Test("Archived receipts are passed over with one finding, and told from the first that is there")
    func archived() async throws {
        let log = try PaperLog(receipts: 70)
        log.archive(before: 6)
        let sink = ScriptedSink()
        try await drive([sink], over: log, until: "the rest") { log.sink("sink")?.next == log.end && log.end > 70 }
        #expect(NumberCheck.faults(sink.arrived, 42..<log.end).isEmpty)
        #expect(
            try log.findings.map(\.detail) == [
                "events 0 to 41 were not delivered: their receipts are archived"
            ])
        #expect(log.sink("sink")?.skipped == 42)
    }

    @Test("A new sink can begin at the end of the log or at a position")
    func starts() async throws {
        let log = try PaperLog(receipts: 25)
        let late = ScriptedSink("late", replayedEvents: 100)
        let middle = ScriptedSink("middle")
        try await drive([middle], over: log, start: .position(13), until: "the rest") {
            log.sink("middle")?.next == 25
        }
        #expect(middle.arrived == Array(13..<25))
        _ = try await log.openSinks(["late": .end], under: PaperLog.lease)
        try log.append([Samples.grant(25)])
        // What stands in the ledger counts, not the configuration, and nothing before the start is repeated.
        try await drive([late], over: log, start: .position(0), until: "the new one") { log.sink("late")?.next == 26 }
        #expect(late.arrived == [25])
    }

    @Test("A sink without news asks the log for a heartbeat, which has a number of its own")
    func heartbeats() async throws {
        let log = try PaperLog(receipts: 3)
        let one = ScriptedSink("one")
        let two = ScriptedSink("two")
        try await drive([one, two], over: log, heartbeat: .milliseconds(40), until: "three heartbeats") {
            (log.sink("one")?.next ?? 0) >= 6 && (log.sink("two")?.next ?? 0) >= 6
        }
        let kinds = try log.receipts.map(\.content.kind.rawValue)
        #expect(kinds.dropFirst(3).allSatisfy { $0 == "heartbeat" })
        #expect(NumberCheck.faults(one.arrived, 0..<Int64(one.arrived.count)).isEmpty)
        #expect(NumberCheck.faults(two.arrived, 0..<Int64(two.arrived.count)).isEmpty)
    }

    @Test("A receipt that does not read stops the sink with a finding, and is not left out")
    func unreadable() async throws {
        let log = try PaperLog(receipts: 5)
        try log.appendUnreadable()
        let sink = ScriptedSink(maximumEvents: 2)
        try await drive([sink], over: log, until: "the finding") { try log.tail.contains("SECURITY_SINK_FAILING") }
        #expect(log.sink("sink")?.next ?? 9 <= 5)
        #expect(log.sink("sink")?.skipped == 0)
    }
}

extension PaperLog {
    /// Seals bytes that are no receipt.
    func appendUnreadable() throws { append([Effect(receipt: Array("{}".utf8), receiptKind: "?", outputs: [])]) }

    /// What was left behind, as text.
    var tail: String { get throws { String(decoding: lastReceipt, as: UTF8.self) } }
}
