import ClawWire
import DevStack
import Foundation
import Testing

/// The commands of docs/security/key-ceremony.md, run as they stand there.
@Suite(.timeLimit(.minutes(5)))
struct CeremonyTests {
    /// The shell blocks under a heading, in order.
    private static func blocks(_ heading: String) throws -> [String] {
        let text = try Tree.text("docs/security/key-ceremony.md")
        let start = try #require(text.range(of: "\n## \(heading)\n"), "there is no heading \(heading)")
        let rest = text[start.upperBound...]
        let section = rest.range(of: "\n## ").map { rest[..<$0.lowerBound] } ?? rest
        return section.components(separatedBy: "```sh\n").dropFirst().map {
            $0.components(separatedBy: "\n```")[0]
        }
    }

    private static let modulePath = [
        "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ].first { FileManager.default.fileExists(atPath: $0) }

    private struct Place {
        let home: TemporaryDirectory
        var environment: [String: String]

        init() throws {
            home = try TemporaryDirectory(prefix: "claw-keys")
            let program = try #require(Tree.program)
            environment = [
                "KEYS": home.path, "CLAWGRANT_CONFIG": home.path("clawgrant.yaml"),
                "PATH": "\(URL(fileURLWithPath: program).deletingLastPathComponent().path):/usr/bin:/bin:/usr/sbin",
            ]
        }

        func run(_ block: String) async throws -> String {
            let ran = try await Ran.run("/bin/bash", ["-euo", "pipefail", "-c", block], environment: environment)
            #expect(ran.code == 0, "\(block)\n\(ran.all)")
            return ran.output
        }

        /// Writes a configuration with these keys; nothing else of it is looked at by the commands about keys.
        func configure(_ token: String) throws {
            try """
            config_version: "1"
            log_id: harborline.example/clawgrant
            kafka: {properties: {bootstrap.servers: "127.0.0.1:1"}}
            database: {conninfo: "host=/nowhere dbname=clawgrant"}
            keys:
            \(token)
              - {purpose: receipt, file: receipt-1.pem}
              - {purpose: envelope, file: envelope-1.pem}
            secrets: {token_id_file: token-id, sealing_file: sealing}
            rules: rules.yaml
            """.write(toFile: home.path("clawgrant.yaml"), atomically: true, encoding: .utf8)
        }
    }

    private static func kids(_ keySet: String) throws -> [String] {
        try #require(try JSONReader.parse(keySet)["keys"]?.array).compactMap { $0["kid"]?.string }
    }

    @Test func theCeremonyMakesChangesAndEndsAKey() async throws {
        let place = try Place()
        defer { place.home.close() }
        let making = try Self.blocks("Making keys in files")
        #expect(making.count == 2)
        _ = try await place.run(making[0])
        for file in ["token-1.pem", "receipt-1.pem", "envelope-1.pem", "token-id", "sealing"] {
            #expect(try await Ran.shell("stat -c %a \(place.home.path(file))").output == "600\n", "\(file)")
        }
        // A second time nothing is replaced.
        let repeated = try await Ran.run("/bin/bash", ["-euc", making[0]], environment: place.environment)
        #expect(repeated.code != 0)
        try place.configure("  - {purpose: token, file: token-1.pem}")
        let first = try await place.run("clawgrant keys jwks")
        _ = try await place.run(making[1])
        let old = try #require(try Self.kids(first).first)

        let rotation = try Self.blocks("Rotation")
        #expect(rotation.count == 4)
        _ = try await place.run(rotation[0])
        try place.configure(
            """
              - {purpose: token, file: token-1.pem}
              - {purpose: token, file: token-2.pub, state: verify_only, not_after: 2030-01-01T00:00:00Z}
            """)
        let announced = try Self.kids(try await place.run(rotation[1]))
        #expect(announced.count == 2 && announced.first == old)
        let new = try #require(announced.last)
        try place.configure(
            """
              - {purpose: token, file: token-2.pem}
              - {purpose: token, file: token-1.pem, state: verify_only, not_after: 2029-01-01T00:00:00Z}
            """)
        let shown = try await place.run(rotation[2])
        #expect(shown.contains(new) && shown.contains(old))
        #expect(try Self.kids(try await place.run("clawgrant keys jwks")).first == new)
        try place.configure(
            """
              - {purpose: token, file: token-2.pem}
              - {purpose: token, file: token-1.pub, state: retired}
            """)
        #expect(try Self.kids(try await place.run(rotation[3])) == [new])
        #expect(!FileManager.default.fileExists(atPath: place.home.path("token-1.pem")))
    }

    @Test(.enabled(if: modulePath != nil && FileManager.default.isExecutableFile(atPath: "/usr/bin/pkcs11-tool")))
    func theCeremonyOfAModuleMakesAKeyThatNeverLeaves() async throws {
        var place = try Place()
        defer { place.home.close() }
        let module = try #require(Self.modulePath)
        try await Ran.shell("mkdir -m 700 \(place.home.path("tokens"))")
        try "directories.tokendir = \(place.home.path("tokens"))\nobjectstore.backend = file\nlog.level = ERROR\n"
            .write(
                toFile: place.home.path("softhsm2.conf"), atomically: true, encoding: .utf8)
        place.environment.merge(
            [
                "SOFTHSM2_CONF": place.home.path("softhsm2.conf"), "MODULE": module, "PIN": "480213",
                "SO_PIN": "11223344",
            ]) { _, new in new }
        _ = try await place.run(try #require(try Self.blocks("Making keys in files").first))
        try place.configure(
            "  - {purpose: token, pkcs11: {module: \(module), token: claw-issuer, key: token-2026, pin_file: pin}}")
        let blocks = try Self.blocks("Making a key in a module")
        #expect(blocks.count == 1)
        let output = try await place.run(blocks[0])
        #expect(output.contains("sensitive") && output.contains("never extractable"), "\(output)")
        #expect(!output.contains("480213"))
        #expect(try Self.kids(try await place.run("clawgrant keys jwks")).count == 1)
    }
}
