public import ClawWire
import Crypto
import CryptoExtras
import Foundation

/// The identity of the application: a certificate that is registered with it, and the certificate's private key.
///
/// Signs client assertions (RFC 7523 section 3). Its description is a placeholder: the key is never shown.
public struct ClientCertificate: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// How assertions are signed. The text is the header's `alg` (RFC 7518 section 3.1).
    public enum Algorithm: String, Sendable, Hashable, CaseIterable {
        /// RSASSA-PSS with SHA-256.
        case ps256 = "PS256"
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        case rs256 = "RS256"
    }

    /// Why a certificate or a key cannot be used.
    public struct Fault: Error, Sendable, CustomStringConvertible {
        /// For people; never holds a part of the key.
        public let description: String
    }

    /// How long an assertion is good for, in seconds.
    static let lifetimeSeconds: Int64 = 300

    /// SHA-256 of the certificate's DER: `x5t#S256` of the header.
    public let thumbprint: ClawWire.Digest
    private let algorithm: Algorithm
    private let key: _RSA.Signing.PrivateKey

    /// Reads a certificate and its key.
    ///
    /// - Parameters:
    ///   - certificate: PEM with one block `CERTIFICATE` (the first counts).
    ///   - key: PEM of an RSA private key of at least 2048 bits, PKCS #8 or PKCS #1.
    ///   - algorithm: how to sign.
    /// - Throws: ``Fault``.
    public init(certificate: String, key: String, algorithm: Algorithm = .ps256) throws(Fault) {
        guard let der = Self.der(of: certificate) else {
            throw Fault(description: "no certificate in PEM was found")
        }
        do {
            self.key = try _RSA.Signing.PrivateKey(pemRepresentation: key)
        } catch {
            throw Fault(description: "no RSA private key of at least 2048 bits in PEM was found")
        }
        // The public key's modulus stands in the certificate; a key that does not belong to it signs in vain.
        let spki = Array(self.key.publicKey.pkcs1DERRepresentation)
        guard Self.contains(der, spki) else {
            throw Fault(description: "the private key is not the certificate's")
        }
        thumbprint = ClawWire.Digest(hashing: der)
        self.algorithm = algorithm
    }

    private static func contains(_ haystack: [UInt8], _ needle: [UInt8]) -> Bool {
        guard !needle.isEmpty, haystack.count >= needle.count else { return false }
        return (0...(haystack.count - needle.count)).contains { start in
            haystack[start..<(start + needle.count)].elementsEqual(needle)
        }
    }

    private static func der(of pem: String) -> [UInt8]? {
        guard let begin = pem.firstRange(of: "-----BEGIN CERTIFICATE-----"),
            let end = pem[begin.upperBound...].firstRange(of: "-----END CERTIFICATE-----")
        else { return nil }
        let text = pem[begin.upperBound..<end.lowerBound].filter { !$0.isWhitespace }
        return Data(base64Encoded: text).map { Array($0) }
    }

    /// A signed client assertion.
    ///
    /// - Parameters:
    ///   - clientID: the application: `iss` and `sub`.
    ///   - audience: the token endpoint.
    ///   - identifier: `jti`, new for each.
    ///   - now: begin of its validity.
    package func assertion(
        clientID: String, audience: String, identifier: String, at now: Timestamp
    ) throws(GraphError) -> ClientAssertion {
        let header: JSONValue = [
            "alg": .string(algorithm.rawValue), "typ": "JWT", "x5t#S256": .string(thumbprint.b64u),
        ]
        let claims: JSONValue = [
            "aud": .string(audience), "exp": .integer(now.seconds + Self.lifetimeSeconds), "iat": .integer(now.seconds),
            "iss": .string(clientID), "jti": .string(identifier), "nbf": .integer(now.seconds),
            "sub": .string(clientID),
        ]
        let signed =
            Base64URL.encode(JSONWriter.bytes(header)) + "." + Base64URL.encode(JSONWriter.bytes(claims))
        do {
            let signature = try key.signature(
                for: SHA256.hash(data: Array(signed.utf8)), padding: algorithm == .ps256 ? .PSS : .insecurePKCS1v1_5)
            return ClientAssertion(text: signed + "." + Base64URL.encode(Array(signature.rawRepresentation)))
        } catch {
            throw GraphError(.credentialsRefused, "the client assertion could not be signed")
        }
    }

    /// A placeholder.
    public var description: String { "client certificate \(thumbprint.b64u.prefix(8))…" }
    /// A placeholder.
    public var debugDescription: String { description }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A signed assertion: whoever has it is the application for some minutes.
package struct ClientAssertion: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The compact JWT.
    package let text: String
    /// A placeholder.
    package var description: String { "[client assertion]" }
    /// A placeholder.
    package var debugDescription: String { description }
    /// Nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A bearer token for Microsoft Graph.
struct AccessToken: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let text: String
    var description: String { "[access token]" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
