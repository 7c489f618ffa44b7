import ClawWire

/// An approval on which a token may rest.
struct UsableApproval: Sendable {
    let state: ApprovalState
    let approvers: [PersonID]
    let notAfter: Timestamp
}

/// What one approval, or all of them together, mean for a request.
enum ApprovalResult: Sendable {
    case usable(UsableApproval)
    case waiting([Finding])
    case refused([Finding])
    case expired([Finding])
}

extension Decider {
    /// Looks at the approvals that fit the class's binding. A usable one wins; else one that may still become usable;
    /// else the newest final answer.
    mutating func chooseApproval() -> (result: ApprovalResult, considered: [ApprovalID]) {
        switch rule.binding {
        case .reference where request.approvalID == nil && request.ticketNumber == nil:
            return (
                .refused([
                    finding(
                        .capabilityReferenceRequired, "the request names neither an approval nor a ticket", "binding",
                        needed: "approval_id or the ticket's number")
                ]), []
            )
        case .entitlement where request.subject == nil:
            return (
                .refused([
                    finding(
                        .capabilitySubjectRequired, "the request names no subject", "binding",
                        needed: "the person on whose entitlement the agent works")
                ]), []
            )
        case .contained, .reference, .entitlement: break
        }
        // Positions, not candidates: a state is large to copy.
        let candidates = input.approvals.indices.filter { fits(input.approvals[$0].state) }
            .sorted { input.approvals[$0].state.approvalID < input.approvals[$1].state.approvalID }
        let considered = candidates.map { input.approvals[$0].state.approvalID }
        var usable: UsableApproval?
        var newest = Timestamp(microseconds: .min)
        var waiting: (at: Timestamp?, findings: [Finding])?
        var final: (at: Timestamp?, result: ApprovalResult)?
        for position in candidates {
            let at = input.approvals[position].state.lastOccurredAt
            switch judge(input.approvals[position]) {
            case .usable(let approval):
                if usable == nil || newest < approval.notAfter { (usable, newest) = (approval, approval.notAfter) }
            case .waiting(let findings):
                if waiting == nil || Self.isNewer(at, waiting?.at) { waiting = (at, findings) }
            case .refused(let findings):
                if final == nil || Self.isNewer(at, final?.at) { final = (at, .refused(findings)) }
            case .expired(let findings):
                guard decides(input.approvals[position].state) else { continue }
                if final == nil || Self.isNewer(at, final?.at) { final = (at, .expired(findings)) }
            }
        }
        if let usable { return (.usable(usable), considered) }
        if let waiting { return (.waiting(waiting.findings), considered) }
        if let final { return (final.result, considered) }
        return (.waiting([noApproval()]), considered)
    }

    private static func isNewer(_ left: Timestamp?, _ right: Timestamp?) -> Bool {
        guard let left else { return false }
        return right.map { left > $0 } ?? true
    }

    func finding(_ code: ReasonCode, _ detail: String, _ setting: String, needed: String) -> Finding {
        Finding(code: code, detail: detail, setting: setting, needed: needed)
    }

    private func noApproval() -> Finding {
        let needed =
            switch rule.binding {
            case .contained: "an approval that carries the request"
            case .reference:
                "an approval with "
                    + (request.approvalID.map { "the id \(quoted($0.rawValue))" }
                        ?? "the ticket \(quoted(request.ticketNumber ?? ""))")
            case .entitlement: "an approved, active entitlement of the subject for \(rule.name)"
            }
        return finding(.capabilityRequiresApproval, "no approval has arrived", "binding", needed: needed)
    }

    /// An entitlement's earlier windows say nothing of a request made after them: only what happened since decides.
    private func decides(_ state: ApprovalState) -> Bool {
        switch rule.binding {
        case .contained, .reference: true
        case .entitlement: state.lastOccurredAt.map { $0 >= request.requestedAt } ?? false
        }
    }

    private func fits(_ state: ApprovalState) -> Bool {
        switch rule.binding {
        case .contained: return carries(state)
        case .reference:
            if let id = request.approvalID { return state.approvalID == id }
            guard let number = request.comparedTicketNumber else { return false }
            return state.claims.entries.contains {
                $0.value.ticket?.value.comparedNumber == number && isPermitted($0.key)
            }
        case .entitlement:
            var claims = state.merged { isPermitted($0) }
            // What is still to be confirmed, or was refuted, is about the request all the same: it says why it waits.
            if claims.subjects.entries.isEmpty { claims = state.merged { isToBeConfirmed($0) } }
            guard let subject = request.subject, claims.subjects.entries.contains(where: { $0.key == subject })
            else { return false }
            return switch rules.entitlements.mapping(of: claims) {
            case .mapped(let jobClass, _, _): jobClass == rule.name
            case .contradictory: true
            case .unmapped: false
            }
        }
    }

    /// True when the approval carries a request with this request's id, as the source of this request stated it.
    private func carries(_ state: ApprovalState) -> Bool {
        guard rules.sources[input.requestSource]?.kind == .native else { return false }
        for index in state.claims.entries.indices
        where state.claims.entries[index].key.source == input.requestSource
            && isPermitted(state.claims.entries[index].key)
        {
            guard let id = state.claims.entries[index].value.request?.request.requestID else { continue }
            if id == request.requestID { return true }
        }
        return false
    }

    /// True for what a source that may approve the class said, authenticated as the source demands.
    func isPermitted(_ attestation: Attestation) -> Bool {
        guard let source = rules.sources[attestation.source], source.kind != .capabilityRequest,
            source.mayApprove.contains(rule.name)
        else { return false }
        return source.accepts(attestation.authenticity, for: rule.name)
    }

    /// True for what a source that may approve the class said and the vendor has not confirmed.
    private func isToBeConfirmed(_ attestation: Attestation) -> Bool {
        guard attestation.authenticity == .unconfirmed, let source = rules.sources[attestation.source] else {
            return false
        }
        return source.authenticity == .confirmed && source.mayApprove.contains(rule.name)
    }

    /// True when nobody but who asks for a token speaks of the approval, by naming it.
    private func isNamedAlone(_ state: ApprovalState) -> Bool {
        !state.claims.entries.isEmpty
            && state.claims.entries.allSatisfy { rules.sources[$0.key.source]?.kind == .capabilityRequest }
    }

    private mutating func judge(_ candidate: ApprovalCandidate) -> ApprovalResult {
        let state = candidate.state
        if let findings = stopped(state) { return .refused(findings) }
        if let findings = used(candidate) { return .refused(findings) }
        if let result = final(state) { return decides(state) ? result : .expired([]) }
        if let findings = spent(state) { return .refused(findings) }
        if isNamedAlone(state) { return .waiting([noApproval()]) }
        if let findings = nothingPermitted(state) { return .waiting(findings) }
        let claims = state.merged { isPermitted($0) }
        let mapping = rules.entitlements.mapping(of: claims)
        if let result = disagreement(state, claims, mapping) { return result }
        var window = ApprovedWindow(claims.window, direct: state.direct)
        if !window.hasStarted {
            if state.direct != nil {
                return .waiting([
                    finding(
                        .humanApprovalDirectAssignment, "\(state.approvalID) is a direct assignment", "binding",
                        needed: "an activation that a human approves")
                ])
            }
            if window.isOnlyChanged {
                return .waiting([
                    finding(
                        .humanApprovalExtensionOnly, "\(state.approvalID) is only an extension", "binding",
                        needed: "an activation that a human approves")
                ])
            }
        }
        var minimum = max(1, policyHumans)
        var windowSeconds: Int64?
        if case .mapped(_, let humans, let seconds) = mapping {
            minimum = max(minimum, humans)
            windowSeconds = seconds
        }
        let barrier = barrier(over: state)
        switch countApprovers(of: state, claims, minimum: minimum, barrier: barrier) {
        case .failure(let result): return result
        case .success(let count):
            if let findings = stale(candidate, decidedAt: count.decidedAt, barrier) { return .refused(findings) }
            hasFreshAuthority = true
            let openFor = windowSeconds ?? (rule.window == .optional ? rule.maximumApprovalAgeSeconds : nil)
            window.open(for: openFor, from: count.decidedAt)
            let result = judge(window, state, count.people)
            guard case .usable(let approval) = result, let watched = unhealthy(approval) else { return result }
            return watched
        }
    }

    private mutating func judge(
        _ window: ApprovedWindow, _ state: ApprovalState, _ approvers: [PersonID]
    ) -> ApprovalResult {
        guard window.hasStarted else {
            return .waiting([
                finding(
                    .humanApprovalNotYetActive, "\(state.approvalID) is approved and not yet active", "window",
                    needed: "the activation that opens the window")
            ])
        }
        guard let notAfter = window.notAfter else {
            return .waiting([
                finding(
                    .humanApprovalNoExpiry, "the evidence of \(state.approvalID) names no end", "window",
                    needed: "a record that names the end of the window")
            ])
        }
        guard input.now < notAfter else {
            return .expired([
                finding(
                    .humanApprovalWindowOver, "the window of \(state.approvalID) ended at \(notAfter)", "window",
                    needed: "a new approved window")
            ])
        }
        if let notBefore = window.notBefore, input.now < notBefore {
            recheckAt = recheckAt.map { min($0, notBefore) } ?? notBefore
            return .waiting([
                finding(
                    .humanApprovalNotYetActive, "the window of \(state.approvalID) begins at \(notBefore)", "window",
                    needed: "the begin of the window")
            ])
        }
        return .usable(UsableApproval(state: state, approvers: approvers, notAfter: notAfter))
    }

    /// What stands against issuing on an approval because of how its sources and approvers fare; `nil` when nothing does.
    private func unhealthy(_ approval: UsableApproval) -> ApprovalResult? {
        guard let health = input.health else { return nil }
        let id = approval.state.approvalID
        for name in rules.supportingSources(of: approval.state, for: rule.name) {
            guard let watch = rules.sources[name]?.health,
                let (obstacle, action) = (health[name] ?? SourceHealth()).obstacle(
                    approvers: approval.approvers, under: watch, at: input.now)
            else { continue }
            let setting = ".sources.\(name)"
            let findings: [Finding]
            switch obstacle {
            case .silent(let since):
                findings = [
                    finding(
                        .humanApprovalSourceSilent,
                        "\(id) rests on the source \(name), which was not heard "
                            + (since.map { "since \($0)" } ?? "yet"),
                        "\(setting).max_source_silence", needed: "a record of the source \(name)")
                ]
            case .sourceLimit:
                findings = [
                    finding(
                        .humanApprovalRateExceeded, "\(id) rests on the source \(name), which has its most tokens now",
                        "\(setting).health.max_grants", needed: "fewer tokens on the source \(name)")
                ]
            case .approverLimit(let person):
                findings = [
                    finding(
                        .humanApprovalRateExceeded,
                        "\(id) rests on \(quoted(person.rawValue)), whose approvals have their most tokens now",
                        "\(setting).health.max_grants_per_approver", needed: "fewer tokens on this person's approvals")
                ]
            case .suspect(let person):
                findings = [
                    finding(
                        .humanApprovalAnomalous, "\(quoted(person.rawValue)) approves in a way that deserves an eye",
                        "\(setting).health.anomalies", needed: "an approval after the time that the rules name")
                ]
            }
            return action == .deny ? .refused(findings) : .waiting(findings)
        }
        return nil
    }

    /// Why an approval has nothing left to give.
    private func used(_ candidate: ApprovalCandidate) -> [Finding]? {
        let id = candidate.state.approvalID
        if request.upgradesRequest != nil, input.upgrade?.approvals.contains(id) ?? false {
            return [
                finding(
                    .replayUpgradeApprovalReused, "\(id) approved the token that is to be replaced", "binding",
                    needed: "an approval of the upgrade")
            ]
        }
        switch rule.binding {
        case .contained, .reference:
            guard let user = candidate.usedBy, user != request.requestID else { return nil }
            return [
                finding(
                    .replayApprovalAlreadyUsed, "\(id) has been used by the request \(quoted(user.rawValue))",
                    "binding", needed: "an approval of its own")
            ]
        case .entitlement:
            guard candidate.usedBy != request.requestID, candidate.grantsInWindow >= rule.maximumGrantsPerWindow
            else { return nil }
            return [
                finding(
                    .capabilityGrantsExhausted, "\(id) has given \(candidate.grantsInWindow) tokens",
                    "max_grants_per_window", needed: "a new approved window")
            ]
        }
    }

    /// The approval's own final answer.
    private func final(_ state: ApprovalState) -> ApprovalResult? {
        let id = state.approvalID
        if let ended = state.ended {
            return .refused([
                finding(
                    .humanApprovalEnded, "\(id) is over: \(ended.value)", "binding", needed: "a new approval")
            ])
        }
        if let invalidated = state.invalidated {
            return .refused([
                finding(
                    .humanApprovalSubjectInvalidated,
                    "somebody on whom \(id) rests is invalid: \(quoted(invalidated.value))",
                    "binding", needed: "a valid account and a new approval")
            ])
        }
        if let denied = state.denied, let why = Contradiction(denial: denied.value) {
            return .refused([
                finding(
                    .humanApprovalContradicted,
                    "the vendor's answer about \(id) contradicts its source: \(why.rawValue)",
                    "approvals", needed: "an approval that the vendor confirms")
            ])
        }
        if let denied = state.denied {
            let who = denied.value.isEmpty ? "" : " by \(quoted(denied.value))"
            return .refused([
                finding(.humanApprovalDenied, "\(id) was denied\(who)", "approvals", needed: "an approval")
            ])
        }
        if state.timedOut != nil {
            return .expired([
                finding(.humanApprovalTimedOut, "nobody answered \(id) in time", "approvals", needed: "an approval")
            ])
        }
        if state.canceled != nil {
            return .refused([
                finding(.humanApprovalCanceled, "\(id) was canceled", "approvals", needed: "an approval")
            ])
        }
        return nil
    }

    /// What makes the approval another one than the request needs, or none that can be judged.
    private func disagreement(
        _ state: ApprovalState, _ claims: Claims, _ mapping: EntitlementMapping
    ) -> ApprovalResult? {
        let id = state.approvalID
        func held(_ code: ReasonCode, _ detail: String, needed: String) -> ApprovalResult {
            .waiting([finding(code, detail, "binding", needed: needed)])
        }
        if state.hasOverflowed {
            return held(.humanApprovalOverflow, "\(id) has more facts than are kept", needed: "a new approval")
        }
        if claims.subjects.entries.count > 1 {
            return held(.humanApprovalContradictory, "\(id) names several subjects", needed: "facts that agree")
        }
        switch mapping {
        case .contradictory:
            return held(.humanApprovalContradictory, "\(id) names several targets", needed: "facts that agree")
        case .unmapped:
            guard rule.binding != .contained else { break }
            let name = claims.entitlements.entries.last?.key.id ?? "nothing"
            return held(
                .humanApprovalEntitlementUnmapped, "\(id) is for \(quoted(name)), which is not in the rules",
                needed: "the entitlement in the rules")
        case .mapped(let jobClass, _, _):
            if jobClass != rule.name {
                return .refused([
                    finding(
                        .humanApprovalJobClassMismatch, "\(id) is for the class \(quoted(jobClass.rawValue))",
                        ".entitlements", needed: "an approval for \(rule.name)")
                ])
            }
        }
        if rule.binding == .contained, let carried = claims.request {
            if carried.isContradicted {
                return held(.humanApprovalContradictory, "\(id) carries several requests", needed: "one request")
            }
            if carried.request != request {
                return .refused([
                    finding(
                        .humanApprovalRequestMismatch, "the request differs from the one that \(id) carries",
                        "binding", needed: "the request that was approved")
                ])
            }
        }
        if let subject = request.subject, let approved = claims.subjects.entries.first?.key, approved != subject {
            return .refused([
                finding(
                    .humanApprovalSubjectMismatch, "\(id) is for another person than \(quoted(subject.rawValue))",
                    "binding", needed: "an approval of the request's subject")
            ])
        }
        return nil
    }
}
