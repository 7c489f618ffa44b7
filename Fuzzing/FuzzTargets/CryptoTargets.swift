import CPeerCrypto
import ClawWire
import Crypto
import Keys

extension FuzzTarget {
    /// What Swift Crypto answers, held against OpenSSL in the same process.
    static let cryptography = [
        FuzzTarget("peer-ed25519") { bytes throws(FuzzFinding) in
            let (seed, rest) = split(bytes, 32)
            let (mask, message) = split(rest, 64)
            guard let signer = SeedSigner(seed: seed) else { return try require(false, "a seed is refused") }
            var peerKey = [UInt8](repeating: 0, count: 32)
            let made = unsafe peer_ed25519_public(seed, &peerKey)
            try require(made && peerKey == signer.publicKey.bytes, "a seed has two public keys")
            guard let signature = try? signer.sign(message) else { return try require(false, "signing failed") }
            try require(signer.publicKey.isValidSignature(signature, for: message), "our signature is none to us")
            // The signature with bits of the input turned over, which is valid for a mask of zeros alone.
            let other = zip(signature.bytes, mask).map { $0 ^ $1 }
            try agree(signer.publicKey.bytes, other, message, isValid: mask.allSatisfy { $0 == 0 })
            // The input as key and signature: nobody signed, so what one takes the other must take.
            try agree(seed, mask, message, isValid: nil)
        },
        FuzzTarget("peer-x25519") { bytes throws(FuzzFinding) in
            let (secret, rest) = split(bytes, 32)
            let (point, _) = split(rest, 32)
            var shared = [UInt8](repeating: 0, count: 32)
            let isMade = unsafe peer_x25519(secret, point, &shared)
            let ours = (try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secret)).flatMap { key in
                (try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: point)).flatMap {
                    try? key.sharedSecretFromKeyAgreement(with: $0)
                }
            }
            // OpenSSL gives no secret of zeros (RFC 7748 section 6.1). Swift Crypto does; sealing looks for it.
            let bytes32 = ours.map { unsafe $0.withUnsafeBytes { unsafe Array($0) } } ?? []
            let found = bytes32.contains { $0 != 0 } ? bytes32 : nil
            try require(found == (isMade ? shared : nil), "two libraries, two shared secrets")
        },
        FuzzTarget("peer-es256") { bytes throws(FuzzFinding) in
            let (mask, message) = split(bytes, 64)
            let signature = zip(ES256.signature, mask).map { $0 ^ $1 }
            let isSame = mask.allSatisfy { $0 == 0 } && message == ES256.message
            let ours = ES256.key.isValidSignature(signature, for: message)
            let theirs = unsafe peer_es256_verify(ES256.x, ES256.y, signature, message, message.count)
            try require(ours == theirs, "one library takes a signature that the other does not")
            try require(isSame || !ours, "a signature is valid that nobody made")
        },
        FuzzTarget("peer-hash") { bytes throws(FuzzFinding) in
            var digest = [UInt8](repeating: 0, count: 32)
            try require(
                unsafe peer_sha256(bytes, bytes.count, &digest) && digest == ClawWire.Digest(hashing: bytes).bytes,
                "two libraries, two digests")
            let (key, message) = split(bytes, min(bytes.count, 40))
            try require(
                unsafe peer_hmac_sha256(key, key.count, message, message.count, &digest)
                    && digest
                        == Array(
                            HMAC<Crypto.SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key))),
                "two libraries, two codes")
            var text = [UInt8](repeating: 0, count: 4 * ((bytes.count + 2) / 3) + 1)
            let length = unsafe peer_base64(bytes, bytes.count, &text)
            let theirs = text.prefix(length).filter { $0 != UInt8(ascii: "=") }.map { byte -> UInt8 in
                switch byte {
                case UInt8(ascii: "+"): UInt8(ascii: "-")
                case UInt8(ascii: "/"): UInt8(ascii: "_")
                default: byte
                }
            }
            try require(Array(Base64URL.encode(bytes).utf8) == theirs, "two spellings of base64")
            try require(Base64URL.decode(theirs[...]) == bytes, "what the other wrote is not read")
        },
        FuzzTarget("pem") { bytes throws(FuzzFinding) in
            if let block = KeyReaders.pem(bytes) {
                let text = Array(KeyReaders.pem(label: block.label, content: block.content).utf8)
                let again = KeyReaders.pem(text)
                try require(
                    again?.label == block.label && again?.content == block.content, "a block is not read as written")
            }
            _ = KeyReaders.rsa(bytes)
            guard let key = KeyReaders.ed25519(bytes) else { return }
            var theirs = [UInt8](repeating: 0, count: 32)
            let kind = unsafe peer_pem_ed25519(bytes, bytes.count, &theirs)
            try require(kind == (key.isPrivate ? 1 : 2), "OpenSSL does not read a key that is read here")
            try require(theirs == key.publicKey, "one file, two keys")
        },
    ]

    private static func split(_ bytes: [UInt8], _ count: Int) -> (head: [UInt8], rest: [UInt8]) {
        let head = bytes.prefix(count)
        return (head + [UInt8](repeating: 0, count: count - head.count), Array(bytes.dropFirst(count)))
    }

    private static func agree(
        _ key: [UInt8], _ signature: [UInt8], _ message: [UInt8], isValid: Bool?
    ) throws(FuzzFinding) {
        let theirs = unsafe peer_ed25519_verify(key, signature, message, message.count)
        guard let publicKey = Ed25519PublicKey(bytes: key), let value = Ed25519Signature(bytes: signature) else {
            return try require(!theirs, "the other library takes a key that is refused here")
        }
        let ours = publicKey.isValidSignature(value, for: message)
        try require(ours == theirs, "one library takes a signature that the other does not")
        if let isValid { try require(ours == isValid, "a signature is \(ours ? "" : "not ")valid") }
    }
}

/// A key and a signature that OpenSSL made once. ECDSA signs with chance, so that one made here would differ by run.
private enum ES256 {
    static let message = Array("clawgrant".utf8)
    static let x = part("608e1689c2923d69cef3577155477b8e20b00430204dfafb47c1a6e16107b753")
    static let y = part("262bf30ef50eea822a999ac6b5a9f9154ba52d09153630ee06088bb3bcaa2ab6")
    static let signature = part(
        "ba4b06493eb46df3dd63a0b8ccc11a14364d2c75afd3278b78442f8b02591b05"
            + "adb439b44038d74b53e0b43a1a32e0aa8dc7ff2f517027732bb7d94479a7a304")

    static let key: PublicJWK = {
        let document: JSONValue = [
            "crv": "P-256", "kid": "peer", "kty": "EC", "x": .string(Base64URL.encode(x)),
            "y": .string(Base64URL.encode(y)),
        ]
        guard let key = try? PublicJWK(json: document) else { preconditionFailure("the point is on the curve") }
        return key
    }()

    private static func part(_ hex: String) -> [UInt8] {
        guard let bytes = Hex.decode(hex) else { preconditionFailure("the constants are hexadecimal") }
        return bytes
    }
}
