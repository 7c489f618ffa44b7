import ClawWire
import Testing

@testable import IssuanceRules

@Suite struct HeaderSignatureRuleTests {
    static func yaml(_ source: String) -> String {
        """
        rules_version: "1"
        sources:
          itsm:
            kind: native
            topics: [itsm]
            may_approve: [run]
        \(source)
        job_classes:
          run:
            {binding: contained, audience: [x], scopes: {allow: ["proxy:call"]},
             approvals: {all_of: [{any: true, count: 1}]}}
        """
    }

    static func problems(_ source: String) -> [String] {
        do {
            _ = try RuleSet(yaml: yaml(source))
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    static let good = """
            authenticity: signed
            header_signature:
              scheme: github
              keys:
                - {name: a, file: secrets/a, not_after: "2026-12-01T00:00:00Z"}
                - {name: b, file: secrets/b, not_before: "2026-11-30T00:00:00Z"}
        """

    @Test func aSourceMayBeProvenByItsHeader() throws {
        let rules = try RuleSet(yaml: Self.yaml(Self.good))
        let source = try #require(rules.sources[SourceName("itsm")])
        let header = try #require(source.headerSignature)
        #expect(header.scheme == .github)
        #expect(header.keys.map(\.name) == ["a", "b"])
        #expect(header.keys[0].notAfter == Timestamp(rfc3339: "2026-12-01T00:00:00Z"))
        // A key of the header counts as its signer; a key of the same name for events does not.
        #expect(source.accepts(.signed([KeyID("header:a")]), for: JobClass("run")))
        #expect(!source.accepts(.signed([KeyID("header:c")]), for: JobClass("run")))
        #expect(!source.accepts(.signed([KeyID("a")]), for: JobClass("run")))
        #expect(!source.accepts(.topic, for: JobClass("run")))
        let other = try RuleSet(yaml: Self.yaml(Self.good.replacing("secrets/b", with: "secrets/c")))
        #expect(other.hash != rules.hash)
        #expect(rules.document["sources"]?["itsm"]?["header_signature"]?["scheme"]?.string == "github")
    }

    @Test(arguments: [
        ("github", "github", "tenants: [northquay], may_approve: [run]"),
        ("jsm", "jira", "tenants: [northquay.atlassian.example], may_approve: [run]"),
        ("servicenow", "jws", "tenants: [northquay], may_approve: [run]"),
        ("pagerduty", "pagerduty", "stops: [{service: PNQSTOP, scope: {kind: job_class, value: run}}]"),
        ("opsgenie", "jws", "stops: [{tag: claw-stop}]"), ("slack", "slack", "max_event_age: 1h"),
    ])
    func vendorsMayBeProvenByTheirHeaders(_ kind: String, _ scheme: String, _ settings: String) throws {
        let rules = try RuleSet(
            yaml: Self.yaml(
                """
                    authenticity: topic
                    allow_topic_authenticity: true
                  vendor:
                    {kind: \(kind), topics: [hooks], authenticity: signed, \(settings),
                     header_signature: {scheme: \(scheme), keys: [{name: a, file: secrets/a}]}}
                """))
        let source = try #require(rules.sources[SourceName("vendor")])
        #expect(source.headerSignature?.scheme.rawValue == scheme)
        #expect(source.accepts(.signed([KeyID("header:a")]), for: JobClass("run")))
    }

    @Test func aTokenIsProvenByItselfAlone() {
        let problems = Self.problems(
            """
                authenticity: topic
                allow_topic_authenticity: true
              signals:
                kind: ssf
                topics: [signals]
                authenticity: signed
                issuer: "https://signals.northquay.example/"
                audience: [us]
                jwks: []
                header_signature: {scheme: jws, keys: [{name: a, file: jwks.json}]}
            """)
        #expect(problems.contains { $0.contains("jwks alone") }, "\(problems)")
    }

    @Test(arguments: [
        (good.replacing("authenticity: signed", with: "authenticity: confirmed"), "authenticity: signed"),
        (good.replacing("scheme: github", with: "scheme: gitlab"), "one of github"),
        (good.replacing("name: b", with: "name: a"), "a name of its own"),
        (good.replacing("name: b", with: "name: \"b c\""), "letters, digits and hyphens"),
        (good.replacing("not_before: \"2026-11-30T00:00:00Z\"", with: "not_before: soon"), "a time such as"),
        (good.replacing("scheme: github", with: "scheme: hmac_sha256"), "no header"),
        (good.replacing("scheme: github", with: "{scheme: github"), ""),
        (good + "\n    signers: [{did: \"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK\"}]", "no signers"),
        (good + "\n    trusted_stop_sources: [/soc]", "no trusted_stop_sources"),
        (
            "    authenticity: signed\n    header_signature: {scheme: github, header: X-A, keys: [{name: a, file: b}]}",
            "scheme github fixes it"
        ),
        ("    authenticity: signed\n    header_signature: {scheme: github}", "no keys"),
        ("    authenticity: signed\n    header_signature: {scheme: github, keys: [{name: a}]}", "no file"),
        ("    authenticity: signed\n    header_signature: {keys: [{name: a, file: b}]}", "no scheme"),
    ])
    func faultsAreToldWithTheirPlace(_ source: String, _ expected: String) {
        let problems = Self.problems(source)
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }

    @Test func genericHeadersAndJWSNameTheirHeader() throws {
        for scheme in [
            "{scheme: hmac_sha256, header: X-Acme, prefix: \"v=\", encoding: base64, keys: [{name: a, file: b}]}",
            "{scheme: jws, header: X-JWS, keys: [{name: a, file: b}]}", "{scheme: jws, keys: [{name: a, file: b}]}",
        ] {
            #expect(Self.problems("    authenticity: signed\n    header_signature: \(scheme)") == [])
        }
    }
}
