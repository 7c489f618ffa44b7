public import ClawWire

/// A JSON5 document (JSON5 specification 1.0.0): its value, and its comments.
///
/// Members that repeat are refused, because readers differ on which one counts. So are `Infinity` and `NaN`, which no
/// setting takes.
public struct JSON5Document: Sendable, Hashable {
    /// The value.
    public let value: JSONValue
    /// The comments without their marks, in order.
    public let comments: [String]

    /// Largest document read, in bytes.
    public static let maximumBytes = 1 << 20
    /// Deepest nesting read.
    public static let maximumDepth = 64

    /// Reads a document.
    ///
    /// - Throws: ``JSON5Error`` with the place of the first fault.
    public init(_ text: String) throws(JSON5Error) {
        var reader = JSON5Reader(text)
        value = try reader.document()
        comments = reader.comments
    }
}

/// Reads JSON5 scalar by scalar.
struct JSON5Reader {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private(set) var comments: [String] = []

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func document() throws(JSON5Error) -> JSONValue {
        guard scalars.count <= JSON5Document.maximumBytes else {
            throw fault("the document has more than \(JSON5Document.maximumBytes) characters")
        }
        if let place = scalars.firstIndex(where: Self.isReserved) {
            position = place
            throw fault("this private-use character is not read: values keep lone surrogates in it")
        }
        try skip()
        let value = try value(depth: 0)
        try skip()
        guard position == scalars.count else { throw fault("text follows the value") }
        return value
    }

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private func fault(_ detail: String) -> JSON5Error {
        var line = 1
        var column = 1
        for scalar in scalars.prefix(position) {
            if scalar == "\n" {
                line += 1
                column = 1
            } else {
                column += scalar.utf8.count
            }
        }
        return JSON5Error(line: line, column: column, detail: detail)
    }

    // MARK: White space and comments

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0xA0, 0xFEFF, 0x2028, 0x2029: true
        default: scalar.properties.generalCategory == .spaceSeparator
        }
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\n" || scalar == "\r" || scalar == "\u{2028}" || scalar == "\u{2029}"
    }

    private mutating func skip() throws(JSON5Error) {
        while let scalar = current {
            if Self.isSpace(scalar) {
                position += 1
            } else if scalar == "/" {
                try comment()
            } else {
                return
            }
        }
    }

    private mutating func comment() throws(JSON5Error) {
        let next = position + 1 < scalars.count ? scalars[position + 1] : nil
        guard next == "/" || next == "*" else { throw fault("a comment begins with // or /*") }
        let start = position + 2
        position = start
        var text = String.UnicodeScalarView()
        if next == "/" {
            while let scalar = current, !Self.isLineEnd(scalar) {
                text.append(scalar)
                position += 1
            }
        } else {
            while let scalar = current {
                if scalar == "*", position + 1 < scalars.count, scalars[position + 1] == "/" {
                    position += 2
                    comments.append(String(text))
                    return
                }
                text.append(scalar)
                position += 1
            }
            throw fault("the comment has no end")
        }
        comments.append(String(text))
    }

    // MARK: Values

    private mutating func value(depth: Int) throws(JSON5Error) -> JSONValue {
        guard let scalar = current else { throw fault("a value was expected, the text ends") }
        switch scalar {
        case "{": return try object(depth: depth)
        case "[": return try array(depth: depth)
        case "\"", "'": return .string(try string(scalar))
        case "-", "+", ".", "0"..."9": return try number()
        default:
            let start = position
            switch try identifier() {
            case "true": return true
            case "false": return false
            case "null": return .null
            case let word:
                position = start
                throw fault("\(word.prefix(32)) is no value")
            }
        }
    }

    private mutating func enter(_ depth: Int) throws(JSON5Error) {
        guard depth < JSON5Document.maximumDepth else {
            throw fault("nested deeper than \(JSON5Document.maximumDepth) levels")
        }
        position += 1
        try skip()
    }

    private mutating func object(depth: Int) throws(JSON5Error) -> JSONValue {
        try enter(depth)
        var object = JSONObject()
        while current != "}" {
            let key: String
            switch current {
            case nil: throw fault("the object ends without a closing brace")
            case "\"", "'": key = try string(scalars[position])
            default: key = try identifier()
            }
            guard !object.contains(key) else { throw fault("the member \(key.prefix(64)) is there twice") }
            try skip()
            guard current == ":" else { throw fault("a colon was expected after the member's name") }
            position += 1
            try skip()
            object[key] = try value(depth: depth + 1)
            try skip()
            guard try separator(before: "}") else { break }
        }
        position += 1
        return .object(object)
    }

    private mutating func array(depth: Int) throws(JSON5Error) -> JSONValue {
        try enter(depth)
        var elements: [JSONValue] = []
        while current != "]" {
            guard current != nil else { throw fault("the array ends without a closing bracket") }
            elements.append(try value(depth: depth + 1))
            try skip()
            guard try separator(before: "]") else { break }
        }
        position += 1
        return .array(elements)
    }

    /// Takes a comma. False at the end, where a comma may stand before it.
    private mutating func separator(before end: Unicode.Scalar) throws(JSON5Error) -> Bool {
        if current == end { return false }
        guard current == "," else { throw fault("a comma or \(end) was expected") }
        position += 1
        try skip()
        return true
    }

    // MARK: Names, texts, numbers

    private mutating func identifier() throws(JSON5Error) -> String {
        var name = String.UnicodeScalarView()
        while var scalar = current {
            let isEscaped = scalar == "\\"
            if isEscaped {
                position += 1
                guard current == "u" else { throw fault("only \\u escapes may stand in a name") }
                position += 1
                scalar = try escaped(digits: 4)
            }
            let isPart =
                scalar == "$" || scalar == "_" || scalar.properties.isXIDContinue && !name.isEmpty
                || scalar.properties.isXIDStart || (scalar == "\u{200C}" || scalar == "\u{200D}") && !name.isEmpty
            guard isPart else {
                if isEscaped { throw fault("this character may not stand in a name") }
                break
            }
            name.append(scalar)
            if !isEscaped { position += 1 }
        }
        guard !name.isEmpty else { throw fault("neither a value nor a name can begin like this") }
        return String(name)
    }

    private mutating func string(_ quote: Unicode.Scalar) throws(JSON5Error) -> String {
        position += 1
        var text = String.UnicodeScalarView()
        while let scalar = current {
            position += 1
            switch scalar {
            case quote: return String(text)
            case "\n", "\r":
                position -= 1
                throw fault("a text goes over the end of its line")
            case "\\": try escape(into: &text)
            default: text.append(scalar)
            }
        }
        throw fault("the text has no closing quote")
    }

    private mutating func escape(into text: inout String.UnicodeScalarView) throws(JSON5Error) {
        guard let scalar = current else { throw fault("the text ends in an escape") }
        position += 1
        switch scalar {
        case "b": text.append("\u{08}")
        case "f": text.append("\u{0C}")
        case "n": text.append("\n")
        case "r": text.append("\r")
        case "t": text.append("\t")
        case "v": text.append("\u{0B}")
        case "0":
            if let digit = current, ("0"..."9").contains(digit) { throw fault("octal escapes are not read") }
            text.append("\0")
        case "1"..."9": throw fault("octal escapes are not read")
        case "x": text.append(try escaped(digits: 2))
        case "u": text.append(try escaped(digits: 4))
        case "\r": if current == "\n" { position += 1 }
        case "\n", "\u{2028}", "\u{2029}": break
        default: text.append(scalar)
        }
    }

    /// The scalar of a hexadecimal escape; a surrogate needs its partner right behind it.
    private mutating func escaped(digits: Int) throws(JSON5Error) -> Unicode.Scalar {
        let first = try hexadecimal(digits)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), current == "\\", position + 1 < scalars.count,
            scalars[position + 1] == "u"
        else { throw fault("a surrogate stands without its partner") }
        position += 2
        let second = try hexadecimal(4)
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw fault("a surrogate stands without its partner") }
        guard !Self.isReserved(scalar) else {
            throw fault("this private-use character is not read: values keep lone surrogates in it")
        }
        return scalar
    }

    /// U+10F000 to U+10F7FF, which the readers of JSON refuse too: printed, each would be another character.
    private static func isReserved(_ scalar: Unicode.Scalar) -> Bool { (0x10_F000...0x10_F7FF).contains(scalar.value) }

    private mutating func hexadecimal(_ digits: Int) throws(JSON5Error) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = current, let digit = Self.hexDigit(scalar) else {
                throw fault("\(digits) hexadecimal digits were expected")
            }
            value = value << 4 | digit
            position += 1
        }
        return value
    }

    private static func hexDigit(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "a"..."f": scalar.value - 0x61 + 10
        case "A"..."F": scalar.value - 0x41 + 10
        default: nil
        }
    }

    private mutating func number() throws(JSON5Error) -> JSONValue {
        let start = position
        var text = ""
        while let scalar = current {
            switch scalar {
            case "0"..."9", "a"..."z", "A"..."Z", ".", "+", "-": text.unicodeScalars.append(scalar)
            default: break
            }
            guard text.unicodeScalars.count == position - start + 1 else { break }
            position += 1
        }
        guard let number = Self.number(text) else {
            position = start
            throw fault("\(text.prefix(32)) is no number that is read here")
        }
        return .number(number)
    }

    private static func number(_ text: String) -> Double? {
        var digits = Substring(text)
        var sign = 1.0
        if digits.hasPrefix("-") || digits.hasPrefix("+") { sign = digits.removeFirst() == "-" ? -1 : 1 }
        guard digits.utf8.count <= 64, let first = digits.utf8.first else { return nil }
        if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
            guard digits.utf8.dropFirst(2).first.map({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) == true
            else { return nil }
            return UInt64(digits.dropFirst(2), radix: 16).map { sign * Double($0) }
        }
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        guard isDigit(first) || first == UInt8(ascii: ".") && digits.utf8.count > 1,
            digits.utf8.allSatisfy({ isDigit($0) || ".eE+-".utf8.contains($0) }),
            !(first == UInt8(ascii: "0") && digits.utf8.dropFirst().first.map(isDigit) == true)
        else { return nil }
        var standard = digits.hasPrefix(".") ? "0" + digits : String(digits)
        // JSON5 allows a point without digits behind it, Swift does not.
        standard = standard.replacing(".e", with: ".0e").replacing(".E", with: ".0E")
        if standard.hasSuffix(".") { standard += "0" }
        guard let value = Double(standard), value.isFinite else { return nil }
        return sign * value
    }
}
