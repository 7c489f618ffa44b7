import ClawWire

/// Finds the members and elements of JSON text without building values.
///
/// It checks no more than it needs to find the ends: strings close, brackets match within ``maximumDepth``, no white
/// space between tokens. What it cuts out is hashed as it stands, or handed to the bounded reader.
enum CanonicalScanner {
    static let maximumDepth = 64

    struct Member {
        let key: Range<Int>
        let value: Range<Int>
    }

    /// The members of the object that fills `range`, at most `maximum`.
    static func members(
        _ bytes: [UInt8], _ range: Range<Int>, maximum: Int = 64
    ) throws(EvidenceError) -> [Member] {
        var members: [Member] = []
        members.reserveCapacity(24)
        var position = try enter(bytes, range, UInt8(ascii: "{"))
        if position < range.upperBound, bytes[position] == UInt8(ascii: "}") {
            guard position + 1 == range.upperBound else { throw fault(position + 1) }
            return []
        }
        while true {
            guard members.count < maximum else {
                throw EvidenceError(.limitExceeded, "", "an object has more than \(maximum) members")
            }
            let key = try string(bytes, position, range.upperBound)
            guard key.upperBound + 1 < range.upperBound, bytes[key.upperBound + 1] == UInt8(ascii: ":") else {
                throw fault(key.upperBound)
            }
            let value = try value(bytes, key.upperBound + 2, range.upperBound)
            members.append(Member(key: key, value: value))
            if try !next(bytes, value.upperBound, range.upperBound, close: UInt8(ascii: "}")) { return members }
            position = value.upperBound + 1
        }
    }

    /// The elements of the array that fills `range`, at most `maximum`.
    static func elements(
        _ bytes: [UInt8], _ range: Range<Int>, maximum: Int
    ) throws(EvidenceError) -> [Range<Int>] {
        var elements: [Range<Int>] = []
        var position = try enter(bytes, range, UInt8(ascii: "["))
        if position < range.upperBound, bytes[position] == UInt8(ascii: "]") {
            guard position + 1 == range.upperBound else { throw fault(position + 1) }
            return []
        }
        while true {
            guard elements.count < maximum else {
                throw EvidenceError(.limitExceeded, "", "an array has more than \(maximum) elements")
            }
            let value = try value(bytes, position, range.upperBound)
            elements.append(value)
            if try !next(bytes, value.upperBound, range.upperBound, close: UInt8(ascii: "]")) { return elements }
            position = value.upperBound + 1
        }
    }

    /// The text between the quotes, when the value is a string without escapes.
    static func plainText(_ bytes: [UInt8], _ value: Range<Int>) -> String? {
        guard value.count >= 2, bytes[value.lowerBound] == UInt8(ascii: "\"") else { return nil }
        let text = bytes[(value.lowerBound + 1)..<(value.upperBound - 1)]
        guard text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    /// True when the key, between its quotes, is `name`.
    static func isKey(_ bytes: [UInt8], _ member: Member, _ name: String) -> Bool {
        member.key.count == name.utf8.count && bytes[member.key].elementsEqual(name.utf8)
    }

    private static func enter(
        _ bytes: [UInt8], _ range: Range<Int>, _ bracket: UInt8
    ) throws(EvidenceError) -> Int {
        guard range.count >= 2, range.upperBound <= bytes.count, bytes[range.lowerBound] == bracket else {
            throw fault(range.lowerBound)
        }
        return range.lowerBound + 1
    }

    /// True when another member follows, false when `close` ends the value and the range.
    private static func next(
        _ bytes: [UInt8], _ position: Int, _ end: Int, close: UInt8
    ) throws(EvidenceError) -> Bool {
        guard position < end else { throw fault(position) }
        if bytes[position] == UInt8(ascii: ",") { return true }
        guard bytes[position] == close, position + 1 == end else { throw fault(position) }
        return false
    }

    /// The range between the quotes of the string that begins at `start`.
    private static func string(_ bytes: [UInt8], _ start: Int, _ end: Int) throws(EvidenceError) -> Range<Int> {
        guard start < end, bytes[start] == UInt8(ascii: "\"") else { throw fault(start) }
        var position = JSONText.plainPart(of: bytes.span, from: start + 1).end
        while position < end {
            switch bytes[position] {
            case UInt8(ascii: "\""): return (start + 1)..<position
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
            position = JSONText.plainPart(of: bytes.span, from: position).end
        }
        throw fault(start)
    }

    /// The range of the value that begins at `start`.
    private static func value(_ bytes: [UInt8], _ start: Int, _ end: Int) throws(EvidenceError) -> Range<Int> {
        guard start < end else { throw fault(start) }
        switch bytes[start] {
        case UInt8(ascii: "\""):
            return start..<(try string(bytes, start, end).upperBound + 1)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            return start..<(try bracketed(bytes, start, end))
        default:
            var position = start
            while position < end, isScalar(bytes[position]) { position += 1 }
            guard position > start else { throw fault(start) }
            return start..<position
        }
    }

    private static func bracketed(_ bytes: [UInt8], _ start: Int, _ end: Int) throws(EvidenceError) -> Int {
        // One bit a level says which bracket is open; 64 levels fit a word.
        var kinds: UInt64 = 0
        var depth = 0
        var position = start
        while position < end {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position = try string(bytes, position, end).upperBound + 1
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < maximumDepth else {
                    throw EvidenceError(.limitExceeded, "", "nesting is deeper than \(maximumDepth) levels")
                }
                kinds = kinds << 1 | (bytes[position] == UInt8(ascii: "{") ? 1 : 0)
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard kinds & 1 == (bytes[position] == UInt8(ascii: "}") ? 1 : 0) else { throw fault(position) }
                kinds >>= 1
                depth -= 1
                if depth == 0 { return position + 1 }
            default: break
            }
            position += 1
        }
        throw fault(start)
    }

    private static func isScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): true
        default: false
        }
    }

    private static func fault(_ position: Int) -> EvidenceError {
        EvidenceError(.malformed, "", "the text is no compact JSON around byte \(position)")
    }
}
