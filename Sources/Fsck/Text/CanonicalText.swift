import ClawWire

/// Reads RFC 8785 text where it stands: one pass that finds the ends of values and refuses every other spelling.
///
/// Nothing is built: a value is a range of the text, so what is hashed are the bytes that were published.
enum CanonicalText {
    /// Where the text is not canonical, and why.
    struct Fault: Error, Hashable {
        let offset: Int
        let what: String
    }

    /// A member of an object; the key's range lies between its quotes.
    struct Member: Hashable {
        let key: Range<Int>
        let value: Range<Int>
    }

    static let maximumDepth = 64
    static let maximumMembers = 256

    /// The members of the object that begins at `start`, and where it ends.
    static func object(
        _ text: Span<UInt8>, at start: Int, depth: Int = 0
    ) throws(Fault) -> (members: [Member], end: Int) {
        var members: [Member] = []
        members.reserveCapacity(24)
        let end = try walkObject(text, at: start, depth: depth) {
            (text: Span<UInt8>, key: Range<Int>, start: Int) throws(Fault) -> Int in
            let end = try value(text, at: start, depth: depth)
            members.append(Member(key: key, value: start..<end))
            return end
        }
        return (members, end)
    }

    /// The elements of the array that begins at `start`, and where it ends.
    static func array(
        _ text: Span<UInt8>, at start: Int, maximum: Int, depth: Int = 0
    ) throws(Fault) -> (elements: [Range<Int>], end: Int) {
        var elements: [Range<Int>] = []
        let end = try walkArray(text, at: start, depth: depth) {
            (text: Span<UInt8>, start: Int) throws(Fault) -> Int in
            let end = try value(text, at: start, depth: depth)
            guard elements.count < maximum else {
                throw Fault(offset: start, what: "an array has more than \(maximum) elements")
            }
            elements.append(start..<end)
            return end
        }
        return (elements, end)
    }

    /// The members of the object that is the whole text.
    static func wholeObject(_ text: Span<UInt8>) throws(Fault) -> [Member] {
        let (members, end) = try object(text, at: 0)
        guard end == text.count else { throw Fault(offset: end, what: "text follows the object") }
        return members
    }

    /// Where the value ends that begins at `start`.
    static func value(_ text: Span<UInt8>, at start: Int, depth: Int) throws(Fault) -> Int {
        guard start < text.count else { throw Fault(offset: start, what: "a value is missing") }
        switch text[start] {
        case UInt8(ascii: "\""): return try string(text, at: start)
        case UInt8(ascii: "{"):
            return try walkObject(text, at: start, depth: depth + 1) {
                (text: Span<UInt8>, _: Range<Int>, start: Int) throws(Fault) -> Int in
                try value(text, at: start, depth: depth + 1)
            }
        case UInt8(ascii: "["):
            return try walkArray(text, at: start, depth: depth + 1) {
                (text: Span<UInt8>, start: Int) throws(Fault) -> Int in
                try value(text, at: start, depth: depth + 1)
            }
        case UInt8(ascii: "t"): return try literal(text, at: start, "true")
        case UInt8(ascii: "f"): return try literal(text, at: start, "false")
        case UInt8(ascii: "n"): return try literal(text, at: start, "null")
        default: return try number(text, at: start)
        }
    }

    /// Goes through an object; `value` is told where a key and its value stand and says where the value ends.
    static func walkObject(
        _ text: Span<UInt8>, at start: Int, depth: Int,
        _ value: (Span<UInt8>, Range<Int>, Int) throws(Fault) -> Int
    ) throws(Fault) -> Int {
        guard depth < maximumDepth else { throw Fault(offset: start, what: "nested too deeply") }
        guard start < text.count, text[start] == UInt8(ascii: "{") else {
            throw Fault(offset: start, what: "an object was expected")
        }
        var position = start + 1
        if position < text.count, text[position] == UInt8(ascii: "}") { return position + 1 }
        var previous: Range<Int>?
        var count = 0
        while true {
            count += 1
            guard count <= maximumMembers else { throw Fault(offset: position, what: "an object has too many members") }
            guard position < text.count, text[position] == UInt8(ascii: "\"") else {
                throw Fault(offset: position, what: "a member's name was expected")
            }
            let close = try string(text, at: position)
            let key = (position + 1)..<(close - 1)
            if let previous, !precedes(text, previous, key) {
                throw Fault(offset: position, what: "members repeat or are out of order")
            }
            previous = key
            guard close < text.count, text[close] == UInt8(ascii: ":") else {
                throw Fault(offset: close, what: "a colon was expected")
            }
            let end = try value(text, key, close + 1)
            guard end < text.count else { throw Fault(offset: end, what: "the text ends in an object") }
            if text[end] == UInt8(ascii: "}") { return end + 1 }
            guard text[end] == UInt8(ascii: ",") else { throw Fault(offset: end, what: "a comma was expected") }
            position = end + 1
        }
    }

    /// Goes through an array; `element` is told where an element begins and says where it ends.
    static func walkArray(
        _ text: Span<UInt8>, at start: Int, depth: Int, _ element: (Span<UInt8>, Int) throws(Fault) -> Int
    ) throws(Fault) -> Int {
        guard depth < maximumDepth else { throw Fault(offset: start, what: "nested too deeply") }
        guard start < text.count, text[start] == UInt8(ascii: "[") else {
            throw Fault(offset: start, what: "an array was expected")
        }
        var position = start + 1
        if position < text.count, text[position] == UInt8(ascii: "]") { return position + 1 }
        while true {
            let end = try element(text, position)
            guard end < text.count else { throw Fault(offset: end, what: "the text ends in an array") }
            if text[end] == UInt8(ascii: "]") { return end + 1 }
            guard text[end] == UInt8(ascii: ",") else { throw Fault(offset: end, what: "a comma was expected") }
            position = end + 1
        }
    }

    /// Where the string ends, its closing quote included.
    private static func string(_ text: Span<UInt8>, at start: Int) throws(Fault) -> Int {
        var position = start + 1
        var isASCII = true
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: "\"") {
                if !isASCII { try validate(text, (start + 1)..<position) }
                return position + 1
            }
            if byte == UInt8(ascii: "\\") {
                position = try escape(text, at: position)
                continue
            }
            guard byte >= 0x20 else { throw Fault(offset: position, what: "a control character is not escaped") }
            if byte >= 0x80 { isASCII = false }
            position += 1
        }
        throw Fault(offset: start, what: "a string does not end")
    }

    private static func escape(_ text: Span<UInt8>, at start: Int) throws(Fault) -> Int {
        guard start + 1 < text.count else { throw Fault(offset: start, what: "an escape does not end") }
        switch text[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "b"), UInt8(ascii: "t"), UInt8(ascii: "n"),
            UInt8(ascii: "f"), UInt8(ascii: "r"):
            return start + 2
        case UInt8(ascii: "u"):
            // Only the control characters without a short form are written this way.
            guard start + 6 <= text.count, text[start + 2] == 0x30, text[start + 3] == 0x30,
                text[start + 4] == 0x30 || text[start + 4] == 0x31
            else { break }
            let low: UInt8
            switch text[start + 5] {
            case 0x30...0x39: low = text[start + 5] - 0x30
            case 0x61...0x66: low = text[start + 5] - 0x61 + 10
            default: throw Fault(offset: start, what: "an escape is not the shortest one")
            }
            let code = (text[start + 4] - 0x30) << 4 | low
            guard ![0x08, 0x09, 0x0A, 0x0C, 0x0D].contains(code) else { break }
            return start + 6
        default: break
        }
        throw Fault(offset: start, what: "an escape is not the shortest one")
    }

    private static func validate(_ text: Span<UInt8>, _ range: Range<Int>) throws(Fault) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for i in range { bytes.append(text[i]) }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Fault(offset: range.lowerBound, what: "a string is not UTF-8")
        }
    }

    private static func literal(
        _ text: Span<UInt8>, at start: Int, _ word: StaticString
    ) throws(Fault) -> Int {
        let bytes = word.description.utf8
        guard start + bytes.count <= text.count else { throw Fault(offset: start, what: "no literal of JSON") }
        var position = start
        for byte in bytes {
            guard text[position] == byte else { throw Fault(offset: start, what: "no literal of JSON") }
            position += 1
        }
        return position
    }

    private static func number(_ text: Span<UInt8>, at start: Int) throws(Fault) -> Int {
        var position = start
        var isPlain = true
        if text[position] == UInt8(ascii: "-") { position += 1 }
        let digits = position
        while position < text.count {
            switch text[position] {
            case 0x30...0x39: break
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                isPlain = false
            default:
                return try checkNumber(text, start, digits, position, isPlain)
            }
            position += 1
        }
        return try checkNumber(text, start, digits, position, isPlain)
    }

    private static func checkNumber(
        _ text: Span<UInt8>, _ start: Int, _ digits: Int, _ end: Int, _ isPlain: Bool
    ) throws(Fault) -> Int {
        guard end > digits, end - start <= 32 else { throw Fault(offset: start, what: "a value was expected") }
        let count = end - digits
        if isPlain, count <= 15, text[digits] != 0x30 || count == 1 && digits == start { return end }
        // Everything but a short integer is compared with what ECMAScript prints.
        var bytes: [UInt8] = []
        for i in start..<end { bytes.append(text[i]) }
        guard let parsed = try? JSONReader.parse(bytes), JSONWriter.bytes(parsed, order: .canonical) == bytes else {
            throw Fault(offset: start, what: "a number is not in its shortest form")
        }
        return end
    }

    /// True when a key stands before another in the order of UTF-16 units.
    private static func precedes(_ text: Span<UInt8>, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        var i = left.lowerBound
        var j = right.lowerBound
        while i < left.upperBound, j < right.upperBound {
            let (a, b) = (text[i], text[j])
            if a == UInt8(ascii: "\\") || b == UInt8(ascii: "\\") || a >= 0xE0 || b >= 0xE0 {
                return plain(text, left).utf16.lexicographicallyPrecedes(plain(text, right).utf16)
            }
            if a != b { return a < b }
            i += 1
            j += 1
        }
        return i == left.upperBound && j < right.upperBound
    }

    /// The text of a string whose range between the quotes is known to be canonical.
    static func plain(_ text: Span<UInt8>, _ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count + 2)
        var isEscaped = false
        for i in range {
            bytes.append(text[i])
            if text[i] == UInt8(ascii: "\\") { isEscaped = true }
        }
        guard isEscaped else { return String(decoding: bytes, as: UTF8.self) }
        let quoted = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
        return (try? JSONReader.parse(quoted))?.string ?? String(decoding: bytes, as: UTF8.self)
    }

    /// True when the bytes of a range are those of a name.
    static func isEqual(_ text: Span<UInt8>, _ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        let bytes = name.description.utf8
        var position = range.lowerBound
        for byte in bytes {
            guard text[position] == byte else { return false }
            position += 1
        }
        return true
    }
}
