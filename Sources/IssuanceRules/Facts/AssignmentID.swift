public import ClawWire

/// What somebody holds, by the vendor's own identifier of it: the path of a role assignment, or the identifier of an
/// access package's assignment.
///
/// Removals name it, and often nothing else: neither the request that led to it nor the person.
public struct AssignmentID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Most bytes of an identifier: a longer one is none.
    public static let maximumBytes = 1_024
    /// The identifier in lower case.
    public let text: String

    /// Folds an identifier; `nil` for an empty or an overlong one.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= Self.maximumBytes else { return nil }
        // Small letters may take more bytes than capitals, and what is kept is read back by the same rule.
        let folded = text.lowercased()
        guard folded.utf8.count <= Self.maximumBytes else { return nil }
        self.text = folded
    }

    /// The name under which ends of it are kept, among those of people.
    public var holder: PersonID { PersonID("assignment:\(text)") }

    /// The identifier.
    public var description: String { text }

    /// Orders by the text.
    public static func < (left: AssignmentID, right: AssignmentID) -> Bool { left.text < right.text }
}
