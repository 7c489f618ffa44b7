/// One PEM block: a label and the bytes it wraps (RFC 7468, the strict form of section 3).
///
/// Reads exactly one block. Blank lines around it are allowed, any other text is not: a file of several keys, or of a
/// key and its explanation, leaves open which of them was meant.
struct PEMBlock {
    /// The words between `-----BEGIN ` and `-----`.
    let label: String
    /// The decoded bytes.
    let content: [UInt8]

    /// Why a text is not one PEM block.
    struct Failure: Error {
        /// What was found, as a clause.
        let finding: String
        /// The label, when there was one.
        var label: String?
    }

    /// Reads a block.
    init(parsing bytes: [UInt8]) throws(Failure) {
        var lines: [ArraySlice<UInt8>] = []
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            var line = line
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            while line.last == UInt8(ascii: " ") || line.last == UInt8(ascii: "\t") { line.removeLast() }
            if !line.isEmpty { lines.append(line) }
        }
        guard let first = lines.first, let label = Self.label(of: first, "-----BEGIN ") else {
            throw Failure(finding: bytes.isEmpty ? "the file is empty" : "its first line is not a PEM header")
        }
        guard let endIndex = lines.firstIndex(where: { $0.starts(with: Array("-----END ".utf8)) }),
            Self.label(of: lines[endIndex], "-----END ") == label
        else { throw Failure(finding: "the PEM block is not closed by `-----END \(label)-----`", label: label) }
        guard endIndex == lines.count - 1 else {
            throw Failure(finding: "there is more text after the PEM block", label: label)
        }
        var decoder = Base64Decoder()
        for line in lines[1..<endIndex] {
            // A header inside the block is the mark of the old encrypted form (RFC 1421).
            guard !line.contains(UInt8(ascii: ":")) else {
                throw Failure(
                    finding: "the PEM block has headers, which encrypted keys of the old form have", label: label)
            }
            for byte in line {
                guard decoder.take(byte) else { throw Failure(finding: "the PEM block is not base64", label: label) }
            }
        }
        guard let content = decoder.finish(), !content.isEmpty else {
            throw Failure(finding: "the PEM block is not whole base64", label: label)
        }
        self.label = label
        self.content = content
    }

    /// Writes a block with lines of 64 characters and a line feed after each.
    static func text(label: String, content: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var characters: [UInt8] = []
        for start in stride(from: 0, to: content.count, by: 3) {
            let group = content[start..<min(start + 3, content.count)]
            var word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            word <<= UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                characters.append(
                    position <= group.count ? alphabet[Int(word >> UInt32(18 - 6 * position)) & 63] : UInt8(ascii: "="))
            }
        }
        var text = "-----BEGIN \(label)-----\n"
        for start in stride(from: 0, to: characters.count, by: 64) {
            text += String(decoding: characters[start..<min(start + 64, characters.count)], as: UTF8.self) + "\n"
        }
        return text + "-----END \(label)-----\n"
    }

    private static func label(of line: ArraySlice<UInt8>, _ prefix: String) -> String? {
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix(prefix), text.hasSuffix("-----"), text.utf8.count > prefix.utf8.count + 5 else {
            return nil
        }
        let label = text.dropFirst(prefix.count).dropLast(5)
        guard label.utf8.count <= 64, label.utf8.allSatisfy({ $0 == 0x20 || (0x30...0x5A).contains($0) }) else {
            return nil
        }
        return String(label)
    }
}

/// Strict base64 (RFC 4648 section 4): padding where due, no stray bits, nothing after the end.
private struct Base64Decoder {
    private var word: UInt32 = 0
    private var digits = 0
    private var padding = 0
    private var bytes: [UInt8] = []

    /// Takes one character; false when it cannot stand there.
    mutating func take(_ character: UInt8) -> Bool {
        if character == UInt8(ascii: "=") {
            padding += 1
            return padding <= 2
        }
        guard padding == 0 else { return false }
        let value: UInt32
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): value = 62
        case UInt8(ascii: "/"): value = 63
        default: return false
        }
        word = word << 6 | value
        digits += 1
        if digits == 4 {
            bytes += [UInt8(truncatingIfNeeded: word >> 16), UInt8(truncatingIfNeeded: word >> 8), UInt8(word & 0xFF)]
            word = 0
            digits = 0
        }
        return true
    }

    /// The bytes, or `nil` when the text ended in the middle.
    func finish() -> [UInt8]? {
        switch (digits, padding) {
        case (0, 0): bytes
        case (2, 2) where word & 0xF == 0: bytes + [UInt8(truncatingIfNeeded: word >> 4)]
        case (3, 1) where word & 0x3 == 0:
            bytes + [UInt8(truncatingIfNeeded: word >> 10), UInt8(truncatingIfNeeded: word >> 2)]
        default: nil
        }
    }
}
