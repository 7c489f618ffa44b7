import ClawWire

/// All standing orders at a control position: what a decision is judged under. A value; loading it is the ledger's.
public struct ControlState: Sendable, Hashable {
    /// Control events that were applied: the position of the last one.
    public private(set) var position: Int64
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

    private mutating func put(_ order: ControlOrder) {
        let previous = orders.updateValue(order, forKey: order.key)
        index.replace(previous, with: order)
    }

    /// True when nothing is restricted, so that no judgement is needed.
    public var isOpen: Bool { index.isEmpty }
}
