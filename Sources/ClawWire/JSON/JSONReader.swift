/// Reads one JSON document within limits, keeping member order.
///
/// Repeated keys are refused in our own formats (``Duplicates/refuse``). The compatible formats need what ECMAScript's
/// `JSON.parse` does (first position, last value): ``Duplicates/keepLastValue``. That mode also keeps lone surrogate
/// escapes, see ``LoneSurrogates/keep``.
public struct JSONReader {
    /// What to do with a repeated key.
    public enum Duplicates: Sendable {
        /// Refuse the document.
        case refuse
        /// Keep the first position and the last value, as ECMAScript does.
        case keepLastValue
    }

    /// What to do with an escape of a surrogate without its partner, which no Unicode text can hold.
    public enum LoneSurrogates: Sendable {
        /// Refuse the document.
        case refuse
        /// Keep it as a private-use scalar from ``JSONString/surrogateBase`` on, so that the printers can reproduce it.
        case keep
        /// Take U+FFFD for it, as readers of UTF-8 do for what is no character, and for the private-use scalars that
        /// ``keep`` needs: one text of a stranger's must not cost the whole document, nor go on into documents of ours.
        case replace
    }

    private let limits: JSONLimits
    private let duplicates: Duplicates
    private let loneSurrogates: LoneSurrogates
    private var position = 0
    private var members = 0

    /// Reads a document. `loneSurrogates` is what `duplicates` goes with where it is not given.
    ///
    /// - Throws: ``JSONError`` with the position of the first fault.
    public static func parse(
        _ bytes: [UInt8], limits: JSONLimits = .standard, duplicates: Duplicates = .refuse,
        loneSurrogates: LoneSurrogates? = nil
    ) throws(JSONError) -> JSONValue {
        var reader = JSONReader(
            limits: limits, duplicates: duplicates,
            loneSurrogates: loneSurrogates ?? (duplicates == .keepLastValue ? .keep : .refuse))
        return try reader.document(bytes.span)
    }

    /// Reads a document from text.
    ///
    /// - Throws: ``JSONError`` with the position of the first fault.
    public static func parse(
        _ text: String, limits: JSONLimits = .standard, duplicates: Duplicates = .refuse
    ) throws(JSONError) -> JSONValue {
        try parse(Array(text.utf8), limits: limits, duplicates: duplicates)
    }

    private init(limits: JSONLimits, duplicates: Duplicates, loneSurrogates: LoneSurrogates) {
        self.limits = limits
        self.duplicates = duplicates
        self.loneSurrogates = loneSurrogates
    }

    private mutating func document(_ bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.maximumBytes else {
            throw fault(
                bytes, .tooLarge, "the document has \(bytes.count) bytes; at most \(limits.maximumBytes) are read",
                at: 0)
        }
        skipWhitespace(bytes)
        let value = try self.value(bytes, depth: 0)
        skipWhitespace(bytes)
        guard position == bytes.count else { throw fault(bytes, .trailingText, "text follows the value") }
        return value
    }

    private func fault(
        _ bytes: Span<UInt8>, _ code: JSONError.Code, _ detail: String, at offset: Int? = nil
    ) -> JSONError {
        let offset = offset ?? position
        var line = 1
        var column = 1
        var i = 0
        while i < min(offset, bytes.count) {
            if bytes[i] == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else {
                column += 1
            }
            i += 1
        }
        return JSONError(code: code, offset: offset, line: line, column: column, detail: detail)
    }

    private mutating func skipWhitespace(_ bytes: Span<UInt8>) {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "a value was expected, the text ends") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(bytes, depth: depth)
        case UInt8(ascii: "["): return try array(bytes, depth: depth)
        case UInt8(ascii: "\""): return .string(try string(bytes))
        case UInt8(ascii: "t"):
            try literal(bytes, Self.literals.true)
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal(bytes, Self.literals.false)
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal(bytes, Self.literals.null)
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number(bytes))
        default: throw fault(bytes, .syntax, "a value cannot start with this character")
        }
    }

    private static let literals: (true: [UInt8], false: [UInt8], null: [UInt8]) = (
        Array("true".utf8), Array("false".utf8), Array("null".utf8)
    )

    private mutating func literal(_ bytes: Span<UInt8>, _ text: [UInt8]) throws(JSONError) {
        for character in text {
            guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in a literal") }
            guard bytes[position] == character else {
                throw fault(bytes, .syntax, "only true, false and null are literals")
            }
            position += 1
        }
    }

    private mutating func countMember(_ bytes: Span<UInt8>) throws(JSONError) {
        members += 1
        guard members <= limits.maximumMembers else {
            throw fault(bytes, .tooManyMembers, "more than \(limits.maximumMembers) members and elements")
        }
    }

    private func checkDepth(_ bytes: Span<UInt8>, _ depth: Int) throws(JSONError) {
        guard depth < limits.maximumDepth else {
            throw fault(bytes, .tooDeep, "nested deeper than \(limits.maximumDepth) levels")
        }
    }

    private mutating func object(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        try checkDepth(bytes, depth)
        position += 1
        var object = JSONObject()
        skipWhitespace(bytes)
        if position < bytes.count, bytes[position] == UInt8(ascii: "}") {
            position += 1
            return .object(object)
        }
        while true {
            skipWhitespace(bytes)
            guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in an object") }
            guard bytes[position] == UInt8(ascii: "\"") else {
                throw fault(bytes, .syntax, "a key in quotes was expected")
            }
            let keyPosition = position
            let key = try string(bytes)
            try countMember(bytes)
            skipWhitespace(bytes)
            guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in an object") }
            guard bytes[position] == UInt8(ascii: ":") else { throw fault(bytes, .syntax, "a colon was expected") }
            position += 1
            skipWhitespace(bytes)
            let value = try self.value(bytes, depth: depth + 1)
            if object.contains(key) {
                guard duplicates == .keepLastValue else {
                    throw fault(
                        bytes, .duplicateKey, "the object repeats the key \"\(key.cut(toBytes: 64))\"", at: keyPosition)
                }
                object[key] = value
            } else {
                object.append(uniqueKey: key, value: value)
            }
            skipWhitespace(bytes)
            guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in an object") }
            switch bytes[position] {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(object)
            default: throw fault(bytes, .syntax, "a comma or a closing brace was expected")
            }
        }
    }

    private mutating func array(_ bytes: Span<UInt8>, depth: Int) throws(JSONError) -> JSONValue {
        try checkDepth(bytes, depth)
        position += 1
        var elements: [JSONValue] = []
        skipWhitespace(bytes)
        if position < bytes.count, bytes[position] == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            try countMember(bytes)
            skipWhitespace(bytes)
            elements.append(try value(bytes, depth: depth + 1))
            skipWhitespace(bytes)
            guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in an array") }
            switch bytes[position] {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw fault(bytes, .syntax, "a comma or a closing bracket was expected")
            }
        }
    }

    private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) -> Double {
        let start = position
        func digit(_ i: Int) -> Bool { i < bytes.count && bytes[i] >= 0x30 && bytes[i] <= 0x39 }
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        guard digit(position) else { throw fault(bytes, .syntax, "a digit was expected") }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
            if digit(position) { throw fault(bytes, .syntax, "a number cannot start with 0 and another digit") }
        } else {
            while digit(position) { position += 1 }
        }
        var isInteger = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard digit(position) else { throw fault(bytes, .syntax, "a digit was expected after the point") }
            while digit(position) { position += 1 }
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: "e") || bytes[position] == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            guard digit(position) else { throw fault(bytes, .syntax, "a digit was expected in the exponent") }
            while digit(position) { position += 1 }
        }
        let length = position - start
        guard length <= limits.maximumNumberCharacters else {
            throw fault(
                bytes, .numberTooLong, "a number has \(length) characters; at most \(limits.maximumNumberCharacters)",
                at: start)
        }
        if isInteger, length <= 15 {
            var magnitude = 0
            var i = bytes[start] == UInt8(ascii: "-") ? start + 1 : start
            while i < position {
                magnitude = magnitude * 10 + Int(bytes[i] - 0x30)
                i += 1
            }
            return bytes[start] == UInt8(ascii: "-") ? -Double(magnitude) : Double(magnitude)
        }
        var text = ""
        text.reserveCapacity(length)
        for i in start..<position { text.unicodeScalars.append(Unicode.Scalar(bytes[i])) }
        guard let value = Double(text), value.isFinite else {
            throw fault(bytes, .numberNotFinite, "the number is too large for a double", at: start)
        }
        return value
    }

    private mutating func string(_ bytes: Span<UInt8>) throws(JSONError) -> String {
        let start = position
        let first = start + 1
        let plain = JSONText.plainPart(of: bytes, from: first)
        position = plain.end
        guard plain.end < bytes.count else {
            throw fault(bytes, .unexpectedEnd, "the text ends in a string", at: start)
        }
        switch bytes[plain.end] {
        case UInt8(ascii: "\""):
            if !plain.isASCII, JSONString.holdsReservedScalar(bytes, first..<plain.end) {
                return try escapedString(bytes, start: start, first: first)
            }
            let text = try text(bytes, first..<plain.end, isASCII: plain.isASCII)
            position += 1
            return text
        case UInt8(ascii: "\\"): return try escapedString(bytes, start: start, first: first)
        default: throw fault(bytes, .syntax, "a control character must be escaped in a string")
        }
    }

    private func text(_ bytes: Span<UInt8>, _ range: Range<Int>, isASCII: Bool) throws(JSONError) -> String {
        guard range.count <= limits.maximumStringBytes else {
            throw fault(bytes, .stringTooLong, "a string is longer than \(limits.maximumStringBytes) bytes")
        }
        // ASCII is UTF-8 and needs no second look.
        if isASCII { return String(copying: unsafe UTF8Span(unchecked: bytes.extracting(range), isKnownASCII: true)) }
        do {
            return String(copying: try UTF8Span(validating: bytes.extracting(range)))
        } catch {
            throw fault(bytes, .invalidUTF8, "a string is not UTF-8", at: range.lowerBound)
        }
    }

    /// What stands for a reserved scalar at an offset.
    private func reserved(_ bytes: Span<UInt8>, at offset: Int) throws(JSONError) -> UInt32 {
        guard loneSurrogates == .replace else {
            throw fault(bytes, .reservedCharacter, "a string holds a character of U+10F000 to U+10F7FF", at: offset)
        }
        return 0xFFFD
    }

    private mutating func escapedString(_ bytes: Span<UInt8>, start: Int, first: Int) throws(JSONError) -> String {
        var buffer: [UInt8] = []
        if JSONString.holdsReservedScalar(bytes, first..<position) {
            position = first
        } else {
            for i in first..<position { buffer.append(bytes[i]) }
        }
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return try validated(buffer.span, 0..<buffer.count, in: bytes, at: start)
            case UInt8(ascii: "\\"):
                position += 1
                try appendEscape(bytes, to: &buffer)
            case ..<0x20: throw fault(bytes, .syntax, "a control character must be escaped in a string")
            case 0xF4 where JSONString.holdsReservedScalar(bytes, position..<min(position + 4, bytes.count)):
                append(scalar: try reserved(bytes, at: position), to: &buffer)
                position += 4
            default:
                buffer.append(byte)
                position += 1
            }
            guard buffer.count <= limits.maximumStringBytes else {
                throw fault(
                    bytes, .stringTooLong, "a string is longer than \(limits.maximumStringBytes) bytes", at: start)
            }
        }
        throw fault(bytes, .unexpectedEnd, "the text ends in a string", at: start)
    }

    private func validated(
        _ buffer: Span<UInt8>, _ range: Range<Int>, in bytes: Span<UInt8>, at start: Int
    ) throws(JSONError) -> String {
        do {
            return String(copying: try UTF8Span(validating: buffer.extracting(range)))
        } catch {
            throw fault(bytes, .invalidUTF8, "a string is not UTF-8", at: start)
        }
    }

    private mutating func appendEscape(_ bytes: Span<UInt8>, to buffer: inout [UInt8]) throws(JSONError) {
        guard position < bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in an escape") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"): try appendUnicodeEscape(bytes, to: &buffer)
        default: throw fault(bytes, .syntax, "unknown escape in a string", at: position - 1)
        }
    }

    private mutating func appendUnicodeEscape(_ bytes: Span<UInt8>, to buffer: inout [UInt8]) throws(JSONError) {
        let escape = position - 2
        let unit = try hexUnit(bytes)
        if unit >= 0xD800, unit < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            let mark = position
            position += 2
            let low = try hexUnit(bytes)
            if low >= 0xDC00, low < 0xE000 {
                let scalar = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                append(
                    scalar: JSONString.isReserved(scalar) ? try reserved(bytes, at: escape) : scalar, to: &buffer)
                return
            }
            position = mark
        }
        if unit >= 0xD800, unit < 0xE000 {
            switch loneSurrogates {
            case .refuse:
                throw fault(bytes, .loneSurrogate, "a surrogate escape stands without its partner", at: escape)
            case .keep: append(scalar: JSONString.surrogateBase + (unit - 0xD800), to: &buffer)
            case .replace: append(scalar: 0xFFFD, to: &buffer)
            }
            return
        }
        append(scalar: unit, to: &buffer)
    }

    private mutating func hexUnit(_ bytes: Span<UInt8>) throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw fault(bytes, .unexpectedEnd, "the text ends in an escape") }
        var unit: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[position]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw fault(bytes, .syntax, "four hexadecimal digits were expected")
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    private func append(scalar value: UInt32, to buffer: inout [UInt8]) {
        switch value {
        case ..<0x80: buffer.append(UInt8(value))
        case ..<0x800:
            buffer.append(UInt8(0xC0 | value >> 6))
            buffer.append(UInt8(0x80 | value & 0x3F))
        case ..<0x10000:
            buffer.append(UInt8(0xE0 | value >> 12))
            buffer.append(UInt8(0x80 | value >> 6 & 0x3F))
            buffer.append(UInt8(0x80 | value & 0x3F))
        default:
            buffer.append(UInt8(0xF0 | value >> 18))
            buffer.append(UInt8(0x80 | value >> 12 & 0x3F))
            buffer.append(UInt8(0x80 | value >> 6 & 0x3F))
            buffer.append(UInt8(0x80 | value & 0x3F))
        }
    }
}
