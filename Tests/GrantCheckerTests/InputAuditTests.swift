import ClawWire
import Testing

@testable import GrantChecker

struct InputAuditTests {
    private let native = CheckPlan.Input(topic: "approvals", source: SourceName("native"), form: .cloudEvents)
    private let entra = CheckPlan.Input(topic: "audit", source: SourceName("entra"), form: .entraAudit)
    private let requests = CheckPlan.Input(topic: "requests", source: SourceName("asks"), form: .requests)

    private func record(_ text: String, _ headers: [(String, String)] = [], offset: Int64 = 0) -> PublishedRecord {
        PublishedRecord(
            partition: 0, offset: offset, key: nil, value: Array(text.utf8),
            headers: headers.map { ($0.0, Array($0.1.utf8)) })
    }

    private let binary = [("ce_id", "e1"), ("ce_source", "/itsm")]

    @Test func takesAKnownEventOnceAndItsRepeats() {
        var audit = InputAudit(
            events: [InputAudit.eventKey(native.source, "/itsm e1")], requests: [Fingerprint("r1")], deadLetters: [:])
        var report = CheckReport()
        let one = record("{\"request\":{\"request_id\":\"r1\"}}", binary)
        audit.take(one, of: native, &report)
        audit.take(one, of: native, &report)
        #expect(report.isPass)
        #expect(report.counts.inputRepeats == 1)
        #expect(audit.unseenEvents == 0)
    }

    @Test func noticesAnEventThatVanished() {
        var audit = InputAudit(events: [], requests: [], deadLetters: [:])
        var report = CheckReport()
        audit.take(record("{}", binary), of: native, &report)
        #expect(report.totals[.offsets] == 1)
    }

    @Test func noticesARequestThatVanished() {
        var audit = InputAudit(
            events: [InputAudit.eventKey(requests.source, "r9")], requests: [], deadLetters: [:])
        var report = CheckReport()
        audit.take(record("{\"request_id\":\"r9\"}"), of: requests, &report)
        #expect(report.totals[.oneOutcome] == 1)
    }

    @Test func takesAStopThatTheLedgerKnowsAndNoOther() {
        let stop = [("ce_id", "e1"), ("ce_source", "/itsm"), ("ce_type", "com.clawbureau.stop.declared.v1")]
        for known in ["native /itsm e1", "stop-1"] {
            var audit = InputAudit(events: [], requests: [], deadLetters: [:], controlEvents: [known])
            var report = CheckReport()
            audit.take(record("{\"stop_id\":\"stop-1\"}", stop), of: native, &report)
            #expect(report.isPass)
            audit.take(record("{\"stop_id\":\"stop-2\"}", [("ce_id", "e2")] + stop.dropFirst()), of: native, &report)
            #expect(report.totals[.offsets] == 1)
        }
    }

    @Test func takesADeadLetterOfTheSameBytesOnly() {
        let broken = record("nonsense", offset: 5)
        let letters = [Fingerprint("approvals/0/5"): Fingerprint(Digest(hashing: "nonsense"))]
        var audit = InputAudit(events: [], requests: [], deadLetters: letters)
        var report = CheckReport()
        audit.take(broken, of: native, &report)
        #expect(report.isPass)
        audit.take(record("something else", offset: 5), of: native, &report)
        #expect(report.totals[.receipts] == 1)
    }

    @Test func passesNoiseOfAuditLogsButNoDecision() {
        var audit = InputAudit(events: [], requests: [], deadLetters: [:])
        var report = CheckReport()
        let noise = "{\"records\":[{\"properties\":{\"id\":\"1\",\"loggedByService\":\"Core Directory\"}}]}"
        audit.take(record(noise), of: entra, &report)
        audit.take(record("{\"records\":[]}"), of: entra, &report)
        #expect(report.isPass)
        #expect(report.counts.inputIgnored == 2)
        let decision = """
            {"records":[{"properties":{"id":"2","loggedByService":"PIM","result":"success",
            "activityDisplayName":"Add member to role request approved (PIM activation)"}}]}
            """
        audit.take(record(decision), of: entra, &report)
        #expect(report.totals[.offsets] == 1)
    }

    @Test func readsStructuredEvents() {
        let entry = InputAudit.entries(
            record(
                "{\"id\":\"e2\",\"source\":\"/itsm\",\"data\":{\"request\":{\"request_id\":\"r2\"}}}",
                [("content-type", "application/cloudevents+json")]),
            Array("{\"id\":\"e2\",\"source\":\"/itsm\",\"data\":{\"request\":{\"request_id\":\"r2\"}}}".utf8),
            .cloudEvents)
        #expect(entry == [InputAudit.Entry(eventID: "/itsm e2", requestID: "r2")])
    }
}
