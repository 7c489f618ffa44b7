public import AsyncHTTPClient
import NIOCore
import NIOHTTP1
public import NIOSSL

/// A client that trusts one authority.
public enum TestClient {
    /// Makes a client; `nil` trusts the system's authorities.
    public static func make(
        trusting authority: String?, certificate: (certificate: String, key: String)? = nil,
        maximumVersion: TLSVersion? = nil, http1Only: Bool = false
    ) throws -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authority {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
        }
        if let certificate {
            tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate.certificate).map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: certificate.key, format: .pem))
        }
        if let maximumVersion {
            tls.minimumTLSVersion = .tlsv1
            tls.maximumTLSVersion = maximumVersion
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.httpVersion = http1Only ? .http1Only : .automatic
        configuration.timeout.connect = .seconds(10)
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Runs with a client and shuts it down.
    public static func with<Result>(
        _ client: HTTPClient, _ body: (HTTPClient) async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body(client)
            try await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    /// Posts a body.
    public static func post(
        _ client: HTTPClient, _ url: String, _ body: [UInt8] = [], headers: [(String, String)] = []
    ) async throws -> (status: Int, body: String, version: Int) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, timeout: .seconds(60))
        let answer = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), String(buffer: answer), response.version.major)
    }
}
