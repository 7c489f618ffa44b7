public import ClawWire

extension Receipt {
    /// A token that was delivered by reference and claimed by the key to which it was bound.
    public struct Claim: Sendable, Hashable {
        /// The token.
        public let tokenHash: Digest
        /// Its `jti`.
        public let jti: TokenID
        /// JWK thumbprint (RFC 7638) of the key that proved itself.
        public let key: Digest
        /// JWK thumbprint of the X25519 key to which the answer was sealed; `nil` for an answer in the clear, over TLS.
        public let sealedTo: Digest?

        /// Makes a claim.
        public init(tokenHash: Digest, jti: TokenID, key: Digest, sealedTo: Digest?) {
            self.tokenHash = tokenHash
            self.jti = jti
            self.key = key
            self.sealedTo = sealedTo
        }
    }
}

extension CanonicalWriter {
    mutating func claim(_ claim: Receipt.Claim) {
        key("claim")
        openObject()
        member("jkt", claim.key)
        member("jti", claim.jti.rawValue)
        member("sealed_to", claim.sealedTo)
        member("token_hash", hex: claim.tokenHash)
        closeObject()
    }
}

extension Receipt.Claim {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            tokenHash: try reader.hexDigest("token_hash"), jti: TokenID(try reader.string("jti")),
            key: try reader.digest("jkt"), sealedTo: try reader.optionalDigest("sealed_to"))
    }
}
