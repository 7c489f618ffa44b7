import ClawWire

/// An Ed25519 key as files hold it: PKCS#8 or SubjectPublicKeyInfo in PEM (RFC 8410, RFC 5958, RFC 7468).
enum Ed25519Document {
    /// A private key: the signer that has it. The seed itself is not kept.
    case privateKey(SeedSigner)
    /// A public key.
    case publicKey(Ed25519PublicKey)

    /// 1.3.101.112, the identifier of Ed25519 (RFC 8410 section 3).
    private static let identifier: [UInt8] = [0x2B, 0x65, 0x70]

    /// Reads a document.
    ///
    /// - Parameters:
    ///   - bytes: the file's content.
    ///   - subject: the path, for errors.
    static func parse(_ bytes: [UInt8], subject: String) throws(KeyError) -> Ed25519Document {
        let block: PEMBlock
        do {
            block = try PEMBlock(parsing: bytes)
        } catch {
            if let label = error.label, let refusal = refusal(ofLabel: label, subject) { throw refusal }
            throw KeyError(
                .notPEM, subject, error.finding,
                remedy: "a key file holds one PEM block; make one with `clawgrant keys generate`")
        }
        if let refusal = refusal(ofLabel: block.label, subject) { throw refusal }
        return block.label == "PUBLIC KEY"
            ? .publicKey(try publicKey(block.content, subject)) : .privateKey(try privateKey(block.content, subject))
    }

    /// PKCS#8 text of a seed.
    static func privateText(seed: [UInt8]) -> String {
        PEMBlock.text(
            label: "PRIVATE KEY",
            content: [0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03] + identifier + [0x04, 0x22, 0x04, 0x20]
                + seed)
    }

    /// SubjectPublicKeyInfo text of a public key.
    static func publicText(_ key: Ed25519PublicKey) -> String {
        PEMBlock.text(
            label: "PUBLIC KEY",
            content: [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03] + identifier + [0x03, 0x21, 0x00] + key.bytes)
    }

    private static func refusal(ofLabel label: String, _ subject: String) -> KeyError? {
        let convert = "convert it with `openssl pkey -in FILE -out NEW`, or make a key with `clawgrant keys generate`"
        switch label {
        case "PRIVATE KEY", "PUBLIC KEY": return nil
        case "ENCRYPTED PRIVATE KEY":
            return KeyError(
                .encryptedKey, subject, "the private key is encrypted, and there is nobody to ask for its passphrase",
                remedy: "keep it in a PKCS#11 token, or decrypt it with `openssl pkey -in FILE -out NEW` (mode 0600)")
        case "OPENSSH PRIVATE KEY":
            return KeyError(
                .unsupportedKey, subject, "this is a key in OpenSSH's own form, not PKCS#8",
                remedy: "make a key of its own for this purpose with `clawgrant keys generate`")
        case "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "RSA PUBLIC KEY":
            return KeyError(
                .unsupportedKey, subject, "this is an \(label.prefix(3).trimmed) key, only Ed25519 is used here",
                remedy: "make a key with `clawgrant keys generate`")
        default:
            return KeyError(.unsupportedKey, subject, "this is a `\(label)`, not a key in PKCS#8", remedy: convert)
        }
    }

    private static func malformed(_ subject: String, _ finding: String) -> KeyError {
        KeyError(
            .malformedKey, subject, finding,
            remedy: "restore the file from where it came from, or make a new key with `clawgrant keys generate`")
    }

    private static func checkAlgorithm(_ reader: inout DERReader, _ subject: String) throws(KeyError) {
        guard let algorithm = reader.next(0x30) else { throw malformed(subject, "the key names no algorithm") }
        var inner = DERReader(algorithm)
        guard let found = inner.next(0x06) else { throw malformed(subject, "the key names no algorithm") }
        guard found.elementsEqual(identifier) else {
            let dotted = dottedObjectIdentifier(found) ?? "unknown"
            let name =
                switch dotted {
                case "1.2.840.113549.1.1.1": "an RSA key"
                case "1.2.840.113549.1.1.10": "an RSA-PSS key"
                case "1.2.840.10045.2.1": "an elliptic-curve (ECDSA or ECDH) key"
                case "1.3.101.110": "an X25519 key, which cannot sign"
                case "1.3.101.113": "an Ed448 key"
                default: "a key of algorithm \(dotted)"
                }
            throw KeyError(
                .unsupportedKey, subject, "this is \(name), only Ed25519 is used here",
                remedy: "make a key with `clawgrant keys generate`")
        }
        guard inner.isAtEnd else { throw malformed(subject, "the algorithm has parameters, Ed25519 has none") }
    }

    /// OneAsymmetricKey of RFC 5958: version 0 or 1, attributes allowed and skipped, the public key checked when present.
    private static func privateKey(_ content: [UInt8], _ subject: String) throws(KeyError) -> SeedSigner {
        var outer = DERReader(content[...])
        guard let body = outer.next(0x30), outer.isAtEnd else {
            throw malformed(subject, "the PEM block does not hold one DER sequence")
        }
        var reader = DERReader(body)
        guard let version = reader.next(0x02), version.count == 1, let number = version.first, number <= 1 else {
            throw malformed(subject, "the key's format version is not 0 or 1")
        }
        try checkAlgorithm(&reader, subject)
        guard let wrapped = reader.next(0x04) else { throw malformed(subject, "the private key is missing") }
        var inner = DERReader(wrapped)
        guard let seed = inner.next(0x04), inner.isAtEnd, let signer = SeedSigner(seed: Array(seed)) else {
            throw malformed(subject, "the private key is not 32 bytes long")
        }
        if reader.nextTag == 0xA0, reader.next() == nil { throw malformed(subject, "the key's attributes are cut off") }
        if number == 1, let bits = reader.next(0x81) {
            guard bits.elementsEqual([0] + signer.publicKey.bytes) else {
                throw malformed(subject, "the public key in the file is not the private key's")
            }
        }
        guard reader.isAtEnd else { throw malformed(subject, "there is more after the private key") }
        return signer
    }

    private static func publicKey(_ content: [UInt8], _ subject: String) throws(KeyError) -> Ed25519PublicKey {
        var outer = DERReader(content[...])
        guard let body = outer.next(0x30), outer.isAtEnd else {
            throw malformed(subject, "the PEM block does not hold one DER sequence")
        }
        var reader = DERReader(body)
        try checkAlgorithm(&reader, subject)
        guard let bits = reader.next(0x03), reader.isAtEnd, bits.first == 0,
            let key = Ed25519PublicKey(bytes: Array(bits.dropFirst()))
        else { throw malformed(subject, "the public key is not 32 bytes long") }
        return key
    }
}

extension Substring {
    /// Without the blanks at its end.
    fileprivate var trimmed: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
