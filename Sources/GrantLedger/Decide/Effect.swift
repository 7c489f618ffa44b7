public import ClawWire

/// An output stream: one topic, with its own dense sequence.
public enum OutputStream: UInt8, Sendable, Hashable, CaseIterable {
    /// Tokens, sealed or by reference.
    case grants = 0
    /// Every outcome.
    case decisions = 1
    /// Revoked tokens.
    case revocations = 2
    /// Sealed batches of receipts.
    case receiptBatches = 3
    /// What could not be understood.
    case deadLetters = 4
    /// What became of control events.
    case controlResults = 5
    /// What is not as the grants say it should be, and marks of budgets.
    case findings = 6

    /// The name in the `claw_stream` header.
    public var name: String {
        switch self {
        case .grants: "grants"
        case .decisions: "decisions"
        case .revocations: "revocations"
        case .receiptBatches: "receipts.batches"
        case .deadLetters: "dead-letters"
        case .controlResults: "control-results"
        case .findings: "findings"
        }
    }
}

/// A record to publish, without its position.
public struct OutputRecord: Sendable, Hashable {
    /// The stream.
    public let stream: OutputStream
    /// Record key.
    public let key: [UInt8]
    /// Record value; of a grant the part without token and proof.
    public let value: [UInt8]
    /// What the publisher needs to make the token again; only with ``OutputStream/grants``.
    public let grant: GrantMaterial?

    /// Makes a record.
    public init(stream: OutputStream, key: [UInt8], value: [UInt8], grant: GrantMaterial? = nil) {
        self.stream = stream
        self.key = key
        self.value = value
        self.grant = grant
    }
}

/// Everything from which a token is made again byte for byte, but for the signing key.
public struct GrantMaterial: Sendable, Hashable {
    /// The claims as minted, JSON in minting order. Not a bearer token: it lacks the signature.
    public let claims: [UInt8]
    /// The signing key.
    public let kid: KeyID
    /// SHA-256 of the compact token, against which the token made again is checked.
    public let tokenHash: Digest
    /// X25519 public key of the recipient, 32 bytes, for sealed delivery.
    public let recipientKey: [UInt8]?
    /// True when the token goes out in the clear, which the job class allowed by name.
    public let isPlain: Bool
    /// By what and where the token is claimed, for delivery by reference.
    public let claim: Claim?

    /// How a token is claimed that is delivered by reference.
    public struct Claim: Sendable, Hashable {
        /// JWK thumbprint (RFC 7638) of the key that claims it.
        public let key: Digest
        /// Where; `nil` when no address was configured.
        public let address: String?

        /// Binds a token to a key.
        public init(key: Digest, address: String?) {
            self.key = key
            self.address = address
        }
    }

    /// Makes grant material.
    public init(
        claims: [UInt8], kid: KeyID, tokenHash: Digest, recipientKey: [UInt8]?, isPlain: Bool, claim: Claim? = nil
    ) {
        self.claim = claim
        self.claims = claims
        self.kid = kid
        self.tokenHash = tokenHash
        self.recipientKey = recipientKey
        self.isPlain = isPlain
    }
}

/// One receipt and the records that follow from it.
public struct Effect: Sendable, Hashable {
    /// The canonical receipt.
    public let receipt: [UInt8]
    /// Kind of the receipt, counted in batch headers.
    public let receiptKind: String
    /// What is published because of it, in order.
    public let outputs: [OutputRecord]
    /// What led to it, as far as it is known; kept beside it.
    public var origin: EffectOrigin?

    /// Makes an effect.
    public init(receipt: [UInt8], receiptKind: String, outputs: [OutputRecord], origin: EffectOrigin? = nil) {
        self.origin = origin
        self.receipt = receipt
        self.receiptKind = receiptKind
        self.outputs = outputs
    }
}

/// A stored group of effects, in the order of sealing.
public struct EffectGroup: Sendable, Hashable {
    /// Identifier, unique in the ledger.
    public let groupID: Int64
    /// Day of its partition.
    public let day: Int32
    /// The effects.
    public let effects: [Effect]
    /// Makes a group.
    public init(groupID: Int64, day: Int32, effects: [Effect]) {
        self.groupID = groupID
        self.day = day
        self.effects = effects
    }
}
