import ClawWire
import Foundation
import Testing

@testable import IssuanceRules

@Suite struct RulesLoaderTests {
    private func problems(_ yaml: String) -> [RulesProblem] {
        do {
            _ = try RuleSet(yaml: yaml)
            return []
        } catch {
            return error.problems
        }
    }

    @Test func everyFaultIsReportedInItsPlace() {
        let found = problems(
            """
            rules_version: "2"
            sources:
              pim:
                kind: entra
                authenticity: topic
                may_aprove: [ops]
            job_classes:
              ops:
                binding: containd
                max_tll: 5m
            """)
        #expect(found.map(\.line) == [1, 4, 6, 9, 10])
        #expect(found.map(\.suggestion) == [nil, nil, "may_approve", "contained", "max_ttl"])
        #expect(
            found[0].description
                == "line 1, column 16: rules_version: found \"2\", expected \"1\", the version that this program reads")
        #expect(found[4].path == "job_classes.ops.max_tll" && found[4].column == 5)
    }

    /// Yams compares the keys of a mapping while it reads, so that aliases of aliases must be counted before.
    @Test(arguments: ["[*h: x]", "? *h\n: x", "{*h : x}", "[*h, *h]"])
    func aliasesOfAliasesAreCountedBeforeTheyAreFollowed(last: String) {
        var lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
        for (before, name) in zip("abcdefg", "bcdefgh") {
            lines.append("\(name): &\(name) [" + Array(repeating: "*\(before)", count: 9).joined(separator: ", ") + "]")
        }
        let found = problems((lines + [last.hasPrefix("?") ? last : "z: \(last)"]).joined(separator: "\n"))
        #expect(found.map(\.expected) == ["at most \(YAMLSize.maximumNodes) values"])
    }

    @Test func aliasesOfFewValuesAreTaken() {
        #expect(YAMLSize.isBounded("a: &a [x, y]\nb: *a\nc: {*a : z, k: *a}\n"))
        let many = "a: &a [" + Array(repeating: "x", count: 1_000).joined(separator: ",") + "]\n"
        #expect(YAMLSize.isBounded(many + (0..<190).map { "k\($0): *a\n" }.joined()))
        #expect(!YAMLSize.isBounded(many + (0..<210).map { "k\($0): *a\n" }.joined()))
        // What is no YAML any more is not read by Yams either.
        #expect(YAMLSize.isBounded("a: [*unknown\n]]]"))
    }

    private static let base = """
        rules_version: "1"
        groups: {ops: [mina]}
        sources:
          s: {kind: native, authenticity: topic, allow_topic_authenticity: true, may_approve: [c]}
        job_classes:
          c:
            binding: contained
            audience: [x]
        """

    @Test func peopleAreKeptInSmallLettersAndHashAlike() throws {
        let text = Self.base + "\n    owners: [Avery]\n    approvals: {all_of: [{group: ops}, {members: [Mina, MINA]}]}"
        let capitals = try RuleSet(yaml: text.replacing("ops: [mina]", with: "ops: [MINA]"))
        let rule = try #require(capitals.jobClasses[JobClass("c")])
        #expect(capitals.groups["ops"] == [PersonID("mina")] && rule.owners == [PersonID("avery")])
        #expect(rule.approvals.allOf.last == .init(pool: .members([PersonID("mina")]), count: 1))
        #expect(try RuleSet(yaml: text.lowercased()).hash == capitals.hash)
        #expect(
            problems(text.replacing("{members: [Mina, MINA]}", with: "{members: [Mina, MINA], count: 2}")).count == 1)
    }

    @Test func theSmallestRulesAreRead() throws {
        let rules = try RuleSet(yaml: Self.base)
        let rule = try #require(rules.jobClasses[JobClass("c")])
        #expect(rule.maximumTTLSeconds == 3_600 && rule.defaultTTLSeconds == 3_600)
        #expect(rule.window == .optional && rule.tooWide == .deny && rule.deliveries == [.sealed])
        #expect(rule.separation.requester && rule.separation.subject && !rule.separation.jobOwner)
        #expect(rule.approvals.allOf == [.init(pool: .any, count: 1)])
    }

    @Test(arguments: [
        ("binding: contained", "binding: entitlement", "at least one line of entitlements"),
        ("binding: contained", "binding: contained\n    max_grants_per_window: 2", "binding: entitlement"),
        ("audience: [x]", "audience: []", "at least one audience"),
        ("audience: [x]", "audience: x", "a list"),
        ("audience: [x]", "audience: [x]\n    max_ttl: 2h", "at most the hard cap"),
        ("audience: [x]", "audience: [x]\n    max_ttl: soon", "a duration such as"),
        ("audience: [x]", "audience: [x]\n    max_ttl: 5m\n    default_ttl: 6m", "at most max_ttl"),
        ("audience: [x]", "audience: [x]\n    scopes: {allow: ['proxy:*']}", "without *"),
        ("audience: [x]", "audience: [x]\n    scopes: {allow: ['a b']}", "visible ASCII"),
        ("audience: [x]", "audience: [x]\n    approvals: {all_of: []}", "at least one requirement"),
        ("audience: [x]", "audience: [x]\n    approvals: {all_of: [{count: 1}]}", "exactly one of"),
        ("audience: [x]", "audience: [x]\n    approvals: {all_of: [{group: opz}]}", "a group of these rules: ops"),
        ("audience: [x]", "audience: [x]\n    approvals: {all_of: [{group: ops, count: 2}]}", "enough people"),
        ("audience: [x]", "audience: [x]\n    wpc: {hashes: [abc]}", "43 characters"),
        ("audience: [x]", "audience: [x]\n    wpc: {required: maybe}", "true or false"),
        ("audience: [x]", "audience: [x]\n    delivery: [pigeon]", "one of sealed, plain, reference"),
        ("audience: [x]", "audience: [x]\n    agents: [agent-1]", "a DID"),
        ("may_approve: [c]", "may_approve: [d]", "a job class of these rules: c"),
        ("allow_topic_authenticity: true, ", "", "allow_topic_authenticity: true"),
        ("authenticity: topic", "authenticity: signed", "the keys that may sign"),
        ("may_approve: [c]", "may_approve: [c], trusted_stop_sources: [/soc]", "authenticity: signed only"),
        (
            "kind: native, authenticity: topic", "kind: azure_activity, authenticity: confirmed",
            "does not know the roles of Azure resources"
        ),
        ("kind: native", "kind: capability_request", "no approvals from a source of requests"),
        ("groups: {ops: [mina]}", "groups: {ops: [mina]}\ngroups: {}", "every key once"),
        ("groups: {ops: [mina]}", "groups: {ops: [mina", "YAML"),
        (
            "groups: {ops: [mina]}",
            "entitlements: [{kind: group, id: g, job_class: c}, {kind: group, id: G, job_class: c}]",
            "one line for each"
        ),
    ])
    func oneFault(old: String, new: String, expected: String) {
        let found = problems(Self.base.replacing(old, with: new))
        #expect(found.contains { $0.expected.contains(expected) }, "\(found)")
        #expect(found.allSatisfy { $0.line >= 1 && $0.column >= 1 })
    }

    @Test(arguments: ["", "just text", "[]", "rules_version: \"1\"", "a: &x [*x]", "job_classes: {c: }"])
    func whatIsNoRulesIsRefused(yaml: String) { #expect(!problems(yaml).isEmpty) }

    @Test func theHashIsOfWhatHoldsNotOfHowItIsWritten() throws {
        let rules = try RuleSet(yaml: Self.base)
        let same = try RuleSet(
            yaml: Self.base.replacing("audience: [x]", with: "max_ttl: 60m # an hour\n    audience: [\"x\"]"))
        #expect(same.hash == rules.hash)
        let other = try RuleSet(yaml: Self.base.replacing("audience: [x]", with: "audience: [y]"))
        #expect(other.hash != rules.hash)
        #expect(rules.hash == rules.document.canonicalDigest)
    }

    @Test func durationsAreRead() {
        #expect(YAMLReader.seconds("90s") == 90)
        #expect(YAMLReader.seconds("15m") == 900)
        #expect(YAMLReader.seconds("7d") == 604_800)
        #expect(YAMLReader.seconds("60") == 60)
        for text in ["", "s", "-1", "0", "1.5h", "1w", "99999999999999999999d", "1 h"] {
            #expect(YAMLReader.seconds(text) == nil)
        }
    }

    @Test func theSchemaKnowsTheKeysThatTheLoaderKnows() throws {
        let schema = try JSONReader.parse(try Files.bytes("topics/schemas/issuance-rules.v1.json"))
        for part in RulesKeys.allCases {
            let properties =
                part == .rules ? schema["properties"] : schema["$defs"]?[part.rawValue]?["properties"]
            #expect(Set(properties?.object?.keys ?? []) == Set(part.keys), "\(part.rawValue)")
        }
        let parts = (schema["$defs"]?.object?.members ?? []).filter { $0.value["properties"] != nil }.map(\.key)
        #expect(Set(parts) == Set(RulesKeys.allCases.map(\.rawValue)).subtracting(["rules"]))
    }

    @Test func theExampleIsReadAndItsCasesPass() throws {
        let rules = try RuleSet(yaml: String(decoding: try Files.bytes("deploy/examples/rules.yaml"), as: UTF8.self))
        for file in ["control.yaml", "entra-pim.yaml", "native.yaml"] {
            let text = String(decoding: try Files.bytes("deploy/examples/rules-cases/\(file)"), as: UTF8.self)
            for example in try RulesCase.read(yaml: text) {
                let result = example.run(under: rules)
                #expect(result.isPassed, "\(result.name): \(result.differences)")
            }
        }
    }

    private static func control(_ events: String) -> String {
        "{at: 2026-11-20T09:10:00Z, request: {job_class: ref, approval_id: a1, scope: [proxy:call]}, control: \(events), "
            + "expect: {outcome: wait}}"
    }

    /// Events count in the order of their times, whatever the order of the list.
    @Test(arguments: [
        ("", "wait"), ("{operation: stop, scope: {kind: job_class, value: ref}}", "deny"),
        ("{operation: stop, scope: {kind: job_class, value: run}}", "wait"),
        (
            "{operation: enable-elevated, scope: {kind: all}, at: 2026-11-20T09:02:00Z}, "
                + "{operation: disable-elevated, scope: {kind: all}, at: 2026-11-20T09:01:00Z}", "wait"
        ),
        ("{operation: require-proxy, scope: {kind: all}, action: deny_new}", "deny"),
        (
            "{operation: revoke, revocation_id: r, scope: {kind: agent, value: \"did:key:z6MkAgent\"}, "
                + "at: 2026-11-20T09:01:00Z, lifted_at: 2026-11-20T09:02:00Z}", "wait"
        ),
    ])
    func aCaseIsDecidedUnderItsControlEvents(events: String, outcome: String) throws {
        let rules = try RuleSet(yaml: Setup.text)
        let example = try #require(try RulesCase.read(yaml: Self.control("[\(events)]")).first)
        #expect(
            Explanation(of: example.run(under: rules).decision, on: example.input.request, rulesHash: rules.hash)
                .outcome == outcome)
    }

    @Test func aCaseThatDiffersSaysHow() throws {
        let rules = try RuleSet(yaml: Setup.text)
        let cases = try RulesCase.read(
            yaml: """
                name: no approval
                at: 2026-11-20T09:10:00Z
                request: {job_class: ref, approval_id: a1, scope: ["proxy:call"]}
                expect: {outcome: issue, reasons: [HUMAN_APPROVAL_DENIED]}
                """)
        let result = try #require(cases.first).run(under: rules)
        #expect(
            result.differences == [
                "outcome: expected issue, found wait",
                "reasons: expected HUMAN_APPROVAL_DENIED, found CAPABILITY_REQUIRES_APPROVAL",
            ])
    }

    @Test(arguments: [
        ("{}", "at"), ("{at: 2026-11-20T09:10:00Z}", "request"),
        ("{at: 2026-11-20T09:10:00Z, request: {job_class: c}}", "expect.outcome"),
        ("{at: 2026-11-20T09:10:00Z, request: {job_class: c}, given: [{fact: sun.rise}]}", "given[0].fact"),
        (
            "{at: 2026-11-20T09:10:00Z, request: {job_class: c}, expect: {outcome: deny, reasons: [SCOPE_NOT_ALOWED]}}",
            "expect.reasons"
        ),
        (control("{operation: stop, scope: {kind: all}}"), "control"),
        (control("[stop]"), "control[0]"), (control("[{operation: halt}]"), "control[0].operation"),
        (control("[{operation: lift, stop_id: s}]"), "control[0].operation"),
        (control("[{operation: stop}]"), "control[0]"),
        (control("[{operation: stop, scop: {kind: all}}]"), "control[0].scop"),
        (control("[{operation: stop, scope: {kind: all}, action: halt}]"), "control[0]"),
        (control("[{operation: stop, scope: {kind: agent, value: me}}]"), "control[0].scope.value"),
        (control("[{operation: stop, scope: {kind: all}, at: noon}]"), "control[0].at"),
        (control("[{operation: stop, scope: {kind: all}, at: 2026-11-20T09:10:01Z}]"), "control[0].at"),
        (
            control("[{operation: stop, scope: {kind: all}, lifted_at: 2026-11-20T09:10:00Z}]"),
            "control[0].lifted_at"
        ),
        (control("[{operation: enable-elevated, scope: {kind: all}}]"), "control[0]"),
        (
            control(
                "[{operation: stop, stop_id: s, scope: {kind: all}}, {operation: stop, stop_id: s, scope: {kind: all}}]"
            ), "control[1]"
        ),
        (
            control(
                "[{operation: revoke, scope: {kind: job, value: j}, at: 2026-11-20T09:00:00Z, "
                    + "lifted_at: 2026-11-20T09:10:00Z}]"), "control[0].lifted_at"
        ),
    ])
    func aFaultyCaseIsRefused(yaml: String, path: String) {
        let error = #expect(throws: RulesCaseError.self) { try RulesCase.read(yaml: yaml) }
        #expect(error?.path == path)
    }
}

enum Files {
    /// A file of the package.
    static func bytes(_ path: String) throws -> [UInt8] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return [UInt8](try Data(contentsOf: root.appending(path: path)))
    }
}

@Suite struct ControlRulesLoaderTests {
    private static let did = Setup.signer?.publicKey.did ?? ""

    private static func text(_ control: String) -> String {
        """
        rules_version: "1"
        sources:
          s: {kind: native, authenticity: topic, allow_topic_authenticity: true, may_approve: [c]}
        job_classes:
          c: {binding: contained, audience: [x]}
        control:
        \(control)
        """
    }

    @Test func theSectionIsRead() throws {
        let rules = try RuleSet(
            yaml: Self.text(
                """
                  signers:
                    - {did: "\(Self.did)", operations: [stop, rotate-policy], scopes: [agent], job_classes: [c]}
                  lift: {min_people: 3}
                """))
        let signer = try #require(rules.control.signers[Setup.kid])
        #expect(signer.operations == [.stop, .rotatePolicy] && rules.control.liftMinimumPeople == 3)
        #expect(signer.reaches(StopScope(kind: .jobClass, value: "c")))
        #expect(signer.reaches(StopScope(kind: .agent, value: "did:key:z6MkA")))
        #expect(!signer.reaches(StopScope(kind: .jobClass, value: "d")) && !signer.reaches(.everything))
        let without = try RuleSet(yaml: Self.text("").replacing("control:", with: ""))
        #expect(without.control == .none && without.control.liftMinimumPeople == 2)
        #expect(without.hash != rules.hash)
        #expect(try RuleSet(yaml: Self.text("  lift: {min_people: 2}")).hash == without.hash)
    }

    @Test func whatAKeyReaches() throws {
        let key = try #require(Setup.signer?.publicKey)
        let every = ControlRules.Signer(key: key, operations: [.stop])
        #expect(StopScope.Kind.allCases.allSatisfy { every.reaches(StopScope(kind: $0, value: "x")) })
        let classes = ControlRules.Signer(key: key, operations: [.stop], scopes: [.jobClass])
        #expect(classes.reaches(StopScope(kind: .jobClass, value: "any")) && !classes.reaches(.everything))
    }

    @Test(arguments: [
        ("  signers: [{operations: [stop]}]", 7, "did: the signer's did:key"),
        ("  signers: [{did: \"\(did)\"}]", 7, "operations: what the key may do"),
        ("  signers: [{did: \"\(did)\", operations: []}]", 7, "at least one operation"),
        ("  signers:\n    - {did: \"\(did)\", operations: [halt]}", 8, "one of stop, lift"),
        ("  signers: [{did: \"\(did)\", operations: [stop], scopes: [planet]}]", 7, "one of all, job_class"),
        ("  signers: [{did: \"\(did)\", operations: [stop], job_classes: [d]}]", 7, "a job class of these rules: c"),
        (
            "  signers: [{did: \"\(did)\", operations: [stop], scopes: [job_class], job_classes: [c]}]", 7,
            "either job_class among the scopes or a list of job_classes"
        ),
        ("  signers: [{did: x, operations: [stop]}]", 7, "a did:key of an Ed25519 key"),
        (
            "  signers:\n    - {did: \"\(did)\", operations: [stop]}\n    - {did: \"\(did)\", operations: [lift]}", 9,
            "one entry for each"
        ),
        ("  lift: {min_people: 1}", 7, "a whole number from 2 to 32"),
        ("  lift: {people: 2}", 7, "one of min_people"),
        ("  signer: []", 7, "one of signers, lift"),
    ])
    func faultsAreReportedInTheirPlace(control: String, line: Int, expected: String) {
        do {
            _ = try RuleSet(yaml: Self.text(control))
            Issue.record("no fault was found")
        } catch {
            #expect(error.problems.contains { $0.line == line && $0.expected.hasPrefix(expected) }, "\(error)")
            #expect(error.problems.allSatisfy { $0.path.hasPrefix("control") })
        }
    }
}

@Suite struct StopFactCodecTests {
    @Test func wideningAndTheScopeOfALiftAreStored() throws {
        var fact = Fact(
            recordIndex: 0, source: "claw.native", sourceEventID: nil, occurredAt: nil,
            content: .stopDeclared(
                StopDeclaration(
                    stopID: "s1", scope: .everything, revokesLive: true, reason: nil, incident: nil, declaredBy: nil,
                    isWidened: true)))
        #expect(try Fact(json: fact.json) == fact)
        for scope in [StopScope(kind: .jti, value: "t"), .everything, nil] {
            fact.content = .stopLifted(
                StopLift(
                    stopID: "s1", liftedBy: [Sample.avery], reapproval: nil, policyHash: Setup.hash, scope: scope))
            #expect(try Fact(json: fact.json) == fact)
        }
    }
}
