/// What the gateway states of one model call: `gateway_receipt.v1` (WIRE section 8.2).
///
/// It holds hashes and counts, never a prompt or a response. Times are the gateway's.
public struct GatewayReceipt: Sendable, Hashable {
    /// The envelope's type.
    public static let envelopeType = "gateway_receipt"
    /// Most tokens that one receipt may state, of each direction.
    public static let maximumTokens: Int64 = 10_000_000
    /// Longest call, in milliseconds.
    public static let maximumLatency: Int64 = 3_600_000

    /// `binding`: which run, event, policy and token the call belongs to (`receipt_binding.v1`).
    public struct Binding: Sendable, Hashable {
        /// `run_id`.
        public var runID: String?
        /// `event_hash_b64u`: base64url of the caller's choice, so it may be no SHA-256.
        public var eventHash: String?
        /// `nonce`.
        public var nonce: String?
        /// `policy_hash`: the WPC that the gateway enforced.
        public var policyHash: String?
        /// `token_scope_hash_b64u`: the scope hash of the CST that was shown.
        public var tokenScopeHash: String?
        /// The causal members (`span_id`, `parent_span_id`, `tool_span_id`, `phase`, `attribution_confidence` and their
        /// camelCase forms), as they stand in the document.
        public var causal: JSONObject

        /// Makes a binding.
        public init(
            runID: String? = nil, eventHash: String? = nil, nonce: String? = nil, policyHash: String? = nil,
            tokenScopeHash: String? = nil, causal: JSONObject = JSONObject()
        ) {
            self.runID = runID
            self.eventHash = eventHash
            self.nonce = nonce
            self.policyHash = policyHash
            self.tokenScopeHash = tokenScopeHash
            self.causal = causal
        }
    }

    /// `receipt_id`: the gateway's name of the call, unique for its signer.
    public var receiptID: String
    /// `gateway_id`.
    public var gatewayID: String
    /// `provider`.
    public var provider: String
    /// `model`.
    public var model: String
    /// `request_hash_b64u`.
    public var requestHash: String
    /// `response_hash_b64u`.
    public var responseHash: String
    /// `tokens_input`.
    public var tokensInput: Int64
    /// `tokens_output`.
    public var tokensOutput: Int64
    /// `latency_ms`.
    public var latencyMilliseconds: Int64
    /// `timestamp`.
    public var timestamp: Timestamp
    /// `binding`.
    public var binding: Binding?
    /// `metadata`, an open object.
    public var metadata: JSONObject?

    /// Makes a receipt.
    public init(
        receiptID: String, gatewayID: String, provider: String, model: String, requestHash: String,
        responseHash: String, tokensInput: Int64, tokensOutput: Int64, latencyMilliseconds: Int64,
        timestamp: Timestamp, binding: Binding? = nil, metadata: JSONObject? = nil
    ) {
        self.receiptID = receiptID
        self.gatewayID = gatewayID
        self.provider = provider
        self.model = model
        self.requestHash = requestHash
        self.responseHash = responseHash
        self.tokensInput = tokensInput
        self.tokensOutput = tokensOutput
        self.latencyMilliseconds = latencyMilliseconds
        self.timestamp = timestamp
        self.binding = binding
        self.metadata = metadata
    }

    /// The payload, members in minting order.
    ///
    /// A receipt of a gateway is hashed as it was written: keep its own payload, see ``VerifiedGatewayReceipt/payload``.
    public var payload: JSONObject {
        var object: JSONObject = [
            "receipt_version": "1", "receipt_id": .string(receiptID), "gateway_id": .string(gatewayID),
            "provider": .string(provider), "model": .string(model), "request_hash_b64u": .string(requestHash),
            "response_hash_b64u": .string(responseHash), "tokens_input": .integer(tokensInput),
            "tokens_output": .integer(tokensOutput), "latency_ms": .integer(latencyMilliseconds),
            "timestamp": .string(timestamp.iso8601),
        ]
        if let binding { object["binding"] = .object(binding.json) }
        if let metadata { object["metadata"] = .object(metadata) }
        return object
    }

    /// Signs the receipt as a gateway does; the envelope is issued at the receipt's own time.
    ///
    /// - Throws: what the signer throws.
    public func sign(by signer: any Ed25519Signer) throws -> SignedEnvelope {
        try SignedEnvelope.sign(
            type: Self.envelopeType, payload: payload, rule: .document, signer: signer, issuedAt: timestamp)
    }
}

extension GatewayReceipt.Binding {
    static let textMembers: Set<String> = [
        "run_id", "event_hash_b64u", "nonce", "policy_hash", "token_scope_hash_b64u",
    ]
    static let hashMembers: Set<String> = ["event_hash_b64u", "policy_hash", "token_scope_hash_b64u"]
    static let causalTexts: Set<String> = [
        "span_id", "parent_span_id", "tool_span_id", "phase", "spanId", "parentSpanId", "toolSpanId",
    ]
    static let causalNumbers: Set<String> = ["attribution_confidence", "attributionConfidence"]

    var json: JSONObject {
        var object = JSONObject()
        if let runID { object["run_id"] = .string(runID) }
        if let eventHash { object["event_hash_b64u"] = .string(eventHash) }
        if let nonce { object["nonce"] = .string(nonce) }
        if let policyHash { object["policy_hash"] = .string(policyHash) }
        if let tokenScopeHash { object["token_scope_hash_b64u"] = .string(tokenScopeHash) }
        for member in causal.members { object[member.key] = member.value }
        return object
    }
}
