import ClawWire

/// Proves P6 for one grant: what was granted lies within what was asked for, within the rules and within the WPC.
struct GrantBounds {
    private let receipt: Members
    private let token: Members
    private let rules: FsckPlan.Rules?
    private let plan: FsckPlan
    private let book: FindingBook
    private let place: String

    init(
        _ receipt: Members, _ token: Members, _ rules: FsckPlan.Rules?, _ plan: FsckPlan, _ book: FindingBook,
        _ place: String
    ) {
        self.receipt = receipt
        self.token = token
        self.rules = rules
        self.plan = plan
        self.book = book
        self.place = place
    }

    func check() {
        guard let asked = receipt.object("asked"), let granted = receipt.object("granted") else { return }
        let jobClass = receipt.string("job_class").flatMap { rules?.jobClasses[$0] }
        let actions = granted.strings("actions") ?? []
        within(.grantActionsWider, "action", actions, asked.strings("actions") ?? [])
        checkScope(asked, granted, actions, jobClass)
        let audience = granted.strings("audience") ?? []
        let askedAudience = asked.strings("audience") ?? []
        if !askedAudience.isEmpty { within(.grantAudienceWider, "audience", audience, askedAudience) }
        let lifetime = checkLifetime(asked, granted)
        if let jobClass {
            check(jobClass, granted, actions, audience, lifetime)
        } else if rules != nil {
            book.add(
                .grantClassUnknown, at: place,
                "the rules have no class \(Place.quoted(receipt.string("job_class") ?? ""))")
        } else {
            book.note("grants under rules that were not given: they are held against what was asked for alone")
        }
        checkPolicy(jobClass, lifetime)
        if receipt.string("delivery") == "plain" {
            if let jobClass {
                if !jobClass.allowsPlain {
                    book.add(
                        .secretPlainDelivery, at: place,
                        "the token goes out in the clear, which its class does not allow")
                }
            } else {
                book.note("tokens delivered in the clear: whether their class allows it is in the rules")
            }
        }
    }

    private func within(_ code: FindingCode, _ what: String, _ granted: [String], _ allowed: [String]) {
        let extra = granted.filter { !allowed.contains($0) }
        guard !extra.isEmpty else { return }
        book.add(code, at: place, "\(what) \(extra.map(Place.quoted).joined(separator: " ")) is more than there was")
    }

    private func checkScope(
        _ asked: Members, _ granted: Members, _ actions: [String], _ jobClass: FsckPlan.Rules.JobClass?
    ) {
        let scope = granted.strings("scope") ?? []
        if actions.isEmpty || jobClass != nil {
            let extra = actions.flatMap { jobClass?.actions[$0] ?? [] }
            within(.grantScopeWider, "scope", scope, (asked.strings("scope") ?? []) + extra)
        } else {
            book.note("scopes that come with elevated actions: which they are is in the rules")
        }
    }

    private func checkLifetime(_ asked: Members, _ granted: Members) -> Int64 {
        let lifetime = (token.integer("exp") ?? 0) &- (token.integer("iat") ?? 0)
        if lifetime <= 0 {
            book.add(.grantLifetimeInvalid, at: place, "the token lives \(lifetime) s")
        }
        if granted.integer("ttl_seconds") != lifetime {
            book.add(
                .grantLifetimeStated, at: place,
                "the token lives \(lifetime) s, ttl_seconds is \(granted.integer("ttl_seconds") ?? 0)")
        }
        if let limit = asked.integer("ttl_seconds"), lifetime > limit {
            book.add(.grantLifetimeLonger, at: place, "the token lives \(lifetime) s, \(limit) s were asked for")
        }
        return lifetime
    }

    private func check(
        _ jobClass: FsckPlan.Rules.JobClass, _ granted: Members, _ actions: [String], _ audience: [String],
        _ lifetime: Int64
    ) {
        let scopes = Array(jobClass.scopes) + actions.flatMap { jobClass.actions[$0] ?? [] }
        within(.grantScopeOutsideRules, "scope", granted.strings("scope") ?? [], scopes)
        within(.grantAudienceOutsideRules, "audience", audience, Array(jobClass.audience))
        within(.grantActionOutsideRules, "action", actions, Array(jobClass.actions.keys))
        if lifetime > jobClass.maximumTTLSeconds {
            book.add(
                .grantLifetimeOverRule, at: place,
                "the token lives \(lifetime) s, its class allows \(jobClass.maximumTTLSeconds) s")
        }
    }

    // MARK: The WPC

    private func checkPolicy(_ jobClass: FsckPlan.Rules.JobClass?, _ lifetime: Int64) {
        let demand = jobClass?.workPolicy
        guard let hash = receipt.digest("wpc_hash_b64u") else {
            if demand?.isRequired ?? false {
                book.add(.grantWithoutPolicy, at: place, "the grant names no WPC, and its class demands one")
            }
            return
        }
        if let demand, !demand.hashes.isEmpty, !demand.hashes.contains(hash) {
            book.add(.grantPolicyOutsideRules, at: place, "the WPC \(hash) is none of those that the class allows")
        }
        guard let policy = plan.policies[hash] else {
            book.note("grants against WPCs that were not given: their lifetimes, signers and demands")
            return
        }
        if let limit = policy.maximumTTLSeconds, lifetime > limit {
            book.add(.grantLifetimeOverPolicy, at: place, "the token lives \(lifetime) s, its WPC allows \(limit) s")
        }
        if rules != nil { checkSigner(policy, hash) }
        if let demand { check(policy, hash, demand) }
    }

    /// Nothing may be issued under a WPC that does not stand. A document may have been signed anew since the grant, so
    /// that a signer of any of the given rules will do.
    private func checkSigner(_ policy: FsckPlan.Policy, _ hash: Digest) {
        guard let signer = policy.signerDID else {
            book.add(
                .grantPolicyUnverified, at: place, "hash or signature of the WPC \(hash) are not those of its document")
            return
        }
        guard !plan.rules.values.contains(where: { $0.policySigners.contains(signer) }) else { return }
        book.add(
            .grantPolicyUnverified, at: place,
            "the WPC \(hash) is signed by \(Place.quoted(signer)), who may not by any of the rules")
    }

    private func check(_ policy: FsckPlan.Policy, _ hash: Digest, _ demand: FsckPlan.Rules.PolicyDemand) {
        if !demand.policyIDs.isEmpty, !(policy.policyID.map(demand.policyIDs.contains) ?? false) {
            book.add(
                .grantPolicyOutsideRules, at: place,
                "the policy id \(Place.quoted(policy.policyID ?? "")) is none of those that the class allows")
        }
        if let name = policy.jobClass, name != receipt.string("job_class") {
            book.add(.grantPolicyOutsideRules, at: place, "the WPC is for the class \(Place.quoted(name))")
        }
        let lacking = demand.properties.subtracting(policy.properties).map(\.rawValue).sorted()
        if !lacking.isEmpty {
            book.add(
                .grantPolicyOutsideRules, at: place,
                "the WPC \(hash) lacks \(lacking.joined(separator: ", ")), which the class demands")
        }
    }
}
