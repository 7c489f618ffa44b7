import ClawWire

/// What it takes to end a stop: more people than declared it, others than they, and fresh authority.
extension ControlStep {
    mutating func lift(_ lift: ControlOperation.Lift) {
        let pending = PendingLift(
            event: event.id, lift: lift, people: lifters, signer: signer, declaredAt: declaredAt, isConsumed: false)
        let declarations = state.declarations(of: lift.stopID)
        if let done = declarations.first(where: { $0.lift?.event == event.id }) {
            result = .repeated(of: state.position(of: done))
            return
        }
        guard !isDatedInFuture else {
            result = .refused(.datedInFuture)
            return
        }
        guard let newest = declarations.last else {
            wait(pending)
            return
        }
        let active = declarations.filter { $0.lift == nil }
        guard !active.isEmpty else {
            result = .repeated(of: state.position(of: newest))
            return
        }
        let targets = active.filter { stop in lift.scope.map { $0.normalized == stop.scope } ?? true }
        if let refusal = refusal(of: pending, lifting: targets) {
            result = .refused(refusal)
            return
        }
        for var stop in targets {
            stop.lift = StandingStop.Ended(event: event.id, at: context.at, people: pending.people)
            bar(stop.scope, handle: stop.stopID)
            put(.stop(stop))
        }
        result = .applied
    }

    /// Keeps a lift whose stop has not come. It stops nothing from being stopped: see ``refusal(of:lifting:)``.
    private mutating func wait(_ pending: PendingLift) {
        if let known = state.pendingLift(pending.event, of: pending.lift.stopID) {
            result = .repeated(of: known)
        } else if pending.people.count < context.rules.liftMinimumPeople {
            result = .refused(.tooFewPeople)
        } else if pending.lift.reapproval == nil, pending.lift.policyHash == nil {
            result = .refused(.noAuthority)
        } else {
            put(.pendingLift(pending))
            result = .pendingLift
        }
    }

    private var signer: KeyID? {
        switch event.origin {
        case .controlTopic(let signer): signer
        case .approvalSource, .ledger: nil
        }
    }

    /// The humans who lift, each once.
    private var lifters: [PersonID] {
        Set(event.declaredBy.filter { $0.kind == .human }.map { PersonID($0.id.rawValue.lowercased()) }).sorted()
    }

    /// Why a lift does not end these declarations; `nil` when it does.
    ///
    /// The lift must be newer than the stop by their own times: a lift that waits for its stop must have been meant for
    /// it, so nobody lifts a stop before it is declared.
    func refusal(of pending: PendingLift, lifting stops: [StandingStop]) -> ControlRefusal? {
        let lift = pending.lift
        guard !stops.isEmpty, stops.allSatisfy({ stop in lift.scope.map { $0.normalized == stop.scope } ?? true })
        else { return .scopeMismatch }
        guard !stops.contains(where: \.isForGood) else { return .forGood }
        if let signer = pending.signer {
            guard let rule = context.rules.signers[signer], rule.operations.contains(.lift),
                stops.allSatisfy({ rule.reaches($0.scope) })
            else { return .signerNotAllowed }
        }
        let declarers = Set(stops.flatMap(\.declarers))
        guard declarers.isDisjoint(with: pending.people) else { return .liftedByDeclarer }
        guard pending.people.count >= context.rules.peopleToLift(stops) else { return .tooFewPeople }
        guard stops.allSatisfy({ pending.declaredAt > $0.declaredAt }) else { return .olderThanRestriction }
        return weakness(of: lift, against: stops)
    }

    /// What is wrong with the authority a lift rests on; one of approval and WPC is enough.
    private func weakness(of lift: ControlOperation.Lift, against stops: [StandingStop]) -> ControlRefusal? {
        var first: ControlRefusal?
        if let approval = lift.reapproval {
            guard let weakness = weakness(of: approval, against: stops) else { return nil }
            first = weakness
        }
        if let policy = lift.policyHash {
            guard let weakness = weakness(of: policy, against: stops) else { return nil }
            first = first ?? weakness
        }
        return first ?? .noAuthority
    }

    private func weakness(of approval: ApprovalID, against stops: [StandingStop]) -> ControlRefusal? {
        guard let evidence = context.evidence.approvals[approval], evidence.isGranted else {
            return .approvalNotGranted
        }
        guard let decidedAt = evidence.decidedAt, stops.allSatisfy({ decidedAt > $0.declaredAt }) else {
            return .approvalNotFresh
        }
        return nil
    }

    private func weakness(of policy: Digest, against stops: [StandingStop]) -> ControlRefusal? {
        guard let evidence = context.evidence.policies[policy], evidence.isVerified else { return .policyNotVerified }
        let isNamed = stops.contains { $0.scope == StopScope(kind: .policyHash, value: policy.b64u) }
        guard !evidence.wasUsed, !isNamed, !state.wasRotated(policy) else { return .policyNotNew }
        return nil
    }
}
