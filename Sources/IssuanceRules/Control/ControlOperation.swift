public import ClawWire

/// What a control event does.
public enum ControlOperation: Sendable, Hashable {
    /// Nothing more is issued in a scope until a lift.
    case stop(Stop)
    /// A stop, or a revocation that denies, ends; what was decided before stays dead.
    case lift(Lift)
    /// Tokens are void, and what they came from gives no new ones.
    case revoke(Revocation)
    /// A job class must use another WPC.
    case rotatePolicy(PolicyRotation)
    /// No elevated grants.
    case disableElevated(ElevationStop)
    /// Ends ``disableElevated(_:)`` of the same reach.
    case enableElevated(Reach)
    /// Only WPCs that force the proxied model route with receipts.
    case requireProxy(ProxyOrder)
    /// Ends ``requireProxy(_:)`` of the same reach.
    case releaseProxy(Reach)
    /// A signing key is out, for ever.
    case suspectKey(SuspectKey)
    /// The whole stop path, without denying anything.
    case drill(Drill)

    /// The operation's name: the wire form and the form in the rules.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// See ``ControlOperation/stop(_:)``.
        case stop
        /// See ``ControlOperation/lift(_:)``.
        case lift
        /// See ``ControlOperation/revoke(_:)``.
        case revoke
        /// See ``ControlOperation/rotatePolicy(_:)``.
        case rotatePolicy = "rotate-policy"
        /// See ``ControlOperation/disableElevated(_:)``.
        case disableElevated = "disable-elevated"
        /// See ``ControlOperation/enableElevated(_:)``.
        case enableElevated = "enable-elevated"
        /// See ``ControlOperation/requireProxy(_:)``.
        case requireProxy = "require-proxy"
        /// See ``ControlOperation/releaseProxy(_:)``.
        case releaseProxy = "release-proxy"
        /// See ``ControlOperation/suspectKey(_:)``.
        case suspectKey = "suspect-key"
        /// See ``ControlOperation/drill(_:)``.
        case drill

        /// True for operations that take away: unreadable ones are widened. False for those that give back, and for a
        /// drill: unreadable ones do nothing.
        public var isRestrictive: Bool {
            switch self {
            case .stop, .revoke, .rotatePolicy, .disableElevated, .requireProxy, .suspectKey: true
            case .lift, .enableElevated, .releaseProxy, .drill: false
            }
        }
    }

    /// The operation's name.
    public var kind: Kind {
        switch self {
        case .stop: .stop
        case .lift: .lift
        case .revoke: .revoke
        case .rotatePolicy: .rotatePolicy
        case .disableElevated: .disableElevated
        case .enableElevated: .enableElevated
        case .requireProxy: .requireProxy
        case .releaseProxy: .releaseProxy
        case .suspectKey: .suspectKey
        case .drill: .drill
        }
    }

    /// What the operation is about; `nil` for a lift that names no scope, whose reach is its stop's.
    public var scope: StopScope? {
        switch self {
        case .stop(let stop): stop.scope
        case .lift(let lift): lift.scope
        case .revoke(let revocation): revocation.scope
        case .rotatePolicy(let rotation): StopScope(kind: .jobClass, value: rotation.jobClass.rawValue)
        case .disableElevated(let stop): stop.reach.scope
        case .requireProxy(let order): order.reach.scope
        case .enableElevated(let reach), .releaseProxy(let reach): reach.scope
        case .suspectKey(let suspect): StopScope(kind: .issuerKey, value: suspect.kid.rawValue)
        case .drill(let drill): drill.scope
        }
    }
}

extension ControlOperation {
    /// Everything, or one job class.
    public enum Reach: Sendable, Hashable {
        /// Every job class.
        case everywhere
        /// One class.
        case jobClass(JobClass)

        /// The reach as a scope.
        public var scope: StopScope {
            switch self {
            case .everywhere: StopScope(kind: .all, value: nil)
            case .jobClass(let name): StopScope(kind: .jobClass, value: name.rawValue)
            }
        }
    }

    /// Nothing more is issued in a scope until a lift.
    public struct Stop: Sendable, Hashable {
        /// Names the stop; a lift names it again.
        public let stopID: String
        /// What it covers.
        public let scope: StopScope
        /// True for `revoke_and_deny`: live tokens are void too. False for `deny_new`.
        public let revokesLive: Bool
        /// True when the event could not be read in full and covers more than it says for that reason.
        public let isWidened: Bool

        /// Makes a stop.
        public init(stopID: String, scope: StopScope, revokesLive: Bool, isWidened: Bool = false) {
            self.stopID = stopID
            self.scope = scope
            self.revokesLive = revokesLive
            self.isWidened = isWidened
        }
    }

    /// The end of a stop. Who lifts is ``ControlEvent/declaredBy``.
    public struct Lift: Sendable, Hashable {
        /// The stop, or the revocation, that ends.
        public let stopID: String
        /// The fresh approval it rests on.
        public let reapproval: ApprovalID?
        /// The new WPC it rests on.
        public let policyHash: Digest?
        /// The scope that the lift names; it must be the stop's.
        public let scope: StopScope?

        /// Makes a lift.
        public init(stopID: String, reapproval: ApprovalID?, policyHash: Digest?, scope: StopScope? = nil) {
            self.stopID = stopID
            self.reapproval = reapproval
            self.policyHash = policyHash
            self.scope = scope
        }
    }

    /// Tokens that are void. What is named for good (a token, a `jti`, a job, a request, an approval) never gives a
    /// token again; what lives on (an agent, a subject, a key, …) gives none until a lift names the revocation.
    public struct Revocation: Sendable, Hashable {
        /// Names the revocation for a lift; `nil` stands for the event's identifier.
        public let revocationID: String?
        /// What is revoked.
        public let scope: StopScope
        /// True when what is decided after the revocation may be issued without a lift: only what was decided before
        /// is dead. Without effect for what is named for good.
        public let permitsReapproval: Bool

        /// Makes a revocation.
        public init(revocationID: String? = nil, scope: StopScope, permitsReapproval: Bool = false) {
            self.revocationID = revocationID
            self.scope = scope
            self.permitsReapproval = permitsReapproval
        }
    }

    /// New issuance for a job class uses another WPC.
    public struct PolicyRotation: Sendable, Hashable {
        /// What becomes of live tokens that are pinned to the old WPC. The text is the wire form.
        public enum Running: String, Sendable, Hashable, CaseIterable {
            /// They keep their pin.
            case keep
            /// They are revoked.
            case revoke
        }
        /// The class.
        public let jobClass: JobClass
        /// The WPC that gives no more tokens; `nil` for every one but ``to``.
        public let from: Digest?
        /// The WPC that takes its place.
        public let to: Digest
        /// Live tokens.
        public let running: Running

        /// Makes a rotation.
        public init(jobClass: JobClass, from: Digest?, to: Digest, running: Running) {
            self.jobClass = jobClass
            self.from = from
            self.to = to
            self.running = running
        }
    }

    /// No elevated grants.
    public struct ElevationStop: Sendable, Hashable {
        /// Where.
        public let reach: Reach
        /// True when live elevated tokens are revoked.
        public let revokesLive: Bool

        /// Makes an order.
        public init(reach: Reach, revokesLive: Bool) {
            self.reach = reach
            self.revokesLive = revokesLive
        }
    }

    /// No grants but under WPCs that force the proxied model route with receipts.
    public struct ProxyOrder: Sendable, Hashable {
        /// Where.
        public let reach: Reach
        /// True when live tokens are revoked that were issued under another WPC, or under none.
        public let revokesLive: Bool

        /// Makes an order.
        public init(reach: Reach, revokesLive: Bool) {
            self.reach = reach
            self.revokesLive = revokesLive
        }
    }

    /// A signing key that is no longer trusted.
    public struct SuspectKey: Sendable, Hashable {
        /// The key.
        public let kid: KeyID
        /// What it signed from this instant on is void; `nil` for all that it ever signed.
        public let since: Timestamp?

        /// Names a key.
        public init(kid: KeyID, since: Timestamp?) {
            self.kid = kid
            self.since = since
        }
    }

    /// A rehearsal.
    public struct Drill: Sendable, Hashable {
        /// Names the drill.
        public let drillID: String
        /// What a stop would cover.
        public let scope: StopScope

        /// Makes a drill.
        public init(drillID: String, scope: StopScope) {
            self.drillID = drillID
            self.scope = scope
        }
    }
}
