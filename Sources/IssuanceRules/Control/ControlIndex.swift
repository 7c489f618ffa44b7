import ClawWire

/// The orders of a state by what a decision looks them up by. Follows from the orders alone.
struct ControlIndex: Sendable, Hashable {
    /// Stops that hold, by normalized scope, in the order of their keys.
    var stops: [StopScope: [StandingStop]] = [:]
    var barriers: [StopScope: Barrier] = [:]
    var rotations: [JobClass: [StandingRotation]] = [:]
    var elevation: [ControlOperation.Reach: StandingSwitch] = [:]
    var proxy: [ControlOperation.Reach: StandingSwitch] = [:]
    var suspects: [KeyID: SuspectedKey] = [:]
    /// Keys of all declarations of a stop, ended ones too.
    var declarations: [String: Set<String>] = [:]
    /// Keys of the lifts that wait for a stop.
    var pendingLifts: [String: Set<String>] = [:]

    var isEmpty: Bool {
        stops.isEmpty && barriers.isEmpty && rotations.isEmpty && elevation.isEmpty && proxy.isEmpty
            && suspects.isEmpty
    }

    mutating func replace(_ previous: ControlOrder?, with order: ControlOrder) {
        if let previous { remove(previous) }
        add(order)
    }

    private mutating func add(_ order: ControlOrder) {
        switch order.content {
        case .stop(let stop):
            declarations[stop.stopID, default: []].insert(order.key)
            guard !order.isEnded else { return }
            var standing = stops[stop.scope.normalized] ?? []
            standing.append(stop)
            standing.sort { ($0.position, $0.event) < ($1.position, $1.event) }
            stops[stop.scope.normalized] = standing
        case .pendingLift(let pending):
            guard !order.isEnded else { return }
            pendingLifts[pending.lift.stopID, default: []].insert(order.key)
        case .barrier(let barrier): barriers[barrier.scope.normalized] = barrier
        case .rotation(let rotation):
            guard !order.isEnded else { return }
            var standing = rotations[rotation.jobClass] ?? []
            standing.append(rotation)
            standing.sort { ($0.from?.b64u ?? "") < ($1.from?.b64u ?? "") }
            rotations[rotation.jobClass] = standing
        case .elevation(let standing): if standing.isActive { elevation[standing.reach] = standing }
        case .proxy(let standing): if standing.isActive { proxy[standing.reach] = standing }
        case .suspectKey(let suspect): suspects[suspect.kid] = suspect
        }
    }

    private mutating func remove(_ order: ControlOrder) {
        switch order.content {
        case .stop(let stop):
            let scope = stop.scope.normalized
            stops[scope]?.removeAll { $0 == stop }
            if stops[scope]?.isEmpty ?? false { stops[scope] = nil }
            declarations[stop.stopID]?.remove(order.key)
        case .pendingLift(let pending):
            let id = pending.lift.stopID
            pendingLifts[id]?.remove(order.key)
            if pendingLifts[id]?.isEmpty ?? false { pendingLifts[id] = nil }
        case .barrier(let barrier): barriers[barrier.scope.normalized] = nil
        case .rotation(let rotation):
            rotations[rotation.jobClass]?.removeAll { $0 == rotation }
            if rotations[rotation.jobClass]?.isEmpty ?? false { rotations[rotation.jobClass] = nil }
        case .elevation(let standing): elevation[standing.reach] = nil
        case .proxy(let standing): proxy[standing.reach] = nil
        case .suspectKey(let suspect): suspects[suspect.kid] = nil
        }
    }
}
