public import ClawWire

/// Identifies a control event across deliveries: a repeat has the same identifier.
///
/// At most ``maximumBytes`` bytes; a longer text stands as `sha256:` and its digest, so that every text has one form.
public struct ControlEventID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Most bytes of an identifier.
    public static let maximumBytes = 128

    /// The text.
    public let rawValue: String

    /// Takes a text, or its digest when it is longer than ``maximumBytes``.
    public init(_ text: String) {
        rawValue = text.utf8.count <= Self.maximumBytes ? text : "sha256:\(Digest(hashing: text).b64u)"
    }

    /// The text.
    public var description: String { rawValue }

    /// Identifiers are equal when their bytes are.
    public static func == (left: ControlEventID, right: ControlEventID) -> Bool {
        ExactText.equal(left.rawValue, right.rawValue)
    }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }

    /// Orders by UTF-8 bytes.
    public static func < (left: ControlEventID, right: ControlEventID) -> Bool {
        ExactText.precedes(left.rawValue, right.rawValue)
    }
}

/// How a control event reached the ledger, and who vouches for it.
public enum ControlOrigin: Sendable, Hashable {
    /// The control topic; the key that signed.
    case controlTopic(signer: KeyID)
    /// A source of approvals that may declare stops; the key that signed, where one did.
    case approvalSource(SourceName, signer: KeyID?)
    /// Straight to the ledger, from the command line; the person at the keyboard as the operating system names them.
    case ledger(by: PersonID)
}

/// One operation by an authorised declarer: what stops, lifts, revokes, and changes what may be issued.
public struct ControlEvent: Sendable, Hashable {
    /// Most bytes of a reason.
    public static let maximumReasonBytes = 4_096
    /// Identifies the event; a second event with this identifier and the same content is a repeat.
    public let id: ControlEventID
    /// When it was declared, by the declarer's clock.
    public let declaredAt: Timestamp
    /// The people who declare it; for a lift, those who lift.
    public let declaredBy: [Actor]
    /// How it came.
    public let origin: ControlOrigin
    /// What it does.
    public let operation: ControlOperation
    /// Why, for people; at most ``maximumReasonBytes`` of it, which every reader of what follows from it takes.
    public let reason: String?
    /// Incident number.
    public let incident: String?
    /// SHA-256 of the canonical record, when there is one: the evidence.
    public let recordDigest: Digest?

    /// Makes an event.
    public init(
        id: ControlEventID, declaredAt: Timestamp, declaredBy: [Actor], origin: ControlOrigin,
        operation: ControlOperation, reason: String? = nil, incident: String? = nil, recordDigest: Digest? = nil
    ) {
        self.id = id
        self.declaredAt = declaredAt
        self.declaredBy = declaredBy
        self.origin = origin
        self.operation = operation
        self.reason = reason?.cut(toBytes: Self.maximumReasonBytes)
        self.incident = incident
        self.recordDigest = recordDigest
    }

    /// Makes the event that a stop or a lift from a source of approvals stands for, `nil` for every other fact.
    ///
    /// - Parameters:
    ///   - fact: the fact.
    ///   - source: the configured source.
    ///   - signer: the key that signed, where one did.
    ///   - now: the present, for facts without a time.
    public init?(_ fact: Fact, from source: SourceName, signer: KeyID?, at now: Timestamp) {
        let operation: ControlOperation
        let people: [Actor]
        var reason: String?
        var incident: String?
        switch fact.content {
        case .stopDeclared(let stop):
            operation = .stop(
                .init(
                    stopID: stop.stopID, scope: stop.scope, revokesLive: stop.revokesLive, isWidened: stop.isWidened))
            people = stop.declaredBy
            reason = stop.reason
            incident = stop.incident
        case .stopLifted(let lift):
            operation = .lift(
                .init(
                    stopID: lift.stopID, reapproval: lift.reapproval, policyHash: lift.policyHash, scope: lift.scope))
            people = lift.liftedBy
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .grantEnded, .grantDirect, .subjectInvalidated, .capabilityRequested,
            .ignored, .rejected:
            return nil
        }
        self.init(
            id: ControlEventID("\(source) \(fact.sourceEventID?.rawValue ?? fact.recordDigest?.b64u ?? "")"),
            declaredAt: fact.occurredAt ?? now, declaredBy: people,
            origin: .approvalSource(source, signer: signer), operation: operation, reason: reason, incident: incident,
            recordDigest: fact.recordDigest)
    }

    /// The identifier under which people speak of the event: the stop's, the revocation's or the drill's own, else
    /// ``id``.
    public var handle: String {
        switch operation {
        case .stop(let stop): stop.stopID
        case .lift(let lift): lift.stopID
        case .revoke(let revocation): revocation.revocationID ?? id.rawValue
        case .drill(let drill): drill.drillID
        case .rotatePolicy, .disableElevated, .enableElevated, .requireProxy, .releaseProxy, .suspectKey: id.rawValue
        }
    }
}
