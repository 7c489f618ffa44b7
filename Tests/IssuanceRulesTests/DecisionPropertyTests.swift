import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

/// P6 and determinism over random rules, requests, policies and facts.
@Suite struct DecisionPropertyTests {
    private static let scopes = ["proxy:call", "clawproxy:call", "tool:read", "tool:exec", "control:x", "bad *", ""]
    private static let people = ["mina", "jonas", "zoe", "avery"]
    private static let actions = ["enable_elevated", "access_production_data"]
    private static let hosts = ["clawproxy.com", "internal.example", "elsewhere.example"]

    private static func rules(_ dice: inout SeededGenerator) throws -> RuleSet {
        func list(_ items: [String]) -> String { "[" + items.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
        let binding = dice.pick(["contained", "reference", "entitlement"])
        let grantable = Array(scopes.prefix(5))
        let maximum = Int.random(in: 1...60, using: &dice)
        return try RuleSet(
            yaml: """
                rules_version: "1"
                hard_cap: {max_ttl: \(maximum + Int.random(in: 0...5, using: &dice))m}
                groups: {ops: [mina, jonas], sec: [jonas, zoe]}
                sources:
                  pim: {kind: native, authenticity: \(dice.pick(["topic", "confirmed"])),
                    allow_topic_authenticity: true, may_approve: [c], may_request: [c]}
                  odd: {kind: entra_audit, authenticity: confirmed, may_approve: [d]}
                entitlements:
                  - {kind: group, id: g, job_class: c, min_human_approvers: \(Int.random(in: 1...2, using: &dice))}
                job_classes:
                  d: {binding: contained, audience: [x]}
                  c:
                    binding: \(binding)
                    audience: \(list(Array(hosts.prefix(Int.random(in: 1...2, using: &dice)))))
                    scopes: {allow: \(list(dice.chance(50) ? grantable : dice.subset(grantable)))}
                    max_ttl: \(maximum)m
                    default_ttl: \(Int.random(in: 1...maximum, using: &dice))m
                    too_wide: \(dice.pick(["deny", "cut"]))
                    window: \(dice.pick(["required", "optional"]))
                    max_approval_age: \(Int.random(in: 1...120, using: &dice))m
                    wait_timeout: \(Int.random(in: 1...120, using: &dice))m
                    approvals:
                      all_of: \(dice.pick(["[{any: true}]", "[{group: ops}]", "[{group: ops}, {group: sec}]"]))
                      distinct_across_groups: \(dice.chance(50))
                    wpc: {pin: \(dice.pick(["always", "when_required", "never"])), require_proxy: \(dice.chance(20))}
                    delivery: \(dice.pick(["[sealed]", "[sealed, plain]"]))
                    elevated_actions:
                      enable_elevated: {max_ttl: 1m, scopes: \(list(dice.subset(grantable)))}
                """)
    }

    /// Some time within the hour before noon, and sometimes far from it.
    private static func past(_ dice: inout SeededGenerator) -> Timestamp {
        Setup.noon.adding(seconds: Int64.random(in: dice.chance(90) ? -3_600...0 : -90_000...90_000, using: &dice))
    }

    /// Some time within the two hours after noon, and sometimes far from it.
    private static func future(_ dice: inout SeededGenerator) -> Timestamp {
        Setup.noon.adding(seconds: Int64.random(in: dice.chance(90) ? 0...7_200 : -90_000...90_000, using: &dice))
    }

    private static func request(_ dice: inout SeededGenerator) -> CapabilityRequest {
        let asked = Array(scopes.prefix(dice.chance(95) ? 5 : 7))
        return CapabilityRequest(
            requestID: RequestID("r1"), jobID: JobID("j1"), jobClass: JobClass(dice.chance(97) ? "c" : "d"),
            agentDID: AgentDID("did:key:z6MkA"), subject: dice.chance(80) ? PersonID("avery") : nil,
            scope: dice.chance(70) ? [dice.pick(asked)] : dice.subset(asked),
            actions: dice.chance(25) ? dice.subset(actions) : [],
            tools: dice.chance(20) ? dice.subset(["read", "exec"]) : [],
            audience: dice.chance(30) ? dice.subset(hosts) : [],
            ttlSeconds: dice.chance(50) ? Int64.random(in: -1...4_000, using: &dice) : nil,
            policyHash: dice.chance(70) ? Setup.hash : nil, approvalID: dice.chance(80) ? ApprovalID("a1") : nil,
            ticketNumber: dice.chance(20) ? "T1" : nil,
            delivery: dice.chance(90) ? .sealed(publicKey: Setup.key) : .plain, requestedAt: past(&dice))
    }

    private static func policy(_ dice: inout SeededGenerator) -> WPCAvailability {
        if dice.chance(5) {
            return dice.pick([.notRequested, .unavailable(reason: "x"), .invalid(code: "x", detail: "y")])
        }
        var policy = IssuancePolicy(form: dice.pick([.v1, .statements, .runbook, .runbookInV1]))
        policy.toolsAllowed = dice.chance(40) ? dice.subset(["read", "exec"]) : nil
        policy.toolsDenied = dice.chance(30) ? dice.subset(["read", "exec", "enable_elevated"]) : []
        policy.maximumTTLSeconds = dice.chance(50) ? Int64.random(in: 0...4_000, using: &dice) : nil
        policy.policyHashPinned = dice.chance(40)
        policy.requiresProxy = dice.chance(50)
        policy.approvals = dice.subset(actions).map {
            .init(action: $0, require: dice.pick(["human_approval", "human_approval", "two_person", "oracle"]))
        }
        if policy.form == .statements { policy.statements = statements(&dice) }
        return .available(policy, hash: dice.chance(95) ? Setup.hash : Digest(hashing: "other"))
    }

    private static func statements(_ dice: inout SeededGenerator) -> StatementPolicy? {
        var statements: [JSONValue] = []
        for index in 0...Int.random(in: 0...2, using: &dice) {
            statements.append([
                "sid": .string("s\(index)"), "effect": .string(dice.pick(["Allow", "Allow", "Deny"])),
                "actions": [.string(dice.pick(["*", "proxy:*", "tool:*", "tool:read", "enable_elevated"]))],
                "resources": [.string(dice.pick(["*", "*", "prod/*"]))],
            ])
        }
        var document: JSONObject = [
            "policy_version": "2", "policy_id": "p", "issuer_did": "did:web:claw.example",
            "statements": .array(statements),
        ]
        if dice.chance(10) { document["inherits"] = "parent" }
        return try? StatementPolicy(.object(document))
    }

    private static func facts(_ dice: inout SeededGenerator, _ request: CapabilityRequest) -> [Fact] {
        var facts: [Fact] = []
        for id in ["a1", "a2"].prefix(Int.random(in: 0...2, using: &dice)) {
            for person in dice.subset(people) {
                facts.append(Setup.approved(person, past(&dice).iso8601, approval: id, jobClass: nil))
            }
            if dice.chance(85) {
                facts.append(
                    Setup.started(
                        from: past(&dice).iso8601, to: dice.chance(95) ? future(&dice).iso8601 : nil, approval: id,
                        jobClass: nil))
            }
            facts.append(Setup.fact(.requestOpened, nil, approval: id, jobClass: nil))
            if dice.chance(60) {
                facts.append(Setup.fact(.capabilityRequested(request), nil, approval: id, jobClass: nil))
            }
            if dice.chance(8) {
                let content = dice.pick([
                    Fact.Content.decisionDenied(approver: nil), .decisionTimedOut, .decisionCanceled,
                    .grantEnded(.removed), .subjectInvalidated(reason: "x"),
                ])
                facts.append(Setup.fact(content, nil, approval: id, jobClass: nil))
            }
        }
        return facts.map { fact in
            var fact = fact
            if dice.chance(90) { fact.entitlement = Entitlement(kind: .group, id: dice.chance(97) ? "g" : "h") }
            if dice.chance(20) { fact.ticket = Ticket(system: nil, number: "T1") }
            return fact
        }
    }

    private static func input(_ dice: inout SeededGenerator) -> DecisionInput {
        let request = request(&dice)
        var states: [ApprovalID: ApprovalState] = [:]
        let source = dice.chance(95) ? "pim" : "odd"
        let authenticity = dice.pick([Authenticity.topic, .confirmed, .confirmed, .confirmed, .signed([KeyID("k")])])
        for fact in facts(&dice, request) {
            guard let id = fact.approvalID else { continue }
            states[id, default: ApprovalState(approvalID: id)].apply(
                fact, from: SourceName(source), authenticity: authenticity)
        }
        return DecisionInput(
            request: request, requestSource: SourceName(dice.chance(97) ? "pim" : "odd"),
            requestAuthenticity: dice.chance(90) ? .confirmed : .topic, receivedAt: past(&dice),
            approvals: states.values.map {
                ApprovalCandidate(
                    state: $0, usedBy: dice.chance(5) ? RequestID("r0") : nil, grantsInWindow: dice.chance(5) ? 1 : 0)
            },
            wpc: policy(&dice), keyValidUntil: dice.chance(20) ? future(&dice) : nil,
            now: Setup.noon)
    }

    @Test func grantsAreNeverWiderThanTheirParts() throws {
        var issued = 0
        var dice = SeededGenerator(seed: 42)
        for _ in 0..<250 {
            let rules = try Self.rules(&dice)
            for _ in 0..<40 {
                let input = Self.input(&dice)
                let decision = rules.decide(input)
                if case .issue(let plan) = decision.outcome {
                    issued += 1
                    try check(plan, input, rules)
                } else if decision.reasons.isEmpty || decision.codes.contains(where: { $0.isNote }) {
                    Issue.record("a refusal without a reason: \(decision)")
                }
            }
        }
        #expect(issued > 100, "only \(issued) grants were tried")
    }

    private func check(_ plan: GrantPlan, _ input: DecisionInput, _ rules: RuleSet) throws {
        let rule = try #require(rules.jobClasses[plan.jobClass])
        let extra = plan.elevatedActions.flatMap { rule.elevatedActions[$0]?.scopes ?? [] }
        #expect(!plan.scope.isEmpty && Set(plan.scope).count == plan.scope.count)
        #expect(Set(plan.scope).isSubset(of: input.request.scope + extra))
        #expect(Set(plan.scope).isSubset(of: rule.scopes + extra))
        #expect(Set(plan.elevatedActions).isSubset(of: input.request.actions))
        #expect(plan.elevatedActions.allSatisfy { rule.elevatedActions[$0] != nil })
        #expect(!plan.audience.isEmpty && Set(plan.audience).isSubset(of: rule.audience))
        let lifetime = plan.expiresAt.seconds(since: plan.issuedAt)
        #expect(lifetime > 0 && plan.expiresAt > input.now && plan.issuedAt <= input.now)
        #expect(lifetime <= min(rule.maximumTTLSeconds, rules.hardCapSeconds))
        if let asked = input.request.ttlSeconds { #expect(lifetime <= asked) }
        if let end = input.keyValidUntil { #expect(plan.expiresAt <= end) }
        for action in plan.elevatedActions {
            if let limit = rule.elevatedActions[action]?.maximumTTLSeconds { #expect(lifetime <= limit) }
        }
        if rule.tooWide == .deny {
            #expect(Set(input.request.scope).isSubset(of: plan.scope))
            #expect(Set(input.request.actions) == Set(plan.elevatedActions))
        }
        #expect(!plan.approvers.isEmpty && !plan.approvers.contains(PersonID("avery")))
        let state = try #require(input.approvals.first { plan.approvals == [$0.state.approvalID] }).state
        let window = state.merged { _ in true }.window
        if let end = window?.notAfter?.value { #expect(plan.expiresAt <= end) }
        #expect(!state.isEnded && state.denied == nil)
        try check(plan, input, rule)
    }

    private func check(_ plan: GrantPlan, _ input: DecisionInput, _ rule: JobClassRule) throws {
        guard input.request.policyHash != nil else {
            #expect(plan.policyHash == nil && !rule.workPolicy.isRequired)
            return
        }
        guard case .available(let policy, let hash) = input.wpc else {
            Issue.record("a token was issued without the WPC it names")
            return
        }
        #expect(hash == input.request.policyHash)
        if let limit = policy.maximumTTLSeconds {
            #expect(plan.expiresAt.seconds(since: plan.issuedAt) <= limit)
        }
        if policy.policyHashPinned || rule.workPolicy.pin == .always { #expect(plan.policyHash == hash) }
        if plan.policyHash != nil { #expect(policy.isRegistrable || !plan.audience.contains("clawproxy.com")) }
        for scope in plan.scope where scope.hasPrefix("tool:") {
            #expect(!policy.toolsDenied.contains(String(scope.dropFirst(5))))
        }
        if policy.form == .statements {
            let statements = try #require(policy.statements)
            for action in plan.scope + plan.elevatedActions + input.request.tools.map({ "tool:\($0)" }) {
                for resource in ["*", "prod/*", "dev/db"] {
                    let verdict = PolicyEvaluator.evaluate(
                        statements, action: action, resource: resource,
                        context: [PolicyEvaluator.humanApprovalKey: "true"], mode: .strict, parent: { _ in nil })
                    #expect(verdict.isAllowed, "\(action) on \(resource): \(verdict.reason)")
                }
            }
        }
        for action in plan.elevatedActions {
            #expect(!policy.toolsDenied.contains(action))
            for requirement in policy.approvals where requirement.action == action {
                #expect(requirement.require != "oracle")
                if requirement.require == "two_person" { #expect(plan.approvers.count >= 2) }
            }
        }
    }

    @Test func extremeValuesAreDecidedLikeAnyOther() throws {
        let rules = try RuleSet(yaml: Setup.text)
        let times = [Timestamp(seconds: 0), Setup.noon, time("9999-12-31T23:59:59.999999Z")]
        for ttl in [Int64.min, -1, 0, 1, .max] {
            for now in times {
                for other in times {
                    var setup = try Setup()
                    setup.rules = rules
                    setup.ttl = ttl
                    setup.now = now
                    setup.receivedAt = other
                    setup.requestedAt = other
                    setup.keyValidUntil = other
                    setup.facts = [
                        Setup.approved("mina", other.iso8601),
                        Setup.started(from: other.iso8601, to: now.iso8601),
                    ]
                    setup.bind { $0.maximumTTLSeconds = ttl }
                    #expect(setup.plan == nil)
                }
            }
        }
    }

    @Test func theSameInputGivesTheSameDecisionWhateverTheOrder() throws {
        var dice = SeededGenerator(seed: 7)
        for _ in 0..<200 {
            let rules = try Self.rules(&dice)
            for _ in 0..<10 {
                var input = Self.input(&dice)
                let decision = rules.decide(input)
                input.approvals.reverse()
                #expect(rules.decide(input) == decision)
            }
        }
    }
}
