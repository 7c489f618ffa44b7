import Testing

@testable import ClawWire

@Suite("Statement policies")
struct StatementPolicyTests {
    private func policy(_ statements: String, inherits: String? = nil, id: String = "p") throws -> StatementPolicy {
        var document: JSONObject = [
            "policy_version": "2", "policy_id": .string(id), "issuer_did": "did:web:issuer.example",
            "statements": try JSONReader.parse(statements),
        ]
        if let inherits { document["inherits"] = .string(inherits) }
        return try StatementPolicy(.object(document))
    }

    private static let allowAll = "[{\"sid\":\"a\",\"effect\":\"Allow\",\"actions\":[\"*\"],\"resources\":[\"*\"]}]"

    private func isAllowed(
        _ policy: StatementPolicy, _ context: [String: String] = [:], mode: PolicyEvaluator.Mode = .strict,
        parent: (String) -> StatementPolicy? = { _ in nil }
    ) -> Bool {
        PolicyEvaluator.evaluate(
            policy, action: "tool:read", resource: "db/main", context: context, mode: mode, parent: parent
        ).isAllowed
    }

    @Test(arguments: [
        ("*", "a/b", true), ("**", "a/b", true), ("a*", "a/b", false), ("a*", "abc", true), ("a**", "a/b", true),
        ("**/b", "b", true), ("**/b", "x/y/b", true), ("a/**/b", "a/b", true), ("a/**/b", "a/x/y/b", true),
        ("a?c", "abc", true),
        ("a?c", "a/c", false), ("a.c", "abc", false), ("", "", true), ("", "a", false),
        ("tool:payments.*", "tool:payments.x", true),
        ("[a]", "a", false), ("a**", "a\nb", false), ("*b*", "abc", true), ("?", "\u{1F600}", false),
        ("??", "\u{1F600}", true),
    ])
    func globs(_ pattern: String, value: String, matches: Bool) {
        #expect(Glob.matches(pattern, value) == matches)
    }

    @Test func aHostileGlobIsBounded() {
        let pattern = String(repeating: "*a", count: 250)
        #expect(!Glob.matches(pattern, String(repeating: "a", count: 4_000) + "b"))
    }

    @Test(arguments: [
        ("{\"StringEquals\":{\"k\":\"v\"}}", "v", true), ("{\"StringEquals\":{\"k\":\"v\"}}", "w", false),
        ("{\"StringNotEquals\":{\"k\":\"v\"}}", "w", true), ("{\"StringLike\":{\"k\":\"v*\"}}", "vw", true),
        ("{\"StringNotLike\":{\"k\":\"v*\"}}", "vw", false), ("{\"NumericEquals\":{\"k\":\"5\"}}", "5.0", true),
        ("{\"NumericLessThan\":{\"k\":\"5\"}}", "5", false), ("{\"NumericGreaterThan\":{\"k\":\"5\"}}", "6", true),
        ("{\"NumericEquals\":{\"k\":\"5\"}}", "5x", false), ("{\"Bool\":{\"k\":\"true\"}}", "TRUE", true),
        ("{\"Bool\":{\"k\":\"false\"}}", "no", true), ("{\"IpAddress\":{\"k\":\"10.0.0.0/8\"}}", "10.1.2.3", true),
        ("{\"IpAddress\":{\"k\":\"10.0.0.0/8\"}}", "11.1.2.3", false),
        ("{\"IpAddress\":{\"k\":\"0.0.0.0/0\"}}", "1.2.3.4", true),
        ("{\"IpAddress\":{\"k\":\"10.0.0.1\"}}", "10.0.0.1", true),
        ("{\"IpAddress\":{\"k\":\"10.0.0.1\"}}", "010.0.0.1", false),
        ("{\"IpAddress\":{\"k\":\"10.0.0.1/33\"}}", "10.0.0.1", false),
    ])
    func conditions(_ conditions: String, value: String, holds: Bool) throws {
        let policy = try policy(
            "[{\"sid\":\"a\",\"effect\":\"Allow\",\"actions\":[\"*\"],\"resources\":[\"*\"],\"conditions\":\(conditions)}]"
        )
        #expect(isAllowed(policy, ["k": value]) == holds)
        #expect(isAllowed(policy, ["k": value], mode: .compatible) == holds)
    }

    @Test func aDenyThatCannotBeEvaluatedDeniesInStrictMode() throws {
        let policy = try policy(
            """
            [{"sid":"a","effect":"Allow","actions":["*"],"resources":["*"]},
             {"sid":"d","effect":"Deny","actions":["*"],"resources":["*"],
              "conditions":{"NumericGreaterThan":{"Context:Hour":"17"}}}]
            """)
        #expect(isAllowed(policy, mode: .compatible))
        #expect(!isAllowed(policy, mode: .strict))
        #expect(isAllowed(policy, ["Context:Hour": "12"], mode: .strict))
        #expect(!isAllowed(policy, ["Context:Hour": "noon"], mode: .strict))
    }

    @Test func allAncestorsMustAllow() throws {
        let child = try policy(Self.allowAll, inherits: "parent")
        let parent = try policy(Self.allowAll, inherits: "grandparent", id: "parent")
        let grandparent = try policy(
            "[{\"sid\":\"g\",\"effect\":\"Allow\",\"actions\":[\"tool:write\"],\"resources\":[\"*\"]}]",
            id: "grandparent")
        let all = ["parent": parent, "grandparent": grandparent]
        #expect(!isAllowed(child))
        #expect(isAllowed(child, mode: .compatible, parent: { all[$0] }))
        #expect(!isAllowed(child, parent: { all[$0] }))
        let open = try policy(Self.allowAll, id: "grandparent")
        #expect(isAllowed(child, parent: { ["parent": parent, "grandparent": open][$0] }))
        let circle = try policy(Self.allowAll, inherits: "parent", id: "parent")
        #expect(!isAllowed(child, parent: { ["parent": circle][$0] }))
    }

    @Test(arguments: [
        "[]", "[{}]", "[{\"sid\":\"a\",\"effect\":\"Maybe\",\"actions\":[\"*\"],\"resources\":[\"*\"]}]",
        "[{\"sid\":\"a\",\"effect\":\"Allow\",\"actions\":[],\"resources\":[\"*\"]}]",
        "[{\"sid\":\"a\",\"effect\":\"Allow\",\"actions\":[\"*\"],\"resources\":[\"*\"],\"principal\":\"x\"}]",
        "[{\"sid\":\"a\",\"effect\":\"Allow\",\"actions\":[\"*\"],\"resources\":[\"*\"],\"conditions\":{\"DateLessThan\":{}}}]",
        "[{\"sid\":\"a\",\"effect\":\"Allow\",\"actions\":[\"*\"],\"resources\":[\"*\"],\"conditions\":{\"Bool\":{\"k\":true}}}]",
        """
        [{"sid":"a","effect":"Allow","actions":["*"],"resources":["*"]},
         {"sid":"a","effect":"Deny","actions":["*"],"resources":["*"]}]
        """,
    ])
    func brokenStatementsAreRefused(_ statements: String) {
        #expect(throws: WPCError.self) { try policy(statements) }
    }
}
