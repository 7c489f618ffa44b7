import ClawWire
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Signed WPC envelopes from clawcontrols: `GET {url}/v1/wpc/{hash}` (WIRE section 7.1).
final class RegistryPolicySource: PolicySource {
    let name: String
    private let base: URL
    private let session: URLSession

    /// The registry answered with something that is no HTTP.
    struct RegistryError: Error, CustomStringConvertible {
        let description: String
    }

    init?(url: String) {
        guard let base = URL(string: url), base.scheme == "https" || base.scheme == "http" else { return nil }
        self.base = base
        name = "registry \(url)"
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 5
        configuration.timeoutIntervalForResource = 10
        session = URLSession(configuration: configuration)
    }

    func envelope(of hash: Digest) async throws -> [UInt8]? {
        let (data, response) = try await session.data(from: base.appendingPathComponent(WPCRegistry.path(hash)))
        guard let status = (response as? HTTPURLResponse)?.statusCode else {
            throw RegistryError(description: "the registry did not answer in HTTP")
        }
        if status == 404 { return nil }
        return JSONWriter.bytes(try WPCRegistry.envelope(status: status, body: Array(data)))
    }
}
