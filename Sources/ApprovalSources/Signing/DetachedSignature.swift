public import ClawWire

/// A compact JWS with detached content (RFC 7515 appendix F): `BASE64URL(header)..BASE64URL(signature)`.
///
/// The header has exactly `alg` = `EdDSA`, `kid` (the signer's `did:key` or short key identifier) and `typ` =
/// `clawgrant-event+jws`. The payload that is signed is the canonical text; it is not carried again.
public struct DetachedSignature: Sendable, Hashable {
    /// Header `typ`; it keeps a key's signatures over tokens and over events apart.
    public static let typ = "clawgrant-event+jws"
    /// Longest compact text that is read, in bytes.
    static let maximumBytes = 1_024

    /// Header `kid`.
    public let kid: String
    private let header: String
    private let signature: Ed25519Signature

    /// Reads the compact text.
    ///
    /// - Throws: ``SourceFault`` `malformed_signature`.
    public init(compact text: String) throws(SourceFault) {
        guard text.utf8.count <= Self.maximumBytes else { throw Self.fault("longer than \(Self.maximumBytes) bytes") }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].isEmpty, let header = String(parts[0]), let last = String(parts[2]) else {
            throw Self.fault("not a JWS with detached content")
        }
        guard let bytes = Base64URL.decode(header),
            let object = (try? JSONReader.parse(bytes, limits: .token))?.object
        else { throw Self.fault("the header is not base64url of JSON") }
        guard object.count == 3, object["alg"]?.string == "EdDSA", object["typ"]?.string == Self.typ,
            let kid = object["kid"]?.string
        else { throw Self.fault("the header has not exactly alg EdDSA, kid and typ \(Self.typ)") }
        guard let signature = Ed25519Signature(b64u: last) else {
            throw Self.fault("the signature has not 64 bytes")
        }
        self.kid = kid
        self.header = header
        self.signature = signature
    }

    /// Signs a canonical text.
    ///
    /// - Throws: what the signer throws.
    public static func sign(_ payload: [UInt8], with signer: any Ed25519Signer) throws -> String {
        let object: JSONValue = ["alg": "EdDSA", "kid": .string(signer.publicKey.did), "typ": .string(typ)]
        let header = Base64URL.encode(JSONWriter.bytes(object))
        return "\(header)..\(try signer.sign(input(header, payload)).b64u)"
    }

    /// True when the signature is this key's over the canonical text.
    public func isValid(for payload: [UInt8], key: Ed25519PublicKey) -> Bool {
        key.isValidSignature(signature, for: Self.input(header, payload))
    }

    private static func input(_ header: String, _ payload: [UInt8]) -> [UInt8] {
        var input = Array(header.utf8)
        input.append(UInt8(ascii: "."))
        Base64URL.append(payload, to: &input)
        return input
    }

    private static func fault(_ detail: String) -> SourceFault {
        SourceFault(.malformedSignature, field: CloudEvent.signatureExtension, detail)
    }
}
