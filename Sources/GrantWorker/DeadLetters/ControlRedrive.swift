import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import Kafka
import ReceiptLog

/// Reads dead letters of the control topic again: through the same door, under the stop lock, in one transaction with
/// the dead letter's state and its receipt.
///
/// What takes away is taken, should it be proven now: a stop that was refused because its key was not listed yet, or
/// that could not be read. What gives back is refused for ever (``declareAnew``): a lift that did not suffice then must
/// not come into force by an operator's hand after the world has changed; those who declare it declare it anew.
struct ControlRedrive: Sendable {
    /// The reason for which what gives back is not read again.
    static let declareAnew = "declare_anew"

    private let source: ControlSource
    private let applier: ControlApplier
    private let worker: WorkerID
    private let clock: @Sendable () -> Timestamp

    init(rules: RuleSet, applier: ControlApplier, worker: WorkerID, clock: @escaping @Sendable () -> Timestamp) {
        source = ControlSource(rules: rules.control)
        self.applier = applier
        self.worker = worker
        self.clock = clock
    }

    /// What a record is, read under the rules of now.
    static func trial(_ record: ConsumedRecord, _ rules: RuleSet, at now: Timestamp) -> RedriveTrial.Verdict {
        switch ControlSource(rules: rules.control).read(SourceRecord(record), at: now) {
        case .tombstone: return .ignored(["tombstone"])
        case .event(let event):
            if let refusal = refusal(of: event) { return .refused(code: refusal.code, detail: refusal.detail) }
            return .understood([event.operation.kind.rawValue])
        case .widened(let events, _): return .understood(events.map(\.operation.kind.rawValue))
        case .quarantined(let fault): return .refused(code: fault.code.rawValue, detail: fault.description)
        }
    }

    /// What gives back, and a drill, which measures the moment of its declaration.
    private static func refusal(of event: ControlEvent) -> (code: String, detail: String)? {
        guard !event.operation.kind.isRestrictive else { return nil }
        return (
            declareAnew,
            "a \(event.operation.kind.rawValue) is not read again: whoever declares it declares it anew"
        )
    }

    /// Redrives one dead letter.
    ///
    /// - Returns: what it came to; `nil` when the redrive was not wanted any more.
    func redrive(
        _ letter: StoredDeadLetter, _ record: ConsumedRecord, _ lease: RoleLease
    ) async throws -> Receipt.DeadLetterAction.Outcome? {
        let fence = RedriveFence(lease: lease, origin: letter.origin)
        do {
            switch source.read(SourceRecord(record), at: clock()) {
            case .tombstone: return try await settle(fence, .ignored)
            case .event(let event):
                if let refusal = Self.refusal(of: event) { return try await settle(fence, .refused, refusal) }
                return try await apply(event, fence)
            case .widened(let events, _):
                // Should this worker die in between, those that were applied are found to be repeats.
                for event in events.dropLast() { _ = try await applier.apply(event) }
                guard let last = events.last else { return try await settle(fence, .ignored) }
                return try await apply(last, fence)
            case .quarantined(let fault):
                return try await settle(fence, .refused, (fault.code.rawValue, fault.description))
            }
        } catch is RedriveOver {
            return nil
        }
    }

    private func apply(
        _ event: ControlEvent, _ fence: RedriveFence
    ) async throws -> Receipt.DeadLetterAction.Outcome {
        var read = ControlRead(worker: worker, eventID: event.id.rawValue)
        read.redrive = fence
        let worker = worker
        let answer = try await applier.apply(event, read, since: .now) { write, answer, snapshot in
            let (outcome, refusal) = Self.outcome(answer.result, of: event)
            try Self.settle(&write, snapshot, outcome, refusal, worker)
        }
        return Self.outcome(answer.result, of: event).outcome
    }

    private func settle(
        _ fence: RedriveFence, _ outcome: Receipt.DeadLetterAction.Outcome,
        _ refusal: (code: String, detail: String)? = nil
    ) async throws -> Receipt.DeadLetterAction.Outcome {
        let worker = worker
        try await applier.settle(fence) { write, snapshot in
            try Self.settle(&write, snapshot, outcome, refusal, worker)
        }
        return outcome
    }

    private static func outcome(
        _ result: ControlOutcome.Result, of event: ControlEvent
    ) -> (outcome: Receipt.DeadLetterAction.Outcome, refusal: (code: String, detail: String)?) {
        switch result {
        case .applied, .appliedAndLifted, .pendingLift: (.taken, nil)
        case .repeated: (.repeated, nil)
        case .withoutEffect: (.ignored, nil)
        case .refused(let why):
            (
                .refused,
                (
                    "control_\(why.rawValue)",
                    "the \(event.operation.kind.rawValue) of \(event.handle) is not obeyed: \(why.rawValue)"
                )
            )
        }
    }

    private static func settle(
        _ write: inout ControlWrite, _ snapshot: ControlSnapshot, _ outcome: Receipt.DeadLetterAction.Outcome,
        _ refusal: (code: String, detail: String)?, _ worker: WorkerID
    ) throws {
        guard let letter = snapshot.redrive else { throw RedriveOver() }
        let receipt = DeadLetterReceipt.make(
            letter, outcome, reason: refusal.map { Receipt.Reason(code: $0.code, detail: $0.detail) },
            provenance: Receipt.Provenance(
                workerID: worker, inputs: [EvidenceInput(digest: letter.valueDigest, origin: letter.origin)],
                controlPosition: snapshot.position),
            at: snapshot.now)
        write.effects.append(
            Effect(receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: []))
        write.redriven = RedriveWrite(origin: letter.origin, outcome: outcome, refusal: refusal)
    }
}
