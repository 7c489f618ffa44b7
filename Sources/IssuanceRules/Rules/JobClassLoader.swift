import ClawWire

extension RulesLoader {
    mutating func loadJobClass(
        _ name: JobClass, _ value: YAMLValue, _ defaults: [String: YAMLValue]
    ) -> JobClassRule? {
        let own = reader.members(value, .jobClass)
        let fields = defaults.merging(own) { _, own in own }
        guard let binding = required(own["binding"], of: value, "binding", JobClassRule.Binding.self) else {
            return nil
        }
        checkReachability(name, value, binding, own)
        let maximumTTL = reader.duration(fields["max_ttl"]) ?? hardCapSeconds
        if maximumTTL > hardCapSeconds, let limit = fields["max_ttl"] {
            reader.report(limit, expected: "at most the hard cap of \(hardCapSeconds) s")
        }
        let defaultTTL = reader.duration(fields["default_ttl"]) ?? maximumTTL
        if defaultTTL > maximumTTL, let limit = own["default_ttl"] ?? own["max_ttl"] ?? fields["default_ttl"] {
            reader.report(limit, expected: "a default_ttl of at most max_ttl, \(maximumTTL) s")
        }
        let scopes = own["scopes"].map { reader.members($0, .scopes)["allow"] } ?? nil
        let approvals = fields["approvals"].map { loadApprovals($0, isExtra: false) }
        return JobClassRule(
            name: name, summary: reader.text(own["description"]),
            owners: reader.people(own["owners"]),
            binding: binding,
            maximumGrantsPerWindow: reader.count(own["max_grants_per_window"], in: 1...1_000_000, default: 1),
            approvals: approvals
                ?? .init(allOf: [.init(pool: .any, count: 1)], distinctAcrossGroups: false),
            separation: loadSeparation(fields["separation_of_duties"]),
            maximumApprovalAgeSeconds: reader.duration(fields["max_approval_age"]) ?? 86_400,
            window: reader.choice(own["window"], JobClassRule.WindowDemand.self)
                ?? (binding == .contained ? .optional : .required),
            waitTimeoutSeconds: reader.duration(fields["wait_timeout"]) ?? 86_400,
            audience: loadAudience(fields["audience"], of: value), scopes: loadScopes(scopes),
            maximumTTLSeconds: maximumTTL, defaultTTLSeconds: min(defaultTTL, maximumTTL),
            tooWide: reader.choice(fields["too_wide"], JobClassRule.TooWide.self) ?? .deny,
            elevatedActions: loadElevatedActions(own["elevated_actions"]),
            workPolicy: loadWorkPolicyDemand(fields["wpc"]), deliveries: loadDeliveries(fields["delivery"]),
            agents: loadAgents(own["agents"]), budget: loadBudget(own["budget"]))
    }

    private mutating func checkReachability(
        _ name: JobClass, _ value: YAMLValue, _ binding: JobClassRule.Binding, _ own: [String: YAMLValue]
    ) {
        if !approvable.contains(name) {
            reader.report(
                value, found: "a class that no source may approve",
                expected: "\(name) in the may_approve of at least one source of approvals")
        }
        if binding == .entitlement, !entitled.contains(name), !entitled.contains(EntitlementMap.valueOfField) {
            reader.report(
                value, found: "binding: entitlement without an entitlement",
                expected: "at least one line of entitlements with job_class: \(name)")
        }
        if binding != .entitlement, let limit = own["max_grants_per_window"] {
            reader.report(
                limit, found: "max_grants_per_window",
                expected: "it only with binding: entitlement; otherwise one approval gives one token")
        }
    }

    private mutating func loadAudience(_ value: YAMLValue?, of parent: YAMLValue) -> [String] {
        let audience = reader.texts(value, expected: "an audience")
        if audience.isEmpty {
            reader.report(parent, found: "no audience", expected: "audience: with at least one audience")
        }
        return audience
    }

    private mutating func loadScopes(_ value: YAMLValue?) -> [String] {
        var scopes: [String] = []
        for element in reader.elements(value) {
            guard let scope = reader.text(element, expected: "a scope string") else { continue }
            if let fault = ScopeSyntax.fault(in: scope) {
                reader.report(element, expected: fault)
            } else if !scopes.contains(scope) {
                scopes.append(scope)
            }
        }
        return scopes
    }

    private mutating func loadApprovals(_ value: YAMLValue, isExtra: Bool) -> JobClassRule.ApprovalRule {
        let fields = reader.members(value, .approvals)
        var requirements: [JobClassRule.ApproverRequirement] = []
        for element in reader.elements(fields["all_of"]) {
            if let requirement = loadRequirement(element) { requirements.append(requirement) }
        }
        if requirements.isEmpty {
            reader.report(
                fields["all_of"] ?? value, found: "no requirement", expected: "all_of with at least one requirement")
        }
        if isExtra, let flag = fields["distinct_across_groups"] {
            reader.report(
                flag, found: "distinct_across_groups", expected: "it only at the class, where it covers its actions too"
            )
        }
        return .init(
            allOf: requirements,
            distinctAcrossGroups: reader.bool(fields["distinct_across_groups"], default: false))
    }

    private mutating func loadRequirement(_ value: YAMLValue) -> JobClassRule.ApproverRequirement? {
        let fields = reader.members(value, .requirement)
        let count = reader.count(fields["count"], in: 1...32, default: 1)
        let pools = ["group", "any", "members"].filter { fields[$0] != nil }
        guard pools.count == 1 else {
            reader.report(
                value, found: pools.isEmpty ? "nobody to approve" : pools.joined(separator: " and "),
                expected: "exactly one of group, any, members")
            return nil
        }
        let pool: JobClassRule.ApproverRequirement.Pool
        var size = Int.max
        if let group = fields["group"] {
            guard let name = reader.name(group, among: Set(groups.keys), what: "a group of these rules") else {
                return nil
            }
            size = groups[name]?.count ?? 0
            pool = .group(name)
        } else if let members = fields["members"] {
            let people = reader.people(members)
            size = people.count
            pool = .members(people)
        } else {
            guard reader.bool(fields["any"], default: true) else {
                reader.report(value, found: "any: false", expected: "any: true, or a group, or members")
                return nil
            }
            pool = .any
        }
        if size < count {
            reader.report(value, found: "\(size) people of whom \(count) must approve", expected: "enough people")
        }
        return .init(pool: pool, count: count)
    }

    private mutating func loadSeparation(_ value: YAMLValue?) -> JobClassRule.SeparationOfDuties {
        let fields = value.map { reader.members($0, .separation) } ?? [:]
        return .init(
            requester: reader.bool(fields["requester"], default: true),
            subject: reader.bool(fields["subject"], default: true),
            jobOwner: reader.bool(fields["job_owner"], default: false))
    }

    private mutating func loadElevatedActions(_ value: YAMLValue?) -> [String: JobClassRule.ElevatedAction] {
        var actions: [String: JobClassRule.ElevatedAction] = [:]
        for (name, value) in reader.entries(value) {
            let fields = YAMLReader.isNull(value) ? [:] : reader.members(value, .elevatedAction)
            let maximumTTL = reader.duration(fields["max_ttl"])
            if let maximumTTL, maximumTTL > hardCapSeconds, let limit = fields["max_ttl"] {
                reader.report(limit, expected: "at most the hard cap of \(hardCapSeconds) s")
            }
            actions[name] = .init(
                approvals: fields["approvals"].map { loadApprovals($0, isExtra: true).allOf } ?? [],
                maximumTTLSeconds: maximumTTL, scopes: loadScopes(fields["scopes"]))
        }
        return actions
    }

    private mutating func loadWorkPolicyDemand(_ value: YAMLValue?) -> JobClassRule.WorkPolicyDemand {
        let fields = value.map { reader.members($0, .workPolicyDemand) } ?? [:]
        var hashes: Set<Digest> = []
        for element in reader.elements(fields["hashes"]) {
            guard let text = reader.text(element, expected: "a policy hash") else { continue }
            if let hash = Digest(b64u: text) {
                hashes.insert(hash)
            } else {
                reader.report(element, expected: "43 characters of base64url, a SHA-256")
            }
        }
        let policyIDs = Set(reader.texts(fields["policy_ids"], expected: "a policy id"))
        let pin = reader.choice(fields["pin"], JobClassRule.WorkPolicyDemand.Pin.self) ?? .whenRequired
        let isRequired = reader.bool(fields["required"], default: false)
        let proxy = reader.bool(fields["require_proxy"], default: false)
        let receipts = reader.bool(fields["receipt_required"], default: false)
        let sandbox = reader.bool(fields["require_sandbox"], default: false)
        let jobBinding = reader.bool(fields["job_binding"], default: false)
        // Every demand on the policy is a demand for one: without a policy nothing meets it.
        let isImplied =
            pin == .always || proxy || receipts || sandbox || jobBinding || !hashes.isEmpty || !policyIDs.isEmpty
        return .init(
            isRequired: isRequired || isImplied, hashes: hashes, policyIDs: policyIDs, pin: pin,
            requiresProxy: proxy, requiresReceipts: receipts, requiresSandbox: sandbox,
            requiresJobBinding: jobBinding)
    }

    private mutating func loadDeliveries(_ value: YAMLValue?) -> Set<JobClassRule.DeliveryMode> {
        guard let value else { return [.sealed] }
        var modes: Set<JobClassRule.DeliveryMode> = []
        for element in reader.elements(value) {
            if let mode = reader.choice(element, JobClassRule.DeliveryMode.self) { modes.insert(mode) }
        }
        if modes.isEmpty { reader.report(value, found: "no delivery", expected: "at least one way of delivery") }
        return modes
    }

    private mutating func loadAgents(_ value: YAMLValue?) -> [String] {
        var agents: [String] = []
        for element in reader.elements(value) {
            guard let agent = reader.text(element, expected: "an agent's DID") else { continue }
            guard agent.hasPrefix("did:"), !agent.dropLast().contains("*") else {
                reader.report(element, expected: "a DID, or the beginning of one followed by *")
                continue
            }
            agents.append(agent)
        }
        return agents
    }
}

/// What a scope string may look like (WIRE section 2: at most 128 UTF-16 units, no wildcards).
enum ScopeSyntax {
    static let maximumItems = 64
    static let maximumUnits = 128

    /// What was expected of a text that is no scope string; `nil` for one that is.
    static func fault(in scope: String) -> String? {
        if scope.utf8.contains(UInt8(ascii: "*")) { return "a scope string without *: wildcards are never granted" }
        guard !scope.isEmpty, scope.utf16.count <= maximumUnits,
            scope.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return "1 to 128 visible ASCII characters without spaces" }
        return nil
    }
}
