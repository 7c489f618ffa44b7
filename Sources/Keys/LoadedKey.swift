package import ClawWire
import Synchronization

/// A key of a ring: its configuration, its public half and, unless it is retired or public only, its signer.
///
/// A verify-only key keeps its signer: it signs nothing new, but tokens that it signed and that are not published yet are
/// made again with it.
package struct LoadedKey: Sendable {
    /// The key as configured.
    package let configuration: KeyConfiguration
    /// The public half.
    package let publicKey: Ed25519PublicKey
    /// The signer; `nil` for a retired key and for one whose private half is not there.
    package let signer: CountingSigner?

    /// Takes a signer that exists already.
    package init(_ configuration: KeyConfiguration, signer: any Ed25519Signer) {
        self.configuration = configuration
        publicKey = signer.publicKey
        self.signer = configuration.state == .retired ? nil : CountingSigner(signer)
    }

    /// Takes a public key, for a key that signs no more.
    private init(verifying configuration: KeyConfiguration, _ publicKey: Ed25519PublicKey) {
        self.configuration = configuration
        self.publicKey = publicKey
        signer = nil
    }

    /// Opens the key at its location.
    init(loading configuration: KeyConfiguration) throws(KeyError) {
        switch configuration.location {
        case .pkcs11(let location):
            self.init(configuration, signer: try PKCS11Signer(location, links: configuration.links))
        case .file(let path):
            let file = try CheckedFile.read(path, limit: Self.maximumFileSize, links: configuration.links)
            switch try Ed25519Document.parse(file.content.copyExposed(), subject: path) {
            case .privateKey(let signer):
                try file.requirePrivate()
                self.init(configuration, signer: signer)
            case .publicKey(let publicKey):
                guard configuration.state != .active else {
                    throw KeyError(
                        .unsupportedKey, path, "this is a public key, and an active key has to sign",
                        remedy: "give the path of the private key, or make the key verify-only")
                }
                self.init(verifying: configuration, publicKey)
            }
        }
    }

    /// An Ed25519 key takes about 120 bytes; attributes may make it longer.
    private static let maximumFileSize = 16_384
}

/// Counts the signatures of a signer.
package final class CountingSigner: Ed25519Signer, CustomStringConvertible, CustomReflectable {
    private let base: any Ed25519Signer
    private let count = Atomic<UInt64>(0)

    /// Wraps a signer.
    package init(_ base: any Ed25519Signer) { self.base = base }

    /// The key's public half.
    package var publicKey: Ed25519PublicKey { base.publicKey }

    /// Signatures made so far.
    package var uses: UInt64 { count.load(ordering: .relaxed) }

    /// Signs and counts.
    package func sign(_ message: [UInt8]) throws -> Ed25519Signature {
        let signature = try base.sign(message)
        count.wrappingAdd(1, ordering: .relaxed)
        return signature
    }

    /// The `kid`.
    package var description: String { "Ed25519 signer \(publicKey.kid)" }
    /// Shows no stored property.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
