import ClawWire
import Testing

@testable import IssuanceRules

/// The members of the rules.
struct HealthRulesTests {
    private static func rules(_ pim: String) -> String {
        """
        rules_version: "1"
        sources:
          pim: {kind: entra_audit, authenticity: topic, allow_topic_authenticity: true, may_approve: [ref], \(pim)}
        job_classes: {ref: {binding: reference, audience: [x], scopes: {allow: [proxy:call]}}}
        """
    }

    @Test func everythingIsRead() throws {
        let text = Self.rules(
            """
            max_source_silence: 30m, health: {on_silence: deny, max_grants: {count: 100, per: 1m, over: report}, \
            max_grants_per_approver: {count: 10, per: 10m}, anomalies: {per: 5m, burst: 20, new_class_after: 5, \
            min_decision_time: 3s, then: deny}}
            """)
        let health = try #require(try RuleSet(yaml: text).sources[SourceName("pim")]?.health)
        #expect(health.silence == HealthRule.Silence(maximumSeconds: 1_800, action: .deny))
        #expect(health.sourceLimit == HealthRule.Limit(count: 100, seconds: 60, action: .report))
        #expect(health.approverLimit == HealthRule.Limit(count: 10, seconds: 600, action: .hold))
        #expect(
            health.anomalies
                == HealthRule.Anomalies(
                    seconds: 300, burst: 20, usualAfter: 5, minimumDecisionSeconds: 3, action: .deny))
        #expect(health.counts)
        let silence = try RuleSet(yaml: Self.rules("max_source_silence: 1h")).sources[SourceName("pim")]?.health
        #expect(silence?.silence == HealthRule.Silence(maximumSeconds: 3_600, action: .hold))
        #expect(silence?.counts == false)
        #expect(try RuleSet(yaml: Self.rules("tenants: [t]")).healthRules.isEmpty)
    }

    @Test func rulesThatWatchNothingKeepTheirHash() throws {
        let plain = try RuleSet(yaml: Self.rules("tenants: [t]"))
        #expect(plain.document["sources"]?["pim"]?["health"] == nil)
        let watched = try RuleSet(yaml: Self.rules("tenants: [t], max_source_silence: 1h"))
        #expect(watched.hash != plain.hash)
    }

    @Test(arguments: [
        ("health: {}", "at least one of max_grants"), ("health: {on_silence: hold}", "max_source_silence"),
        ("health: {max_grants: {count: 1}}", "per: the time"),
        ("health: {max_grants: {per: 1m}}", "count: most tokens"),
        ("health: {max_grants: {count: 1, per: 2d}}", "at most a day"),
        ("health: {anomalies: {per: 1m}}", "at least one of burst"),
        ("health: {anomalies: {per: 1m, burst: 3, then: hold}}", "report or deny"),
        ("max_source_silence: soon", "duration"),
    ])
    func oneFault(text: String, expected: String) {
        do {
            _ = try RuleSet(yaml: Self.rules(text))
            Issue.record("no fault was found in \(text)")
        } catch {
            #expect(error.problems.contains { $0.expected.contains(expected) }, "\(error.problems)")
        }
    }

    @Test func aSourceOfRequestsIsNotWatched() {
        let text = """
            rules_version: "1"
            sources:
              desk:
                kind: capability_request
                authenticity: topic
                allow_topic_authenticity: true
                max_source_silence: 1h
            job_classes: {ref: {binding: reference, audience: [x], scopes: {allow: [proxy:call]}}}
            """
        #expect(throws: RulesError.self) { try RuleSet(yaml: text) }
    }

    @Test func aCaseCanCallASourceSilent() throws {
        let rules = try RuleSet(yaml: Setup.text)
        let given = """
              given:
                - {fact: decision.approved, from: pim, approval_id: a1, job_class: ref, occurred_at: "2026-11-20T09:05:00Z", \
            requester: {id: avery}, subject: {id: avery}, approver: {id: mina}}
                - {fact: grant.started, from: pim, approval_id: a1, job_class: ref, occurred_at: "2026-11-20T09:06:00Z", \
            not_before: "2026-11-20T09:06:00Z", not_after: "2026-11-20T10:06:00Z", subject: {id: avery}}
              request: {job_class: ref, approval_id: a1, scope: ["proxy:call"]}
            """
        let cases = try RulesCase.read(
            yaml: """
                cases:
                - name: heard
                  at: 2026-11-20T09:10:00Z
                \(given)
                  expect: {outcome: issue}
                - name: silent
                  at: 2026-11-20T09:10:00Z
                  silent_sources: [pim]
                \(given)
                  expect: {outcome: wait, reasons: [HUMAN_APPROVAL_SOURCE_SILENT]}
                """)
        for example in cases {
            let result = example.run(under: rules)
            #expect(result.isPassed, "\(result.name): \(result.differences)")
        }
    }
}
