import ArgumentParser
import AsyncHTTPClient
import ClawWire
import GrantWorker
import HTTPAnswers
import Keys
import NIOCore
import NIOHTTP1
import NIOSSL

/// `clawgrant ready`: asks the surface of this configuration's worker whether it is ready.
struct ReadyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ready", abstract: "Ask the worker of this host whether it is ready.",
        discussion: """
            GET /ready of the section `http`, over loopback: for the health check of a container that has no other client \
            in it. Exit code 0 when it is ready; 1 when it is not, with its reasons, or when it does not answer. It sends \
            nothing secret, so it takes any certificate unless --ca says whose. A surface that demands client \
            certificates is shown that of --client-certificate.
            """)

    /// Most of an answer that is read.
    private static let maximumAnswer = 65_536

    @OptionGroup var source: ConfigurationOptions
    @Option(
        name: .customLong("timeout"), help: ArgumentHelp("How long to wait for the answer.", valueName: "seconds"))
    var timeout = 5
    @Option(
        name: .customLong("client-certificate"),
        help: ArgumentHelp(
            "The certificate to show, in PEM, followed by those of intermediate authorities.", valueName: "file"))
    var clientCertificate: String?
    @Option(
        name: .customLong("client-key"),
        help: ArgumentHelp("The private key of --client-certificate, in PEM, mode 0600.", valueName: "file"))
    var clientKey: String?
    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp(
            "The authorities of which one must have issued the surface's certificate. The name in it is not compared: "
                + "the surface is asked by its address.", valueName: "file"))
    var authorities: String?

    func validate() throws {
        guard (1...300).contains(timeout) else { throw ValidationError("--timeout is 1 to 300 seconds") }
        guard (clientCertificate == nil) == (clientKey == nil) else {
            throw ValidationError("--client-certificate and --client-key go together")
        }
    }

    mutating func run() async throws {
        let file = try source.load()
        guard let http = file.worker.http else {
            throw CommandFailure.usage("\(file.path) has no section http, so there is nothing to ask")
        }
        guard http.port != 0 else {
            throw CommandFailure.usage("\(file.path): http.listen.port is 0, so nobody knows where the worker listens")
        }
        let address = Self.address(http)
        if http.tls?.requiresClientCertificate ?? false, clientCertificate == nil {
            throw CommandFailure.usage(
                "\(file.path): http.tls.client_certificates is required, so \(address) is asked with --client-certificate "
                    + "and --client-key")
        }
        let (status, answer) = try await ask(address)
        let reasons = answer["reasons"]?.array?.compactMap(\.string) ?? []
        guard status == 200, answer["status"]?.string == "ready" else {
            throw CommandFailure.negative(
                "\(address) answers \(status): "
                    + (reasons.isEmpty
                        ? "this is no answer of a worker" : "not ready: \(reasons.joined(separator: ", "))"),
                remedy: "docs/http.md says what each reason means")
        }
        Console.out("ready")
    }

    /// Where the surface is asked: the host itself, where the worker listens on all of its addresses.
    static func address(_ http: HTTPSettings) -> String {
        let host =
            switch http.host {
            case "0.0.0.0", "", "localhost": "127.0.0.1"
            case "::": "[::1]"
            case let host: host.contains(":") ? "[\(host)]" : host
            }
        return "\(http.tls == nil ? "http" : "https")://\(host):\(http.port)/ready"
    }

    private func security() throws -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        if let file = authorities {
            tls.certificateVerification = .noHostnameVerification
            tls.trustRoots = .certificates(
                try Self.reading(file, "certificates in PEM") { try NIOSSLCertificate.fromPEMFile(file) })
        }
        if let certificate = clientCertificate, let key = clientKey {
            tls.certificateChain = try Self.reading(certificate, "certificates in PEM") {
                try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
            }
            tls.privateKey = .privateKey(
                try Self.reading(key, "a private key in PEM that nobody else can read") {
                    try NIOSSLPrivateKey(bytes: try SecretFile.load(key).copyExposed(), format: .pem)
                })
        }
        do {
            _ = try NIOSSLContext(configuration: tls)
        } catch {
            throw CommandFailure.usage("--client-certificate and --client-key do not go together: \(error)")
        }
        return tls
    }

    private static func reading<Value>(_ path: String, _ what: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw CommandFailure.usage("\(path) cannot be read as \(what): \(error)")
        }
    }

    private func ask(_ address: String) async throws -> (status: UInt, answer: JSONValue) {
        var configuration = HTTPClient.Configuration(tlsConfiguration: try security())
        configuration.redirectConfiguration = .disallow
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<(UInt, JSONValue), any Error>
        let deadline = ContinuousClock.now + .seconds(timeout)
        do {
            let response = try await client.execute(
                HTTPClientRequest(url: address), timeout: .seconds(Int64(timeout)))
            let body = try await response.bytes(upTo: Self.maximumAnswer, by: deadline)
            let answer = (try? JSONReader.parse(body)) ?? .null
            result = .success((response.status.code, answer))
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        do {
            return try result.get()
        } catch {
            throw CommandFailure.negative(
                "\(address) does not answer: \(error)", remedy: "see whether the worker runs, and its log")
        }
    }
}
