public import ClawWire

/// What the log says of the revocations topic as a whole, so that a reader knows that it has everything.
///
/// Its place in the partition is part of what it says: every record of the dense stream with a smaller sequence than
/// ``nextSequence`` stands before it, and none with a greater one does.
public struct RevocationHead: Sendable, Hashable {
    /// How many records stand, that is, have not been ended by a tombstone.
    public struct Live: Sendable, Hashable {
        /// Revoked tokens.
        public let tokens: Int64
        /// Cut-offs.
        public let cutoffs: Int64

        /// Makes counts, not negative.
        public init(tokens: Int64, cutoffs: Int64) {
            self.tokens = tokens
            self.cutoffs = cutoffs
        }
    }

    /// The log.
    public let logID: LogID
    /// Time of the ledger, to the millisecond, at which everything committed was on the topic.
    public let asOf: Timestamp
    /// Sequence of the next record of the stream.
    public let nextSequence: SequenceNumber
    /// Control events applied until then; the cut-offs of all of them are on the topic.
    public let controlPosition: Int64
    /// Cut-offs of control events with a smaller position have the records of all their tokens on the topic.
    ///
    /// A reader that cannot tell whether a token is in a cut-off's scope relies on the records of single tokens from
    /// here on, and not before.
    public let sweptPosition: Int64
    /// How many records stand.
    public let live: Live

    /// Makes a head.
    public init(
        logID: LogID, asOf: Timestamp, nextSequence: SequenceNumber, controlPosition: Int64, sweptPosition: Int64,
        live: Live
    ) {
        self.logID = logID
        self.asOf = asOf.cutToMilliseconds
        self.nextSequence = nextSequence
        self.controlPosition = controlPosition
        self.sweptPosition = sweptPosition
        self.live = live
    }

    /// What is signed: a context of its own, so that no signature of the log's key for another purpose fits.
    var signedBytes: [UInt8] {
        Array("clawgrant-revocation-head-v1\n\(Digest(hashing: canonicalBytes(signature: nil)).b64u)".utf8)
    }

    func canonicalBytes(signature: (Ed25519Signature, Ed25519PublicKey)?) -> [UInt8] {
        var writer = CanonicalWriter(capacity: 512)
        writer.openObject()
        writer.member("as_of", asOf)
        writer.member("control_position", controlPosition)
        writer.member("head_version", "1")
        writer.key("live")
        writer.openObject()
        writer.member("cutoffs", live.cutoffs)
        writer.member("tokens", live.tokens)
        writer.closeObject()
        writer.member("log_id", logID.rawValue)
        writer.member("next_sequence", nextSequence.value)
        if let (signature, signer) = signature {
            writer.key("signature")
            writer.openObject()
            writer.member("algorithm", "Ed25519")
            writer.member("signature_b64u", signature.b64u)
            writer.member("signer_did", signer.did)
            writer.closeObject()
        }
        writer.member("swept_position", sweptPosition)
        writer.closeObject()
        return writer.output
    }

    /// Signs the head with the log's key.
    ///
    /// - Throws: what the signer throws.
    public func signed(by signer: any Ed25519Signer) throws -> SignedRevocationHead {
        SignedRevocationHead(
            head: self, signature: try signer.sign(signedBytes), signer: signer.publicKey)
    }
}

/// A head whose signature is known to be the log's: it was just signed, or it was verified.
public struct SignedRevocationHead: Sendable, Hashable {
    /// The head.
    public let head: RevocationHead
    /// The signature over it, see `docs/verifying-tokens.md`.
    public let signature: Ed25519Signature
    /// The log's key that signed.
    public let signer: Ed25519PublicKey

    init(head: RevocationHead, signature: Ed25519Signature, signer: Ed25519PublicKey) {
        self.head = head
        self.signature = signature
        self.signer = signer
    }

    /// Key on the revocations topic: `head`.
    public static var recordKey: [UInt8] { RevocationKey.head.bytes }

    /// Name of the stream in the record's header: heads have no place in the dense stream of revocations.
    public static let streamName = "revocations.head"

    /// The published form.
    public var canonicalBytes: [UInt8] { head.canonicalBytes(signature: (signature, signer)) }

    /// Reads and verifies the published form.
    ///
    /// - Parameters:
    ///   - bytes: the record's value.
    ///   - logKeys: the log's keys, old ones too.
    ///   - logID: the log that is expected.
    /// - Throws: ``EvidenceError``: `log_mismatch` for another log, `signer_unknown` for another key,
    ///   `signature_invalid`.
    public init(verifying bytes: [UInt8], logKeys: [Ed25519PublicKey], logID: LogID) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        try reader.constant("head_version", "1")
        let live = try reader.nested("live")
        let head = RevocationHead(
            logID: LogID(try reader.string("log_id")), asOf: try reader.timestamp("as_of"),
            nextSequence: SequenceNumber(try reader.integer("next_sequence")),
            controlPosition: try reader.integer("control_position"),
            sweptPosition: try reader.integer("swept_position"),
            live: RevocationHead.Live(tokens: try live.integer("tokens"), cutoffs: try live.integer("cutoffs")))
        let signature = try reader.nested("signature")
        try signature.constant("algorithm", "Ed25519")
        guard let bits = Ed25519Signature(b64u: try signature.string("signature_b64u")) else {
            throw EvidenceError(
                .invalidMember, signature.at("signature_b64u"), "86 characters of base64url were expected")
        }
        guard let signer = Ed25519PublicKey(did: try signature.string("signer_did")) else {
            throw EvidenceError(.invalidMember, signature.at("signer_did"), "no did:key of an Ed25519 key")
        }
        try requireCanonical(head.canonicalBytes(signature: (bits, signer)), bytes, "head")
        guard head.logID == logID else {
            throw EvidenceError(
                .logMismatch, "log_id", "the head is of \"\(head.logID.rawValue.prefix(64))\", not of \(logID)")
        }
        guard logKeys.contains(signer) else {
            throw EvidenceError(
                .signerUnknown, signature.at("signer_did"), "\(signer.kid) is none of the log's \(logKeys.count) keys")
        }
        guard signer.isValidSignature(bits, for: head.signedBytes) else {
            throw EvidenceError(.signatureInvalid, signature.path, "the signature is not key \(signer.kid)'s")
        }
        self.init(head: head, signature: bits, signer: signer)
    }
}
