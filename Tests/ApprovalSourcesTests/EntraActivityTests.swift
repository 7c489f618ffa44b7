import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Activities of the audit stream")
struct EntraActivityTests {
    private static let approval = ApprovalID("entra-pim/\(AuditRecordBuilder.tenant)/\(AuditRecordBuilder.request)")
    private static let packageApproval = ApprovalID(
        "entra-em/\(AuditRecordBuilder.tenant)/\(AuditRecordBuilder.request)")

    @Test(
        "Every activity of privileged identity management",
        arguments: [
            ("Add member to role requested (PIM activation)", "request.opened"),
            ("Add member to role approval requested (PIM activation)", "request.routed"),
            ("Add member to role request approved (PIM activation)", "decision.approved"),
            ("Add member to role request denied (PIM activation)", "decision.denied"),
            ("PIM activation request expired", "decision.timed_out"),
            ("Add member to role canceled (PIM activation)", "decision.canceled"),
            ("Add member to role completed (PIM activation)", "grant.started"),
            ("Remove member from role requested (PIM deactivate)", "ignored intermediate_step"),
            ("Remove member from role completed (PIM deactivate)", "grant.ended deactivated"),
            ("Remove member from role (PIM activation expired)", "grant.ended expired"),
            ("Remove member from role in PIM completed (permanent)", "grant.ended removed"),
            ("Remove member from role in PIM completed (timebound)", "grant.ended removed"),
            ("Remove permanent direct role assignment", "grant.ended removed"),
            ("Remove eligible member from role in PIM completed (permanent)", "grant.ended eligibility_removed"),
            ("Remove eligible member from role in PIM completed (timebound)", "grant.ended eligibility_removed"),
            ("Remove eligible member from role in PIM requested (timebound)", "ignored intermediate_step"),
            ("Add member to role in PIM completed (permanent)", "grant.direct"),
            ("Add member to role in PIM completed (timebound)", "grant.direct"),
            ("Add member to role in PIM requested (renew)", "ignored intermediate_step"),
            ("Add member to role outside of PIM (permanent)", "grant.direct outside"),
            ("Update member in PIM approved by admin (extend/renew)", "grant.changed"),
            ("Update member in PIM requested (extend)", "ignored intermediate_step"),
            ("Add eligible member to role in PIM completed (timebound)", "ignored pim_administration"),
            ("Add eligible member to role in PIM requested (permanent)", "ignored pim_administration"),
            ("Update role setting in PIM", "ignored pim_administration"),
            ("Triggered PIM alert", "ignored pim_administration"),
            ("Disable PIM alert", "ignored pim_administration"),
            ("Onboarded resource to PIM", "ignored pim_administration"),
            ("Offboarded resource from PIM", "ignored pim_administration"),
            ("Process role removal request", "ignored pim_administration"),
            ("Cancel request", "ignored pim_administration"),
            ("Something new in PIM", "ignored unknown_activity"),
            ("Remove member from role by a rule of tomorrow", "grant.ended removed"),
        ])
    func pim(activity: String, meaning: String) throws {
        let fact = try #require(AuditRecordBuilder(activity).fact())
        #expect(Self.summary(fact) == meaning)
        switch fact.content {
        case .ignored: #expect(fact.approvalID == nil)
        case .grantEnded(.eligibilityRemoved):
            #expect(fact.approvalID == nil)
            #expect(fact.subject?.id.rawValue == AuditRecordBuilder.subject)
            #expect(fact.entitlement?.id == AuditRecordBuilder.role)
        default: #expect(fact.approvalID == Self.approval)
        }
    }

    @Test(
        "Activities of other services",
        arguments: [
            ("Core Directory", "Disable account", "subject.invalidated account_disabled"),
            ("Core Directory", "Delete user", "subject.invalidated user_deleted"),
            ("Core Directory", "Update StsRefreshTokenValidFrom Timestamp", "subject.invalidated sessions_revoked"),
            ("Core Directory", "Update user", "ignored not_pim"),
            ("Core Directory", "Add member to role", "ignored not_pim"),
            ("Identity Protection", "ConfirmAccountCompromised", "subject.invalidated confirmed_compromised"),
            ("Identity Protection", "ConfirmCompromised", "subject.invalidated confirmed_compromised"),
            ("Identity Protection", "DismissUser", "ignored not_pim"),
            ("Access Reviews", "Apply decision", "ignored effect_follows"),
            ("Access Reviews", "Deny decision", "ignored effect_follows"),
            ("Access Reviews", "Approve decision", "ignored not_pim"),
            ("Access Reviews", "Request approved", "ignored not_pim"),
            ("Access Reviews", "Cancel request", "ignored not_pim"),
            ("Azure Lockbox", "Request approved", "ignored not_pim"),
            ("Core Directory", "Add member to role request approved (PIM activation)", "ignored not_pim"),
        ])
    func others(service: String, activity: String, meaning: String) throws {
        let fact = try #require(AuditRecordBuilder(activity).with { $0.service = service }.fact())
        #expect(Self.summary(fact) == meaning)
        #expect(fact.approvalID == nil)
    }

    @Test(
        "Activities of entitlement management",
        arguments: [
            ("User requests access package assignment", "request.opened"),
            ("Approve access package assignment request", "decision.approved"),
            ("Auto approve access package assignment request", "decision.approved"),
            ("Deny access package assignment request", "decision.denied"),
            ("Cancel access package assignment request", "decision.canceled"),
            ("Access package assignment request timed out (no approver action taken)", "decision.timed_out"),
            ("Fulfill access package assignment request", "grant.started"),
            ("Administrator directly assigns user to access package", "grant.direct"),
            ("Administrator directly removes user access package assignment", "grant.ended removed"),
            ("Entitlement Management removes access package assignment request for user", "grant.ended removed"),
            ("Ready to fulfill access package assignment request", "ignored intermediate_step"),
            ("Create access package", "ignored not_pim"),
        ])
    func packages(activity: String, meaning: String) throws {
        let record = AuditRecordBuilder(activity).with {
            $0.service = "Entitlement Management"
            $0.category = "EntitlementManagement"
            $0.details = []
            $0.targets = [
                AuditRecordBuilder.target("AccessPackageAssignmentRequest", AuditRecordBuilder.request.uppercased()),
                AuditRecordBuilder.target("AccessPackage", AuditRecordBuilder.package, "Vendor data export agent"),
                AuditRecordBuilder.person,
            ]
        }
        let fact = try #require(record.fact())
        #expect(Self.summary(fact) == meaning)
        if !meaning.hasPrefix("ignored") {
            #expect(fact.approvalID == Self.packageApproval)
            #expect(
                fact.entitlement
                    == Entitlement(
                        kind: .accessPackage, id: AuditRecordBuilder.package, name: "Vendor data export agent"))
        }
    }

    @Test(
        "Spelling variants are the same activity",
        arguments: [
            "ADD MEMBER TO ROLE REQUEST APPROVED (PIM ACTIVATION)",
            "Add member to role  request approved\u{00A0}(PIM activation)",
            " add member to role request approved (pim activation) ",
        ])
    func spelling(activity: String) throws {
        let fact = try #require(AuditRecordBuilder(activity).with { $0.service = "pim" }.fact())
        #expect(Self.summary(fact) == "decision.approved")
    }

    @Test(
        "Kinds written together are the same activity",
        arguments: [
            "Remove member from role in PIM completed (permanent / timebound)",
            "Remove member from role in PIM completed (permanent—timebound)",
            "Remove member from role in PIM completed",
        ])
    func kinds(activity: String) throws {
        #expect(Self.summary(try #require(AuditRecordBuilder(activity).fact())) == "grant.ended removed")
    }

    /// They can switch approval off: passed over as evidence, and told where a job class rests on what they are about.
    @Test(
        "Changed settings are told",
        arguments: [
            ("Update role setting in PIM", true, "9B895D92-2CD3-44C7-9D02-A6AC2D5EA5C3", true),
            ("PIM policy removed", true, "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", true),
            ("Update role setting in PIM", true, "another", false), ("Disable PIM alert", true, "another", false),
            ("Update role setting in PIM", false, "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", false),
        ])
    func settings(activity: String, happened: Bool, mapped: String, isTold: Bool) throws {
        var configuration = AuditRecordBuilder.configuration
        configuration.mapping = SourceMapping(
            tenants: [AuditRecordBuilder.tenant],
            entitlements: EntitlementMap(entries: [
                .init(kind: .entraRole, id: mapped, scope: "/administrativeunits/u", jobClass: JobClass("admin"))
            ]))
        let builder = AuditRecordBuilder(activity).with { if !happened { $0.result = "failure" } }
        let fact = try #require(builder.fact(configuration))
        #expect(fact.changesSettings == isTold)
        #expect(Self.summary(fact) == "ignored \(happened ? "pim_administration" : "result_not_success")")
        #expect(try Fact(json: fact.json).changesSettings == isTold)
        guard isTold else { return }
        #expect(
            fact.entitlement?.id == AuditRecordBuilder.role && fact.requester?.id.rawValue == AuditRecordBuilder.subject
        )
        #expect(fact.approvalID == nil && fact.subject == nil && fact.recordDigest != nil)
        // What does not say what it is about may be about anything.
        let bare = try #require(builder.with { $0.targets = [] }.fact(configuration))
        #expect(bare.changesSettings && bare.entitlement == nil)
    }

    static func summary(_ fact: Fact) -> String {
        switch fact.content {
        case .ignored(let why), .rejected(let why): "\(fact.kind) \(why)"
        case .grantEnded(let reason): "\(fact.kind) \(reason.rawValue)"
        case .grantDirect(_, let outsidePIM, _, _): outsidePIM ? "\(fact.kind) outside" : fact.kind
        case .subjectInvalidated(let reason): "\(fact.kind) \(reason)"
        default: fact.kind
        }
    }
}
