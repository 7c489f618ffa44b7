import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules

/// Revokes tokens by their hash through the control path: the event, its receipt and what follows of it are committed
/// before anybody is told that the token is revoked.
struct TokenRevoker: Sendable {
    /// What became of a revocation.
    struct Revoked: Sendable, Hashable {
        /// False when the token was revoked before.
        let isNew: Bool
        /// Since when.
        let at: Timestamp
    }

    /// How long the ledger is tried.
    private static let patience: Duration = .seconds(3)
    let applier: ControlApplier
    let view: RevocationView
    let clock: @Sendable () -> Timestamp

    /// Revokes a token, whether or not one with this hash was ever issued: one that comes later is refused.
    ///
    /// When it returns, the revocation is durable and this process's own view holds it.
    ///
    /// - Throws: ``APIFailure`` when the ledger does not take it: whether it holds is then not known, and asking again is
    ///   harmless.
    func revoke(_ hash: TokenHash, by caller: String, reason: String?) async throws(APIFailure) -> Revoked {
        if let at = view.revocation(of: hash.digest) { return Revoked(isNew: false, at: at) }
        let now = clock()
        let id = "http-revoke \(hash.hex) \(now.microseconds)"
        let event = ControlEvent(
            id: ControlEventID(id), declaredAt: now,
            declaredBy: [Actor(id: PersonID("http:\(caller)"), kind: .system)],
            origin: .ledger(by: PersonID("http:\(caller)")),
            operation: .revoke(
                ControlOperation.Revocation(revocationID: id, scope: StopScope(kind: .token, value: hash.hex))),
            reason: reason)
        let answer = try await apply(event)
        if let position = answer.position { await see(position) }
        switch answer.result {
        case .applied, .appliedAndLifted: return Revoked(isNew: true, at: answer.at)
        case .repeated, .pendingLift, .withoutEffect, .refused: break
        }
        guard case .repeated = answer.result else {
            throw APIFailure(.failed, "the ledger did not obey the revocation; see the log of control events")
        }
        return Revoked(isNew: false, at: view.revocation(of: hash.digest) ?? answer.at)
    }

    /// Applies the event, again while its outcome is not known or the ledger cannot answer: a repeat changes nothing.
    private func apply(_ event: ControlEvent) async throws(APIFailure) -> ControlAcknowledgement {
        let start = ContinuousClock.now
        while true {
            do {
                return try await applier.apply(event, since: start)
            } catch {
                let isWorthIt = (error as? LedgerError)?.isRetriable ?? false
                guard isWorthIt, .now - start < Self.patience, !Task.isCancelled else {
                    throw APIFailure(
                        .unavailable, "the ledger did not take the revocation; ask again: a repeat is harmless",
                        retryAfter: 1)
                }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits for this process's view: whoever asks here afterwards is told.
    private func see(_ position: Int64) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await view.reach(controlPosition: position) }
            // The revocation is durable all the same, and an old view calls nothing active.
            group.addTask { try? await Task.sleep(for: .seconds(1)) }
            await group.next()
            group.cancelAll()
        }
    }
}
