import ClawWire

/// Reads who signed a WPC: the hash is over the payload's RFC 8785 text, the signature over the text of the hash.
enum PolicyEnvelope {
    /// The DID of the signer; `nil` when the envelope's hash or signature is not that of its payload.
    static func signer(of envelope: JSONValue) -> String? {
        guard envelope["envelope_type"]?.string == "work_policy_contract", envelope["algorithm"]?.string == "Ed25519",
            envelope["hash_algorithm"]?.string == "SHA-256", let payload = envelope["payload"], payload.object != nil,
            let hash = envelope["payload_hash_b64u"]?.string, payload.canonicalDigest.b64u == hash,
            let did = envelope["signer_did"]?.string, let key = Ed25519PublicKey(did: did),
            let signature = envelope["signature_b64u"]?.string.flatMap({ Ed25519Signature(b64u: $0) }),
            key.isValidSignature(signature, for: Array(hash.utf8))
        else { return nil }
        return did
    }
}
