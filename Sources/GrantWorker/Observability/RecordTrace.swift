import ApprovalSources
import ClawWire

/// The trace that a record says it is a part of.
///
/// The extension of CloudEvents comes first (Distributed Tracing extension 1.0.2), for it travels with the event through
/// every hop; then the record's own headers. Anything that is not well formed is no trace.
enum RecordTrace {
    static func context(of record: SourceRecord) -> TraceContext? {
        if let context = context(record.headers, "ce_traceparent", "ce_tracestate") ?? structured(record) {
            return context
        }
        return context(record.headers, "traceparent", "tracestate")
    }

    private static func context(_ headers: [SourceRecord.Header], _ parent: String, _ state: String) -> TraceContext? {
        var found: [UInt8]?
        var states: [UInt8]?
        for header in headers {
            guard let value = header.value else { continue }
            if header.name == parent {
                // Two of them contradict each other.
                guard found == nil else { return nil }
                found = value
            } else if header.name == state, states == nil {
                states = value
            }
        }
        return found.flatMap { TraceContext(traceparent: $0, tracestate: states) }
    }

    /// The attributes of an event whose attributes stand in the value. Few have these, so the text is looked through
    /// before it is parsed once more.
    private static func structured(_ record: SourceRecord) -> TraceContext? {
        guard let value = record.value, CloudEvent.mode(of: record) == .structured, contains(value, name),
            let event = try? JSONReader.parse(value), let parent = event["traceparent"]?.string
        else { return nil }
        return TraceContext(traceparent: parent, tracestate: event["tracestate"]?.string)
    }

    private static let name = Array("\"traceparent\"".utf8)

    private static func contains(_ bytes: [UInt8], _ name: [UInt8]) -> Bool {
        guard bytes.count >= name.count else { return false }
        var index = 0
        let last = bytes.count - name.count
        while index <= last {
            if bytes[index] == name[0], bytes[index + 1] == name[1], bytes[index..<(index + name.count)] == name[...] {
                return true
            }
            index += 1
        }
        return false
    }
}
