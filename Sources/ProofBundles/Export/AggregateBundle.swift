public import ClawWire

extension ExportVerifier {
    /// Answers about an aggregate of proof and export bundles as the reference's library does.
    public func verify(aggregate envelope: JSONValue) -> ExportVerdict {
        do throws(ReferenceRefusal) {
            return try check(aggregate: envelope)
        } catch {
            return ExportVerdict(error)
        }
    }

    private func check(aggregate value: JSONValue) throws(ReferenceRefusal) -> ExportVerdict {
        if let field = ExportSchemas.aggregateEnvelope.firstBreach(in: value) {
            throw ReferenceRefusal(
                "SCHEMA_VALIDATION_FAILED", field.isEmpty ? nil : field, "the schema is not kept")
        }
        let envelope = value.object ?? [:]
        let payload = envelope["payload"]?.object ?? [:]
        let expiry = try checkAggregateTimes(envelope, payload)
        try checkAggregateSignature(envelope)
        let members = payload["artifacts"]?["member_bundles"]?.array ?? []
        try checkAggregateManifest(payload["manifest"]?["entries"]?.array ?? [], of: members)
        var fleet = Fleet(issuer: payload["issuer_did"], expiry: expiry)
        for (index, member) in members.enumerated() { try check(member: member, index: index, &fleet) }
        try fleet.rates.check()
        try fleet.check(payload["metadata"]?["fleet_summary"], members: members.count)
        return ExportVerdict(proofTier: fleet.lowestTier, manifestEntries: members.count)
    }

    /// - Returns: when the payload expires, in milliseconds.
    private func checkAggregateTimes(
        _ envelope: JSONObject, _ payload: JSONObject
    ) throws(ReferenceRefusal) -> Int64? {
        guard let verifyAt else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "verifyAt", "the time of verification is no date")
        }
        for (did, field) in [(envelope["signer_did"], "signer_did"), (payload["issuer_did"], "payload.issuer_did")] {
            guard let did = did?.string, ReferenceText.isDID(did) else {
                throw ReferenceRefusal("INVALID_DID_FORMAT", field, "no did:key or did:web")
            }
        }
        guard envelope["signer_did"] == payload["issuer_did"] else {
            throw ReferenceRefusal("AGGREGATE_SIGNER_MISMATCH", "signer_did", "the signer is not the issuer")
        }
        func date(_ value: JSONValue?, _ field: String) throws(ReferenceRefusal) -> Int64 {
            guard let date = ReferenceDate.milliseconds(value) else {
                throw ReferenceRefusal("MALFORMED_ENVELOPE", field, "\(field) is no date")
            }
            return date
        }
        let created = try date(payload["created_at"], "payload.created_at")
        let issued = try date(envelope["issued_at"], "issued_at")
        let expiry = payload.contains("expires_at") ? try date(payload["expires_at"], "payload.expires_at") : nil
        let outer = envelope.contains("expires_at") ? try date(envelope["expires_at"], "expires_at") : nil
        guard created <= issued else {
            throw ReferenceRefusal("CAUSAL_CLOCK_CONTRADICTION", "payload.created_at", "created after it was issued")
        }
        guard issued <= verifyAt.addingReportingOverflow(skew).partialValue else {
            throw ReferenceRefusal("FUTURE_TIMESTAMP_POISONING", "issued_at", "issued in the future")
        }
        for (expiry, field) in [(expiry, "payload.expires_at"), (outer, "expires_at")] {
            if let expiry, verifyAt > expiry.addingReportingOverflow(skew).partialValue {
                throw ReferenceRefusal("EXPIRED_TTL", field, "the aggregate has expired")
            }
        }
        return expiry
    }

    private func checkAggregateSignature(_ envelope: JSONObject) throws(ReferenceRefusal) {
        guard envelope["hash_algorithm"] == "SHA-256" else {
            throw ReferenceRefusal("UNKNOWN_HASH_ALGORITHM", "hash_algorithm", "no such hash")
        }
        do throws(ReferenceRefusal) {
            try EnvelopeCheck.checkHashAndSignature(of: envelope)
        } catch {
            let fields = ["HASH_MISMATCH": "payload_hash_b64u", "SIGNATURE_INVALID": "signature_b64u"]
            throw ReferenceRefusal(error.code, error.field ?? fields[error.code], error.detail)
        }
    }

    private func checkAggregateManifest(
        _ entries: [JSONValue], of members: [JSONValue]
    ) throws(ReferenceRefusal) {
        var previous: String?
        for (index, member) in members.enumerated() {
            let hash = member.canonicalDigest.b64u
            if let previous, hash <= previous {
                let isSame = hash == previous
                throw ReferenceRefusal(
                    isSame ? "AGGREGATE_DUPLICATE_MEMBER" : "UNSORTED_MEMBER_ARRAY",
                    "payload.artifacts.member_bundles[\(index)]", "members stand in the order of their hashes, once")
            }
            previous = hash
        }
        let artifacts = members.enumerated().map {
            Artifact(path: "artifacts/member_bundles/\($0).json", value: $1)
        }
        do throws(ReferenceRefusal) {
            try Self.checkManifest(entries, of: artifacts)
        } catch {
            let codes = ["MALFORMED_ENVELOPE": "AGGREGATE_BUNDLE_INVALID", "MISSING_REQUIRED_FIELD": "HASH_MISMATCH"]
            throw ReferenceRefusal(codes[error.code] ?? error.code, error.field.map { "payload.\($0)" }, error.detail)
        }
    }

    private func check(
        member: JSONValue, index: Int, _ fleet: inout Fleet
    ) throws(ReferenceRefusal) {
        let field = "payload.artifacts.member_bundles[\(index)]"
        let isProof = member["envelope_type"] == "proof_bundle"
        let proof = isProof ? member : member["artifacts"]?["proof_bundle_envelope"]
        let runs = (proof?["payload"]?["event_chain"]?.array ?? []).map { $0["run_id"]?.string }
        guard let run = runs.first ?? nil, !run.isEmpty, runs.allSatisfy({ $0 == run }) else {
            let chain = isProof ? field : "\(field).artifacts.proof_bundle_envelope.payload.event_chain"
            throw ReferenceRefusal("INCONSISTENT_RUN_ID", chain, "a member is about one run")
        }
        let expiry = try memberExpiry(member, field: field)
        let tier = try tier(of: member, isProof: isProof, field: field)
        guard proof?["payload"]?["agent_did"] != fleet.issuer else {
            throw ReferenceRefusal("IDENTITY_CONFLICT", field, "the issuer is the agent of a member")
        }
        if let aggregate = fleet.expiry, let expiry, aggregate > expiry {
            throw ReferenceRefusal("AGGREGATE_TTL_EXCEEDS_MEMBER", "\(field).expires_at", "a member expires earlier")
        }
        if let expiry, let verifyAt, verifyAt > expiry.addingReportingOverflow(skew).partialValue {
            throw ReferenceRefusal("AGGREGATE_MEMBER_INVALID", "\(field).expires_at", "a member has expired")
        }
        let bundleID = proof?["payload"]?["bundle_id"]?.string ?? ""
        guard fleet.bundles.insert(ExactString(bundleID)).inserted else {
            throw ReferenceRefusal("AGGREGATE_DUPLICATE_BUNDLE_ID", field, "a bundle id stands twice")
        }
        guard fleet.runs.insert(ExactString(run)).inserted else {
            throw ReferenceRefusal("AGGREGATE_DUPLICATE_RUN_ID", field, "a run stands twice")
        }
        let agent = proof?["payload"]?["agent_did"]?.string ?? ""
        let claims = isProof ? "\(field).payload" : "\(field).artifacts.proof_bundle_envelope.payload"
        for (index, claim) in (proof?["payload"]?["rate_limit_claims"]?.array ?? []).enumerated() {
            try fleet.rates.add(claim, of: agent, field: "\(claims).rate_limit_claims[\(index)]")
        }
        fleet.agents.insert(ExactString(agent))
        fleet.note(tier)
    }

    private func memberExpiry(_ member: JSONValue, field: String) throws(ReferenceRefusal) -> Int64? {
        guard let value = member["expires_at"] else { return nil }
        guard let date = ReferenceDate.milliseconds(value) else {
            throw ReferenceRefusal("AGGREGATE_BUNDLE_INVALID", "\(field).expires_at", "no date")
        }
        return date
    }

    private func tier(of member: JSONValue, isProof: Bool, field: String) throws(ReferenceRefusal) -> ProofTier {
        let tier: ProofTier?
        do throws(ReferenceRefusal) {
            if isProof {
                tier = try checkProofBundle(member, at: verifyAt ?? wallClock.milliseconds)
            } else {
                let verdict = verify(member)
                if let refusal = verdict.refusal { throw refusal }
                tier = verdict.proofTier
            }
        } catch {
            throw ReferenceRefusal("AGGREGATE_MEMBER_INVALID", field, "the member does not hold: \(error)")
        }
        return tier ?? .unknown
    }
}

/// What is counted over the members of an aggregate.
private struct Fleet {
    let issuer: JSONValue?
    let expiry: Int64?
    var bundles: Set<ExactString> = []
    var runs: Set<ExactString> = []
    var agents: Set<ExactString> = []
    var rates = FleetRates()
    private(set) var lowestTier = ProofTier.witnessedWeb

    private static let ranking: [ProofTier] = [.unknown, .selfSigned, .gateway, .sandbox, .tee, .witnessedWeb]

    init(issuer: JSONValue?, expiry: Int64?) {
        self.issuer = issuer
        self.expiry = expiry
    }

    mutating func note(_ tier: ProofTier) {
        lowestTier = Self.ranking.first { $0 == tier || $0 == lowestTier } ?? .unknown
    }

    func check(_ summary: JSONValue?, members: Int) throws(ReferenceRefusal) {
        func check(_ key: String, _ expected: JSONValue) throws(ReferenceRefusal) {
            guard summary?[key] == expected else {
                throw ReferenceRefusal(
                    "FLEET_SUMMARY_MISMATCH", "payload.metadata.fleet_summary.\(key)", "the members say otherwise")
            }
        }
        try check("total_members", .integer(members))
        try check("unique_agents", .integer(agents.count))
        try check("total_runs", .integer(runs.count))
        if summary?["fleet_proof_tier"] != nil { try check("fleet_proof_tier", .string(lowestTier.rawValue)) }
    }
}
