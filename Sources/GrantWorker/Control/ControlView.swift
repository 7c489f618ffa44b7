import ClawWire
import GrantLedger
import IssuanceRules
import Primitives

/// A worker's copy of the control state. It is never trusted by itself: each decide transaction asks the ledger for what
/// has changed since, under the stop lock.
final class ControlView: Sendable {
    /// What is known, and of which database: a replica that took over without the last control events counts its positions
    /// anew, and what stands at one of them is not what this worker has read there.
    struct Known: Sendable {
        var state = ControlState.none
        var incarnation: LedgerIncarnation?
    }

    private let known = Lock(Known())
    /// What halts this worker alone.
    let localStop: LocalStop?

    init(localStop: LocalStop? = nil) { self.localStop = localStop }

    /// The state as of the last transaction that this worker saw.
    var current: Known { known.withLock { $0 } }

    /// The state of a transaction: what was known before it, and what it found changed.
    ///
    /// - Throws: ``LedgerError/Code/conflict`` when the database is another one than that of which something was known;
    ///   that is forgotten, and the transaction is to be made again.
    func state(_ before: Known, advancedBy snapshot: DecideSnapshot) throws -> ControlState {
        try state(
            before, advancedTo: snapshot.controlPosition, with: snapshot.newControlOrders, of: snapshot.incarnation)
    }

    /// The state of a transaction that found these rows changed; see ``state(_:advancedBy:)``.
    func state(
        _ before: Known, advancedTo position: Int64, with orders: [StoredControlOrder],
        of incarnation: LedgerIncarnation?
    ) throws -> ControlState {
        guard before.state.position == 0 || before.incarnation == incarnation && position >= before.state.position
        else {
            known.withLock { if $0.incarnation == before.incarnation { $0 = Known() } }
            throw LedgerError(.conflict, "the database is another one: control events are read from the first on")
        }
        guard position > before.state.position || !orders.isEmpty else { return before.state }
        let fresh = try before.state.advanced(to: position, with: orders)
        known.withLock { known in
            guard known.incarnation != incarnation || fresh.position > known.state.position else { return }
            known = Known(state: fresh, incarnation: incarnation)
        }
        return fresh
    }
}

extension ControlState {
    /// The state at a later position, with the rows that changed since.
    func advanced(to position: Int64, with rows: [StoredControlOrder]) throws -> ControlState {
        var state = self
        let orders = try rows.map { row in
            do throws(StorageError) {
                return try ControlOrder(key: row.key, body: row.body, position: row.position)
            } catch {
                throw LedgerError(.corrupted, "the control order \(row.key) does not read: \(error)")
            }
        }
        state.advance(to: position, with: orders)
        return state
    }
}
