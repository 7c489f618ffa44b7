import ClawWire
public import IssuanceRules

extension StandingStop {
    /// The declaration for people.
    public var line: String {
        let what = isRevocation ? "revoked" : revokesLive ? "revoke_and_deny" : "deny_new"
        let people = declarers.isEmpty ? "" : " by \(declarers.map(\.rawValue).joined(separator: ", "))"
        let why = [reason, incident].compactMap(\.self).joined(separator: ", ")
        return "\(scope.text)  \(stopID)  \(what) since \(at)\(people)\(why.isEmpty ? "" : ": \(why)")"
    }
}

extension ControlOrder {
    /// The order for people.
    public var line: String {
        switch content {
        case .stop(let stop): return stop.line
        case .pendingLift(let pending): return "a lift of \(pending.lift.stopID) waits for its stop (\(pending.event))"
        case .barrier(let barrier):
            return "\(barrier.scope.text): what was decided up to \(barrier.at) is dead (\(barrier.handle))"
        case .rotation(let rotation):
            return "\(rotation.jobClass): the WPC \(rotation.to) instead of \(rotation.from?.b64u ?? "every other")"
        case .elevation(let standing): return "no elevated grants for \(standing.reach.scope.text)"
        case .proxy(let standing): return "only WPCs that force the proxy for \(standing.reach.scope.text)"
        case .suspectKey(let suspect):
            return "the key \(suspect.kid) is out" + (suspect.since.map { ", with what it signed since \($0)" } ?? "")
        }
    }
}
