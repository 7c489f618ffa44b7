import ApprovalSources
import ClawWire
import IssuanceRules
import Kafka
import Playground
import ReceiptLog

/// The demonstration of one source: that vendor's records through a real worker, and what was decided and why.
struct SourceDemo {
    let playground: Playground
    let kind: SourceConfiguration.Kind
    let stage: DemoStage
    let emit: @Sendable (DemoEvent) -> Void

    /// The vendor of a kind that a playground has only on demand.
    static func vendor(of kind: SourceConfiguration.Kind) -> PlaygroundVendor? {
        switch kind {
        case .native, .entraAudit, .capabilityRequest: nil
        case .azureActivity: .azureActivity
        case .graph: .graph
        case .entitlementManagement: .entitlementManagement
        case .serviceNow: .serviceNow
        case .jsm: .jsm
        case .gitHub: .gitHub
        case .pagerDuty: .pagerDuty
        case .opsgenie: .opsgenie
        case .slack: .slack
        case .sharedSignals: .sharedSignals
        }
    }

    /// What people call it.
    static func title(of kind: SourceConfiguration.Kind) -> String {
        switch kind {
        case .native: "the company's own workflow, with signed events"
        case .entraAudit: "Microsoft Entra PIM"
        case .azureActivity: "the Azure activity log"
        case .graph: "Microsoft Graph"
        case .entitlementManagement: "Microsoft Entra entitlement management"
        case .capabilityRequest: "the jobs that ask"
        case .serviceNow: "ServiceNow"
        case .jsm: "Jira Service Management"
        case .gitHub: "GitHub environments"
        case .pagerDuty: "PagerDuty"
        case .opsgenie: "Opsgenie"
        case .slack: "Slack"
        case .sharedSignals: "OpenID Shared Signals"
        }
    }

    /// Plays what the source can say.
    func play() async throws {
        let scenes = Scenes(playground: playground)
        switch kind {
        case .native: try await play(try scenes.nativeStory())
        case .entraAudit: try await play(try scenes.entraStory())
        case .azureActivity: try await playAzureActivity()
        case .graph: try await play(try graphStory())
        case .entitlementManagement: try await playEntitlementManagement()
        case .capabilityRequest: try await play(try scenes.requestStory())
        case .serviceNow: try await play(try changes())
        case .jsm: try await play(try issues())
        case .gitHub: try await play(try deployments())
        case .pagerDuty:
            try await stop(
                "Paloma opens an incident on the service that stands for every \(PlaygroundClass.reconcile.rawValue) job",
                VendorDraft.pagerDuty("PNQ4711"), stopID: "pagerduty/PNQ4711",
                "PagerDuty resolves the incident by itself, as it may: that lifts nothing",
                VendorDraft.pagerDuty("PNQ4711", "incident.resolved"))
        case .opsgenie:
            let tags = [PlaygroundVendor.stoppingTag, "job_class:\(PlaygroundClass.reconcile.rawValue)"]
            try await stop(
                "Paloma raises an alert with the tags \(tags.joined(separator: " and "))",
                VendorDraft.opsgenie("nq-alert-7", tags: tags), stopID: "opsgenie/nq-alert-7",
                "Opsgenie closes the alert: that lifts nothing",
                VendorDraft.opsgenie("nq-alert-7", "Close", tags: tags))
        case .slack: try await play([try button()])
        case .sharedSignals: try await play(try signals())
        }
        try await stage.playOut()
    }

    private func play(_ scenes: [Scene]) async throws {
        for scene in scenes { try await stage.play(scene) }
    }

    // MARK: Requests

    var now: Timestamp { .playgroundNow.adding(seconds: -5) }

    func request(
        _ name: String, _ jobClass: PlaygroundClass = .ticketed, of approval: ApprovalID
    ) throws -> (id: RequestID, record: ProducerRecord) {
        var request = RequestDraft(name, jobClass, in: playground, at: now)
        request.approvalID = approval
        return (request.requestID, try request.record(signedBy: playground.keys.requestSigner))
    }

    // MARK: Tickets and deployments

    private func changes() throws -> [Scene] {
        let good = ChangeDraft("CHG0041200", at: now)
        let approved = good.answered("approved", by: PlaygroundCast.ruth)
        let bad = ChangeDraft("CHG0041201", at: now)
        let first = try request("change-approved", of: good.approvalID)
        let second = try request("change-rejected", of: bad.approvalID)
        return [
            Scene(
                title: "Ines's change CHG0041200 waits for approval; her agent asks for a token all the same",
                deliveries: [[first.record], [good.record], [approved.record, approved.record]],
                outcomes: [first.id: .issued], waitsBetween: true),
            Scene(
                title: "Milan rejects CHG0041201",
                deliveries: [
                    [second.record, bad.record, bad.answered("rejected", by: PlaygroundCast.milan).record]
                ], outcomes: [second.id: .denied]),
            Scene(
                title: "CHG0041200 is canceled while its approval still reads approved",
                deliveries: [[approved.canceled().record]], revocations: [first.id]),
        ]
    }

    private func issues() throws -> [Scene] {
        let good = IssueDraft("OPS-212", at: now)
        let half = good.answered("approved", by: PlaygroundCast.ruth, PlaygroundCast.milan)
        let bad = IssueDraft("OPS-213", at: now)
        let first = try request("issue-approved", of: good.approvalID)
        let second = try request("issue-declined", of: bad.approvalID)
        return [
            Scene(
                title: "The approval of OPS-212 needs two people; Ruth and Milan both say yes",
                deliveries: [[first.record], [good.record()], [half.record()]], outcomes: [first.id: .issued],
                waitsBetween: true),
            Scene(
                title: "Paloma declines OPS-213",
                deliveries: [
                    [second.record, bad.record(), bad.answered("declined", by: PlaygroundCast.paloma).record()]
                ], outcomes: [second.id: .denied]),
            Scene(
                title: "Somebody deletes OPS-212, and what rests on its approval ends with it",
                deliveries: [[half.record(isDeleted: true)]], revocations: [first.id]),
        ]
    }

    private func deployments() throws -> [Scene] {
        let first = DeploymentDraft(54_530_856, at: now)
        var second = first
        second.attempt = 2
        let released = try request("deploy-attempt-1", of: first.approvalID)
        let again = try request("deploy-attempt-2", of: second.approvalID)
        return [
            Scene(
                title: "A protection rule asks about run 54530856, which answers nothing; Ruth reviews and approves it",
                deliveries: [
                    [released.record], [first.question()], [first.review("approved", by: PlaygroundCast.ruth)],
                ], outcomes: [released.id: .issued], waitsBetween: true),
            Scene(
                title: "The run is started again: the second attempt needs a review of its own, and Milan says no",
                deliveries: [[again.record, second.review("rejected", by: PlaygroundCast.milan)]],
                outcomes: [again.id: .denied]),
        ]
    }

    // MARK: Stops

    private func stop(
        _ title: String, _ incident: ProducerRecord, stopID: String, _ end: String, _ resolved: ProducerRecord
    ) async throws {
        let before = ApprovalDraft("before-incident", .reconcile, in: playground, at: now)
        try await stage.play(try native("Ruth approves a reconciliation of the ledger", before, .issued))
        emit(DemoEvent(.action, title))
        try await playground.produce([incident])
        try await stage.awaitControl("stop", handle: stopID)
        try await stage.awaitRevocation(of: RequestID("req-before-incident"))
        try await stage.play(
            try native(
                "Ruth approves another one while the incident is open",
                ApprovalDraft("during-incident", .reconcile, in: playground, at: now), .denied))
        emit(DemoEvent(.action, end))
        try await playground.produce([resolved])
        try await stage.play(
            try native(
                "So the next one is refused too, until two people lift the stop",
                ApprovalDraft("after-incident", .reconcile, in: playground, at: now), .denied))
        let authority = ApprovalDraft("all-clear", .agentRun, in: playground, at: .playgroundNow)
        try await stage.play(
            try native(
                "Ruth approves an agent's run of another class, which is also the fresh authority for the lift",
                authority,
                .issued))
        emit(DemoEvent(.action, "Ruth and Milan lift the stop together, with a signed event on the control topic"))
        try await playground.declare(
            .lift(.init(stopID: stopID, reapproval: authority.decision.approvalID, policyHash: nil)),
            id: "evt-lift-incident", by: [PlaygroundCast.ruth, PlaygroundCast.milan])
        try await stage.awaitControl("lift", handle: stopID)
        try await stage.play(
            try native(
                "Ruth approves anew", ApprovalDraft("after-lift", .reconcile, in: playground, at: .playgroundNow),
                .issued))
    }

    private func native(
        _ title: String, _ draft: ApprovalDraft, _ outcome: DecisionRecord.Outcome
    ) throws -> Scene {
        guard let id = draft.request?.requestID else { throw PlaygroundError("the approval carries no request") }
        return Scene(
            title: title, deliveries: [[try draft.record(signedBy: playground.keys.eventSigner)]],
            outcomes: [id: outcome])
    }

    // MARK: Chat and signals

    private func button() throws -> Scene {
        let activation = EntraActivation("demo chat", at: now)
        var request = RequestDraft("chat", .userAdmin, in: playground, at: now)
        request.approvalID = activation.approvalID
        return Scene(
            title: "Ruth presses Approve in a chat about Ines's activation, and nobody answers in Entra PIM",
            deliveries: [
                [try request.record(signedBy: playground.keys.requestSigner)],
                [VendorDraft.slack(activation.approvalID)],
            ], outcomes: [request.requestID: .expired], isPatient: true)
    }

    private func signals() throws -> [Scene] {
        let activation = EntraActivation("demo signals", at: now)
        var request = RequestDraft("signals", .appAdmin, in: playground, at: now)
        request.approvalID = activation.approvalID
        let revoked = try VendorDraft.securityEvent(
            "set-1", "caep/event-type/session-revoked", about: PlaygroundCast.ines, signedBy: playground.keys.signals)
        let forged = try VendorDraft.securityEvent(
            "set-2", "caep/event-type/session-revoked", about: PlaygroundCast.ines, signedBy: playground.keys.gateway)
        return [
            Scene(
                title: "Ines activates a role in Entra PIM, Ruth approves; Ines's agent has its token",
                deliveries: [
                    [activation.message([.requested, .routed, .approved, .completed])],
                    [try request.record(signedBy: playground.keys.requestSigner)],
                ], outcomes: [request.requestID: .issued]),
            Scene(
                title: "Somebody sends a Security Event Token about Ines with a key that the rules do not list",
                deliveries: [[forged]], deadLetters: 1),
            Scene(
                title: "The identity provider says that Ines's sessions are revoked (CAEP session-revoked), twice",
                deliveries: [[revoked, revoked]], revocations: [request.requestID]),
        ]
    }
}
