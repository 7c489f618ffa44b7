import Glibc

/// Reads small files whole.
///
/// Foundation's readers lose a page of memory for each file that is empty or, like those in `/proc`, says it is. Logs and
/// process states are read again and again here.
enum FileText {
    /// The bytes of a file; nil when it cannot be read.
    static func bytes(of path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var all: [UInt8] = []
        var space = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe read(descriptor, &space, space.count)
            if count > 0 { all += space[..<count] }
            if count == 0 { return all }
            if count < 0, errno != EINTR { return nil }
        }
    }

    /// The text of a file, invalid UTF-8 replaced; nil when it cannot be read.
    static func of(_ path: String) -> String? { bytes(of: path).map { String(decoding: $0, as: UTF8.self) } }
}
