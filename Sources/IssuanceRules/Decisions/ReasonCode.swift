/// Why a request was refused, waits or expired: a closed set in the registered families of WIRE section 16.
///
/// The comment above each case is its documentation, and ``meaning`` says the same at run time; the text is what stands
/// in decisions, receipts and metrics. A new reason is one case here and one line in ``meaning`` and in ``remedy``.
public enum ReasonCode: String, Sendable, Hashable, CaseIterable {
    /// The worker runs with --dry-run: the rules would grant, and nothing is minted.
    case capabilityDryRun = "CAPABILITY_DRY_RUN"
    /// An emergency stop covers the request or the approval.
    case capabilityStopped = "CAPABILITY_STOPPED"
    /// An elevated action was asked for while elevated execution is disabled by a control event.
    case capabilityElevationDisabled = "CAPABILITY_ELEVATION_DISABLED"
    /// No approval for the request has arrived yet.
    case capabilityRequiresApproval = "CAPABILITY_REQUIRES_APPROVAL"
    /// What the request waited for did not come within the job class's wait_timeout.
    case capabilityWaitTimedOut = "CAPABILITY_WAIT_TIMED_OUT"
    /// The request names a job class that the issuance rules do not have.
    case capabilityJobClassUnknown = "CAPABILITY_JOB_CLASS_UNKNOWN"
    /// A value of the request cannot be used: an empty or overlong identifier, a text that is no DID, no scope at
    /// all.
    case capabilityRequestInvalid = "CAPABILITY_REQUEST_INVALID"
    /// The source of the request may not ask for this job class, or the key that signed it may not.
    case capabilitySourceNotAllowed = "CAPABILITY_SOURCE_NOT_ALLOWED"
    /// The agent is not among those of the job class.
    case capabilityAgentNotAllowed = "CAPABILITY_AGENT_NOT_ALLOWED"
    /// An action was asked for that is not an elevated action of the job class; elevated is off by default.
    case capabilityActionNotAllowed = "CAPABILITY_ACTION_NOT_ALLOWED"
    /// A note on a grant: actions that are not allowed were left out, as too_wide: cut says.
    case capabilityActionReduced = "CAPABILITY_ACTION_REDUCED"
    /// The job class does not allow the way of delivery that was asked for.
    case capabilityDeliveryNotAllowed = "CAPABILITY_DELIVERY_NOT_ALLOWED"
    /// The key for sealed delivery is not an X25519 public key of 32 bytes, or delivery by reference names no key to claim
    /// with.
    case capabilityDeliveryKeyInvalid = "CAPABILITY_DELIVERY_KEY_INVALID"
    /// The job class binds by reference and the request names neither an approval nor a ticket.
    case capabilityReferenceRequired = "CAPABILITY_REFERENCE_REQUIRED"
    /// The job class binds by entitlement and the request names no subject.
    case capabilitySubjectRequired = "CAPABILITY_SUBJECT_REQUIRED"
    /// The window has already given as many tokens as the job class allows.
    case capabilityGrantsExhausted = "CAPABILITY_GRANTS_EXHAUSTED"
    /// The budget of the job is spent: what its class, its earlier approvals or this approval allow its calls to use.
    case capabilityBudgetSpent = "CAPABILITY_BUDGET_SPENT"
    /// The request upgrades an earlier one that is not known or has no token.
    case capabilityUpgradeUnknown = "CAPABILITY_UPGRADE_UNKNOWN"
    /// An upgrade must be for the same job and the same agent as the token it replaces.
    case capabilityUpgradeMismatch = "CAPABILITY_UPGRADE_MISMATCH"
    /// The token to be replaced has expired or was revoked.
    case capabilityUpgradeNotLive = "CAPABILITY_UPGRADE_NOT_LIVE"
    /// An upgrade must grant all that the earlier token grants and more.
    case capabilityUpgradeNotWider = "CAPABILITY_UPGRADE_NOT_WIDER"
    /// A human said no.
    case humanApprovalDenied = "HUMAN_APPROVAL_DENIED"
    /// Nobody answered the approval in time.
    case humanApprovalTimedOut = "HUMAN_APPROVAL_TIMED_OUT"
    /// The requester took the approval back.
    case humanApprovalCanceled = "HUMAN_APPROVAL_CANCELED"
    /// The approved grant is over: given back, removed, or closed.
    case humanApprovalEnded = "HUMAN_APPROVAL_ENDED"
    /// The account behind the approval was disabled, deleted or reported as compromised.
    case humanApprovalSubjectInvalidated = "HUMAN_APPROVAL_SUBJECT_INVALIDATED"
    /// The approved window has passed.
    case humanApprovalWindowOver = "HUMAN_APPROVAL_WINDOW_OVER"
    /// The approval is there, but its window has not begun or the activation was not reported yet.
    case humanApprovalNotYetActive = "HUMAN_APPROVAL_NOT_YET_ACTIVE"
    /// The evidence names no end of the approved window.
    case humanApprovalNoExpiry = "HUMAN_APPROVAL_NO_EXPIRY"
    /// The decision is older than the job class's max_approval_age.
    case humanApprovalExpired = "HUMAN_APPROVAL_EXPIRED"
    /// The approval was decided, or the request received, before the instant from which a lift or a revocation demands
    /// fresh authority.
    case humanApprovalReapprovalRequired = "HUMAN_APPROVAL_REAPPROVAL_REQUIRED"
    /// A decision has no usable time, so its age cannot be judged.
    case humanApprovalTimeUnknown = "HUMAN_APPROVAL_TIME_UNKNOWN"
    /// The approval was given by a system, not by a human.
    case humanApprovalNoHuman = "HUMAN_APPROVAL_NO_HUMAN"
    /// The only approver is the person who asked.
    case humanApprovalSelfApproval = "HUMAN_APPROVAL_SELF_APPROVAL"
    /// The evidence says that it was approved, but not by whom.
    case humanApprovalApproverUnknown = "HUMAN_APPROVAL_APPROVER_UNKNOWN"
    /// Nothing says who asked or for whom, so nobody is known to be another person than the requester.
    case humanApprovalRequesterUnknown = "HUMAN_APPROVAL_REQUESTER_UNKNOWN"
    /// An approver is the subject or an owner of the job class, whose approval does not count.
    case humanApprovalSeparationOfDuties = "HUMAN_APPROVAL_SEPARATION_OF_DUTIES"
    /// Fewer distinct humans approved than are required.
    case humanApprovalTooFew = "HUMAN_APPROVAL_TOO_FEW"
    /// Too few members of a required group approved.
    case humanApprovalGroupNotMet = "HUMAN_APPROVAL_GROUP_NOT_MET"
    /// The entitlement was assigned by an administrator, which is no approval of a job.
    case humanApprovalDirectAssignment = "HUMAN_APPROVAL_DIRECT_ASSIGNMENT"
    /// Only an extension or renewal is known, which is no approval of a job.
    case humanApprovalExtensionOnly = "HUMAN_APPROVAL_EXTENSION_ONLY"
    /// The approved entitlement stands for no job class in the rules.
    case humanApprovalEntitlementUnmapped = "HUMAN_APPROVAL_ENTITLEMENT_UNMAPPED"
    /// The approval is for another job class than the request.
    case humanApprovalJobClassMismatch = "HUMAN_APPROVAL_JOB_CLASS_MISMATCH"
    /// The approval is for another person than the request names.
    case humanApprovalSubjectMismatch = "HUMAN_APPROVAL_SUBJECT_MISMATCH"
    /// The request differs from the one that was approved under its id.
    case humanApprovalRequestMismatch = "HUMAN_APPROVAL_REQUEST_MISMATCH"
    /// The facts of the approval contradict each other about what was approved or for whom.
    case humanApprovalContradictory = "HUMAN_APPROVAL_CONTRADICTORY"
    /// More was stated about the approval than is kept, so it cannot be judged.
    case humanApprovalOverflow = "HUMAN_APPROVAL_OVERFLOW"
    /// The decision comes from a source that may not approve the job class.
    case humanApprovalSourceNotAllowed = "HUMAN_APPROVAL_SOURCE_NOT_ALLOWED"
    /// The decision is not signed by a key that may sign for the source and the job class.
    case humanApprovalSignerNotAllowed = "HUMAN_APPROVAL_SIGNER_NOT_ALLOWED"
    /// The source's decisions must be read back from the vendor, and this one was not.
    case humanApprovalNotConfirmed = "HUMAN_APPROVAL_NOT_CONFIRMED"
    /// A source that the approval rests on was not heard for longer than max_source_silence.
    case humanApprovalSourceSilent = "HUMAN_APPROVAL_SOURCE_SILENT"
    /// As many tokens as max_grants allows rest on a source that the approval rests on, or on an approver.
    case humanApprovalRateExceeded = "HUMAN_APPROVAL_RATE_EXCEEDED"
    /// An approver approves in a way that the rules' anomalies refuse for a time.
    case humanApprovalAnomalous = "HUMAN_APPROVAL_ANOMALOUS"
    /// What the vendor answered is not what the source said: another person, entitlement or approver, or no such request.
    case humanApprovalContradicted = "HUMAN_APPROVAL_CONTRADICTED"
    /// The approval has given its one token to another request.
    case replayApprovalAlreadyUsed = "REPLAY_APPROVAL_ALREADY_USED"
    /// An upgrade rests on the approval of the token it replaces.
    case replayUpgradeApprovalReused = "REPLAY_UPGRADE_APPROVAL_REUSED"
    /// A scope was asked for that the job class does not allow, or only with an elevated action.
    case scopeNotAllowed = "SCOPE_NOT_ALLOWED"
    /// A scope with a wildcard was asked for.
    case scopeWildcardNotAllowed = "SCOPE_WILDCARD_NOT_ALLOWED"
    /// More scopes, or longer ones, were asked for than a token may hold.
    case scopeTooLarge = "SCOPE_TOO_LARGE"
    /// A note on a grant: scopes that are not allowed were left out, as too_wide: cut says.
    case scopeReduced = "SCOPE_REDUCED"
    /// An audience was asked for that the job class does not allow.
    case tokenAudienceNotAllowed = "TOKEN_AUDIENCE_NOT_ALLOWED"
    /// A note on a grant: audiences that are not allowed were left out, as too_wide: cut says.
    case tokenAudienceReduced = "TOKEN_AUDIENCE_REDUCED"
    /// The lifetime asked for is not a positive number of seconds.
    case tokenTTLInvalid = "TOKEN_TTL_INVALID"
    /// A longer lifetime was asked for than the job class, the WPC or the hard cap allows.
    case tokenTTLTooLong = "TOKEN_TTL_TOO_LONG"
    /// A note on a grant: the lifetime is shorter than the one asked for. What is left of the window and of the key's
    /// validity always shortens; other limits only under too_wide: cut.
    case tokenTTLReduced = "TOKEN_TTL_REDUCED"
    /// The signing key is not valid long enough for any token.
    case tokenKeyExpiring = "TOKEN_KEY_EXPIRING"
    /// The signing key is suspect, so nothing is signed with it; the request waits for another key.
    case tokenKeySuspect = "TOKEN_KEY_SUSPECT"
    /// The token was revoked before it was made: its request, approval, job, agent, subject, key or jti was.
    case tokenRevoked = "TOKEN_REVOKED"
    /// The job class demands a WPC and the request names none.
    case policyRequired = "POLICY_REQUIRED"
    /// The WPC at hand is not the one the request names.
    case policyHashMismatch = "POLICY_HASH_MISMATCH"
    /// The WPC is not among those the job class allows.
    case policyHashNotAllowed = "POLICY_HASH_NOT_ALLOWED"
    /// The WPC's policy id is not among those the job class allows.
    case policyIDNotAllowed = "POLICY_ID_NOT_ALLOWED"
    /// The job class was rotated to another WPC than the request names.
    case policyRotated = "POLICY_ROTATED"
    /// The WPC is for another job class than the request.
    case policyJobClassMismatch = "POLICY_JOB_CLASS_MISMATCH"
    /// The WPC denies a tool or an action that was asked for; deny beats allow.
    case policyToolDenied = "POLICY_TOOL_DENIED"
    /// A tool was asked for that the WPC does not allow.
    case policyToolNotAllowed = "POLICY_TOOL_NOT_ALLOWED"
    /// An elevated action was asked for that the WPC does not name in its approvals.
    case policyActionNotCovered = "POLICY_ACTION_NOT_COVERED"
    /// The WPC requires a kind of approval that is not known here.
    case policyApprovalUnknown = "POLICY_APPROVAL_UNKNOWN"
    /// The WPC requires more people for an action than have approved.
    case policyApprovalMissing = "POLICY_APPROVAL_MISSING"
    /// The WPC demands that the token names its hash, and the job class forbids it.
    case policyPinForbidden = "POLICY_PIN_FORBIDDEN"
    /// The job class, or a control event, demands a WPC that routes model calls through the proxy.
    case policyProxyRequired = "POLICY_PROXY_REQUIRED"
    /// The job class, or a control event, demands a WPC that requires receipts.
    case policyReceiptsRequired = "POLICY_RECEIPTS_REQUIRED"
    /// The job class demands a WPC that requires a sandbox.
    case policySandboxRequired = "POLICY_SANDBOX_REQUIRED"
    /// The job class demands a WPC that binds tokens to jobs.
    case policyJobBindingRequired = "POLICY_JOB_BINDING_REQUIRED"
    /// The WPC could not be loaded, so nothing is issued; the request waits.
    case wpcUnavailable = "WPC_UNAVAILABLE"
    /// The WPC was loaded and does not stand: its hash, its signature, its signer or its form.
    case wpcInvalid = "WPC_INVALID"
    /// The token would pin a WPC that the gateway cannot fetch by its hash, so every call would fail.
    case wpcNotRegistrable = "WPC_NOT_REGISTRABLE"
}
