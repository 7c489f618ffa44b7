import ClawWire

/// `vir_receipts`: the hosted verifier's fusion of what several observers say of one inference.
enum InferenceReceipts {
    private static let field = "payload.vir_receipts"

    /// A receipt that holds, as it competes for the best source.
    private struct Candidate {
        let source: InferenceSource
        let time: Int64?
        let id: String
        let event: String?

        func precedes(_ other: Candidate) -> Bool {
            if source.score != other.source.score { return source.score > other.source.score }
            if time != other.time { return (time ?? .max) < (other.time ?? .max) }
            return CollationOrder.precedes(id, other.id)
        }
    }

    /// Checks all receipts.
    ///
    /// - Throws: `EVIDENCE_MISMATCH` for a receipt that contradicts itself, for a grave conflict where the options do not
    ///   ask to cap it, and for two receipts about one event.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let entries = context.entries("vir_receipts")
        guard context.verifier == .service, !entries.isEmpty else { return }
        let expectation = InferenceReceipt.Expectation(context)
        let corroboration = corroboration(context)
        var signed = 0
        var valid: [(index: Int, receipt: InferenceReceipt)] = []
        var critical: String?
        for (index, entry) in entries.enumerated() {
            guard let receipt = InferenceReceipt(entry) else { continue }
            let signature = receipt.signature()
            if signature.isSigned { signed += 1 }
            guard signature.isAgents, context.runID != nil else { continue }
            do throws(InferenceReceipt.Fault) {
                context.riskFlags.formUnion(try receipt.check(expectation, context))
                valid.append((index, receipt))
            } catch {
                context.riskFlags.formUnion(error.flags)
                if error.isCritical, critical == nil { critical = error.detail }
            }
        }
        if let critical { throw ReferenceRefusal("EVIDENCE_MISMATCH", field, critical) }
        context.components["vir_receipts_count"] = .integer(entries.count)
        context.components["vir_receipts_signature_verified_count"] = .integer(signed)
        context.components["vir_receipts_verified_count"] = .integer(valid.count)
        context.components["vir_receipts_valid"] = .bool(valid.count == entries.count)

        var candidates: [Candidate] = []
        for (index, receipt) in valid {
            candidates.append(try candidate(receipt, index, corroboration, &context))
        }
        if let best = candidates.min(by: { $0.precedes($1) }) {
            context.components["vir_best_source"] = .string(best.source.rawValue)
        }
        var events: Set<String> = []
        for candidate in candidates {
            guard let event = candidate.event, !events.insert(event).inserted else { continue }
            throw ReferenceRefusal("EVIDENCE_MISMATCH", field, "two receipts are about one event")
        }
        if valid.count < entries.count { context.riskFlags.insert("VIR_VERIFY_PARTIAL_FAILURE") }
    }

    /// Times of the gateway receipts that count, by event.
    private static func corroboration(_ context: ReferenceContext) -> [String: [Int64]] {
        var times: [String: [Int64]] = [:]
        for (receipt, result) in zip(context.entries("receipts"), context.receiptResults) where result.counts {
            guard let event = Loose.filled(receipt["payload"]?["binding"]?["event_hash_b64u"]),
                let time = Loose.milliseconds(receipt["payload"]?["timestamp"])
            else { continue }
            times[event, default: []].append(time)
        }
        for event in times.keys { times[event]?.sort() }
        return times
    }

    /// Lowers the source of a receipt with a grave conflict or without corroboration.
    private static func candidate(
        _ receipt: InferenceReceipt, _ index: Int, _ corroboration: [String: [Int64]],
        _ context: inout ReferenceContext
    ) throws(ReferenceRefusal) -> Candidate {
        var source = receipt.source
        let severity = ConflictSeverity.worst(in: receipt.payload)
        if severity > .none { context.riskFlags.insert("VIR_CONFLICT_\(severity.name)") }
        if severity >= .high {
            guard context.options.text("vir_conflict_policy_mode") == "cap" else {
                throw ReferenceRefusal(
                    "EVIDENCE_MISMATCH", "\(field)[\(index)].evidence_conflicts", "the conflict is \(severity.name)")
            }
            source = .serverName
            context.riskFlags.insert("VIR_CONFLICT_\(severity.name)_TIER_CAPPED")
        }
        let time = Loose.milliseconds(receipt.payload["timestamp"])
        if receipt.source.isHighClaim {
            let given = context.options.members["maxVirCorroborationSkewMs"]?.number ?? -1
            let skew = given >= 0 && given.isFinite ? given : 300_000
            let times = receipt.eventHash.flatMap { corroboration[$0] } ?? []
            if !isNear(times, time, skew) {
                source = .serverName
                context.riskFlags.insert("VIR_HIGH_CLAIM_UNCORROBORATED")
                if receipt.eventHash == nil {
                    context.riskFlags.insert("VIR_CORROBORATION_BINDING_MISSING")
                } else if !times.isEmpty, time != nil {
                    context.riskFlags.insert("VIR_CORROBORATION_SKEW_EXCEEDED")
                }
            }
        }
        return Candidate(
            source: source, time: time, id: receipt.payload["receipt_id"]?.string ?? "", event: receipt.eventHash)
    }

    /// True when one of the sorted times is no further away than allowed.
    private static func isNear(_ times: [Int64], _ time: Int64?, _ skew: Double) -> Bool {
        guard let time else { return false }
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return [low - 1, low].contains { index in
            times.indices.contains(index)
                && Double(times[index].subtractingReportingOverflow(time).partialValue).magnitude <= skew
        }
    }
}

/// How grave it is that observers differ about a member.
enum ConflictSeverity: Int, Comparable {
    case none, low, medium, high, critical

    static func < (left: ConflictSeverity, right: ConflictSeverity) -> Bool { left.rawValue < right.rawValue }

    /// The name in risk flags.
    var name: String {
        switch self {
        case .none: "NONE"
        case .low: "LOW"
        case .medium: "MEDIUM"
        case .high: "HIGH"
        case .critical: "CRITICAL"
        }
    }

    /// The gravest conflict that a receipt reports.
    static func worst(in payload: JSONObject) -> ConflictSeverity {
        (payload["evidence_conflicts"]?.array ?? []).map { severity(of: $0["field"]?.string ?? "") }.max() ?? .none
    }

    /// How grave a conflict about a member is.
    static func severity(of field: String) -> ConflictSeverity {
        switch ExactText.trimmed(field).lowercased() {
        case "request_hash_b64u", "request_hash", "response_hash_b64u", "response_hash", "binding.run_id",
            "binding.event_hash_b64u", "legal_binding.nonce", "legal_binding.subject_did",
            "legal_binding.scope_hash_b64u":
            .critical
        case "model", "model_claimed", "model_observed", "provider", "source": .high
        case "tokens_input", "tokens_output", "latency", "latency_ms": .medium
        default: .low
        }
    }
}
