import ClawWire

/// Why the vendor's own answer about an approval refutes what its source said: a denial that stays. The text is the
/// wire
/// form, in findings and logs. `docs/sources/confirmation.md` explains each.
public enum Contradiction: String, Sendable, Hashable, CaseIterable {
    /// The vendor does not know the request.
    case requestUnknown = "request_unknown"
    /// The answer is about another request.
    case requestDiffers = "request_differs"
    /// The request is a trial run.
    case validationOnly = "validation_only"
    /// The request is for another person.
    case principalDiffers = "principal_differs"
    /// The request is for another entitlement.
    case entitlementDiffers = "entitlement_differs"
    /// The source names an approval, and the vendor says that it was denied, canceled or failed.
    case statusDiffers = "status_differs"
    /// None of the people whom the source calls approvers approved.
    case approverDiffers = "approver_differs"
    /// Nobody but the person who asked, or whom it is for, approved.
    case approverIsRequester = "approver_is_requester"
    /// It is active and no human approved it.
    case noHumanApproval = "no_human_approval"

    private static let prefix = "confirmation:"

    /// Who denies an approval for this reason: no human, by a name that says why.
    public var actor: Actor { Actor(id: PersonID(Self.prefix + rawValue), kind: .system) }

    /// Reads back the name of an approval's denier; `nil` for everyone else.
    public init?(denial name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        self.init(rawValue: String(name.dropFirst(Self.prefix.count)))
    }
}
