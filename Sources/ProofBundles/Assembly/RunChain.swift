import ClawWire
import ReceiptLog

/// Builds the event chain of a run.
///
/// First stand the receipts up to the last issuance, in the order of the log, each issuance behind its approvals. Every
/// hash up to there is known as soon as the token is: the agent can send it with its calls. Then the agent's own
/// entries, if it continued the chain; then the calls that name no entry of the agent's; then the rest of the log's receipts:
/// revocations, stops, findings. A chain that the agent began by itself stands first, and ours follows on it.
struct RunChain {
    private(set) var events: [RunEvent] = []
    private(set) var hashes: [Int64: Digest] = [:]
    private(set) var leftOut = 0
    private(set) var agentContinuesOurs = true
    private let runID: String

    init(_ material: RunMaterial, calls: [GatewayCall]) {
        runID = material.jobID.rawValue
        let entries = material.log.receipts.filter { Self.type(of: $0) != nil }
        let lastIssuance = entries.lastIndex { $0.kind == Receipt.Kind.grantIssued.rawValue } ?? -1
        let agent = material.agentEvents.prefix(RunRecord.maximumEntries / 2)
        leftOut += material.agentEvents.count - agent.count

        if let first = agent.first, first.previousHash == nil {
            agentContinuesOurs = false
            events = Array(agent)
        }
        for (index, logged) in entries.enumerated() where index <= lastIssuance { append(logged) }
        if agentContinuesOurs, let first = agent.first {
            // The agent may have gone on from an earlier issuance than the last: what followed then stands behind it.
            if let place = events.lastIndex(where: { $0.hash == first.previousHash }) {
                let rest = events[(place + 1)...]
                events = Array(events[...place]) + agent
                for event in rest { relink(event) }
            } else {
                agentContinuesOurs = false
                leftOut += agent.count
            }
        }
        let agentHashes = Set(agent.map(\.hash))
        let room = RunRecord.maximumEntries - events.count - 2 * (entries.count - lastIssuance - 1)
        for (index, call) in calls.enumerated() {
            if let hash = call.eventHash, agentHashes.contains(hash) { continue }
            guard index < room else {
                leftOut += 1
                continue
            }
            append(
                id: "call:\(call.receiptID)", type: "llm_call", at: call.timestamp.iso8601, payload: call.payloadHash)
        }
        for (index, logged) in entries.enumerated() where index > lastIssuance { append(logged) }
    }

    /// What stands in the chain for a receipt; `nil` for receipts that have no entry.
    static func type(of logged: LoggedReceipt) -> String? {
        switch logged.kind {
        case "grant.issued": "cst_issued"
        case "decision.denied": "cst_denied"
        case "decision.expired": "cst_expired"
        case "revocation": "cst_revoked"
        case "stop.declared": "emergency_stop"
        case "stop.lifted": "emergency_stop_lifted"
        case "control.applied": "control_applied"
        case "budget.reached": "budget_reached"
        case "finding.raised": "finding_raised"
        default: nil
        }
    }

    private mutating func append(_ logged: LoggedReceipt) {
        guard let type = Self.type(of: logged) else { return }
        let position = logged.position.value
        let time = logged.document["occurred_at"]?.string ?? ""
        if logged.kind == Receipt.Kind.grantIssued.rawValue {
            for (index, input) in (logged.receipt?.provenance.inputs ?? []).enumerated() {
                append(
                    id: "evidence:\(position):\(index)", type: "approval_decision", at: time, payload: input.digest)
            }
        }
        append(id: "receipt:\(position)", type: type, at: time, payload: logged.digest)
        hashes[position] = events.last?.hash
    }

    private mutating func append(id: String, type: String, at time: String, payload: Digest) {
        guard events.count < RunRecord.maximumEntries else {
            leftOut += 1
            return
        }
        events.append(
            RunEvent(
                id: id, runID: runID, type: type, timestamp: time, payloadHash: payload,
                previousHash: events.last?.hash))
    }

    private mutating func relink(_ event: RunEvent) {
        append(id: event.id, type: event.type, at: event.timestamp, payload: event.payloadHash)
        if event.id.hasPrefix("receipt:"), let position = Int64(event.id.dropFirst("receipt:".count)) {
            hashes[position] = events.last?.hash
        }
    }
}
