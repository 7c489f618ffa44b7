public import ClawWire

/// Which of the reference's two verifiers answers. They disagree about a quarter of all bundles (WIRE section 14).
public enum ReferenceVerifier: String, Sendable, Hashable, CaseIterable {
    /// The library.
    case core
    /// The hosted verifier.
    case service
}

/// The options with which a caller of the reference asks about a bundle.
///
/// They are kept as the JSON object that the caller hands over, because the reference reads them as loosely as
/// everything else: an option of another type counts as absent unless a check says otherwise.
public struct ReferenceOptions: Sendable, Hashable {
    /// The options as given.
    public var members: JSONObject

    /// Makes options of a caller's object.
    public init(_ members: JSONObject = [:]) { self.members = members }

    /// The texts of an array option; `nil` when it is no array. Other elements are left out.
    public func texts(_ key: String) -> [String]? { members[key]?.array.map { $0.compactMap(\.string) } }

    /// The text of an option; `nil` when it is absent or no text.
    public func text(_ key: String) -> String? { members[key]?.string }

    /// DIDs whose gateway receipts count. `nil` is another answer than an empty list.
    public var receiptSigners: [String]? { texts("allowlistedReceiptSignerDids") }

    /// DIDs whose attestations count.
    public var attesters: [String]? { texts("allowlistedAttesterDids") }

    /// The run manifest document that the bundle refers to.
    public var urm: JSONValue? { members["urm"] }

    /// By how many milliseconds an expiry may lie in the past; whole and not negative, 0 when absent.
    public var expirySkew: Int64 {
        guard let number = members["ttlSkewMs"]?.number, number.isFinite, number > 0 else { return 0 }
        return Int64(min(number, 9e15).rounded(.towardZero))
    }
}
