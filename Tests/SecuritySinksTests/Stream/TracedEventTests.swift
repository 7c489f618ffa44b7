import ClawWire
import GrantLedger
import GrantWorker
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

/// The trace of a decision on its way from the ledger to the event.
@Suite struct TracedEventTests {
    @Test("An event has the trace that the ledger keeps beside its receipt, and none where there is none")
    func events() throws {
        let trace = try #require(
            TraceContext(
                traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", tracestate: "vendor=1"))
        var traced = Effect(
            receipt: try Samples.grant(0).encoded().bytes, receiptKind: "grant.issued", outputs: [])
        traced.origin = EffectOrigin(
            occurredAt: Samples.noon, recordedAt: nil, decidedAt: Samples.noon, trace: trace)
        var untraced = Effect(
            receipt: try Samples.grant(1).encoded().bytes, receiptKind: "grant.issued", outputs: [])
        untraced.origin = EffectOrigin(occurredAt: nil, recordedAt: nil, decidedAt: Samples.noon, trace: nil)
        let bare = Effect(receipt: try Samples.grant(2).encoded().bytes, receiptKind: "grant.issued", outputs: [])
        let signature = try #require(Ed25519Signature(bytes: [UInt8](repeating: 1, count: 64)))
        let batch = SealedBatch(
            number: 4, firstPosition: 9, lastPosition: 11, headerHash: Digest(hashing: "h"), header: [1],
            signature: signature, checkpoint: "c", tail: [1], rootSignatures: nil,
            groups: [EffectGroup(groupID: 1, day: 1, effects: [traced, untraced, bare])],
            nextSequence: OutputStream.allCases.map { _ in 0 }, sealedAt: Samples.noon)
        let producer = EventProducer(version: "1", logID: Samples.logID, workerID: WorkerID("w"))
        let events = try SecurityEvent.events(of: batch, by: producer)
        #expect(events.map(\.sequence.value) == [9, 10, 11])
        #expect(events.map(\.trace) == [trace, nil, nil])
    }
}
