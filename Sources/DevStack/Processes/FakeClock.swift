import Foundation
import Glibc

/// A clock on the wall for child processes, that can be set forward and back while they run; for tests of what a clock
/// that is wrong, or is put right, does to them.
///
/// It is Debian's libfaketime, loaded into the child before everything else, which reads the offset from a file at each
/// look at the clock. Clocks that nobody sets (`CLOCK_MONOTONIC`, `CLOCK_BOOTTIME`) go on as they are, as they do when a
/// machine's clock is set.
public final class FakeClock: Sendable {
    /// The path of the library; nil when it is not installed.
    public static let library: String? = {
        let folders = ["/usr/lib/\(architecture)-linux-gnu/faketime", "/usr/lib/faketime", "/usr/lib64/faketime"]
        // The library for processes of more than one thread.
        return folders.map { "\($0)/libfaketimeMT.so.1" }.first { FileManager.default.isReadableFile(atPath: $0) }
    }()

    private static var architecture: String {
        #if arch(arm64)
            "aarch64"
        #else
            "x86_64"
        #endif
    }

    private let file: String
    private let path: String

    /// Makes a clock that agrees with the machine's.
    ///
    /// - Parameter file: Where its offset is kept: a path in a directory that the children may read.
    /// - Throws: `DevStackError` with `toolMissing` when the library is not installed, `systemCall` when the file cannot be
    ///   written.
    public init(file: String) throws(DevStackError) {
        guard let library = Self.library else {
            throw DevStackError(
                .toolMissing, "libfaketime is missing. Install the Debian package libfaketime (./dev setup does).")
        }
        path = library
        self.file = file
        try set(ahead: .zero)
    }

    /// Sets the clock: from now on it is ahead of the machine's by this, or behind it when it is negative.
    ///
    /// - Throws: `DevStackError` with `systemCall`.
    public func set(ahead: Duration) throws(DevStackError) {
        let seconds = ahead.components.seconds
        let text = "\(seconds < 0 ? "-" : "+")\(seconds.magnitude)\n"
        // A reader sees the old file or the new one, never a part.
        let fresh = "\(file).new"
        guard
            FileManager.default.createFile(
                atPath: fresh, contents: Data(text.utf8), attributes: [.posixPermissions: 0o644]),
            unsafe rename(fresh, file) == 0
        else { throw DevStackError.systemCall("rename", on: file) }
    }

    /// Takes away what the library left of processes that are gone: each makes a piece of shared memory and a semaphore.
    public static func removeRemains() {
        let folder = "/dev/shm"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard name.hasPrefix("faketime_shm_") || name.hasPrefix("sem.faketime_sem_"),
                let pid = name.split(separator: "_").last.flatMap({ pid_t($0) }), Glibc.kill(pid, 0) != 0,
                errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
    }

    /// Variables of a child that lives by this clock.
    public var environment: [String: String] {
        [
            "LD_PRELOAD": path, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
    }
}
