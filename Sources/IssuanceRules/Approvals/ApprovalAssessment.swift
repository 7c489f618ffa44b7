public import ClawWire

/// What an approval amounts to at an instant, before any issuance rule is asked (INTEGRATIONS section 1.4).
public struct ApprovalAssessment: Sendable, Hashable {
    /// Where the approval stands. The text is the wire form.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Nobody has answered.
        case pending
        /// Approved, the window has not begun.
        case approved
        /// Approved, and the window is open.
        case granted
        /// Someone said no. Final.
        case denied
        /// Nobody answered in time. Final.
        case timedOut = "timed_out"
        /// Taken back. Final.
        case canceled
        /// Something is missing or not allowed; a later fact may change it.
        case held
        /// Over. Final.
        case ended
    }

    /// Where it stands.
    public let state: State
    /// True when a token may rest on it now, as far as the approval itself goes.
    public let issue: Bool
    /// True when tokens that rest on it must be revoked.
    public let revoke: Bool
    /// Why, as a machine code, for example `approved_by_other_human_and_active`.
    public let why: String
    /// The class that the entitlement stands for.
    public let jobClass: JobClass?
    /// Who asked.
    public let requester: Actor?
    /// Whom it is for.
    public let subject: Actor?
    /// The humans who approved and are neither requester nor subject.
    public let approvers: [ApprovalState.Approver]
    /// Begin of the window.
    public let notBefore: Timestamp?
    /// End of the window, exclusive.
    public let notAfter: Timestamp?
    /// The ticket.
    public let ticket: Ticket?
    /// Longest lifetime of a token made now, in whole seconds: to the window's end, at most the class's longest.
    /// `nil` unless ``issue``.
    public let maximumTTLSeconds: Int64?
}

extension ApprovalState {
    /// Says where the approval stands; the first rule that fits decides.
    public func assess(at now: Timestamp, entitlements map: EntitlementMap) -> ApprovalAssessment {
        let all = merged { _ in true }
        let mapping = map.mapping(of: all)
        let counted = approvers.filter { $0.actor.kind == .human && !isRequesterOrSubject($0.actor.id) }
        var window = ApprovedWindow(all.window, direct: direct)
        var jobClass: JobClass?
        var minimum = 1
        if case .mapped(let mapped, let minimumHumanApprovers, let windowSeconds) = mapping {
            jobClass = mapped
            minimum = minimumHumanApprovers
            window.open(for: windowSeconds, from: counted.compactMap(\.decidedAt).max())
        }
        let (state, why) = standing(all, mapping, counted: counted.count, minimum: minimum, window: window, at: now)
        let issue = state == .granted
        var ttl: Int64?
        if issue, let end = window.notAfter {
            ttl = min(jobClass.flatMap(map.maximumTTLSeconds(of:)) ?? .max, end.seconds(since: now))
        }
        let isOver =
            isEnded || window.hasStarted && (state == .denied || state == .canceled || state == .timedOut)
        return ApprovalAssessment(
            state: state, issue: issue, revoke: isOver, why: why, jobClass: jobClass, requester: requester,
            subject: subject, approvers: counted, notBefore: window.notBefore, notAfter: window.notAfter,
            ticket: ticket, maximumTTLSeconds: ttl)
    }

    private func standing(
        _ all: Claims, _ mapping: EntitlementMapping, counted: Int, minimum: Int, window: ApprovedWindow,
        at now: Timestamp
    ) -> (ApprovalAssessment.State, String) {
        if let ended { return (.ended, ended.value) }
        if invalidated != nil { return (.ended, "subject_invalidated") }
        if denied != nil { return (.denied, "denied") }
        if timedOut != nil { return (.timedOut, "timed_out") }
        if canceled != nil { return (.canceled, "canceled") }
        switch mapping {
        case .unmapped: return (.held, "unmapped_entitlement")
        case .contradictory: return (.held, "contradictory_evidence")
        case .mapped: break
        }
        if hasOverflowed { return (.held, "too_much_evidence") }
        if !window.hasStarted {
            if direct != nil { return (.held, "direct_assignment_is_not_an_approval") }
            if window.isOnlyChanged { return (.held, "extension_is_not_an_approval") }
            if all.approvers.entries.isEmpty, all.unknownApprover == nil { return (.pending, "pending") }
        }
        if counted < minimum { return (.held, Self.whyTooFew(all, counted: counted)) }
        if !window.hasStarted { return (.approved, "not_yet_active") }
        guard let notAfter = window.notAfter else { return (.held, "no_expiry_in_evidence") }
        if now >= notAfter { return (.ended, "window_over") }
        if let notBefore = window.notBefore, now < notBefore { return (.approved, "not_yet_active") }
        return (.granted, "approved_by_other_human_and_active")
    }

    private static func whyTooFew(_ all: Claims, counted: Int) -> String {
        if counted > 0 { return "too_few_human_approvers" }
        let hasHuman = all.approvers.entries.contains { $0.value.kind == .human }
        if hasHuman { return "approver_is_requester" }
        return all.unknownApprover != nil ? "approver_unknown" : "no_human_approval"
    }
}
