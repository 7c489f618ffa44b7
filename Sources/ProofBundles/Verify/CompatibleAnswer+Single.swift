import ClawWire

/// What the reference's services say of documents that stand alone.
extension CompatibleAnswer {
    /// clawscope's introspection of a token (WIRE section 4), under the trusted token keys, before it looks up revocations.
    static func token(_ text: String, _ trust: TrustConfiguration, _ now: Timestamp) -> Answer {
        let answer = Introspection.answer(
            text, keys: trust.acceptedKeys, now: now, rules: .compatible, revokedAt: { _ in nil })
        return Answer(
            verifier: "introspection", isValid: answer.isActive, code: answer.body["error"]?.string, field: nil,
            tier: nil)
    }

    /// The gateway's check of a WPC envelope (WIRE section 7.1), asked for by the hash that the options or else the
    /// envelope itself names. Where no signers are listed the gateway allows everybody.
    static func policy(_ value: JSONValue, _ trust: TrustConfiguration, _ options: ReferenceOptions) -> Answer {
        let asked = options.text("policyHashB64u") ?? value["payload_hash_b64u"]?.string ?? ""
        let signers = trust.policySigners.isEmpty ? [value["signer_did"]?.string ?? ""] : trust.policySigners
        do throws(WPCError) {
            // A text that no digest has is asked for in vain, as any other hash of another policy.
            _ = try WPCEnvelope.verify(
                value, expectedHash: Digest(b64u: asked) ?? Digest(hashing: ""), signerAllowlist: signers,
                accepting: WorkPolicyContract.registrableForms)
            return Answer(verifier: "gateway", isValid: true, code: nil, field: nil, tier: nil)
        } catch {
            return Answer(
                verifier: "gateway", isValid: false, code: error.code.rawValue,
                field: error.path.isEmpty ? nil : error.path, tier: nil)
        }
    }

    /// The local proxy's check of a signed approval (WIRE section 8.5). It asks whether the approval is about this agent,
    /// scope and policy; without them in the options there is no answer.
    static func approval(
        _ value: JSONValue, _ trust: TrustConfiguration, _ options: ReferenceOptions, _ now: Timestamp
    ) -> [Answer] {
        guard let agent = options.text("agentDid"),
            let scope = options.text("scopeHashB64u").flatMap({ HashText($0) }),
            let policy = options.text("policyHashB64u").flatMap({ HashText($0) })
        else { return [] }
        let expectation = HumanApprovalReceipt.Expectation(
            agentDID: AgentDID(agent), scopeHash: scope, policyHash: policy, runID: options.text("runId"),
            eventHash: options.text("eventHashB64u").flatMap { HashText($0) }, acceptsAutomatic: true)
        do {
            _ = try HumanApprovalReceipt.verify(
                JSONWriter.text(value), expectation: expectation, approvers: trust.approvers, now: now)
            return [Answer(verifier: "local proxy", isValid: true, code: nil, field: nil, tier: nil)]
        } catch {
            return [
                Answer(verifier: "local proxy", isValid: false, code: error.code.rawValue, field: nil, tier: nil)
            ]
        }
    }
}

extension TrustConfiguration {
    /// The token keys: those without an end sign, the others verify what they have signed.
    var acceptedKeys: AcceptedKeys {
        AcceptedKeys(
            signing: tokenKeys.filter { $0.notAfter == nil }.map(\.key),
            verifyOnly: tokenKeys.filter { $0.notAfter != nil }.map { ($0.key, $0.notAfter?.seconds) })
    }
}
