public import ClawWire

/// A model call that a verified gateway receipt states.
public struct ObservedCall: Sendable, Hashable {
    /// What makes a receipt unique: a gateway uses an identifier once.
    public struct Name: Sendable, Hashable, CustomStringConvertible {
        /// DID of the gateway that signed.
        public let signerDID: String
        /// The gateway's `receipt_id`.
        public let receiptID: String

        /// Makes a name.
        public init(signerDID: String, receiptID: String) {
            self.signerDID = signerDID
            self.receiptID = receiptID
        }

        /// `signer/receipt_id`.
        public var description: String { "\(signerDID)/\(receiptID)" }
        /// Names are equal when their bytes are.
        public static func == (left: Name, right: Name) -> Bool {
            ExactText.equal(left.signerDID, right.signerDID) && ExactText.equal(left.receiptID, right.receiptID)
        }
        /// Hashes both parts.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(signerDID)
            hasher.combine(receiptID)
        }
        /// SHA-256 over signer, NUL and identifier: the key under which it is stored. A DID has no NUL.
        public var key: Digest { Digest(hashing: signerDID + "\u{0}" + receiptID) }
    }

    /// What makes it unique.
    public let name: Name
    /// The hash that the gateway signed.
    public let payloadHash: Digest
    /// The gateway's time.
    public let calledAt: Timestamp
    /// The model's provider.
    public let provider: String
    /// The model.
    public let model: String
    /// Input tokens.
    public let inputTokens: Int64
    /// Output tokens.
    public let outputTokens: Int64
    /// Scope hash of the token that was shown.
    public let scopeHash: String?
    /// The WPC that the gateway enforced.
    public let policyHash: String?
    /// The run.
    public let runID: String?

    /// Makes a call.
    public init(
        name: Name, payloadHash: Digest, calledAt: Timestamp, provider: String, model: String, inputTokens: Int64,
        outputTokens: Int64, scopeHash: String?, policyHash: String?, runID: String?
    ) {
        self.name = name
        self.payloadHash = payloadHash
        self.calledAt = calledAt
        self.provider = provider
        self.model = model
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.scopeHash = scopeHash
        self.policyHash = policyHash
        self.runID = runID
    }

    /// Takes a verified receipt.
    public init(_ verified: VerifiedGatewayReceipt) {
        let receipt = verified.receipt
        self.init(
            name: Name(signerDID: verified.signer.did, receiptID: receipt.receiptID),
            payloadHash: verified.payloadHash, calledAt: receipt.timestamp, provider: receipt.provider,
            model: receipt.model, inputTokens: receipt.tokensInput, outputTokens: receipt.tokensOutput,
            scopeHash: receipt.binding?.tokenScopeHash, policyHash: receipt.binding?.policyHash,
            runID: receipt.binding?.runID)
    }
}

/// A token as usage is held against it.
public struct UsageGrant: Sendable, Hashable {
    /// The request.
    public let requestID: RequestID
    /// The job.
    public let jobID: JobID
    /// Its class.
    public let jobClass: JobClass
    /// The agent.
    public let agentDID: AgentDID
    /// The approvals it rests on.
    public let approvals: [ApprovalID]
    /// SHA-256 of the token.
    public let tokenHash: Digest
    /// The claim `jti`.
    public let tokenID: TokenID
    /// The claim `token_scope_hash_b64u`.
    public let scopeHash: Digest
    /// The WPC.
    public let policyHash: Digest?
    /// The claim `iat`.
    public let issuedAt: Timestamp
    /// The claim `exp`.
    public let expiresAt: Timestamp
    /// When it was revoked.
    public var revokedAt: Timestamp?

    /// Makes a grant.
    public init(
        requestID: RequestID, jobID: JobID, jobClass: JobClass, agentDID: AgentDID, approvals: [ApprovalID],
        tokenHash: Digest, tokenID: TokenID, scopeHash: Digest, policyHash: Digest?, issuedAt: Timestamp,
        expiresAt: Timestamp, revokedAt: Timestamp? = nil
    ) {
        self.requestID = requestID
        self.jobID = jobID
        self.jobClass = jobClass
        self.agentDID = agentDID
        self.approvals = approvals
        self.tokenHash = tokenHash
        self.tokenID = tokenID
        self.scopeHash = scopeHash
        self.policyHash = policyHash
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
    }

    /// When it ceased to be of use.
    public var endsAt: Timestamp { revokedAt.map { min($0, expiresAt) } ?? expiresAt }

    /// True when it is of use at an instant.
    public func isLive(at now: Timestamp) -> Bool { revokedAt == nil && now < expiresAt }
}
