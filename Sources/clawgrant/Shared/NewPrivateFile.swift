import Glibc

/// Writes files of mode 0600 that must not exist before.
enum NewPrivateFile {
    static func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw failure(path, errno) }
            throw CommandFailure.negative(
                "\(path) exists already, and secrets are never overwritten; choose another name")
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR {
                let number = errno
                close(descriptor)
                unsafe unlink(path)
                throw failure(path, number)
            }
            rest = rest.dropFirst(max(0, count))
        }
        guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0, close(descriptor) == 0 else {
            let number = errno
            unsafe unlink(path)
            throw failure(path, number)
        }
    }

    private static func failure(_ path: String, _ number: Int32) -> CommandFailure {
        let text = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        return .negative("\(path) cannot be written: \(text); check that its directory exists and is writable")
    }
}
