import Glibc

/// What the system is asked about open files; a failure is its error number.
struct FileCalls: Sendable {
    /// The error number of a call.
    struct Failure: Error {
        let number: Int32

        /// True when there is no room: others may make some.
        var isFull: Bool { [ENOSPC, EDQUOT, EFBIG].contains(number) }

        var text: String {
            unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        }

        static var last: Failure { Failure(number: errno) }
    }

    /// Writes bytes from the start, and returns how many were taken.
    var write: @Sendable (Descriptor, ArraySlice<UInt8>) throws(Failure) -> Int = { file, bytes throws(Failure) in
        while true {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file.number, $0.baseAddress, $0.count) }
            if count >= 0 { return count }
            guard errno == EINTR else { throw Failure.last }
        }
    }

    /// Forces what was written to disk.
    var sync: @Sendable (Descriptor) throws(Failure) -> Void = { file throws(Failure) in
        guard fsync(file.number) == 0 else { throw Failure.last }
    }
}

/// Owns an open file.
final class Descriptor: Sendable {
    let number: Int32

    init(opening path: String, _ flags: Int32, mode: mode_t = 0) throws(FileCalls.Failure) {
        number = unsafe open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw FileCalls.Failure.last }
    }

    deinit { if number >= 0 { Glibc.close(number) } }

    /// Size and time of the last change of its content, in seconds.
    func status() throws(FileCalls.Failure) -> (size: Int64, modified: Int64, isRegular: Bool) {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw FileCalls.Failure.last }
        return (Int64(status.st_size), Int64(status.st_mtim.tv_sec), status.st_mode & S_IFMT == S_IFREG)
    }

    /// Reads up to `count` bytes at an offset.
    func read(_ count: Int, at offset: Int64) throws(FileCalls.Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(number, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset) + filled)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FileCalls.Failure.last }
            if got == 0 { break }
            filled += got
        }
        return Array(bytes.prefix(filled))
    }

    func truncate(to size: Int64) throws(FileCalls.Failure) {
        guard ftruncate(number, off_t(size)) == 0 else { throw FileCalls.Failure.last }
    }
}
