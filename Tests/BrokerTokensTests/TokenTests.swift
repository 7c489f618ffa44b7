import BrokerTokens
import ClawWire
import DevStack
import Foundation
import HTTPService
import Kafka
import Logging
import Primitives
import SecureFront
import StubbornServer
import Testing

/// Tokens of the form of a JWT, for brokers and servers under test.
enum TestToken {
    static func make(_ claims: JSONObject) -> String {
        let header = Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))
        return "\(header).\(Base64URL.encode(JSONWriter.bytes(.object(claims)))).c2ln"
    }

    static func make(subject: String, expiresIn seconds: Double) -> String {
        make(["sub": .string(subject), "exp": .integer(Int64(Date().timeIntervalSince1970 + seconds))])
    }
}

@Suite struct TokenTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(prefix: "claw-token") }

    private func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let path = directory.path(name)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    private func failure(_ source: BrokerTokenSource, patience: Duration = .seconds(20)) async -> String {
        do {
            _ = try await BrokerTokens.provider(source, patience: patience)()
            return "no error"
        } catch { return "\(error)" }
    }

    @Test func aFileIsReadAnewForEachToken() async throws {
        let path = try write("token", TestToken.make(subject: "first", expiresIn: 3_600) + "\n")
        let provider = BrokerTokens.provider(.file(path))
        let first = try await provider()
        #expect(first.principal == "first")
        #expect(first.value.reveal() == (try String(contentsOfFile: path, encoding: .utf8)).dropLast())
        let left = Double(first.expiresAt) / 1_000 - Date().timeIntervalSince1970
        #expect(left > 3_500 && left <= 3_600)
        _ = try write("token", TestToken.make(subject: "second", expiresIn: 3_600))
        #expect(try await provider().principal == "second")
    }

    @Test func filesWithoutAUsableTokenAreNamedAndNotRepeated() async throws {
        let secret = "planted-secret"
        for (text, expected) in [
            (secret, "JSON Web Token"), (TestToken.make(["sub": .string(secret)]), "without exp"),
            (TestToken.make(subject: secret, expiresIn: -1), "expired"), (#"{"a":"\#(secret)"}"#, "access_token"),
            (String(repeating: secret, count: 10_000), "bytes"),
        ] {
            let path = try write("token", text)
            let message = await failure(.file(path))
            #expect(message.contains(expected), "\(message)")
            #expect(message.contains(path))
            #expect(!message.contains(secret))
        }
        #expect(await failure(.file(directory.path("nowhere"))).contains("nowhere"))
    }

    @Test func aCommandPrintsATokenOrAnObjectWithOne() async throws {
        let token = TestToken.make(subject: "command", expiresIn: 600)
        for text in [token, #"{"access_token":"\#(token)"}"#, #"{"accessToken":"\#(token)","expiresOn":"x"}"#] {
            let path = try write("printed", text)
            let made = try await BrokerTokens.provider(.command(["/bin/cat", path]))()
            #expect(made.principal == "command")
            #expect(made.value.reveal() == token)
        }
        #expect(await failure(.command(["/bin/false"])).contains("status 1"))
        #expect(await failure(.command(["/bin/nowhere"])).contains("cannot be run"))
    }

    // MARK: Client credentials

    private struct Endpoint {
        let service: HTTPService
        let task: Task<Void, any Error>
        let port: Int
        let requests: Lock<[HTTPServiceRequest]>

        func stop() async throws {
            service.stop()
            try await task.value
        }
    }

    private func endpoint(
        _ certificates: TestCertificates, _ answer: @escaping @Sendable () -> HTTPServiceResponse
    ) async throws -> Endpoint {
        let requests = Lock<[HTTPServiceRequest]>([])
        let service = try HTTPService(
            configuration: HTTPServiceConfiguration(
                host: "127.0.0.1", port: 0,
                tls: HTTPServiceConfiguration.TLS(
                    certificateFile: certificates.server.certificate, keyFile: certificates.server.key)),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { request in
            requests.withLock { $0.append(request) }
            return answer()
        }
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let task = Task { try await service.run { listening.yield($0) } }
        var iterator = ports.makeAsyncIterator()
        return Endpoint(service: service, task: task, port: await iterator.next() ?? 0, requests: requests)
    }

    @Test func anAuthorizationServerIsAskedForATokenOverTLS() async throws {
        let certificates = try await TestCertificates.make(in: directory)
        let token = TestToken.make(subject: "s", expiresIn: 3_600)
        let endpoint = try await endpoint(certificates) {
            HTTPServiceResponse(
                status: 200, fields: [HTTPServiceField("content-type", "application/json")],
                body: Array(#"{"token_type":"Bearer","access_token":"\#(token)","expires_in":600}"#.utf8))
        }
        let secret = try write("client", "a+b c&d=é\n")
        let client = BrokerTokenSource.ClientCredentials(
            endpoint: "https://127.0.0.1:\(endpoint.port)/token", clientID: "app-1", secretFile: secret,
            scope: "https://ns.example/.default", authorityFile: certificates.authority)
        let made = try await BrokerTokens.provider(.clientCredentials(client))()
        #expect(made.value.reveal() == token)
        #expect(made.principal == "app-1")
        let left = Double(made.expiresAt) / 1_000 - Date().timeIntervalSince1970
        #expect(left > 500 && left <= 600)
        let request = try #require(endpoint.requests.withLock { $0.first })
        #expect(request.method == "POST")
        #expect(request.field("content-type") == "application/x-www-form-urlencoded")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "grant_type=client_credentials&client_id=app-1&client_secret=a%2Bb%20c%26d%3D%C3%A9"
                + "&scope=https%3A%2F%2Fns.example%2F.default")
        // An authority that is not trusted must not get to see the secret.
        var stranger = client
        stranger.authorityFile = certificates.strangeAuthority
        #expect(await failure(.clientCredentials(stranger)).contains("cannot be reached"))
        #expect(endpoint.requests.withLock { $0.count } == 1)
        try await endpoint.stop()
    }

    @Test func refusalsAreToldByTheirCodeAlone() async throws {
        let certificates = try await TestCertificates.make(in: directory)
        let answers = Lock<[HTTPServiceResponse]>([
            HTTPServiceResponse(
                status: 401, body: Array(#"{"error":"invalid_client","error_description":"planted-secret"}"#.utf8)),
            HTTPServiceResponse(status: 400, body: Array(#"{"error":"planted-secret"}"#.utf8)),
            HTTPServiceResponse(status: 200, body: Array(#"{"planted-secret":1}"#.utf8)),
            HTTPServiceResponse(status: 200, body: Array(#"{"access_token":"planted-secret"}"#.utf8)),
            HTTPServiceResponse(status: 302, fields: [HTTPServiceField("location", "https://127.0.0.1:1/")]),
        ])
        let endpoint = try await endpoint(certificates) { answers.withLock { $0.removeFirst() } }
        let secret = try write("client", "planted-secret")
        let client = BrokerTokenSource.clientCredentials(
            .init(
                endpoint: "https://127.0.0.1:\(endpoint.port)/token", clientID: "app-1", secretFile: secret,
                authorityFile: certificates.authority))
        for expected in [
            "refused with 401 invalid_client", "refused with 400", "without access_token", "does not say when",
            "refused with 302",
        ] {
            let message = await failure(client)
            #expect(message.contains(expected), "\(message)")
            #expect(!message.contains("planted-secret"), "\(message)")
        }
        try await endpoint.stop()
    }

    /// Of an endpoint that sends without end, or never, no more is read and waited for than a token takes.
    @Test(arguments: StubbornServer.Manner.allCases)
    func anAnswerWithoutEndIsAnError(_ manner: StubbornServer.Manner) async throws {
        let certificates = try await TestCertificates.make(in: directory)
        let server = try await StubbornServer.start(manner, tls: certificates.server)
        let client = BrokerTokenSource.ClientCredentials(
            endpoint: "\(server.url)/token", clientID: "app-1", secretFile: try write("client", "planted-secret"),
            authorityFile: certificates.authority)
        let isLarge = manner == .endless || manner == .boastful || manner == .endlessHead
        let message = await failure(
            .clientCredentials(client), patience: isLarge ? .seconds(600) : .milliseconds(300))
        #expect(message.contains("cannot be reached") && !message.contains("planted-secret"), "\(message)")
        await server.close()
    }

    @Test func aSecretInTheOpenIsNotSent() async throws {
        let secret = try write("client", "planted-secret", mode: 0o644)
        let message = await failure(
            .clientCredentials(.init(endpoint: "https://127.0.0.1:1/", clientID: "a", secretFile: secret)))
        #expect(message.contains("0644"), "\(message)")
        let plain = await failure(
            .clientCredentials(.init(endpoint: "http://127.0.0.1:1/", clientID: "a", secretFile: secret)))
        #expect(plain.contains("https"))
    }
}
