import ApprovalSources
import ClawWire
import IssuanceRules
import TestSupport
import Testing

/// What holds for every vendor's reader.
@Suite("Bounds of vendors' records")
struct VendorBoundsTests {
    private typealias Fixtures = VendorFixtures

    private static let hostile: [[UInt8]] = [
        [], [0], [0xFF, 0xFE], Array("null".utf8), Array("[]".utf8), Array("{}".utf8), Array("\"x\"".utf8),
        Array("{\"a\":1,\"a\":2}".utf8), Array("{\"event\":[],\"issue\":7,\"alert\":\"x\",\"change_request\":[]}".utf8),
        Array(String(repeating: "[", count: 100_000).utf8), Array("eyJ.eyJ.".utf8), Array("...".utf8),
        Array("{\"type\":\"\\ud800\",\"event\":{\"event_type\":\"\\ud800\"}}".utf8),
        Array("{\"instance\":{\"value\":{\"value\":1}},\"change_request\":{\"state\":{},\"approval\":[]}}".utf8),
    ]

    @Test("Any bytes are facts or a dead letter", arguments: Fixtures.vendors)
    func anyBytes(kind: SourceConfiguration.Kind) {
        let headers = [("X-GitHub-Event", "deployment_review"), ("X-GitHub-Delivery", "d")]
        for bytes in Self.hostile {
            let reading = Fixtures.read(bytes, Fixtures.configuration(kind), headers: headers)
            for fact in reading.facts {
                #expect(!["decision.approved", "grant.started", "subject.invalidated"].contains(fact.kind))
            }
        }
        let tombstone = AnySource.facts(
            from: SourceRecord(topic: "vendor", value: nil), configuration: Fixtures.configuration(kind),
            at: Fixtures.now)
        #expect(Fixtures.summary(tombstone) == ["ignored tombstone"])
    }

    @Test("A record past the limits is a dead letter", arguments: Fixtures.vendors)
    func limits(kind: SourceConfiguration.Kind) {
        var configuration = Fixtures.configuration(kind)
        let many = (0..<100).map { ("h\($0)", "x") }
        #expect(Fixtures.summary(Fixtures.read([], configuration, headers: many)) == ["dead letter too_large"])
        let long = [("h", String(repeating: "x", count: 9_000))]
        #expect(Fixtures.summary(Fixtures.read([], configuration, headers: long)) == ["dead letter too_large"])
        configuration.limits.json.maximumBytes = 32
        let value = Array("{\"type\":\"\(String(repeating: "x", count: 64))\"}".utf8)
        let bytes =
            kind == .sharedSignals ? Array(repeating: UInt8(ascii: "A"), count: 70_000) : value
        #expect(Fixtures.summary(Fixtures.read(bytes, configuration)) == ["dead letter too_large"])
    }

    @Test("Lists past the limit are a dead letter")
    func longLists() {
        let row = ServiceNowTests.row("approved", "a", "A")
        let rows = ServiceNowTests.approved.setting("approvals", to: .array([JSONValue](repeating: row, count: 300)))
        #expect(Fixtures.summary(ServiceNowTests.reading(rows)) == ["dead letter too_large"])
        let job: JSONValue = ["environment": "production", "updated_at": "2026-11-20T09:04:02Z"]
        let jobs = GitHubTests.review.setting(
            "workflow_job_runs", to: .array([JSONValue](repeating: job, count: 300)))
        #expect(Fixtures.summary(GitHubTests.reading(jobs)) == ["dead letter too_large"])
        let approvals = JSMTests.approved.setting(
            "issue", "fields", "customfield_10055", to: .array([JSONValue](repeating: ["id": "1"], count: 300)))
        #expect(Fixtures.summary(JSMTests.reading(approvals)) == ["dead letter too_large"])
    }

    @Test("A source that demands a signature takes nothing without one", arguments: Fixtures.vendors)
    func unsigned(kind: SourceConfiguration.Kind) {
        var configuration = Fixtures.configuration(kind)
        configuration.authenticity = .signed
        let bytes =
            kind == .sharedSignals ? Array("e30.e30.".utf8) : Array("{\"type\":\"block_actions\"}".utf8)
        #expect(Fixtures.summary(Fixtures.read(bytes, configuration)) == ["dead letter unsigned"])
    }

    @Test("No mutation of a record traps or makes an approval of somebody else", arguments: 0..<8)
    func mutations(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed) &* 7_919 &+ 1)
        let records: [(SourceConfiguration.Kind, JSONValue)] = [
            (.serviceNow, ServiceNowTests.approved), (.jsm, JSMTests.approved), (.gitHub, GitHubTests.review),
            (.pagerDuty, IncidentTests.incident), (.opsgenie, IncidentTests.alert),
        ]
        for (kind, record) in records {
            let text = JSONWriter.bytes(record)
            let configuration = Fixtures.configuration(kind)
            for _ in 0..<150 {
                let reading = Fixtures.read(
                    random.changed(text), configuration,
                    headers: [("X-GitHub-Event", "deployment_review"), ("X-GitHub-Delivery", "d")])
                for fact in reading.facts where fact.kind == "decision.approved" {
                    #expect(fact.approvalID?.rawValue.hasPrefix(fact.source + "/") == true)
                }
            }
        }
    }
}

extension SeededGenerator {
    mutating func changed(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        let place = Int.random(in: 0..<bytes.count, using: &self)
        switch Int.random(in: 0..<4, using: &self) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &self)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...20, using: &self)))
        case 2: bytes.insert(contentsOf: [UInt8]("null,".utf8), at: place)
        default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 12)], at: place)
        }
        return bytes
    }
}
