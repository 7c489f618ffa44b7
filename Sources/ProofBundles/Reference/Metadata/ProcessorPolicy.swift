import ClawWire

/// `payload.metadata.processor_policy`: which model routes a run was held to. The hosted verifier's check.
enum ProcessorPolicy {
    private static let path = "payload.metadata.processor_policy"
    private static let malformed = "MALFORMED_ENVELOPE"
    private static let routeMembers = ["provider", "model", "region", "retention_profile"]
    private static let lists = ["allowed_providers", "allowed_models", "allowed_regions", "allowed_retention_profiles"]
    private static let defaults = ["default_region", "default_retention_profile"]

    /// Checks the record when there is one: its form, its hash, its counts, and the run and chain that it names.
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        guard let value = context.metadata?["processor_policy"] else { return }
        guard let object = value.object else { throw ReferenceRefusal(malformed, path, "must be an object") }
        let record = Part(members: object, path: path)
        try checkHead(record)
        let binding = try record.part("binding", else: malformed)
        try binding.filled("run_id", else: malformed)
        if binding["event_chain_root_hash_b64u"] != nil {
            try binding.require(
                Loose.hash(binding["event_chain_root_hash_b64u"]) != nil, malformed, "event_chain_root_hash_b64u",
                "must be a hash")
        }
        let constraints = try record.part("constraints", else: malformed)
        try checkConstraints(constraints)
        let counters = try record.part("counters", else: malformed)
        let allowed = try count(counters, "allowed_routes")
        let denied = try count(counters, "denied_routes")
        let used = try usedRoutes(record)
        let blocked = try blockedRoutes(record)

        try record.require(
            hash(record, constraints) == record["policy_hash_b64u"]?.string, "HASH_MISMATCH", "policy_hash_b64u",
            "the constraints have another hash")
        try counters.require(used == allowed, malformed, "allowed_routes", "is not the sum of the routes used")
        try counters.require(blocked == denied, malformed, "denied_routes", "is not the number of blocked attempts")
        if let run = context.runID {
            try binding.require(binding["run_id"] == .string(run), "EVIDENCE_MISMATCH", "run_id", "is another run")
        }
        if let root = context.chainRoot {
            try binding.require(
                binding["event_chain_root_hash_b64u"] == .string(root), "EVIDENCE_MISMATCH",
                "event_chain_root_hash_b64u", "is another chain")
        }
        context.components["processor_policy_evidence_present"] = true
        context.components["processor_policy_evidence_valid"] = true
    }

    private static func checkHead(_ record: Part) throws(ReferenceRefusal) {
        try record.constant("receipt_version", "1", else: malformed)
        try record.constant("receipt_type", "processor_policy", else: malformed)
        try record.filled("policy_version", else: malformed)
        try record.filled("profile_id", else: malformed)
        try record.require(
            Loose.hash(record["policy_hash_b64u"]) != nil, malformed, "policy_hash_b64u", "must be a hash")
        try record.require(record["enforce"]?.bool != nil, malformed, "enforce", "must be true or false")
    }

    private static func checkConstraints(_ constraints: Part) throws(ReferenceRefusal) {
        for key in lists {
            guard let texts = constraints[key]?.array else {
                throw constraints.refusal(malformed, key, "must be an array")
            }
            for (index, text) in texts.enumerated() {
                try constraints.require(
                    Loose.filled(text) != nil, malformed, "\(key)[\(index)]", "must be a text that is not empty")
            }
            try constraints.require(!texts.isEmpty, malformed, key, "must not be empty")
        }
        for key in defaults { try constraints.filled(key, else: malformed) }
    }

    private static func count(_ part: Part, _ key: String) throws(ReferenceRefusal) -> Int64 {
        guard let count = Loose.count(part[key]) else {
            throw part.refusal(malformed, key, "must be a whole number from 0")
        }
        return count
    }

    private static func usedRoutes(_ record: Part) throws(ReferenceRefusal) -> Int64 {
        guard let routes = record["used_processors"]?.array else {
            throw record.refusal(malformed, "used_processors", "must be an array")
        }
        var sum: Int64 = 0
        for (index, route) in routes.enumerated() {
            let key = "used_processors[\(index)]"
            guard let object = route.object else { throw record.refusal(malformed, key, "must be an object") }
            let route = Part(members: object, path: record.field(key))
            for key in routeMembers { try route.filled(key, else: malformed) }
            sum = sum.addingReportingOverflow(try count(route, "count")).partialValue
        }
        return sum
    }

    private static func blockedRoutes(_ record: Part) throws(ReferenceRefusal) -> Int64 {
        guard let value = record["blocked_attempts"] else { return 0 }
        guard let attempts = value.array else {
            throw record.refusal(malformed, "blocked_attempts", "must be an array")
        }
        for (index, attempt) in attempts.enumerated() {
            let key = "blocked_attempts[\(index)]"
            guard let object = attempt.object else { throw record.refusal(malformed, key, "must be an object") }
            let attempt = Part(members: object, path: record.field(key))
            let route = try attempt.part("route", else: malformed)
            for key in routeMembers { try route.filled(key, else: malformed) }
            try attempt.filled("reason_code", else: malformed)
            try attempt.date("timestamp", else: malformed)
        }
        return Int64(attempts.count)
    }

    /// The canonical hash of the constraints with the policy's name and whether it is in force.
    private static func hash(_ record: Part, _ constraints: Part) -> String {
        var policy = JSONObject(
            ["policy_version", "profile_id", "enforce"].map { ($0, record[$0] ?? .null) })
        for key in lists + defaults { policy[key] = constraints[key] }
        return JSONValue.object(policy).canonicalDigest.b64u
    }
}
