public import ClawWire
public import IssuanceRules

/// Why a record of the control topic is not obeyed as it stands.
public struct ControlFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Machine code, documented in `docs/control-events.md`. The text is the reason of the dead letter.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No CloudEvent, or one whose bytes do not read, so that nothing is proven of it.
        case unreadable = "control_unreadable"
        /// A CloudEvent of another type.
        case notAControlEvent = "control_not_a_control_event"
        /// No signature, a broken one, or one that is not the named key's.
        case unauthenticated = "control_unauthenticated"
        /// A key that the rules do not list under `control`.
        case unknownSigner = "control_unknown_signer"
        /// The key is listed and may not do this.
        case operationNotAllowed = "control_operation_not_allowed"
        /// The key is listed and may not do this to that scope.
        case scopeNotAllowed = "control_scope_not_allowed"
        /// Signed by a listed key and not understood in full.
        case malformed = "control_malformed"
    }

    /// Machine code.
    public let code: Code
    /// Member, attribute or header at fault; empty for the whole record.
    public let field: String
    /// A sentence for people.
    public let detail: String
    /// The key that the record names and that is listed; `nil` while nothing is proven.
    public let signer: KeyID?

    /// Makes a fault.
    public init(_ code: Code, field: String = "", _ detail: String, signer: KeyID? = nil) {
        self.code = code
        self.field = field
        self.detail = detail
        self.signer = signer
    }

    init(_ code: Code, _ fault: SourceFault, signer: KeyID? = nil) {
        self.init(code, field: fault.field, "\(fault.reason.rawValue): \(fault.detail)", signer: signer)
    }

    /// For example `control_malformed at data.scope.kind: …`.
    public var description: String { "\(code.rawValue)\(field.isEmpty ? "" : " at \(field)"): \(detail)" }
}

/// What a record of the control topic amounts to.
public enum ControlReading: Sendable, Hashable {
    /// An event of a key that may do this.
    case event(ControlEvent)
    /// Not obeyed: to the dead letters, with an alarm.
    case quarantined(ControlFault)
    /// A key that may stop signed something that cannot be read in full: stops of all that the key may stop, and why.
    case widened([ControlEvent], ControlFault)
    /// A record without a value, which compaction leaves.
    case tombstone
}
