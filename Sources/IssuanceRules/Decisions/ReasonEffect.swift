/// What a reason does to the decision that it stands in.
extension ReasonCode {
    /// The outcome that a reason leads to. The text is what the reference says.
    public enum Effect: String, Sendable, Hashable, CaseIterable {
        /// A note beside a grant, which tells that it is narrower than what was asked for.
        case note
        /// The request waits, until what is missing comes or its class's `wait_timeout` has passed: then it expires, and
        /// the reason stands beside `CAPABILITY_WAIT_TIMED_OUT`.
        case wait
        /// The request is denied for good.
        case deny
        /// The request expires: what it rests on is over.
        case expire
    }

    /// The outcome that the reason leads to.
    public var effect: Effect {
        switch self {
        case .capabilityActionReduced, .scopeReduced, .tokenAudienceReduced, .tokenTTLReduced:
            .note
        case .capabilityRequiresApproval, .humanApprovalNotYetActive, .humanApprovalNoExpiry, .humanApprovalTimeUnknown,
            .humanApprovalNoHuman, .humanApprovalSelfApproval, .humanApprovalApproverUnknown,
            .humanApprovalRequesterUnknown, .humanApprovalSeparationOfDuties, .humanApprovalTooFew,
            .humanApprovalGroupNotMet,
            .humanApprovalDirectAssignment, .humanApprovalExtensionOnly, .humanApprovalEntitlementUnmapped,
            .humanApprovalContradictory, .humanApprovalOverflow, .humanApprovalSourceNotAllowed,
            .humanApprovalSignerNotAllowed, .humanApprovalNotConfirmed, .humanApprovalSourceSilent,
            .humanApprovalRateExceeded, .tokenKeyExpiring, .tokenKeySuspect, .policyApprovalMissing, .wpcUnavailable:
            .wait
        case .capabilityWaitTimedOut, .humanApprovalTimedOut, .humanApprovalWindowOver, .humanApprovalExpired:
            .expire
        case .capabilityDryRun, .capabilityStopped, .capabilityElevationDisabled, .capabilityJobClassUnknown,
            .capabilityRequestInvalid, .capabilitySourceNotAllowed, .capabilityAgentNotAllowed,
            .capabilityActionNotAllowed, .capabilityDeliveryNotAllowed, .capabilityDeliveryKeyInvalid,
            .capabilityReferenceRequired, .capabilitySubjectRequired, .capabilityGrantsExhausted,
            .capabilityBudgetSpent, .capabilityUpgradeUnknown, .capabilityUpgradeMismatch, .capabilityUpgradeNotLive,
            .capabilityUpgradeNotWider, .humanApprovalDenied, .humanApprovalCanceled, .humanApprovalEnded,
            .humanApprovalSubjectInvalidated, .humanApprovalReapprovalRequired, .humanApprovalJobClassMismatch,
            .humanApprovalSubjectMismatch, .humanApprovalRequestMismatch, .humanApprovalAnomalous,
            .humanApprovalContradicted, .replayApprovalAlreadyUsed, .replayUpgradeApprovalReused, .scopeNotAllowed,
            .scopeWildcardNotAllowed, .scopeTooLarge, .tokenAudienceNotAllowed, .tokenTTLInvalid, .tokenTTLTooLong,
            .tokenRevoked, .policyRequired, .policyHashMismatch, .policyHashNotAllowed, .policyIDNotAllowed,
            .policyRotated, .policyJobClassMismatch, .policyToolDenied, .policyToolNotAllowed, .policyActionNotCovered,
            .policyApprovalUnknown, .policyPinForbidden, .policyProxyRequired, .policyReceiptsRequired,
            .policySandboxRequired, .policyJobBindingRequired, .wpcInvalid, .wpcNotRegistrable:
            .deny
        }
    }

    /// True for the codes that only stand beside a grant.
    public var isNote: Bool { effect == .note }
}
