/// Why an approval receipt does not unlock anything, with the reference's reason (WIRE section 8.5).
public struct ApprovalReceiptError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No envelope of this type.
        case malformed = "approval_receipt_missing_or_malformed"
        /// The signer is no allowed approver.
        case signerNotAllowed = "approval_receipt_signer_not_allowlisted"
        /// A member is missing or has another form, the decision is no approval, or the agent is another.
        case payloadInvalid = "approval_receipt_payload_invalid"
        /// Policy or scope differ from what is asked for.
        case policyOrScopeMismatch = "approval_receipt_policy_scope_mismatch"
        /// The time cannot be read.
        case timestampInvalid = "approval_receipt_timestamp_invalid"
        /// Used before it was given, or after its time.
        case outsideWindow = "approval_receipt_expired_or_not_yet_valid"
        /// Bound to another run, or to none where the rules demand one.
        case runMismatch = "approval_receipt_run_binding_mismatch"
        /// Bound to another event, or to none where the rules demand one.
        case eventMismatch = "approval_receipt_event_binding_mismatch"
        /// Bound to another policy or token scope than it names itself.
        case bindingContradiction = "approval_receipt_binding_contradiction"
        /// The payload has another hash.
        case hashMismatch = "approval_receipt_payload_hash_mismatch"
        /// The signature is not the signer's.
        case signatureInvalid = "approval_receipt_signature_invalid"
    }

    /// What is wrong.
    public let code: Code
    /// A sentence for people.
    public let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Code and sentence.
    public var description: String { "\(code.rawValue): \(detail)" }
}

/// An approval receipt that an allowed approver signed for exactly what was asked.
///
/// It may still have been used before: use-once is the ledger's to keep.
public struct VerifiedApprovalReceipt: Sendable, Hashable {
    /// The decision.
    public let receipt: HumanApprovalReceipt
    /// The envelope's `payload_hash_b64u`: the receipt's name.
    public let payloadHash: Digest
    /// The approver's key.
    public let signer: Ed25519PublicKey
    /// Last instant at which it may be used.
    public let usableUntil: Timestamp
}

extension HumanApprovalReceipt {
    /// What a receipt must be about to count.
    public struct Expectation: Sendable, Hashable {
        /// The agent that asks.
        public var agentDID: AgentDID
        /// The scope asked for.
        public var scopeHash: HashText
        /// The policy it is asked for under.
        public var policyHash: HashText
        /// The run, when there is one.
        public var runID: String?
        /// The event, when there is one.
        public var eventHash: HashText?
        /// True where a rule's yes counts as a person's; the reference lets it.
        public var acceptsAutomatic: Bool
        /// True where a receipt without a binding to the run or event is refused; the reference lets it pass, so that
        /// it can be used in any run.
        public var requiresBinding: Bool

        /// Makes an expectation; by default only a person's explicit yes counts.
        public init(
            agentDID: AgentDID, scopeHash: HashText, policyHash: HashText, runID: String? = nil,
            eventHash: HashText? = nil, acceptsAutomatic: Bool = false, requiresBinding: Bool = false
        ) {
            self.agentDID = agentDID
            self.scopeHash = scopeHash
            self.policyHash = policyHash
            self.runID = runID
            self.eventHash = eventHash
            self.acceptsAutomatic = acceptsAutomatic
            self.requiresBinding = requiresBinding
        }
    }

    /// Verifies a receipt given as JSON text or as base64url of it, the two forms of the header
    /// `x-clawsig-approval-receipt`.
    ///
    /// - Parameters:
    ///   - text: the envelope.
    ///   - expectation: what it must be about.
    ///   - approvers: DIDs of the approvers; nobody is one when it is empty.
    ///   - now: the time of the decision that rests on the receipt; within [timestamp, timestamp + ttl].
    /// - Throws: ``ApprovalReceiptError`` in the reference's order.
    public static func verify(
        _ text: String, expectation: Expectation, approvers: Set<String>, now: Timestamp,
        limits: JSONLimits = .token
    ) throws(ApprovalReceiptError) -> VerifiedApprovalReceipt {
        let envelope = try parseEnvelope(text, limits)
        guard approvers.contains(where: { ExactText.equal($0, envelope.signerDID) }) else {
            throw ApprovalReceiptError(.signerNotAllowed, "\(envelope.signerDID) is no allowed approver")
        }
        let receipt = try parse(envelope.payload)
        guard receipt.kind == .explicitApprove || receipt.kind == .autoApprove && expectation.acceptsAutomatic else {
            throw ApprovalReceiptError(.payloadInvalid, "\(receipt.kind.rawValue) is no approval here")
        }
        guard receipt.agentDID == expectation.agentDID else {
            throw ApprovalReceiptError(.payloadInvalid, "the approval is for agent \(receipt.agentDID)")
        }
        guard let ttl = receipt.ttlSeconds, ttl > 0 else {
            throw ApprovalReceiptError(.payloadInvalid, "minted_capability_ttl_seconds must be a positive whole number")
        }
        guard let policy = receipt.policyHash else {
            throw ApprovalReceiptError(.payloadInvalid, "the approval names no policy")
        }
        guard policy == expectation.policyHash, receipt.scopeHash == expectation.scopeHash else {
            throw ApprovalReceiptError(
                .policyOrScopeMismatch,
                "approved are policy \(policy) and scope \(receipt.scopeHash), asked for \(expectation.policyHash) and "
                    + "\(expectation.scopeHash)")
        }
        let usableUntil = receipt.timestamp.adding(seconds: ttl)
        guard now >= receipt.timestamp, now <= usableUntil else {
            throw ApprovalReceiptError(
                .outsideWindow, "usable from \(receipt.timestamp) to \(usableUntil), now is \(now)")
        }
        try receipt.check(expectation)
        do {
            let verified = try envelope.verify(rule: .document, signers: approvers, now: now)
            guard let hash = envelope.payloadHash.digest else {
                throw ApprovalReceiptError(.hashMismatch, "payload_hash_b64u is not strict base64url")
            }
            return VerifiedApprovalReceipt(
                receipt: receipt, payloadHash: hash, signer: verified.signer, usableUntil: usableUntil)
        } catch let error as EnvelopeError {
            throw ApprovalReceiptError(error)
        } catch let error as ApprovalReceiptError {
            throw error
        } catch {
            throw ApprovalReceiptError(.malformed, "\(error)")
        }
    }

    private static func parseEnvelope(
        _ text: String, _ limits: JSONLimits
    ) throws(ApprovalReceiptError) -> SignedEnvelope {
        let trimmed = ExactText.trimmed(text)
        let bytes = trimmed.utf8.first == UInt8(ascii: "{") ? Array(trimmed.utf8) : Base64URL.decode(trimmed)
        guard let bytes else { throw ApprovalReceiptError(.malformed, "neither JSON nor base64url of it") }
        do {
            return try SignedEnvelope.parse(try JSONReader.parse(bytes, limits: limits), type: envelopeType)
        } catch {
            throw ApprovalReceiptError(.malformed, "\(error)")
        }
    }

    private func check(_ expectation: Expectation) throws(ApprovalReceiptError) {
        let run = binding?.runID
        if run != nil || expectation.requiresBinding, let expected = expectation.runID {
            guard let run, ExactText.equal(run, expected) else {
                throw ApprovalReceiptError(.runMismatch, "bound to run \(run ?? "none"), asked for \(expected)")
            }
        } else if let run {
            throw ApprovalReceiptError(.runMismatch, "bound to run \(run), asked for none")
        }
        let event = binding?.eventHash
        if event != nil || expectation.requiresBinding, let expected = expectation.eventHash {
            guard event == expected else {
                throw ApprovalReceiptError(.eventMismatch, "bound to event \(event?.text ?? "none")")
            }
        } else if let event {
            throw ApprovalReceiptError(.eventMismatch, "bound to event \(event), asked for none")
        }
        if let bound = binding?.policyHash, bound != policyHash {
            throw ApprovalReceiptError(.bindingContradiction, "the binding names another policy")
        }
        if let bound = binding?.tokenScopeHash, bound != scopeHash {
            throw ApprovalReceiptError(.bindingContradiction, "the binding names another token scope")
        }
    }

    /// Reads a payload.
    ///
    /// - Throws: ``ApprovalReceiptError`` with `approval_receipt_payload_invalid` or `…_timestamp_invalid`.
    public static func parse(_ payload: JSONObject) throws(ApprovalReceiptError) -> HumanApprovalReceipt {
        func invalid(_ key: String) -> ApprovalReceiptError {
            ApprovalReceiptError(.payloadInvalid, "the member \(key) is missing or has another form")
        }
        func text(_ object: JSONObject, _ key: String) throws(ApprovalReceiptError) -> String? {
            guard let value = object[key] else { return nil }
            guard let text = value.string else { throw invalid(key) }
            return text
        }
        func hash(_ object: JSONObject, _ key: String) throws(ApprovalReceiptError) -> HashText? {
            guard let value = try text(object, key) else { return nil }
            guard let hash = HashText(value) else { throw invalid(key) }
            return hash
        }
        guard payload["receipt_version"]?.string == "1" else { throw invalid("receipt_version") }
        guard payload["hash_algorithm"]?.string == "SHA-256" else { throw invalid("hash_algorithm") }
        guard let receiptID = try text(payload, "receipt_id"), !receiptID.isEmpty else { throw invalid("receipt_id") }
        guard let kind = Kind(rawValue: try text(payload, "approval_type") ?? "") else {
            throw invalid("approval_type")
        }
        guard let subject = try text(payload, "approver_subject"), !ExactText.trimmed(subject).isEmpty else {
            throw invalid("approver_subject")
        }
        guard let agent = try text(payload, "agent_did"), !agent.isEmpty else { throw invalid("agent_did") }
        guard let scopeHash = try hash(payload, "scope_hash_b64u") else { throw invalid("scope_hash_b64u") }
        guard let time = try text(payload, "timestamp") else { throw invalid("timestamp") }
        guard let timestamp = Timestamp(rfc3339: time) else {
            throw ApprovalReceiptError(.timestampInvalid, "the time is not RFC 3339 with an offset")
        }
        var receipt = HumanApprovalReceipt(
            receiptID: receiptID, kind: kind, approverSubject: subject, agentDID: AgentDID(agent),
            scopeHash: scopeHash, timestamp: timestamp)
        if let name = try text(payload, "approver_method") {
            guard let method = Method(rawValue: name) else { throw invalid("approver_method") }
            receipt.method = method
        }
        receipt.scopeSummary = try text(payload, "scope_summary")
        if let summary = receipt.scopeSummary, ExactText.length(summary) > 1_024 { throw invalid("scope_summary") }
        receipt.policyHash = try hash(payload, "policy_hash_b64u")
        receipt.mintedCapabilityID = try text(payload, "minted_capability_id").map { TokenID($0) }
        if let ttl = payload["minted_capability_ttl_seconds"] {
            guard let seconds = ttl.integer else { throw invalid("minted_capability_ttl_seconds") }
            receipt.ttlSeconds = seconds
        }
        receipt.planHash = try hash(payload, "plan_hash_b64u")
        if let evidence = payload["evidence_required"] {
            guard let names = evidence.array, names.allSatisfy({ $0.string != nil }) else {
                throw invalid("evidence_required")
            }
            receipt.evidenceRequired = names.compactMap(\.string)
        }
        if let value = payload["binding"] {
            guard let binding = value.object else { throw invalid("binding") }
            receipt.binding = Binding(
                runID: try text(binding, "run_id"), eventHash: try hash(binding, "event_hash_b64u"),
                nonce: try text(binding, "nonce"), policyHash: try hash(binding, "policy_hash"),
                tokenScopeHash: try hash(binding, "token_scope_hash_b64u"))
        }
        return receipt
    }
}

extension ApprovalReceiptError {
    init(_ error: EnvelopeError) {
        switch error.code {
        case .hashMismatch: self.init(.hashMismatch, error.detail)
        case .signatureInvalid, .invalidDID: self.init(.signatureInvalid, error.detail)
        case .noAllowlist, .signerNotAllowed: self.init(.signerNotAllowed, error.detail)
        case .expired: self.init(.outsideWindow, error.detail)
        case .malformed, .unknownVersion, .unknownType, .unknownAlgorithm, .unknownHashAlgorithm, .schemaInvalid:
            self.init(.malformed, error.detail)
        }
    }
}
