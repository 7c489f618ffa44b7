import ClawWire
import Testing

@testable import GrantChecker

/// What the checker takes for an event that must not vanish.
struct MicrosoftEntriesTests {
    private func entries(_ text: String, _ form: CheckPlan.VendorForm) -> [InputAudit.Entry] {
        let record = PublishedRecord(partition: 0, offset: 0, key: nil, value: Array(text.utf8), headers: [])
        return InputAudit.entries(record, Array(text.utf8), .vendor(form))
    }

    @Test(arguments: [
        ("Add member to role request approved (PIM activation)", "Succeeded", false),
        ("Add member to role completed (PIM activation)", "Succeeded", false),
        ("Add member to role completed (PIM activation)", "Failed", true),
        ("MICROSOFT.COMPUTE/VIRTUALMACHINES/START/ACTION", "Succeeded", true),
    ])
    func knowsAnActivityByItsEvent(operation: String, result: String, mayBeIgnored: Bool) {
        let text = """
            {"records":[{"category":"Administrative","operationName":"\(operation)","resultType":"\(result)",
            "properties":{"EventID":"e1"}}]}
            """
        #expect(entries(text, .azureActivity) == [InputAudit.Entry(eventID: "e1", mayBeIgnored: mayBeIgnored)])
    }

    @Test("The same answer at another time is the same event; another answer is another")
    func knowsAPollByItsAnswer() throws {
        func poll(_ status: String, _ minute: Int) throws -> InputAudit.Entry {
            let text = """
                {"kind":"graph.poll","tenantId":"t","polledAt":"2026-11-20T09:\(minute):00Z",
                "request":{"id":"r1","action":"selfActivate","status":"\(status)"},"approval":null,"instance":null}
                """
            return try #require(entries(text, .graph(groups: [])).first)
        }
        #expect(try poll("Provisioned", 12) == poll("Provisioned", 13))
        #expect(try poll("Provisioned", 12).eventID != poll("Denied", 12).eventID)
        #expect(try poll("PendingApproval", 12).mayBeIgnored)
        #expect(try !poll("Denied", 12).mayBeIgnored)
    }

    @Test(arguments: [
        ("g1", "\"@removed\":\"deleted\"", false), ("g1", "\"x\":1", true), ("g2", "\"@removed\":1", true),
    ])
    func needsARemovalFromAGroupThatMatters(group: String, change: String, mayBeIgnored: Bool) throws {
        let text = """
            {"kind":"graph.notification","tenantId":"t","receivedAt":"2026-11-20T09:40:01Z","body":{"value":[
            {"resourceData":{"id":"\(group)","members@delta":[{"id":"p1",\(change)}]}}]}}
            """
        #expect(try #require(entries(text, .graph(groups: ["g1"])).first).mayBeIgnored == mayBeIgnored)
    }

    @Test("A retry of a callout is a repeat, whatever the case of its keys")
    func knowsACalloutByItsStage() {
        let plain = """
            {"kind":"em.callout","receivedAt":"2026-11-20T09:00:20Z","body":{"customExtensionStageInstanceId":"I1",
            "stage":"assignmentRequestApproved","requestType":"userAdd"}}
            """
        let recased = """
            {"kind":"em.callout","receivedAt":"2026-11-20T09:00:50Z","body":{"CustomExtensionStageInstanceId":"i1",
            "Stage":"assignmentRequestApproved","RequestType":"userAdd"}}
            """
        let expected = [InputAudit.Entry(eventID: "i1/assignmentrequestapproved")]
        #expect(entries(plain, .entitlementManagement) == expected)
        #expect(entries(recased, .entitlementManagement) == expected)
        let reminder = plain.replacing("assignmentRequestApproved", with: "assignmentOneDayBeforeExpiration")
        #expect(entries(reminder, .entitlementManagement).map(\.mayBeIgnored) == [true])
    }
}
