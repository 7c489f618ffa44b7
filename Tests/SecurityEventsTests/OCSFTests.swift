import ClawWire
import ReceiptLog
import TestSupport
import Testing

@testable import SecurityEvents

@Suite struct OCSFTests {
    @Test(arguments: Events.every) func typesFollowFromClassAndActivity(event: SecurityEvent) throws {
        let object = OCSF.object(event)
        let classUID = try #require(object["class_uid"]?.integer)
        let activity = try #require(object["activity_id"]?.integer)
        #expect(object["type_uid"]?.integer == classUID * 100 + activity)
        #expect(object["category_uid"]?.integer == classUID / 1_000)
        #expect(object["severity_id"]?.integer == Int64(event.severity.rawValue))
        #expect(object["metadata"]?["sequence"]?.integer == event.sequence.value)
        #expect(object["metadata"]?["uid"]?.string == event.receipt.id.rawValue)
        #expect(object["metadata"]?["event_code"]?.string == event.code)
    }

    @Test func everyKindIsTold() {
        #expect(Set(Events.every.map(\.receipt.content.kind)) == Set(Receipt.Kind.allCases))
    }

    @Test func aGrantIsAnAssignmentOfPrivileges() throws {
        let object = OCSF.object(Events.event(Samples.grant()))
        #expect(object["type_uid"]?.integer == 300_301)
        #expect(object["status_id"]?.integer == 1)
        #expect(object["session"]?["uid"]?.string == "jti-0")
        #expect(object["session"]?["expiration_time"]?.integer == Samples.noon.adding(seconds: 600).milliseconds)
        #expect(object["disposition_id"]?.integer == 8)
        #expect(object["policy"]?["uid"]?.string == Digest(hashing: "wpc").b64u)
        #expect(object["privileges"] == ["proxy:call", "clawproxy:call", "job_class:prod_db_maintenance"])
        #expect(object["group"] == nil)
        #expect(object["unmapped"]?["claw"]?["approvers"] == ["5d0c0b1e-approver"])
        let policies = object["actor"]?["authorizations"]?.array?.compactMap { $0["policy"]?["uid"]?.string } ?? []
        #expect(policies.first?.hasPrefix("rule:") == true)
        #expect(policies.last == Digest(hashing: "wpc").b64u)
        let observables = object["observables"]?.array?.map { observable in
            [observable["name"]?.string ?? "", "\(observable["type_id"]?.integer ?? 0)"]
        }
        #expect(observables == [["session.uid", "10"], ["user.name", "4"]])
    }

    @Test func aRefusalSaysWhy() {
        let object = OCSF.object(Events.event(Samples.denial()))
        #expect(object["type_uid"]?.integer == 300_301)
        #expect(object["status_id"]?.integer == 2)
        #expect(object["status_code"] == "CAPABILITY_DENIED")
        #expect(object["disposition_id"]?.integer == 25)
        #expect(object["severity_id"]?.integer == 3)
        let authorization = object["actor"]?["authorizations"]?.array?.first
        #expect(authorization?["decision"] == "Denied")
        #expect(authorization?["policy"]?["uid"]?.string?.hasPrefix("rule:") == true)
    }

    @Test func aLiftIsApprovedAndHasAComment() {
        let object = OCSF.object(
            Events.event(
                Receipt(
                    content: .stopLifted(["stop_id": "stop-1", "operation": "lift", "data": ["stop_id": "stop-1"]]),
                    subject: Receipt.Subject(), provenance: Samples.provenance(), occurredAt: Samples.noon)))
        #expect(object["disposition_id"]?.integer == 8)
        #expect(object["comment"] == object["message"])
    }

    @Test(arguments: [("token_hash", 3), ("jti", 3), ("job_class", 4)])
    func aRevocationOfOneTokenIsNoAlarmOfItsOwn(kind: String, severity: Int64) {
        let object = OCSF.object(
            Events.event(
                Receipt(
                    content: .controlApplied([
                        "stop_id": "revoke-1", "operation": "revoke",
                        "data": ["scope": ["kind": .string(kind), "value": "x"]],
                    ]), subject: Receipt.Subject(), provenance: Samples.provenance(), occurredAt: Samples.noon)))
        #expect(object["severity_id"]?.integer == severity)
    }

    @Test func aRevocationNamesTheToken() {
        let object = OCSF.object(Events.event(Samples.revocation()))
        #expect(object["type_uid"]?.integer == 300_502)
        #expect(object["resources"]?.array?.first?["uid"] == "jti-0")
        #expect(object["unmapped"]?["claw"]?["cause"] == "approval_ended")
    }

    @Test func aStopIsCriticalAndNamesScopeDeclarerAndEffect() {
        let object = OCSF.object(Events.stop)
        #expect(object["type_uid"]?.integer == 300_412)
        #expect(object["severity_id"]?.integer == 5)
        #expect(object["is_alert"] == true)
        #expect(object["entity"]?["uid"] == "job_class/prod_db_maintenance")
        #expect(object["actor"]?["user"]?["uid"] == "jonas.lindqvist@harborline.example")
        #expect(object["comment"] == "Unexpected writes")
        #expect(object["unmapped"]?["claw"]?["voided_tokens"] == 3)
        #expect(object["metadata"]?["correlation_uid"] == "stop-2026-0001")
    }

    @Test func withoutATenantNoneIsNamed() {
        let producer = EventProducer(version: "1", logID: Samples.logID, workerID: WorkerID("w"))
        let event = SecurityEvent(
            receipt: Samples.heartbeat(), sequence: SequenceNumber(0), batch: SequenceNumber(0),
            sealedAt: Samples.noon, producer: producer)
        #expect(OCSF.object(event)["metadata"]?["tenant_uid"] == nil)
    }
}
