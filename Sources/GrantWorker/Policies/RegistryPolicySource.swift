import ClawWire
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Signed WPC envelopes from clawcontrols: `GET {url}/v1/wpc/{hash}` (WIRE section 7.1).
final class RegistryPolicySource: PolicySource {
    private static let maximumBytes = 131_072
    let name: String
    private let base: URL
    private let session: URLSession

    /// The registry answered with something that is no envelope.
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
        let (data, response) = try await session.data(from: base.appendingPathComponent("v1/wpc/\(hash.b64u)"))
        guard let status = (response as? HTTPURLResponse)?.statusCode else {
            throw RegistryError(description: "the registry did not answer in HTTP")
        }
        if status == 404 { return nil }
        guard status == 200 else { throw RegistryError(description: "the registry answered \(status)") }
        guard data.count <= Self.maximumBytes else {
            throw RegistryError(description: "the registry answered with \(data.count) bytes")
        }
        let body = try JSONReader.parse(Array(data), limits: .workPolicyContractEnvelope, duplicates: .keepLastValue)
        guard let envelope = body["envelope"] ?? (body["payload_hash_b64u"] != nil ? body : nil) else {
            throw RegistryError(description: "the registry's answer holds no envelope")
        }
        return JSONWriter.bytes(envelope)
    }
}
