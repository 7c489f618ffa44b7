import ClawWire
import Testing

@testable import IssuanceRules

/// Every reason code with a way to get it.
@Suite struct ReasonTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let code: ReasonCode
        let outcome: String
        let spoil: @Sendable (inout Setup) -> Void

        init(_ code: ReasonCode, _ outcome: String, _ spoil: @escaping @Sendable (inout Setup) -> Void) {
            self.code = code
            self.outcome = outcome
            self.spoil = spoil
        }

        var testDescription: String { code.rawValue }
    }

    @Test(arguments: requests + policies + approvals + controls)
    func isProduced(example: Case) throws {
        var setup = try Setup()
        example.spoil(&setup)
        let decision = setup.decision
        #expect(decision.word == example.outcome, "\(decision.reasons)")
        #expect(decision.codes.contains(example.code), "\(decision.reasons)")
        #expect(example.code.effect == (decision.word == "issue" ? .note : ReasonCode.Effect(rawValue: decision.word)))
        if case .issue = decision.outcome {
            #expect(decision.codes.allSatisfy { $0.isNote })
        } else {
            #expect(!decision.needed.isEmpty && decision.needed.allSatisfy { !$0.isEmpty })
            #expect(!decision.rule.isEmpty)
        }
    }

    @Test func aDryRunRefusesWhatWouldBeIssued() throws {
        let decision = try Setup().decision
        guard case .issue(let plan) = decision.outcome else {
            Issue.record("the plain setup is not granted: \(decision.reasons)")
            return
        }
        let dry = decision.withoutMinting(plan)
        #expect(dry.outcome == .deny)
        #expect(dry.codes == [.capabilityDryRun])
    }

    @Test func everyCodeIsCovered() {
        let covered = Set((Self.requests + Self.policies + Self.approvals + Self.controls).map(\.code)).union([
            .capabilityDryRun
        ])
        #expect(Set(ReasonCode.allCases).subtracting(covered) == [])
    }

    @Test func textsAreThere() {
        for code in ReasonCode.allCases {
            #expect(!code.meaning.isEmpty && !code.remedy.isEmpty)
            #expect(code.rawValue.utf8.allSatisfy { $0 == UInt8(ascii: "_") || ($0 >= 0x41 && $0 <= 0x5A) })
        }
    }

    static let requests: [Case] = [
        Case(.capabilityJobClassUnknown, "deny") { $0.jobClass = "nothing" },
        Case(.capabilityRequestInvalid, "deny") { $0.jobID = "" },
        Case(.capabilityRequestInvalid, "deny") { $0.agent = "agent" },
        Case(.capabilityRequestInvalid, "deny") { $0.scope = [] },
        Case(.capabilitySourceNotAllowed, "deny") { $0.requestSource = "stranger" },
        Case(.capabilitySourceNotAllowed, "deny") { $0.requestSource = "pim" },
        Case(.capabilitySourceNotAllowed, "deny") { $0.contain(source: "signed") },
        Case(.capabilityAgentNotAllowed, "deny") {
            $0.use("agents")
            $0.agent = "did:key:z6MkB"
        },
        Case(.capabilityActionNotAllowed, "deny") { $0.actions = ["enable_elevated"] },
        Case(.capabilityActionReduced, "issue") {
            $0.use("cut")
            $0.actions = ["enable_elevated"]
        },
        Case(.capabilityDeliveryNotAllowed, "deny") { $0.delivery = .plain },
        Case(.capabilityDeliveryKeyInvalid, "deny") { $0.delivery = .sealed(publicKey: [1, 2, 3]) },
        Case(.capabilityDeliveryKeyInvalid, "deny") {
            $0.delivery = .sealed(publicKey: Array(repeating: 0, count: 32))
        },
        Case(.capabilityDeliveryKeyInvalid, "deny") {
            $0.delivery = .sealed(publicKey: [0xED] + Array(repeating: 0xFF, count: 31))
        },
        Case(.capabilityReferenceRequired, "deny") { $0.approvalID = nil },
        Case(.capabilitySubjectRequired, "deny") {
            $0.entitle()
            $0.subject = nil
        },
        Case(.capabilityGrantsExhausted, "deny") {
            $0.entitle()
            $0.grants = 2
        },
        Case(.capabilityBudgetSpent, "deny") {
            $0.use("limited")
            $0.usage = JobUsage()
            $0.usage?.usage.modelCalls = 4
        },
        Case(.capabilityUpgradeUnknown, "deny") { $0.upgrades = "r0" },
        Case(.capabilityUpgradeMismatch, "deny") {
            $0.upgrade()
            $0.jobID = "job-2"
        },
        Case(.capabilityUpgradeNotLive, "deny") {
            $0.upgrade {
                UpgradeTarget(
                    requestID: $0.requestID, jobID: $0.jobID, agentDID: $0.agentDID, scope: $0.scope,
                    approvals: $0.approvals, isLive: false)
            }
        },
        Case(.capabilityUpgradeNotWider, "deny") {
            $0.upgrade()
            $0.scope = ["proxy:call"]
        },
        Case(.replayUpgradeApprovalReused, "deny") {
            $0.upgrade {
                UpgradeTarget(
                    requestID: $0.requestID, jobID: $0.jobID, agentDID: $0.agentDID, scope: $0.scope,
                    approvals: [ApprovalID("a1")], isLive: true)
            }
        },
        Case(.scopeNotAllowed, "deny") { $0.scope = ["proxy:call", "control:key:rotate"] },
        Case(.scopeNotAllowed, "deny") {
            $0.use("elevated")
            $0.scope = ["control:elevated"]
        },
        Case(.scopeNotAllowed, "deny") {
            $0.use("cut")
            $0.scope = ["control:key:rotate"]
        },
        Case(.scopeWildcardNotAllowed, "deny") { $0.scope = ["proxy:*"] },
        Case(.scopeTooLarge, "deny") { $0.scope = (0..<65).map { "s:\($0)" } },
        Case(.scopeTooLarge, "deny") { $0.scope = [String(repeating: "s", count: 129)] },
        Case(.scopeReduced, "issue") {
            $0.use("cut")
            $0.scope = ["proxy:call", "control:key:rotate"]
        },
        Case(.tokenAudienceNotAllowed, "deny") { $0.audience = ["elsewhere.example"] },
        Case(.tokenAudienceReduced, "issue") {
            $0.use("cut")
            $0.audience = ["elsewhere.example", "clawproxy.com"]
        },
        Case(.tokenTTLInvalid, "deny") { $0.ttl = 0 },
        Case(.tokenTTLInvalid, "deny") { setup in setup.bind { $0.maximumTTLSeconds = 0 } },
        Case(.tokenTTLTooLong, "deny") { $0.ttl = 1_801 },
        Case(.tokenTTLReduced, "issue") {
            $0.use("cut")
            $0.ttl = 7_200
        },
        Case(.tokenTTLReduced, "issue") {
            $0.ttl = 600
            $0.now = time("2026-11-20T10:00:00Z")
        },
        Case(.tokenKeyExpiring, "wait") { $0.keyValidUntil = $0.now },
    ]

    static let policies: [Case] = [
        Case(.policyRequired, "deny") { $0.use("pinned") },
        Case(.policyHashMismatch, "deny") {
            $0.bind()
            $0.policyHash = Digest(hashing: "another")
        },
        Case(.policyHashNotAllowed, "deny") {
            $0.use("listed")
            $0.policyHash = Digest(hashing: "another")
        },
        Case(.policyIDNotAllowed, "deny") { setup in
            setup.use("listed")
            setup.bind { $0.policyID = "pol-2" }
        },
        Case(.policyJobClassMismatch, "deny") { setup in setup.bind { $0.jobClass = "run" } },
        Case(.policyToolDenied, "deny") { setup in
            setup.tools = ["exec_host"]
            setup.bind {
                $0.toolsAllowed = ["exec_host"]
                $0.toolsDenied = ["exec_host"]
            }
        },
        Case(.policyToolNotAllowed, "deny") { setup in
            setup.tools = ["shell"]
            setup.bind { $0.toolsAllowed = ["read"] }
        },
        Case(.policyActionNotCovered, "deny") {
            $0.use("elevated", approvers: ["mina", "jonas"])
            $0.actions = ["enable_elevated"]
            $0.bind()
        },
        Case(.policyApprovalUnknown, "deny") { setup in
            setup.use("elevated")
            setup.actions = ["access_production_data"]
            setup.bind { $0.approvals = [.init(action: "access_production_data", require: "oracle")] }
        },
        Case(.policyApprovalMissing, "wait") { setup in
            setup.use("elevated")
            setup.actions = ["access_production_data"]
            setup.bind { $0.approvals = [.init(action: "access_production_data", require: "two_person")] }
        },
        Case(.policyPinForbidden, "deny") { setup in
            setup.use("unpinned")
            setup.bind { $0.policyHashPinned = true }
        },
        Case(.policyProxyRequired, "deny") {
            $0.use("bound")
            $0.bind()
        },
        Case(.policyReceiptsRequired, "deny") {
            $0.use("bound")
            $0.bind()
        },
        Case(.policySandboxRequired, "deny") {
            $0.use("bound")
            $0.bind()
        },
        Case(.policyJobBindingRequired, "deny") {
            $0.use("bound")
            $0.bind()
        },
        Case(.wpcUnavailable, "wait") {
            $0.bind()
            $0.wpc = .unavailable(reason: "connection refused")
        },
        Case(.wpcUnavailable, "wait") {
            $0.bind()
            $0.wpc = .notRequested
        },
        Case(.wpcInvalid, "deny") {
            $0.bind()
            $0.wpc = .invalid(code: "WPC_SIGNATURE_INVALID", detail: "the signature is wrong")
        },
        Case(.wpcNotRegistrable, "deny") { setup in setup.bind(.runbook) { $0.policyHashPinned = true } },
    ]

    static let approvals: [Case] = [
        Case(.humanApprovalSourceSilent, "wait") { $0.health = [:] },
        Case(.humanApprovalRateExceeded, "wait") {
            $0.hear([.issued([PersonID("jonas")]), .issued([PersonID("zoe")])])
        },
        Case(.humanApprovalRateExceeded, "wait") { $0.hear([.issued([PersonID("mina")])]) },
        Case(.humanApprovalAnomalous, "deny") {
            let approval = ObservedApproval(
                approver: PersonID("mina"), jobClass: nil, askedAt: nil, decidedAt: nil, evidence: Setup.hash)
            $0.hear([.approved(approval), .approved(approval)])
        },
        Case(.capabilityRequiresApproval, "wait") { $0.facts = [] },
        Case(.capabilityRequiresApproval, "wait") { $0.facts = [Setup.fact(.requestOpened)] },
        Case(.capabilityRequiresApproval, "wait") {
            $0.facts = [Setup.fact(.requestOpened)]
            $0.factSource = "requests"
        },
        Case(.capabilityWaitTimedOut, "expire") {
            $0.facts = []
            $0.receivedAt = time("2026-11-20T07:10:00Z")
        },
        Case(.capabilityWaitTimedOut, "expire") { $0.receivedAt = time("2026-11-20T07:10:00Z") },
        Case(.humanApprovalDenied, "deny") { $0.facts.append(Setup.fact(.decisionDenied(approver: nil))) },
        Case(.humanApprovalTimedOut, "expire") { $0.facts = [Setup.fact(.decisionTimedOut)] },
        Case(.humanApprovalCanceled, "deny") { $0.facts = [Setup.fact(.decisionCanceled)] },
        Case(.humanApprovalEnded, "deny") { $0.facts.append(Setup.fact(.grantEnded(.deactivated))) },
        Case(.humanApprovalSubjectInvalidated, "deny") {
            $0.facts.append(Setup.fact(.subjectInvalidated(reason: "account_disabled")))
        },
        Case(.humanApprovalWindowOver, "expire") { $0.now = time("2026-11-20T10:06:00Z") },
        Case(.humanApprovalWindowOver, "expire") {
            $0.facts = [Setup.approved(), Setup.started(to: "2026-11-20T09:10:00.9Z")]
        },
        Case(.humanApprovalNotYetActive, "wait") { $0.facts = [Setup.approved()] },
        Case(.humanApprovalNotYetActive, "wait") { $0.now = time("2026-11-20T09:05:30Z") },
        Case(.humanApprovalNoExpiry, "wait") { $0.facts = [Setup.approved(), Setup.started(to: nil)] },
        Case(.humanApprovalExpired, "expire") {
            $0.facts = [Setup.approved("mina", "2026-11-19T09:05:00Z"), Setup.started()]
        },
        Case(.humanApprovalTimeUnknown, "wait") { $0.facts = [Setup.approved("mina", nil), Setup.started()] },
        Case(.humanApprovalTimeUnknown, "wait") {
            $0.facts = [Setup.approved("mina", "2027-11-19T09:05:00Z"), Setup.started()]
        },
        Case(.humanApprovalNoHuman, "wait") {
            $0.facts = [Setup.fact(.decisionApproved(approver: Sample.platform)), Setup.started()]
        },
        Case(.humanApprovalSelfApproval, "wait") { $0.facts = [Setup.approved("avery"), Setup.started()] },
        Case(.humanApprovalApproverUnknown, "wait") {
            $0.facts = [Setup.fact(.decisionApproved(approver: nil)), Setup.started()]
        },
        Case(.humanApprovalRequesterUnknown, "wait") { $0.forgetPeople() },
        Case(.humanApprovalSeparationOfDuties, "wait") { $0.use("owned") },
        Case(.humanApprovalTooFew, "wait") {
            $0.entitle()
            $0.rules =
                (try? RuleSet(
                    yaml: Setup.text.replacing("scope: member, job_class", with: "min_human_approvers: 2, job_class")))
                ?? $0.rules
        },
        Case(.humanApprovalGroupNotMet, "wait") { $0.use("group", approvers: ["mina", "zoe"]) },
        Case(.humanApprovalGroupNotMet, "wait") { $0.use("distinct", approvers: ["jonas"]) },
        Case(.humanApprovalDirectAssignment, "wait") {
            $0.facts = [
                Setup.fact(
                    .grantDirect(
                        assignedBy: nil, outsidePIM: false, notBefore: nil, notAfter: time("2027-01-01T00:00:00Z")))
            ]
        },
        Case(.humanApprovalExtensionOnly, "wait") {
            $0.facts = [Setup.fact(.grantChanged(notBefore: nil, notAfter: time("2027-01-01T00:00:00Z")))]
        },
        Case(.humanApprovalEntitlementUnmapped, "wait") {
            $0.facts = [Setup.approved(jobClass: nil), Setup.started(jobClass: nil)]
        },
        Case(.humanApprovalJobClassMismatch, "deny") {
            $0.facts = [Setup.approved(jobClass: "cut"), Setup.started(jobClass: "cut")]
        },
        Case(.humanApprovalSubjectMismatch, "deny") { $0.subject = "jonas" },
        Case(.humanApprovalRequestMismatch, "deny") {
            $0.contain()
            $0.scope = ["proxy:call", "clawproxy:call"]
        },
        Case(.humanApprovalContradictory, "wait") { $0.facts.append(Setup.fact(.requestOpened, jobClass: "cut")) },
        Case(.humanApprovalOverflow, "wait") {
            $0.facts += (0..<40).map { Setup.approved("p\($0)") }
        },
        Case(.humanApprovalSourceNotAllowed, "wait") { $0.factSource = "other" },
        Case(.humanApprovalSignerNotAllowed, "wait") {
            $0.factSource = "signed"
            $0.factAuthenticity = .signed([Setup.kid])
        },
        Case(.humanApprovalNotConfirmed, "wait") { $0.factSource = "graph" },
        Case(.humanApprovalNotConfirmed, "wait") {
            $0.factSource = "graph"
            $0.factAuthenticity = .unconfirmed
        },
        Case(.humanApprovalContradicted, "deny") {
            $0.facts.append(Setup.fact(.decisionDenied(approver: Contradiction.principalDiffers.actor)))
        },
        Case(.replayApprovalAlreadyUsed, "deny") { $0.usedBy = "r0" },
        Case(.replayApprovalAlreadyUsed, "deny") {
            $0.contain()
            $0.usedBy = "r0"
        },
    ]
}

extension ReasonTests {
    private static func order(_ operations: ControlOperation...) -> ControlState {
        operations.enumerated().reduce(.none) { state, item in
            state.applying(
                ControlBench.event(item.element, id: "e\(item.offset)", by: [], declared: Setup.noon),
                in: ControlContext(at: Setup.noon, rules: .none)
            ).state
        }
    }

    static let controls: [Case] = [
        Case(.capabilityStopped, "deny") { $0.control = order(ControlBench.stop()) },
        Case(.capabilityElevationDisabled, "deny") {
            $0.use("elevated", approvers: ["jonas"])
            $0.actions = ["enable_elevated"]
            $0.control = order(.disableElevated(.init(reach: .everywhere, revokesLive: false)))
        },
        Case(.humanApprovalReapprovalRequired, "deny") {
            $0.control = order(ControlBench.revoke(.jobClass, "ref", permitsReapproval: true))
        },
        Case(.tokenRevoked, "deny") { $0.control = order(ControlBench.revoke(.approval, "a1")) },
        Case(.tokenKeySuspect, "wait") {
            $0.signingKey = Setup.kid
            $0.control = order(.suspectKey(.init(kid: Setup.kid, since: nil)))
        },
        Case(.policyRotated, "deny") {
            $0.bind()
            $0.control = order(
                .rotatePolicy(
                    .init(
                        jobClass: JobClass("ref"), from: Setup.hash, to: Digest(hashing: "strict"), running: .keep)))
        },
        Case(.policyProxyRequired, "deny") {
            $0.control = order(.requireProxy(.init(reach: .everywhere, revokesLive: false)))
        },
        Case(.policyReceiptsRequired, "deny") { setup in
            setup.bind { $0.requiresProxy = true }
            setup.control = order(.requireProxy(.init(reach: .jobClass(JobClass("ref")), revokesLive: false)))
        },
    ]
}
