import AsyncHTTPClient
import ClawWire
import HTTPAnswers
import Kafka
import Keys
import NIOCore
import NIOHTTP1
import NIOSSL

/// One request for a token by the client credentials grant (RFC 6749 section 4.4).
struct ClientCredentialsGrant {
    private let client: BrokerTokenSource.ClientCredentials

    private let patience: Duration

    init(_ client: BrokerTokenSource.ClientCredentials, patience: Duration) {
        self.client = client
        self.patience = patience
    }

    func token() async throws -> OAuthBearerToken {
        guard client.endpoint.hasPrefix("https://") else {
            throw BrokerTokenError("the token endpoint \(client.endpoint) is no https address")
        }
        let path = client.secretFile
        let secret: SecretBytes
        do {
            secret = try await BrokerTokens.offPool { try SecretFile.load(path, form: .line) }
        } catch {
            throw BrokerTokenError("the client secret: \(error)")
        }
        // A client for each token, of which there is one in an hour: nothing is kept open in between.
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try configuration())
        do {
            let token = try await ask(http, secret)
            try await http.shutdown()
            return token
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    private func configuration() throws -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = client.authorityFile {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
            } catch {
                throw BrokerTokenError("\(file) cannot be read as certificates in PEM")
            }
        }
        // A redirect would carry the secret to wherever it points.
        return HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
    }

    private func ask(_ http: HTTPClient, _ secret: SecretBytes) async throws -> OAuthBearerToken {
        var request = HTTPClientRequest(url: client.endpoint)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        request.headers.add(name: "accept", value: "application/json")
        var form = [("grant_type", "client_credentials"), ("client_id", client.clientID)]
        form.append(("client_secret", secret.textExposed() ?? ""))
        if let scope = client.scope { form.append(("scope", scope)) }
        let body = form.map { "\(Self.encoded($0.0))=\(Self.encoded($0.1))" }.joined(separator: "&")
        request.body = .bytes(ByteBuffer(string: body))
        let response: HTTPClientResponse
        let answer: [UInt8]
        let deadline = ContinuousClock.now + patience
        do {
            response = try await http.execute(
                request, timeout: .milliseconds(Int64(patience / .milliseconds(1))))
            answer = try await response.bytes(upTo: BrokerTokens.maximumBytes, by: deadline)
        } catch {
            throw BrokerTokenError("the token endpoint \(client.endpoint) cannot be reached: \(error)")
        }
        let object = try? JSONReader.parse(answer, limits: .standard)
        guard response.status == .ok else {
            throw BrokerTokenError(
                "the token endpoint \(client.endpoint) refused with \(response.status.code) \(Self.code(in: object))")
        }
        guard let token = object?["access_token"]?.string, !token.isEmpty else {
            throw BrokerTokenError("the token endpoint \(client.endpoint) answered without access_token")
        }
        let claims = BrokerTokens.claims(of: token)
        let now = BrokerTokens.now.seconds
        let ends = [
            object?["expires_in"]?.integer.map { now + min($0, 31_536_000) }, claims?["exp"]?.integer,
        ].compactMap { $0 }
        guard let end = ends.min() else {
            throw BrokerTokenError("the token endpoint \(client.endpoint) does not say when its token expires")
        }
        return try BrokerTokens.make(
            token, claims: claims, client: client.clientID, expiresAt: end,
            from: "the token endpoint \(client.endpoint)")
    }

    /// The error code of RFC 6749 section 5.2, as far as it is one. The rest of an answer may repeat what was sent.
    private static func code(in object: JSONValue?) -> String {
        guard let code = object?["error"]?.string, code.utf8.count <= 64,
            code.utf8.allSatisfy({ ($0 >= 0x61 && $0 <= 0x7A) || $0 == UInt8(ascii: "_") })
        else { return "" }
        return code
    }

    /// A text as a form's value (URL standard, application/x-www-form-urlencoded).
    static func encoded(_ text: String) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "*"):
                output.append(byte)
            default: output += Array("%\(Hex.encode([byte]).uppercased())".utf8)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
