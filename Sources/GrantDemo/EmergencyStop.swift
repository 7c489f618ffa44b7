import ClawWire
import IssuanceRules
import Playground
import ReceiptLog

/// The chapter of the emergency stop: a stop, what it refuses, the lift, and what stays dead.
struct EmergencyStop {
    let playground: Playground
    let stage: DemoStage
    let emit: @Sendable (DemoEvent) -> Void

    private static let stopID = "stop-demo-1"
    private static let scope = StopScope(kind: .jobClass, value: PlaygroundClass.reconcile.rawValue)

    func play() async throws {
        let early = ApprovalDraft("approved-before", .reconcile, in: playground, at: .playgroundNow)
        emit(
            DemoEvent(
                .action,
                "Paloma of security pulls the emergency stop for every \(PlaygroundClass.reconcile.rawValue) job, with a "
                    + "signed event on the control topic"))
        try await playground.declare(
            .stop(.init(stopID: Self.stopID, scope: Self.scope, revokesLive: true)), id: "evt-\(Self.stopID)",
            by: [PlaygroundCast.paloma], reason: "ledger shows entries that nobody made")
        try await stage.awaitControl("stop", handle: Self.stopID)
        try await stage.play(
            try scene("Ruth approves another reconciliation while the stop holds", "during-stop", .denied))
        let authority = ApprovalDraft("all-clear", .agentRun, in: playground, at: .playgroundNow)
        try await stage.play(
            Scene(
                title:
                    "Other classes go on: Ruth approves an agent's run, which is also the fresh authority for the lift",
                deliveries: [[try authority.record(signedBy: playground.keys.eventSigner)]],
                outcomes: [RequestID("req-all-clear"): .issued]))
        emit(
            DemoEvent(
                .action, "Ruth and Milan lift the stop together; Paloma, who declared it, could not be one of them"))
        try await playground.declare(
            .lift(
                .init(stopID: Self.stopID, reapproval: ApprovalID("apr-all-clear"), policyHash: nil, scope: Self.scope)),
            id: "evt-lift-demo-1", by: [PlaygroundCast.ruth, PlaygroundCast.milan])
        try await stage.awaitControl("lift", handle: Self.stopID)
        try await stage.play(
            Scene(
                title: "An approval from before the stop arrives late: it stays dead for ever",
                deliveries: [[try early.record(signedBy: playground.keys.eventSigner)]],
                outcomes: [RequestID("req-approved-before"): .denied]))
        try await stage.play(try scene("Ruth approves anew", "after-lift", .issued))
    }

    private func scene(_ title: String, _ name: String, _ outcome: DecisionRecord.Outcome) throws -> Scene {
        let draft = ApprovalDraft(name, .reconcile, in: playground, at: .playgroundNow)
        return Scene(
            title: title, deliveries: [[try draft.record(signedBy: playground.keys.eventSigner)]],
            outcomes: [RequestID("req-\(name)"): outcome])
    }
}
