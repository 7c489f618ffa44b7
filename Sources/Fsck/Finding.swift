/// Something in the topics or the ledger that must not be so.
public struct Finding: Sendable, Hashable, CustomStringConvertible {
    /// The property that it breaks.
    public enum Property: String, Sendable, Hashable, CaseIterable {
        /// One approval, one outcome.
        case oneOutcome = "P1"
        /// A stop is a line.
        case stopLine = "P2"
        /// Nothing is issued while anything that must be known is not.
        case failClosed = "P3"
        /// Everything leaves exactly one receipt.
        case receipts = "P4"
        /// No bearer token at rest.
        case noBearer = "P5"
        /// A grant is never wider than its parts.
        case neverWider = "P6"
        /// A token is bound to job, approval, WPC and key.
        case bound = "P7"
        /// Dense positions, byte-identical repeats.
        case densePositions = "P8"
    }

    /// The broken property.
    public let property: Property
    /// Stable name of the kind of finding, for example `batch.root_mismatch`.
    public let code: String
    /// Where: topic, partition and offset, a batch and index, or a table and key.
    public let place: String
    /// A sentence for people: what was found, what was expected.
    public let detail: String

    /// Makes a finding.
    public init(_ property: Property, _ code: String, at place: String, _ detail: String) {
        self.property = property
        self.code = code
        self.place = place
        self.detail = detail
    }

    /// For example `P4 batch.root_mismatch at claw.receipts.batches.v1/0@17: …`.
    public var description: String { "\(property.rawValue) \(code) at \(place): \(detail)" }
}
