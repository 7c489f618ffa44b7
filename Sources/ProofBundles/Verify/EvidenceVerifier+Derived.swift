import ClawWire
import ReceiptLog

extension EvidenceVerifier {
    /// Compares what the evidence says with what follows from the receipts and the calls.
    mutating func compare(_ evidence: JSONObject, _ run: RunFacts, bundle: inout BundleVerifier) {
        compare(
            evidence["tokens"], .array(run.tokens.map { EvidenceWriter.token($0, sealedAt: sealedAt) }), "tokens")
        approvals(evidence["approvals"], run, bundle)
        var known = bundle.calls
        let aside = setAside(evidence["gateway_receipts"], run, bundle, &known)
        compare(
            evidence["usage"], EvidenceWriter.usage(bound: bundle.calls, unbound: aside, receipts: receipts), "usage")
        compare(evidence["revocations"]?["positions"], EvidenceWriter.endings(receipts), "revocations.positions")
        completeness(evidence)
        logged(known, run, evidence["completeness"]?["missing"]?.array ?? [])
    }

    /// Holds the calls against the log's receipts of them: what is in the log and not here must be stated.
    private mutating func logged(_ calls: [GatewayCall], _ run: RunFacts, _ missing: [JSONValue]) {
        let leaves = LoggedCalls.leaves(receipts)
        guard !leaves.isEmpty else { return }
        let (lost, unlogged) = LoggedCalls.differences(leaves, calls)
        let stated = missing.first { $0["code"]?.string == LoggedCalls.notFound }?["count"]?.integer ?? 0
        for leaf in lost {
            let path = at("receipts[\(receipts.firstIndex { $0.position == leaf.position } ?? 0)]")
            if lost.count > stated {
                list.fail(
                    "CALL_WITHHELD", path,
                    "the log has a gateway's receipt of a call at position \(leaf.position) that is not here")
            } else {
                list.skip("CALL_NOT_GIVEN", path, "the envelope of the call at position \(leaf.position) is not here")
            }
            guard let call = leaf.document["gateway_call"],
                let called = call["called_at"]?.string.flatMap({ Timestamp(rfc3339: $0) })
            else { continue }
            let scope = call["token_scope_hash_b64u"]?.string
            let tokens = run.tokens.filter { $0.grant.token.scopeHash.b64u == scope }
            if !tokens.isEmpty { _ = CallChecks.isAlive(tokens, at: called, trust, "\(path).text", &list) }
        }
        for call in unlogged {
            list.skip(
                "CALL_NOT_IN_LOG", at("receipts"),
                "the log has no receipt of the call \(call.receiptID.prefix(64)), and has of others")
        }
    }

    /// Names the first places at which two values differ.
    private mutating func compare(_ stated: JSONValue?, _ derived: JSONValue, _ path: String, depth: Int = 0) {
        guard let stated, stated != derived else {
            if stated == nil { list.fail("MISSING_REQUIRED_FIELD", at(path), "the member is missing") }
            return
        }
        if depth < 4, let left = stated.object, let right = derived.object {
            for member in right.members {
                compare(left[member.key], member.value, "\(path).\(member.key)", depth: depth + 1)
            }
            for key in left.keys where !right.contains(key) {
                list.fail("EVIDENCE_MISMATCH", at("\(path).\(key.prefix(64))"), "nothing backs this member")
            }
            if left.count == right.count, left.keys != right.keys {
                list.fail("EVIDENCE_MISMATCH", at(path), "the members stand in another order")
            }
        } else if depth < 4, let left = stated.array, let right = derived.array, left.count == right.count {
            for (index, pair) in zip(left, right).enumerated() where pair.0 != pair.1 {
                compare(pair.0, pair.1, "\(path)[\(index)]", depth: depth + 1)
            }
        } else {
            list.fail("EVIDENCE_MISMATCH", at(path), "the receipts say something else")
        }
    }

    private mutating func approvals(_ value: JSONValue?, _ run: RunFacts, _ bundle: BundleVerifier) {
        guard let entries = value?.array, entries.count == run.tokens.count else {
            list.fail("EVIDENCE_MISMATCH", at("approvals"), "one entry for each of the \(run.tokens.count) tokens")
            return
        }
        let events = Dictionary(bundle.events.map { ($0.id, $0.hash) }, uniquingKeysWith: { first, _ in first })
        for (index, pair) in zip(entries, run.tokens).enumerated() {
            let path = "approvals[\(index)]"
            guard var stated = pair.0.object else {
                list.fail("MALFORMED", at(path), "an object was expected")
                continue
            }
            let attested = stated["attestations"]?.array ?? []
            stated["attestations"] = nil
            stated["inputs"] = stated["inputs"]?.array.map { inputs in
                .array(
                    inputs.map { input in
                        guard var object = input.object else { return input }
                        object["envelope"] = nil
                        return .object(object)
                    })
            }
            compare(.object(stated), .object(EvidenceWriter.approval(pair.1, envelopes: [:])), path)
            list.expect(
                attested.count == pair.1.grant.approverIDs.count, "EVIDENCE_MISMATCH", at("\(path).attestations"),
                "one attestation for each of the \(pair.1.grant.approverIDs.count) approvers")
            let event = events["receipt:\(pair.1.issuance.position)"]
            for (place, attestation) in attested.enumerated() where place < pair.1.grant.approverIDs.count {
                self.attestation(attestation, pair.1, place, event, "\(path).attestations[\(place)]", run.runID)
            }
        }
    }

    private mutating func attestation(
        _ value: JSONValue, _ token: RunToken, _ place: Int, _ event: Digest?, _ path: String, _ runID: String
    ) {
        do throws(DocumentFault) {
            let envelope = try EnvelopeChecks.parse(value, type: HumanApprovalReceipt.envelopeType)
            try EnvelopeChecks.verify(envelope, signers: trust.envelopeSigners, now: token.grant.token.issuedAt)
            let receipt = try EnvelopeChecks.approval(envelope)
            try Self.check(receipt, token, runID, token.grant.token.issuedAt)
            let expected = EvidenceWriter.attestation(of: token, approver: place, event: event, runID: runID).payload
            for member in expected.members where envelope.payload[member.key] != member.value {
                throw DocumentFault(
                    "EVIDENCE_MISMATCH", "payload.\(member.key)", "it is not what the receipt of the grant says")
            }
            list.pass("ATTESTATION", at(path), "the worker's word for \(receipt.approverSubject.prefix(64))")
        } catch {
            list.fail(error.under(at(path)))
        }
    }

    /// Checks that calls are set aside for the reasons that are stated, and whether they are dated within the run.
    private mutating func setAside(
        _ value: JSONValue?, _ run: RunFacts, _ bundle: BundleVerifier, _ known: inout [GatewayCall]
    ) -> [GatewayCall] {
        var ofTheRun: [GatewayCall] = []
        let hashes = Set(bundle.events.map(\.hash))
        list.expect(
            value?.array != nil, "MISSING_REQUIRED_FIELD", at("gateway_receipts"), "a list, empty or not, was expected")
        guard (value?.array?.count ?? 0) <= CallFilter.maximumCalls else {
            list.fail("LIMIT_EXCEEDED", at("gateway_receipts"), "more than \(CallFilter.maximumCalls) receipts")
            return []
        }
        let taken = Dictionary(
            bundle.calls.map { ($0.receiptID, $0.payloadHash) }, uniquingKeysWith: { first, _ in first })
        for (index, entry) in (value?.array ?? []).enumerated() {
            let path = at("gateway_receipts[\(index)]")
            let call: GatewayCall
            do {
                call = try GatewayCall(entry["envelope"] ?? .null)
            } catch {
                list.fail(error.under("\(path).envelope"))
                continue
            }
            known.append(call)
            guard let reason = SetAsideCall.Reason(rawValue: entry["reason"]?.string ?? "") else {
                list.fail("MALFORMED", "\(path).reason", "no reason that is known")
                continue
            }
            let isSigned = call.isIntact && trust.gatewaySigners.contains(call.envelope.signerDID)
            let isOfRun = call.runID.map { ExactText.equal($0, run.runID) } ?? false
            let isBound = call.eventHash.map { hashes.contains($0) } ?? false
            switch reason {
            case .signatureInvalid: wrongly(call.isIntact, path)
            case .signerUnknown: wrongly(isSigned, path)
            case .replayed:
                wrongly(taken[call.receiptID].map { $0 == call.payloadHash } ?? false, path)
                if isSigned {
                    list.fail(
                        "CAUSAL_RECEIPT_REPLAY_DETECTED", "\(path).envelope.payload.receipt_id",
                        "the gateway signed two receipts with the identifier \"\(call.receiptID.prefix(64))\"")
                }
            case .otherRun:
                wrongly(isSigned && isOfRun, path)
                if isSigned, run.tokens.contains(where: { $0.grant.token.scopeHash == call.scopeHash }) {
                    list.fail(
                        "CALL_OTHER_RUN", "\(path).envelope.payload.binding.run_id",
                        "a token of this run was used in run \"\(call.runID?.prefix(64) ?? "")\"")
                }
            case .notInChain, .limit, .contradictory:
                ofTheRun.append(call)
                wrongly(!isSigned || !isOfRun || (reason == .notInChain) == isBound, path)
                if CallChecks.check(call, run.tokens, trust, "\(path).envelope", &list), reason == .notInChain {
                    list.skip(
                        "CALL_NOT_BOUND", path, "the call names no entry of the chain; the agent's own chain would tell"
                    )
                }
            }
        }
        return ofTheRun
    }

    private mutating func wrongly(_ isWrong: Bool, _ path: String) {
        if isWrong { list.fail("CALL_WRONGLY_SET_ASIDE", "\(path).reason", "the reason does not hold") }
    }

    private mutating func completeness(_ evidence: JSONObject) {
        let statement = evidence["completeness"]
        let positions = statement?["positions"]?.array ?? []
        let known = Set(receipts.map(\.position.value))
        var stated: Set<Int64> = []
        for (index, value) in positions.prefix(2 * RunCollector.maximumReceipts).enumerated() {
            guard let position = value.integer else {
                list.fail("MALFORMED", at("completeness.positions[\(index)]"), "a position was expected")
                continue
            }
            stated.insert(position)
            list.expect(
                known.contains(position), "RECEIPT_POSITION_MISSING", at("completeness.positions[\(index)]"),
                "the receipt at position \(position) is stated and not here")
        }
        for position in known.sorted() where !stated.contains(position) {
            list.fail(
                "RECEIPT_POSITION_MISSING", at("completeness.positions"),
                "the receipt at position \(position) is here and not stated")
        }
        compare(statement?["counts"], EvidenceWriter.counts(receipts), "completeness.counts")
        let last = statement?["last_position_read"]?.integer
        list.expect(
            last.map { $0 >= (receipts.last?.position.value ?? 0) } ?? false
                && last.map { $0 + 1 } == evidence["log"]?["receipts"]?.integer, "EVIDENCE_MISMATCH",
            at("completeness.last_position_read"), "it is not the last position of the log")
        for (index, missing) in (statement?["missing"]?.array ?? []).enumerated() {
            let code = missing["code"]?.string ?? ""
            list.skip(
                "STATED_MISSING", at("completeness.missing[\(index)]"),
                "\(code.prefix(64)): \(missing["detail"]?.string?.prefix(256) ?? "")")
        }
    }
}
