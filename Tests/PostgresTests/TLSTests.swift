import DevStack
import Foundation
import Postgres
import Testing

/// `sslmode=verify-full` against a server with TLS: who it is taken for, and who not.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct TLSTests {
    private struct Served {
        let server: PrivatePostgres
        let home: TemporaryDirectory

        func configuration(host: String, authority: String) throws -> PostgresConfiguration {
            try PostgresConfiguration(keywords: [
                "host": host, "hostaddr": "127.0.0.1", "port": "\(server.port)", "dbname": "postgres",
                "user": PrivatePostgres.superuser, "passfile": home.path("passwords"), "sslmode": "verify-full",
                "sslrootcert": home.path(authority),
            ])
        }
    }

    private static func certificate(_ name: String, in home: TemporaryDirectory, _ more: [String]) async throws {
        try await Command.output(
            of: ManagedProcess.Configuration(
                executable: "openssl",
                arguments: [
                    "req", "-x509", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", home.path("\(name).key"), "-out", home.path("\(name).pem"),
                ] + more))
    }

    private static func withServer(_ body: (Served) async throws -> Void) async throws {
        let home = try TemporaryDirectory(prefix: "claw-tls")
        let folder = home.path("tls")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await certificate(
            "server", in: home,
            ["-subj", "/CN=ledger.harborline.example", "-addext", "subjectAltName=DNS:ledger.harborline.example"])
        try await certificate("stranger", in: home, ["-subj", "/CN=ledger.harborline.example"])
        var options = PrivatePostgres.Options.forTests
        options.listensOnLoopback = true
        let server = try PrivatePostgres(directory: home.path("pg"), options: options)
        try await server.start()
        defer { server.signal(.quit) }
        // The server reads them as its own user, who may be another than ours.
        for (from, to) in [("server.pem", "server.crt"), ("server.key", "server.key")] {
            let text = try String(contentsOfFile: home.path(from), encoding: .utf8)
            let quoted = text.replacing("\n", with: "\\n")
            try await server.execute(
                "COPY (SELECT unnest(string_to_array(E'\(quoted)', E'\\n'))) TO PROGRAM 'umask 077; cat > \(to)'")
        }
        try await server.execute("ALTER SYSTEM SET ssl = on")
        try await server.restart()
        let passwords = try String(contentsOfFile: home.path("pg/passwords"), encoding: .utf8)
        #expect(
            FileManager.default.createFile(
                atPath: home.path("passwords"), contents: Data(passwords.replacing("127.0.0.1:", with: "*:").utf8),
                attributes: [.posixPermissions: 0o600]))
        try await body(Served(server: server, home: home))
        try await server.stop()
    }

    @Test func onlyTheServerOfThatNameAndAuthorityIsTalkedTo() async throws {
        try await Self.withServer { served in
            let right = try served.configuration(host: "ledger.harborline.example", authority: "server.pem")
            #expect(right.isServerVerified)
            let connection = try await PostgresConnection.connect(right)
            let ssl = try await connection.simple("SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0]
            #expect(try ssl.string(0, 0) == "true")
            await connection.close()
            for (host, authority) in [
                ("other.harborline.example", "server.pem"), ("ledger.harborline.example", "stranger.pem"),
            ] {
                let wrong = try served.configuration(host: host, authority: authority)
                let error = await failure { try await PostgresConnection.connect(wrong) }
                #expect(error.map { "\($0)".contains("certificate") } == true, "\(host): \(String(describing: error))")
            }
        }
    }
}
