/// What each reason means and what to do about it, for documentation and for explanations.
extension ReasonCode {
    /// What the code says, in one or two sentences.
    public var meaning: String {
        switch self {
        case .capabilityDryRun: "The worker runs with --dry-run: the rules would grant, and nothing is minted."
        case .capabilityStopped: "An emergency stop covers the request or the approval."
        case .capabilityElevationDisabled:
            "An elevated action was asked for while elevated execution is disabled by a control event."
        case .capabilityRequiresApproval: "No approval for the request has arrived yet."
        case .capabilityWaitTimedOut: "What the request waited for did not come within the job class's wait_timeout."
        case .capabilityJobClassUnknown: "The request names a job class that the issuance rules do not have."
        case .capabilityRequestInvalid:
            "A value of the request cannot be used: an empty or overlong identifier, a text that is no DID, no "
                + "scope at all."
        case .capabilitySourceNotAllowed:
            "The source of the request may not ask for this job class, or the key that signed it may not."
        case .capabilityAgentNotAllowed: "The agent is not among those of the job class."
        case .capabilityActionNotAllowed:
            "An action was asked for that is not an elevated action of the job class; elevated is off by default."
        case .capabilityActionReduced:
            "A note on a grant: actions that are not allowed were left out, as too_wide: cut says."
        case .capabilityDeliveryNotAllowed: "The job class does not allow the way of delivery that was asked for."
        case .capabilityDeliveryKeyInvalid:
            "The key for sealed delivery is not an X25519 public key of 32 bytes, or is one of small order, which keeps nothing secret; or delivery by reference names no key to claim with."
        case .capabilityReferenceRequired:
            "The job class binds by reference and the request names neither an approval nor a ticket."
        case .capabilitySubjectRequired: "The job class binds by entitlement and the request names no subject."
        case .capabilityGrantsExhausted: "The window has already given as many tokens as the job class allows."
        case .capabilityBudgetSpent:
            "The budget of the job is spent: what its class, its earlier approvals or this approval allow it to use."
        case .capabilityUpgradeUnknown: "The request upgrades an earlier one that is not known or has no token."
        case .capabilityUpgradeMismatch:
            "An upgrade must be for the same job and the same agent as the token it replaces."
        case .capabilityUpgradeNotLive: "The token to be replaced has expired or was revoked."
        case .capabilityUpgradeNotWider: "An upgrade must grant all that the earlier token grants and more."
        case .humanApprovalDenied: "A human said no."
        case .humanApprovalTimedOut: "Nobody answered the approval in time."
        case .humanApprovalCanceled: "The requester took the approval back."
        case .humanApprovalEnded: "The approved grant is over: given back, removed, or closed."
        case .humanApprovalSubjectInvalidated:
            "The account behind the approval was disabled, deleted or reported as compromised."
        case .humanApprovalWindowOver: "The approved window has passed."
        case .humanApprovalNotYetActive:
            "The approval is there, but its window has not begun or the activation was not reported yet."
        case .humanApprovalNoExpiry: "The evidence names no end of the approved window."
        case .humanApprovalExpired: "The decision is older than the job class's max_approval_age."
        case .humanApprovalReapprovalRequired:
            "The approval was decided, or the request received, before the instant from which a lift or a revocation "
                + "demands fresh authority."
        case .humanApprovalTimeUnknown: "A decision has no usable time, so its age cannot be judged."
        case .humanApprovalNoHuman: "The approval was given by a system, not by a human."
        case .humanApprovalSelfApproval: "The only approver is the person who asked."
        case .humanApprovalApproverUnknown: "The evidence says that it was approved, but not by whom."
        case .humanApprovalRequesterUnknown:
            "Nothing says who asked or for whom, so nobody is known to be another person than the requester."
        case .humanApprovalSeparationOfDuties:
            "An approver is the subject or an owner of the job class, whose approval does not count."
        case .humanApprovalTooFew: "Fewer distinct humans approved than are required."
        case .humanApprovalGroupNotMet: "Too few members of a required group approved."
        case .humanApprovalDirectAssignment:
            "The entitlement was assigned by an administrator, which is no approval of a job."
        case .humanApprovalExtensionOnly: "Only an extension or renewal is known, which is no approval of a job."
        case .humanApprovalEntitlementUnmapped: "The approved entitlement stands for no job class in the rules."
        case .humanApprovalJobClassMismatch: "The approval is for another job class than the request."
        case .humanApprovalSubjectMismatch: "The approval is for another person than the request names."
        case .humanApprovalRequestMismatch: "The request differs from the one that was approved under its id."
        case .humanApprovalContradictory:
            "The facts of the approval contradict each other about what was approved or for whom."
        case .humanApprovalOverflow: "More was stated about the approval than is kept, so it cannot be judged."
        case .humanApprovalSourceNotAllowed: "The decision comes from a source that may not approve the job class."
        case .humanApprovalSignerNotAllowed:
            "The decision is not signed by a key that may sign for the source and the job class."
        case .humanApprovalNotConfirmed:
            "The source's decisions must be read back from the vendor, and this one was not."
        case .humanApprovalSourceSilent:
            "A source that the approval rests on was not heard for longer than max_source_silence."
        case .humanApprovalRateExceeded:
            "As many tokens as max_grants allows rest on a source that the approval rests on, or on an approver."
        case .humanApprovalAnomalous:
            "An approver approves in a way that the rules' anomalies refuse for a time."
        case .humanApprovalContradicted:
            "What the vendor answered is not what the source said: another person, entitlement or approver, or no such request."
        case .replayApprovalAlreadyUsed: "The approval has given its one token to another request."
        case .replayUpgradeApprovalReused: "An upgrade rests on the approval of the token it replaces."
        case .scopeNotAllowed:
            "A scope was asked for that the job class does not allow, or only with an elevated action."
        case .scopeWildcardNotAllowed: "A scope with a wildcard was asked for."
        case .scopeTooLarge:
            "More scopes, or longer ones, were asked for than a token may hold, or more of everything than its receipt holds."
        case .scopeReduced: "A note on a grant: scopes that are not allowed were left out, as too_wide: cut says."
        case .tokenAudienceNotAllowed: "An audience was asked for that the job class does not allow."
        case .tokenAudienceReduced:
            "A note on a grant: audiences that are not allowed were left out, as too_wide: cut says."
        case .tokenTTLInvalid: "The lifetime asked for is not a positive number of seconds."
        case .tokenTTLTooLong: "A longer lifetime was asked for than the job class, the WPC or the hard cap allows."
        case .tokenTTLReduced:
            "A note on a grant: the lifetime is shorter than the one asked for. What is left of the window and "
                + "of the key's validity always shortens; other limits only under too_wide: cut."
        case .tokenKeyExpiring: "The signing key is not valid long enough for any token."
        case .tokenKeySuspect:
            "The signing key is suspect, so nothing is signed with it; the request waits for another key."
        case .tokenRevoked:
            "The token was revoked before it was made: its request, approval, job, agent, subject, key or jti was."
        case .policyRequired: "The job class demands a WPC and the request names none."
        case .policyHashMismatch: "The WPC at hand is not the one the request names."
        case .policyHashNotAllowed: "The WPC is not among those the job class allows."
        case .policyIDNotAllowed: "The WPC's policy id is not among those the job class allows."
        case .policyRotated: "The job class was rotated to another WPC than the request names."
        case .policyJobClassMismatch: "The WPC is for another job class than the request."
        case .policyToolDenied: "The WPC denies a tool or an action that was asked for; deny beats allow."
        case .policyToolNotAllowed: "A tool was asked for that the WPC does not allow."
        case .policyActionNotCovered: "An elevated action was asked for that the WPC does not name in its approvals."
        case .policyApprovalUnknown: "The WPC requires a kind of approval that is not known here."
        case .policyApprovalMissing: "The WPC requires more people for an action than have approved."
        case .policyPinForbidden: "The WPC demands that the token names its hash, and the job class forbids it."
        case .policyProxyRequired:
            "The job class, or a control event, demands a WPC that routes model calls through the proxy."
        case .policyReceiptsRequired: "The job class, or a control event, demands a WPC that requires receipts."
        case .policySandboxRequired: "The job class demands a WPC that requires a sandbox."
        case .policyJobBindingRequired: "The job class demands a WPC that binds tokens to jobs."
        case .wpcUnavailable: "The WPC could not be loaded, so nothing is issued; the request waits."
        case .wpcInvalid: "The WPC was loaded and does not stand: its hash, its signature, its signer or its form."
        case .wpcNotRegistrable:
            "The token would pin a WPC that the gateway cannot fetch by its hash, so every call would fail."
        }
    }

    /// What to do about it.
    public var remedy: String {
        switch self {
        case .capabilityDryRun: "Run the worker without --dry-run on a ledger of its own and ask with a new request id."
        case .capabilityStopped:
            "Wait for the lift, then have it approved again: what was decided before stays dead."
        case .capabilityElevationDisabled: "Ask without elevated actions, or have them enabled again."
        case .capabilityRequiresApproval:
            "Have the approval given in the workflow that the job class names; the request waits for it."
        case .capabilityWaitTimedOut: "Ask again with a new request id once the approval is at hand."
        case .capabilityJobClassUnknown: "Correct the job class, or add it to the rules."
        case .capabilityRequestInvalid: "Correct the value that the detail names and ask again with a new request id."
        case .capabilitySourceNotAllowed:
            "Send the request through a source, and sign it with a key, that the rules list for the class."
        case .capabilityAgentNotAllowed: "Use an agent of the class, or add the agent to the rules."
        case .capabilityActionNotAllowed: "Ask without the action, or add it to elevated_actions of the class."
        case .capabilityActionReduced:
            "Nothing, unless the job needs the action: then see CAPABILITY_ACTION_NOT_ALLOWED."
        case .capabilityDeliveryNotAllowed:
            "Ask for a delivery that the class allows; sealed needs the job's X25519 key."
        case .capabilityDeliveryKeyInvalid:
            "Send the 32 bytes of the job's X25519 public key, or as delivery.jkt the thumbprint of the key to claim with."
        case .capabilityReferenceRequired: "Name approval_id or the ticket's number in the request."
        case .capabilitySubjectRequired: "Name the person on whose entitlement the agent works."
        case .capabilityGrantsExhausted: "Have a new window approved, or raise max_grants_per_window."
        case .capabilityBudgetSpent:
            "Run what is left as another job on an approval of its own, or raise the budget of the class and ask again."
        case .capabilityUpgradeUnknown: "Name the request whose token is to be replaced, or ask without an upgrade."
        case .capabilityUpgradeMismatch: "Ask for a token of its own for another job or agent."
        case .capabilityUpgradeNotLive: "Ask without an upgrade."
        case .capabilityUpgradeNotWider:
            "Ask for the earlier scope and what is needed beside it, or go on with the earlier token."
        case .humanApprovalDenied: "Talk to the approver; a new request needs a new approval."
        case .humanApprovalTimedOut: "Ask for the approval again."
        case .humanApprovalCanceled: "Ask for the approval again when it is needed."
        case .humanApprovalEnded: "Have a new approval given."
        case .humanApprovalSubjectInvalidated: "Have the account restored, then a new approval given."
        case .humanApprovalWindowOver: "Have a new window approved."
        case .humanApprovalNotYetActive: "Wait for the activation; nothing is issued on an approval alone."
        case .humanApprovalNoExpiry: "Send the record that names the end; without one nothing is issued."
        case .humanApprovalExpired: "Have it approved again."
        case .humanApprovalReapprovalRequired: "Have it approved again, by a decision made after the lift."
        case .humanApprovalTimeUnknown: "Send the decision with the time at which it was taken."
        case .humanApprovalNoHuman: "Have a human approve."
        case .humanApprovalSelfApproval: "Have another person approve."
        case .humanApprovalApproverUnknown: "Send the record that names the approver."
        case .humanApprovalRequesterUnknown: "Send the record that names the requester or the subject."
        case .humanApprovalSeparationOfDuties: "Have a person approve who is neither."
        case .humanApprovalTooFew: "Have more people approve."
        case .humanApprovalGroupNotMet: "Have members of the group approve."
        case .humanApprovalDirectAssignment: "Activate the entitlement through the approval workflow."
        case .humanApprovalExtensionOnly: "Activate the entitlement through the approval workflow."
        case .humanApprovalEntitlementUnmapped: "Add the entitlement to the rules, if it should stand for one."
        case .humanApprovalJobClassMismatch: "Have the approval given for the class of the request."
        case .humanApprovalSubjectMismatch: "Name the approval of the request's subject."
        case .humanApprovalRequestMismatch:
            "Send what was approved, or have the change approved under a new request id."
        case .humanApprovalContradictory: "Find out which source is wrong; have it approved again."
        case .humanApprovalOverflow: "Have it approved again under a new approval; find the source of the flood."
        case .humanApprovalSourceNotAllowed: "Approve through a source whose may_approve lists the class."
        case .humanApprovalSignerNotAllowed: "Sign with a listed key."
        case .humanApprovalNotConfirmed: "Check that the vendor can be reached; the request waits."
        case .humanApprovalSourceSilent:
            "See to the source's pipeline; what waits goes on by itself when records flow again."
        case .humanApprovalRateExceeded: "Find out why so much is asked for; what waits goes on as the time passes."
        case .humanApprovalAnomalous: "Ask the approver; have it approved again when the time is over."
        case .humanApprovalContradicted: "Find out who writes to the source's topic; have it approved again."
        case .replayApprovalAlreadyUsed: "Have a new approval given: one approval, one job."
        case .replayUpgradeApprovalReused: "Have the upgrade approved on its own."
        case .scopeNotAllowed: "Ask for scopes of the class; for those of an elevated action ask for the action."
        case .scopeWildcardNotAllowed: "Name each scope."
        case .scopeTooLarge: "Ask for at most 64 scopes of at most 128 characters."
        case .scopeReduced: "Nothing, unless the job needs the scope: then see SCOPE_NOT_ALLOWED."
        case .tokenAudienceNotAllowed: "Ask for an audience of the class, or for none."
        case .tokenAudienceReduced: "Nothing, unless the job needs the audience: then see TOKEN_AUDIENCE_NOT_ALLOWED."
        case .tokenTTLInvalid: "Ask for a lifetime of at least one second, or for none."
        case .tokenTTLTooLong: "Ask for a shorter lifetime, or for none."
        case .tokenTTLReduced: "Nothing; ask again when the token has expired."
        case .tokenKeyExpiring: "Rotate the signing key; the request waits."
        case .tokenKeySuspect: "Rotate the signing key; the request waits."
        case .tokenRevoked:
            "Send another request on another approval; for an agent, a subject or a key have the revocation lifted."
        case .policyRequired: "Name the hash of the WPC the job runs under."
        case .policyHashMismatch: "Name the hash of the WPC the job runs under."
        case .policyHashNotAllowed: "Run the job under a WPC that the class lists."
        case .policyIDNotAllowed: "Run the job under a WPC whose id the class lists."
        case .policyRotated: "Run the job under the WPC that took its place."
        case .policyJobClassMismatch: "Run the job under a WPC of its class."
        case .policyToolDenied: "Ask without it."
        case .policyToolNotAllowed: "Ask without it, or have a WPC published that allows it."
        case .policyActionNotCovered: "Ask without it, or have a WPC published that names it."
        case .policyApprovalUnknown: "Have a WPC published that requires human_approval or two_person."
        case .policyApprovalMissing: "Have more people approve."
        case .policyPinForbidden: "Change pin of the class, or run the job under another WPC."
        case .policyProxyRequired: "Run the job under a WPC with require_proxy."
        case .policyReceiptsRequired: "Run the job under a WPC with receipt_required."
        case .policySandboxRequired: "Run the job under a WPC with require_sandbox."
        case .policyJobBindingRequired: "Run the job under a WPC with job_scoped_binding."
        case .wpcUnavailable: "Check the WPC source; the detail says what went wrong."
        case .wpcInvalid: "Publish a WPC that stands, signed by an allowed signer."
        case .wpcNotRegistrable:
            "Carry the document in the metadata of a registered WPC, or leave the gateway out of the audience."
        }
    }
}
