import ClawWire
import GrantLedger
import IssuanceRules

/// Which spans decisions get. Pure: identifiers are derived from what is decided, so that a batch that is planned twice is
/// a part of the same trace.
struct TracePlan: Sendable, Hashable {
    /// Whether this worker makes spans of its own; otherwise what came is handed on as it came.
    let isOn: Bool
    /// Share of traces that begin here which are kept, 0 to 1. A trace that began elsewhere is kept when it was there.
    let ratio: Double

    static let passing = TracePlan(isOn: false, ratio: 0)

    /// The span of one decision: a child of the one that the event came with, else the first of a trace of its own.
    func span(of request: RequestID, under parent: TraceContext?, at now: Timestamp) -> TraceContext? {
        guard isOn else { return parent }
        let seed = "\(request)\u{0}\(parent?.traceparent ?? "")\u{0}\(now.microseconds)"
        let bytes = Digest(hashing: "clawgrant span\u{0}\(seed)").bytes
        guard let spanID = TraceContext.SpanID(Self.number(bytes[0..<8])) else { return parent }
        if let parent { return parent.child(spanID) }
        guard ratio > 0,
            let traceID = TraceContext.TraceID(high: Self.number(bytes[8..<16]), low: Self.number(bytes[16..<24]))
        else { return nil }
        // By the trace's own identifier, as other programs with the same ratio would choose.
        let chance = Double(traceID.low >> 8) / Double(UInt64(1) << 56)
        return TraceContext(traceID: traceID, spanID: spanID, isSampled: chance < ratio)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}

/// A decision whose span is kept, to be told when its transaction has been committed.
struct PlannedSpan: Sendable, Hashable {
    let context: TraceContext
    let parent: TraceContext.SpanID?
    let links: [TraceContext]
    let outcome: BatchSummary.Outcome
    let reasons: [String]
    let requestID: RequestID
    let jobClass: JobClass
    /// The record that led to it; `nil` where time alone did.
    let found: FoundRecord?
    let source: SourceName?
}

/// What a batch says of an approval or a request: when it happened, and which trace it is a part of.
struct Cause: Sendable, Hashable {
    let occurredAt: Timestamp
    /// When its record was put on its topic.
    let recordedAt: Timestamp?
    let trace: TraceContext?
    let found: FoundRecord
    let source: SourceName
}

extension WorkingSet {
    /// Most spans of one batch: a batch may be of ten thousand records, a collector's queue is not.
    static let maximumSpans = 128

    /// Takes note of what a record says, for metrics and traces; the later event of two counts.
    mutating func note(_ entry: UnderstoodEntry, of approval: ApprovalID) {
        guard let cause = cause(entry) else { return }
        if let known = approvalCauses[approval], known.occurredAt > cause.occurredAt { return }
        approvalCauses[approval] = cause
    }

    /// The same of a request, which is taken up once.
    mutating func note(_ entry: UnderstoodEntry, of request: RequestID) {
        if let cause = cause(entry) { requestCauses[request] = cause }
    }

    /// What a vendor answered is no event of a source.
    private func cause(_ entry: UnderstoodEntry) -> Cause? {
        guard entry.event != UnderstoodEntry.noEvent, let occurredAt = entry.facts.first?.occurredAt else { return nil }
        return Cause(
            occurredAt: occurredAt, recordedAt: entry.recordedAt, trace: entry.trace, found: entry.found,
            source: entry.source)
    }

    /// What led to the outcome of a request, and the span of it.
    ///
    /// The trace goes on from the approval: in this batch, else in the ledger; without one, from the request.
    mutating func origin(
        of entry: RequestEntry, approvals ids: [ApprovalID], outcome: BatchSummary.Outcome, reasons: [String]
    ) -> EffectOrigin? {
        let id = entry.stored.requestID
        let ofRequest = requestCauses[id]
        var causes: [Cause] = []
        var approved: TraceContext?
        for approval in ids {
            guard let cause = approvalCauses[approval] else { continue }
            causes.append(cause)
            if approved == nil { approved = cause.trace }
        }
        for approval in ids where approved == nil { approved = approvals[approval]?.stored.trace }
        if let ofRequest { causes.append(ofRequest) }
        let newest = causes.max { $0.occurredAt < $1.occurredAt }
        let asked = ofRequest?.trace ?? entry.trace
        let parent = approved ?? asked
        let span = planner.tracing.span(of: id, under: parent, at: now)
        if planner.tracing.isOn, let span, span.isSampled, summary.spans.count < Self.maximumSpans {
            let links = asked.map { $0 == parent ? [] : [$0] } ?? []
            summary.spans.append(
                PlannedSpan(
                    context: span, parent: parent?.spanID, links: links, outcome: outcome, reasons: reasons,
                    requestID: id, jobClass: entry.stored.jobClass, found: newest?.found, source: newest?.source))
        }
        if outcome == .issued, let newest {
            summary.grantAges.append(.microseconds(max(0, now.microseconds - newest.occurredAt.microseconds)))
        }
        guard newest != nil || span != nil else { return nil }
        let recorded = causes.compactMap(\.recordedAt).max()
        return EffectOrigin(occurredAt: newest?.occurredAt, recordedAt: recorded, decidedAt: now, trace: span)
    }
}

extension BatchSummary.Outcome {
    /// What a decision of the rules comes to; without minting, a grant is refused.
    init(_ outcome: Decision.Outcome, isDryRun: Bool) {
        switch outcome {
        case .issue: self = isDryRun ? .denied : .issued
        case .deny: self = .denied
        case .expire: self = .expired
        case .wait: self = .waiting
        }
    }
}
