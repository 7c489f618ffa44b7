public import ApprovalSources
public import ClawWire
public import IssuanceRules
public import Kafka

/// A native approval event that is still being written.
public struct ApprovalDraft: Sendable {
    /// What is decided.
    public var decision: NativeDecision
    /// The contained request.
    public var request: RequestDraft?
    /// The event's id, unique among the emitter's.
    public var eventID: String
    /// The event's emitter.
    public var source = PlaygroundCast.approvalSource
    /// The event's time.
    public var time: Timestamp

    /// An approval `apr-NAME` of a request `req-NAME` for a job `job-NAME`, asked for by Ines Halvorsen and given by the
    /// approvers named, by default one who is on call.
    public init(
        _ name: String, _ jobClass: PlaygroundClass, approvers: [Actor] = [PlaygroundCast.ruth],
        in playground: Playground, at time: Timestamp = .playgroundNow
    ) {
        decision = NativeDecision(
            approvalID: ApprovalID("apr-\(name)"), verdict: .approved, requester: PlaygroundCast.ines,
            answers: approvers.map { NativeDecision.Answer(approver: $0, decidedAt: time) })
        var request = RequestDraft(name, jobClass, in: playground, at: time)
        if jobClass == .sandbox { request.delivery = .plain }
        self.request = request
        eventID = "evt-\(name)"
        self.time = time
    }

    /// The same question answered with no.
    public func denied(by approver: Actor = PlaygroundCast.ruth) -> ApprovalDraft {
        answered(.denied, [NativeDecision.Answer(approver: approver, decidedAt: time)])
    }

    /// The same question taken back.
    public func canceled() -> ApprovalDraft { answered(.canceled, []) }

    /// The end of what was approved, before its time; a later event of the same approval.
    public func ended(_ reason: Fact.EndReason = .deactivated, at time: Timestamp) -> ApprovalDraft {
        var draft = answered(.ended, [])
        draft.decision.endReason = reason
        draft.request = nil
        draft.time = time
        return draft
    }

    private func answered(_ verdict: NativeDecision.Verdict, _ answers: [NativeDecision.Answer]) -> ApprovalDraft {
        var draft = self
        draft.decision.verdict = verdict
        draft.decision.answers = answers
        draft.eventID = "\(eventID)-\(verdict.rawValue)"
        return draft
    }

    /// The event, not signed.
    public var event: CloudEvent {
        var decision = decision
        decision.request = request?.json
        return decision.event(id: eventID, source: source, at: time)
    }

    /// The event as a record with a signature of its own, keyed by its approval.
    ///
    /// - Throws: what the signer throws.
    public func record(
        signedBy signer: NativeEventSigner, mode: CloudEvent.Mode = .binary
    ) throws -> ProducerRecord {
        try signer.sign(event).producerRecord(mode)
    }

    /// Events as records under one signature.
    ///
    /// - Throws: what the signer throws.
    public static func records(
        _ drafts: [ApprovalDraft], signedTogetherBy signer: NativeEventSigner, mode: CloudEvent.Mode = .binary
    ) throws -> [ProducerRecord] {
        try signer.signBatch(drafts.map(\.event)).map { $0.producerRecord(mode) }
    }
}

extension CloudEvent {
    /// The event as a record of the approvals topic, keyed by its subject.
    public func producerRecord(_ mode: Mode) -> ProducerRecord {
        let message = message(mode)
        return ProducerRecord(
            topic: PlaygroundTopic.approvals, key: subject.map { Array($0.utf8) }, value: message.value,
            headers: message.headers.map { KafkaHeader(name: $0.name, value: $0.value) })
    }
}
