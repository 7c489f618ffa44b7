import ClawWire

/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum KeyReaders {
    /// An Ed25519 key of a PEM text: its public key, and whether the text held the private one.
    package static func ed25519(_ bytes: [UInt8]) -> (publicKey: [UInt8], isPrivate: Bool)? {
        switch try? Ed25519Document.parse(bytes, subject: "input") {
        case .privateKey(let signer): (signer.publicKey.bytes, true)
        case .publicKey(let key): (key.bytes, false)
        case nil: nil
        }
    }

    /// The `kid` of an RSA key of a PEM text, and whether the text held the private one.
    package static func rsa(_ bytes: [UInt8]) -> (kid: String, isPrivate: Bool)? {
        switch try? RSADocument.parse(SecretBytes(copying: bytes), subject: "input") {
        case .privateKey(let signer): (signer.publicKey.kid, true)
        case .publicKey(let key): (key.kid, false)
        case nil: nil
        }
    }

    /// A PEM text's one block.
    package static func pem(_ bytes: [UInt8]) -> (label: String, content: [UInt8])? {
        (try? PEMBlock(parsing: bytes)).map { ($0.label, $0.content) }
    }

    /// A block as text.
    package static func pem(label: String, content: [UInt8]) -> String { PEMBlock.text(label: label, content: content) }
}
