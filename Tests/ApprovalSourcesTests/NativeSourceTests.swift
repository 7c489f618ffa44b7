import ApprovalSources
import ClawWire
import IssuanceRules
import TestSupport
import Testing

@Suite("Native events")
struct NativeSourceTests {
    private typealias Fixtures = NativeFixtures
    private static let topic = NativeFixtures.configuration(.topic)

    @Test("An approval with two people and a window is three facts with identifiers of their own")
    func approval() throws {
        let event = Fixtures.decision {
            $0.answers.append(NativeDecision.Answer(approver: Actor(id: PersonID("Jonas")), justification: "ok"))
            $0.justification = "reindex"
            $0.ticket = Ticket(system: "Jira", number: "OPS-1")
        }
        for mode in [CloudEvent.Mode.binary, .structured] {
            let facts = Fixtures.read(event, Self.topic, mode: mode).facts
            #expect(facts.map(\.kind) == ["decision.approved", "decision.approved", "grant.started"])
            #expect(
                facts.map { $0.sourceEventID?.rawValue } == [
                    "/itsm/harborline dec-1", "/itsm/harborline dec-1#1", "/itsm/harborline dec-1#2",
                ])
            #expect(facts.allSatisfy { $0.approvalID == ApprovalID("itsm/dec-1") && $0.recordDigest == event.digest })
            #expect(facts[0].content == .decisionApproved(approver: Fixtures.mina))
            #expect(facts[1].content == .decisionApproved(approver: Actor(id: PersonID("jonas"))))
            #expect(facts[1].approverJustification?.text == "ok")
            #expect(
                facts[2].content
                    == .grantStarted(notBefore: Fixtures.time, notAfter: Fixtures.time.adding(seconds: 1_800)))
            #expect(facts[0].subject == Fixtures.avery && facts[0].requester == Fixtures.avery)
            #expect(facts[0].ticket == Ticket(system: "Jira", number: "OPS-1"))
            #expect(facts[0].jobClass == Fixtures.maintenance)
        }
    }

    @Test(
        "Every verdict",
        arguments: zip(
            NativeDecision.Verdict.allCases,
            ["decision.approved", "decision.denied", "decision.canceled", "decision.timed_out", "grant.ended"]))
    func verdicts(verdict: NativeDecision.Verdict, kind: String) throws {
        let reading = Fixtures.read(
            Fixtures.decision {
                $0.verdict = verdict
                $0.notBefore = nil
                $0.notAfter = nil
            }, Self.topic)
        #expect(reading.facts.map(\.kind) == [kind])
    }

    @Test("A contained request comes with its approval and names it")
    func containedRequest() throws {
        let document = CapabilityRequestDocument.encode(Fixtures.request())
        let facts = Fixtures.read(Fixtures.decision { $0.request = document }, Self.topic).facts
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started", "capability.requested"])
        guard case .capabilityRequested(let request) = facts[2].content else {
            Issue.record("a request was expected")
            return
        }
        #expect(request.approvalID == ApprovalID("itsm/dec-1"))
        #expect(request.jobID == JobID("job-1"))
        var other = try #require(document.object)
        other["approval"] = ["approval_id": "itsm/other"]
        let rejected = Fixtures.read(Fixtures.decision { $0.request = .object(other) }, Self.topic)
        #expect(rejected.only?.content == .rejected(why: "request_names_other_approval"))
        let contradictory = Fixtures.read(
            Fixtures.decision {
                $0.request = document
                $0.jobClass = JobClass("another")
            }, Self.topic)
        #expect(contradictory.fault == .invalidValue)
    }

    @Test("An approval without an approver is rejected")
    func noApprover() {
        let reading = Fixtures.read(Fixtures.decision { $0.answers = [] }, Self.topic)
        #expect(reading.only?.content == .rejected(why: "no_approver"))
    }

    @Test(
        "Data at fault goes to the dead letters with the member",
        arguments: [
            ("approval_id", nil, DeadLetterReason.missingMember), ("approval_id", 7, .wrongType),
            ("approval_id", "", .invalidValue), ("decision", "maybe", .invalidValue), ("decision", nil, .missingMember),
            ("requester", "avery", .wrongType), ("requester", [:], .missingMember), ("approvers", [7], .wrongType),
            ("approvers", ["id": "x"], .wrongType), ("not_after", "tomorrow", .unparseableTime),
            ("not_before", "2026-11-20T09:00:00", .unparseableTime), ("entitlement", ["kind": "x"], .invalidValue),
            ("request", ["request_version": "1"], .missingMember), ("request", 7, .wrongType),
            ("approvers", [["id": "x", "kind": "robot"]], .invalidValue),
        ] as [(String, JSONValue?, DeadLetterReason)])
    func faults(key: String, value: JSONValue?, reason: DeadLetterReason) {
        let reading = Fixtures.read(Fixtures.changing(Fixtures.decision(), key, to: value), Self.topic)
        #expect(reading.fault == reason)
    }

    @Test("A decision needs a time")
    func time() {
        var event = Fixtures.decision()
        event.time = nil
        #expect(Fixtures.read(event, Self.topic).fault == .unparseableTime)
        event.time = "soon"
        #expect(Fixtures.read(event, Self.topic).fault == .unparseableTime)
    }

    @Test("Emitters and types that are not listed are refused")
    func emitters() {
        var configuration = Self.topic
        configuration.trustedSources = ["/other"]
        let reading = Fixtures.read(Fixtures.decision(), configuration)
        #expect(reading.only?.content == .rejected(why: "untrusted_source"))
        #expect(reading.only?.sourceEventID == SourceEventID("/itsm/harborline dec-1"))
        var event = Fixtures.decision()
        event.type = "com.example.other"
        #expect(Fixtures.read(event, Self.topic).fault == .unsupportedType)
    }

    @Test("A source speaks for its job classes only")
    func jobClasses() {
        var configuration = Self.topic
        configuration.jobClasses = [JobClass("another")]
        #expect(Fixtures.read(Fixtures.decision(), configuration).fault == .jobClassNotAllowed)
        configuration.jobClasses = [Fixtures.maintenance]
        #expect(Fixtures.read(Fixtures.decision(), configuration).facts.count == 2)
    }

    // MARK: Stops

    private static let stop = StopDeclaration(
        stopID: "stop-1", scope: StopScope(kind: .jobClass, value: "prod_db_maintenance"), revokesLive: true,
        reason: "Unexpected writes", incident: "INC-77", declaredBy: NativeFixtures.mina)

    private static func stopEvent(source: String = "/soc/harborline") -> CloudEvent {
        CloudEvent(
            id: "stop-event-1", source: source, type: EventType.stopDeclared, time: NativeFixtures.time,
            data: .json(NativeStop.json(stop)))
    }

    private static func declared(_ reading: SourceReading) -> StopDeclaration? {
        guard case .stopDeclared(let stop) = reading.only?.content else { return nil }
        return stop
    }

    @Test("A stop is read as it was declared")
    func stops() {
        #expect(Self.declared(Fixtures.read(Self.stopEvent(), Self.topic)) == Self.stop)
        let denying = Fixtures.changing(Self.stopEvent(), "action", to: "deny_new")
        #expect(Self.declared(Fixtures.read(denying, Self.topic))?.revokesLive == false)
    }

    @Test("Whoever declares a stop is kept, in every form, and whoever cannot be read too")
    func declarers() {
        func people(_ value: JSONValue?) -> [Actor]? {
            Self.declared(Fixtures.read(Fixtures.changing(Self.stopEvent(), "declared_by", to: value), Self.topic))?
                .declaredBy
        }
        let mina = Actor(id: PersonID("mina"))
        #expect(people(["id": "Mina"]) == [mina])
        #expect(people("Mina") == [mina])
        #expect(people([["id": "mina"], "jonas"]) == [mina, Actor(id: PersonID("jonas"))])
        #expect(people(["mina", 7]) == [mina, .unreadable])
        #expect(people(7) == [.unreadable])
        #expect(people(["name": "Mina"]) == [.unreadable])
        #expect(people(nil) == [])
    }

    @Test("A stop of a foreign emitter is rejected, whoever may decide")
    func untrustedStop() {
        let reading = Fixtures.read(Self.stopEvent(source: "/marketing/webform"), Self.topic)
        #expect(reading.only?.content == .rejected(why: "untrusted_source"))
    }

    @Test(
        "A trusted stop that cannot be read in full covers everything",
        arguments: [
            ("scope", nil), ("scope", 7), ("scope", ["kind": "galaxy", "value": "x"]), ("scope", ["kind": "job_class"]),
            ("scope", ["kind": "tenant", "value": "x"]),
            ("scope", ["kind": "job_class", "value": "prod_db_maintenance", "except": "agent-1"]),
            ("scope", ["kind": "agent", "value": ["a"]]),
            ("action", "pause"), ("action", nil),
        ] as [(String, JSONValue?)])
    func widenedStops(key: String, value: JSONValue?) throws {
        let stop = try #require(
            Self.declared(Fixtures.read(Fixtures.changing(Self.stopEvent(), key, to: value), Self.topic)))
        #expect(stop.isWidened && stop.revokesLive)
        #expect(stop.stopID == "stop-1")
        if key == "scope" { #expect(stop.scope == StopScope(kind: .all, value: nil)) }
    }

    @Test("A trusted stop whose data is unreadable is still a stop")
    func unreadableData() throws {
        var record = Self.stopEvent().record(.binary, topic: "stops")
        record.value = Array("{\"scope\":".utf8)
        let reading = NativeSource.facts(from: record, configuration: Self.topic, at: Fixtures.time)
        let stop = try #require(Self.declared(reading))
        #expect(stop.stopID == "stop-event-1" && stop.scope.kind == .all && stop.isWidened)
        #expect(reading.only?.occurredAt == Fixtures.time)
    }

    @Test("What cannot be read at all is a dead letter, and a stop on a control topic")
    func controlTopic() throws {
        let record = SourceRecord(topic: "stops", partition: 0, offset: 42, value: [0xFF, 0x00])
        #expect(NativeSource.facts(from: record, configuration: Self.topic, at: Fixtures.time).fault == .notJSON)
        var control = Self.topic
        control.unreadableIsStop = true
        let stop = try #require(
            Self.declared(NativeSource.facts(from: record, configuration: control, at: Fixtures.time)))
        #expect(stop.scope.kind == .all && stop.stopID == "unreadable/stops/0/42")
        #expect(
            Fixtures.read(Self.stopEvent(source: "/marketing/webform"), control).only?.content
                == .rejected(why: "untrusted_source"))
    }

    // MARK: Lifts

    @Test("A lift is read in full or not at all")
    func lifts() throws {
        let lift = StopLift(
            stopID: "stop-1", liftedBy: [Fixtures.mina, Fixtures.avery], reapproval: ApprovalID("itsm/dec-9"),
            policyHash: Digest(hashing: "wpc"), scope: Self.stop.scope)
        var event = Self.stopEvent()
        event.type = EventType.stopLifted
        event.data = .json(NativeStop.json(lift, reason: "fixed"))
        #expect(Fixtures.read(event, Self.topic).only?.content == .stopLifted(lift))
        for (key, value) in [("stop_id", nil), ("lifted_by", ["x"]), ("reapproval", "yes")] as [(String, JSONValue?)] {
            var control = Self.topic
            control.unreadableIsStop = true
            #expect(Fixtures.read(Fixtures.changing(event, key, to: value), control).fault != nil)
        }
        event.source = "/marketing/webform"
        #expect(Fixtures.read(event, Self.topic).only?.content == .rejected(why: "untrusted_source"))
    }

    @Test("Any data of any event gives facts or a reason, never a crash", arguments: 0..<300)
    func mutations(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 77)
        var event = seed % 2 == 0 ? Fixtures.decision() : Self.stopEvent()
        event.data = .json(random.mutate(event.json ?? .null, depth: 0))
        switch Fixtures.read(event, Self.topic, mode: seed % 3 == 0 ? .binary : .structured) {
        case .facts(let facts, _): #expect(!facts.isEmpty)
        case .deadLetter(let fault): #expect(!fault.detail.isEmpty)
        }
    }
}
