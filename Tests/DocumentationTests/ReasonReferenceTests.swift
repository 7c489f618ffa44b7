import IssuanceRules
import Testing

struct ReasonReferenceTests {
    /// The registered families, with what they speak of.
    private static let families = [
        ("CAPABILITY_", "The request"), ("HUMAN_APPROVAL_", "The approval"), ("REPLAY_", "Used before"),
        ("SCOPE_", "Scopes"), ("TOKEN_", "The token and its key"), ("POLICY_", "The WPC's demands"),
        ("WPC_", "The WPC"),
    ]

    @Test func theReferenceIsTheCode() throws {
        var output = ""
        var told = 0
        for (prefix, title) in Self.families {
            let codes = ReasonCode.allCases.filter { $0.rawValue.hasPrefix(prefix) }
            told += codes.count
            output += "\n## \(title)\n\n| code | outcome | meaning | what to do |\n| --- | --- | --- | --- |\n"
            for code in codes {
                output += "| `\(code.rawValue)` | \(code.effect.rawValue) | \(code.meaning) | \(code.remedy) |\n"
            }
        }
        #expect(told == ReasonCode.allCases.count, "a code of a family that this test does not know")
        #expect(try Tree.isGenerated("docs/reference/reason-codes.md", output + "\n"))
    }
}
