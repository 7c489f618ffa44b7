public import ClawWire

/// All standing orders at a control position: what a decision is judged under. A value; loading it is the ledger's.
public struct ControlState: Sendable, Hashable {
    /// Control events that were applied: the position of the last one.
    public internal(set) var position: Int64
    /// Every order by its key, ended ones too.
    private(set) var orders: [String: ControlOrder] = [:]
    private(set) var index = ControlIndex()

    /// No control event has ever been applied.
    public static let none = ControlState(position: 0, orders: [])

    /// Takes the rows of the ledger at a position.
    public init(position: Int64, orders: some Sequence<ControlOrder>) {
        self.position = position
        for order in orders { put(order) }
    }

    /// Takes newer rows in, as a reader does that knows the state at an earlier position.
    public mutating func advance(to position: Int64, with changes: some Sequence<ControlOrder>) {
        for order in changes { put(order) }
        self.position = max(self.position, position)
    }

    mutating func put(_ order: ControlOrder) {
        let previous = orders.updateValue(order, forKey: order.key)
        index.replace(previous, with: order)
    }

    /// True when nothing is restricted, so that no judgement is needed.
    public var isOpen: Bool { index.isEmpty }

    /// Every order by key, ended ones too.
    public var allOrders: [ControlOrder] { orders.sorted { ExactText.precedes($0.key, $1.key) }.map(\.value) }

    /// Every order that holds, oldest change first.
    public var standingOrders: [ControlOrder] {
        orders.values.filter { !$0.isEnded }.sorted {
            $0.position == $1.position ? ExactText.precedes($0.key, $1.key) : $0.position < $1.position
        }
    }

    /// Stops and denying revocations that hold, oldest first.
    public var activeStops: [StandingStop] {
        index.stops.values.flatMap(\.self).sorted { ($0.position, $0.event) < ($1.position, $1.event) }
    }

    /// Lifts that wait for their stops, by event.
    public var pendingLifts: [PendingLift] {
        index.pendingLifts.keys.flatMap { waitingLifts(for: $0) }.sorted { $0.event < $1.event }
    }

    /// All declarations under a stop's identifier, ended ones too, oldest first.
    public func declarations(of stopID: String) -> [StandingStop] {
        var found: [StandingStop] = []
        for key in index.declarations[stopID] ?? [] {
            if case .stop(let stop)? = orders[key]?.content { found.append(stop) }
        }
        return found.sorted { ($0.position, $0.event) < ($1.position, $1.event) }
    }

    func waitingLifts(for stopID: String) -> [PendingLift] {
        var found: [PendingLift] = []
        for key in index.pendingLifts[stopID] ?? [] {
            if case .pendingLift(let pending)? = orders[key]?.content { found.append(pending) }
        }
        return found.sorted { $0.event < $1.event }
    }

    /// What the ledger must look up before an event is applied: ``ControlContext/evidence``.
    public func evidenceNeeded(by event: ControlEvent) -> LiftEvidenceNeed {
        switch event.operation {
        case .lift(let lift): LiftEvidenceNeed([lift])
        case .stop, .revoke: LiftEvidenceNeed(waitingLifts(for: event.handle).map(\.lift))
        case .rotatePolicy, .disableElevated, .enableElevated, .requireProxy, .releaseProxy, .suspectKey, .drill:
            LiftEvidenceNeed([])
        }
    }
}

/// What lifts rest on, to be looked up.
public struct LiftEvidenceNeed: Sendable, Hashable {
    /// Approvals.
    public let approvals: Set<ApprovalID>
    /// WPCs.
    public let policies: Set<Digest>

    init(_ lifts: [ControlOperation.Lift]) {
        approvals = Set(lifts.compactMap(\.reapproval))
        policies = Set(lifts.compactMap(\.policyHash))
    }

    /// True when nothing is needed.
    public var isEmpty: Bool { approvals.isEmpty && policies.isEmpty }
}
