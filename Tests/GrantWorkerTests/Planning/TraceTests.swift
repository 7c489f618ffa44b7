import ApprovalSources
import ClawWire
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// Traces on their way from records to effects, without a database.
struct TraceTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static func parent(_ span: String, sampled: Bool = true) -> String {
        "00-\(trace)-\(span)-\(sampled ? "01" : "00")"
    }

    private func ledger(_ tracing: TracePlan) throws -> PaperLedger {
        var fixture = try PlanFixture()
        fixture.tracing = tracing
        return PaperLedger(fixture)
    }

    private func traced(_ record: SourceRecord, _ span: String, sampled: Bool = true) -> SourceRecord {
        SourceRecord(
            topic: record.topic, partition: record.partition, offset: record.offset, key: record.key,
            headers: record.headers + [SourceRecord.Header("traceparent", Self.parent(span, sampled: sampled))],
            value: record.value, timestamp: PlanFixture.now)
    }

    @Test func aContextIsFoundInEveryMode() throws {
        var event = Answer.contained("x").cloudEvent
        event.extensions["traceparent"] = .string(Self.parent("00f067aa0ba902b7"))
        event.extensions["tracestate"] = .string("a=1")
        for mode in [CloudEvent.Mode.binary, .structured] {
            let message = event.message(mode)
            let record = SourceRecord(
                topic: "t", partition: 0, offset: 0, key: nil,
                headers: message.headers + [SourceRecord.Header("traceparent", Self.parent("bbbbbbbbbbbbbbbb"))],
                value: message.value, timestamp: nil)
            let context = try #require(RecordTrace.context(of: record))
            #expect("\(context.spanID)" == "00f067aa0ba902b7", "the event's own comes first")
            #expect(context.state == "a=1")
        }
        let plain = traced(try Answer.contained("x").record(), "bbbbbbbbbbbbbbbb")
        #expect(RecordTrace.context(of: plain).map { "\($0.spanID)" } == "bbbbbbbbbbbbbbbb")
        #expect(RecordTrace.context(of: traced(plain, "cccccccccccccccc")) == nil, "two contradict each other")
    }

    @Test func aDecisionContinuesTheTraceOfItsApproval() throws {
        var ledger = try ledger(TracePlan(isOn: true, ratio: 0))
        let summary = try ledger.deliver([traced(try Answer.contained("x").record(), "00f067aa0ba902b7")])
        let span = try #require(summary.spans.first)
        #expect(summary.spans.count == 1)
        #expect("\(span.context.traceID)" == Self.trace)
        #expect(span.parent.map { "\($0)" } == "00f067aa0ba902b7")
        #expect(span.outcome == .issued)
        #expect(ledger.effects.compactMap(\.origin?.trace) == [span.context])
        #expect(ledger.effects.first?.origin?.occurredAt == PlanFixture.now)
        #expect(ledger.effects.first?.origin?.recordedAt == PlanFixture.now)
        #expect(summary.grantAges == [.zero])
    }

    @Test func whatIsPlannedTwiceIsTheSameSpan() throws {
        var contexts: Set<TraceContext> = []
        for _ in 0..<3 {
            var ledger = try ledger(TracePlan(isOn: true, ratio: 1))
            contexts.formUnion(try ledger.deliver([try Answer.contained("x").record()]).spans.map(\.context))
        }
        #expect(contexts.count == 1)
    }

    @Test func withoutACollectorTheContextIsHandedOn() throws {
        var ledger = try ledger(.passing)
        let summary = try ledger.deliver([
            traced(try Answer.contained("x").record(), "00f067aa0ba902b7"), try Answer.contained("y").record(),
        ])
        #expect(summary.spans.isEmpty)
        let traces = ledger.effects.map { $0.origin?.trace?.traceparent }
        #expect(traces.compactMap(\.self) == [Self.parent("00f067aa0ba902b7")])
    }

    @Test func anApprovalsTraceWaitsForTheRequest() throws {
        var ledger = try ledger(TracePlan(isOn: true, ratio: 0))
        var answer = Answer("later")
        answer.window = 3_600
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member")
        try ledger.deliver([traced(try answer.record(), "00f067aa0ba902b7")])
        var ask = Ask("later", "ref")
        ask.approval = "apr-later"
        let summary = try ledger.deliver([traced(try ask.record(), "bbbbbbbbbbbbbbbb")])
        #expect(summary.issued == 1)
        let span = try #require(summary.spans.first)
        #expect(span.parent.map { "\($0)" } == "00f067aa0ba902b7")
        #expect(span.links.map { "\($0.spanID)" } == ["bbbbbbbbbbbbbbbb"])
    }

    @Test func aRequestsTraceWaitsForTheApproval() throws {
        var ledger = try ledger(TracePlan(isOn: true, ratio: 0))
        var ask = Ask("early", "ref")
        ask.approval = "apr-early"
        try ledger.deliver([traced(try ask.record(), "bbbbbbbbbbbbbbbb")])
        var answer = Answer("early")
        answer.window = 3_600
        answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member")
        let summary = try ledger.deliver([try answer.record()])
        #expect(summary.issued == 1)
        #expect(summary.spans.first?.parent.map { "\($0)" } == "bbbbbbbbbbbbbbbb")
    }

    @Test func aTraceThatIsNotKeptIsHandedOnAndNotTold() throws {
        var ledger = try ledger(TracePlan(isOn: true, ratio: 1))
        let summary = try ledger.deliver([
            traced(try Answer.contained("x").record(), "00f067aa0ba902b7", sampled: false)
        ])
        #expect(summary.spans.isEmpty)
        #expect(ledger.effects.first?.origin?.trace?.isSampled == false)
        #expect(ledger.effects.first.map { "\($0.origin?.trace?.traceID.description ?? "")" } == Self.trace)
    }

    @Test func theShareOfTracesIsWhatWasAskedFor() throws {
        let plan = TracePlan(isOn: true, ratio: 0.25)
        let kept = (0..<4_000).count { index in
            plan.span(of: RequestID("r\(index)"), under: nil, at: PlanFixture.now)?.isSampled ?? false
        }
        #expect((850...1_150).contains(kept))
        #expect(TracePlan(isOn: true, ratio: 0).span(of: RequestID("r"), under: nil, at: PlanFixture.now) == nil)
    }

    @Test func originsAreKeptAndWhatDoesNotReadIsNone() throws {
        var ledger = try ledger(TracePlan(isOn: true, ratio: 0))
        var records = [traced(try Answer.contained("a").record(), "00f067aa0ba902b7")]
        records.append(try Answer.contained("b").record())
        records.append(DeadLetterTests.raw([1]))
        try ledger.deliver(records)
        let effects = ledger.effects
        let bytes = try #require(OriginCodec.encode(effects))
        var read = try EffectCodec.decode(EffectCodec.encode(effects))
        #expect(read.allSatisfy { $0.origin == nil })
        OriginCodec.decode(bytes, into: &read)
        #expect(read == effects)
        for cut in 0..<bytes.count {
            var partly = try EffectCodec.decode(EffectCodec.encode(effects))
            OriginCodec.decode(Array(bytes[..<cut]), into: &partly)
            for (left, right) in zip(partly, effects) { #expect(left.origin == nil || left.origin == right.origin) }
        }
        var foreign = try EffectCodec.decode(EffectCodec.encode(effects))
        OriginCodec.decode([9] + bytes.dropFirst(), into: &foreign)
        #expect(foreign.allSatisfy { $0.origin == nil })
        let traces = effects.compactMap { $0.origin?.trace }
        let trace = try #require(traces.first)
        #expect(OriginCodec.decode(trace: OriginCodec.encode(trace)) == trace)
        #expect(OriginCodec.decode(trace: []) == nil)
    }
}
