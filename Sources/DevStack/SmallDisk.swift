import Foundation
import Glibc
import Primitives

/// A file system of its own, small enough to be filled: a tmpfs in a directory.
///
/// Mounting takes the rights of root. What is mounted goes with ``close()``, or with the mount namespace it was made in.
public final class SmallDisk: Sendable {
    /// Where it is mounted.
    public let path: String
    private let isMounted = Lock(true)

    /// Makes the directory and mounts the file system there.
    ///
    /// - Parameters:
    ///   - path: A directory, made when it is not there.
    ///   - megabytes: Its size, in units of 2^20 bytes.
    /// - Throws: `DevStackError` with `commandFailed` where mounting is not allowed.
    public init(at path: String, megabytes: Int) async throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let options = "size=\(megabytes)m,mode=0711"
        try await Command.output(
            of: ManagedProcess.Configuration(
                executable: "mount", arguments: ["-t", "tmpfs", "-o", options, "clawgrant-small-disk", path]))
        self.path = path
    }

    private var ballast: String { "\(path)/ballast" }

    /// Whether this process may mount a file system.
    public static func isAllowed() async -> Bool {
        guard geteuid() == 0, let home = try? TemporaryDirectory(prefix: "claw-disk") else { return false }
        defer { home.close() }
        guard let disk = try? await SmallDisk(at: home.path("disk"), megabytes: 1) else { return false }
        await disk.close()
        return true
    }

    /// Takes every byte that is free; called again, those that have become free since.
    ///
    /// - Returns: How many bytes were taken by this call.
    /// - Throws: `DevStackError` with `systemCall` when writing fails for another reason than a full disk.
    @discardableResult
    public func fill() throws(DevStackError) -> Int {
        let file = unsafe open(ballast, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            if errno == ENOSPC { return 0 }
            throw .systemCall("open", on: ballast)
        }
        defer { Glibc.close(file) }
        let block = [UInt8](repeating: 0xC1, count: 1 << 20)
        var taken = 0
        var size = block.count
        while size > 0 {
            let count = unsafe write(file, block, size)
            if count > 0 {
                taken += count
            } else if errno == ENOSPC {
                size /= 16
            } else if errno != EINTR {
                throw .systemCall("write", on: ballast)
            }
        }
        return taken
    }

    /// Gives back what ``fill()`` took.
    public func free() { unsafe unlink(ballast) }

    /// Unmounts it, at the latest when the last program has closed its files there. Closing twice is fine.
    public func close() async {
        let isFirst = isMounted.withLock { mounted in
            defer { mounted = false }
            return mounted
        }
        guard isFirst else { return }
        // What cannot be unmounted ends with the namespace or the machine.
        _ = try? await Command.run(
            ManagedProcess.Configuration(executable: "umount", arguments: ["--lazy", path]))
    }
}
