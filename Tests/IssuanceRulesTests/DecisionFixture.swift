import ClawWire
import Testing

@testable import IssuanceRules

/// One decision to try: a request that is granted as it stands, to be spoiled in one respect.
struct Setup {
    static let noon = time("2026-11-20T09:10:00Z")
    static let hash = Digest(hashing: "policy")
    static let key = [UInt8](repeating: 9, count: 32)
    static let signer = SeedSigner(seed: [UInt8](repeating: 7, count: 32))
    static let kid = signer?.publicKey.kid ?? KeyID("")

    var rules: RuleSet
    var requestID = "r1"
    var jobID = "job-1"
    var jobClass = "ref"
    var agent = "did:key:z6MkAgent"
    var subject: String?
    var scope = ["proxy:call"]
    var actions: [String] = []
    var tools: [String] = []
    var audience: [String] = []
    var ttl: Int64?
    var policyHash: Digest?
    var approvalID: String? = "a1"
    var ticket: String?
    var delivery = CapabilityRequest.Delivery.sealed(publicKey: key)
    var upgrades: String?
    var requestedAt = noon
    var requestSource = "requests"
    var requestAuthenticity = Authenticity.topic
    var receivedAt = noon
    var facts: [Fact]
    var factSource = "pim"
    var factAuthenticity = Authenticity.topic
    var usedBy: String?
    var grants = 0
    var wpc = WPCAvailability.notRequested
    var keyValidUntil: Timestamp?
    var upgrade: UpgradeTarget?
    var control = ControlState.none
    var signingKey: KeyID?
    var tokenID: TokenID?
    var readAt: Timestamp?
    var usage: JobUsage?
    var health: [SourceName: SourceHealth]?
    var now = noon

    init() throws {
        rules = try Self.parsed.get()
        facts = [Self.approved(), Self.started()]
    }

    private static let parsed = Result { try RuleSet(yaml: text) }

    static let text = """
        rules_version: "1"
        hard_cap: {max_ttl: 1h}
        groups: {ops: [mina, jonas], sec: [jonas, zoe]}
        sources:
          pim:
            kind: entra_audit
            authenticity: topic
            allow_topic_authenticity: true
            may_approve: [ref, ent, cut, group, distinct, owned, elevated, bound, pinned, unpinned, listed, agents, limited]
            max_source_silence: 30m
            health:
              max_grants: {count: 2, per: 1m}
              max_grants_per_approver: {count: 1, per: 1m}
              anomalies: {per: 10m, burst: 2, then: deny}
          native:
            kind: native
            authenticity: topic
            allow_topic_authenticity: true
            may_approve: [run]
          signed:
            kind: native
            authenticity: signed
            signers: [{did: "\(signer?.publicKey.did ?? "")", job_classes: [run]}]
            may_approve: [ref, run]
          graph: {kind: entra_audit, authenticity: confirmed, may_approve: [ref]}
          other: {kind: entra_audit, authenticity: topic, allow_topic_authenticity: true, may_approve: [run]}
          requests:
            kind: capability_request
            authenticity: topic
            allow_topic_authenticity: true
            may_request: [ref, ent, cut, group, distinct, owned, elevated, bound, pinned, unpinned, listed, agents, limited]
        entitlements: [{kind: group, id: g-ent, scope: member, job_class: ent}]
        defaults:
          audience: [clawproxy.com, internal.example]
          max_ttl: 30m
          default_ttl: 10m
          wait_timeout: 2h
          delivery: [sealed]
        job_classes:
          run: {binding: contained, scopes: {allow: [proxy:call, clawproxy:call]}}
          ref: {binding: reference, scopes: {allow: [proxy:call, clawproxy:call]}}
          ent: {binding: entitlement, max_grants_per_window: 2, scopes: {allow: [proxy:call]}}
          cut: {binding: reference, too_wide: cut, scopes: {allow: [proxy:call, tool:read]}}
          group:
            binding: reference
            scopes: {allow: [proxy:call]}
            approvals: {all_of: [{group: ops, count: 2}, {members: [zoe]}]}
          distinct:
            binding: reference
            scopes: {allow: [proxy:call]}
            approvals: {all_of: [{group: ops}, {group: sec}], distinct_across_groups: true}
          owned:
            binding: reference
            owners: [mina]
            scopes: {allow: [proxy:call]}
            separation_of_duties: {job_owner: true}
          elevated:
            binding: reference
            scopes: {allow: [proxy:call]}
            elevated_actions:
              enable_elevated: {approvals: {all_of: [{group: sec}]}, max_ttl: 5m, scopes: [control:elevated]}
              access_production_data:
          bound:
            binding: reference
            scopes: {allow: [proxy:call]}
            wpc: {require_proxy: true, receipt_required: true, require_sandbox: true, job_binding: true}
          pinned: {binding: reference, scopes: {allow: [proxy:call]}, wpc: {pin: always}}
          unpinned: {binding: reference, scopes: {allow: [proxy:call]}, wpc: {pin: never}}
          listed:
            binding: reference
            scopes: {allow: [proxy:call]}
            wpc: {hashes: [\(hash.b64u)], policy_ids: [pol-1]}
          agents: {binding: reference, agents: ["did:key:z6MkA*"], scopes: {allow: [proxy:call]}}
          limited:
            binding: reference
            scopes: {allow: [proxy:call]}
            budget: {model_calls: 4, wall_time_seconds: 600}
        """

    static func person(_ id: String) -> Actor { Actor(id: PersonID(id)) }

    static func fact(
        _ content: Fact.Content, _ at: String? = "2026-11-20T09:05:00Z", approval: String = "a1",
        jobClass: String? = "ref"
    ) -> Fact {
        var fact = Fact(
            recordIndex: 0, source: "test", sourceEventID: nil, occurredAt: at.map(time),
            approvalID: ApprovalID(approval), content: content)
        fact.requester = person("avery")
        fact.subject = person("avery")
        fact.jobClass = jobClass.map { JobClass($0) }
        fact.recordDigest = Digest(hashing: "\(content)")
        return fact
    }

    static func approved(
        _ person: String = "mina", _ at: String? = "2026-11-20T09:05:00Z", approval: String = "a1",
        jobClass: String? = "ref"
    ) -> Fact {
        fact(.decisionApproved(approver: self.person(person)), at, approval: approval, jobClass: jobClass)
    }

    static func started(
        from notBefore: String? = "2026-11-20T09:06:00Z", to notAfter: String? = "2026-11-20T10:06:00Z",
        approval: String = "a1", jobClass: String? = "ref"
    ) -> Fact {
        fact(
            .grantStarted(notBefore: notBefore.map(time), notAfter: notAfter.map(time)), "2026-11-20T09:06:00Z",
            approval: approval, jobClass: jobClass)
    }

    /// Makes request and facts of another class.
    mutating func use(_ jobClass: String, approvers: [String] = ["mina"]) {
        self.jobClass = jobClass
        facts = approvers.map { Self.approved($0, jobClass: jobClass) } + [Self.started(jobClass: jobClass)]
    }

    /// Takes out of the facts who asked and for whom.
    mutating func forgetPeople() {
        facts = facts.map { fact in
            var fact = fact
            fact.requester = nil
            fact.subject = nil
            return fact
        }
    }

    /// Makes the approval a native one that carries the request.
    mutating func contain(_ jobClass: String = "run", source: String = "native") {
        self.jobClass = jobClass
        approvalID = nil
        requestSource = source
        factSource = source
        facts = [Self.approved(jobClass: nil), Self.fact(.capabilityRequested(request), jobClass: nil)]
    }

    /// Makes the approval an active entitlement.
    mutating func entitle() {
        jobClass = "ent"
        approvalID = nil
        subject = "avery"
        facts = [Self.approved(jobClass: nil), Self.started(jobClass: nil)].map { fact in
            var fact = fact
            fact.entitlement = Entitlement(kind: .group, id: "G-ENT", scope: "Member")
            return fact
        }
    }

    /// Gives the request a WPC.
    mutating func bind(_ form: IssuancePolicy.Form = .runbookInV1, _ change: (inout IssuancePolicy) -> Void = { _ in })
    {
        var policy = IssuancePolicy(form: form)
        change(&policy)
        policyHash = Self.hash
        wpc = .available(policy, hash: Self.hash)
    }

    /// Makes the request an upgrade of a token that was granted on another approval.
    mutating func upgrade(_ change: (UpgradeTarget) -> UpgradeTarget = { $0 }) {
        scope = ["proxy:call", "clawproxy:call"]
        upgrades = "r0"
        upgrade = change(
            UpgradeTarget(
                requestID: RequestID("r0"), jobID: JobID("job-1"), agentDID: AgentDID("did:key:z6MkAgent"),
                scope: ["proxy:call"], approvals: [ApprovalID("a0")], isLive: true))
    }

    var request: CapabilityRequest {
        CapabilityRequest(
            requestID: RequestID(requestID), jobID: JobID(jobID), jobClass: JobClass(jobClass),
            agentDID: AgentDID(agent), subject: subject.map { PersonID($0) }, scope: scope, actions: actions,
            tools: tools, audience: audience, ttlSeconds: ttl, policyHash: policyHash,
            approvalID: approvalID.map { ApprovalID($0) }, ticketNumber: ticket, delivery: delivery,
            upgradesRequest: upgrades.map { RequestID($0) }, reason: nil, requestedAt: requestedAt)
    }

    var input: DecisionInput {
        var states: [ApprovalID: ApprovalState] = [:]
        for fact in facts {
            guard let id = fact.approvalID else { continue }
            states[id, default: ApprovalState(approvalID: id)].apply(
                fact, from: SourceName(factSource), authenticity: factAuthenticity)
        }
        var input = DecisionInput(
            request: request, requestSource: SourceName(requestSource), requestAuthenticity: requestAuthenticity,
            receivedAt: receivedAt,
            approvals: states.values.map {
                ApprovalCandidate(
                    state: $0, usedBy: usedBy.map { RequestID($0) }, grantsInWindow: grants, readAt: readAt)
            }, wpc: wpc, keyValidUntil: keyValidUntil, upgrade: upgrade, control: control, signingKey: signingKey,
            tokenID: tokenID, usage: usage, now: now)
        input.health = health
        return input
    }

    /// The source of the approval was heard just now, after these events.
    mutating func hear(_ events: [HealthEvent]) {
        var state = SourceHealth()
        state.seenAt = now
        for event in events {
            guard let watch = rules.sources[SourceName(factSource)]?.health else { continue }
            _ = state.apply(event, of: SourceName(factSource), under: watch, at: now)
        }
        health = [SourceName(factSource): state]
    }

    var decision: Decision { rules.decide(input) }

    var plan: GrantPlan? {
        if case .issue(let plan) = decision.outcome { plan } else { nil }
    }
}

extension Decision {
    var word: String {
        switch outcome {
        case .issue: "issue"
        case .deny: "deny"
        case .expire: "expire"
        case .wait: "wait"
        }
    }

    var codes: [ReasonCode] { reasons.map(\.code) }
}
