/// Why a key or a secret cannot be used: which one, what was found, and what to do about it.
///
/// No field ever holds a byte of a secret.
public struct KeyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong; stable, for tests, metrics and exit codes.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// There is no file at the path.
        case fileMissing
        /// The file is there and the system refused to open, read or inspect it.
        case fileUnreadable
        /// The path names a directory, device, pipe or socket.
        case notRegularFile
        /// The path is a symbolic link the configuration does not allow.
        case symbolicLink
        /// The file belongs to someone other than this process's user and root.
        case wrongOwner
        /// The file's mode lets its group or others do what they must not.
        case openMode
        /// The file or secret is larger than a key of its kind can be.
        case tooLarge
        /// The file or secret is shorter than it must be.
        case tooShort
        /// The file is not one PEM block (RFC 7468).
        case notPEM
        /// The private key is encrypted.
        case encryptedKey
        /// The file holds something else than is needed here: another algorithm, another kind of document.
        case unsupportedKey
        /// The PEM block is an Ed25519 key's by its name, and its content is not.
        case malformedKey
        /// A new key must not overwrite an existing file.
        case fileExists
        /// A new key could not be written.
        case writeFailed
        /// The PKCS#11 module cannot be loaded or initialised.
        case moduleUnavailable
        /// No token, or more than one, has the label.
        case tokenNotFound
        /// The token refused the PIN. It is not tried again.
        case pinRefused
        /// The token is locked, or one wrong attempt away from it.
        case pinLocked
        /// No key, or more than one, has the label or id.
        case keyNotFound
        /// The PKCS#11 module refused a call; the same call would be refused again.
        case moduleRefused
        /// The PKCS#11 module failed in a way that may pass: device gone, out of memory or sessions.
        case moduleFailed
        /// The configuration contradicts itself: two active keys for a purpose, an empty period.
        case contradictoryConfiguration
        /// One key is configured twice.
        case duplicateKey
        /// A purpose has no active key.
        case noActiveKey
        /// The active key's period has not begun.
        case notYetValid
        /// The active key's period is over.
        case expired
        /// The key signed wrongly or not the same way twice.
        case selfTestFailed

        /// True when trying again later, with nothing changed by hand, may succeed.
        public var isRetriable: Bool {
            switch self {
            case .moduleFailed, .notYetValid: true
            case .fileMissing, .fileUnreadable, .notRegularFile, .symbolicLink, .wrongOwner, .openMode, .tooLarge,
                .tooShort, .notPEM, .encryptedKey, .unsupportedKey, .malformedKey, .fileExists, .writeFailed,
                .moduleUnavailable, .tokenNotFound, .pinRefused, .pinLocked, .keyNotFound, .moduleRefused,
                .contradictoryConfiguration, .duplicateKey, .noActiveKey, .expired, .selfTestFailed:
                false
            }
        }
    }

    /// What went wrong.
    public let code: Code
    /// The file, token, key or purpose it is about.
    public let subject: String
    /// What was found, as a clause.
    public let finding: String
    /// What to do, as a clause.
    public let remedy: String

    /// Makes an error of its parts.
    public init(_ code: Code, _ subject: String, _ finding: String, remedy: String) {
        self.code = code
        self.subject = subject
        self.finding = finding
        self.remedy = remedy
    }

    /// True when trying again later, with nothing changed by hand, may succeed.
    public var isRetriable: Bool { code.isRetriable }

    /// One line for people: subject, finding, remedy.
    public var description: String { "\(subject): \(finding); \(remedy)" }
}
