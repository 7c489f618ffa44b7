import Crypto
import CryptoExtras
import Foundation

/// A self-signed certificate (X.509 version 3, RSA 2048, SHA-256) and its key, made anew for each run.
public struct TestCertificate: Sendable {
    let key: _RSA.Signing.PrivateKey
    /// The certificate's DER.
    public let der: [UInt8]
    /// PEM of the certificate.
    public let certificate: String
    /// PEM of the private key, PKCS #8.
    public let privateKey: String

    /// Makes a key and signs its certificate.
    public init() throws {
        key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let algorithm = DER.sequence(DER.oid([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B]), [0x05, 0x00])
        let name = DER.sequence(DER.set(DER.sequence(DER.oid([0x55, 0x04, 0x03]), DER.utf8("clawgrant test"))))
        let validity = DER.sequence(DER.time("200101000000Z"), DER.time("491231235959Z"))
        let body = DER.sequence(
            DER.wrap(0xA0, DER.wrap(0x02, [2])), DER.wrap(0x02, [1]), algorithm, name, validity, name,
            Array(key.publicKey.derRepresentation))
        let signature = try key.signature(for: SHA256.hash(data: body), padding: .insecurePKCS1v1_5)
        der = DER.sequence(body, algorithm, DER.wrap(0x03, [0] + Array(signature.rawRepresentation)))
        certificate =
            "-----BEGIN CERTIFICATE-----\n"
            + Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
            + "\n-----END CERTIFICATE-----\n"
        privateKey = key.pemRepresentation
    }
}

/// The few forms of DER that a certificate needs (X.690).
private enum DER {
    static func wrap(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length: [UInt8] =
            switch content.count {
            case 0..<128: [UInt8(content.count)]
            case 128..<256: [0x81, UInt8(content.count)]
            default: [0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)]
            }
        return [tag] + length + content
    }

    static func sequence(_ parts: [UInt8]...) -> [UInt8] { wrap(0x30, parts.flatMap(\.self)) }
    static func set(_ parts: [UInt8]...) -> [UInt8] { wrap(0x31, parts.flatMap(\.self)) }
    static func oid(_ bytes: [UInt8]) -> [UInt8] { wrap(0x06, bytes) }
    static func utf8(_ text: String) -> [UInt8] { wrap(0x0C, Array(text.utf8)) }
    static func time(_ text: String) -> [UInt8] { wrap(0x17, Array(text.utf8)) }
}
