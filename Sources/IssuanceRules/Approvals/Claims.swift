import ClawWire

/// What one attestation states of an approval, or several taken together.
struct Claims: Joinable {
    var subjects = BoundedMap<PersonID, ActorRecord>()
    var entitlements = BoundedMap<EntitlementKey, Earliest<String>>()
    var jobClasses = BoundedMap<JobClass, Present>()
    var approvers = BoundedMap<PersonID, ActorRecord>()
    var unknownApprover: Moment?
    var window: WindowRecord?
    var ticket: Earliest<Ticket>?
    var request: ContainedRequest?

    mutating func join(_ other: Claims) {
        subjects.join(other.subjects, limit: ApprovalState.Limits.people)
        entitlements.join(other.entitlements, limit: ApprovalState.Limits.targets)
        jobClasses.join(other.jobClasses, limit: ApprovalState.Limits.targets)
        approvers.join(other.approvers, limit: ApprovalState.Limits.approvers)
        if let moment = other.unknownApprover { unknownApprover.join(moment) }
        if let record = other.window { window.join(record) }
        if let earliest = other.ticket { ticket.join(earliest) }
        if let contained = other.request { request.join(contained) }
    }

    /// True once something that decides was left out.
    var hasLost: Bool { subjects.hasLost || entitlements.hasLost || jobClasses.hasLost || approvers.hasLost }
}

extension BoundedMap {
    mutating func join(_ other: BoundedMap, limit: Int) {
        if entries.isEmpty, !hasLost {
            self = other
            return
        }
        for entry in other.entries { join(entry.value, at: entry.key, limit: limit) }
        if other.hasLost { hasLost = true }
    }
}

/// An approved window as it stands.
struct ApprovedWindow: Sendable, Hashable {
    var hasStarted = false
    var isOnlyChanged = false
    var notBefore: Timestamp?
    var notAfter: Timestamp?

    init(_ record: WindowRecord?, direct: DirectRecord?) {
        guard let record else {
            notBefore = direct?.window.notBefore?.value
            notAfter = direct?.window.notAfter?.value
            return
        }
        hasStarted = record.started != nil
        isOnlyChanged = record.started == nil
        notBefore = record.notBefore?.value
        notAfter = record.notAfter?.value
    }

    /// Opens a window from a decision, for approvals that have none of their own.
    mutating func open(for seconds: Int64?, from decidedAt: Timestamp?) {
        guard let seconds, let decidedAt, !hasStarted, !isOnlyChanged, notBefore == nil, notAfter == nil else { return }
        hasStarted = true
        notBefore = decidedAt
        notAfter = decidedAt.adding(seconds: seconds)
    }
}
