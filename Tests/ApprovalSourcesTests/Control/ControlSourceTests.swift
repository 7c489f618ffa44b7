import ClawWire
import IssuanceRules
import Testing

@testable import ApprovalSources

/// The control topic: what is obeyed, what is quarantined, what is widened.
@Suite struct ControlSourceTests {
    @Test(arguments: ControlFixture.operations, [CloudEvent.Mode.structured, .binary])
    func whatIsWrittenIsRead(operation: ControlOperation, mode: CloudEvent.Mode) throws {
        let emitter = ControlEmitter(signer: ControlFixture.soc, source: "/soc/harborline")
        let record = try emitter.record(
            operation, id: "e1", by: [ControlFixture.mina, ControlFixture.jonas], at: ControlFixture.noon,
            reason: "why", incident: "INC-77", topic: "claw.control.v1", mode: mode)
        let event = try #require(ControlFixture.source.read(record, at: ControlFixture.noon).event)
        #expect(event.operation == operation && event.id.rawValue == "/soc/harborline e1")
        #expect(event.declaredAt == ControlFixture.noon && event.reason == "why" && event.incident == "INC-77")
        #expect(event.declaredBy.map(\.id) == [PersonID("mina"), PersonID("jonas")])
        #expect(event.origin == .controlTopic(signer: ControlFixture.soc.publicKey.kid))
        #expect(event.recordDigest != nil)
        #expect(try ControlEvent(encoded: event.encoded) == event)
    }

    @Test func aBatchSignatureIsAsGood() throws {
        let events = [
            ControlFixture.event(ControlFixture.stop()), ControlFixture.event(ControlFixture.stop(), id: "e2"),
        ]
        for event in try NativeEventSigner(ControlFixture.soc).signBatch(events) {
            let record = event.record(.binary, topic: "claw.control.v1")
            #expect(ControlFixture.source.read(record, at: ControlFixture.noon).event != nil)
        }
    }

    @Test func theEventTypesOfStopsAreTakenToo() throws {
        var stop = ControlFixture.event(ControlFixture.stop()) { $0["declared_by"] = ControlFixture.mina.json }
        stop.type = EventType.stopDeclared
        let event = try #require(try ControlFixture.read(stop).event)
        #expect(event.operation.kind == .stop && event.declaredBy.map(\.id) == [PersonID("mina")])
        var lift = ControlFixture.event(.lift(.init(stopID: "s1", reapproval: ApprovalID("a1"), policyHash: nil)))
        lift.type = EventType.stopLifted
        #expect(try ControlFixture.read(lift).event?.operation.kind == .lift)
    }

    @Test func aTombstoneIsNothing() {
        let record = SourceRecord(topic: "claw.control.v1", key: [1], value: nil)
        #expect(ControlFixture.source.read(record, at: ControlFixture.noon) == .tombstone)
    }

    // MARK: Quarantine

    @Test func nothingUnprovenIsObeyed() throws {
        let event = ControlFixture.event(ControlFixture.stop(.all, nil))
        func code(_ event: CloudEvent) -> ControlFault.Code? {
            ControlFixture.source.read(event.record(.structured, topic: "t"), at: ControlFixture.noon).fault?.code
        }
        #expect(code(event) == .unauthenticated)
        #expect(try ControlFixture.read(event, by: ControlFixture.stranger).fault?.code == .unknownSigner)
        var forged = try NativeEventSigner(ControlFixture.soc).sign(event)
        forged.id = "e2"
        #expect(code(forged) == .unauthenticated)
        forged.extensions[CloudEvent.signatureExtension] = .string("nonsense")
        #expect(code(forged) == .unauthenticated)
        let garbage = SourceRecord(topic: "t", value: Array("stop everything".utf8))
        #expect(ControlFixture.source.read(garbage, at: ControlFixture.noon).fault?.code == .unreadable)
        var broken = try NativeEventSigner(ControlFixture.soc).sign(event).record(.structured, topic: "t")
        broken.value = broken.value?.dropLast()
        #expect(ControlFixture.source.read(broken, at: ControlFixture.noon).fault?.code == .unreadable)
        #expect(ControlSource(rules: .none).read(garbage, at: ControlFixture.noon).fault?.code == .unreadable)
    }

    @Test func anotherEventIsNoControlEvent() throws {
        #expect(try ControlFixture.read(NativeFixtures.decision()).fault?.code == .notAControlEvent)
    }

    @Test func aKeyDoesOnlyWhatItMay() throws {
        let disable = ControlFixture.event(.disableElevated(.init(reach: .everywhere, revokesLive: true)))
        #expect(try ControlFixture.read(disable, by: ControlFixture.owner).fault?.code == .operationNotAllowed)
        let stop = ControlFixture.event(ControlFixture.stop())
        #expect(try ControlFixture.read(stop, by: ControlFixture.desk).fault?.code == .operationNotAllowed)
        #expect(try ControlFixture.read(stop, by: ControlFixture.owner).event != nil)
        for wider in [ControlFixture.stop(.all, nil), ControlFixture.stop(.jobClass, "prod_deploy")] {
            let reading = try ControlFixture.read(ControlFixture.event(wider), by: ControlFixture.owner)
            #expect(reading.fault?.code == .scopeNotAllowed)
            #expect(reading.fault?.signer == ControlFixture.owner.publicKey.kid)
        }
    }

    @Test(arguments: ["stop_id", "reapproval", "lifted_by", "unknown", "scope"])
    func aLiftThatIsNotUnderstoodLiftsNothing(member: String) throws {
        let lift = ControlOperation.lift(.init(stopID: "s1", reapproval: ApprovalID("a1"), policyHash: nil))
        let event = ControlFixture.event(lift) { $0[member] = ["x": "y"] }
        #expect(try ControlFixture.read(event).fault?.code == .malformed)
    }

    @Test func whatGivesBackNeedsATime() throws {
        #expect(
            try ControlFixture.read(ControlFixture.event(.enableElevated(.everywhere), time: nil)).fault?.code
                == .malformed)
        let stop = try ControlFixture.read(ControlFixture.event(ControlFixture.stop(), time: nil))
        #expect(stop.event?.declaredAt == ControlFixture.noon)
    }

    // MARK: Widening

    @Test(arguments: [
        JSONValue.null, "everything", ["kind": "planet", "value": "mars"], ["kind": "job_class"],
        ["kind": "job_class", "value": ""], ["kind": "policy_hash", "value": "abc"], ["kind": "agent", "value": "bob"],
        ["kind": "entitlement", "value": "planet:mars"], ["kind": "token_hash", "value": "abc"],
        ["kind": "jti", "value": "t1"], ["kind": "job_class", "value": "a", "also": ["b"]],
    ])
    func anUnknownScopeIsWidened(scope: JSONValue) throws {
        let event = ControlFixture.event(ControlFixture.stop()) { $0["scope"] = scope }
        let reading = try ControlFixture.read(event)
        #expect(reading.scopes == ["all"])
        let stop = try #require(reading.widened.first)
        #expect(stop.handle == "s1" && stop.declaredBy.map(\.id) == [PersonID("mina")] && stop.incident == "INC-77")
        #expect(stop.operation == .stop(.init(stopID: "s1", scope: .everything, revokesLive: false, isWidened: true)))
        #expect(try ControlFixture.read(event) == reading)
    }

    @Test func aKeyOfOneClassWidensToItsClass() throws {
        let event = ControlFixture.event(ControlFixture.stop()) { $0["scope"] = "x" }
        #expect(
            try ControlFixture.read(event, by: ControlFixture.owner).scopes == ["job_class:prod_db_maintenance"])
    }

    @Test func aKeyThatMayNotStopWidensNothing() throws {
        let event = ControlFixture.event(.revoke(.init(scope: .everything))) { $0["scope"] = "x" }
        #expect(try ControlFixture.read(event, by: ControlFixture.desk).fault?.code == .malformed)
        #expect(try ControlFixture.read(event, by: ControlFixture.owner).widened.count == 1)
    }

    @Test(arguments: ["stop_id", "scope", "action"])
    func aStopWithoutAMemberIsWidened(member: String) throws {
        let event = ControlFixture.event(ControlFixture.stop()) { $0[member] = nil }
        let reading = try ControlFixture.read(event)
        #expect(reading.scopes == ["all"])
        if member == "stop_id" { #expect(reading.widened.first?.handle.hasPrefix("widened:") ?? false) }
        if member == "action" {
            guard case .stop(let stop)? = reading.widened.first?.operation else { return }
            #expect(stop.revokesLive)
        }
    }

    @Test func everyOperationThatTakesAwayIsWidened() throws {
        for operation in ControlFixture.operations {
            var event = ControlFixture.event(operation)
            event.data = .json(["reason": "cut short"])
            let reading = try ControlFixture.read(event)
            if operation.kind.isRestrictive {
                #expect(reading.scopes == ["all"], "\(operation.kind)")
            } else {
                #expect(reading.fault?.code == .malformed, "\(operation.kind)")
            }
        }
    }

    @Test(arguments: ["halt.v1", "stop.v2", "stop"])
    func anUnknownOperationIsWidened(name: String) throws {
        var event = ControlFixture.event(ControlFixture.stop())
        event.type = "com.clawbureau.clawgrant.control.\(name)"
        #expect(try ControlFixture.read(event).scopes == ["all"])
        #expect(try ControlFixture.read(event, by: ControlFixture.desk).fault?.code == .malformed)
    }

    @Test func signedBytesThatAreNoJSONAreWidened() throws {
        var event = ControlFixture.event(ControlFixture.stop())
        event.data = .bytes(Array("{\"stop_id\": \"s1\", ".utf8))
        #expect(try ControlFixture.read(event, mode: .binary).scopes == ["all"])
        #expect(try ControlFixture.read(event).scopes == ["all"])
        event.data = .none
        #expect(try ControlFixture.read(event, mode: .binary).scopes == ["all"])
    }

    @Test func whatDoesNotDecideIsReadLeniently() throws {
        let event = ControlFixture.event(ControlFixture.stop()) {
            $0["declared_by"] = 7
            $0["reason"] = ["a": "b"]
            $0["expires_at"] = nil
            $0["ticket"] = "T-1"
        }
        let read = try #require(try ControlFixture.read(event).event)
        #expect(read.declaredBy == [.unreadable] && read.reason == nil)
    }

    // MARK: Keys of records

    @Test func onlyRepeatsShareAKey() {
        var keys: Set<String> = []
        for (i, operation) in ControlFixture.operations.enumerated() {
            keys.insert(ControlEmitter.key(operation, id: "e\(i)"))
        }
        #expect(keys.count == ControlFixture.operations.count)
        #expect(
            ControlEmitter.key(ControlFixture.stop(), id: "e1") == "job_class:prod_db_maintenance/stop/s1")
    }
}
