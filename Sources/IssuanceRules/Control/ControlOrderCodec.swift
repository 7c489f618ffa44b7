import ClawWire

extension ControlOrder {
    /// Key of the row: one order, one key, bounded in length.
    public var key: String {
        func bounded(_ text: String) -> String { ControlEventID(text).rawValue }
        switch content {
        case .stop(let stop):
            return "stop/\(bounded(stop.stopID))/\(stop.event)/\(bounded(stop.scope.normalized.text))"
        case .pendingLift(let pending): return "pending-lift/\(bounded(pending.lift.stopID))/\(pending.event)"
        case .barrier(let barrier): return "barrier/\(bounded(barrier.scope.normalized.text))"
        case .rotation(let rotation):
            return "rotation/\(bounded(rotation.jobClass.rawValue))/\(rotation.from?.b64u ?? "*")"
        case .elevation(let standing): return "elevation/\(bounded(standing.reach.scope.text))"
        case .proxy(let standing): return "proxy/\(bounded(standing.reach.scope.text))"
        case .suspectKey(let suspect): return "suspect-key/\(bounded(suspect.kid.rawValue))"
        }
    }
}
