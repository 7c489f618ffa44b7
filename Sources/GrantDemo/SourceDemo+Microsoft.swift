import ClawWire
import IssuanceRules
import Kafka
import Playground
import ReceiptLog

/// What Microsoft's other records say, alone and together with the audit log.
extension SourceDemo {
    // MARK: Azure activity log

    /// The activity log knows who and what, the audit log until when.
    func playAzureActivity() async throws {
        let good = azureActivation("demo storage")
        var bad = azureActivation("demo storage refused")
        bad.requester = PlaygroundCast.teodor
        bad.approver = PlaygroundCast.milan
        let first = try request("role-approved", of: good.approvalID)
        let second = try request("role-denied", of: bad.approvalID)
        let role = PlaygroundVendor.storageRole.name ?? ""
        try await stage.play(
            Scene(
                title: "Ines activates \(role) on a subscription, Ruth approves, and the activity log tells it, twice; "
                    + "her agent asks for a token all the same",
                deliveries: [[first.record]] + Array(repeating: [good.activityMessage(Self.answered)], count: 2),
                waitsBetween: true))
        try await tellHeld(
            good.approvalID, "no_expiry_in_evidence", "the activity log does not say until when the role is held")
        try await stage.play(
            Scene(
                title:
                    "The audit log of Entra tells the same activation by the same request, with the end of its window",
                deliveries: [[good.message([.requested, .routed, .approved, .completed])]],
                outcomes: [first.id: .issued]))
        let noise = (0..<40).map { EntraActivation.activityNoise("demo \($0)", at: now) }
        try await stage.play(
            Scene(
                title: "Forty operations of resource providers pass by",
                deliveries: [[EntraActivation.activityMessage(noise, key: "noise")]]))
        try await stage.play(
            Scene(
                title: "Teodor asks for the role too; Milan says no",
                deliveries: [[second.record, bad.activityMessage([.requested, .denied])]],
                outcomes: [second.id: .denied]))
        try await stage.play(
            Scene(
                title: "Ines gives the role back early, and the activity log is the first to say so",
                deliveries: [[good.activityMessage([.deactivated])]], revocations: [first.id]))
    }

    private static let answered: [EntraActivation.Step] = [.requested, .approved, .completed]

    private func azureActivation(_ name: String) -> EntraActivation {
        var activation = EntraActivation(name, at: now)
        activation.entitlement = PlaygroundVendor.storageRole
        activation.justification = "Copy the export of the ledger"
        return activation
    }

    // MARK: Microsoft Graph

    /// A poller's answers carry everything: request, approval, and the window of the live instance.
    func graphStory() throws -> [Scene] {
        let good = EntraActivation("demo graph", at: now)
        var bad = EntraActivation("demo graph refused", at: now)
        bad.requester = PlaygroundCast.teodor
        bad.approver = PlaygroundCast.milan
        var mixed = EntraActivation("demo graph mixed up", at: now)
        mixed.requester = PlaygroundCast.teodor
        var membership = EntraActivation("demo graph membership", at: now)
        membership.entitlement = PlaygroundCast.databaseGroup
        let first = try request("role-approved", .appAdmin, of: good.approvalID)
        let second = try request("role-denied", .appAdmin, of: bad.approvalID)
        var maintenance = RequestDraft("db-maintenance", .database, in: playground, at: now)
        maintenance.subject = PlaygroundCast.ines.id
        let group = PlaygroundCast.databaseGroup.name ?? ""
        return [
            Scene(
                title:
                    "Ines activates Application Administrator; a poller finds her request, then Ruth's approval with "
                    + "the live instance, then the same answer again",
                deliveries: [
                    [first.record], [good.poll(.pending, at: now.adding(seconds: 1))],
                    [good.poll(.provisioned, at: now.adding(seconds: 4))],
                    [good.poll(.provisioned, at: now.adding(seconds: 5))],
                ], outcomes: [first.id: .issued], waitsBetween: true),
            Scene(
                title: "Milan says no to Teodor",
                deliveries: [[second.record, bad.poll(.denied, at: now)]], outcomes: [second.id: .denied]),
            Scene(
                title: "A poller mixes up two answers: the live instance is another person's",
                deliveries: [[mixed.poll(.provisioned, at: now, instanceOf: PlaygroundCast.paloma)]], deadLetters: 1),
            Scene(
                title: "Ines activates her membership of \(group), Ruth approves; an agent maintains a database on it",
                deliveries: [
                    [membership.poll(.provisioned, at: now)],
                    [try maintenance.record(signedBy: playground.keys.requestSigner)],
                ], outcomes: [maintenance.requestID: .issued]),
            Scene(
                title: "A change notification says that Ines is no longer in the group",
                deliveries: [
                    [EntraActivation.removal(of: PlaygroundCast.ines, from: PlaygroundCast.databaseGroup, at: later)]
                ], revocations: [maintenance.requestID]),
            Scene(
                title:
                    "Ines gives Application Administrator back early: a request of its own, which ends what she holds",
                deliveries: [[good.deactivationPoll(at: later)]], revocations: [first.id]),
        ]
    }

    // MARK: Entitlement management

    /// A callout says that a request was approved, and the audit log by whom.
    func playEntitlementManagement() async throws {
        let good = PackageRequest("demo package", at: now)
        var bad = PackageRequest("demo package refused", at: now)
        bad.requester = PlaygroundCast.teodor
        var automatic = PackageRequest("demo package automatic", at: now)
        automatic.requester = PlaygroundCast.paloma
        let first = try request("package-approved", of: good.approvalID)
        let second = try request("package-denied", of: bad.approvalID)
        let third = try request("package-automatic", of: automatic.approvalID)
        let package = PlaygroundVendor.package.name ?? ""
        try await stage.play(
            Scene(
                title: "Ines asks for the access package \(package); it is approved and delivered. One callout is "
                    + "retried, another comes with keys in Pascal case",
                deliveries: [
                    [first.record], [good.callout(.created, at: now)],
                    [
                        good.callout(.approved, at: now.adding(seconds: 2)),
                        good.callout(.approved, at: now.adding(seconds: 3)),
                    ], [good.callout(.granted, at: now.adding(seconds: 3), isRecased: true)],
                ], waitsBetween: true))
        try await tellHeld(good.approvalID, "approver_unknown", "no callout says who approved")
        try await stage.play(
            Scene(
                title: "The audit log of Entra names Ruth",
                deliveries: [[good.audit(.approved, by: PlaygroundCast.ruth)]],
                outcomes: [first.id: .issued]))
        try await stage.play(
            Scene(
                title: "Milan says no to Teodor, and the audit log is where it stands",
                deliveries: [
                    [second.record, bad.callout(.created, at: now), bad.audit(.denied, by: PlaygroundCast.milan)]
                ], outcomes: [second.id: .denied]))
        try await stage.play(
            Scene(
                title: "Paloma's request is approved by the policy, without anybody: the callout looks the same",
                deliveries: [
                    [third.record, automatic.callout(.approved, at: now), automatic.audit(.automatic, by: nil)]
                ]))
        try await tellHeld(
            automatic.approvalID, "approver_unknown", "the audit log names the platform, which counts for nobody")
        try await stage.play(
            Scene(
                title: "Paloma takes her request back before anything is delivered",
                deliveries: [[automatic.audit(.canceled, by: automatic.requester)]],
                outcomes: [third.id: .denied]))
        try await stage.play(
            Scene(
                title: "Ines gives the package back: a request of its own, which ends what she holds",
                deliveries: [[good.callout(.removed, at: later)]], revocations: [first.id]))
    }

    private var later: Timestamp { .playgroundNow }

    /// Waits until all is read, and tells why an approval is held while its request waits.
    private func tellHeld(_ approval: ApprovalID, _ why: String, _ reason: String) async throws {
        try await playground.waitUntilSettled()
        let found = try await playground.assessment(of: approval)
        let waiting = try await playground.status().waiting
        guard found?.state == .held, found?.why == why, waiting == 1 else {
            throw PlaygroundError(
                "\(approval) is \(found?.state.rawValue ?? "not known") (\(found?.why ?? "")) with \(waiting) requests "
                    + "waiting, and should be held (\(why)) with one")
        }
        emit(
            DemoEvent(
                .finding, "held     \(approval)", details: ["\(why): \(reason)", "the request waits for the rest"],
                tone: .aside, fields: ["approval_id": .string(approval.rawValue), "why": .string(why)]))
    }
}
