import ApprovalSources
import ClawWire
import IssuanceRules
import TestSupport
import Testing

/// Several sources that speak about one request fold into one decision, whatever the order, the delay and the number of
/// deliveries.
@Suite("Joining of sources")
struct JoinPropertyTests {
    private static let avery = "8c28a00a3d2db99d39b0959ff2540cc6"
    private static let mapping = SourceMapping(
        tenants: ["harborline"], entitlements: VendorFixtures.entitlements, trustedStopSources: ["/soc/harborline"])
    private static let asOf = Timestamp(rfc3339: "2026-11-20T09:10:00Z") ?? Timestamp(seconds: 0)
    private static let approvalID = "servicenow/harborline/chg0034600"

    /// The customer's own workflow tells of the same change.
    private static func native(_ verdict: NativeDecision.Verdict, _ person: String, at time: String) -> JSONValue {
        var decision = NativeDecision(
            approvalID: ApprovalID(approvalID), verdict: verdict, requester: Actor(id: PersonID(avery)),
            answers: [.init(approver: Actor(id: PersonID(person)))])
        decision.jobClass = JobClass("prod_db_maintenance")
        return decision.event(
            id: "native-\(person)", source: "/itsm/harborline", at: Timestamp(rfc3339: time) ?? asOf
        ).structuredJSON
    }

    private static func change(_ key: String, _ value: JSONValue, at time: String) -> JSONValue {
        ServiceNowTests.approved.setting("change_request", key, to: value)
            .setting("change_request", "sys_updated_on", to: .string(time))
    }

    private static let requested = change("approval", "requested", at: "2026-11-20 08:50:00")
    private static let invalidated: JSONValue = [
        "kind": "ssf.set", "header": ["typ": "secevent+jwt", "alg": "ES256", "kid": "k"],
        "claims": SharedSignalsTests.claims.setting("sub_id", to: ["format": "opaque", "id": .string(avery)])
            .setting("iat", to: 1_795_165_800).setting(
                "events", to: ["https://schemas.openid.net/secevent/caep/event-type/session-revoked": [:]]),
    ]

    /// Stories: what several sources say of one change, and what it amounts to.
    static let stories: [(records: [JSONValue], why: String)] = [
        ([requested, ServiceNowTests.approved], "approved_by_other_human_and_active"),
        (
            [requested, ServiceNowTests.approved, native(.approved, "jonas", at: "2026-11-20T09:06:00Z")],
            "approved_by_other_human_and_active"
        ),
        ([requested, native(.approved, "jonas", at: "2026-11-20T09:06:00Z")], "not_yet_active"),
        ([requested, ServiceNowTests.approved, native(.denied, "jonas", at: "2026-11-20T09:07:00Z")], "denied"),
        (
            [
                requested, ServiceNowTests.approved, native(.approved, "jonas", at: "2026-11-20T09:06:00Z"),
                change("state", "4", at: "2026-11-20 09:08:00"),
            ], "change_canceled"
        ),
        ([requested, ServiceNowTests.approved, invalidated], "subject_invalidated"),
    ]

    private static func outcome(_ records: [JSONValue]) -> JSONValue? {
        let report = MappingReport(JSONWriter.bytes(.array(records)), mapping: mapping, asOf: asOf)
        let outcomes = report.json["outcomes"]?.array ?? []
        #expect(outcomes.count == 1)
        return outcomes.first?.setting("intermediate_states", to: nil)
    }

    @Test("One request, one decision", arguments: stories.indices)
    func joins(story: Int) throws {
        let (records, why) = Self.stories[story]
        let expected = try #require(Self.outcome(records))
        #expect(expected["approval_id"]?.string == Self.approvalID)
        #expect(expected["why"]?.string == why)
        var random = SeededGenerator(seed: UInt64(story) &+ 20_261_123)
        for _ in 0..<60 {
            var deliveries = records
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                deliveries.append(try #require(records.randomElement(using: &random)))
            }
            deliveries.shuffle(using: &random)
            #expect(Self.outcome(deliveries) == expected)
        }
    }

    @Test("The state that the ledger keeps is the same for every order")
    func states() throws {
        for (records, _) in Self.stories {
            let facts = records.flatMap {
                MappingReport(JSONWriter.bytes($0), mapping: Self.mapping, asOf: Self.asOf).facts.map(\.fact)
            }.map { $0.byHolder ?? $0 }
            var random = SeededGenerator(seed: 7)
            func state(_ facts: [Fact]) -> ApprovalState {
                var state = ApprovalState(approvalID: ApprovalID(Self.approvalID))
                for fact in facts { state.apply(fact, from: SourceName(fact.source), authenticity: .topic) }
                return state
            }
            let expected = state(facts)
            for _ in 0..<40 {
                let deliveries = (facts + facts.prefix(2)).shuffled(using: &random)
                #expect(state(deliveries) == expected)
            }
        }
    }
}
