import ClawWire

/// What a dump says of the rules and the WPCs that its receipts name, so that whoever has the dump alone can hold grants
/// against them. It is the word of the dump's maker, as the dump's keys are.
enum DumpedExpectations {
    // MARK: Rules

    static func json(_ rules: [Digest: FsckPlan.Rules]) -> JSONValue {
        .array(
            rules.sorted { $0.key.b64u < $1.key.b64u }.map { hash, rules in
                let classes = rules.jobClasses.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }
                return [
                    "rules_hash_b64u": .string(hash.b64u), "policy_signers": strings(rules.policySigners),
                    "job_classes": .object(JSONObject(classes)),
                ]
            })
    }

    private static func json(_ jobClass: FsckPlan.Rules.JobClass) -> JSONValue {
        let actions = jobClass.actions.sorted { $0.key < $1.key }.map { ($0.key, strings($0.value)) }
        let demand = jobClass.workPolicy
        return [
            "scopes": strings(jobClass.scopes), "audience": strings(jobClass.audience),
            "actions": .object(JSONObject(actions)), "maximum_ttl_seconds": .integer(jobClass.maximumTTLSeconds),
            "is_single_use": .bool(jobClass.isSingleUse), "allows_plain": .bool(jobClass.allowsPlain),
            "work_policy": [
                "is_required": .bool(demand.isRequired), "hashes": strings(demand.hashes.map(\.b64u)),
                "policy_ids": strings(demand.policyIDs), "is_always_pinned": .bool(demand.isAlwaysPinned),
                "properties": strings(demand.properties.map(\.rawValue)),
            ],
        ]
    }

    static func rules(_ value: JSONValue?) throws -> [Digest: FsckPlan.Rules] {
        var rules: [Digest: FsckPlan.Rules] = [:]
        for entry in value?.array ?? [] {
            guard let hash = entry["rules_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }),
                let classes = entry["job_classes"]?.object, let signers = texts(entry["policy_signers"])
            else { throw FsckError("rules have rules_hash_b64u, job_classes and policy_signers") }
            var known: [String: FsckPlan.Rules.JobClass] = [:]
            for member in classes.members { known[member.key] = try jobClass(member.value, member.key) }
            rules[hash] = FsckPlan.Rules(jobClasses: known, policySigners: Set(signers))
        }
        return rules
    }

    private static func jobClass(_ value: JSONValue, _ name: String) throws -> FsckPlan.Rules.JobClass {
        guard let scopes = texts(value["scopes"]), let audience = texts(value["audience"]),
            let actions = value["actions"]?.object, let ttl = value["maximum_ttl_seconds"]?.integer,
            let isSingleUse = value["is_single_use"]?.bool, let allowsPlain = value["allows_plain"]?.bool,
            let policy = value["work_policy"], let isRequired = policy["is_required"]?.bool,
            let hashes = texts(policy["hashes"]), let ids = texts(policy["policy_ids"]),
            let isAlwaysPinned = policy["is_always_pinned"]?.bool, let properties = texts(policy["properties"])
        else { throw FsckError("the job class \(Place.quoted(name)) lacks a member, or one is of another type") }
        var demand = FsckPlan.Rules.PolicyDemand()
        demand.isRequired = isRequired
        demand.hashes = Set(hashes.compactMap { Digest(b64u: $0) })
        demand.policyIDs = Set(ids)
        demand.isAlwaysPinned = isAlwaysPinned
        demand.properties = try Self.properties(properties)
        guard demand.hashes.count == hashes.count else {
            throw FsckError("a hash of the job class \(Place.quoted(name)) is none, or stands twice")
        }
        return FsckPlan.Rules.JobClass(
            scopes: Set(scopes), audience: Set(audience),
            actions: Dictionary(
                actions.members.map { ($0.key, texts($0.value) ?? []) }, uniquingKeysWith: { first, _ in first }),
            maximumTTLSeconds: ttl, isSingleUse: isSingleUse, allowsPlain: allowsPlain, workPolicy: demand)
    }

    // MARK: WPCs

    static func json(_ policies: [Digest: FsckPlan.Policy]) -> JSONValue {
        .array(
            policies.sorted { $0.key.b64u < $1.key.b64u }.map { hash, policy in
                [
                    "policy_hash_b64u": .string(hash.b64u), "is_pinned": .bool(policy.isPinned),
                    "maximum_ttl_seconds": policy.maximumTTLSeconds.map { .integer($0) } ?? .null,
                    "policy_id": .optional(policy.policyID), "job_class": .optional(policy.jobClass),
                    "properties": strings(policy.properties.map(\.rawValue)),
                    "signer_did": .optional(policy.signerDID),
                ]
            })
    }

    static func policies(_ value: JSONValue?) throws -> [Digest: FsckPlan.Policy] {
        var policies: [Digest: FsckPlan.Policy] = [:]
        for entry in value?.array ?? [] {
            guard let hash = entry["policy_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }),
                let isPinned = entry["is_pinned"]?.bool, let properties = texts(entry["properties"])
            else { throw FsckError("a policy has policy_hash_b64u, is_pinned and properties") }
            var policy = FsckPlan.Policy(envelope: .null)
            policy.signerDID = entry["signer_did"]?.string
            policy.isPinned = isPinned
            policy.maximumTTLSeconds = entry["maximum_ttl_seconds"]?.integer
            policy.policyID = entry["policy_id"]?.string
            policy.jobClass = entry["job_class"]?.string
            policy.properties = try Self.properties(properties)
            policies[hash] = policy
        }
        return policies
    }

    // MARK: Parts

    private static func properties(_ names: [String]) throws -> Set<FsckPlan.Policy.Property> {
        var properties: Set<FsckPlan.Policy.Property> = []
        for name in names {
            guard let property = FsckPlan.Policy.Property(rawValue: name) else {
                throw FsckError("\(Place.quoted(name)) is nothing that a job class demands of a WPC")
            }
            properties.insert(property)
        }
        return properties
    }

    private static func strings(_ names: some Sequence<String>) -> JSONValue {
        .array(names.sorted().map { .string($0) })
    }

    private static func texts(_ value: JSONValue?) -> [String]? {
        guard let array = value?.array else { return nil }
        let texts = array.compactMap(\.string)
        return texts.count == array.count ? texts : nil
    }
}
