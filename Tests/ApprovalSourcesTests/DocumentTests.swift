import ApprovalSources
import ClawWire
import Foundation
import IssuanceRules
import Testing

/// What is published about the sources agrees with the code.
@Suite("Published documents")
struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    @Test("Every code of a dead letter, an ignored and a rejected entry is documented")
    func codes() throws {
        let text = try Self.text("docs/sources.md")
        for code in WhyCode.allCases.map(\.rawValue) + DeadLetterReason.allCases.map(\.rawValue) {
            #expect(text.contains("| `\(code)` |"), "docs/sources.md does not explain \(code)")
        }
    }

    private static func examples(_ schema: String) throws -> [JSONValue] {
        let document = try JSONReader.parse(try text("topics/schemas/\(schema).json"))
        #expect(document["$schema"]?.string == "https://json-schema.org/draft/2020-12/schema")
        return document["examples"]?.array ?? []
    }

    private static func read(_ type: String, _ data: JSONValue) -> SourceReading {
        let key = NativeFixtures.signer(7).publicKey
        let configuration = NativeFixtures.configuration(.topic, signers: [.init(publicKey: key)])
        return NativeFixtures.read(
            CloudEvent(
                id: "e", source: "/soc/harborline", type: type, time: NativeFixtures.time, data: .json(data)),
            configuration)
    }

    @Test(
        "The examples of the schemas are read as what they are",
        arguments: [
            ("capability_request.v1", EventType.capabilityRequest, "capability.requested"),
            ("approval.decision.v1", EventType.decision, "decision."),
            ("approval.receipt.v1", EventType.receipt, "decision.approved"),
            ("approval.stop_declared.v1", EventType.stopDeclared, "stop.declared"),
            ("approval.stop_lifted.v1", EventType.stopLifted, "stop.lifted"),
        ])
    func examples(schema: String, type: String, kind: String) throws {
        let examples = try Self.examples(schema)
        #expect(!examples.isEmpty)
        for example in examples {
            let reading = Self.read(type, example)
            let first = try #require(reading.facts.first, "\(reading)")
            #expect(first.kind.hasPrefix(kind) || first.kind == "grant.ended")
            if case .stopDeclared(let stop) = first.content { #expect(!stop.isWidened) }
        }
    }

    @Test(
        "The examples of the vendors' schemas are read as what they are",
        arguments: [
            (.serviceNow, ["decision.approved", "decision.denied", "grant.ended"]),
            (.jsm, ["decision.approved", "decision.denied", "request.opened"]),
            (.gitHub, ["decision.approved", "decision.denied", "request.opened"]),
            (.pagerDuty, ["stop.declared", "ignored resolve_does_not_lift", "stop.declared"]),
            (.opsgenie, ["stop.declared", "ignored resolve_does_not_lift"]), (.slack, ["ignored chat_is_not_evidence"]),
            (.sharedSignals, ["subject.invalidated", "subject.invalidated", "subject.invalidated"]),
        ] as [(SourceConfiguration.Kind, [String])])
    func vendorExamples(kind: SourceConfiguration.Kind, kinds: [String]) throws {
        let examples = try Self.examples("source.\(kind.rawValue).v1")
        let configuration = VendorFixtures.configuration(kind)
        let first = examples.map { example in
            var bytes = JSONWriter.bytes(example)
            if kind == .sharedSignals {
                let header = Base64URL.encode(Array("{\"typ\":\"secevent+jwt\"}".utf8))
                bytes = Array("\(header).\(Base64URL.encode(bytes)).".utf8)
            }
            let event = example["environment"] == nil ? "deployment_review" : "deployment_protection_rule"
            let reading = VendorFixtures.read(
                bytes, configuration, headers: [("X-GitHub-Event", event), ("X-GitHub-Delivery", "d")])
            return VendorFixtures.summary(reading).first ?? "nothing"
        }
        #expect(first == kinds)
    }

    @Test("The examples of Microsoft's schemas give facts of approvals, each without a fault", arguments: 0..<3)
    func microsoftExamples(index: Int) throws {
        let fixture = MicrosoftFixture.all[index]
        for (number, example) in try fixture.examples.enumerated() {
            let facts = fixture.facts(example)
            #expect(!facts.isEmpty)
            for fact in facts {
                switch fact.content {
                case .ignored, .rejected: Issue.record("example \(number) of \(fixture.schema): \(fact)")
                default: break
                }
            }
            let kind = MappingInput.kind(of: SourceRecord(topic: "t", value: JSONWriter.bytes(example)))
            #expect(kind == fixture.kind)
        }
    }

    @Test("What the code writes has no member that the schemas do not name")
    func writtenMembers() throws {
        func names(_ schema: String) throws -> Set<String> {
            let document = try JSONReader.parse(try Self.text("topics/schemas/\(schema).json"))
            return Set(document["properties"]?.object?.keys ?? [])
        }
        let request = CapabilityRequestDocument.encode(NativeFixtures.request())
        #expect(Set(request.object?.keys ?? []).isSubset(of: try names("capability_request.v1")))
        let decision = NativeFixtures.decision { $0.request = request }
        #expect(Set(decision.json?.object?.keys ?? []).isSubset(of: try names("approval.decision.v1")))
    }

    @Test("The sources of the example rules are read as the rules declare them")
    func exampleRules() throws {
        let rules = try RuleSet(yaml: try Self.text("deploy/examples/rules.yaml"))
        #expect(!rules.sources.isEmpty)
        for rule in rules.sources.values {
            let configuration = SourceConfiguration(rule, entitlements: rules.entitlements)
            #expect(configuration.name == rule.name)
            #expect(configuration.kind.rawValue == rule.kind.rawValue)
            #expect(configuration.authenticity.rawValue == rule.authenticity.rawValue)
            #expect(Set(configuration.signers.map(\.publicKey.kid)) == Set(rule.signers.keys))
            #expect(configuration.tenants == rule.tenants)
            #expect(configuration.trustedSources ?? [] == rule.trustedEventSources)
            #expect(configuration.trustedStopSources.isEmpty)
            #expect(configuration.signers.allSatisfy { !$0.mayStop && !$0.mayLift })
        }
    }
}
