import CrashPoints
package import GrantLedger
import Primitives
package import ReceiptLog

extension Ledger {
    /// Claims a role again and again until stopped, and does its work whenever this worker holds it.
    ///
    /// - Parameters:
    ///   - role: the role.
    ///   - worker: who claims it.
    ///   - interval: time between two claims.
    ///   - stop: true when it is over.
    ///   - failed: told what ended a claim or the work; then the role is claimed anew.
    ///   - work: what the role's holder does, until it has nothing left to do, is stopped, or fails.
    /// - Throws: `CancellationError`.
    package func hold(
        _ role: WorkerRole, for worker: WorkerID, every interval: Duration, until stop: () -> Bool,
        failed: (any Error) async -> Void, work: (RoleLease) async throws -> Void
    ) async throws {
        while !stop() {
            try Task.checkCancellation()
            do {
                if let lease = try await claim(role: role, for: worker) {
                    CrashPoint.pass(.roleClaimed)
                    try await work(lease)
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                await failed(error)
            }
            if !stop() { try await SteadyTime.sleep(for: interval) }
        }
    }
}
