public import ClawWire
import CrashPoints
import Postgres

extension PostgresLedger {
    /// See ``Ledger/seal(under:maximumGroups:maximumBytes:whenIdle:ending:seal:)``.
    public func seal(
        under lease: RoleLease, maximumGroups: Int, maximumBytes: Int,
        whenIdle: (@Sendable (Timestamp) throws -> Effect)?, ending: RevocationEnding?,
        seal: @Sendable (SealInput) throws -> [SealedBatch]
    ) async throws -> [SealedBatch] {
        let what = "sealing receipts"
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    let results = try await transaction.run([
                        .execute(
                            DecideStatements.fenceRole,
                            Parameters(lease.role.rawValue, lease.owner.rawValue, lease.epoch.value)),
                        .execute(SealStatements.tail),
                        .execute(SealStatements.unsealedGroups, Parameters(Int64(maximumGroups), Int64(maximumBytes))),
                        .execute(SealStatements.clock),
                    ])
                    guard results[0].rowCount == 1 else {
                        throw LedgerError(
                            .fenced, "\(what): the role \(lease.role.rawValue) is held by another worker")
                    }
                    let now = try results[3].timestampValue(0, 0)
                    var groups = try Self.groups(results[2])
                    CrashPoint.pass(.sealRead)
                    var steps: [PipelineStep] = []
                    var own: Effect?
                    if let ending, let end = try await self.end(ending, behind: groups, at: now, transaction) {
                        own = end.effect
                        steps += end.steps
                    } else if groups.isEmpty, let whenIdle {
                        own = try whenIdle(now)
                    }
                    if let own {
                        let (group, step) = try await self.ownGroup([own], lease, now, transaction)
                        groups.append(group)
                        steps.append(step)
                    }
                    guard !groups.isEmpty else { return [] }
                    let tail = results[1]
                    let isEmptyLog = tail.rowCount == 0
                    let batches = try seal(
                        SealInput(
                            tail: isEmptyLog ? nil : try tail.bytes(0, 1),
                            nextSequence: isEmptyLog
                                ? OutputStream.allCases.map { _ in 0 }
                                : Self.sequences(try tail.array(0, 2, of: Int64.self)),
                            groups: groups, now: now,
                            incarnation: try LedgerIncarnation(results[3], 0, firstColumn: 1)))
                    CrashPoint.pass(.sealSigned)
                    steps += batches.map { PipelineStep.execute(SealStatements.insertBatch, Self.row($0)) }
                    var sealed = Parameters()
                    sealed.append(array: batches.flatMap { $0.groups.map(\.groupID) })
                    steps.append(.execute(SealStatements.deleteUnsealed, sealed))
                    CrashPoint.pass(.sealCommitting)
                    _ = try await transaction.commit(with: steps)
                    CrashPoint.pass(.sealCommitted)
                    return batches
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    /// A group that the sealer itself commits: it is sealed by the transaction that writes it and never waits.
    private func ownGroup(
        _ effects: [Effect], _ lease: RoleLease, _ now: Timestamp, _ transaction: Transaction
    ) async throws -> (EffectGroup, PipelineStep) {
        let ids = try await takeGroupIDs(1, in: transaction)
        var row = Parameters(now.day, lease.owner.rawValue, now.postgres)
        row.append(array: ids)
        row.append(array: [Int32(effects.count)])
        row.append(array: [EffectCodec.encode(effects)])
        row.append(nullableColumn: [effects]) { OriginCodec.encode($0) }
        return (
            EffectGroup(groupID: ids[0], day: now.day, effects: effects),
            .execute(DecideStatements.insertGroups, row)
        )
    }

    /// The next sequence of every stream: streams that came after a batch was sealed begin at 0.
    private static func sequences(_ stored: [Int64]) -> [Int64] {
        stored + Array(repeating: 0, count: max(0, OutputStream.allCases.count - stored.count))
    }

    static func groups(_ result: PostgresResult) throws -> [EffectGroup] {
        var groups: [EffectGroup] = []
        groups.reserveCapacity(result.rowCount)
        for row in 0..<result.rowCount {
            let groupID = try result.int64(row, 0)
            do {
                var effects = try EffectCodec.decode(try result.bytes(row, 2))
                if let origins = try result.optional(row, 3, as: [UInt8].self) {
                    OriginCodec.decode(origins, into: &effects)
                }
                groups.append(EffectGroup(groupID: groupID, day: try result.int32(row, 1), effects: effects))
            } catch is EffectCodec.Malformed {
                throw corrupted("effect group \(groupID)")
            }
        }
        return groups
    }

    private static func row(_ batch: SealedBatch) -> Parameters {
        var parameters = Parameters(
            batch.number, batch.firstPosition, batch.lastPosition, batch.headerHash.bytes, batch.header,
            batch.signature.bytes, batch.checkpoint, batch.tail)
        parameters.append(column: batch.groups) { $0.groupID }
        parameters.append(column: batch.groups) { $0.day }
        parameters.append(array: batch.nextSequence)
        parameters.append(batch.sealedAt.postgres)
        parameters.append(batch.rootSignatures?.root.bytes)
        parameters.append(batch.rootSignatures?.statement.bytes)
        return parameters
    }

    /// See ``Ledger/batches(from:limit:)``.
    public func batches(from number: Int64, limit: Int) async throws(LedgerError) -> [SealedBatch] {
        let what = "reading batches from number \(number)"
        do {
            return try await pool.withConnection { connection in
                let rows = try await connection.execute(SealStatements.batches, Parameters(number, Int64(limit)))
                var batches: [SealedBatch] = []
                for row in 0..<rows.rowCount {
                    var keys = Parameters()
                    keys.append(array: try rows.array(row, 9, of: Int32.self))
                    keys.append(array: try rows.array(row, 8, of: Int64.self))
                    let groups = try await connection.execute(SealStatements.groups, keys)
                    batches.append(try Self.batch(rows, row, groups: try Self.groups(groups)))
                }
                return batches
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    private static func batch(_ rows: PostgresResult, _ row: Int, groups: [EffectGroup]) throws -> SealedBatch {
        guard let signature = Ed25519Signature(bytes: try rows.bytes(row, 5)) else {
            throw corrupted("the signature of batch \(try rows.int64(row, 0))")
        }
        let root: [UInt8]? = try rows.optional(row, 12)
        let statement: [UInt8]? = try rows.optional(row, 13)
        var signatures: RootSignatures?
        if let root, let statement {
            guard let root = Ed25519Signature(bytes: root), let statement = Ed25519Signature(bytes: statement) else {
                throw corrupted("the signatures under the root of batch \(try rows.int64(row, 0))")
            }
            signatures = RootSignatures(root: root, statement: statement)
        }
        return SealedBatch(
            number: try rows.int64(row, 0), firstPosition: try rows.int64(row, 1),
            lastPosition: try rows.int64(row, 2), headerHash: try rows.digest(row, 3), header: try rows.bytes(row, 4),
            signature: signature, checkpoint: try rows.string(row, 6), tail: try rows.bytes(row, 7),
            rootSignatures: signatures, groups: groups,
            nextSequence: sequences(try rows.array(row, 10, of: Int64.self)),
            sealedAt: try rows.timestampValue(row, 11))
    }

    /// See ``Ledger/publishPosition(of:)``.
    public func publishPosition(of lane: PublishLane) async throws(LedgerError) -> PublishPosition {
        let what = "reading the publish position"
        let rows = try await run(what, [.execute(SealStatements.publishPosition, Parameters(lane.rawValue))])[0]
        do {
            guard rows.rowCount == 1 else { throw Self.corrupted("clawgrant.publish_position") }
            let entries = try JSONReader.parse(try rows.string(0, 1)).array ?? []
            var readFrom: [InputPartition: Int64] = [:]
            for entry in entries {
                guard let topic = entry["topic"]?.string, let partition = entry["partition"]?.integer,
                    let offset = entry["offset"]?.integer
                else { throw Self.corrupted("clawgrant.publish_position") }
                readFrom[InputPartition(topic: topic, partition: Int32(clamping: partition))] = offset
            }
            return PublishPosition(nextBatch: try rows.int64(0, 0), readFrom: readFrom)
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``Ledger/setPublishPosition(_:of:under:)``.
    public func setPublishPosition(
        _ position: PublishPosition, of lane: PublishLane, under lease: RoleLease
    ) async throws(LedgerError) {
        let entries = position.readFrom.sorted { $0.key < $1.key }.map { partition, offset -> JSONValue in
            [
                "topic": .string(partition.topic), "partition": .integer(partition.partition),
                "offset": .integer(offset),
            ]
        }
        let result = try await run(
            "writing the publish position",
            [
                .execute(
                    SealStatements.setPublishPosition,
                    Parameters(
                        position.nextBatch, JSONWriter.text(.array(entries)), lease.role.rawValue,
                        lease.owner.rawValue, lease.epoch.value, lane.rawValue))
            ])
        guard result[0].affectedRows == 1 else {
            throw LedgerError(.fenced, "the role \(lease.role.rawValue) is held by another worker")
        }
    }

    /// See ``Ledger/waitForWork(atMost:)``.
    public func waitForWork(atMost timeout: Duration) async throws(LedgerError) -> SealPriority? {
        do {
            return try await listener.wait(timeout: timeout)
        } catch {
            throw Self.translate(error, "waiting for work")
        }
    }
}
