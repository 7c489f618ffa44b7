/// The place of something in a distributed trace (W3C Trace Context, level 1): of which trace it is a part, and which span
/// it continues.
///
/// It comes from strangers and says nothing about authority: it is parsed strictly, kept small, and never logged as
/// anything but itself.
public struct TraceContext: Sendable, Hashable {
    /// Identifier of a trace, 16 bytes, not all zero.
    public struct TraceID: Sendable, Hashable, CustomStringConvertible {
        /// The first eight bytes.
        public let high: UInt64
        /// The last eight bytes.
        public let low: UInt64

        /// Makes an identifier; `nil` of zeros.
        public init?(high: UInt64, low: UInt64) {
            guard high != 0 || low != 0 else { return nil }
            self.high = high
            self.low = low
        }

        /// 32 hexadecimal digits in lower case.
        public var description: String { TraceContext.hex(high) + TraceContext.hex(low) }
    }

    /// Identifier of a span, 8 bytes, not all zero.
    public struct SpanID: Sendable, Hashable, CustomStringConvertible {
        /// The bytes, big-endian.
        public let value: UInt64

        /// Makes an identifier; `nil` of zeros.
        public init?(_ value: UInt64) {
            guard value != 0 else { return nil }
            self.value = value
        }

        /// 16 hexadecimal digits in lower case.
        public var description: String { TraceContext.hex(value) }
    }

    /// Most characters of `tracestate` that are carried; the specification asks for 512 at least.
    public static let maximumStateLength = 512
    /// Most members of `tracestate` (section 3.3.1.1).
    static let maximumStateMembers = 32

    /// The trace.
    public let traceID: TraceID
    /// The span that what follows is a child of.
    public let spanID: SpanID
    /// Whether whoever came before keeps the trace.
    public let isSampled: Bool
    /// `tracestate`, as it came; empty for none.
    public let state: String

    /// Makes a context.
    public init(traceID: TraceID, spanID: SpanID, isSampled: Bool, state: String = "") {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// Reads the two headers (sections 3.2 and 3.3). A `tracestate` that is wrong is left out; a `traceparent` that is
    /// wrong leaves nothing.
    public init?(traceparent: some Sequence<UInt8>, tracestate: (some Sequence<UInt8>)?) {
        let bytes = Array(traceparent.prefix(256))
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = Self.number(bytes[0..<2]), version != 0xFF,
            let high = Self.number(bytes[3..<19]), let low = Self.number(bytes[19..<35]),
            let parent = Self.number(bytes[36..<52]), let flags = Self.number(bytes[53..<55]),
            let traceID = TraceID(high: high, low: low), let spanID = SpanID(parent)
        else { return nil }
        // Later versions may add fields behind another dash, and nothing else.
        guard version == 0 ? bytes.count == 55 : bytes.count == 55 || bytes[55] == dash else { return nil }
        self.traceID = traceID
        self.spanID = spanID
        isSampled = flags & 1 == 1
        state = tracestate.flatMap { Self.state(Array($0.prefix(Self.maximumStateLength + 1))) } ?? ""
    }

    /// Reads text; see ``init(traceparent:tracestate:)-(Sequence<UInt8>,_)``.
    public init?(traceparent: String, tracestate: String? = nil) {
        self.init(traceparent: traceparent.utf8, tracestate: tracestate?.utf8)
    }

    /// The header `traceparent`, version 00.
    public var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    /// The context of a span within this trace.
    public func child(_ spanID: SpanID) -> TraceContext {
        TraceContext(traceID: traceID, spanID: spanID, isSampled: isSampled, state: state)
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// Hexadecimal digits in lower case, at most 16.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// A `tracestate` whose members and keys are well formed and that names no key twice; `nil` for any other.
    private static func state(_ bytes: [UInt8]) -> String? {
        guard bytes.count <= maximumStateLength else { return nil }
        var keys: Set<[UInt8]> = []
        for part in bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: true) {
            let member = trimmed(part)
            if member.isEmpty { continue }
            guard let equals = member.firstIndex(of: UInt8(ascii: "=")), isKey(member[..<equals]),
                isValue(member[(equals + 1)...]), keys.insert(Array(member[..<equals])).inserted
            else { return nil }
        }
        guard keys.count <= maximumStateMembers, !keys.isEmpty else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return bytes[first...last]
    }

    private static func isKey(_ key: ArraySlice<UInt8>) -> Bool {
        guard let first = key.first, key.count <= 256 else { return false }
        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
        let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        guard isLetter || isDigit && key.contains(UInt8(ascii: "@")) else { return false }
        guard key.count(where: { $0 == UInt8(ascii: "@") }) <= 1 else { return false }
        return key.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "@"):
                true
            default: false
            }
        }
    }

    private static func isValue(_ value: ArraySlice<UInt8>) -> Bool {
        guard let last = value.last, last != 0x20, value.count <= 256 else { return false }
        return value.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
    }
}
