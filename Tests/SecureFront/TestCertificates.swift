public import DevStack
import Foundation

/// Certificates for one test: an authority, a server's for loopback, a client's, and those of an authority that nobody
/// trusts.
public struct TestCertificates: Sendable {
    /// The authority.
    public let authority: String
    /// The server's certificate and key.
    public let server: (certificate: String, key: String)
    /// A client's certificate and key.
    public let client: (certificate: String, key: String)
    /// An authority that nobody trusts.
    public let strangeAuthority: String
    /// A client's certificate and key from that authority.
    public let stranger: (certificate: String, key: String)

    /// Makes them with the `openssl` command in a directory.
    public static func make(in directory: TemporaryDirectory) async throws -> TestCertificates {
        try await authority("ca", directory)
        try await authority("strange", directory)
        return TestCertificates(
            authority: directory.path("ca.pem"), server: try await issue("server", by: "ca", directory),
            client: try await issue("client", by: "ca", directory), strangeAuthority: directory.path("strange.pem"),
            stranger: try await issue("stranger", by: "strange", directory))
    }

    /// Issues another certificate for the server under a name of its own.
    public static func another(
        _ name: String, in directory: TemporaryDirectory
    ) async throws -> (certificate: String, key: String) {
        try await issue(name, by: "ca", directory)
    }

    /// Issues another certificate for a server that is called `localhost` and has other alternative names.
    ///
    /// - Parameter names: such as `DNS:other.harborline.example`.
    public static func named(
        _ names: String, in directory: TemporaryDirectory
    ) async throws -> (certificate: String, key: String) {
        try await issue("localhost", by: "ca", names: names, directory)
    }

    private static func openssl(_ arguments: [String]) async throws {
        try await Command.output(of: ManagedProcess.Configuration(executable: "openssl", arguments: arguments))
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    private static func authority(_ name: String, _ directory: TemporaryDirectory) async throws {
        try await openssl(
            ["req", "-x509", "-days", "2", "-subj", "/CN=\(name) authority"] + newKey + [
                "-keyout", directory.path("\(name).key"), "-out", directory.path("\(name).pem"),
            ])
    }

    private static func issue(
        _ name: String, by authority: String, names: String = "IP:127.0.0.1,DNS:localhost",
        _ directory: TemporaryDirectory
    ) async throws -> (certificate: String, key: String) {
        let extensions = directory.path("\(name).ext")
        try "subjectAltName=\(names)\n".write(
            toFile: extensions, atomically: true, encoding: .utf8)
        let (request, key) = (directory.path("\(name).csr"), directory.path("\(name).key"))
        try await openssl(["req", "-new", "-subj", "/CN=\(name)"] + newKey + ["-keyout", key, "-out", request])
        let certificate = directory.path("\(name).pem")
        try await openssl([
            "x509", "-req", "-days", "2", "-in", request, "-CA", directory.path("\(authority).pem"), "-CAkey",
            directory.path("\(authority).key"), "-CAcreateserial", "-extfile", extensions, "-out", certificate,
        ])
        return (certificate, key)
    }
}
