import CZlib

/// The gzip form (RFC 1952) of DEFLATE, by the system's library.
enum Gzip {
    /// Compresses; `nil` when the library has no memory for it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var length = compressBound(uLong(bytes.count))
        var output = [UInt8](repeating: 0, count: Int(length))
        let code = unsafe output.withUnsafeMutableBufferPointer { (output: inout UnsafeMutableBufferPointer<UInt8>) in
            unsafe bytes.withUnsafeBufferPointer { (input: UnsafeBufferPointer<UInt8>) in
                // Both buffers are as long as the lengths say; zlib reads and writes within them.
                unsafe compress2(output.baseAddress, &length, input.baseAddress, uLong(input.count), 6)
            }
        }
        guard code == Z_OK else { return nil }
        let checksum = unsafe bytes.withUnsafeBufferPointer { (input: UnsafeBufferPointer<UInt8>) in
            unsafe crc32(0, input.baseAddress, uInt(input.count))
        }
        // The ZLIB form is two bytes, the same DEFLATE stream, and four bytes of another checksum (RFC 1950).
        return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF] + output[2..<(Int(length) - 4)]
            + littleEndian(UInt32(truncatingIfNeeded: checksum)) + littleEndian(UInt32(truncatingIfNeeded: bytes.count))
    }

    private static func littleEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
}
