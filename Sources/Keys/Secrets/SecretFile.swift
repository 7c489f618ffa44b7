import Glibc

/// Reads files that hold secrets, after checking that nobody else can.
///
/// Checked on the open descriptor, so that the file that was checked is the file that is read: a regular file, owned by
/// this process's user or root, with no permission for group or others, within bounds. Every call blocks for the time
/// of a small file's read.
public enum SecretFile {
    /// Which symbolic links may stand for a secret file.
    public enum Links: Sendable, Hashable {
        /// Only links that end inside the directory the path names, as mounted secrets of container platforms do.
        case withinDirectory
        /// Any link. The file it ends at is checked all the same.
        case anywhere
        /// None.
        case none
    }

    /// What is kept of the file.
    public enum Form: Sendable, Hashable {
        /// Every byte.
        case binary
        /// The one line of text without its line end: passwords and PINs.
        case line
    }

    /// Loads a secret.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - form: what is kept of it.
    ///   - length: how many bytes the secret may have; at most 1 MiB is ever read.
    ///   - links: which symbolic links are followed.
    /// - Throws: ``KeyError`` that names the path, what was found, and the command that mends it.
    public static func load(
        _ path: String, form: Form = .binary, length: ClosedRange<Int> = 1...65_536, links: Links = .withinDirectory
    ) throws(KeyError) -> SecretBytes {
        // Two bytes more than the secret: its line end.
        let file = try CheckedFile.read(path, limit: min(length.upperBound, 1 << 20) + 2, links: links)
        try file.requirePrivate()
        let secret: SecretBytes =
            switch form {
            case .binary: file.content
            case .line: file.content.trimmingLineEnd()
            }
        guard secret.count >= length.lowerBound else {
            throw KeyError(
                .tooShort, path, "the secret has \(secret.count) bytes, at least \(length.lowerBound) are needed",
                remedy: "write a longer secret into it, for example with `openssl rand -out FILE 32`")
        }
        guard secret.count <= length.upperBound else {
            throw KeyError(
                .tooLarge, path, "the secret has more than the \(length.upperBound) bytes that are allowed",
                remedy: "check that this is the right file")
        }
        return secret
    }
}

/// A file's content with the facts that say who else could have read or changed it.
struct CheckedFile {
    let path: String
    let content: SecretBytes
    /// The permission bits.
    let mode: UInt32

    /// Opens, checks and reads a file: regular, owned by this user or root, not writable by anyone else, within `limit`.
    static func read(_ path: String, limit: Int, links: SecretFile.Links) throws(KeyError) -> CheckedFile {
        let target = try resolve(path, links: links)
        // O_NONBLOCK keeps a pipe at the path from stalling the start; regular files ignore it.
        let descriptor = unsafe open(target, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw SystemFailure.opening(path, errno) }
        defer { close(descriptor) }

        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw SystemFailure.opening(path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KeyError(
                .notRegularFile, path, "this is \(kind(of: status.st_mode)), not a regular file",
                remedy: "give the path of the file itself")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw KeyError(
                .wrongOwner, path, "the file belongs to user \(status.st_uid), this process runs as user \(geteuid())",
                remedy: "run `chown \(geteuid()) \(path)` after checking where it came from")
        }
        let mode = status.st_mode & 0o7777
        guard mode & 0o022 == 0 else {
            throw KeyError(
                .openMode, path, "its mode \(octal(mode)) lets others change it", remedy: "run `chmod 600 \(path)`")
        }
        guard status.st_size <= limit else {
            throw KeyError(
                .tooLarge, path, "the file has \(status.st_size) bytes, at most \(limit) are allowed",
                remedy: "check that this is the right file")
        }
        // The file may grow while it is read; what does not fit was not there when it was checked.
        let storage = try unsafe SecretStorage(capacity: Int(status.st_size)) { buffer throws(KeyError) in
            var filled = 0
            while filled < buffer.count {
                let got = unsafe Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
                if got < 0 {
                    if errno == EINTR { continue }
                    throw SystemFailure.opening(path, errno)
                }
                if got == 0 { break }
                filled += got
            }
            return filled
        }
        return CheckedFile(path: path, content: SecretBytes(storage: storage), mode: mode)
    }

    /// Refuses a file that group or others may read, write or run.
    func requirePrivate() throws(KeyError) {
        guard mode & 0o077 == 0 else {
            throw KeyError(
                .openMode, path, "its mode \(Self.octal(mode)) lets others use it; a secret takes 0600 or less",
                remedy: "run `chmod 600 \(path)`, and replace the secret if others had access to this machine")
        }
    }

    private static func resolve(_ path: String, links: SecretFile.Links) throws(KeyError) -> String {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw KeyError(
                .fileMissing, "\"\(path)\"", "this is not a path", remedy: "give the file's path in the configuration")
        }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw SystemFailure.opening(path, errno) }
        guard status.st_mode & S_IFMT == S_IFLNK else { return path }
        let end = try realPath(path, naming: path)
        switch links {
        case .anywhere: return end
        case .none:
            throw KeyError(
                .symbolicLink, path, "this is a symbolic link to \(end), and no links are allowed here",
                remedy: "give that path itself")
        case .withinDirectory:
            var directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                separator: "/")
            if directory.isEmpty { directory = path.hasPrefix("/") ? "/" : "." }
            let home = try realPath(directory, naming: path)
            guard end.hasPrefix(home.hasSuffix("/") ? home : home + "/") else {
                throw KeyError(
                    .symbolicLink, path, "this is a symbolic link that leaves its directory, to \(end)",
                    remedy: "give that path itself")
            }
            return end
        }
    }

    private static func realPath(_ path: String, naming subject: String) throws(KeyError) -> String {
        guard let resolved = unsafe realpath(path, nil) else { throw SystemFailure.opening(subject, errno) }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private static func kind(of mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFDIR: "a directory"
        case S_IFIFO: "a pipe"
        case S_IFSOCK: "a socket"
        case S_IFLNK: "a symbolic link"
        default: "a device"
        }
    }

    private static func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }
}

/// Turns `errno` of a file operation into an error.
enum SystemFailure {
    /// The error of a file that could not be opened, inspected or read.
    static func opening(_ path: String, _ number: Int32) -> KeyError {
        switch number {
        case ENOENT, ENOTDIR:
            KeyError(
                .fileMissing, path, "there is no such file",
                remedy: "correct the path, or make a key with `clawgrant keys generate`")
        case ELOOP:
            KeyError(
                .symbolicLink, path, "its symbolic links lead in a circle or changed while they were followed",
                remedy: "give the path of the file itself")
        case EACCES, EPERM:
            KeyError(
                .fileUnreadable, path, "user \(geteuid()) may not open it",
                remedy: "run `chown \(geteuid()) \(path)`, and let that user search the directories above it")
        default:
            KeyError(
                .fileUnreadable, path, "the system says: \(text(number))", remedy: "check the file and its file system")
        }
    }

    /// The system's text for an error number.
    static func text(_ number: Int32) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress, unsafe strerror_r(number, base, buffer.count) == 0 else {
                return "error \(number)"
            }
            return unsafe String(cString: base)
        }
    }
}
