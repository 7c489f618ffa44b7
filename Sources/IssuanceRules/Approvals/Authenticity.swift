public import ClawWire

/// How a fact was authenticated when it was read (ARCHITECTURE section 2, "Approval authenticity").
public enum Authenticity: Sendable, Hashable {
    /// Signatures by these keys were verified; sorted, without repeats.
    case signed([KeyID])
    /// Read back from the vendor's own interface.
    case confirmed
    /// The broker's access control is the only guard.
    case topic
    /// To be read back from the vendor's own interface, which has not happened. What is stated so counts for nothing; a
    /// denial or an end takes away all the same.
    case unconfirmed

    /// Makes ``signed(_:)`` of keys in any order.
    public static func signed(by keys: some Sequence<KeyID>) -> Authenticity {
        let all = Array(keys)
        return .signed(all.count < 2 ? all : Set(all).sorted())
    }
}

/// Which configured source stated something, and how that was authenticated.
///
/// What a state keeps, it keeps per attestation, so that the rules of a job class can count what its permitted sources
/// said and leave out the rest.
public struct Attestation: Sendable, Hashable, Comparable {
    /// The configured source.
    public let source: SourceName
    /// How the statement was authenticated.
    public let authenticity: Authenticity

    /// Makes an attestation.
    public init(source: SourceName, authenticity: Authenticity) {
        self.source = source
        self.authenticity = authenticity
    }

    /// Orders by source, then by authenticity.
    public static func < (left: Attestation, right: Attestation) -> Bool {
        if left.source != right.source { return left.source < right.source }
        return switch (left.authenticity, right.authenticity) {
        case (.signed(let a), .signed(let b)): a.lexicographicallyPrecedes(b)
        case (.signed, .confirmed), (.signed, .topic), (.signed, .unconfirmed), (.confirmed, .topic),
            (.confirmed, .unconfirmed), (.topic, .unconfirmed):
            true
        case (.confirmed, .signed), (.confirmed, .confirmed), (.topic, .signed), (.topic, .confirmed),
            (.topic, .topic), (.unconfirmed, _):
            false
        }
    }
}
