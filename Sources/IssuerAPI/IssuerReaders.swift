package import ClawWire
import HTTPService

/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum IssuerReaders {
    /// A proof of possession, as far as it says something.
    package struct Proof: Sendable, Hashable {
        package let key: Digest
        package let identifier: String
        package let issuedAt: Timestamp
        package let nonce: String?
        package let sealTo: [UInt8]?
    }

    /// The pairs of a form or a query; `nil` when it does not decode.
    package static func pairs(_ bytes: [UInt8]) -> [(name: String, value: String)]? { FormText.pairs(bytes) }

    /// Who a field `authorization` names; `nil` for nobody.
    package static func credential(_ field: String) -> (name: String?, token: String)? {
        CallerCredential(field).map { ($0.name, $0.token) }
    }

    /// The address of a proof in its one spelling; `nil` for no address.
    package static func target(_ text: String) -> String? { ProofTarget(text).map(\.text) }

    /// A proof made for a request; `nil` for one that is refused.
    package static func proof(
        _ values: [String], method: String, target: String, now: Timestamp, tolerance: Duration
    ) -> Proof? {
        let expected = DPoPProof.Expectation(method: method, target: target, now: now, tolerance: tolerance)
        guard let proof = try? DPoPProof(values, expecting: expected) else { return nil }
        return Proof(
            key: proof.key, identifier: proof.identifier, issuedAt: proof.issuedAt, nonce: proof.nonce,
            sealTo: proof.sealTo)
    }

    /// True for a nonce that the key made not too long ago.
    package static func accepts(nonce: String, key: [UInt8], now: Timestamp) -> Bool {
        ProofNonces(key: key, lifetime: .seconds(300)).accepts(nonce, at: now)
    }

    /// A nonce of now.
    package static func nonce(key: [UInt8], now: Timestamp) -> String {
        ProofNonces(key: key, lifetime: .seconds(300)).nonce(at: now)
    }

    /// The token in a body of introspection or revocation, by its media type; `nil` when it is refused.
    package static func token(contentType: String, body: [UInt8]) -> String? {
        let request = HTTPServiceRequest(
            method: "POST", path: "/", fields: [HTTPServiceField("content-type", contentType)], body: body)
        if let parameters = try? TokenParameters(form: request) { return parameters.token }
        return (try? TokenParameters.json(request))?["token"]?.string
    }

    /// The values of a path's variables under templates; `nil` when nothing serves it.
    package static func parameters(of path: String, under templates: [String]) -> [String: String]? {
        let routes = templates.map { Route("GET", $0, access: .open) { _ in HTTPServiceResponse(status: 204) } }
        return (try? Router(routes))?.find(path)?.parameters
    }
}
