/// A text identifier that cannot be confused with another kind: the tag makes each kind a type of its own.
public struct Identifier<Tag>: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The identifier's text.
    public let rawValue: String

    /// Takes text as an identifier; the caller has checked its form.
    public init(_ rawValue: String) { self.rawValue = rawValue }

    /// The text.
    public var description: String { rawValue }

    /// Identifiers are equal when their bytes are (see ``ExactText``), as PostgreSQL and the Claw services compare
    /// them.
    public static func == (left: Identifier, right: Identifier) -> Bool {
        ExactText.equal(left.rawValue, right.rawValue)
    }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }

    /// Orders by UTF-8 bytes.
    public static func < (left: Identifier, right: Identifier) -> Bool {
        ExactText.precedes(left.rawValue, right.rawValue)
    }
}

/// Tags of ``Identifier``.
public enum IdentifierKind {
    /// See ``ApprovalID``.
    public enum Approval {}
    /// See ``RequestID``.
    public enum Request {}
    /// See ``JobID``.
    public enum Job {}
    /// See ``JobClass``.
    public enum JobClass {}
    /// See ``SourceName``.
    public enum Source {}
    /// See ``SourceEventID``.
    public enum SourceEvent {}
    /// See ``AgentDID``.
    public enum Agent {}
    /// See ``PersonID``.
    public enum Person {}
    /// See ``TokenID``.
    public enum Token {}
    /// See ``LogID``.
    public enum Log {}
}

/// Names one approval across sources and deliveries, for example `entra-pim/<tenant>/<request id>`.
public typealias ApprovalID = Identifier<IdentifierKind.Approval>
/// Names one capability request; at most one token is ever minted for it.
public typealias RequestID = Identifier<IdentifierKind.Request>
/// Names the job a token is bound to; becomes the claim `mission_id`.
public typealias JobID = Identifier<IdentifierKind.Job>
/// Names a class of jobs in the issuance rules.
public typealias JobClass = Identifier<IdentifierKind.JobClass>
/// Names a configured source of events.
public typealias SourceName = Identifier<IdentifierKind.Source>
/// The identifier a source gave an event; unique within the source, the key of repeat detection.
public typealias SourceEventID = Identifier<IdentifierKind.SourceEvent>
/// The DID of an agent; becomes the claim `sub`.
public typealias AgentDID = Identifier<IdentifierKind.Agent>
/// A person's stable identifier in their directory (for Entra the object id, in lower case). Never a display name.
public typealias PersonID = Identifier<IdentifierKind.Person>
/// The claim `jti`.
public typealias TokenID = Identifier<IdentifierKind.Token>
/// Names a receipt log.
public typealias LogID = Identifier<IdentifierKind.Log>

/// A sequence number in one output stream, or a position in the receipt log; dense from 0.
public struct SequenceNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number.
    public let value: Int64
    /// Makes a sequence number.
    public init(_ value: Int64) { self.value = value }
    /// The following number.
    public var next: SequenceNumber { SequenceNumber(value + 1) }
    /// The decimal digits.
    public var description: String { String(value) }
    /// Orders by value.
    public static func < (left: SequenceNumber, right: SequenceNumber) -> Bool { left.value < right.value }
}
