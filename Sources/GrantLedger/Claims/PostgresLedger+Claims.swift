import ClawWire
import Postgres

extension PostgresLedger: ClaimLedger {
    /// See ``ClaimLedger/proofNonceKey()``.
    public func proofNonceKey() async throws(LedgerError) -> [UInt8] {
        let what = "reading the key of nonces"
        let rows = try await run(what, [.execute(ClaimStatements.nonceKey)])[0]
        do {
            guard rows.rowCount == 1 else { throw Self.corrupted("clawgrant.proof_nonce_key") }
            return try rows.bytes(0, 0)
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ClaimLedger/claim(_:plan:)``.
    public func claim<Result: Sendable>(
        _ read: ClaimRead, plan: @Sendable (ClaimSnapshot) throws -> (write: ClaimWrite?, result: Result)
    ) async throws -> Result {
        let what = "answering a claim for request \(read.requestID)"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let snapshot = try await Self.snapshot(read, transaction)
                    let (write, result) = try plan(snapshot)
                    var steps: [PipelineStep] = [.execute(ClaimStatements.forgetProofs)]
                    if let write {
                        let ids = try await self.takeGroupIDs(1, in: transaction)
                        steps += Self.writeSteps(write, read, groupID: ids[0], now: snapshot.control.now)
                    }
                    steps += [
                        .execute(DecideStatements.stopLock),
                        .execute(
                            DecideStatements.requirePosition, Parameters(snapshot.control.controlPosition)),
                    ]
                    _ = try await transaction.commit(with: steps)
                    return result
                }
            }
        } catch let error as PostgresError {
            if error.statementName == DecideStatements.requirePosition.name, !error.isOutcomeUnknown, !error.isRetriable
            {
                throw LedgerError(
                    .conflict, "\(what): a control event was applied meanwhile; nothing committed", underlying: error)
            }
            throw Self.translate(error, what)
        }
    }

    private static func snapshot(_ read: ClaimRead, _ transaction: Transaction) async throws -> ClaimSnapshot {
        let results = try await transaction.run([
            .execute(DecideStatements.controlState),
            .execute(DecideStatements.newControlOrders, Parameters(read.knownControlPosition)),
            .execute(ClaimStatements.request, Parameters(read.requestID.rawValue)),
            .execute(ClaimStatements.useProof, Parameters(read.proof.bytes, read.proofExpiry.postgres)),
            .execute(ClaimStatements.earlier, Parameters(read.requestID.rawValue)),
        ])
        let (control, row, earlier) = (results[0], results[2], results[4])
        guard control.rowCount == 1 else { throw corrupted("clawgrant.control_state") }
        var request: StoredRequest?
        var material: GrantMaterial?
        var (isSealed, isVoided) = (false, false)
        if row.rowCount == 1 {
            request = try StoredRows.request(row, 0)
            isSealed = try !row.bool(0, 27)
            isVoided = try row.bool(0, 28)
            if request?.token != nil { material = try await Self.material(row, transaction) }
        }
        var held = DecideSnapshot(
            now: try control.timestampValue(0, 2), controlPosition: try control.int64(0, 0),
            newControlOrders: try StoredRows.controlOrders(results[1]),
            controlPolledAt: try control.timestampValue(0, 1), newEvents: [], conflictingEvents: [],
            approvals: [:], requests: [:])
        held.incarnation = try LedgerIncarnation(control, 0, firstColumn: 4)
        return ClaimSnapshot(
            control: held,
            request: request, material: material, isSealed: isSealed, isVoided: isVoided,
            earlier: earlier.rowCount == 1
                ? StoredClaim(
                    key: try earlier.digest(0, 0),
                    sealedTo: try earlier.optional(0, 1, as: [UInt8].self).flatMap { Digest(bytes: $0) },
                    at: try earlier.timestampValue(0, 2)) : nil,
            isReplay: results[3].rowCount == 0)
    }

    /// The grant of the request, from the group of effects that holds it.
    private static func material(_ row: PostgresResult, _ transaction: Transaction) async throws -> GrantMaterial? {
        guard let groupID: Int64 = try row.optional(0, 24), let day: Int32 = try row.optional(0, 25),
            let index: Int32 = try row.optional(0, 26)
        else { return nil }
        var key = Parameters()
        key.append(array: [day])
        key.append(array: [groupID])
        let effects = try groups(try await transaction.execute(SealStatements.groups, key)).first?.effects ?? []
        guard effects.indices.contains(Int(index)) else { return nil }
        return effects[Int(index)].outputs.lazy.compactMap(\.grant).first
    }

    private static func writeSteps(
        _ write: ClaimWrite, _ read: ClaimRead, groupID: Int64, now: Timestamp
    ) -> [PipelineStep] {
        var row = Parameters(read.requestID.rawValue, write.claim.key.bytes)
        row.append(write.claim.sealedTo?.bytes)
        row.append(write.claim.at.postgres)
        row.append(write.expiresAt.postgres)
        return [.execute(ClaimStatements.forgetClaims), .execute(ClaimStatements.insert, row)]
            + groupSteps([write.effect], [0..<1], [groupID], worker: read.worker, now: now)
    }
}
