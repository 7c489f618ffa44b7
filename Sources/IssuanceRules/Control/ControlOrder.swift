public import ClawWire

/// A standing order: what a control event leaves behind until another ends it, as the ledger keeps it, one a row.
///
/// Rows are added and replaced, so a reader that knows the state at a position needs the rows with a greater ``position``
/// and nothing else. A row whose order is over stays with ``isEnded``; it is taken away once no one can ask for it, see
/// ``ControlState/prunable(before:limit:)``, and a reader that still holds it judges no otherwise.
public struct ControlOrder: Sendable, Hashable {
    /// What holds.
    public enum Content: Sendable, Hashable {
        /// A stop, or a revocation that denies.
        case stop(StandingStop)
        /// A lift whose stop has not come.
        case pendingLift(PendingLift)
        /// Authority that is dead for ever.
        case barrier(Barrier)
        /// A WPC that a class must not use any more.
        case rotation(StandingRotation)
        /// Elevation is off.
        case elevation(StandingSwitch)
        /// The proxied model route is required.
        case proxy(StandingSwitch)
        /// A signing key that is out.
        case suspectKey(SuspectedKey)
    }

    /// Position of the control event that changed the order last.
    public let position: Int64
    /// What holds.
    public let content: Content

    /// Makes an order.
    public init(position: Int64, content: Content) {
        self.position = position
        self.content = content
    }

    /// True when the order is over and stays for the record only.
    public var isEnded: Bool {
        switch content {
        case .stop(let stop): stop.lift != nil
        case .pendingLift(let lift): lift.isConsumed
        case .barrier, .suspectKey: false
        case .rotation(let rotation): !rotation.isActive
        case .elevation(let standing), .proxy(let standing): !standing.isActive
        }
    }
}

/// A declared stop, or a revocation that denies what comes after it.
public struct StandingStop: Sendable, Hashable {
    /// The lift that ended it.
    public struct Ended: Sendable, Hashable {
        /// The lift's event.
        public let event: ControlEventID
        /// When, by the ledger's clock.
        public let at: Timestamp
        /// Who.
        public let people: [PersonID]

        /// Makes an end.
        public init(event: ControlEventID, at: Timestamp, people: [PersonID]) {
            self.event = event
            self.at = at
            self.people = people
        }
    }

    /// Its identifier; several declarations may share one, each standing for itself.
    public let stopID: String
    /// The event that declared it.
    public let event: ControlEventID
    /// What it covers.
    public let scope: StopScope
    /// True when live tokens were voided.
    public let revokesLive: Bool
    /// True for a revocation, which denies with another code.
    public let isRevocation: Bool
    /// True when the declaration was widened.
    public let isWidened: Bool
    /// The people who declared it; empty when nobody is named.
    public let declarers: [PersonID]
    /// When it was declared, by the declarer's clock, never later than ``at``.
    public let declaredAt: Timestamp
    /// When it took hold, by the ledger's clock.
    public let at: Timestamp
    /// Position at which it took hold.
    public let position: Int64
    /// Why.
    public let reason: String?
    /// Incident number.
    public let incident: String?
    /// Its end; `nil` while it holds.
    public internal(set) var lift: Ended?

    /// True when nobody says who declared it, or somebody does who cannot be read.
    public var hasUnknownDeclarer: Bool { declarers.isEmpty || declarers.contains(Actor.unreadable.id) }

    /// True when no lift ends it, because what it names never comes back.
    public var isForGood: Bool { isRevocation && scope.kind.isForGood }
}

/// A lift that came before its stop.
public struct PendingLift: Sendable, Hashable {
    /// The lift's event.
    public let event: ControlEventID
    /// What it says.
    public let lift: ControlOperation.Lift
    /// Who lifts: humans only.
    public let people: [PersonID]
    /// The signing key, which must reach the stop's scope; `nil` where none signed for the control topic.
    public let signer: KeyID?
    /// When it was declared, by the declarer's clock.
    public let declaredAt: Timestamp
    /// True once its stop has come, whether or not it was good enough to lift it.
    public internal(set) var isConsumed: Bool
}

/// Authority in a scope that was decided at or before an instant is dead for ever.
public struct Barrier: Sendable, Hashable {
    /// The scope.
    public let scope: StopScope
    /// The instant, by the ledger's clock.
    public let at: Timestamp
    /// The event that set it last.
    public let event: ControlEventID
    /// The stop or revocation behind it, for people.
    public let handle: String
}

/// A WPC that a class must not use any more.
public struct StandingRotation: Sendable, Hashable {
    /// The class.
    public let jobClass: JobClass
    /// The WPC that gives no more tokens; `nil` for every one but ``to``.
    public let from: Digest?
    /// The WPC that takes its place.
    public let to: Digest
    /// When it was declared, by the declarer's clock, never later than the ledger's.
    public let declaredAt: Timestamp
    /// The event that declared it last.
    public let event: ControlEventID
    /// False once a later rotation leads back to ``from``.
    public internal(set) var isActive: Bool
}

/// An order that is on or off for a class or everywhere.
public struct StandingSwitch: Sendable, Hashable {
    /// Where.
    public let reach: ControlOperation.Reach
    /// True while the restriction holds.
    public let isActive: Bool
    /// When the restriction was declared last, by the declarer's clock, never later than the ledger's.
    public let declaredAt: Timestamp
    /// The event that declared the restriction last.
    public let event: ControlEventID
}

/// A signing key that is out.
public struct SuspectedKey: Sendable, Hashable {
    /// The key.
    public let kid: KeyID
    /// What it signed from this instant on is void; `nil` for all.
    public let since: Timestamp?
    /// The event that said so last.
    public let event: ControlEventID
}

extension StopScope.Kind {
    /// True for what happens once: a revocation of it cannot be lifted.
    public var isForGood: Bool {
        switch self {
        case .token, .jti, .job, .request, .approval: true
        case .all, .jobClass, .agent, .subject, .entitlement, .policyHash, .policyID, .source, .issuerKey: false
        }
    }
}
