import ClawWire
import DevStack
import Foundation
import GrantWorker
import IssuanceRules
import Playground
import Testing

@testable import IssuerAPI

/// The client of docs/claiming-grants.md, which knows nothing of our code, claims from a worker.
@Suite(.serialized, .enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"))
struct WorkedExampleTests {
    /// The page's first block of Python.
    private static func program() throws -> String {
        let page = try String(
            contentsOf: Peers.root.appendingPathComponent("docs/claiming-grants.md"), encoding: .utf8)
        let block = try #require(page.components(separatedBy: "```python\n").dropFirst().first)
        return try #require(block.components(separatedBy: "\n```").first)
    }

    @Test(arguments: [false, true])
    func aJobClaimsAsThePageSays(isSealed: Bool) async throws {
        try await SurfaceStage.run { stage in
            let home = try TemporaryDirectory(prefix: "claw-job")
            defer { home.close() }
            let (program, key) = (home.path("claim.py"), home.path("job.jwk"))
            try Data(try Self.program().utf8).write(to: URL(fileURLWithPath: program))
            let made = try await Peers.python([program, "key", key], in: home.path)
            try #require(made.code == 0, "\(made.errors)")
            let thumbprint = try #require(Digest(b64u: made.output.filter { !$0.isWhitespace }))
            var draft = ApprovalDraft("python", .reconcile, in: stage.playground)
            draft.request?.delivery = .reference(claimKey: thumbprint)
            try await stage.playground.produce([try draft.record(signedBy: stage.playground.keys.eventSigner)])
            try await stage.untilDecided(1)
            let url = stage.base + ClaimAddress.path(of: RequestID("req-python"))
            let arguments = [program, "claim", key, url] + (isSealed ? ["--seal"] : [])
            let claimed = try await Peers.python(arguments, in: home.path)
            #expect(claimed.code == 0, "\(claimed.errors)")
            let compact = claimed.output.filter { !$0.isWhitespace }
            let token = try CST.verify(
                try CST.parse(compact), keys: AcceptedKeys(signing: [stage.playground.keys.token]),
                now: .playgroundNow, rules: .strict(audiences: nil))
            #expect(token.claims.missionID == "job-python")
            let other = home.path("other.jwk")
            #expect(try await Peers.python([program, "key", other], in: home.path).code == 0)
            let refused = try await Peers.python([program, "claim", other, url], in: home.path)
            #expect(refused.code == 1 && refused.errors.hasPrefix("invalid_grant: "))
        }
    }
}
