/// A human's decision about an agent's request: `human_approval_receipt.v1` (WIRE section 8.5).
public struct HumanApprovalReceipt: Sendable, Hashable {
    /// The envelope's type.
    public static let envelopeType = "human_approval_receipt"

    /// `approval_type`.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A person said yes.
        case explicitApprove = "explicit_approve"
        /// A person said no.
        case explicitDeny = "explicit_deny"
        /// A rule said yes.
        case autoApprove = "auto_approve"
        /// Nobody answered.
        case timeoutDeny = "timeout_deny"
    }

    /// `approver_method`.
    public enum Method: String, Sendable, Hashable, CaseIterable {
        /// A button.
        case uiClick = "ui_click"
        /// A command.
        case cliConfirm = "cli_confirm"
        /// A call by a program on the person's behalf.
        case apiCall = "api_call"
        /// A rule.
        case policyAuto = "policy_auto"
        /// The end of a wait.
        case timeout
    }

    /// `binding`: what run, event and token the decision is about.
    public struct Binding: Sendable, Hashable {
        /// `run_id`.
        public var runID: String?
        /// `event_hash_b64u`.
        public var eventHash: HashText?
        /// `nonce`.
        public var nonce: String?
        /// `policy_hash`.
        public var policyHash: HashText?
        /// `token_scope_hash_b64u`.
        public var tokenScopeHash: HashText?

        /// Makes a binding.
        public init(
            runID: String? = nil, eventHash: HashText? = nil, nonce: String? = nil, policyHash: HashText? = nil,
            tokenScopeHash: HashText? = nil
        ) {
            self.runID = runID
            self.eventHash = eventHash
            self.nonce = nonce
            self.policyHash = policyHash
            self.tokenScopeHash = tokenScopeHash
        }
    }

    /// `receipt_id`.
    public var receiptID: String
    /// `approval_type`.
    public var kind: Kind
    /// `approver_subject`: the person, in the directory's words.
    public var approverSubject: String
    /// `approver_method`.
    public var method: Method?
    /// `agent_did`.
    public var agentDID: AgentDID
    /// `scope_hash_b64u`: ours is the token's scope hash.
    public var scopeHash: HashText
    /// `scope_summary`, at most 1024 UTF-16 units.
    public var scopeSummary: String?
    /// `policy_hash_b64u`.
    public var policyHash: HashText?
    /// `minted_capability_id`: ours is the `jti`.
    public var mintedCapabilityID: TokenID?
    /// `minted_capability_ttl_seconds`: for how long after ``timestamp`` the decision may be used.
    public var ttlSeconds: Int64?
    /// `plan_hash_b64u`.
    public var planHash: HashText?
    /// `evidence_required`.
    public var evidenceRequired: [String]
    /// `timestamp`.
    public var timestamp: Timestamp
    /// `binding`.
    public var binding: Binding?

    /// Makes a receipt with the members every receipt has; set the others afterwards.
    public init(
        receiptID: String, kind: Kind, approverSubject: String, agentDID: AgentDID, scopeHash: HashText,
        timestamp: Timestamp
    ) {
        self.receiptID = receiptID
        self.kind = kind
        self.approverSubject = approverSubject
        self.agentDID = agentDID
        self.scopeHash = scopeHash
        self.timestamp = timestamp
        evidenceRequired = []
    }

    /// The payload, members in the reference's order.
    public var payload: JSONObject {
        var object: JSONObject = [
            "receipt_version": "1", "receipt_id": .string(receiptID), "approval_type": .string(kind.rawValue),
            "approver_subject": .string(approverSubject),
        ]
        if let method { object["approver_method"] = .string(method.rawValue) }
        object["agent_did"] = .string(agentDID.rawValue)
        object["scope_hash_b64u"] = .string(scopeHash.text)
        if let scopeSummary { object["scope_summary"] = .string(scopeSummary) }
        if let policyHash { object["policy_hash_b64u"] = .string(policyHash.text) }
        if let mintedCapabilityID { object["minted_capability_id"] = .string(mintedCapabilityID.rawValue) }
        if let ttlSeconds { object["minted_capability_ttl_seconds"] = .integer(ttlSeconds) }
        if let planHash { object["plan_hash_b64u"] = .string(planHash.text) }
        if !evidenceRequired.isEmpty {
            object["evidence_required"] = .array(evidenceRequired.map { .string($0) })
        }
        object["hash_algorithm"] = "SHA-256"
        object["timestamp"] = .string(timestamp.iso8601)
        if let binding { object["binding"] = .object(binding.json) }
        return object
    }

    /// Signs the receipt; the envelope is issued at the receipt's own time.
    ///
    /// - Throws: what the signer throws.
    public func sign(by signer: any Ed25519Signer) throws -> SignedEnvelope {
        try SignedEnvelope.sign(
            type: Self.envelopeType, payload: payload, rule: .document, signer: signer, issuedAt: timestamp)
    }
}

extension HumanApprovalReceipt.Binding {
    var json: JSONObject {
        var object = JSONObject()
        if let runID { object["run_id"] = .string(runID) }
        if let eventHash { object["event_hash_b64u"] = .string(eventHash.text) }
        if let nonce { object["nonce"] = .string(nonce) }
        if let policyHash { object["policy_hash"] = .string(policyHash.text) }
        if let tokenScopeHash { object["token_scope_hash_b64u"] = .string(tokenScopeHash.text) }
        return object
    }
}
