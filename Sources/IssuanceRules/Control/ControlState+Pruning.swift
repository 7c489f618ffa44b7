public import ClawWire

extension ControlState {
    /// Orders that can never matter again, by an instant that is further back than any event that is still taken, and than
    /// the life of any token: at most `limit`, the oldest first.
    ///
    /// - Stops that were lifted: the barrier of the lift stays, and a repeat of the stop is known by its event.
    /// - Lifts that waited and are used up.
    /// - Revocations of single tokens, which have expired. Whoever revokes a token by its name knows it, so none comes
    ///   under that name.
    ///
    /// Everything else stays: a request, a job or an approval of a revoked name may be named at any time.
    public func prunable(before instant: Timestamp, limit: Int) -> [ControlOrder] {
        let over = orders.values.filter { $0.isOver(before: instant) }
        return Array(
            over.sorted {
                $0.position == $1.position ? ExactText.precedes($0.key, $1.key) : $0.position < $1.position
            }.prefix(limit))
    }
}

extension ControlOrder {
    fileprivate func isOver(before instant: Timestamp) -> Bool {
        switch content {
        case .stop(let stop):
            if let lift = stop.lift { return lift.at < instant }
            switch stop.scope.kind {
            case .token, .jti: return stop.isRevocation && stop.at < instant
            case .all, .jobClass, .agent, .subject, .approval, .request, .entitlement, .policyHash, .policyID, .source,
                .issuerKey, .job:
                return false
            }
        case .pendingLift(let pending): return pending.isConsumed && pending.declaredAt < instant
        case .barrier, .rotation, .elevation, .proxy, .suspectKey: return false
        }
    }
}
