public import ClawWire

/// What led to an effect, for whoever watches: when it happened, and which trace it is a part of.
///
/// No decision and no receipt rests on it. It is kept beside the effects, so that what is published says the same whoever
/// renders it, and however often.
public struct EffectOrigin: Sendable, Hashable {
    /// When the newest event that led to it happened, by its source's clock.
    public let occurredAt: Timestamp?
    /// When the record that brought it was put on its topic.
    public let recordedAt: Timestamp?
    /// When it was decided, by the ledger's clock.
    public let decidedAt: Timestamp
    /// The span that decided it, or the one that it was received under where this worker keeps no traces.
    public let trace: TraceContext?

    /// Makes an origin.
    public init(occurredAt: Timestamp?, recordedAt: Timestamp?, decidedAt: Timestamp, trace: TraceContext?) {
        self.recordedAt = recordedAt
        self.occurredAt = occurredAt
        self.decidedAt = decidedAt
        self.trace = trace
    }
}

/// The stored form of the origins of a group's effects: a version, then for each effect what is known, big-endian. What
/// does not read is no origin: nothing rests on it.
enum OriginCodec {
    private static let version: UInt8 = 1
    private static let hasTime: UInt8 = 1
    private static let hasTrace: UInt8 = 2
    private static let isSampled: UInt8 = 4
    private static let isKnown: UInt8 = 8
    private static let hasRecord: UInt8 = 16

    /// `nil` when nothing is known of any of them.
    static func encode(_ effects: some Collection<Effect>) -> [UInt8]? {
        guard effects.indices.contains(where: { effects[$0].origin != nil }) else { return nil }
        var output: [UInt8] = [version]
        for index in effects.indices {
            guard let origin = effects[index].origin else {
                output.append(0)
                continue
            }
            var flags = isKnown
            if origin.occurredAt != nil { flags |= hasTime }
            if origin.recordedAt != nil { flags |= hasRecord }
            if let trace = origin.trace { flags |= hasTrace | (trace.isSampled ? isSampled : 0) }
            output.append(flags)
            append(UInt64(bitPattern: origin.decidedAt.microseconds), to: &output)
            if let time = origin.occurredAt { append(UInt64(bitPattern: time.microseconds), to: &output) }
            if let time = origin.recordedAt { append(UInt64(bitPattern: time.microseconds), to: &output) }
            if let trace = origin.trace { append(trace, to: &output) }
        }
        return output
    }

    static func decode(_ bytes: [UInt8], into effects: inout [Effect]) {
        var rest = bytes[...]
        guard rest.popFirst() == version else { return }
        for index in effects.indices {
            guard let flags = rest.popFirst() else { return }
            guard flags & isKnown != 0 else { continue }
            guard let decided = number(&rest) else { return }
            var times: [Timestamp?] = [nil, nil]
            for (place, flag) in [hasTime, hasRecord].enumerated() where flags & flag != 0 {
                guard let time = number(&rest) else { return }
                times[place] = Timestamp(microseconds: Int64(bitPattern: time))
            }
            var trace: TraceContext?
            if flags & hasTrace != 0 {
                guard let read = context(&rest, isSampled: flags & isSampled != 0) else { return }
                trace = read
            }
            effects[index].origin = EffectOrigin(
                occurredAt: times[0], recordedAt: times[1],
                decidedAt: Timestamp(microseconds: Int64(bitPattern: decided)), trace: trace)
        }
    }

    /// A context by itself, as it is kept with an approval.
    static func encode(_ trace: TraceContext) -> [UInt8] {
        var output: [UInt8] = [version, trace.isSampled ? isSampled : 0]
        append(trace, to: &output)
        return output
    }

    static func decode(trace bytes: [UInt8]) -> TraceContext? {
        var rest = bytes[...]
        guard rest.popFirst() == version, let flags = rest.popFirst() else { return nil }
        return context(&rest, isSampled: flags & isSampled != 0)
    }

    private static func append(_ trace: TraceContext, to output: inout [UInt8]) {
        append(trace.traceID.high, to: &output)
        append(trace.traceID.low, to: &output)
        append(trace.spanID.value, to: &output)
        let state = Array(trace.state.utf8)
        output.append(UInt8(truncatingIfNeeded: state.count >> 8))
        output.append(UInt8(truncatingIfNeeded: state.count))
        output.append(contentsOf: state)
    }

    private static func context(_ rest: inout ArraySlice<UInt8>, isSampled: Bool) -> TraceContext? {
        guard let high = number(&rest), let low = number(&rest), let span = number(&rest),
            let traceID = TraceContext.TraceID(high: high, low: low), let spanID = TraceContext.SpanID(span),
            let first = rest.popFirst(), let second = rest.popFirst()
        else { return nil }
        let count = Int(first) << 8 | Int(second)
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return TraceContext(
            traceID: traceID, spanID: spanID, isSampled: isSampled,
            state: String(decoding: rest.prefix(count), as: UTF8.self))
    }

    private static func append(_ value: UInt64, to output: inout [UInt8]) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            output.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    private static func number(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        guard rest.count >= 8 else { return nil }
        defer { rest = rest.dropFirst(8) }
        return rest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
