import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@testable import WebhookBridge

/// What facts become as native events, and that a worker understands of these what the facts said.
@Suite struct NativeTranslationTests {
    static let translation = NativeTranslation(
        eventSource: "/bridge/itsm",
        evidence: WebhookEvidence(
            source: "itsm", kind: "native", delivery: "d-1", key: "one", bodyDigest: Digest(hashing: "body"),
            receivedAt: Webhook.now))

    static func fact(_ content: Fact.Content, id: String? = "e-1", approval: String? = "a-1") -> Fact {
        var fact = Fact(
            recordIndex: 0, source: "v", sourceEventID: id.map { SourceEventID($0) }, occurredAt: Webhook.now,
            approvalID: approval.map { ApprovalID($0) }, content: content)
        fact.requester = Actor(id: PersonID("u-1"), name: "Ada Lindqvist")
        fact.subject = fact.requester
        fact.entitlement = Entitlement(kind: .changeRequest, id: "CHG1", scope: nil)
        fact.jobClass = JobClass("run")
        fact.justification = Justification("because")
        fact.ticket = Ticket(system: "itsm", number: "CHG1")
        return fact
    }

    static let approver = Actor(id: PersonID("u-2"))

    /// The facts of events, as the native reader understands them.
    static func read(_ events: [NativeTranslation.Translated]) throws -> [Fact] {
        var configuration = SourceConfiguration(name: SourceName("b"), kind: .native, authenticity: .topic)
        configuration.trustedStopSources = ["/bridge/itsm"]
        return try events.flatMap { translated in
            let reading = AnySource.facts(
                from: translated.event.record(.structured, topic: "t", key: translated.key),
                configuration: configuration, at: Webhook.now)
            guard case .facts(let facts, _) = reading else { throw Webhook.Failure() }
            return facts
        }
    }

    @Test func anApprovalWithItsWindowIsOneEvent() throws {
        let end = Webhook.now.adding(seconds: 60)
        let events = try Self.translation.events(of: [
            Self.fact(.requestOpened, id: "e-0"),
            Self.fact(.decisionApproved(approver: Self.approver)),
            Self.fact(.decisionApproved(approver: Actor(id: PersonID("u-3"))), id: "e-2"),
            Self.fact(.grantStarted(notBefore: Webhook.now, notAfter: end), id: "e-3"),
        ])
        let event = try #require(events.first)
        #expect(events.count == 1)
        #expect(event.key == "a-1")
        #expect(event.event.id == "e-1")
        #expect(event.event.source == "/bridge/itsm")
        let evidence = try #require(event.event.json?["evidence"])
        #expect(evidence["body_sha256"]?.string == Digest(hashing: "body").hex)
        #expect(evidence["delivery_id"]?.string == "d-1")
        #expect(evidence["header_key"]?.string == "one")
        let facts = try Self.read(events)
        #expect(facts.map(\.kind) == ["decision.approved", "decision.approved", "grant.started"])
        for fact in facts {
            #expect(fact.requester?.id == PersonID("u-1"))
            #expect(fact.jobClass == JobClass("run"))
            #expect(fact.entitlement?.id == "CHG1")
            #expect(fact.ticket?.number == "CHG1")
            #expect(fact.justification?.text == "because")
        }
        #expect(facts[2].content == .grantStarted(notBefore: Webhook.now, notAfter: end))
    }

    @Test(arguments: [
        Fact.Content.decisionDenied(approver: Actor(id: PersonID("u-2"))), .decisionDenied(approver: nil),
        .decisionTimedOut, .decisionCanceled, .grantEnded(.removed), .grantEnded(.changeCanceled),
        .grantStarted(notBefore: nil, notAfter: Timestamp(seconds: 1_795_003_600)),
        .decisionApproved(approver: Actor(id: PersonID("u-2"))),
    ])
    func everyWordOfAnApprovalSurvives(_ content: Fact.Content) throws {
        let facts = try Self.read(try Self.translation.events(of: [Self.fact(content)]))
        #expect(facts.map(\.content) == [content])
        #expect(facts.first?.approvalID == ApprovalID("a-1"))
        #expect(facts.first?.occurredAt == Webhook.now)
    }

    @Test func everyoneWhoAnsweredIsToldOnceAndTheWindowKeepsItsAge() throws {
        let people = ["u-2", "u-3", "u-4"].map { Actor(id: PersonID($0)) }
        var approval = Self.fact(.decisionApproved(approver: people[0]))
        approval.approvers = people + [people[1]]
        approval.approverJustification = Justification("fine")
        let before = Webhook.now.adding(seconds: -300)
        var window = Self.fact(.grantStarted(notBefore: before, notAfter: Webhook.now.adding(seconds: 60)), id: "e-2")
        window.occurredAt = before
        let facts = try Self.read(try Self.translation.events(of: [approval, window]))
        #expect(facts.map(\.content) == people.map { .decisionApproved(approver: $0) } + [window.content])
        #expect(facts.map(\.occurredAt) == [Webhook.now, Webhook.now, Webhook.now, before])
        #expect(facts.map { $0.approverJustification?.text } == ["fine", nil, nil, nil])
        var refusal = Self.fact(.decisionDenied(approver: people[0]))
        refusal.approvers = people
        let event = try #require(try Self.translation.events(of: [refusal]).first?.event)
        #expect(event.json?["approvers"]?.array?.compactMap { $0["id"]?.string } == ["u-2", "u-3", "u-4"])
    }

    @Test func anApprovalWithoutANameCountsForNobody() throws {
        let facts = try Self.read(try Self.translation.events(of: [Self.fact(.decisionApproved(approver: nil))]))
        guard case .decisionApproved(let approver?) = facts.first?.content else {
            Issue.record("no approval")
            return
        }
        #expect(approver.kind == .system)
    }

    @Test func aStopIsNeverTooOldAndKeepsItsScope() throws {
        var stop = Self.fact(
            .stopDeclared(
                StopDeclaration(
                    stopID: "inc-1", scope: StopScope(kind: .jobClass, value: "run"), revokesLive: true,
                    reason: "pager", incident: "INC1", declaredBy: nil)))
        stop.occurredAt = nil
        stop.approvalID = nil
        let events = try Self.translation.events(of: [stop])
        #expect(events.first?.key == "job_class:run")
        let facts = try Self.read(events)
        guard case .stopDeclared(let read) = facts.first?.content else {
            Issue.record("no stop")
            return
        }
        #expect(read.stopID == "inc-1")
        #expect(read.scope == StopScope(kind: .jobClass, value: "run"))
        #expect(read.revokesLive)
        #expect(!read.isWidened)
    }

    @Test(arguments: [
        Fact.Content.subjectInvalidated(reason: "account_disabled"), .grantChanged(notBefore: nil, notAfter: nil),
        .stopLifted(StopLift(stopID: "s", liftedBy: [], reapproval: nil, policyHash: nil)),
    ])
    func whatHasNoNativeFormIsRefusedAsAWhole(_ content: Fact.Content) throws {
        #expect(throws: NativeTranslation.Refusal.noNativeForm) {
            try Self.translation.events(of: [
                Self.fact(.decisionApproved(approver: Self.approver)), Self.fact(content, id: "e-2"),
            ])
        }
    }

    @Test func aContainedRequestGoesAlongWithItsApproval() throws {
        let request = CapabilityRequest(
            requestID: RequestID("req-1"), jobID: JobID("job-1"), jobClass: JobClass("run"),
            agentDID: AgentDID("did:web:agents.harborline.example"), subject: nil, scope: ["proxy:call"],
            ttlSeconds: 300, policyHash: nil, approvalID: ApprovalID("chg-1"), ticketNumber: nil, delivery: .plain,
            upgradesRequest: nil, reason: "weekly", requestedAt: Webhook.now)
        let approved = Self.fact(.decisionApproved(approver: Self.approver), approval: "chg-1")
        let asked = Self.fact(.capabilityRequested(request), id: "e-2", approval: "chg-1")
        let events = try Self.translation.events(of: [approved, asked])
        #expect(events.count == 1)
        let facts = try Self.read(events)
        #expect(facts.map(\.kind) == ["decision.approved", "capability.requested"])
        guard case .capabilityRequested(let read) = facts.last?.content else { return #expect(Bool(false)) }
        #expect(read.requestID == request.requestID && read.approvalID == ApprovalID("chg-1"))
        #expect(throws: NativeTranslation.Refusal.noNativeForm) { try Self.translation.events(of: [asked]) }
    }

    @Test func endsAndDecisionsNeedAnApprovalAndATime() throws {
        #expect(throws: NativeTranslation.Refusal.noNativeForm) {
            try Self.translation.events(of: [Self.fact(.grantEnded(.removed), approval: nil)])
        }
        #expect(throws: NativeTranslation.Refusal.incomplete) {
            try Self.translation.events(of: [Self.fact(.decisionCanceled, approval: nil)])
        }
        var timeless = Self.fact(.decisionCanceled)
        timeless.occurredAt = nil
        #expect(throws: NativeTranslation.Refusal.incomplete) { try Self.translation.events(of: [timeless]) }
    }

    @Test func whatChangesNothingGivesNothing() throws {
        let nothing = [
            Self.fact(.ignored(why: "x")), Self.fact(.requestOpened), Self.fact(.requestRouted),
            Self.fact(.grantDirect(assignedBy: nil, outsidePIM: true, notBefore: nil, notAfter: nil)),
        ]
        #expect(try Self.translation.events(of: nothing).isEmpty)
        #expect(throws: NativeTranslation.Refusal.rejected) {
            try Self.translation.events(of: nothing + [Self.fact(.rejected(why: "unknown_tenant"))])
        }
        let partly = try Self.translation.events(of: [
            Self.fact(.rejected(why: "unknown_tenant")), Self.fact(.decisionCanceled),
        ])
        #expect(partly.count == 1)
    }

    @Test func eventsOfOneBodyHaveIdentifiersOfTheirOwn() throws {
        let same = try Self.translation.events(of: [
            Self.fact(.decisionCanceled, approval: "a-1"), Self.fact(.decisionCanceled, approval: "a-2"),
        ])
        #expect(Set(same.map(\.event.id)).count == 2)
        let nameless = try Self.translation.events(of: [Self.fact(.decisionCanceled, id: nil)])
        #expect(nameless.first?.event.id == "sha256:\(Digest(hashing: "body").hex)#0")
    }
}
