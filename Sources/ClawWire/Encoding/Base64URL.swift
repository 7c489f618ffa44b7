/// Strict base64url without padding (RFC 4648 §5), the only form our formats write and read (WIRE section 1).
///
/// Decoding refuses padding, white space, foreign characters, impossible lengths and non-zero trailing bits, so every
/// byte string has exactly one text.
public enum Base64URL {
    private static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// True for a character of the alphabet.
    public static func isInAlphabet(_ character: UInt8) -> Bool { values[Int(character)] != 0xFF }

    /// Encodes bytes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        append(bytes, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends the encoding of bytes to a buffer.
    public static func append(_ bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        append(Array(bytes), to: &output)
    }

    /// Appends the encoding of bytes to a buffer.
    public static func append(_ bytes: [UInt8], to output: inout [UInt8]) {
        // A local copy spares the lazy initialiser's check for each character.
        let alphabet = alphabet
        let source = bytes.span
        output.reserveCapacity(output.count + (source.count * 4 + 2) / 3)
        var i = 0
        while i + 2 < source.count {
            let group = UInt32(source[i]) << 16 | UInt32(source[i + 1]) << 8 | UInt32(source[i + 2])
            output.append(alphabet[Int(group >> 18)])
            output.append(alphabet[Int(group >> 12 & 0x3F)])
            output.append(alphabet[Int(group >> 6 & 0x3F)])
            output.append(alphabet[Int(group & 0x3F)])
            i += 3
        }
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
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        decode(Array(text.utf8)[...])
    }

    /// Decodes ASCII bytes, or returns `nil` when they are not strict base64url.
    public static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(text.count * 3 / 4)
        let values = values
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        for character in text {
            let value = values[Int(character)]
            guard value != 0xFF else { return nil }
            accumulator = accumulator << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                output.append(UInt8(truncatingIfNeeded: accumulator >> bits))
            }
        }
        guard accumulator & (1 << bits - 1) == 0 else { return nil }
        return output
    }
}

/// Lowercase hexadecimal.
public enum Hex {
    private static let digits: [UInt8] = Array("0123456789abcdef".utf8)

    /// Encodes bytes in lowercase.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            output.append(digits[Int(byte >> 4)])
            output.append(digits[Int(byte & 0xF)])
        }
        return String(decoding: output, as: UTF8.self)
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
