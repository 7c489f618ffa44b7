import ClawWire
import DevStack
import Foundation
import Playground
import Testing

import enum Crypto.Curve25519

@testable import IssuerAPI

/// The description of the surface, against the standard and against what is served.
@Suite(.serialized, .enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"))
struct OpenAPITests {
    @Test func itIsOpenAPI() async throws {
        let result = try await Peers.script("surface", ["lint", Peers.document])
        #expect(result.code == 0, "\(result.output) \(result.errors)")
    }

    @Test func theProgramCarriesTheFile() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: Peers.document))
        let route = try #require(OpenAPIRoutes().routes.first)
        #expect(route.template == "/openapi.yaml")
        #expect(Array(file) == PackageResources.openapi_yaml)
    }

    @Test func itDescribesWhatIsServedAndNothingElse() async throws {
        try await SurfaceStage.run { stage in
            let served = Set(try stage.routes().map { "\($0.method) \($0.template)" })
            let result = try await Peers.script("surface", ["routes", Peers.document])
            let described = Set(result.output.split(separator: "\n").map(String.init))
            #expect(served.subtracting(described).sorted() == [], "served and not described")
            #expect(described.subtracting(served).sorted() == [], "described and not served")
        }
    }

    /// Random and wrong requests by schemathesis: what comes back is what the document says, and never a failure.
    @Test func aStrangerFindsWhatItSays() async throws {
        try await SurfaceStage.run { stage in
            let key = ProofMaker.Key.ed25519(Curve25519.Signing.PrivateKey())
            for number in 0..<3 { try await stage.grant("run-\(number)", to: key) }
            try await stage.untilDecided(3)
            try await Self.probe(
                stage, ["--header", "Authorization: Bearer \(SurfaceStage.probeToken)"], named: "schemathesis.txt")
        }
    }

    /// The same without credentials: routes that ask for them answer 401 or 403 in the form that the document gives, and
    /// the open ones as ever.
    @Test func aStrangerWithoutCredentialsIsRefused() async throws {
        try await SurfaceStage.run { stage in
            let hooks = Peers.folder.appendingPathComponent("Peers/anonymous.py").path
            try await Self.probe(
                stage, [], checks: ["credentials_are_demanded"], examples: 3, hooks: hooks,
                named: "schemathesis-anonymous.txt")
        }
    }

    /// Runs schemathesis against the surface.
    private static func probe(
        _ stage: SurfaceStage, _ arguments: [String], checks: [String] = [], examples: Int = 8, hooks: String? = nil,
        named name: String
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-surface")
        defer { home.close() }
        // Not negative_data_rejection: where the reference passes over members that it does not need, so do we.
        let all =
            [
                "not_a_server_error", "status_code_conformance", "content_type_conformance",
                "response_headers_conformance", "response_schema_conformance",
            ] + checks
        let result = try await Peers.python(
            ["-m", "schemathesis.cli", "run", Peers.document, "--url", stage.base] + arguments + [
                "--checks", all.joined(separator: ","), "--phases", "examples,coverage,fuzzing", "--max-examples",
                "\(examples)", "--seed", "1",
                "--request-timeout", "40", "--generation-database", "none", "--workers", "1", "--no-color",
                "--continue-on-failure",
            ], in: home.path, within: .seconds(420), hooks: hooks)
        Attachment.record(result.output, named: name)
        #expect(result.code == 0, "\(result.output.suffix(6_000)) \(result.errors.suffix(1_000))")
    }
}
