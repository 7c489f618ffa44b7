public import ClawWire

/// What applying a control event depends on beside the state and the event.
public struct ControlContext: Sendable, Hashable {
    /// The ledger's clock, read after the exclusive stop lock was taken.
    public var at: Timestamp
    /// The newest `iat` of any grant in the ledger; `nil` when there is none.
    public var newestIssuedAt: Timestamp?
    /// Grants committed before this event.
    public var grantsBefore: Int64
    /// Who may do what.
    public var rules: ControlRules
    /// What the ledger knows of the authority behind the lifts concerned: see ``ControlState/evidenceNeeded(by:)``.
    public var evidence: LiftEvidence
    /// Keys that are known to sign something else than tokens.
    public var otherKeys: Set<KeyID>

    /// Makes a context.
    public init(
        at: Timestamp, newestIssuedAt: Timestamp? = nil, grantsBefore: Int64 = 0, rules: ControlRules,
        evidence: LiftEvidence = LiftEvidence(), otherKeys: Set<KeyID> = []
    ) {
        self.at = at
        self.newestIssuedAt = newestIssuedAt
        self.grantsBefore = grantsBefore
        self.rules = rules
        self.evidence = evidence
        self.otherKeys = otherKeys
    }
}

/// What the ledger knows of the authority that lifts rest on.
public struct LiftEvidence: Sendable, Hashable {
    /// An approval that a lift names.
    public struct Approval: Sendable, Hashable {
        /// True when it is granted: enough humans said yes and nothing has ended it.
        public let isGranted: Bool
        /// The last decision of a human that counts, by the source's clock.
        public let decidedAt: Timestamp?

        /// Makes evidence.
        public init(isGranted: Bool, decidedAt: Timestamp?) {
            self.isGranted = isGranted
            self.decidedAt = decidedAt
        }

        /// Takes an approval as it stands at an instant. One that has no window is granted once it is approved, where its
        /// class demands no window; any other must be open.
        public init(_ state: ApprovalState, at now: Timestamp, rules: RuleSet) {
            let assessment = state.assess(at: now, entitlements: rules.entitlements)
            let needsWindow = assessment.jobClass.flatMap { rules.jobClasses[$0] }?.window != .optional
            isGranted = assessment.state == .granted || assessment.state == .approved && !needsWindow
            decidedAt = assessment.approvers.compactMap(\.decidedAt).max()
        }
    }

    /// A WPC that a lift names.
    public struct Policy: Sendable, Hashable {
        /// True when it was loaded and stands: hash, form and signature.
        public let isVerified: Bool
        /// True when a grant of the ledger was already made under it.
        public let wasUsed: Bool

        /// Makes evidence.
        public init(isVerified: Bool, wasUsed: Bool) {
            self.isVerified = isVerified
            self.wasUsed = wasUsed
        }
    }

    /// Approvals by identifier; one that is not there is unknown and lifts nothing.
    public var approvals: [ApprovalID: Approval]
    /// WPCs by hash; one that is not there is unknown and lifts nothing.
    public var policies: [Digest: Policy]

    /// Makes evidence.
    public init(approvals: [ApprovalID: Approval] = [:], policies: [Digest: Policy] = [:]) {
        self.approvals = approvals
        self.policies = policies
    }
}

/// Why a control event was understood and not obeyed. The text is the machine code.
public enum ControlRefusal: String, Sendable, Hashable, CaseIterable {
    /// A lift by fewer people than the rules and the stop demand.
    case tooFewPeople = "lift_too_few_people"
    /// A lift by somebody who declared the stop.
    case liftedByDeclarer = "lift_by_declarer"
    /// A lift that names neither an approval nor a WPC.
    case noAuthority = "lift_without_authority"
    /// The approval that a lift names is unknown or not granted.
    case approvalNotGranted = "lift_approval_not_granted"
    /// The approval that a lift names was decided before the stop.
    case approvalNotFresh = "lift_approval_not_fresh"
    /// The WPC that a lift names is unknown or does not stand.
    case policyNotVerified = "lift_policy_not_verified"
    /// The WPC that a lift names was in use before.
    case policyNotNew = "lift_policy_not_new"
    /// A lift that names another scope than its stop.
    case scopeMismatch = "lift_scope_mismatch"
    /// A lift of a revocation of something that never comes back.
    case forGood = "lift_of_final_revocation"
    /// The signer may not lift stops of this scope.
    case signerNotAllowed = "lift_signer_not_allowed"
    /// What gives back is older, by its own time, than what it would end.
    case olderThanRestriction = "older_than_restriction"
    /// What gives back is dated in the future.
    case datedInFuture = "dated_in_future"
    /// The key that is suspected signs receipts or envelopes and no tokens: nothing would be void.
    case signsNoTokens = "key_signs_no_tokens"
}

/// What applying a control event came to.
public struct ControlOutcome: Sendable, Hashable {
    /// The result.
    public enum Result: Sendable, Hashable {
        /// It holds from now on.
        case applied
        /// A stop that holds, and was lifted at once by a lift that came before it.
        case appliedAndLifted(by: ControlEventID)
        /// A lift that waits for its stop.
        case pendingLift
        /// It holds already, since this position; nothing changed.
        case repeated(of: Int64)
        /// It ends something that does not hold; nothing changed.
        case withoutEffect
        /// Not obeyed; nothing changed.
        case refused(ControlRefusal)
    }

    /// The result.
    public let result: Result
    /// The state after the event; its position is one more than before when ``isRecorded``.
    public let state: ControlState
    /// The rows to write, to be replaced by key.
    public let changes: [ControlOrder]
    /// What follows outside of the state.
    public let effects: ControlEffects

    /// True when the event takes a position and leaves a receipt; false for repeats, refusals and events without
    /// effect.
    public var isRecorded: Bool {
        switch result {
        case .applied, .appliedAndLifted, .pendingLift: true
        case .repeated, .withoutEffect, .refused: false
        }
    }
}

/// What follows of a control event outside of the control state.
public struct ControlEffects: Sendable, Hashable {
    /// Cut-offs to publish, first.
    public var cutoffs: [ControlCutoff] = []
    /// Live tokens to revoke one by one, behind the cut-offs.
    public var revocations: [ControlRevocation] = []
    /// Payload of the receipt: what happened, by whom, at which position; empty when there is no receipt.
    public var receipt = JSONObject()

    /// Nothing.
    public init() {}
}

/// A cut-off: tokens in a scope that were issued before an instant are void.
public struct ControlCutoff: Sendable, Hashable {
    /// The instant of a cut-off without end, in seconds: 9999-12-31T23:59:59Z. Only for keys, which sign nothing more.
    public static let foreverSeconds: Int64 = 253_402_300_799
    static let forever = Timestamp(seconds: foreverSeconds)

    /// The scope.
    public let scope: StopScope
    /// Tokens in scope with an `iat` smaller than this are void; whole seconds.
    public let notIssuedBefore: Timestamp
    /// Tokens in scope with an `iat` smaller than this stay valid; whole seconds. `nil`: none does.
    public let issuedSince: Timestamp?
    /// Why.
    public let cause: ControlCause

    /// True when no token of the scope is ever valid again.
    public var isForever: Bool { notIssuedBefore.seconds >= Self.foreverSeconds }

    /// True when a token in scope with this `iat` is void.
    public func voids(issuedAt: Timestamp) -> Bool {
        issuedAt < notIssuedBefore && issuedSince.map { issuedAt >= $0 } ?? true
    }
}

/// Live tokens that a control event revokes.
public struct ControlRevocation: Sendable, Hashable {
    /// Which tokens of the scope.
    public enum Part: Sendable, Hashable {
        /// All.
        case all
        /// Those with an elevated action.
        case elevated
        /// Those pinned to this WPC.
        case pinned(Digest)
        /// Those pinned to a WPC other than this one, or to none.
        case notPinned(Digest)
        /// Those whose WPC does not force the proxied model route with receipts, and those without a WPC.
        case unproxied
        /// Those with an `iat` not smaller than this.
        case issuedSince(Timestamp)
    }

    /// The scope.
    public let scope: StopScope
    /// Which of its tokens.
    public let part: Part
    /// Why.
    public let cause: ControlCause
}

/// Why a control event voids tokens. The text is the wire form of revocation records and receipts.
public enum ControlCause: String, Sendable, Hashable, CaseIterable {
    /// An emergency stop covers it.
    case stopped
    /// Somebody with the right asked for it.
    case requested
    /// The key that signed it is no longer trusted.
    case keyWithdrawn = "key_withdrawn"
    /// Its WPC was replaced by another.
    case policyRotated = "policy_rotated"
    /// Elevated execution was disabled.
    case elevationDisabled = "elevation_disabled"
    /// Its WPC does not force the proxied model route, which is required now.
    case proxyRequired = "proxy_required"
}
