import ClawWire

extension ControlState {
    /// Applies an event. Pure: the same state, event and context give the same outcome.
    ///
    /// What takes away is always taken; what gives back is checked and, when it is older than what it would end,
    /// refused. `docs/control-events.md` has the result of every case.
    public func applying(_ event: ControlEvent, in context: ControlContext) -> ControlOutcome {
        var step = ControlStep(state: self, event: event, context: context)
        step.run()
        return step.outcome
    }
}

/// One event being applied.
struct ControlStep {
    /// What gives back may be so far ahead of the ledger's clock, in seconds: no more than clocks differ.
    static let allowedSkewSeconds: Int64 = 300

    var state: ControlState
    let event: ControlEvent
    let context: ControlContext
    /// The position that the event takes if it is recorded.
    let position: Int64
    var changes: [ControlOrder] = []
    var effects = ControlEffects()
    var result = ControlOutcome.Result.withoutEffect

    init(state: ControlState, event: ControlEvent, context: ControlContext) {
        self.state = state
        self.event = event
        self.context = context
        position = state.position + 1
    }

    /// When the event was declared, as far as the ledger's clock allows.
    var declaredAt: Timestamp { min(event.declaredAt, context.at) }

    /// The people who declare the event, as they are compared: without case, each once.
    var declarers: [PersonID] {
        var people = Set(event.declaredBy.map { PersonID($0.id.rawValue.lowercased()) })
        if people.isEmpty, case .ledger(let person) = event.origin {
            people.insert(PersonID(person.rawValue.lowercased()))
        }
        return people.sorted()
    }

    var outcome: ControlOutcome {
        var final = self
        let isRecorded =
            switch result {
            case .applied, .appliedAndLifted, .pendingLift: true
            case .repeated, .withoutEffect, .refused: false
            }
        if isRecorded {
            final.state.position = position
            final.effects.receipt = receipt
        }
        return ControlOutcome(
            result: result, state: final.state, changes: final.changes, effects: final.effects)
    }

    mutating func run() {
        switch event.operation {
        case .stop(let stop):
            declare(
                standing(stop.stopID, stop.scope, revokesLive: stop.revokesLive, isWidened: stop.isWidened),
                cause: .stopped)
        case .lift(let lift): self.lift(lift)
        case .revoke(let revocation): revoke(revocation)
        case .rotatePolicy(let rotation): rotate(rotation)
        case .disableElevated(let stop): disableElevation(stop)
        case .enableElevated(let reach):
            release(reach, ControlOrder.Content.elevation) { $0.elevationSwitch(reach) }
        case .requireProxy(let order): requireProxy(order)
        case .releaseProxy(let reach): release(reach, ControlOrder.Content.proxy) { $0.proxySwitch(reach) }
        case .suspectKey(let suspect): self.suspect(suspect)
        case .drill: result = .applied
        }
    }

    mutating func put(_ content: ControlOrder.Content) {
        let order = ControlOrder(position: position, content: content)
        state.put(order)
        if let known = changes.firstIndex(where: { $0.key == order.key }) {
            changes[known] = order
        } else {
            changes.append(order)
        }
    }

    /// The first whole second that no token issued so far has, by clock and by ledger, and no earlier than that of any
    /// cut-off of the scope before: a clock that was set back takes nothing back.
    func cutoffInstant(of scope: StopScope) -> Timestamp {
        let newest = context.newestIssuedAt.map { $0.seconds } ?? .min
        let before = state.lastDeclaration(in: scope).map { $0.seconds } ?? .min
        return Timestamp(seconds: max(context.at.seconds, newest, before) + 1)
    }

    mutating func void(_ scope: StopScope, _ cause: ControlCause) {
        switch scope.kind {
        case .token, .jti: break
        case .all, .jobClass, .agent, .subject, .approval, .request, .entitlement, .policyHash, .policyID, .source,
            .issuerKey, .job:
            // A key that is out already stays out: no cut-off of a scope takes back what an earlier one voids.
            let isOut = scope.kind == .issuerKey && state.suspicion(of: KeyID(scope.value ?? "")) != nil
            effects.cutoffs.append(
                ControlCutoff(
                    scope: scope, notIssuedBefore: isOut ? ControlCutoff.forever : cutoffInstant(of: scope),
                    issuedSince: nil,
                    cause: cause))
        }
        effects.revocations.append(ControlRevocation(scope: scope, part: .all, cause: cause))
    }

    /// Why an event that gives back is not even looked at.
    var isDatedInFuture: Bool { event.declaredAt > context.at.adding(seconds: Self.allowedSkewSeconds) }
}

// MARK: Stops and revocations

extension ControlStep {
    private func standing(
        _ stopID: String, _ scope: StopScope, revokesLive: Bool, isRevocation: Bool = false, isWidened: Bool = false
    ) -> StandingStop {
        StandingStop(
            stopID: stopID, event: event.id, scope: scope.normalized, revokesLive: revokesLive,
            isRevocation: isRevocation, isWidened: isWidened, declarers: declarers, declaredAt: declaredAt,
            at: context.at, position: position, reason: event.reason, incident: event.incident, lift: nil)
    }

    private mutating func declare(_ stop: StandingStop, cause: ControlCause) {
        let known = state.declarations(of: stop.stopID)
        if let same = known.first(where: { $0.says(stop) && ($0.event == stop.event || $0.lift == nil) }) {
            result = .repeated(of: same.position)
            return
        }
        var stop = stop
        // The same event again with other content: what was said before stays said.
        if let earlier = known.first(where: { $0.lift == nil && $0.event == stop.event && $0.scope == stop.scope }) {
            stop = stop.joined(with: earlier)
        }
        if stop.revokesLive { void(stop.scope, cause) }
        result = .applied
        for var pending in state.waitingLifts(for: stop.stopID) {
            pending.isConsumed = true
            put(.pendingLift(pending))
            guard stop.lift == nil, refusal(of: pending, lifting: [stop]) == nil else { continue }
            stop.lift = StandingStop.Ended(event: pending.event, at: context.at, people: pending.people)
            bar(stop.scope, handle: stop.stopID, by: pending.event)
            result = .appliedAndLifted(by: pending.event)
        }
        put(.stop(stop))
    }

    private mutating func revoke(_ revocation: ControlOperation.Revocation) {
        let scope = revocation.scope.normalized
        if scope.kind.isForGood, let known = state.index.stops[scope]?.first(where: \.isForGood) {
            result = .repeated(of: known.position)
        } else if revocation.permitsReapproval, !scope.kind.isForGood {
            if let known = state.barrier(of: scope), known.barrier.event == event.id {
                result = .repeated(of: known.position)
                return
            }
            bar(scope, handle: event.handle)
            void(scope, .requested)
            result = .applied
        } else {
            declare(
                standing(event.handle, scope, revokesLive: true, isRevocation: true), cause: .requested)
        }
    }

    mutating func bar(_ scope: StopScope, handle: String, by lift: ControlEventID? = nil) {
        // Nothing from before the stop itself comes back, though the clock be set back between the two.
        let at = state.lastDeclaration(in: scope).map { max($0, context.at) } ?? context.at
        put(.barrier(Barrier(scope: scope.normalized, at: at, event: lift ?? event.id, handle: handle)))
    }
}

extension StandingStop {
    /// True when this declaration says all that another says: it is the other again.
    fileprivate func says(_ other: StandingStop) -> Bool {
        scope == other.scope && isRevocation == other.isRevocation && (revokesLive || !other.revokesLive)
            && other.declarers.allSatisfy(declarers.contains)
    }

    fileprivate func joined(with earlier: StandingStop) -> StandingStop {
        StandingStop(
            stopID: stopID, event: event, scope: scope, revokesLive: revokesLive || earlier.revokesLive,
            isRevocation: isRevocation && earlier.isRevocation, isWidened: isWidened || earlier.isWidened,
            declarers: Set(declarers + earlier.declarers).sorted(), declaredAt: max(declaredAt, earlier.declaredAt),
            at: max(at, earlier.at), position: earlier.position, reason: reason ?? earlier.reason,
            incident: incident ?? earlier.incident, lift: nil)
    }
}

// MARK: Elevation, proxy, policies, keys

extension ControlStep {
    private mutating func disableElevation(_ stop: ControlOperation.ElevationStop) {
        restrict(stop.reach, ControlOrder.Content.elevation, isForced: stop.revokesLive) {
            $0.elevationSwitch(stop.reach)
        }
        guard stop.revokesLive, case .applied = result else { return }
        effects.revocations.append(
            ControlRevocation(scope: stop.reach.scope, part: .elevated, cause: .elevationDisabled))
    }

    private mutating func requireProxy(_ order: ControlOperation.ProxyOrder) {
        restrict(order.reach, ControlOrder.Content.proxy, isForced: order.revokesLive) {
            $0.proxySwitch(order.reach)
        }
        guard order.revokesLive, case .applied = result else { return }
        effects.revocations.append(
            ControlRevocation(scope: order.reach.scope, part: .unproxied, cause: .proxyRequired))
    }

    /// Turns a restriction on. One that holds already is renewed, so that what would end it must be newer still.
    private mutating func restrict(
        _ reach: ControlOperation.Reach, _ content: (StandingSwitch) -> ControlOrder.Content, isForced: Bool = false,
        _ find: (ControlState) -> (standing: StandingSwitch, position: Int64)?
    ) {
        var since = declaredAt
        if let known = find(state) {
            let adds = known.standing.isActive ? isForced || declaredAt > known.standing.declaredAt : true
            guard known.standing.event != event.id, adds else {
                result = .repeated(of: known.position)
                return
            }
            since = max(since, known.standing.declaredAt)
        }
        put(content(StandingSwitch(reach: reach, isActive: true, declaredAt: since, event: event.id)))
        result = .applied
    }

    private mutating func release(
        _ reach: ControlOperation.Reach, _ content: (StandingSwitch) -> ControlOrder.Content,
        _ find: (ControlState) -> (standing: StandingSwitch, position: Int64)?
    ) {
        guard !isDatedInFuture else {
            result = .refused(.datedInFuture)
            return
        }
        guard let known = find(state) else {
            result = .withoutEffect
            return
        }
        guard known.standing.isActive else {
            result = .repeated(of: known.position)
            return
        }
        guard declaredAt > known.standing.declaredAt else {
            result = .refused(.olderThanRestriction)
            return
        }
        put(
            content(
                StandingSwitch(
                    reach: reach, isActive: false, declaredAt: known.standing.declaredAt, event: known.standing.event)))
        result = .applied
    }

    private mutating func rotate(_ rotation: ControlOperation.PolicyRotation) {
        guard rotation.from != rotation.to else { return }
        let forbids = StandingRotation(
            jobClass: rotation.jobClass, from: rotation.from, to: rotation.to, declaredAt: declaredAt, event: event.id,
            isActive: true)
        let rows = state.rotations(of: rotation.jobClass)
        if let known = rows.first(where: { $0.rotation.from == rotation.from }) {
            let isNews =
                known.rotation.event != event.id
                && (!known.rotation.isActive || declaredAt > known.rotation.declaredAt)
            guard isNews else {
                result = .repeated(of: known.position)
                return
            }
        }
        put(.rotation(forbids))
        result = .applied
        // What leads back to a WPC allows it again, unless it is older than what took the WPC away.
        for var row in rows.map(\.rotation) where row.isActive && declaredAt > row.declaredAt && !isDatedInFuture {
            if let from = row.from, from == rotation.to {
                row.isActive = false
                put(.rotation(row))
            } else if row.from == nil, let from = rotation.from, row.to == from {
                put(
                    .rotation(
                        StandingRotation(
                            jobClass: row.jobClass, from: nil, to: rotation.to, declaredAt: declaredAt,
                            event: row.event, isActive: true)))
            }
        }
        guard rotation.running == .revoke else { return }
        effects.revocations.append(
            ControlRevocation(
                scope: StopScope(kind: .jobClass, value: rotation.jobClass.rawValue),
                part: rotation.from.map { .pinned($0) } ?? .notPinned(rotation.to), cause: .policyRotated))
    }

    private mutating func suspect(_ suspect: ControlOperation.SuspectKey) {
        // To obey would look like an answer, and void nothing.
        guard !context.otherKeys.contains(suspect.kid) else {
            result = .refused(.signsNoTokens)
            return
        }
        if let known = state.suspicion(of: suspect.kid) {
            let covers = known.suspect.since.map { old in suspect.since.map { $0 >= old } ?? false } ?? true
            guard !covers else {
                result = .repeated(of: known.position)
                return
            }
        }
        put(.suspectKey(SuspectedKey(kid: suspect.kid, since: suspect.since, event: event.id)))
        let scope = StopScope(kind: .issuerKey, value: suspect.kid.rawValue)
        let since = suspect.since.map { Timestamp(seconds: $0.seconds) }
        effects.cutoffs.append(
            ControlCutoff(
                scope: scope, notIssuedBefore: ControlCutoff.forever,
                issuedSince: state.wasCutOff(scope) ? nil : since, cause: .keyWithdrawn))
        effects.revocations.append(
            ControlRevocation(scope: scope, part: since.map { .issuedSince($0) } ?? .all, cause: .keyWithdrawn))
        result = .applied
    }
}

// MARK: The receipt

extension ControlStep {
    private var receipt: JSONObject {
        var object: JSONObject = [
            "stop_id": .string(event.handle), "event_id": .string(event.id.rawValue),
            "operation": .string(event.operation.kind.rawValue), "control_position": .integer(position),
            "at": context.at.json, "grants_before": .integer(context.grantsBefore),
            "declared_at": event.declaredAt.json, "declared_by": personArray(declarers),
            "origin": event.origin.json, "data": .object(event.operation.json),
        ]
        object["reason"] = event.reason.map { .string($0) }
        object["incident"] = event.incident.map { .string($0) }
        object["record_sha256_b64u"] = event.recordDigest.map { .string($0.b64u) }
        if !effects.cutoffs.isEmpty {
            object["cutoffs"] = .array(effects.cutoffs.map(\.json))
        }
        switch result {
        case .appliedAndLifted(let lift): object["lifted_by_event"] = .string(lift.rawValue)
        case .pendingLift: object["pending"] = true
        case .applied, .repeated, .withoutEffect, .refused: break
        }
        return object
    }
}

extension ControlCutoff {
    /// `scope`, `not_issued_before`, `issued_since` where there is one, `cause`; times in whole seconds.
    var json: JSONValue {
        var object: JSONObject = [
            "scope": scope.json, "not_issued_before": .integer(notIssuedBefore.seconds),
            "cause": .string(cause.rawValue),
        ]
        object["issued_since"] = issuedSince.map { .integer($0.seconds) }
        return .object(object)
    }
}
