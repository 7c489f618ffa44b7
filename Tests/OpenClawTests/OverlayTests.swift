import ClawWire
import OpenClaw
import Testing

/// What lets commands out of the sandbox is bound to one token and to people by name.
struct OverlayTests {
    private static let scope = "control:sandbox:elevated"

    private static func claims(_ policy: OpenClawPolicy, scope: [String] = [scope]) -> CSTClaims {
        var claims = CSTClaims(
            subject: "did:web:agents.northquay.example:run-1", audience: .one("clawproxy.com"),
            scope: ["proxy:call"] + scope, issuedAt: 1_800_000_000, expiresAt: 1_800_000_600)
        claims.policyHash = HashText(policy.hash.b64u)
        claims.tokenID = TokenID("c076e97d-ba63-4107-9779-01542320261e")
        return claims
    }

    private static let ruth = OpenClawOverlay.Sender("slack:U024BE7LH")

    @Test func itNamesItsTokenItsEndAndItsPeople() throws {
        let policy = try Samples.policy()
        let people = [try #require(Self.ruth), try #require(OpenClawOverlay.Sender("signal:+15550100"))]
        let overlay = try OpenClawOverlay(Self.claims(policy), scope: Self.scope, policy: policy, senders: people)
        let tools = JSONValue.object(overlay.fragment)["tools"]
        #expect(
            tools?["elevated"] == ["enabled": true, "allowFrom": ["slack": ["U024BE7LH"], "signal": ["+15550100"]]])
        #expect(tools?["exec"]?["security"] == "allowlist" && tools?["exec"]?["ask"] == "always")
        #expect(JSONValue.object(overlay.approvals)["defaults"]?["askFallback"] == "deny")
        let document = try JSON5Document(overlay.text)
        #expect(document.value == .object(overlay.fragment))
        let comments = document.comments.joined()
        for text in [policy.hash.b64u, "c076e97d-ba63-4107-9779-01542320261e", "2027-01-15T08:10:00"] {
            #expect(comments.contains(text), "\(comments) does not name \(text)")
        }
        // Whoever merges it and forgets it is told by the check.
        #expect(try !Samples.faults(.object(overlay.fragment), policy).isEmpty)
    }

    @Test func aTokenThatIsNotElevatedOrOfAnotherContractHasNone() throws {
        let policy = try Samples.policy()
        let other = try Samples.policy(allow: ["read"])
        let people = [try #require(Self.ruth)]
        func code(_ claims: CSTClaims, _ senders: [OpenClawOverlay.Sender]) -> OpenClawError.Code? {
            do {
                _ = try OpenClawOverlay(claims, scope: Self.scope, policy: policy, senders: senders)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(Self.claims(policy, scope: []), people) == .notElevated)
        #expect(code(Self.claims(policy, scope: ["control:sandbox"]), people) == .notElevated)
        #expect(code(Self.claims(other), people) == .otherPolicy)
        var unpinned = Self.claims(policy)
        unpinned.policyHash = nil
        #expect(code(unpinned, people) == .otherPolicy)
        #expect(code(Self.claims(policy), []) == .notElevated)
    }

    @Test(arguments: ["slack", "slack:", ":U1", "slack:*", "*:U1", "slack:U 1", ""])
    func aSenderIsOnePersonOnOneChannel(_ text: String) {
        #expect(OpenClawOverlay.Sender(text) == nil)
    }
}
