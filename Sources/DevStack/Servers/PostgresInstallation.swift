import Foundation
import Glibc

/// The PostgreSQL server programs on this machine.
struct PostgresInstallation: Sendable {
    /// The folder with `initdb`, `postgres` and `psql`.
    let folder: String

    /// Finds the newest installation: Debian's folders first, then `PATH`. The variable `CLAWGRANT_POSTGRES_BIN` names
    /// a folder that goes before both.
    ///
    /// - Throws: `DevStackError` with `toolMissing`.
    static func find() throws(DevStackError) -> PostgresInstallation {
        let environment = ProcessInfo.processInfo.environment
        let named = environment["CLAWGRANT_POSTGRES_BIN"].map { [$0] } ?? []
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
        let debian = versions.sorted(by: >).map { "\(root)/\($0)/bin" }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in named + debian + path
        where ["initdb", "postgres"].allSatisfy({ Executables.isExecutable("\(folder)/\($0)") }) {
            return PostgresInstallation(folder: folder)
        }
        throw DevStackError(
            .toolMissing,
            "No PostgreSQL server programs (initdb, postgres) were found in \(root)/*/bin or PATH. "
                + "Install the Debian package postgresql (./dev setup does), "
                + "or name their folder in CLAWGRANT_POSTGRES_BIN.")
    }

    func program(_ name: String) -> String { "\(folder)/\(name)" }
}

/// A system user to run a server as.
struct SystemUser: Sendable, Equatable {
    let name: String
    let uid: uid_t
    let gid: gid_t

    /// Looks a user up by name; nil when there is none.
    static func named(_ name: String) -> SystemUser? {
        var record = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var space = [CChar](repeating: 0, count: 16_384)
        let result = unsafe getpwnam_r(name, &record, &space, space.count, &found)
        guard result == 0, unsafe found != nil else { return nil }
        return unsafe SystemUser(name: name, uid: record.pw_uid, gid: record.pw_gid)
    }

    /// The first folder on the way to `path` that this user may not pass through; nil when the way is free.
    static func firstClosedFolder(above path: String) -> String? {
        var folder = (path as NSString).deletingLastPathComponent
        var closed: String?
        while folder.count > 1 {
            var status = stat()
            if unsafe stat(folder, &status) == 0, status.st_mode & S_IXOTH == 0 { closed = folder }
            folder = (folder as NSString).deletingLastPathComponent
        }
        return closed
    }
}
