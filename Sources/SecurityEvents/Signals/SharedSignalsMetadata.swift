public import ClawWire

/// What a transmitter of Shared Signals says of itself at `/.well-known/ssf-configuration` (OpenID Shared Signals
/// Framework 1.0 section 7.1).
///
/// Streams are set up in the worker's configuration, so the document names no endpoint for managing them.
public enum SharedSignalsMetadata {
    /// Where the document is served, for an issuer whose address has no path.
    public static let path = "/.well-known/ssf-configuration"

    /// The document.
    ///
    /// - Parameters:
    ///   - issuer: `iss` of the tokens.
    ///   - keySet: address of the JWKS that holds the keys of purpose `set`.
    public static func document(issuer: String, keySet: String) -> JSONValue {
        [
            "spec_version": "1_0", "issuer": .string(issuer), "jwks_uri": .string(keySet),
            "delivery_methods_supported": ["urn:ietf:rfc:8935"], "default_subjects": "ALL",
            "critical_subject_members": ["session", "group"],
        ]
    }
}
