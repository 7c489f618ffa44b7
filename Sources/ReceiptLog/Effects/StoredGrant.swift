public import ClawWire

/// The stored form of a ``GrantRecord``, completed without reading it in full.
///
/// The published form is the stored one with two more members at their places. The ledger's own bytes need no second
/// reading of every member; who reads a published grant checks it in full, see ``PublishedGrant/init(parsing:)``.
public struct StoredGrant: Sendable {
    /// The request.
    public let requestID: RequestID
    private let bytes: [UInt8]
    private let mode: String
    /// Where the members begin before which delivery and proof belong.
    private let deliveryPlace: Int
    private let proofPlace: Int

    /// Finds the members of ``GrantRecord/canonicalBytes``.
    ///
    /// - Throws: ``EvidenceError`` `malformed` when the text is no stored grant.
    public init(scanning bytes: [UInt8]) throws(EvidenceError) {
        let members = try CanonicalScanner.members(bytes, bytes.indices)
        func member(_ name: String) -> CanonicalScanner.Member? {
            members.last { CanonicalScanner.isKey(bytes, $0, name) }
        }
        guard let delivery = member("delivery_mode"), let receipt = member("receipt_digest_b64u"),
            let mode = CanonicalScanner.plainText(bytes, delivery.value),
            let request = member("request_id").flatMap({ Self.text(bytes, $0.value) })
        else { throw EvidenceError(.malformed, "", "the text is no stored grant") }
        self.bytes = bytes
        self.mode = mode
        requestID = RequestID(request)
        // A key's range lies between its quotes, so that a member begins one byte before it.
        deliveryPlace = delivery.key.lowerBound - 1
        proofPlace = receipt.key.lowerBound - 1
    }

    private static func text(_ bytes: [UInt8], _ value: Range<Int>) -> String? {
        CanonicalScanner.plainText(bytes, value) ?? (try? JSONReader.parse(Array(bytes[value])))?.string
    }

    /// The published form.
    ///
    /// - Throws: ``EvidenceError`` `invalid_member` when the delivery is not of the mode that was decided.
    public func complete(delivery: GrantDelivery, proof: BatchProof) throws(EvidenceError) -> [UInt8] {
        guard mode == delivery.mode.rawValue else {
            throw EvidenceError(
                .invalidMember, "delivery.mode",
                "\(mode) was decided for request \(requestID), not \(delivery.mode.rawValue)")
        }
        var writer = CanonicalWriter(capacity: bytes.count + 3_072)
        writer.raw(bytes[..<deliveryPlace])
        writer.member("delivery", delivery)
        writer.raw(bytes[deliveryPlace..<proofPlace])
        writer.member("proof", proof)
        writer.raw(bytes[proofPlace...])
        return writer.output
    }
}
