/// Strict base64url without padding (RFC 4648 §5), the only form our formats write and read (WIRE section 1).
///
/// Decoding refuses padding, white space, foreign characters, impossible lengths and non-zero trailing bits, so every
/// byte string has exactly one text.
public enum Base64URL {
    private static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// The two characters of each twelve bits, in the order in which they are stored.
    private static let pairs: [UInt16] = (0..<4_096).map { bits in
        (UInt16(alphabet[bits >> 6]) << 8 | UInt16(alphabet[bits & 0x3F])).bigEndian
    }
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// True for a character of the alphabet.
    public static func isInAlphabet(_ character: UInt8) -> Bool { values[Int(character)] != 0xFF }

    /// Encodes bytes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { encode(Array(bytes)) }

    /// Encodes bytes.
    public static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        append(bytes, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends the encoding of bytes to a buffer.
    public static func append(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        append(Array(bytes), to: &output)
    }

    /// Appends the encoding of bytes to a buffer.
    public static func append(_ bytes: [UInt8], to output: inout [UInt8]) { append(bytes.span, to: &output) }

    /// Appends the encoding of bytes to a buffer.
    public static func append(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
        let (pairs, alphabet) = (pairs, alphabet)
        output.append(addingCapacity: (bytes.count * 4 + 2) / 3) { (output: inout OutputSpan<UInt8>) in
            encode(bytes, pairs.span, alphabet.span, to: &output)
        }
    }

    private static func encode(
        _ source: Span<UInt8>, _ pairs: Span<UInt16>, _ alphabet: Span<UInt8>, to output: inout OutputSpan<UInt8>
    ) {
        let groups = source.count / 3
        unsafe output.withUnsafeMutableBufferPointer { (room: UnsafeMutableBufferPointer<UInt8>, count) in
            // In bounds: the capacity was made for four characters of each three bytes and the rest, an index of the table
            // has twelve bits, and three bytes are there for each group.
            guard let start = unsafe room.baseAddress.map({ UnsafeMutableRawPointer($0) }) else { return }
            for group in 0..<groups {
                let bits =
                    unsafe UInt32(source[unchecked: group * 3]) << 16 | UInt32(source[unchecked: group * 3 + 1]) << 8
                    | UInt32(source[unchecked: group * 3 + 2])
                unsafe start.storeBytes(
                    of: pairs[unchecked: Int(bits >> 12)], toByteOffset: count, as: UInt16.self)
                unsafe start.storeBytes(
                    of: pairs[unchecked: Int(bits & 0xFFF)], toByteOffset: count + 2, as: UInt16.self)
                count += 4
            }
        }
        let i = groups * 3
        switch source.count - i {
        case 1:
            output.append(alphabet[Int(source[i] >> 2)])
            output.append(alphabet[Int(source[i] & 0x3) << 4])
        case 2:
            let group = UInt32(source[i]) << 8 | UInt32(source[i + 1])
            output.append(alphabet[Int(group >> 10)])
            output.append(alphabet[Int(group >> 4 & 0x3F)])
            output.append(alphabet[Int(group & 0xF) << 2])
        default: break
        }
    }

    /// Decodes text, or returns `nil` when it is not strict base64url.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8).span) }

    /// Decodes text, or returns `nil` when it is not strict base64url.
    public static func decode(_ text: String) -> [UInt8]? { decode(text.utf8.span) }

    /// Decodes ASCII bytes, or returns `nil` when they are not strict base64url.
    public static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? { decode(text.span) }

    private static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        let table = values
        var isStrict = true
        let bytes = [UInt8](capacity: text.count * 3 / 4) { (output: inout OutputSpan<UInt8>) in
            isStrict = decode(text, table.span, to: &output)
        }
        return isStrict ? bytes : nil
    }

    /// False when the text is not strict; what was put out is of no use then.
    private static func decode(
        _ text: Span<UInt8>, _ values: Span<UInt8>, to output: inout OutputSpan<UInt8>
    ) -> Bool {
        // Values have six bits, foreign characters eight: all that are met are put together and looked at once.
        var met: UInt32 = 0
        func value(_ character: UInt8) -> UInt32 {
            let value = UInt32(values[Int(character)])
            met |= value
            return value
        }
        let words = unsafe text.bytes
        var i = 0
        while i + 3 < text.count {
            // In bounds: four characters follow.
            let loaded = unsafe words.unsafeLoadUnaligned(fromUncheckedByteOffset: i, as: UInt32.self)
            let four = UInt32(bigEndian: loaded)
            let group =
                value(UInt8(truncatingIfNeeded: four >> 24)) << 18 | value(UInt8(truncatingIfNeeded: four >> 16)) << 12
                | value(UInt8(truncatingIfNeeded: four >> 8)) << 6 | value(UInt8(truncatingIfNeeded: four))
            output.append(UInt8(truncatingIfNeeded: group >> 16))
            output.append(UInt8(truncatingIfNeeded: group >> 8))
            output.append(UInt8(truncatingIfNeeded: group))
            i += 4
        }
        var trailingBits: UInt32 = 0
        switch text.count - i {
        case 2:
            let group = value(text[i]) << 6 | value(text[i + 1])
            output.append(UInt8(truncatingIfNeeded: group >> 4))
            trailingBits = group & 0xF
        case 3:
            let group = value(text[i]) << 12 | value(text[i + 1]) << 6 | value(text[i + 2])
            output.append(UInt8(truncatingIfNeeded: group >> 10))
            output.append(UInt8(truncatingIfNeeded: group >> 2))
            trailingBits = group & 0x3
        default: break
        }
        return met < 0x40 && trailingBits == 0
    }
}

/// Lowercase hexadecimal.
public enum Hex {
    private static let digits: [UInt8] = Array("0123456789abcdef".utf8)

    /// Encodes bytes in lowercase.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        append(Array(bytes), to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends the digits of bytes to a buffer, in lowercase.
    public static func append(_ bytes: [UInt8], to output: inout [UInt8]) { append(bytes.span, to: &output) }

    /// Appends the digits of bytes to a buffer, in lowercase.
    public static func append(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
        let table = digits
        output.append(addingCapacity: bytes.count * 2) { (output: inout OutputSpan<UInt8>) in
            let digits = table.span
            for i in bytes.indices {
                output.append(digits[Int(bytes[i] >> 4)])
                output.append(digits[Int(bytes[i] & 0xF)])
            }
        }
    }

    /// Decodes text of either case, or returns `nil` when it is not hexadecimal of even length.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 2) else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(characters.count / 2)
        var i = 0
        while i < characters.count {
            guard let high = value(characters[i]), let low = value(characters[i + 1]) else { return nil }
            output.append(high << 4 | low)
            i += 2
        }
        return output
    }

    private static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}
