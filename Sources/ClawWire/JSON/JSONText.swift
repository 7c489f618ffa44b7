/// Finds the parts of JSON strings that stand for themselves, eight bytes at a time: most of every text that is read or
/// written is such a part.
public enum JSONText {
    /// The part of a text from a position up to the first quote, backslash or control character.
    public struct PlainPart {
        /// Where it ends: the position of that character, or the number of bytes when there is none.
        public let end: Int
        /// True when every byte of it is ASCII.
        public let isASCII: Bool
    }

    /// Measures the part that begins at a position.
    public static func plainPart(of bytes: Span<UInt8>, from start: Int) -> PlainPart {
        precondition(start >= 0)
        let words = unsafe bytes.bytes
        var end = start
        var met: UInt64 = 0
        while end + 8 <= bytes.count {
            // In bounds: eight bytes follow.
            let loaded = unsafe words.unsafeLoadUnaligned(fromUncheckedByteOffset: end, as: UInt64.self)
            let word = UInt64(littleEndian: loaded)
            let ending =
                zeroBytes(word ^ eight(0x22)) | zeroBytes(word ^ eight(0x5C)) | bytesBelow(0x20, word)
            guard ending == 0 else {
                let length = ending.trailingZeroBitCount / 8
                met |= word & (1 << UInt64(length * 8) - 1)
                return PlainPart(end: end + length, isASCII: isASCII(met))
            }
            met |= word
            end += 8
        }
        while end < bytes.count {
            let byte = bytes[end]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { break }
            met |= UInt64(byte)
            end += 1
        }
        return PlainPart(end: end, isASCII: isASCII(met))
    }

    /// Appends a text in quotes, its bytes as they are.
    public static func appendQuoted(_ text: String, to output: inout [UInt8]) {
        let bytes = text.utf8.span
        output.append(addingCapacity: bytes.count + 2) { (output: inout OutputSpan<UInt8>) in
            output.append(UInt8(ascii: "\""))
            unsafe output.withUnsafeMutableBufferPointer { (room: UnsafeMutableBufferPointer<UInt8>, count) in
                unsafe bytes.withUnsafeBufferPointer { (text: UnsafeBufferPointer<UInt8>) in
                    // In bounds: the capacity was made for the text and its quotes.
                    count = unsafe room[count...].initialize(fromContentsOf: text)
                }
            }
            output.append(UInt8(ascii: "\""))
        }
    }

    private static func isASCII(_ word: UInt64) -> Bool { word & eight(0x80) == 0 }

    /// A word of eight equal bytes.
    private static func eight(_ byte: UInt8) -> UInt64 { UInt64(byte) * 0x0101_0101_0101_0101 }

    /// Sets the high bit of the lowest byte that is zero; nothing below it is ever set.
    private static func zeroBytes(_ word: UInt64) -> UInt64 { bytesBelow(1, word) }

    /// Sets the high bit of the lowest byte below a limit of at most 0x80; nothing below it is ever set.
    private static func bytesBelow(_ limit: UInt8, _ word: UInt64) -> UInt64 {
        (word &- eight(limit)) & ~word & eight(0x80)
    }
}
