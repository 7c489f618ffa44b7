import ClawWire
import GrantLedger
import IssuanceRules
import Logging
import ReceiptLog

/// The elected sweeper: times out what waits too long, looks again at what waits for a WPC, closes approvals whose time is
/// over.
final class SweepService: Sendable {
    private static let batch = 200
    private let ledger: any Ledger
    private let worker: WorkerID
    private let decider: Decider
    private let limits: WorkerConfiguration.Limits
    private let logger: Logger

    init(
        ledger: any Ledger, worker: WorkerID, decider: Decider, limits: WorkerConfiguration.Limits, logger: Logger
    ) {
        self.ledger = ledger
        self.worker = worker
        self.decider = decider
        self.limits = limits
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        while !stop() {
            try Task.checkCancellation()
            do {
                if let lease = try await ledger.claim(role: .sweeper, for: worker) {
                    while !stop(), try await sweep(lease) == Self.batch {}
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.warning("a sweep failed", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: limits.sweepInterval)
        }
    }

    /// Decides what is due; returns the larger of the two counts, at most ``batch``.
    private func sweep(_ lease: RoleLease) async throws -> Int {
        let due = try await ledger.due(limit: Self.batch)
        guard !due.requests.isEmpty || !due.approvals.isEmpty else { return 0 }
        var batch = UnderstoodBatch(read: DecideRead(worker: worker, fence: .role(lease)))
        for request in due.requests {
            batch.read.requestIDs.insert(request.requestID)
            if let approval = request.approvalReference {
                batch.read.approvalIDs.insert(approval)
                batch.read.meetingApprovalIDs.insert(approval)
            }
            if let ticket = request.ticketReference { batch.read.tickets.insert(ticket) }
            if let subject = request.subjectReference { batch.read.subjects.insert(subject) }
        }
        for approval in due.approvals {
            batch.read.approvalIDs.insert(approval)
            batch.read.meetingApprovalIDs.insert(approval)
            batch.read.endingApprovalIDs.insert(approval)
        }
        try await decider.decide(batch, due: due)
        return max(due.requests.count, due.approvals.count)
    }
}
