public import ClawWire

/// Who may use the control path, and what a lift takes: the section `control` of the issuance rules.
public struct ControlRules: Sendable, Hashable {
    /// A key that may sign control events.
    public struct Signer: Sendable, Hashable {
        /// The key.
        public let key: Ed25519PublicKey
        /// What it may do.
        public let operations: Set<ControlOperation.Kind>
        /// The kinds of scope it may name, beside the classes of ``jobClasses``; `nil` means every kind when
        /// ``jobClasses`` is `nil` too, and none otherwise.
        public let scopes: Set<StopScope.Kind>?
        /// The job classes it may name; `nil` means that ``scopes`` alone decides.
        public let jobClasses: Set<JobClass>?

        /// Makes a signer.
        public init(
            key: Ed25519PublicKey, operations: Set<ControlOperation.Kind>, scopes: Set<StopScope.Kind>? = nil,
            jobClasses: Set<JobClass>? = nil
        ) {
            self.key = key
            self.operations = operations
            self.scopes = scopes
            self.jobClasses = jobClasses
        }

        /// True when the key may act on a scope.
        public func reaches(_ scope: StopScope) -> Bool {
            if scope.kind == .jobClass, let jobClasses {
                return scope.value.map { jobClasses.contains(JobClass($0)) } ?? false
            }
            if let scopes { return scopes.contains(scope.kind) }
            return jobClasses == nil
        }
    }

    /// No lift takes fewer people, whatever the rules say.
    public static let leastPeople = 2

    /// Fewest people who must lift, however few declared the stop; at least ``leastPeople``.
    public let liftMinimumPeople: Int
    /// Keys that may sign, by `kid`.
    public let signers: [KeyID: Signer]

    /// Makes rules.
    public init(signers: [KeyID: Signer] = [:], liftMinimumPeople: Int = leastPeople) {
        self.signers = signers
        self.liftMinimumPeople = max(Self.leastPeople, liftMinimumPeople)
    }

    /// Fewest people who lift stops together: one more than declared them, and one more still where a declarer is not known,
    /// since one of those who lift may be that person.
    public func peopleToLift(_ stops: [StandingStop]) -> Int {
        let declarers = Set(stops.flatMap(\.declarers))
        let least = max(liftMinimumPeople, max(1, declarers.count) + 1)
        return stops.contains(where: \.hasUnknownDeclarer) ? least + 1 : least
    }

    /// Nobody may sign anything.
    public static let none = ControlRules()
}
