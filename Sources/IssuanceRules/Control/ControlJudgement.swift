public import ClawWire

/// What a decision is about, in the terms of scopes.
extension DecisionInput {
    /// Every scope that covers the request, whatever approval serves it; normalized.
    var scopes: [StopScope] {
        var scopes: [StopScope] = [
            .everything, StopScope(kind: .jobClass, value: request.jobClass.rawValue),
            StopScope(kind: .agent, value: request.agentDID.rawValue),
            StopScope(kind: .request, value: request.requestID.rawValue),
            StopScope(kind: .job, value: request.jobID.rawValue),
            StopScope(kind: .source, value: requestSource.rawValue),
        ]
        func add(_ kind: StopScope.Kind, _ value: String?) {
            if let value { scopes.append(StopScope(kind: kind, value: value).normalized) }
        }
        add(.subject, request.subject?.rawValue)
        add(.approval, request.approvalID?.rawValue)
        add(.policyHash, request.policyHash?.b64u)
        if case .available(let policy, _) = wpc { add(.policyID, policy.policyID) }
        add(.issuerKey, signingKey?.rawValue)
        add(.jti, tokenID?.rawValue)
        return scopes
    }

    /// The refusal of a request that a stop or a revocation covers, before anything else is looked at.
    var stopped: Decision? {
        let findings = control.stops(among: scopes).map(\.finding)
        guard !findings.isEmpty else { return nil }
        return Decision(
            outcome: .deny, reasons: findings.map(\.reason), rule: "control", approvals: [],
            needed: findings.map(\.needed))
    }
}

extension ControlState {
    /// The stops and revocations that hold and cover one of these scopes, oldest first.
    package func stops(among scopes: [StopScope]) -> [StandingStop] {
        guard !index.stops.isEmpty else { return [] }
        var found: [StandingStop] = []
        for scope in scopes {
            if let stops = index.stops[scope] { found += stops }
        }
        return found.sorted { ($0.position, $0.event) < ($1.position, $1.event) }
    }

    /// The latest barrier over one of these scopes.
    package func barrier(among scopes: [StopScope]) -> Barrier? {
        guard !index.barriers.isEmpty else { return nil }
        var latest: Barrier?
        for scope in scopes {
            guard let barrier = index.barriers[scope] else { continue }
            if latest.map({ $0.at < barrier.at }) ?? true { latest = barrier }
        }
        return latest
    }

    /// True when a token is revoked by its hash, which is only known once it is signed.
    public func revokes(tokenHash: Digest) -> Bool {
        index.stops[StopScope(kind: .token, value: tokenHash.hex)] != nil
    }

    /// True when a `jti` is revoked, so that ``DecisionInput/tokenID`` must be given.
    public var needsTokenID: Bool { index.stops.keys.contains { $0.kind == .jti } }

    /// True when nothing may be signed with a key.
    public func isSuspect(_ kid: KeyID) -> Bool { index.suspects[kid] != nil }

    /// The rotation that takes a WPC, or none at all, from a class; `nil` when it may be used.
    func rotation(of jobClass: JobClass, forbidding policy: Digest?) -> StandingRotation? {
        index.rotations[jobClass]?.first { rotation in
            guard let policy else { return true }
            return rotation.from.map { $0 == policy } ?? (policy != rotation.to)
        }
    }

    func elevationOrder(for jobClass: JobClass) -> StandingSwitch? {
        index.elevation.isEmpty ? nil : index.elevation[.everywhere] ?? index.elevation[.jobClass(jobClass)]
    }

    func proxyOrder(for jobClass: JobClass) -> StandingSwitch? {
        index.proxy.isEmpty ? nil : index.proxy[.everywhere] ?? index.proxy[.jobClass(jobClass)]
    }
}

extension StandingStop {
    /// Why what it covers is refused.
    var finding: Finding {
        let what = isRevocation ? "the revocation" : "the stop"
        let why = reason.map { ": \(quoted($0))" } ?? ""
        return Finding(
            code: isRevocation ? .tokenRevoked : .capabilityStopped,
            detail: "\(what) \(quoted(stopID)) of \(quoted(scope.text)) holds since \(at)\(why)", setting: ".control",
            needed: isForGood
                ? "another \(scope.kind.noun): this one is revoked for good"
                : "a lift of \(quoted(stopID)) and an approval decided after it")
    }
}

extension StopScope.Kind {
    fileprivate var noun: String {
        switch self {
        case .all: "ledger"
        case .jobClass: "job class"
        case .policyHash, .policyID: "WPC"
        case .issuerKey: "key"
        case .token, .jti: "token"
        case .agent, .subject, .approval, .request, .entitlement, .source, .job: rawValue
        }
    }
}

/// The control state in a decision beyond what stops it at once.
extension Decider {
    /// Every scope that covers an approval, by what its permitted sources state; normalized.
    private func scopes(of state: ApprovalState) -> [StopScope] {
        var scopes = [StopScope(kind: .approval, value: state.approvalID.rawValue)]
        let claims = state.merged { isPermitted($0) }
        for entry in claims.subjects.entries {
            scopes.append(StopScope(kind: .subject, value: entry.key.rawValue).normalized)
        }
        for entry in claims.entitlements.entries {
            scopes += entry.key.scopeValues.map { StopScope(kind: .entitlement, value: $0) }
        }
        for entry in state.claims.entries where isPermitted(entry.key) {
            let scope = StopScope(kind: .source, value: entry.key.source.rawValue)
            if !scopes.contains(scope) { scopes.append(scope) }
        }
        return scopes
    }

    /// Why an approval is covered by a stop or a revocation; `nil` when it is not.
    func stopped(_ state: ApprovalState) -> [Finding]? {
        guard !input.control.index.stops.isEmpty else { return nil }
        let findings = input.control.stops(among: scopes(of: state)).map(\.finding)
        return findings.isEmpty ? nil : findings
    }

    /// Up to when the decisions of an approval are dead; `nil` where nothing was lifted or revoked.
    func barrier(over state: ApprovalState) -> Barrier? {
        guard !input.control.index.barriers.isEmpty else { return nil }
        let own = input.control.barrier(among: scopes(of: state))
        return [barrier, own].compactMap(\.self).max { $0.at < $1.at }
    }

    /// Why an approval is too old for what was lifted since; `nil` when it is not.
    func stale(_ candidate: ApprovalCandidate, decidedAt: Timestamp?, _ latest: Barrier?) -> [Finding]? {
        guard let latest else { return nil }
        let instant = [decidedAt, candidate.readAt].compactMap(\.self).min()
        if decidedAt != nil, let instant, instant > latest.at { return nil }
        return [reapproval(of: candidate.state, since: latest)]
    }

    func reapproval(of state: ApprovalState, since latest: Barrier) -> Finding {
        finding(
            .humanApprovalReapprovalRequired,
            "\(state.approvalID) was decided before \(latest.at), from when \(quoted(latest.handle)) "
                + "demands a new one",
            ".control", needed: "an approval decided after \(latest.at)")
    }

    /// A request that nothing fresh serves is as old as its receipt.
    var staleRequest: Finding? {
        guard !hasFreshAuthority, let barrier, input.receivedAt <= barrier.at else { return nil }
        return finding(
            .humanApprovalReapprovalRequired,
            "the request was received before \(barrier.at), from when \(quoted(barrier.handle)) demands a new one",
            ".control",
            needed: "a new request, and an approval decided after \(barrier.at)")
    }

    mutating func checkRotation() {
        guard let rotation = input.control.rotation(of: rule.name, forbidding: request.policyHash) else { return }
        let asked = request.policyHash.map { "the WPC \($0)" } ?? "a request without a WPC"
        refuse(
            .policyRotated, "the class was rotated away from \(asked)", ".control", needed: "the WPC \(rotation.to)")
    }

    mutating func checkProxyOrder(_ policy: IssuancePolicy?) {
        guard input.control.proxyOrder(for: rule.name) != nil else { return }
        if !(policy?.requiresProxy ?? false) {
            refuse(
                .policyProxyRequired,
                policy == nil
                    ? "the request names no WPC while the proxy is required"
                    : "the WPC does not route model calls through the proxy", ".control",
                needed: "a WPC with require_proxy")
        }
        if !(policy?.requiresReceipts ?? false) {
            refuse(
                .policyReceiptsRequired,
                policy == nil
                    ? "the request names no WPC while receipts are required" : "the WPC does not require receipts",
                ".control", needed: "a WPC with receipt_required")
        }
    }

    /// True when nothing has disabled elevated execution; otherwise the action is refused or left out.
    mutating func isElevationAllowed(_ action: String) -> Bool {
        guard let order = input.control.elevationOrder(for: rule.name) else { return true }
        leaveOut(
            action, .capabilityElevationDisabled,
            "elevated execution is disabled for \(order.reach.scope.text), so \(quoted(action)) is not granted",
            ".control", needed: "a request without the action \(quoted(action))")
        return false
    }

    mutating func checkKey() {
        guard let kid = input.signingKey, input.control.isSuspect(kid) else { return }
        wait(.tokenKeySuspect, "the signing key \(kid) is suspect", ".control", needed: "another signing key")
    }
}
