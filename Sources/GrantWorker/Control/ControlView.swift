import ClawWire
import GrantLedger
import IssuanceRules
import Primitives

/// A worker's copy of the control state. It is never trusted by itself: each decide transaction asks the ledger for what
/// has changed since, under the stop lock.
final class ControlView: Sendable {
    private let state = Lock(ControlState.none)
    /// What halts this worker alone.
    let localStop: LocalStop?

    init(localStop: LocalStop? = nil) { self.localStop = localStop }

    /// The state as of the last transaction that this worker saw.
    var current: ControlState { state.withLock { $0 } }

    /// The state of a transaction: what was known before it, and what it found changed.
    func state(_ known: ControlState, advancedBy snapshot: DecideSnapshot) throws -> ControlState {
        guard snapshot.controlPosition > known.position || !snapshot.newControlOrders.isEmpty else { return known }
        let fresh = try known.advanced(to: snapshot.controlPosition, with: snapshot.newControlOrders)
        state.withLock { if fresh.position > $0.position { $0 = fresh } }
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
