import ClawWire
import GrantLedger
import IssuanceRules
import Logging
import Observability
import Primitives
import ReceiptLog

/// The elected revoker: makes single revocations of what a cut-off has voided already, in chunks of bounded size, from
/// where the last revoker stopped.
final class RevokeService: Sendable {
    /// Tokens of one transaction: enough to fill it, few enough that a stop behind it waits for milliseconds.
    private static let chunk = 2_000
    private let ledger: any Ledger
    private let worker: WorkerID
    private let interval: Duration
    private let metrics: WorkerMetrics
    private let logger: Logger

    init(ledger: any Ledger, worker: WorkerID, interval: Duration, metrics: WorkerMetrics, logger: Logger) {
        self.ledger = ledger
        self.worker = worker
        self.interval = interval
        self.metrics = metrics
        self.logger = logger
    }

    func run(until stop: @Sendable () -> Bool) async throws {
        try await ledger.hold(.revoker, for: worker, every: interval, until: stop) { error in
            logger.log(.revokingFailed, metadata: ["error": "\(error)"])
        } work: { lease in
            while !stop(), try await revokeSome(lease) {}
        }
    }

    /// Revokes the next chunk; false when there is nothing to revoke.
    private func revokeSome(_ lease: RoleLease) async throws -> Bool {
        let worker = worker
        let count = Lock(0)
        guard
            let run = try await ledger.revokeNext(
                under: lease, limit: Self.chunk,
                plan: { chunk in
                    count.withLock { $0 = chunk.tokens.count }
                    return try Self.effects(chunk, by: worker)
                })
        else { return false }
        metrics.revoked(count.withLock { $0 })
        if run.finishedAt != nil {
            logger.log(.tokensRevoked, metadata: ["control_event": .outside(run.handle), "tokens": "\(run.revoked)"])
        }
        return true
    }

    static func effects(_ chunk: RevocationChunk, by worker: WorkerID) throws -> [Effect] {
        guard let cause = RevocationCause(rawValue: chunk.run.cause) else {
            throw LedgerError(.corrupted, "the cause of the revocation run \(chunk.run.handle) is unknown")
        }
        let reasons = [Receipt.Reason(code: "TOKEN_REVOKED", detail: chunk.run.detail)]
        let provenance = Receipt.Provenance(workerID: worker, controlPosition: chunk.controlPosition)
        // Of a single token the answer has told when: its record says the same second.
        let isOfOneToken = chunk.run.scopeKind == StopScope.Kind.token.rawValue
        let at = isOfOneToken ? chunk.run.startedAt : chunk.now
        var revoked = chunk.tokens.map { token in
            (
                token.tokenHash, token.tokenID as TokenID?,
                Receipt.Subject(
                    requestID: token.requestID, approvalIDs: token.approvals, jobID: token.jobID,
                    jobClass: token.jobClass, agentDID: token.agentDID)
            )
        }
        // One that the ledger never issued, or does not have yet: who reads the topic refuses it by its hash.
        if let unknown = chunk.unknownToken { revoked.append((unknown, nil, Receipt.Subject())) }
        return try revoked.map { hash, tokenID, subject in
            let receipt = Receipt(
                content: .revocation(
                    Receipt.Revocation(
                        tokenHash: hash, jti: tokenID, cause: cause,
                        revokedBy: chunk.run.declaredBy ?? worker.rawValue)),
                subject: subject, provenance: provenance, reasons: reasons, occurredAt: at)
            let encoded = try receipt.encoded()
            let outputs = RevocationRecord(encoded).map {
                [OutputRecord(stream: .revocations, key: $0.recordKey, value: $0.canonicalBytes)]
            }
            return Effect(
                receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue, outputs: outputs ?? [])
        }
    }
}
