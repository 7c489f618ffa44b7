package import ClawWire

extension WorkerConfiguration {
    /// How tokens that are delivered by reference are claimed over HTTP.
    public struct Claims: Sendable, Hashable {
        /// Address under which clients reach the service, without a slash at its end: grants name it, and proofs are made
        /// for it.
        public var address: String
        /// For how long after a claim its answer is given again to the key that claimed.
        public var retryWindow: Duration = .seconds(60)
        /// How far the time in a proof may lie from the ledger's, before or after.
        public var proofTolerance: Duration = .seconds(60)
        /// For how long a nonce is taken.
        public var nonceLifetime: Duration = .seconds(300)

        /// The standard settings.
        public init(address: String) { self.address = address }
    }
}

/// Where a token that is delivered by reference is claimed.
package enum ClaimAddress {
    /// The path of the claim of a request's token, below the service's address.
    package static func path(of request: RequestID) -> String { "/v1/grants/\(encoded(request.rawValue))/claim" }

    static func of(_ request: RequestID, under base: String) -> String { base + path(of: request) }

    /// A text as a segment of a path (RFC 3986 section 3.3): everything but unreserved characters is encoded, so that it
    /// has one spelling.
    package static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                for digit in [byte >> 4, byte & 15] { bytes.append(Array("0123456789ABCDEF".utf8)[Int(digit)]) }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension ConfigurationFileLoader {
    /// The section `claims`; `nil` when there is neither it nor an HTTP surface.
    ///
    /// - Parameter issuer: the address of the HTTP surface, which is that of claims too unless another is given.
    mutating func claims(_ value: ConfigurationValue?, reachedAt issuer: String?) -> WorkerConfiguration.Claims? {
        let section = reader.members(
            value, of: "claims", variables: ["address", "retry_window_s", "proof_tolerance_s", "nonce_lifetime_s"])
        guard let value, !section.isEmpty else { return issuer.map { WorkerConfiguration.Claims(address: $0) } }
        let given = section["address"].flatMap { reader.text($0) }
        guard let text = given ?? issuer else {
            _ = required(nil, "claims.address", value)
            return nil
        }
        guard given == nil || Self.isAddress(text) else {
            reader.report(
                section["address"] ?? value,
                expected: "an https address such as https://issuer.harborline.example, without query and without a "
                    + "slash at its end; http for a loopback address alone")
            return nil
        }
        var settings = WorkerConfiguration.Claims(address: text)
        settings.retryWindow = .seconds(reader.count(section["retry_window_s"], in: 0...600, default: 60))
        settings.proofTolerance = .seconds(reader.count(section["proof_tolerance_s"], in: 5...300, default: 60))
        settings.nonceLifetime = .seconds(reader.count(section["nonce_lifetime_s"], in: 10...3_600, default: 300))
        return settings
    }

    private static func isAddress(_ text: String) -> Bool {
        guard !text.hasSuffix("/"), text.utf8.count <= 512,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && ![0x22, 0x23, 0x3F, 0x40, 0x5C].contains($0) })
        else { return false }
        if text.hasPrefix("https://") { return text.utf8.count > 8 }
        return ["http://127.0.0.1", "http://[::1]", "http://localhost"].contains { host in
            text == host || text.hasPrefix(host + ":") || text.hasPrefix(host + "/")
        }
    }
}
