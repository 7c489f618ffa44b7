public import ClawWire
import Crypto
import CryptoExtras
import Glibc

/// A new key: the private half as PEM text in memory of its own, the public half in every form people ask for.
public struct GeneratedKey: Sendable {
    /// What the key is for.
    public let purpose: KeyPurpose
    /// The public key; its `kid` and DID are members of it.
    public let publicKey: Ed25519PublicKey
    /// The private key, PKCS#8 in PEM.
    public let privatePEM: SecretBytes
    /// The public key, SubjectPublicKeyInfo in PEM.
    public let publicPEM: String

    /// Writes the private key to a new file of mode 0600.
    ///
    /// The file appears whole or not at all, and never replaces another: it is written beside its place, synchronised,
    /// and linked there.
    ///
    /// - Throws: ``KeyError`` with code `fileExists` or `writeFailed`.
    public func writePrivateKey(to path: String) throws(KeyError) {
        try NewFile.write(privatePEM, to: path, mode: 0o600)
    }

    /// Writes the public key to a new file of mode 0644, in the same way.
    ///
    /// - Throws: ``KeyError`` with code `fileExists` or `writeFailed`.
    public func writePublicKey(to path: String) throws(KeyError) {
        try NewFile.write(SecretBytes(copying: Array(publicPEM.utf8)), to: path, mode: 0o644)
    }
}

/// Makes keys.
public enum KeyGenerator {
    /// Makes an Ed25519 key from the system's random source.
    public static func generate(purpose: KeyPurpose) throws(KeyError) -> GeneratedKey {
        let seed = Array(Curve25519.Signing.PrivateKey().rawRepresentation)
        guard let signer = SeedSigner(seed: seed) else {
            throw KeyError(
                .malformedKey, "purpose \(purpose)", "the new key is not 32 bytes long",
                remedy: "check that the cryptographic library is the one this program was built with")
        }
        return GeneratedKey(
            purpose: purpose, publicKey: signer.publicKey,
            privatePEM: SecretBytes(copying: Array(Ed25519Document.privateText(seed: seed).utf8)),
            publicPEM: Ed25519Document.publicText(signer.publicKey))
    }
}

/// A new key of purpose `set`: RSA of 3072 bits.
public struct GeneratedSignalKey: Sendable {
    /// The public half; its `kid` is the JWK thumbprint (RFC 7638).
    public let publicKey: PublicJWK
    /// The private key, PKCS#8 in PEM.
    public let privatePEM: SecretBytes
    /// The public key, SubjectPublicKeyInfo in PEM.
    public let publicPEM: String

    /// Writes the private key to a new file of mode 0600, as ``GeneratedKey/writePrivateKey(to:)`` does.
    ///
    /// - Throws: ``KeyError`` with code `fileExists` or `writeFailed`.
    public func writePrivateKey(to path: String) throws(KeyError) {
        try NewFile.write(privatePEM, to: path, mode: 0o600)
    }

    /// Writes the public key to a new file of mode 0644.
    ///
    /// - Throws: ``KeyError`` with code `fileExists` or `writeFailed`.
    public func writePublicKey(to path: String) throws(KeyError) {
        try NewFile.write(SecretBytes(copying: Array(publicPEM.utf8)), to: path, mode: 0o644)
    }
}

extension KeyGenerator {
    /// Makes an RSA key for Security Event Tokens. Takes up to some seconds.
    public static func generateSignalKey() throws(KeyError) -> GeneratedSignalKey {
        guard let key = try? _RSA.Signing.PrivateKey(keySize: .bits3072) else {
            throw KeyError(
                .malformedKey, "purpose set", "the cryptographic library made no RSA key",
                remedy: "check that the cryptographic library is the one this program was built with")
        }
        return GeneratedSignalKey(
            publicKey: try RSADocument.jwk(key.publicKey, subject: "purpose set"),
            privatePEM: SecretBytes(copying: Array((key.pkcs8PEMRepresentation + "\n").utf8)),
            publicPEM: key.publicKey.pemRepresentation + "\n")
    }
}

/// Writes files that must not exist before.
private enum NewFile {
    static func write(_ content: SecretBytes, to path: String, mode: mode_t) throws(KeyError) {
        // The temporary name is in the same directory, because a hard link cannot cross file systems.
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).new"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw failure(path, errno) }
        defer { unsafe unlink(temporary) }
        let written = unsafe content.withUnsafeBytes { bytes -> Bool in
            var done = 0
            while done < bytes.count {
                let count = unsafe Glibc.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
                if count < 0, errno != EINTR { return false }
                done += max(count, 0)
            }
            // The mode given to `open` passes through the umask, which may take away more than is meant.
            return fchmod(descriptor, mode) == 0 && fsync(descriptor) == 0
        }
        let number = errno
        guard close(descriptor) == 0, written else { throw failure(path, number) }
        guard unsafe link(temporary, path) == 0 else {
            guard errno == EEXIST else { throw failure(path, errno) }
            throw KeyError(
                .fileExists, path, "there is a file already, and keys are never overwritten",
                remedy: "choose another name; keep the old key until nothing it signed is accepted any more")
        }
        synchroniseDirectory(of: path)
    }

    private static func synchroniseDirectory(of path: String) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private static func failure(_ path: String, _ number: Int32) -> KeyError {
        KeyError(
            .writeFailed, path, "the file cannot be written: \(SystemFailure.text(number))",
            remedy: "check that the directory exists and that user \(geteuid()) may write there")
    }
}
