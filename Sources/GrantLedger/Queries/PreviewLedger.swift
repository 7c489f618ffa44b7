import ClawWire
import IssuanceRules
import Postgres
import ReceiptLog

/// What a look at a decision asks of the ledger.
public protocol PreviewLedger: Sendable {
    /// What a decide transaction would find, of one instant: read without a lock, and nothing is written. Fence and
    /// events of the read have no meaning here.
    func preview(_ read: DecideRead) async throws(LedgerError) -> DecideSnapshot
}

extension PostgresLedger: PreviewLedger {
    /// See ``PreviewLedger/preview(_:)``.
    public func preview(_ read: DecideRead) async throws(LedgerError) -> DecideSnapshot {
        let what = "looking at what a decision would find"
        var approvals = Parameters()
        approvals.append(array: read.approvalIDs.map(\.rawValue).sorted())
        approvals.append(array: read.subjects.map(\.rawValue).sorted())
        approvals.append(array: read.tickets.sorted())
        approvals.append(array: read.endingSubjects.map(\.rawValue).sorted())
        var requests = Parameters()
        requests.append(array: read.requestIDs.map(\.rawValue).sorted())
        var jobs = Parameters()
        jobs.append(array: read.jobIDs.map(\.rawValue).sorted())
        let steps: [PipelineStep] = [
            .execute(DecideStatements.controlState),
            .execute(DecideStatements.newControlOrders, Parameters(read.knownControlPosition)),
            .execute(DecideStatements.previewApprovals, approvals),
            .execute(Self.previewRequests, requests), .execute(Self.previewUsage, jobs),
            Self.healthStep(HealthRead(sources: read.health?.sources ?? [], locks: false)),
        ]
        do {
            let results = try await pool.withConnection { connection in
                try await connection.transaction(isolation: .repeatableRead, access: .readOnly) { transaction in
                    try await transaction.run(steps)
                }
            }
            return try Self.snapshot(results)
        } catch {
            throw Self.translate(error, what)
        }
    }

    private static let previewRequests = PreparedStatement(
        "preview_requests",
        "SELECT \(DecideStatements.loadedRequestColumns) FROM clawgrant.request WHERE request_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    private static let previewUsage = PreparedStatement(
        "preview_usage", "SELECT job_id, body FROM clawgrant.job_usage WHERE job_id = ANY ($1::text[])",
        parameterTypes: [.textArray])

    private static func snapshot(_ results: [PostgresResult]) throws -> DecideSnapshot {
        let control = results[0]
        guard control.rowCount == 1 else { throw corrupted("clawgrant.control_state") }
        var approvals: [ApprovalID: StoredApproval] = [:]
        for row in 0..<results[2].rowCount {
            let approval = try StoredRows.approval(results[2], row)
            approvals[approval.approvalID] = approval
        }
        var requests: [RequestID: StoredRequest] = [:]
        for row in 0..<results[3].rowCount {
            let request = try StoredRows.request(results[3], row)
            requests[request.requestID] = request
        }
        var usage: [JobID: JobUsage] = [:]
        for row in 0..<results[4].rowCount {
            let job = JobID(try results[4].string(row, 0))
            usage[job] = try StoredRows.usage(of: job, try results[4].bytes(row, 1))
        }
        var snapshot = DecideSnapshot(
            now: try control.timestampValue(0, 2), controlPosition: try control.int64(0, 0),
            newControlOrders: try StoredRows.controlOrders(results[1]),
            controlPolledAt: try control.timestampValue(0, 1), newEvents: [], conflictingEvents: [],
            approvals: approvals, requests: requests, usage: usage, hasApprovalBudgets: try control.bool(0, 3))
        snapshot.health = try StoredRows.sourceHealth(results[5])
        snapshot.incarnation = try LedgerIncarnation(control, 0, firstColumn: 4)
        return snapshot
    }
}
