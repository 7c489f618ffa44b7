public import ClawWire
import Postgres
import ReceiptLog

extension PostgresLedger: ConsoleLedger {
    /// How long one of the console's statements may take, in milliseconds: somebody looks, nobody waits for it.
    static let consoleStatementTimeout = 1_500

    /// Runs steps in a read-only transaction with a time limit for each.
    private func look(_ what: String, _ steps: [PipelineStep]) async throws(LedgerError) -> [PostgresResult] {
        do {
            return try await pool.withConnection { connection in
                try await connection.transaction(access: .readOnly) { transaction in
                    try await transaction.look(steps)
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConsoleLedger/consoleStanding(ordersAfter:)``.
    public func consoleStanding(ordersAfter position: Int64) async throws(LedgerError) -> ConsoleStanding {
        let what = "reading how things stand"
        let steps: [PipelineStep] = [
            .execute(DecideStatements.controlState),
            .execute(DecideStatements.newControlOrders, Parameters(position)),
            .execute(ControlQueryStatements.openRuns), .execute(ConsoleStatements.log),
            .execute(ConsoleStatements.lanes), .execute(ConsoleStatements.backlog), .execute(ConsoleStatements.workers),
            .execute(ConsoleStatements.partitions), .execute(ConsoleStatements.roles),
            .execute(ConsoleStatements.sources), .execute(ConsoleStatements.cutoffs),
            .execute(ConsoleStatements.hasSinks),
        ]
        let results: [PostgresResult]
        let sinks: PostgresResult?
        do {
            (results, sinks) = try await pool.withConnection { connection in
                try await connection.transaction(access: .readOnly) { transaction in
                    let results = try await transaction.look(steps)
                    guard try results[11].bool(0, 0) else { return (results, nil) }
                    return (results, try await transaction.look([.execute(ConsoleStatements.sinks)])[0])
                }
            }
        } catch {
            throw Self.translate(error, what)
        }
        do {
            let (state, backlog) = (results[0], results[5])
            guard state.rowCount == 1, backlog.rowCount == 1 else { throw Self.corrupted("clawgrant.control_state") }
            return ConsoleStanding(
                now: try state.timestampValue(0, 2), logID: try backlog.optional(0, 3) ?? "",
                controlPosition: try state.int64(0, 0), controlPolledAt: try state.timestampValue(0, 1),
                incarnation: try LedgerIncarnation(state, 0, firstColumn: 4),
                orders: try StoredRows.controlOrders(results[1]),
                openRuns: try (0..<results[2].rowCount).map { try Self.run(results[2], row: $0) },
                lastBatch: try Self.lastBatch(results[3]),
                lanes: try (0..<results[4].rowCount).map { row in
                    ConsoleStanding.Lane(
                        name: try results[4].string(row, 0), nextBatch: try results[4].int64(row, 1),
                        updatedAt: try results[4].timestampValue(row, 2))
                },
                unsealedGroups: try backlog.int64(0, 0), oldestUnsealedAt: try backlog.optionalTimestamp(0, 1),
                waitingRequests: try backlog.int64(0, 2),
                workers: try (0..<results[6].rowCount).map { row in
                    ConsoleStanding.Worker(
                        id: WorkerID(try results[6].string(row, 0)), startedAt: try results[6].timestampValue(row, 1),
                        expiresAt: try results[6].timestampValue(row, 2))
                },
                partitions: try (0..<results[7].rowCount).map { row in
                    ConsoleStanding.Partition(
                        topic: try results[7].string(row, 0), number: try results[7].int32(row, 1),
                        nextOffset: try results[7].int64(row, 2), epoch: try results[7].int64(row, 3),
                        owner: try results[7].optional(row, 4, as: String.self).map { WorkerID($0) })
                },
                roles: try (0..<results[8].rowCount).map { row in
                    ConsoleStanding.Role(
                        name: try results[8].string(row, 0), epoch: try results[8].int64(row, 1),
                        owner: try results[8].optional(row, 2, as: String.self).map { WorkerID($0) })
                },
                sources: try StoredRows.sourceHealth(results[9]),
                cutoffs: try (0..<results[10].rowCount).map { row in
                    ConsoleStanding.Cutoff(
                        key: try results[10].string(row, 0), position: try results[10].int64(row, 1),
                        endsAt: try results[10].optionalTimestamp(row, 2))
                }, sinks: try sinks.map(Self.sinks))
        } catch {
            throw Self.translate(error, what)
        }
    }

    private static func sinks(_ rows: PostgresResult) throws -> [ConsoleStanding.Sink] {
        try (0..<rows.rowCount).map { row in
            ConsoleStanding.Sink(
                name: try rows.string(row, 0), nextPosition: try rows.int64(row, 1),
                deliveredAt: try rows.optionalTimestamp(row, 2), failures: try rows.int32(row, 3),
                failingSince: try rows.optionalTimestamp(row, 4), failure: try rows.optional(row, 5),
                skipped: try rows.int64(row, 6))
        }
    }

    private static func lastBatch(_ rows: PostgresResult) throws -> ConsoleStanding.Batch? {
        guard rows.rowCount == 1 else { return nil }
        return ConsoleStanding.Batch(
            number: try rows.int64(0, 0), lastPosition: try rows.int64(0, 1), sealedAt: try rows.timestampValue(0, 2),
            checkpoint: try rows.string(0, 3))
    }

    /// See ``ConsoleLedger/consoleTallies()``.
    public func consoleTallies() async throws(LedgerError) -> ConsoleTallies {
        let what = "counting what lives"
        let results = try await look(
            what,
            [
                .execute(ConsoleStatements.grants), .execute(ConsoleStatements.deadLettersBySource),
                .execute(ConsoleStatements.newestDeadLetters), .execute(ConsoleStatements.findings),
            ])
        do {
            return ConsoleTallies(
                grants: try (0..<results[0].rowCount).map { row in
                    ConsoleTallies.LiveGrants(
                        jobClass: JobClass(try results[0].string(row, 0)), live: try results[0].int64(row, 1),
                        soonestExpiry: Timestamp(seconds: try results[0].int64(row, 2)))
                },
                openDeadLetters: try (0..<results[1].rowCount).map { row in
                    (SourceName(try results[1].string(row, 0)), try results[1].int64(row, 1))
                },
                newestDeadLetters: try (0..<results[2].rowCount).map { try StoredRows.deadLetter(results[2], $0) },
                findings: try (0..<results[3].rowCount).map { row in
                    ConsoleTallies.Finding(
                        code: try results[3].string(row, 0), severity: try results[3].string(row, 1),
                        jobID: try results[3].optional(row, 2, as: String.self).map { JobID($0) },
                        requestID: try results[3].optional(row, 3, as: String.self).map { RequestID($0) },
                        about: try results[3].string(row, 4), detail: try results[3].string(row, 5),
                        raisedAt: try results[3].timestampValue(row, 6))
                })
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConsoleLedger/consoleGroups(before:limit:)``.
    public func consoleGroups(
        before place: ConsoleGroupPlace?, limit: Int
    ) async throws(LedgerError) -> [ConsoleGroup] {
        let what = "looking for the newest effects"
        let place = place ?? ConsoleGroupPlace(day: .max, groupID: .max)
        let rows = try await look(
            what,
            [.execute(ConsoleStatements.groups, Parameters(place.day, place.groupID, Int64(min(limit, 500))))])[0]
        do {
            return try (0..<rows.rowCount).map { row in
                ConsoleGroup(
                    place: ConsoleGroupPlace(day: try rows.int32(row, 0), groupID: try rows.int64(row, 1)),
                    entries: try rows.int32(row, 2), createdAt: try rows.timestampValue(row, 3))
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConsoleLedger/consoleReceipts(of:)``.
    public func consoleReceipts(
        of places: [ConsoleGroupPlace]
    ) async throws(LedgerError) -> [ConsoleGroupReceipts] {
        guard !places.isEmpty else { return [] }
        let what = "reading \(places.count) groups of effects"
        var names = Parameters()
        names.append(column: places) { $0.day }
        names.append(column: places) { $0.groupID }
        let rows = try await look(what, [.execute(SealStatements.groups, names)])[0]
        do {
            return try Self.groups(rows).map { group in
                ConsoleGroupReceipts(
                    place: ConsoleGroupPlace(day: group.day, groupID: group.groupID),
                    receipts: group.effects.map(\.receipt))
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConsoleLedger/consoleLiveTokens(of:after:limit:)``.
    public func consoleLiveTokens(
        of jobClass: JobClass?, after place: ConsolePlace?, limit: Int
    ) async throws(LedgerError) -> [StoredRequest] {
        let what = "reading live tokens"
        let count = Int64(min(limit, 500))
        let time = (place?.time ?? Timestamp(seconds: 0)).postgres
        let id = place?.requestID.rawValue ?? ""
        let step: PipelineStep =
            if let jobClass {
                .execute(ConsoleStatements.liveTokensOfClass, Parameters(time, id, count, jobClass.rawValue))
            } else {
                .execute(ConsoleStatements.liveTokens, Parameters(time, id, count))
            }
        let rows = try await look(what, [step])[0]
        do {
            return try (0..<rows.rowCount).map { try StoredRows.request(rows, $0) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``ConsoleLedger/consoleFind(_:)``.
    public func consoleFind(_ text: String) async throws(LedgerError) -> [ConsoleMatch] {
        let what = "looking for requests by name"
        let rows = try await look(what, [.execute(ConsoleStatements.find, Parameters(text))])[0]
        do {
            var matches: [ConsoleMatch] = []
            for row in 0..<rows.rowCount {
                guard let name = ConsoleMatch.Name(rawValue: try rows.string(row, 0)) else { continue }
                let match = ConsoleMatch(name: name, requestID: RequestID(try rows.string(row, 1)))
                if !matches.contains(match) { matches.append(match) }
            }
            return matches
        } catch {
            throw Self.translate(error, what)
        }
    }
}

extension Transaction {
    /// Runs the console's steps, none for longer than its limit.
    func look(_ steps: [PipelineStep]) async throws(PostgresError) -> [PostgresResult] {
        let limit = PipelineStep.command(
            "SET LOCAL statement_timeout = \(PostgresLedger.consoleStatementTimeout)")
        return Array(try await run([limit] + steps).dropFirst())
    }
}
