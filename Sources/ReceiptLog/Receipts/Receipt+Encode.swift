public import ClawWire

/// A receipt with its canonical bytes, which are made once and used for storage, leaf and digest.
public struct EncodedReceipt: Sendable, Hashable {
    /// The receipt.
    public let receipt: Receipt
    /// Its RFC 8785 text.
    public let bytes: [UInt8]
    /// SHA-256 of ``bytes``: the receipt's hash in records and its leaf in the compatible tree.
    public let digest: Digest
}

extension Receipt {
    /// Largest receipt in bytes. Far below what a batch holds, so that a sealed receipt always fits one.
    public static let maximumBytes = 65_536

    /// Most elements of a list, and most bytes of a text, that an abridged receipt keeps.
    private static let (abridgedList, abridgedText) = (16, 256)

    /// Writes the receipt in its canonical form.
    ///
    /// - Throws: ``EvidenceError`` `limit_exceeded` when it is larger than ``maximumBytes``, see
    ///   ``encodedWithinLimit()``; `invalid_member` when a grant lacks request, job or agent.
    public func encoded() throws(EvidenceError) -> EncodedReceipt {
        if case .grantIssued = content {
            guard subject.requestID != nil, subject.jobID != nil, subject.agentDID != nil else {
                throw EvidenceError(.invalidMember, "request_id", "a grant names its request, job and agent")
            }
        }
        let bytes = canonicalBytes
        guard bytes.count <= Self.maximumBytes else {
            throw EvidenceError(
                .limitExceeded, "", "the receipt has \(bytes.count) bytes; at most \(Self.maximumBytes) are recorded")
        }
        return EncodedReceipt(receipt: self, bytes: bytes, digest: Digest(hashing: bytes))
    }

    /// Writes the receipt; one that is larger than ``maximumBytes`` as its ``abridged`` form.
    ///
    /// What was decided is recorded in any case: somebody from outside must not choose sizes that leave a record without
    /// an answer.
    ///
    /// - Throws: as ``encoded()``; `limit_exceeded` only for content that is not abridged: grants and control events,
    ///   whose makers see to their size.
    public func encodedWithinLimit() throws(EvidenceError) -> EncodedReceipt {
        do {
            return try encoded()
        } catch {
            guard error.code == .limitExceeded else { throw error }
        }
        return try abridged.encoded()
    }

    /// The receipt with what explains it cut: the first reasons, needs, inputs and approvals, the beginning of their
    /// texts, and without what a refused request asked for.
    var abridged: Receipt {
        func kept(_ text: String) -> String {
            text.utf8.count > Self.abridgedText ? text.cut(toBytes: Self.abridgedText) + "\u{2026}" : text
        }
        func kept(_ refusal: Refusal) -> Refusal {
            Refusal(asked: nil, needed: refusal.needed.prefix(Self.abridgedList).map(kept), rule: kept(refusal.rule))
        }
        let content: Content =
            switch content {
            case .decisionDenied(let refusal): .decisionDenied(kept(refusal))
            case .decisionExpired(let refusal): .decisionExpired(kept(refusal))
            case .grantIssued, .grantClaimed, .decisionQuarantined, .revocation, .revocationsEnded, .keyChanged,
                .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated, .gatewayReceipt,
                .findingRaised, .budgetReached, .deadLetterRedriven, .deadLetterDiscarded, .heartbeat:
                self.content
            }
        return Receipt(
            content: content,
            subject: Subject(
                requestID: subject.requestID, approvalIDs: Array(subject.approvalIDs.prefix(Self.abridgedList)),
                jobID: subject.jobID, jobClass: subject.jobClass, agentDID: subject.agentDID),
            provenance: Provenance(
                workerID: provenance.workerID, rulesHash: provenance.rulesHash, policyHash: provenance.policyHash,
                authenticity: provenance.authenticity, inputs: Array(provenance.inputs.prefix(Self.abridgedList)),
                controlPosition: provenance.controlPosition),
            reasons: reasons.prefix(Self.abridgedList).map { Reason(code: $0.code, detail: kept($0.detail)) },
            occurredAt: occurredAt)
    }

    /// Members stand in the order of RFC 8785; those that do not apply are left out.
    var canonicalBytes: [UInt8] {
        var writer = CanonicalWriter()
        writer.openObject()
        writer.member("agent_did", subject.agentDID?.rawValue)
        writer.member("approval_ids", subject.approvalIDs.map(\.rawValue))
        if case .grantIssued(let grant) = content { writer.member("approver_ids", grant.approverIDs.map(\.rawValue)) }
        if let asked = content.asked { writer.member("asked", asked) }
        writer.member("authenticity", provenance.authenticity?.rawValue)
        if case .budgetReached(let mark) = content { writer.budget(mark) }
        if case .grantClaimed(let claim) = content { writer.claim(claim) }
        if let position = provenance.controlPosition { writer.member("control_position", position) }
        switch content {
        case .deadLetterRedriven(let action), .deadLetterDiscarded(let action): writer.deadLetter(action)
        case .grantIssued, .grantClaimed, .decisionDenied, .decisionExpired, .decisionQuarantined, .revocation,
            .revocationsEnded, .keyChanged, .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated,
            .gatewayReceipt,
            .findingRaised, .budgetReached, .heartbeat:
            break
        }
        if case .grantIssued(let grant) = content {
            writer.member("delivery", grant.delivery.rawValue)
        }
        if case .findingRaised(let finding) = content { writer.finding(finding) }
        if case .gatewayReceipt(let call) = content { writer.gatewayCall(call) }
        if case .grantIssued(let grant) = content { writer.member("granted", grant.granted) }
        writer.key("inputs")
        writer.openArray()
        for input in provenance.inputs { writer.input(input) }
        writer.closeArray()
        writer.member("job_class", subject.jobClass?.rawValue)
        writer.member("job_id", subject.jobID?.rawValue)
        if case .keyChanged(let change) = content { writer.key(change) }
        writer.member("kind", content.kind.rawValue)
        if let refusal = content.refusal { writer.member("needed", refusal.needed) }
        writer.member("occurred_at", occurredAt)
        if let payload = content.payload {
            writer.key("payload")
            writer.value(.object(payload))
        }
        if case .decisionQuarantined(let quarantine) = content { writer.quarantine(quarantine) }
        writer.member("reasons", reasons)
        writer.member("receipt_id", id.rawValue)
        writer.member("receipt_version", "1")
        if case .grantIssued(let grant) = content { writer.member("replaces_request_id", grant.replaces?.rawValue) }
        writer.member("request_id", subject.requestID?.rawValue)
        if case .revocation(let revocation) = content { writer.revocation(revocation) }
        writer.member("rule", content.rule)
        writer.member("rules_hash_b64u", provenance.rulesHash)
        if case .grantIssued(let grant) = content { writer.token(grant.token) }
        writer.member("worker_id", provenance.workerID.rawValue)
        writer.member("wpc_hash_b64u", provenance.policyHash)
        writer.closeObject()
        return writer.output
    }
}

extension Receipt.Content {
    var asked: AuthorityExtent? {
        if case .grantIssued(let grant) = self { grant.asked } else { refusal?.asked }
    }

    var refusal: Receipt.Refusal? {
        switch self {
        case .decisionDenied(let refusal), .decisionExpired(let refusal): refusal
        case .grantIssued, .grantClaimed, .decisionQuarantined, .deadLetterRedriven, .deadLetterDiscarded, .revocation,
            .revocationsEnded, .keyChanged, .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated,
            .gatewayReceipt, .findingRaised, .budgetReached, .heartbeat:
            nil
        }
    }

    var rule: String? {
        if case .grantIssued(let grant) = self { grant.rule } else { refusal?.rule }
    }

    var payload: JSONObject? {
        switch self {
        case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
            .controlApplied(let payload), .controlRepeated(let payload):
            payload
        case .revocationsEnded(let end): end.payload
        case .grantIssued, .grantClaimed, .decisionDenied, .decisionExpired, .decisionQuarantined, .deadLetterRedriven,
            .deadLetterDiscarded, .revocation, .keyChanged, .gatewayReceipt, .findingRaised, .budgetReached, .heartbeat:
            nil
        }
    }
}

extension CanonicalWriter {
    mutating func member(_ name: String, _ extent: AuthorityExtent) {
        key(name)
        openObject()
        member("actions", extent.actions)
        member("audience", extent.audience)
        member("scope", extent.scope)
        member("ttl_seconds", extent.ttlSeconds)
        closeObject()
    }

    mutating func member(_ name: String, _ reasons: [Receipt.Reason]) {
        key(name)
        openArray()
        for reason in reasons {
            openObject()
            member("code", reason.code)
            member("detail", reason.detail)
            closeObject()
        }
        closeArray()
    }

    mutating func member(_ name: String, _ origin: RecordOrigin) {
        key(name)
        openObject()
        member("offset", origin.offset)
        member("partition", Int64(origin.partition))
        member("topic", origin.topic)
        closeObject()
    }

    mutating func input(_ input: EvidenceInput) {
        openObject()
        member("digest_b64u", input.digest)
        member("offset", input.origin.offset)
        member("partition", Int64(input.origin.partition))
        member("source", input.source?.rawValue)
        member("topic", input.origin.topic)
        closeObject()
    }

    mutating func token(_ token: TokenReference) {
        key("token")
        openObject()
        member("exp", token.expiresAt.seconds)
        member("iat", token.issuedAt.seconds)
        member("jti", token.jti.rawValue)
        member("kid", token.kid.rawValue)
        member("token_hash", hex: token.tokenHash)
        member("token_scope_hash_b64u", token.scopeHash)
        closeObject()
    }

    mutating func quarantine(_ quarantine: Receipt.Quarantine) {
        key("quarantine")
        openObject()
        member("origin", quarantine.origin)
        member("value_bytes", Int64(quarantine.valueBytes))
        member("value_sha256", hex: quarantine.valueDigest)
        closeObject()
    }

    mutating func revocation(_ revocation: Receipt.Revocation) {
        key("revocation")
        openObject()
        member("cause", revocation.cause.rawValue)
        member("jti", revocation.jti?.rawValue)
        member("revoked_by", revocation.revokedBy)
        member("token_hash", hex: revocation.tokenHash)
        closeObject()
    }

    mutating func key(_ change: Receipt.KeyChange) {
        key("key")
        openObject()
        member("change", change.change.rawValue)
        member("effective_at", change.effectiveAt)
        member("kid", change.kid.rawValue)
        member("public_key_did", change.publicKey.did)
        member("purpose", change.purpose.rawValue)
        closeObject()
    }
}
