import CZlib

/// The ZLIB form (RFC 1950) of DEFLATE (RFC 1951), by the system's library.
enum Zlib {
    /// Compresses at the highest level. Equal bytes give equal results with one version of the library, and may not
    /// with another.
    static func compress(_ bytes: [UInt8]) throws(StatusListError) -> [UInt8] {
        var length = compressBound(uLong(bytes.count))
        var output = [UInt8](repeating: 0, count: Int(length))
        let code = unsafe output.withUnsafeMutableBufferPointer { (output: inout UnsafeMutableBufferPointer<UInt8>) in
            unsafe bytes.withUnsafeBufferPointer { (input: UnsafeBufferPointer<UInt8>) in
                // Both buffers are as long as the lengths say; zlib reads and writes within them.
                unsafe compress2(output.baseAddress, &length, input.baseAddress, uLong(input.count), Z_BEST_COMPRESSION)
            }
        }
        guard code == Z_OK else {
            throw StatusListError(.compression, "zlib could not compress \(bytes.count) bytes (\(code))")
        }
        output.removeLast(output.count - Int(length))
        return output
    }

    /// Decompresses one stream that fills the whole input, to at most so many bytes.
    static func decompress(_ bytes: [UInt8], maximumBytes: Int) throws(StatusListError) -> [UInt8] {
        var capacity = min(max(1, maximumBytes), max(1_024, bytes.count * 8))
        while true {
            var length = uLongf(capacity)
            var consumed = uLong(bytes.count)
            var output = [UInt8](repeating: 0, count: capacity)
            let code = unsafe output.withUnsafeMutableBufferPointer {
                (output: inout UnsafeMutableBufferPointer<UInt8>) in
                unsafe bytes.withUnsafeBufferPointer { (input: UnsafeBufferPointer<UInt8>) in
                    // Both buffers are as long as the lengths say; zlib reads and writes within them.
                    unsafe uncompress2(output.baseAddress, &length, input.baseAddress, &consumed)
                }
            }
            switch code {
            case Z_OK:
                guard Int(consumed) == bytes.count else {
                    throw StatusListError(.compression, "\(bytes.count - Int(consumed)) bytes follow the stream")
                }
                output.removeLast(output.count - Int(length))
                return output
            case Z_BUF_ERROR where capacity < maximumBytes:
                capacity = min(maximumBytes, capacity * 8)
            case Z_BUF_ERROR:
                throw StatusListError(.tooLarge, "more than \(maximumBytes) bytes when decompressed, or cut short")
            default:
                throw StatusListError(.compression, "not a ZLIB stream (\(code))")
            }
        }
    }
}
