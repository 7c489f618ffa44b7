import ApprovalSources
import ClawWire
import IssuanceRules
import Kafka
import Playground
import ReceiptLog

/// One short story: what people do, and what should come of it.
struct Scene {
    /// What people do, in plain words.
    let title: String
    /// Records in the order in which they are sent; each list is one delivery.
    let deliveries: [[ProducerRecord]]
    /// The outcome that each request must have.
    var outcomes: [RequestID: DecisionRecord.Outcome] = [:]
    /// Records that must end in the dead letters.
    var deadLetters = 0
    /// Requests whose token must be revoked.
    var revocations: Set<RequestID> = []
    /// Whether its outcome takes its time, and is told at the end.
    var isPatient = false
    /// A request that must be known to wait between the deliveries.
    var waitsBetween = false
}

/// The stories, told of one playground.
struct Scenes {
    let playground: Playground

    private var signer: NativeEventSigner { playground.keys.eventSigner }
    private var requests: NativeEventSigner { playground.keys.requestSigner }
    private var now: Timestamp { .playgroundNow.adding(seconds: -5) }

    func all() throws -> [Scene] {
        [
            try expiring(), try activation(), try nativeApproval(), try elevated(), try denial(), try tooWide(),
            try duplicates(), try outOfOrder(), try malformed(), noise(), try deactivation(),
        ]
    }

    /// What native events tell.
    func nativeStory() throws -> [Scene] {
        [try nativeApproval(), try elevated(), try denial(), try duplicates(), try malformed()]
    }

    /// What audit records of Entra tell.
    func entraStory() throws -> [Scene] { [try activation(), try outOfOrder(), noise(), try deactivation()] }

    /// What becomes of requests whose approval is no good or never comes.
    func requestStory() throws -> [Scene] { [try expiring()] }

    /// Ines activates a role, Ruth approves, the agent asks for its token.
    private func activation() throws -> Scene {
        let activation = EntraActivation("demo activation", at: now)
        var request = RequestDraft("pim-approved", .appAdmin, in: playground, at: now)
        request.approvalID = activation.approvalID
        return Scene(
            title:
                "Ines activates Application Administrator in Entra PIM, Ruth approves; Ines's agent asks for a token",
            deliveries: [
                [activation.message([.requested, .routed, .approved, .completed])],
                [try request.record(signedBy: requests)],
            ], outcomes: [request.requestID: .issued])
    }

    /// Teodor approves his own activation, and nobody answers another request: both run out of time.
    private func expiring() throws -> Scene {
        var activation = EntraActivation("demo self-approval", at: now)
        activation.requester = PlaygroundCast.teodor
        activation.approver = PlaygroundCast.teodor
        activation.entitlement = PlaygroundCast.userAdminRole
        var own = RequestDraft("self-approved", .userAdmin, in: playground, at: now)
        own.approvalID = activation.approvalID
        var unanswered = RequestDraft("unanswered", .userAdmin, in: playground, at: now)
        unanswered.ticketNumber = "CHG0047710"
        return Scene(
            title: "Teodor approves his own activation of User Administrator; nobody at all answers CHG0047710. "
                + "Both requests wait, in sight",
            deliveries: [
                [
                    activation.message([.requested, .routed, .approved, .completed]),
                    try own.record(signedBy: requests), try unanswered.record(signedBy: requests),
                ]
            ], outcomes: [own.requestID: .expired, unanswered.requestID: .expired], isPatient: true)
    }

    private func nativeApproval() throws -> Scene {
        let draft = ApprovalDraft("agent-run", .agentRun, in: playground, at: now)
        return Scene(
            title: "Ruth approves an agent's run in the company's own workflow, under a signed Work Policy Contract",
            deliveries: [[try draft.record(signedBy: signer)]],
            outcomes: try outcome(draft, .issued))
    }

    /// The elevated action takes somebody of security beside the one who is on call.
    private func elevated() throws -> Scene {
        var draft = ApprovalDraft(
            "elevated-run", .agentRun, approvers: [PlaygroundCast.ruth, PlaygroundCast.paloma], in: playground, at: now)
        draft.request?.actions = ["enable_elevated"]
        return Scene(
            title: "Another run asks for elevated rights; Ruth and, for security, Paloma approve",
            deliveries: [[try draft.record(signedBy: signer, mode: .structured)]],
            outcomes: try outcome(draft, .issued))
    }

    private func denial() throws -> Scene {
        let draft = ApprovalDraft("refused-run", .reconcile, in: playground, at: now).denied(by: PlaygroundCast.milan)
        return Scene(
            title: "Milan says no to a reconciliation of the ledger",
            deliveries: [[try draft.record(signedBy: signer)]],
            outcomes: try outcome(draft, .denied))
    }

    private func tooWide() throws -> Scene {
        var draft = ApprovalDraft("greedy-run", .agentRun, in: playground, at: now)
        draft.request?.scope = ["proxy:call", "control:key:rotate"]
        return Scene(
            title: "A run is approved that asks for more than its class may have",
            deliveries: [[try draft.record(signedBy: signer)]], outcomes: try outcome(draft, .denied))
    }

    private func duplicates() throws -> Scene {
        let draft = ApprovalDraft("said-six-times", .reconcile, in: playground, at: now)
        let record = try draft.record(signedBy: signer)
        return Scene(
            title: "A nervous connector delivers one approval six times",
            deliveries: [[ProducerRecord](repeating: record, count: 6)], outcomes: try outcome(draft, .issued))
    }

    /// The request comes first, then the end of the activation's story, then its beginning.
    private func outOfOrder() throws -> Scene {
        var activation = EntraActivation("demo out of order", at: now)
        activation.requester = PlaygroundCast.teodor
        var request = RequestDraft("out-of-order", .appAdmin, in: playground, at: now)
        request.approvalID = activation.approvalID
        return Scene(
            title: "Event Hubs delivers an activation backwards, and the request before any of it",
            deliveries: [
                [try request.record(signedBy: requests)], [activation.message([.completed])],
                [activation.message([.approved]), activation.message([.routed, .requested])],
            ], outcomes: [request.requestID: .issued], waitsBetween: true)
    }

    private func malformed() throws -> Scene {
        let broken: [BrokenRecord] = [.notJSON, .unknownSigner, .tampered]
        return Scene(
            title:
                "Somebody sends garbage, an approval signed with a stranger's key, and one that was altered on its way",
            deliveries: [try broken.map { try $0.record("demo", in: playground) }], deadLetters: broken.count)
    }

    private func noise() -> Scene {
        let records = (0..<40).map { EntraActivation.noise("demo \($0)", at: now) }
        return Scene(
            title: "Forty audit records of other services pass by", deliveries: [[EntraActivation.message(records)]])
    }

    private func deactivation() throws -> Scene {
        let activation = EntraActivation("demo activation", at: now)
        return Scene(
            title: "Ines gives her role back early", deliveries: [[activation.message([.deactivated])]],
            revocations: [RequestID("req-pim-approved")])
    }

    private func outcome(
        _ draft: ApprovalDraft, _ outcome: DecisionRecord.Outcome
    ) throws -> [RequestID: DecisionRecord.Outcome] {
        guard let id = draft.request?.requestID else { throw PlaygroundError("the approval carries no request") }
        return [id: outcome]
    }
}
