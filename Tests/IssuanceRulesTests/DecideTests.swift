import ClawWire
import Testing

@testable import IssuanceRules

@Suite struct DecideTests {
    @Test func aReferencedApprovalGivesAToken() throws {
        let setup = try Setup()
        let plan = try #require(setup.plan)
        #expect(plan.scope == ["proxy:call"])
        #expect(plan.audience == ["clawproxy.com", "internal.example"])
        #expect(plan.issuedAt == Setup.noon)
        #expect(plan.expiresAt == Setup.noon.adding(seconds: 600))
        #expect(plan.approvers == [PersonID("mina")])
        #expect(plan.approvals == [ApprovalID("a1")])
        #expect(plan.policyHash == nil && plan.replaces == nil)
        #expect(setup.decision.rule == "job_classes.ref")
        #expect(setup.decision.reasons.isEmpty)
    }

    @Test func neitherWhoAskedNorWhomItIsForApproves() throws {
        func codes(requester: String, subject: String, approver: String) throws -> [ReasonCode] {
            var setup = try Setup()
            setup.facts = [Setup.approved(approver), Setup.started()].map { fact in
                var fact = fact
                fact.requester = Setup.person(requester)
                fact.subject = Setup.person(subject)
                return fact
            }
            return setup.decision.codes
        }
        #expect(try codes(requester: "jonas", subject: "avery", approver: "mina").isEmpty)
        #expect(try codes(requester: "mina", subject: "avery", approver: "mina") == [.humanApprovalSelfApproval])
        #expect(
            try codes(requester: "jonas", subject: "avery", approver: "avery") == [.humanApprovalSeparationOfDuties])
    }

    @Test func peopleOfTheRulesCompareWithoutCase() throws {
        var owned = try Setup()
        owned.rules = try RuleSet(yaml: Setup.text.replacing("owners: [mina]", with: "owners: [MINA]"))
        owned.use("owned")
        #expect(owned.decision.codes == [.humanApprovalSeparationOfDuties])
        var group = try Setup()
        group.rules = try RuleSet(
            yaml: Setup.text.replacing("ops: [mina, jonas]", with: "ops: [Mina, JONAS]")
                .replacing("members: [zoe]", with: "members: [Zoe]"))
        group.use("group", approvers: ["mina", "jonas", "zoe"])
        #expect(group.plan?.approvers.count == 3)
    }

    @Test func nobodyIsKnownToBeAnotherThanAnUnknownRequester() throws {
        var setup = try Setup()
        setup.forgetPeople()
        #expect(setup.decision.codes == [.humanApprovalRequesterUnknown])
        setup.subject = "avery"
        #expect(setup.plan != nil)
        setup.subject = nil
        setup.rules = try RuleSet(
            yaml: Setup.text.replacing(
                "ref: {binding: reference,",
                with: "ref: {binding: reference, separation_of_duties: {requester: false},"))
        #expect(setup.plan != nil)
        // An agent that asks on its own is no human, and is known.
        var receipt = try Setup()
        receipt.forgetPeople()
        receipt.facts[0].subject = Actor(id: PersonID("did:key:z6mkagent"), kind: .system)
        #expect(receipt.plan != nil)
    }

    @Test func onlyTheListedPeopleCountForAList() throws {
        var setup = try Setup()
        setup.use("group", approvers: ["mina", "jonas", "zoe"])
        #expect(setup.plan != nil)
        setup.use("group", approvers: ["mina", "jonas", "kim"])
        #expect(setup.decision.codes == [.humanApprovalGroupNotMet])
    }

    @Test func aTicketFindsItsApprovalWithoutCase() throws {
        var setup = try Setup()
        setup.approvalID = nil
        setup.ticket = "chg0034521"
        #expect(setup.decision.codes == [.capabilityRequiresApproval])
        setup.facts[0].ticket = Ticket(system: "ServiceNow", number: "CHG0034521")
        #expect(setup.plan != nil)
        setup.factSource = "other"
        #expect(setup.plan == nil)
    }

    @Test func aContainedRequestNeedsNoWindowAndIsBoundByTheApprovalsAge() throws {
        var setup = try Setup()
        setup.contain()
        #expect(setup.plan?.expiresAt == Setup.noon.adding(seconds: 600))
        setup.receivedAt = time("2026-11-21T09:04:00Z")
        setup.now = time("2026-11-21T09:04:30Z")
        #expect(setup.plan?.expiresAt == time("2026-11-21T09:05:00Z"))
    }

    @Test func theAgeOfSeveralDecisionsIsThatOfTheNewest() throws {
        for order in [
            ["2026-11-20T09:00:00Z", "2026-11-20T09:05:00Z"], ["2026-11-20T09:05:00Z", "2026-11-20T09:00:00Z"],
        ] {
            var setup = try Setup()
            setup.contain()
            setup.facts = zip(["mina", "jonas"], order).map { Setup.approved($0, $1, jobClass: nil) }
            setup.facts.append(Setup.fact(.capabilityRequested(setup.request), jobClass: nil))
            setup.receivedAt = time("2026-11-21T08:59:00Z")
            setup.now = time("2026-11-21T08:59:30Z")
            #expect(setup.plan?.expiresAt == time("2026-11-21T09:05:00Z"))
        }
    }

    @Test func factsThatContradictEachOtherHoldTheRequestBack() throws {
        var subjects = try Setup()
        var other = Setup.approved()
        other.subject = Setup.person("jonas")
        subjects.facts.append(other)
        #expect(subjects.decision.codes == [.humanApprovalContradictory])
        for earlier in ["2026-11-20T09:04:00Z", "2026-11-20T09:06:00Z"] {
            var requests = try Setup()
            requests.contain()
            var wider = requests
            wider.scope = ["proxy:call", "clawproxy:call"]
            requests.facts.append(Setup.fact(.capabilityRequested(wider.request), earlier, jobClass: nil))
            for asked in [requests.scope, wider.scope] {
                requests.scope = asked
                #expect(requests.decision.codes == [.humanApprovalContradictory])
            }
        }
    }

    @Test func theHardCapBoundsEveryClass() throws {
        var setup = try Setup()
        let rules = setup.rules
        setup.rules = RuleSet(
            name: nil, sources: rules.sources, entitlements: [], jobClasses: rules.jobClasses, groups: rules.groups,
            workPolicies: rules.workPolicies, hardCapSeconds: 60, control: rules.control, gateways: rules.gateways,
            prices: rules.prices)
        #expect(setup.plan?.expiresAt == Setup.noon.adding(seconds: 60))
    }

    @Test func aContainedRequestFromElsewhereIsNotTheApprovedOne() throws {
        var setup = try Setup()
        setup.contain()
        setup.requestSource = "requests"
        #expect(setup.decision.word == "deny")
        var signed = try Setup()
        signed.contain(source: "signed")
        signed.requestAuthenticity = .signed([Setup.kid])
        signed.factAuthenticity = .signed([Setup.kid])
        #expect(signed.plan != nil)
        signed.factAuthenticity = .signed([KeyID("0000000000000000")])
        #expect(signed.plan == nil)
    }

    @Test func anEntitlementCoversRequestsOfItsSubject() throws {
        var setup = try Setup()
        setup.entitle()
        #expect(setup.plan?.approvers == [PersonID("mina")])
        setup.grants = 1
        #expect(setup.plan != nil)
        setup.usedBy = "r0"
        #expect(setup.plan != nil)
        setup.subject = "jonas"
        #expect(setup.decision.codes == [.capabilityRequiresApproval])
    }

    @Test func anEarlierDenialSaysNothingOfALaterRequestOfTheSameSubject() throws {
        var setup = try Setup()
        setup.entitle()
        setup.facts.append(Setup.fact(.decisionDenied(approver: nil), "2026-11-20T09:07:00Z", jobClass: nil))
        #expect(setup.decision.codes == [.capabilityRequiresApproval])
        setup.requestedAt = time("2026-11-20T09:00:00Z")
        #expect(setup.decision.codes == [.humanApprovalDenied])
    }

    @Test func theLongerOfTwoWindowsIsTaken() throws {
        var setup = try Setup()
        setup.entitle()
        setup.ttl = 1_800
        let longer = setup.facts.map { fact in
            var fact = fact
            fact.approvalID = ApprovalID("a0")
            if case .grantStarted = fact.content {
                fact.content = .grantStarted(notBefore: nil, notAfter: time("2026-11-20T11:00:00Z"))
            }
            return fact
        }
        setup.facts += longer
        #expect(setup.plan?.approvals == [ApprovalID("a0")])
        #expect(setup.decision.approvals == [ApprovalID("a0"), ApprovalID("a1")])
    }

    @Test func waitingSaysUntilWhenAndWhenToLookAgain() throws {
        var setup = try Setup()
        setup.now = time("2026-11-20T09:05:30Z")
        #expect(setup.decision.outcome == .wait(until: Setup.noon.adding(seconds: 7_200)))
        #expect(setup.decision.recheckAt == time("2026-11-20T09:06:00Z"))
    }

    @Test func groupsAreAndedAndCounted() throws {
        var setup = try Setup()
        setup.use("group", approvers: ["mina", "jonas", "zoe"])
        #expect(setup.plan?.approvers.count == 3)
        setup.use("distinct", approvers: ["jonas", "mina"])
        #expect(setup.plan != nil)
        setup.use("distinct", approvers: ["mina", "zoe"])
        #expect(setup.plan != nil)
        setup.use("distinct", approvers: ["mina"])
        #expect(setup.decision.codes.contains(.humanApprovalGroupNotMet))
    }

    @Test func oldApproversCountTowardsTheReasonAndNotTowardsTheNumber() throws {
        var setup = try Setup()
        setup.use("group", approvers: ["mina", "zoe"])
        setup.facts.append(Setup.approved("jonas", "2026-11-18T09:00:00Z", jobClass: "group"))
        #expect(setup.decision.word == "expire")
        #expect(setup.decision.codes == [.humanApprovalExpired])
    }

    @Test func elevatedActionsTakeTheirApprovalsScopesAndLifetime() throws {
        var setup = try Setup()
        setup.use("elevated")
        setup.actions = ["enable_elevated"]
        #expect(setup.decision.codes.contains(.humanApprovalGroupNotMet))
        setup.use("elevated", approvers: ["jonas"])
        let plan = try #require(setup.plan)
        #expect(plan.scope == ["proxy:call", "control:elevated"])
        #expect(plan.elevatedActions == ["enable_elevated"])
        #expect(plan.expiresAt == Setup.noon.adding(seconds: 300))
        setup.bind(.runbook) { $0.approvals = [.init(action: "enable_elevated", require: "human_approval")] }
        #expect(setup.plan?.elevatedActions == ["enable_elevated"])
        setup.bind(.runbook) {
            $0.approvals = [.init(action: "enable_elevated", require: "human_approval")]
            $0.toolsDenied = ["enable_elevated"]
        }
        #expect(setup.decision.codes == [.policyToolDenied])
    }

    @Test func policiesPinAndBound() throws {
        var setup = try Setup()
        setup.bind { $0.maximumTTLSeconds = 60 }
        #expect(setup.plan?.expiresAt == Setup.noon.adding(seconds: 60))
        #expect(setup.plan?.policyHash == nil)
        setup.bind { $0.policyHashPinned = true }
        #expect(setup.plan?.policyHash == Setup.hash)
        setup.bind(.runbook) { $0.policyHashPinned = true }
        setup.audience = ["internal.example"]
        #expect(setup.plan?.policyHash == Setup.hash)
        setup.use("pinned")
        setup.bind(.v1)
        #expect(setup.plan?.policyHash == Setup.hash)
    }

    @Test func toolsInScopesAreUnderTheToolPolicy() throws {
        var setup = try Setup()
        setup.use("cut")
        setup.scope = ["proxy:call", "tool:read"]
        setup.bind { $0.toolsAllowed = ["read"] }
        #expect(setup.plan?.scope == ["proxy:call", "tool:read"])
        setup.bind {
            $0.toolsAllowed = ["read"]
            $0.toolsDenied = ["read"]
        }
        #expect(setup.plan?.scope == ["proxy:call"])
    }

    private static func statements(_ statements: JSONValue, inherits: String? = nil) throws -> StatementPolicy {
        var document: JSONObject = [
            "policy_version": "2", "policy_id": "p", "issuer_did": "did:web:claw.example", "statements": statements,
        ]
        document["inherits"] = inherits.map { .string($0) }
        return try StatementPolicy(.object(document))
    }

    @Test func statementsRestrictScopesActionsAndTools() throws {
        let allow: JSONValue = [
            "sid": "a", "effect": "Allow", "actions": ["proxy:*", "tool:read"], "resources": ["*"],
        ]
        let deny: JSONValue = ["sid": "d", "effect": "Deny", "actions": ["*"], "resources": ["prod/*"]]
        func codes(
            _ policy: StatementPolicy?, _ change: (inout Setup) -> Void = { _ in }
        ) throws -> [ReasonCode] {
            var setup = try Setup()
            setup.bind(.statements) { $0.statements = policy }
            change(&setup)
            return setup.decision.codes
        }
        #expect(try codes(Self.statements([allow])) == [])
        #expect(try codes(Self.statements([allow, deny])) == [.scopeNotAllowed])
        #expect(try codes(Self.statements([allow], inherits: "parent")) == [.scopeNotAllowed])
        #expect(try codes(nil) == [.scopeNotAllowed])
        let narrow: JSONValue = ["sid": "n", "effect": "Allow", "actions": ["*"], "resources": ["dev/*"]]
        #expect(try codes(Self.statements([narrow])) == [.scopeNotAllowed])
        #expect(try codes(Self.statements([allow])) { $0.tools = ["read"] } == [])
        #expect(try codes(Self.statements([allow])) { $0.tools = ["exec"] } == [.policyToolNotAllowed])
        let elevated: @Sendable (inout Setup) -> Void = { setup in
            setup.use("elevated", approvers: ["mina", "jonas"])
            setup.actions = ["access_production_data"]
        }
        #expect(try codes(Self.statements([allow]), elevated) == [.policyActionNotCovered])
        let all: JSONValue = ["sid": "a", "effect": "Allow", "actions": ["*"], "resources": ["*"]]
        #expect(try codes(Self.statements([all]), elevated) == [])
        // A human has approved whatever is issued; a deny whose condition cannot be judged holds.
        let unapproved: JSONValue = [
            "sid": "u", "effect": "Deny", "actions": ["*"], "resources": ["*"],
            "conditions": ["Bool": ["Request:HasHumanApproval": "false"]],
        ]
        #expect(try codes(Self.statements([all, unapproved])) == [])
        let elsewhere: JSONValue = [
            "sid": "e", "effect": "Deny", "actions": ["*"], "resources": ["*"],
            "conditions": ["IpAddress": ["Request:SourceIp": "10.0.0.0/8"]],
        ]
        #expect(try codes(Self.statements([all, elsewhere])) == [.scopeNotAllowed])
    }

    @Test func providersAndRoutesOfTheWPCBoundTheScope() throws {
        var setup = try Setup()
        setup.rules = try RuleSet(
            yaml: Setup.text.replacing(
                "ref: {binding: reference, scopes: {allow: [proxy:call, clawproxy:call]}}",
                with: "ref: {binding: reference, scopes: {allow: [proxy:provider:openai, proxy:provider:anthropic]}}"))
        setup.scope = ["proxy:provider:anthropic"]
        setup.bind(.v1)
        #expect(setup.plan != nil)
        setup.bind(.v1) { $0.allowedProviders = ["openai"] }
        #expect(setup.decision.codes == [.scopeNotAllowed])
        setup.scope = ["proxy:provider:openai"]
        #expect(setup.plan?.scope == ["proxy:provider:openai"])
        setup.bind(.runbook) { $0.allowedRoutes = ["openai/gpt-x"] }
        setup.audience = ["internal.example"]
        #expect(setup.plan != nil)
        setup.scope = ["proxy:provider:anthropic"]
        #expect(setup.decision.codes == [.scopeNotAllowed])
    }

    @Test func anUpgradeReplaces() throws {
        var setup = try Setup()
        setup.upgrade()
        #expect(setup.plan?.replaces == RequestID("r0"))
    }

    @Test func theDigestOfApprovalsIsThatOfTheirCanonicalJSON() throws {
        let setup = try Setup()
        let states = setup.input.approvals.map(\.state)
        let value: JSONValue = .array(
            states.map {
                [
                    "evidence": .array($0.evidence.map { .string($0.b64u) }),
                    "approval_id": .string($0.approvalID.rawValue),
                ]
            })
        #expect(ApprovalDigest.of(states) == value.canonicalDigest)
        #expect(setup.plan?.approvalDigest == value.canonicalDigest)
    }

    @Test func hostileTextCannotForgeALineOfAnExplanation() throws {
        var setup = try Setup()
        setup.scope = ["a\nbecause:\n  all is well"]
        let lines = setup.decision.explain(setup.request, rulesHash: setup.rules.hash)
        #expect(lines.allSatisfy { !$0.contains("\n") })
        #expect(lines.contains { $0.contains("SCOPE_NOT_ALLOWED") })
    }

    @Test func explanationsSayAskedGrantedAndNeeded() throws {
        var setup = try Setup()
        let granted = Explanation(of: setup.decision, on: setup.request, rulesHash: setup.rules.hash)
        #expect(granted.outcome == "issue" && granted.granted.contains("scope \"proxy:call\""))
        setup.facts = []
        let waiting = Explanation(of: setup.decision, on: setup.request, rulesHash: setup.rules.hash)
        #expect(waiting.outcome == "wait" && waiting.needed == ["an approval with the id \"a1\""])
        #expect(waiting.json["reason_codes"] == ["CAPABILITY_REQUIRES_APPROVAL"])
    }
}
