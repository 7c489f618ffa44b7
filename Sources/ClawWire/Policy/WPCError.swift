/// Why a Work Policy Contract is refused, with the registry's or the gateway's code (WIRE section 7.1).
public struct WPCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The document is no JSON.
        case invalidJSON = "INVALID_JSON"
        /// The document is none of the known forms, or breaks the rules of its form.
        case invalidDocument = "INVALID_WPC"
        /// The document is larger than the registry takes.
        case tooLarge = "PAYLOAD_TOO_LARGE"
        /// A policy hash that is asked for is no hash.
        case invalidPolicyHash = "INVALID_POLICY_HASH"
        /// The envelope breaks its form.
        case envelopeInvalid = "WPC_ENVELOPE_INVALID"
        /// The envelope is of another policy than the one asked for.
        case hashMismatch = "WPC_HASH_MISMATCH"
        /// The envelope's hash is not the payload's.
        case hashInvalid = "WPC_HASH_INVALID"
        /// The signer is not an allowed one.
        case signerNotAllowed = "WPC_SIGNER_NOT_ALLOWED"
        /// The signer is no Ed25519 `did:key`.
        case signerUnsupported = "WPC_SIGNER_DID_UNSUPPORTED"
        /// The signature is not the signer's.
        case signatureInvalid = "WPC_SIGNATURE_INVALID"
        /// The registry does not know the hash.
        case notFound = "WPC_NOT_FOUND"
        /// The registry could not be reached.
        case fetchFailed = "WPC_REGISTRY_FETCH_FAILED"
        /// The registry answered with an error.
        case registryError = "WPC_REGISTRY_ERROR"
        /// The registry answered with something that is no JSON.
        case registryBadJSON = "WPC_REGISTRY_BAD_JSON"
        /// The registry answered with another shape.
        case registryBadResponse = "WPC_REGISTRY_BAD_RESPONSE"
        /// The registry's address cannot be read.
        case registryAddressInvalid = "WPC_REGISTRY_BASE_URL_INVALID"
        /// The registry's address is not https.
        case registryAddressInsecure = "WPC_REGISTRY_BASE_URL_INSECURE"
    }

    /// What is wrong.
    public let code: Code
    /// Path of the member concerned, for example `policy.session_limits.max_ttl_seconds`; empty for the whole.
    public let path: String
    /// A sentence for people.
    public let detail: String

    /// Makes an error.
    public init(_ code: Code, path: String = "", _ detail: String) {
        self.code = code
        self.path = path
        self.detail = detail
    }

    /// True when the same question may be answered differently later.
    public var isRetriable: Bool {
        switch code {
        case .notFound, .fetchFailed, .registryError, .registryBadJSON, .registryBadResponse: true
        case .invalidJSON, .invalidDocument, .tooLarge, .invalidPolicyHash, .envelopeInvalid, .hashMismatch,
            .hashInvalid, .signerNotAllowed, .signerUnsupported, .signatureInvalid, .registryAddressInvalid,
            .registryAddressInsecure:
            false
        }
    }

    /// For example `INVALID_WPC at policy.audit: …`.
    public var description: String { "\(code.rawValue)\(path.isEmpty ? "" : " at \(path)"): \(detail)" }
}
