import ClawWire

/// What ends a line for some reader of logs, steers a terminal, or turns the direction of what is shown: never passed on
/// as it is.
enum SingleLine {
    /// Controls (C0, DEL, C1), the separators of lines and paragraphs, and the controls of direction.
    static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// The text with a space for each such character.
    static func text(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { output.append(isBreak(scalar) ? " " : scalar) }
        return String(output)
    }

    /// JSON in which these characters are written as `\uXXXX` (RFC 8259 section 7): the same value on one plain line.
    static func json(_ value: JSONValue, order: JSONWriter.Order = .asGiven) -> [UInt8] {
        let bytes = JSONWriter.bytes(value, order: order)
        guard bytes.contains(where: { $0 == 0x7F || $0 == 0xC2 || $0 == 0xE2 }) else { return bytes }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 64)
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            guard isBreak(scalar) else {
                output.append(contentsOf: UTF8.encode(scalar)?.map { $0 } ?? [])
                continue
            }
            let digits = String(scalar.value, radix: 16)
            output.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
        }
        return output
    }

    /// The same as text.
    static func jsonText(_ value: JSONValue, order: JSONWriter.Order = .asGiven) -> String {
        String(decoding: json(value, order: order), as: UTF8.self)
    }
}
