import IssuanceRules

/// Why an entry of a readable record yields no more than an `ignored` or a `rejected` fact.
///
/// Each case is documented in `docs/sources.md`.
public enum WhyCode: String, Sendable, Hashable, CaseIterable {
    /// Ignored: another service's record, or an activity that bears on no grant.
    case notPIM = "not_pim"
    /// Ignored: a record of another log category.
    case notAuditCategory = "not_audit_category"
    /// Ignored: settings, alerts, eligibility and housekeeping of the approval system.
    case pimAdministration = "pim_administration"
    /// Ignored: a step of a change whose completion comes as a record of its own.
    case intermediateStep = "intermediate_step"
    /// Ignored: a decision whose effect comes as a record of its own.
    case effectFollows = "effect_follows"
    /// Ignored: the activity was tried and did not happen.
    case resultNotSuccess = "result_not_success"
    /// Ignored: the approval system did something that this version does not know.
    case unknownActivity = "unknown_activity"
    /// Ignored: a membership of a group that no job class rests on.
    case groupNotMapped = "group_not_mapped"
    /// Ignored: the removal of a role assignment where no job class rests on a role.
    case assignmentNotMapped = "assignment_not_mapped"
    /// Ignored: a trial run of a request, which changes nothing.
    case validationOnly = "validation_only"
    /// Ignored: a record without a value.
    case tombstone
    /// Ignored: a message that holds no entry.
    case emptyBatch = "empty_batch"
    /// Ignored: an event of the vendor's that decides nothing.
    case notADecision = "not_a_decision"
    /// Ignored: an incident of a service that stops nothing.
    case serviceNotMapped = "service_not_mapped"
    /// Ignored: an alert without a tag that stops something.
    case tagNotMapped = "tag_not_mapped"
    /// Ignored: an incident or an alert is over; people lift the stop.
    case resolveDoesNotLift = "resolve_does_not_lift"
    /// Ignored: a button in a chat.
    case chatIsNotEvidence = "chat_is_not_evidence"
    /// Rejected: a token that is no Security Event Token.
    case notAValidSET = "not_a_valid_set"
    /// Rejected: a Security Event Token for somebody else.
    case wrongAudience = "wrong_audience"
    /// Rejected: the tenant of the record and of its resource differ.
    case tenantMismatch = "tenant_mismatch"
    /// Rejected: a tenant that is not allow-listed.
    case unknownTenant = "unknown_tenant"
    /// Rejected: an event of a CloudEvents source that is not listed.
    case untrustedSource = "untrusted_source"
    /// Rejected: a decision or a window that names no request.
    case noRequestID = "no_request_id"
    /// Rejected: an end or an invalidation that names nobody.
    case noSubject = "no_subject"
    /// Rejected: an end by subject that names no entitlement.
    case noEntitlement = "no_entitlement"
    /// Rejected: a time that does not parse.
    case unparseableTime = "unparseable_time"
    /// Rejected: an entry of another shape than the vendor's.
    case malformed
    /// Rejected: the members of an entry that tell its step contradict each other.
    case contradictoryRecord = "contradictory_record"
    /// Rejected: an approval without an approver.
    case noApprover = "no_approver"
    /// Rejected: the request inside an approval names another approval.
    case requestNamesOtherApproval = "request_names_other_approval"

    /// An `ignored` content.
    var ignored: Fact.Content { .ignored(why: rawValue) }
    /// A `rejected` content.
    var rejected: Fact.Content { .rejected(why: rawValue) }
}
