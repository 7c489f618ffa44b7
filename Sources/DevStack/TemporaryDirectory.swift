import Foundation
import Glibc
import Primitives

/// A directory of its own for one run, removed with everything in it when the run ends.
///
/// It lies in `TMPDIR`, or in `/tmp`. Only its owner can read it; when the owner is root others may pass through it,
/// because PostgreSQL's data directory inside belongs to another user then.
public final class TemporaryDirectory: Sendable {
    /// The absolute path, without a slash at its end.
    public let path: String
    /// Whether the directory is left behind for a person to look at.
    public let isKept: Bool
    private let isRemoved = Lock(false)

    /// Makes the directory.
    ///
    /// - Parameters:
    ///   - prefix: The beginning of its name. Keep it short: sockets inside have paths of at most 107 bytes.
    ///   - keep: Whether it survives `close()` and the end of this object.
    /// - Throws: `DevStackError` with `systemCall` when it cannot be made.
    public init(prefix: String = "clawgrant", keep: Bool = false) throws(DevStackError) {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        var template = Array("\(parent)/\(prefix)-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer {
            (space: inout UnsafeMutableBufferPointer<CChar>) -> String? in
            guard let start = space.baseAddress, let name = unsafe mkdtemp(start) else { return nil }
            return unsafe String(cString: name)
        }
        guard let made else { throw .systemCall("mkdtemp", on: parent) }
        if geteuid() == 0, unsafe chmod(made, 0o711) != 0 { throw .systemCall("chmod", on: made) }
        self.path = made
        self.isKept = keep
    }

    deinit { close() }

    /// The path of something in the directory.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Removes the directory now, unless it is kept. Closing twice is fine.
    public func close() {
        let isFirst = isRemoved.withLock { removed in
            defer { removed = true }
            return !removed
        }
        guard isFirst, !isKept else { return }
        // What cannot be removed is left to the system's own cleaning of its temporary files.
        try? FileManager.default.removeItem(atPath: path)
    }
}
