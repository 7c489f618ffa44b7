import ClawWire

/// Single orders by what they are about.
extension ControlState {
    private func order(_ probe: ControlOrder.Content) -> ControlOrder? {
        orders[ControlOrder(position: 0, content: probe).key]
    }

    func barrier(of scope: StopScope) -> (barrier: Barrier, position: Int64)? {
        let probe = Barrier(scope: scope, at: Timestamp(seconds: 0), event: ControlEventID(""), handle: "")
        guard let order = order(.barrier(probe)), case .barrier(let barrier) = order.content else { return nil }
        return (barrier, order.position)
    }

    func elevationSwitch(_ reach: ControlOperation.Reach) -> (standing: StandingSwitch, position: Int64)? {
        guard let order = order(.elevation(Self.probe(reach))), case .elevation(let standing) = order.content else {
            return nil
        }
        return (standing, order.position)
    }

    func proxySwitch(_ reach: ControlOperation.Reach) -> (standing: StandingSwitch, position: Int64)? {
        guard let order = order(.proxy(Self.probe(reach))), case .proxy(let standing) = order.content else {
            return nil
        }
        return (standing, order.position)
    }

    private static func probe(_ reach: ControlOperation.Reach) -> StandingSwitch {
        StandingSwitch(reach: reach, isActive: true, declaredAt: Timestamp(seconds: 0), event: ControlEventID(""))
    }

    func suspicion(of kid: KeyID) -> (suspect: SuspectedKey, position: Int64)? {
        let probe = SuspectedKey(kid: kid, since: nil, event: ControlEventID(""))
        guard let order = order(.suspectKey(probe)), case .suspectKey(let suspect) = order.content else { return nil }
        return (suspect, order.position)
    }

    /// All rotations of a class, ended ones too, in the order of their keys.
    func rotations(of jobClass: JobClass) -> [(rotation: StandingRotation, position: Int64)] {
        var found: [(rotation: StandingRotation, position: Int64)] = []
        for order in orders.values {
            if case .rotation(let rotation) = order.content, rotation.jobClass == jobClass {
                found.append((rotation, order.position))
            }
        }
        return found.sorted { ($0.rotation.from?.b64u ?? "") < ($1.rotation.from?.b64u ?? "") }
    }

    /// True when a rotation ever took the WPC away.
    func wasRotated(_ policy: Digest) -> Bool {
        orders.values.contains { order in
            if case .rotation(let rotation) = order.content { rotation.from == policy } else { false }
        }
    }

    /// The latest instant, by the ledger's clock, of what holds in exactly this scope: stops, revocations, and the barrier
    /// that they leave when they end.
    func lastDeclaration(in scope: StopScope) -> Timestamp? {
        let scope = scope.normalized
        let stops = (index.stops[scope] ?? []).map(\.at)
        return (stops + [index.barriers[scope]?.at].compactMap(\.self)).max()
    }

    /// True when a stop or a revocation ever cut off all that was issued in the scope, ended ones included.
    func wasCutOff(_ scope: StopScope) -> Bool {
        let scope = scope.normalized
        return orders.values.contains { order in
            switch order.content {
            case .stop(let stop): stop.scope == scope && stop.revokesLive
            // A revocation that permits re-approval leaves a barrier and nothing else.
            case .barrier(let barrier): barrier.scope == scope
            case .pendingLift, .rotation, .elevation, .proxy, .suspectKey: false
            }
        }
    }

    func position(of stop: StandingStop) -> Int64 {
        order(.stop(stop))?.position ?? stop.position
    }

    /// Position of a lift that waits, by its event.
    func pendingLift(_ event: ControlEventID, of stopID: String) -> Int64? {
        for key in index.pendingLifts[stopID] ?? [] {
            guard let order = orders[key], case .pendingLift(let pending) = order.content else { continue }
            if pending.event == event { return order.position }
        }
        return nil
    }
}
