import ApprovalSources
import ClawWire
import CrashPoints
import GrantLedger
import IssuanceRules
import ReceiptLog

/// How requests get their outcome, and approvals theirs.
extension WorkingSet {
    /// Runs the rules for a waiting request.
    mutating func decide(_ id: RequestID) throws {
        guard let entry = request(id), entry.stored.state == .waiting else { return }
        guard let asked = entry.request else {
            throw LedgerError(.corrupted, "the stored request \(id) does not read")
        }
        guard let (input, decision) = judge(asked, entry) else { return }
        let candidates = input.approvals
        let outcome = BatchSummary.Outcome(decision.outcome, isDryRun: planner.isDryRun)
        for reason in decision.reasons {
            summary.reasons[outcome, default: [:]][reason.code.rawValue, default: 0] += 1
        }
        entry.isChanged = true
        entry.stored.approvals = decision.approvals
        switch decision.outcome {
        case .wait(let until):
            // The sweeper looks again then: without a fact that arrives, nobody else would.
            let retry =
                isWaitingForPolicy(decision) || Self.waitsForHealth(decision)
                ? min(until, now.adding(seconds: planner.policyRetrySeconds)) : until
            entry.stored.waitUntil = decision.recheckAt.map { min(retry, $0) } ?? retry
            summary.waiting += 1
        case .issue(let plan) where planner.isDryRun:
            try refuse(entry, asked, decision.withoutMinting(plan), isExpiry: false)
        case .issue(let plan):
            try issue(entry, asked, decision, plan, reach: input.controlReach(of: plan, approvals: candidates))
        case .deny:
            try refuse(entry, asked, decision, isExpiry: false)
        case .expire:
            try refuse(entry, asked, decision, isExpiry: true)
        }
    }

    /// What the rules say of a request, and what they were told; `nil` when more is needed first.
    mutating func judge(
        _ asked: CapabilityRequest, _ entry: RequestEntry
    ) -> (input: DecisionInput, decision: Decision)? {
        let candidates = candidates(for: asked, entry)
        let policy = policy(for: asked)
        let upgrade = upgradeTarget(of: asked)
        let usage = usage(of: asked, candidates)
        guard needs.isEmpty else { return nil }
        var input = DecisionInput(
            request: asked, requestSource: entry.source, requestAuthenticity: entry.authenticity,
            receivedAt: entry.stored.receivedAt, approvals: candidates, wpc: policy,
            keyValidUntil: planner.keyValidUntil, upgrade: upgrade, control: control,
            signingKey: planner.minter.kid,
            tokenID: control.needsTokenID
                ? TokenID.derive(secret: planner.tokenIDSecret, requestID: asked.requestID) : nil,
            usage: usage, now: now)
        if !watched.isEmpty { input.health = health }
        return (input, planner.rules.decide(input))
    }

    /// What the rules say of a request that came now, with nothing changed.
    mutating func preview(
        _ asked: CapabilityRequest, from source: SourceName, authenticity: IssuanceRules.Authenticity
    ) throws -> Decision? {
        meetings = ApprovalMeetings(try allApprovals().values.lazy.map(\.state))
        let stored = StoredRequest(
            requestID: asked.requestID, state: .waiting, jobID: asked.jobID, jobClass: asked.jobClass,
            agentDID: asked.agentDID, body: nil, receivedAt: now, waitUntil: nil, decidedAt: nil, approvals: [],
            token: nil, revocation: nil, approvalReference: asked.approvalID,
            ticketReference: asked.comparedTicketNumber,
            subjectReference: asked.subject)
        let entry = RequestEntry(
            request: asked, stored: stored, isNew: true, isChanged: false, source: source, authenticity: authenticity,
            input: nil)
        return judge(asked, entry)?.decision
    }

    /// What the job has used. It is asked for where something limits the job: its class, an approval it may rest on, or
    /// one that it rested on before.
    private mutating func usage(of asked: CapabilityRequest, _ candidates: [ApprovalCandidate]) -> JobUsage? {
        if let known = snapshot.usage { return known[asked.jobID] }
        if snapshot.hasApprovalBudgets || planner.rules.jobClasses[asked.jobClass]?.budget != nil
            || candidates.contains(where: { $0.state.budget != nil })
        {
            needs.usage = true
        }
        return nil
    }

    private mutating func policy(for request: CapabilityRequest) -> WPCAvailability {
        guard let hash = request.policyHash else { return .notRequested }
        guard let known = planner.policies[hash] else {
            needs.policies.insert(hash)
            return .unavailable(reason: "the WPC \(hash) is not loaded yet")
        }
        if case .unavailable = known { summary.missingPolicies.insert(hash) }
        return known
    }

    private mutating func isWaitingForPolicy(_ decision: Decision) -> Bool {
        decision.reasons.contains { $0.code == .wpcUnavailable }
    }

    private func candidates(for asked: CapabilityRequest, _ entry: RequestEntry) -> [ApprovalCandidate] {
        var met = meetings.approvals(for: asked)
        if let named = entry.stored.approvalReference { met.insert(named) }
        var candidates: [ApprovalCandidate] = []
        for id in met.count < 2 ? Array(met) : met.sorted() {
            guard let approval = approvals[id] else { continue }
            candidates.append(
                ApprovalCandidate(
                    state: approval.state, usedBy: approval.stored.usedBy.first,
                    grantsInWindow: approval.stored.usedBy.count,
                    readAt: touchedApprovals.contains(id) ? now : approval.stored.updatedAt))
        }
        return candidates
    }

    private mutating func upgradeTarget(of asked: CapabilityRequest) -> UpgradeTarget? {
        guard let earlier = asked.upgradesRequest else { return nil }
        guard let stored = request(earlier)?.stored else {
            if !loadedRequests.contains(earlier) { needs.requests.insert(earlier) }
            return nil
        }
        var isLive = stored.state == .issued && stored.revocation == nil
        if let end = stored.token?.expiresAt, isLive { isLive = end > now } else { isLive = false }
        return UpgradeTarget(
            requestID: earlier, jobID: stored.jobID, agentDID: stored.agentDID,
            scope: stored.token?.scope ?? [], elevatedActions: elevatedActions(of: stored),
            approvals: stored.approvals, isLive: isLive)
    }

    /// The elevated actions that a token was issued with, as far as its scope tells under the rules of today: those whose
    /// own scopes it has; of an elevated token that has none of them, the only one that brings no scope of its own.
    private func elevatedActions(of stored: StoredRequest) -> [String] {
        guard let token = stored.token, token.control?.isElevated ?? true,
            let rule = planner.rules.jobClasses[stored.jobClass]
        else { return [] }
        let own = rule.elevatedActions.mapValues { action in action.scopes.filter { !rule.scopes.contains($0) } }
        let told = own.filter { !$0.value.isEmpty && $0.value.allSatisfy(token.scope.contains) }.keys.sorted()
        guard told.isEmpty, token.control != nil else { return told }
        let silent = own.filter(\.value.isEmpty).keys.sorted()
        return silent.count == 1 ? silent : []
    }

    private mutating func issue(
        _ entry: RequestEntry, _ asked: CapabilityRequest, _ decision: Decision, _ plan: GrantPlan,
        reach: IssuedToken.ControlReach
    ) throws {
        guard Self.isRecordable(asked, plan) else {
            return try refuse(entry, asked, decision.refusedBySize(), isExpiry: false)
        }
        let tokenID = TokenID.derive(secret: planner.tokenIDSecret, requestID: asked.requestID)
        let claims = CSTClaims.jobToken(
            sub: plan.agentDID, aud: plan.audience, scope: plan.scope, iat: plan.issuedAt, exp: plan.expiresAt,
            ownerRef: plan.approvalDigest, policyHash: plan.policyHash, missionID: plan.jobID, jti: tokenID,
            nonce: TokenNonce.derive(secret: planner.tokenIDSecret, requestID: asked.requestID))
        let minted = try planner.minter.mint(claims)
        CrashPoint.pass(.tokenSigned)
        guard !control.revokes(tokenHash: minted.hash.digest) else {
            return try refuse(entry, asked, decision.refusedByHash(), isExpiry: false)
        }
        guard let scopeHash = claims.tokenScopeHash?.digest else {
            throw LedgerError(.refused, "the token of request \(asked.requestID) has no scope hash")
        }
        entry.stored.state = .issued
        entry.stored.body = nil
        entry.stored.decidedAt = now
        entry.stored.waitUntil = nil
        entry.stored.approvals = plan.approvals
        entry.stored.token = IssuedToken(
            tokenHash: minted.hash.digest, tokenID: tokenID, scopeHash: scopeHash, kid: planner.minter.kid,
            issuedAt: plan.issuedAt, expiresAt: plan.expiresAt, scope: plan.scope, control: reach)
        for id in plan.approvals {
            let approval = try approval(id)
            approval.stored.usedBy.append(asked.requestID)
            approval.isChanged = true
            approvals[id] = approval
            touchedApprovals.insert(id)
        }
        try recordIssue(entry, request: asked, decision: decision, plan: plan, minted: minted)
        if case .reference = plan.delivery {} else { planner.kept?.keep(minted.token, minted.hash) }
        try countIssued(plan)
        summary.issued += 1
        if let replaced = plan.replaces {
            try revoke(
                replaced, cause: .upgraded, detail: "replaced by the token of request \(asked.requestID)", evidence: [])
        }
    }

    /// Whether the receipt of a grant holds what was asked for, what is granted, and who approved. Each byte counts for
    /// two, as a quotation mark takes them.
    private static func isRecordable(_ asked: CapabilityRequest, _ plan: GrantPlan) -> Bool {
        let lists = [
            asked.scope, asked.actions, asked.audience, plan.scope, plan.elevatedActions, plan.audience,
            plan.approvers.map(\.rawValue), plan.approvals.map(\.rawValue),
        ]
        var bytes = 0
        for list in lists { for text in list { bytes += 2 * text.utf8.count + 3 } }
        return bytes <= maximumGrantBytes
    }

    /// Leaves room for what a receipt holds of a grant besides, in its ``Receipt/abridged`` form.
    private static let maximumGrantBytes = 40_960

    private mutating func refuse(
        _ entry: RequestEntry, _ asked: CapabilityRequest, _ decision: Decision, isExpiry: Bool
    ) throws {
        entry.stored.state = isExpiry ? .expired : .denied
        entry.stored.body = nil
        entry.stored.decidedAt = now
        entry.stored.waitUntil = nil
        try recordRefusal(entry, request: asked, decision: decision, isExpiry: isExpiry)
        if isExpiry { summary.expired += 1 } else { summary.denied += 1 }
    }

    /// Revokes the live token of a request, if it has one.
    mutating func revoke(_ id: RequestID, cause: RevocationCause, detail: String, evidence: [EvidenceInput]) throws {
        guard let entry = request(id), let token = entry.stored.token, entry.stored.revocation == nil,
            token.expiresAt > now
        else { return }
        entry.stored.revocation = TokenRevocation(at: now, reason: cause.rawValue)
        entry.isChanged = true
        try recordRevocation(of: entry.stored, token: token, cause: cause, detail: detail, evidence: evidence)
        summary.revoked += 1
    }

    /// Draws the consequences of an approval's state: revokes what rested on it, records an outcome of its own, and says
    /// when it is to be looked at again.
    mutating func close(_ id: ApprovalID) throws {
        let entry = try approval(id)
        approvals[id] = entry
        let state = entry.state
        let assessment = state.assess(at: now, entitlements: planner.rules.entitlements)
        let evidence = inputs[id] ?? []
        if assessment.revoke || state.isEnded || Self.isRefusal(assessment.state) {
            let cause: RevocationCause = assessment.why == "window_over" ? .approvalExpired : .approvalEnded
            for used in entry.stored.usedBy {
                try revoke(used, cause: cause, detail: "approval \(id): \(assessment.why)", evidence: evidence)
            }
        }
        guard entry.stored.outcome == nil else { return }
        let carried = try isCarriedByRequest(entry)
        switch assessment.state {
        case .denied, .canceled:
            if !carried {
                try recordClosedApproval(
                    entry, reason: Self.reason(assessment, id), isExpiry: false, jobClass: assessment.jobClass)
                summary.denied += 1
            }
            finish(entry, assessment.state.rawValue)
        case .timedOut, .ended:
            if !carried {
                try recordClosedApproval(
                    entry, reason: Self.reason(assessment, id), isExpiry: true, jobClass: assessment.jobClass)
                summary.expired += 1
            }
            finish(entry, assessment.state.rawValue)
        case .pending, .approved, .granted, .held:
            let deadline = closingTime(entry, assessment)
            if deadline <= now {
                if !carried {
                    try recordClosedApproval(
                        entry,
                        reason: Receipt.Reason(
                            code: "HUMAN_APPROVAL_EXPIRED",
                            detail:
                                "approval \(id) was \(assessment.state.rawValue) (\(assessment.why)) until its time was over"
                        ),
                        isExpiry: true, jobClass: assessment.jobClass)
                    summary.expired += 1
                }
                finish(entry, "expired")
            } else if entry.stored.closeAt != deadline {
                entry.stored.closeAt = deadline
                entry.isChanged = true
            }
        }
    }

    private static func isRefusal(_ state: ApprovalAssessment.State) -> Bool {
        switch state {
        case .denied, .canceled: true
        case .pending, .approved, .granted, .timedOut, .held, .ended: false
        }
    }

    private static func reason(_ assessment: ApprovalAssessment, _ id: ApprovalID) -> Receipt.Reason {
        switch assessment.state {
        case .denied: Receipt.Reason(code: "CAPABILITY_DENIED", detail: "approval \(id) was denied")
        case .canceled: Receipt.Reason(code: "HUMAN_APPROVAL_CANCELED", detail: "approval \(id) was taken back")
        case .timedOut: Receipt.Reason(code: "HUMAN_APPROVAL_EXPIRED", detail: "nobody answered approval \(id) in time")
        case .pending, .approved, .granted, .held, .ended:
            Receipt.Reason(code: "HUMAN_APPROVAL_EXPIRED", detail: "approval \(id) is over: \(assessment.why)")
        }
    }

    /// True when a request has, or will have, the outcome that this approval leads to.
    private mutating func isCarriedByRequest(_ entry: ApprovalEntry) throws -> Bool {
        if !entry.stored.usedBy.isEmpty { return true }
        if let contained = entry.state.containedRequest?.requestID, request(contained) != nil { return true }
        return false
    }

    private mutating func finish(_ entry: ApprovalEntry, _ outcome: String) {
        entry.stored.outcome = outcome
        entry.stored.closeAt = nil
        entry.isChanged = true
    }

    /// When an approval is over if nothing more is heard of it: at the end of its window, else when nothing may wait for
    /// it any longer.
    private func closingTime(_ entry: ApprovalEntry, _ assessment: ApprovalAssessment) -> Timestamp {
        if let notAfter = assessment.notAfter { return notAfter }
        var last = now
        if let occurredAt = entry.state.lastOccurredAt { last = occurredAt }
        return last.adding(seconds: planner.longestWaitSeconds)
    }
}
