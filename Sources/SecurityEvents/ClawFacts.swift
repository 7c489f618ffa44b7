import ClawWire
import ReceiptLog

/// What an event says in our own terms, flat, the same in every rendering: names are those of the receipts.
enum ClawFacts {
    /// Facts as JSON: texts, whole numbers and lists of texts.
    static func object(_ event: SecurityEvent) -> JSONObject {
        var facts = JSONObject()
        let receipt = event.receipt
        facts["sequence"] = .integer(event.sequence.value)
        facts["receipt_id"] = .string(receipt.id.rawValue)
        facts["batch"] = .integer(event.batch.value)
        facts["request_id"] = receipt.subject.requestID.map { .string($0.rawValue) }
        facts["approval_id"] = receipt.subject.approvalIDs.first.map { .string($0.rawValue) }
        facts["job_id"] = receipt.subject.jobID.map { .string($0.rawValue) }
        facts["job_class"] = receipt.subject.jobClass.map { .string($0.rawValue) }
        facts["agent_did"] = receipt.subject.agentDID.map { .string($0.rawValue) }
        facts["wpc_hash"] = receipt.provenance.policyHash.map { .string($0.b64u) }
        facts["rules_hash"] = receipt.provenance.rulesHash.map { .string($0.b64u) }
        facts["authenticity"] = receipt.provenance.authenticity.map { .string($0.rawValue) }
        facts["control_position"] = receipt.provenance.controlPosition.map { .integer($0) }
        if let input = receipt.provenance.inputs.first { facts["record"] = .string(input.origin.description) }
        facts["trace_id"] = event.trace.map { .string($0.traceID.description) }
        facts["span_id"] = event.trace.map { .string($0.spanID.description) }
        add(receipt.content, to: &facts)
        return TokenMask.masked(facts)
    }

    private static func add(_ content: Receipt.Content, to facts: inout JSONObject) {
        switch content {
        case .grantIssued(let grant):
            facts["jti"] = .string(grant.token.jti.rawValue)
            facts["token_hash"] = .string(grant.token.tokenHash.hex)
            facts["token_scope_hash"] = .string(grant.token.scopeHash.b64u)
            facts["kid"] = .string(grant.token.kid.rawValue)
            facts["delivery"] = .string(grant.delivery.rawValue)
            facts["approvers"] = .array(grant.approverIDs.map { .string($0.rawValue) })
            facts["replaces"] = grant.replaces.map { .string($0.rawValue) }
            facts["rule"] = .string(grant.rule)
        case .decisionDenied(let refusal), .decisionExpired(let refusal): facts["rule"] = .string(refusal.rule)
        case .decisionQuarantined(let quarantine):
            facts["record"] = .string(quarantine.origin.description)
            facts["value_sha256"] = .string(quarantine.valueDigest.hex)
        case .deadLetterRedriven(let action), .deadLetterDiscarded(let action):
            facts["record"] = .string(action.origin.description)
            facts["value_sha256"] = .string(action.valueDigest.hex)
            facts["hops"] = .integer(action.hops)
            facts["outcome"] = .string(action.outcome.rawValue)
            facts["requested_by"] = .string(action.requestedBy)
        case .grantClaimed(let claim):
            facts["jti"] = .string(claim.jti.rawValue)
            facts["token_hash"] = .string(claim.tokenHash.hex)
            facts["claim_key"] = .string(claim.key.b64u)
            facts["sealed_to"] = claim.sealedTo.map { .string($0.b64u) }
        case .revocation(let revocation):
            facts["jti"] = revocation.jti.map { .string($0.rawValue) }
            facts["token_hash"] = .string(revocation.tokenHash.hex)
            facts["cause"] = .string(revocation.cause.rawValue)
            facts["revoked_by"] = .string(revocation.revokedBy)
        case .revocationsEnded(let end): facts["ended"] = .integer(Int64(end.keys.count))
        case .keyChanged(let change):
            facts["kid"] = .string(change.kid.rawValue)
            facts["purpose"] = .string(change.purpose.rawValue)
            facts["change"] = .string(change.change.rawValue)
        case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
            .controlApplied(let payload), .controlRepeated(let payload):
            for name in [
                "stop_id", "operation", "result", "control_position", "grants_before", "voided_tokens", "effective_ms",
                "incident",
            ] {
                if let value = payload[name], !value.isNull { facts[name] = value }
            }
            let declarers = payload["declared_by"]?.array ?? []
            if !declarers.isEmpty { facts["declared_by"] = .array(declarers) }
        case .gatewayReceipt(let call):
            facts["gateway"] = .string(call.signerDID)
            facts["gateway_receipt_id"] = .string(call.receiptID)
            facts["model"] = .string(call.model)
            facts["provider"] = .string(call.provider)
            facts["input_tokens"] = .integer(call.inputTokens)
            facts["output_tokens"] = .integer(call.outputTokens)
        case .findingRaised(let finding):
            facts["finding"] = .string(finding.code)
            facts["about"] = .string(finding.about)
        case .budgetReached(let mark):
            facts["dimension"] = .string(mark.dimension.rawValue)
            facts["percent"] = .integer(mark.percent)
            facts["limit"] = .integer(mark.limit)
            facts["used"] = .integer(mark.used)
            facts["currency"] = mark.currency.map { .string($0) }
        case .heartbeat: break
        }
    }

    /// Facts as texts, for renderings that know nothing else.
    static func texts(_ event: SecurityEvent) -> [(name: String, value: String)] {
        object(event).members.compactMap { member in
            switch member.value {
            case .string(let text): (member.key, text)
            case .array(let values): (member.key, values.compactMap(\.string).joined(separator: ","))
            case .number, .bool, .object: (member.key, JSONWriter.text(member.value))
            case .null: nil
            }
        }
    }
}
