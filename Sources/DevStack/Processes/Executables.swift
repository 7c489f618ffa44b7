import Foundation
import Glibc

/// Finds programs on this machine.
enum Executables {
    /// The absolute path of a program: `name` itself when it holds a slash, else the first match in `PATH`.
    ///
    /// - Throws: `DevStackError` with `toolMissing`, which names the Debian package when one is given.
    static func find(_ name: String, package: String? = nil) throws(DevStackError) -> String {
        if name.contains("/") {
            if isExecutable(name) { return name }
        } else {
            let folders = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
            for folder in folders.split(separator: ":") where isExecutable("\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        let advice = package.map { " Install the Debian package \($0): apt-get install \($0)" } ?? ""
        throw DevStackError(.toolMissing, "The program \(name) was not found.\(advice)")
    }

    static func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}

/// The end of a server's log, for error messages.
enum LogTail {
    /// The last lines of a file, or a remark that there is nothing to show.
    static func of(_ path: String, lines count: Int = 15) -> String {
        guard let bytes = FileText.bytes(of: path), !bytes.isEmpty else {
            return "(its log \(path) is empty)"
        }
        let text = String(decoding: bytes.suffix(16_384), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true).suffix(count)
        return "the end of \(path):\n" + lines.joined(separator: "\n")
    }
}
