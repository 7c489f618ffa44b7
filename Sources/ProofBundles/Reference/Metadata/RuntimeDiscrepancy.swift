import ClawWire

/// What the runtime says of connections and processes that escaped it, claimed by the agent or attested by a sentinel.
struct EscapeMetrics: Equatable {
    /// Connections past the gateway.
    var connections: Int64
    /// Processes that were not watched.
    var spawns: Int64
    /// True when an escape is suspected.
    var escapes: Bool

    /// The metrics as the answer shows them.
    var json: JSONValue {
        [
            "unmediated_connections": .integer(connections), "unmonitored_spawns": .integer(spawns),
            "escapes_suspected": .bool(escapes),
        ]
    }

    /// The worse of both in each respect.
    func worst(_ other: EscapeMetrics) -> EscapeMetrics {
        EscapeMetrics(
            connections: max(connections, other.connections), spawns: max(spawns, other.spawns),
            escapes: escapes || other.escapes)
    }

    /// The metrics in a coverage attestation's payload; `nil` when they are malformed.
    init?(attestedBy payload: JSONValue?) {
        let metrics = payload?["metrics"]
        guard let connections = Loose.count(metrics?["egress"]?["unmediated_connections"]),
            let spawns = Loose.count(metrics?["lineage"]?["unmonitored_spawns"]),
            let escapes = metrics?["lineage"]?["escapes_suspected"]?.bool
        else { return nil }
        self.init(connections: connections, spawns: spawns, escapes: escapes)
    }

    init(connections: Int64, spawns: Int64, escapes: Bool) {
        self.connections = connections
        self.spawns = spawns
        self.escapes = escapes
    }

    /// The metrics that the metadata claims; `nil` without a claim.
    ///
    /// - Throws: `MALFORMED_ENVELOPE` at the malformed member.
    static func claimed(_ metadata: JSONObject?) throws(ReferenceRefusal) -> EscapeMetrics? {
        guard let value = metadata?["sentinels"]?["interpose_state"]?["cldd"] else { return nil }
        let path = "payload.metadata.sentinels.interpose_state.cldd"
        let malformed = "MALFORMED_ENVELOPE"
        guard let object = value.object else { throw ReferenceRefusal(malformed, path, "must be an object") }
        let claim = Part(members: object, path: path)
        func count(_ key: String) throws(ReferenceRefusal) -> Int64 {
            guard let count = Loose.count(claim[key]) else {
                throw claim.refusal(malformed, key, "must be a whole number from 0")
            }
            return count
        }
        let connections = try count("unmediated_connections")
        let spawns = try count("unmonitored_spawns")
        guard let escapes = claim["escapes_suspected"]?.bool else {
            throw claim.refusal(malformed, "escapes_suspected", "must be true or false")
        }
        return EscapeMetrics(connections: connections, spawns: spawns, escapes: escapes)
    }
}

/// The comparison of claimed with attested escapes.
enum RuntimeDiscrepancy {
    /// The refusal when the coverage phase is in force; `nil` when claim and attestation agree or one is missing.
    ///
    /// Notes both metrics and the members that differ.
    static func weigh(
        _ claimed: EscapeMetrics?, _ attested: EscapeMetrics?, _ context: inout ReferenceContext
    ) -> ReferenceRefusal? {
        context.components["coverage_cldd_claimed_metrics"] = claimed?.json
        context.components["coverage_cldd_attested_metrics"] = attested?.json
        var differing: [String] = []
        if let claimed, let attested {
            if claimed.connections != attested.connections { differing.append("unmediated_connections") }
            if claimed.spawns != attested.spawns { differing.append("unmonitored_spawns") }
            if claimed.escapes != attested.escapes { differing.append("escapes_suspected") }
        }
        context.components["coverage_cldd_discrepancy"] = .bool(!differing.isEmpty)
        guard !differing.isEmpty else { return nil }
        context.components["coverage_cldd_mismatch_fields"] = .array(differing.map { .string($0) })
        context.riskFlags.insert("COVERAGE_CLDD_DISCREPANCY")
        for key in differing { context.riskFlags.insert("COVERAGE_CLDD_\(key.uppercased())_MISMATCH") }
        guard context.policy.coverage == .enforce else { return nil }
        return ReferenceRefusal(
            "COVERAGE_CLDD_DISCREPANCY_ENFORCED", "payload.coverage_attestations",
            "claimed and attested coverage differ", keepsTiers: context.verifier == .service)
    }

    /// The library's check: it takes every attestation's word without looking at the signature.
    static func checkInLibrary(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        var claimed: EscapeMetrics?
        do throws(ReferenceRefusal) {
            claimed = try EscapeMetrics.claimed(context.metadata)
        } catch {
            context.riskFlags.insert("COVERAGE_CLDD_CLAIM_PARSE_FAILED")
        }
        let attested = worst(context.entries("coverage_attestations").map { EscapeMetrics(attestedBy: $0["payload"]) })
        if let refusal = weigh(claimed, attested, &context) { throw refusal }
    }

    /// The worst of all metrics there are.
    static func worst(_ metrics: [EscapeMetrics?]) -> EscapeMetrics? {
        metrics.compactMap { $0 }.reduce(nil) { worst, next in worst?.worst(next) ?? next }
    }
}
