public import ClawWire

/// The reference's answer about a gateway receipt's envelope (WIRE section 8.2).
public struct GatewayReceiptVerdict: Sendable, Hashable {
    /// VALID or INVALID.
    public let status: ReferenceVerdict.Status
    /// Why not; `nil` when VALID.
    public let refusal: ReferenceRefusal?
    /// What the receipt lets one say about the model; `nil` when INVALID.
    public let modelIdentityTier: String?
    /// Risk flags of the model's identity, sorted; `nil` when INVALID.
    public let riskFlags: [String]?

    /// `error.code` of the answer.
    public var code: String? { refusal?.code }
    /// `error.field` of the answer.
    public var field: String? { refusal?.field }

    /// Answers about an envelope as the reference does.
    ///
    /// `expires_at` is not looked at. A receipt whose inclusion proof was put in after signing does not hold.
    ///
    /// - Parameters:
    ///   - envelope: the parsed envelope, members in document order.
    ///   - signers: the DIDs of gateways whose signature counts; none is known when `nil` or empty.
    public init(envelope: JSONValue, signers: [String]?) {
        do throws(ReferenceRefusal) {
            let identity = try GatewayReceiptCheck(signers: signers).check(envelope)
            self.init(
                status: .valid, refusal: nil, modelIdentityTier: identity.tier, riskFlags: identity.flags.sorted())
        } catch {
            self.init(status: .invalid, refusal: error, modelIdentityTier: nil, riskFlags: nil)
        }
    }

    private init(
        status: ReferenceVerdict.Status, refusal: ReferenceRefusal?, modelIdentityTier: String?, riskFlags: [String]?
    ) {
        self.status = status
        self.refusal = refusal
        self.modelIdentityTier = modelIdentityTier
        self.riskFlags = riskFlags
    }
}

/// The reference's checks of a gateway receipt's envelope, in its order.
struct GatewayReceiptCheck {
    let signers: [String]?

    private static let maximumTokens: Int64 = 10_000_000
    private static let maximumLatency: Int64 = 3_600_000

    func check(_ value: JSONValue) throws(ReferenceRefusal) -> ModelIdentity {
        let envelope = try EnvelopeCheck.structured(value.object)
        try EnvelopeCheck.checkKinds(envelope, type: "gateway_receipt")
        if let field = ReceiptSchemas.gatewayEnvelope.firstBreach(in: value) {
            throw ReferenceRefusal(
                "SCHEMA_VALIDATION_FAILED", field.isEmpty ? nil : field, "the schema is not kept")
        }
        try EnvelopeCheck.checkSigner(envelope)
        try checkAllowed(envelope)
        guard ReferenceDate.milliseconds(envelope["issued_at"]) != nil else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "issued_at", "issued_at is no date")
        }
        try EnvelopeCheck.checkForms(envelope)
        let payload = envelope["payload"] ?? .null
        guard isWithinBounds(payload) else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "payload", "a count is no whole number or too large")
        }
        try EnvelopeCheck.checkHashAndSignature(of: envelope)
        return ModelIdentity(receipt: payload)
    }

    private func checkAllowed(_ envelope: JSONObject) throws(ReferenceRefusal) {
        guard let signers, !signers.isEmpty else {
            throw ReferenceRefusal(
                "DEPENDENCY_NOT_CONFIGURED", "env.GATEWAY_RECEIPT_SIGNER_DIDS", "no gateway is known")
        }
        guard let signer = envelope["signer_did"]?.string, ExactText.contains(signers, signer) else {
            throw ReferenceRefusal("CLAIM_NOT_FOUND", "signer_did", "the signer is no known gateway")
        }
    }

    private func isWithinBounds(_ payload: JSONValue) -> Bool {
        func isWhole(_ key: String, upTo maximum: Int64) -> Bool {
            payload[key]?.integer.map { $0 >= 0 && $0 <= maximum } ?? false
        }
        return isWhole("tokens_input", upTo: Self.maximumTokens) && isWhole("tokens_output", upTo: Self.maximumTokens)
            && isWhole("latency_ms", upTo: Self.maximumLatency)
            && ReferenceDate.milliseconds(payload["timestamp"]) != nil
    }
}
