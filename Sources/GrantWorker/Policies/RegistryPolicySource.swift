import AsyncHTTPClient
import ClawWire
import Foundation
import HTTPAnswers
import NIOCore
import NIOHTTP1

/// Signed WPC envelopes from clawcontrols: `GET {url}/v1/wpc/{hash}` (WIRE section 7.1).
final class RegistryPolicySource: PolicySource {
    /// Largest answer: the largest envelope that is read from a file, and what a registry says around it.
    static let maximumAnswerBytes = 262_144
    /// Longest wait for a connection, and for an answer to begin and to go on.
    private static let pause = TimeAmount.seconds(5)

    let name: String
    private let base: URL
    private let client: HTTPClient
    private let patience: Duration

    /// The registry answered with something that is no answer of a registry, or not in time.
    struct RegistryError: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - url: the base address; `nil` is returned for one that is neither http nor https.
    ///   - patience: longest wait for a whole answer.
    init?(url: String, patience: Duration = .seconds(10)) {
        guard let base = URL(string: url), base.scheme == "https" || base.scheme == "http" else { return nil }
        self.base = base
        self.patience = patience
        name = "registry \(url)"
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = Self.pause
        configuration.timeout.read = Self.pause
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit { client.shutdown { _ in } }

    func envelope(of hash: Digest) async throws -> [UInt8]? {
        let deadline = ContinuousClock.now + patience
        var request = HTTPClientRequest(url: base.appendingPathComponent(WPCRegistry.path(hash)).absoluteString)
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "clawgrant")
        do {
            let response = try await client.execute(request, timeout: Self.pause)
            let status = Int(response.status.code)
            if status == 404 { return nil }
            let body = try await response.bytes(upTo: Self.maximumAnswerBytes, by: deadline)
            return JSONWriter.bytes(try WPCRegistry.envelope(status: status, body: body))
        } catch is NIOTooManyBytesError {
            throw RegistryError(
                description: "the registry's answer is larger than \(Self.maximumAnswerBytes) bytes")
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            throw RegistryError(description: "the registry's answer did not come within \(patience)")
        }
    }
}
