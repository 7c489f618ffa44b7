import ApprovalSources
import ClawWire
import IssuanceRules
import Kafka
import Playground
import Primitives

/// What is sent to the workers while everything breaks, and what must have come of it in the end.
///
/// What a record leads to may depend on when it is read, for stops go on meanwhile: the checkers judge that. Here is
/// remembered only what was delivered, so that nothing can be lost unseen.
final class Load: Sendable {
    /// What was delivered so far.
    struct Delivered: Sendable {
        /// Records that were sent at least once; how many repeats there are the broker knows.
        var records = 0
        var requests: Set<RequestID> = []
        var approvals: Set<ApprovalID> = []
    }

    private struct State {
        var delivered = Delivered()
        var names = 0
        var recent: [ProducerRecord] = []
        var recentNames: [String] = []
    }

    /// So many records are kept to be sent again later.
    private static let memory = 300
    private static let agents = 4

    private let playground: Playground
    /// Writes to the broker.
    let sender: Sender
    private let state = Lock(State())

    init(_ playground: Playground) {
        self.playground = playground
        sender = Sender(playground)
    }

    /// Ends sending.
    func close() async { await sender.close() }

    /// What was delivered so far.
    var delivered: Delivered { state.withLock { $0.delivered } }

    /// An agent of the load.
    static func agent(_ number: Int) -> AgentDID { AgentDID("did:web:agent-\(number).northquay.example") }

    // MARK: Bursts

    /// Sends what a burst says: something of everything, shuffled, each copy to any partition, and a few records of
    /// earlier bursts once more.
    func send(_ burst: Burst) async throws {
        var dice = Dice(seed: burst.choice)
        var records = try compose(burst.count, &dice)
        let earlier = state.withLock { $0.recent }
        remember(records)
        var all: [ProducerRecord] = []
        for record in records {
            for _ in 0..<burst.copies { all.append(scattered(record, &dice)) }
        }
        if dice.chance(25), !earlier.isEmpty {
            records = (0..<dice.roll(1...6)).map { _ in earlier[dice.roll(0...(earlier.count - 1))] }
            all += records.map { scattered($0, &dice) }
        }
        try await deliver(all.shuffled(using: &dice))
    }

    private func scattered(_ record: ProducerRecord, _ dice: inout Dice) -> ProducerRecord {
        var copy = record
        copy.partition = Int32(dice.roll(0...Int(playground.options.inputPartitions) - 1))
        return copy
    }

    private func deliver(_ records: [ProducerRecord]) async throws {
        try await sender.send(records)
        state.withLock { $0.delivered.records += records.count }
    }

    private func remember(_ records: [ProducerRecord]) {
        state.withLock { state in
            state.recent += records
            state.recent.removeFirst(max(0, state.recent.count - Self.memory))
        }
    }

    /// New names; a name is never given twice.
    private func name() -> String {
        state.withLock { state in
            state.names += 1
            let name = "c\(state.names)"
            state.recentNames.append(name)
            state.recentNames.removeFirst(max(0, state.recentNames.count - Self.memory))
            return name
        }
    }

    private func compose(_ count: Int, _ dice: inout Dice) throws -> [ProducerRecord] {
        var records: [ProducerRecord] = []
        var together: [ApprovalDraft] = []
        let keys = playground.keys
        for _ in 0..<count {
            let name = name()
            switch dice.roll(0...99) {
            case ..<42: together.append(draft(name, .reconcile, &dice))
            case ..<52: records.append(try draft(name, .agentRun, &dice).record(signedBy: keys.eventSigner))
            case ..<60:
                let approvers = [PlaygroundCast.ruth, PlaygroundCast.paloma]
                records.append(
                    try draft(name, .deploy, by: approvers, &dice).record(signedBy: keys.eventSigner, mode: .structured)
                )
            case ..<65: records.append(try draft(name, .sandbox, &dice).record(signedBy: keys.eventSigner))
            case ..<73: together.append(draft(name, .reconcile, &dice).denied())
            case ..<81:
                let draft = draft(name, .reconcile, &dice)
                let end = draft.ended(at: draft.time.adding(seconds: 1))
                records += [
                    try draft.record(signedBy: keys.eventSigner), try end.record(signedBy: keys.eventSigner),
                ]
            case ..<89: records += try activation(name)
            case ..<93: records.append(try unanswered(name))
            default:
                let kinds = BrokenRecord.allCases
                records.append(try kinds[dice.roll(0...(kinds.count - 1))].record(name, in: playground))
            }
        }
        return records + (try ApprovalDraft.records(together, signedTogetherBy: keys.batchSigner))
    }

    private func draft(
        _ name: String, _ jobClass: PlaygroundClass, by approvers: [IssuanceRules.Actor] = [PlaygroundCast.ruth],
        _ dice: inout Dice
    ) -> ApprovalDraft {
        var draft = ApprovalDraft(name, jobClass, approvers: approvers, in: playground)
        draft.request?.agentDID = Self.agent(dice.roll(0...(Self.agents - 1)))
        expect(draft.request?.requestID, draft.decision.approvalID)
        return draft
    }

    /// An activation in Entra and the request that names it.
    private func activation(_ name: String) throws -> [ProducerRecord] {
        let activation = EntraActivation(name, at: .playgroundNow.adding(seconds: -60))
        var request = RequestDraft(name, .appAdmin, in: playground, at: .playgroundNow)
        request.approvalID = activation.approvalID
        expect(request.requestID, activation.approvalID)
        return [
            activation.message([.requested, .routed, .approved, .completed]),
            try request.record(signedBy: playground.keys.requestSigner),
        ]
    }

    /// A request that nobody approves.
    private func unanswered(_ name: String) throws -> ProducerRecord {
        var request = RequestDraft(name, .userAdmin, in: playground, at: .playgroundNow)
        request.approvalID = ApprovalID("entra-pim/nobody/\(name)")
        expect(request.requestID, nil)
        return try request.record(signedBy: playground.keys.requestSigner)
    }

    private func expect(_ request: RequestID?, _ approval: ApprovalID?) {
        state.withLock { state in
            if let request { state.delivered.requests.insert(request) }
            if let approval { state.delivered.approvals.insert(approval) }
        }
    }

    // MARK: Probes

    /// Sends approvals that no stop of a campaign covers: whoever is well grants them.
    ///
    /// - Returns: The requests.
    func probe(_ name: String, count: Int) async throws -> [RequestID] {
        var records: [ProducerRecord] = []
        var requests: [RequestID] = []
        for index in 0..<count {
            let draft = ApprovalDraft("\(name)-\(index)", .reconcile, in: playground)
            expect(draft.request?.requestID, draft.decision.approvalID)
            if let request = draft.request { requests.append(request.requestID) }
            var record = try draft.record(signedBy: playground.keys.eventSigner)
            record.partition = Int32(index) % playground.options.inputPartitions
            records.append(record)
        }
        try await deliver(records)
        return requests
    }

    // MARK: Control

    private func declare(_ operation: ControlOperation, id: String, by people: [IssuanceRules.Actor]) async throws {
        let record = try playground.keys.control.record(
            operation, id: id, by: people, at: .playgroundNow, reason: nil, topic: PlaygroundTopic.control)
        try await sender.send([
            ProducerRecord(
                topic: record.topic, partition: 0, key: record.key, value: record.value,
                headers: record.headers.map { KafkaHeader(name: $0.name, value: $0.value) })
        ])
    }

    /// A stop with the approval on which its lift will rest.
    struct DeclaredStop: Sendable {
        let id: String
        let reapproval: ApprovalID
    }

    /// Stops an agent or a job class; some are declared twice, as people in a hurry do.
    func stop(_ choice: UInt64) async throws -> DeclaredStop {
        var dice = Dice(seed: choice)
        let name = name()
        let classes: [PlaygroundClass] = [.agentRun, .deploy, .sandbox]
        let scope =
            dice.chance(50)
            ? StopScope(kind: .agent, value: Self.agent(dice.roll(0...(Self.agents - 1))).rawValue)
            : StopScope(kind: .jobClass, value: classes[dice.roll(0...2)].rawValue)
        let stop = ControlOperation.stop(.init(stopID: "stop-\(name)", scope: scope, revokesLive: dice.chance(50)))
        for _ in 0...(dice.chance(30) ? 1 : 0) {
            try await declare(stop, id: "stop-\(name)", by: [PlaygroundCast.ruth])
        }
        let draft = ApprovalDraft("again-\(name)", .reconcile, in: playground)
        expect(draft.request?.requestID, draft.decision.approvalID)
        try await deliver([try draft.record(signedBy: playground.keys.eventSigner)])
        return DeclaredStop(id: "stop-\(name)", reapproval: draft.decision.approvalID)
    }

    /// Lifts a stop. It is refused where the approval has not been decided yet, which is as it should be.
    func lift(_ stop: DeclaredStop) async throws {
        try await declare(
            .lift(.init(stopID: stop.id, reapproval: stop.reapproval, policyHash: nil)), id: "lift-\(stop.id)",
            by: [PlaygroundCast.milan, PlaygroundCast.paloma])
    }

    /// Revokes something that was sent lately: decided already, or not yet.
    func revoke(_ choice: UInt64) async throws {
        var dice = Dice(seed: choice)
        let names = state.withLock { $0.recentNames }
        guard !names.isEmpty else { return }
        let victim = names[dice.roll(0...(names.count - 1))]
        let scope =
            switch dice.roll(0...2) {
            case 0: StopScope(kind: .approval, value: "apr-\(victim)")
            case 1: StopScope(kind: .request, value: "req-\(victim)")
            default: StopScope(kind: .job, value: "job-\(victim)")
            }
        let name = name()
        try await declare(
            .revoke(.init(revocationID: "revoke-\(name)", scope: scope)), id: "revoke-\(name)",
            by: [PlaygroundCast.ruth])
    }

    /// Stops everything, live tokens included.
    func stopEverything() async throws {
        let name = name()
        try await declare(
            .stop(.init(stopID: "stop-\(name)", scope: .everything, revokesLive: true)), id: "stop-\(name)",
            by: [PlaygroundCast.ruth])
    }
}
