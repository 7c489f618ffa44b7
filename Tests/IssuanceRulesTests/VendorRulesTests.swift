import ClawWire
import IssuanceRules
import Testing

@Suite("Rules of vendors' sources")
struct VendorRulesTests {
    private static func yaml(_ source: String, _ classes: String = "c") -> String {
        """
        rules_version: "1"
        sources:
          vendor: {\(source)}
          n: {kind: native, authenticity: topic, allow_topic_authenticity: true, may_approve: [c]}
        job_classes:
          c: {binding: reference, scopes: {allow: ["x:y"]}, audience: [x]}
        """
    }

    private static let topic = "authenticity: topic, allow_topic_authenticity: true"
    private static let key = "{kty: OKP, crv: Ed25519, kid: k1, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}"

    private static func vendor(_ source: String) throws -> VendorRule {
        try #require(try RuleSet(yaml: yaml(source)).sources[SourceName("vendor")]).vendor
    }

    @Test func settingsAreRead() throws {
        let stops = try Self.vendor(
            "kind: pagerduty, \(Self.topic), stops: [{service: P1, scope: {kind: job_class, value: c}},"
                + " {service: P2, scope: {kind: all}, action: deny_new}]"
        ).stops
        #expect(
            stops == [
                .init(match: "P1", scope: StopScope(kind: .jobClass, value: "c")),
                .init(match: "P2", scope: .everything, revokesLive: false),
            ])
        let tags = try Self.vendor("kind: opsgenie, \(Self.topic), stops: [{tag: claw-stop}]").stops
        #expect(tags == [.init(match: "claw-stop", scope: nil)])
        let jsm = try Self.vendor(
            "kind: jsm, \(Self.topic), tenants: [h], may_approve: [c], request_types: name,"
                + " fields: {approvals: customfield_1, job_class: customfield_2}")
        #expect(jsm.requestTypes == .name)
        #expect(jsm.fields == [.approvals: "customfield_1", .jobClass: "customfield_2"])
        let signals = try Self.vendor(
            "kind: ssf, authenticity: signed, issuer: \"https://i.example/\", audience: [\"https://a.example\"],"
                + " jwks: [\(Self.key)]")
        #expect(signals.transmitter?.keys.map(\.kid) == ["k1"])
        #expect(signals.transmitter?.keys.map(\.algorithm) == [.edDSA])
    }

    @Test func everySettingIsInTheHash() throws {
        let texts = [
            "stops: [{service: P1, scope: {kind: all}}]", "stops: [{service: P2, scope: {kind: all}}]",
            "stops: [{service: P1, scope: {kind: job_class, value: c}}]",
            "stops: [{service: P1, scope: {kind: all}, action: deny_new}]",
        ]
        let hashes = try texts.map { try RuleSet(yaml: Self.yaml("kind: pagerduty, \(Self.topic), \($0)")).hash }
        #expect(Set(hashes).count == texts.count)
    }

    @Test(
        "A setting at fault is named",
        arguments: [
            ("kind: servicenow, may_approve: [c]", "no tenants"), ("kind: jsm", "no tenants"),
            ("kind: github", "no tenants"), ("kind: pagerduty", "no stops"),
            ("kind: pagerduty, stops: []", "no stops"), ("kind: pagerduty, stops: [{service: P1}]", "no scope"),
            ("kind: pagerduty, stops: [{tag: x, scope: {kind: all}}]", "tag"),
            (
                "kind: pagerduty, stops: [{service: P, scope: {kind: all}}, {service: P, scope: {kind: all}}]",
                "a second"
            ),
            ("kind: pagerduty, stops: [{service: P, scope: {kind: job_class, value: nosuch}}]", "nosuch"),
            ("kind: pagerduty, stops: [{service: P, scope: {kind: jti, value: x}}]", "jti"),
            ("kind: pagerduty, stops: [{service: P, scope: {kind: job_class}}]", ""),
            ("kind: pagerduty, stops: [{service: P, scope: {kind: all}, action: drop}]", "drop"),
            ("kind: pagerduty, may_approve: [c], stops: [{service: P, scope: {kind: all}}]", "may_approve"),
            ("kind: opsgenie", "no stops"), ("kind: opsgenie, stops: [{}]", "no tag"),
            (
                "kind: github, tenants: [h], signers: [{did: \"did:key:z6MkqGZn7AUaYXDhtg5YnVqKx44BJJnP6a7Q6c9rgdx6HKYG\"}]",
                "signers"
            ), ("kind: slack, may_approve: [c]", "may_approve"), ("kind: slack, fields: {start: x}", "fields"),
            ("kind: native, may_approve: [c], stops: [{tag: x}]", "stops"), ("kind: ssf", "no issuer"),
            ("kind: ssf, issuer: i", "no audience"),
            ("kind: ssf, issuer: i, audience: [a], jwks: [{kty: oct, kid: k}]", ""),
            ("kind: servicenow, tenants: [h], request_types: name", "request_types"),
            ("kind: servicenow, tenants: [h], fields: {colour: x}", "the key \"colour\""),
        ])
    func faults(source: String, found: String) {
        #expect {
            try RuleSet(yaml: Self.yaml("\(source), \(Self.topic)"))
        } throws: { error in
            guard let error = error as? RulesError else { return false }
            return error.problems.contains { $0.found.contains(found) }
        }
    }

    @Test func signedSignalsNeedKeysAndVendorsAreNotConfirmed() {
        for source in [
            "kind: ssf, authenticity: signed, issuer: i, audience: [a]",
            "kind: github, authenticity: confirmed, tenants: [h], may_approve: [c]",
        ] {
            #expect(throws: RulesError.self) { try RuleSet(yaml: Self.yaml(source)) }
        }
    }
}
