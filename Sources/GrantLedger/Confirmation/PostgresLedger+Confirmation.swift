import ClawWire
import IssuanceRules
import Postgres

extension PostgresLedger: ConfirmationLedger {
    /// See ``ConfirmationLedger/dueConfirmations(limit:)``.
    public func dueConfirmations(limit: Int64) async throws(LedgerError) -> [DueConfirmation] {
        let what = "reading due confirmations"
        let rows = try await run(what, [.execute(ConfirmationStatements.due, Parameters(limit))])[0]
        do {
            return try (0..<rows.rowCount).map { row in
                guard let state = ConfirmationState(rawValue: try rows.string(row, 2)) else {
                    throw Self.corrupted("the state of the confirmation of \(try rows.string(row, 0))")
                }
                return DueConfirmation(
                    key: ConfirmationKey(
                        approvalID: ApprovalID(try rows.string(row, 0)), source: SourceName(try rows.string(row, 1))),
                    state: state, attempts: try rows.int32(row, 3), wantedAt: try rows.timestampValue(row, 4),
                    answerDigest: try rows.isNull(row, 5) ? nil : try rows.digest(row, 5),
                    approval: try rows.bytes(row, 6), isApprovalClosed: try rows.bool(row, 7),
                    now: try rows.timestampValue(row, 8))
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConfirmationLedger/waitingConfirmations()``.
    public func waitingConfirmations() async throws(LedgerError) -> Int64 {
        let what = "counting confirmations"
        let rows = try await run(what, [.execute(ConfirmationStatements.waiting)])[0]
        do {
            return try rows.int64(0, 0)
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConfirmationLedger/recordAnswers(_:under:)``.
    public func recordAnswers(
        _ answers: [ConfirmationAnswer], under lease: RoleLease
    ) async throws(LedgerError) -> [Int64] {
        guard !answers.isEmpty else { return [] }
        var rows = Parameters()
        rows.append(column: answers) { $0.key.approvalID.rawValue }
        rows.append(column: answers) { $0.key.source.rawValue }
        rows.append(column: answers) { $0.state.rawValue }
        rows.append(column: answers) { $0.why }
        rows.append(column: answers) { $0.digest.bytes }
        rows.append(column: answers) { $0.requestIDs.joined(separator: "\u{1F}") }
        rows.append(column: answers) { $0.askedAt.postgres }
        rows.append(column: answers) { $0.answeredAt.postgres }
        let numbers = try await fenced(
            "keeping \(answers.count) answers", lease, .execute(ConfirmationStatements.record, rows))
        do {
            return try (0..<numbers.rowCount).map { try numbers.int64($0, 0) }
        } catch {
            throw Self.translate(error, "keeping answers")
        }
    }

    /// See ``ConfirmationLedger/delayConfirmations(_:under:)``.
    public func delayConfirmations(_ delays: [ConfirmationDelay], under lease: RoleLease) async throws(LedgerError) {
        guard !delays.isEmpty else { return }
        let delays = delays.sorted { $0.key < $1.key }
        var rows = Parameters()
        rows.append(column: delays) { $0.key.approvalID.rawValue }
        rows.append(column: delays) { $0.key.source.rawValue }
        rows.append(nullableColumn: delays) { $0.wait.map { Int64($0 / .milliseconds(1)) } }
        rows.append(column: delays) { $0.why }
        rows.append(column: delays) { Int32($0.isAttempt ? 1 : 0) }
        _ = try await fenced(
            "putting \(delays.count) confirmations off", lease, .execute(ConfirmationStatements.delay, rows))
    }

    /// One statement in a transaction of the role's holder.
    private func fenced(
        _ what: String, _ lease: RoleLease, _ step: PipelineStep
    ) async throws(LedgerError) -> PostgresResult {
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let results = try await transaction.run([
                        .execute(
                            DecideStatements.fenceRole,
                            Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value))
                    ])
                    guard results[0].rowCount == 1 else {
                        throw LedgerError(
                            .fenced, "the role \(lease.role.rawValue) is held by another worker; nothing committed")
                    }
                    return try await transaction.commit(with: [step])[0]
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// What a decide transaction writes of confirmations, behind its approvals.
    static func confirmationSteps(_ write: DecideWrite, now: Timestamp) -> [PipelineStep] {
        var steps: [PipelineStep] = []
        let settled = write.settledConfirmations.sorted { $0.key < $1.key }
        if !settled.isEmpty {
            var rows = Parameters()
            rows.append(column: settled) { $0.key.approvalID.rawValue }
            rows.append(column: settled) { $0.key.source.rawValue }
            rows.append(column: settled) { $0.state.rawValue }
            rows.append(column: settled) { $0.why }
            rows.append(column: settled) { $0.digest.bytes }
            rows.append(nullableColumn: settled) { $0.dueAt?.postgres }
            steps.append(.execute(ConfirmationStatements.settle, rows))
        }
        let wanted = write.wantedConfirmations.sorted()
        if !wanted.isEmpty {
            var rows = Parameters()
            rows.append(column: wanted) { $0.approvalID.rawValue }
            rows.append(column: wanted) { $0.source.rawValue }
            rows.append(now.postgres)
            steps.append(.execute(ConfirmationStatements.want, rows))
        }
        if !write.findings.isEmpty {
            var rows = Parameters()
            rows.append(column: write.findings) { $0.key.bytes }
            rows.append(column: write.findings) { $0.code.rawValue }
            rows.append(column: write.findings) { $0.code.severity.rawValue }
            rows.append(column: write.findings) { $0.about }
            rows.append(column: write.findings) { $0.detail }
            rows.append(now.postgres)
            steps.append(.execute(ConfirmationStatements.insertFindings, rows))
        }
        return steps
    }
}
