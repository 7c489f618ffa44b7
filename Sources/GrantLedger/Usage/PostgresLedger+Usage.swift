public import ClawWire
public import IssuanceRules
import Postgres
import Primitives
import ReceiptLog

extension PostgresLedger: UsageLedger {
    /// See ``UsageLedger/openUsage(topic:partitions:)``.
    public func openUsage(topic: String, partitions: [Int32: Int64]) async throws(LedgerError) -> [Int32: Int64] {
        let what = "opening the usage topic \(topic)"
        let sorted = partitions.sorted { $0.key < $1.key }
        var rows = Parameters(topic)
        rows.append(column: sorted) { $0.key }
        rows.append(column: sorted) { $0.value }
        let results = try await run(
            what,
            [
                .execute(UsageStatements.openInput, rows),
                .execute(UsageStatements.inputOffsets, Parameters(topic)),
            ])
        do {
            var offsets: [Int32: Int64] = [:]
            for row in 0..<results[1].rowCount {
                offsets[try results[1].int32(row, 0)] = try results[1].int64(row, 1)
            }
            return offsets
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``UsageLedger/recordUsage(_:revoking:plan:)``.
    ///
    /// Two round trips, three when tokens are revoked. The fence locks the role's row, so that two readers of the topic
    /// never meet at a job; only rows of requests are shared with others, and only when a token is revoked.
    public func recordUsage(
        _ read: UsageRead, revoking: @Sendable (UsageSnapshot) throws -> Set<JobID>,
        plan: @Sendable (UsageSnapshot, UsageMoment) throws -> UsageWrite
    ) async throws {
        let what =
            read.elapsed.isEmpty
            ? "recording \(read.calls.count) model calls" : "ending \(read.elapsed.count) jobs' wall time"
        do {
            try await pool.withConnection { connection in
                try await connection.transaction { transaction in
                    // Whoever reads a record again is not the reader of the topic: its row keeps the two apart at a
                    // job.
                    if read.redrive != nil { _ = try await transaction.execute(UsageStatements.lockReader) }
                    let results = try await transaction.run(Self.steps(read))
                    try Self.checkFence(results, read)
                    var loaded = try Self.snapshot(results, read)
                    if let origin = read.redrive {
                        let rows = try await transaction.execute(DeadLetterStatements.lockWanted, Self.key(origin))
                        if rows.rowCount == 1 { loaded.moment.redrive = try StoredRows.deadLetter(rows, 0) }
                    }
                    let jobs = try revoking(loaded.snapshot)
                    if !jobs.isEmpty {
                        var ids = Parameters()
                        ids.append(array: loaded.liveRequests(of: jobs))
                        let locked = try await transaction.execute(UsageStatements.lockTokens, ids)
                        for row in 0..<locked.rowCount { loaded.refresh(try StoredRows.request(locked, row)) }
                    }
                    let write = try plan(loaded.snapshot, loaded.moment)
                    let ranges = EffectCodec.groups(write.effects)
                    let groups = try await self.takeGroupIDs(ranges.count, in: transaction)
                    let now = loaded.snapshot.now
                    var steps = Self.writeSteps(write, read, now: now)
                    let revoked = write.revoked.compactMap { loaded.requests[$0] }
                    if !revoked.isEmpty {
                        var parameters = Parameters(now.postgres, RevocationCause.budgetSpent.rawValue)
                        parameters.append(column: revoked) { $0.requestID.rawValue }
                        steps.append(.execute(ControlStatements.revokeTokens, parameters))
                        if let tally = GrantTally(revoked: revoked).step { steps.append(tally) }
                    }
                    steps += Self.groupSteps(write.effects, ranges, groups, worker: read.lease.owner, now: now)
                    _ = try await transaction.commit(with: steps)
                }
            }
        } catch let error as PostgresError {
            throw Self.translate(error, what)
        }
    }

    private static func steps(_ read: UsageRead) -> [PipelineStep] {
        var advances = Parameters(read.topic)
        advances.append(column: read.advances) { $0.partition }
        advances.append(column: read.advances) { $0.from }
        advances.append(column: read.advances) { $0.to }
        var known = Parameters()
        known.append(column: read.calls) { $0.name.key.bytes }
        var raised = Parameters()
        raised.append(column: read.findingKeys) { $0.bytes }
        var scopes = Parameters()
        scopes.append(array: Set(read.calls.compactMap { $0.scopeHash.flatMap { Digest(b64u: $0) } }).map(\.bytes))
        scopes.append(array: read.elapsed.map(\.rawValue))
        var runs = Parameters()
        runs.append(array: Array(Set(read.calls.compactMap(\.runID))))
        return [
            .execute(
                DecideStatements.fenceRole,
                Parameters(read.lease.role.rawValue, read.lease.owner.rawValue, read.lease.epoch.value)),
            .execute(UsageStatements.advanceInput, advances),
            .execute(UsageStatements.now),
            .execute(UsageStatements.known, known),
            .execute(UsageStatements.raised, raised),
            .execute(UsageStatements.tokens, scopes),
            .execute(UsageStatements.usage, scopes),
            .execute(UsageStatements.approvals, scopes),
            .execute(UsageStatements.runs, runs),
        ]
    }

    private static func checkFence(_ results: [PostgresResult], _ read: UsageRead) throws(LedgerError) {
        try checkFence(results[0], read.lease)
        guard results[1].affectedRows == read.advances.count else {
            throw LedgerError(
                .fenced, "the usage topic \(read.topic) was read further than this worker knows; nothing committed")
        }
    }

    private static func snapshot(_ results: [PostgresResult], _ read: UsageRead) throws -> LoadedUsage {
        var snapshot = UsageSnapshot(now: try results[2].timestampValue(0, 0))
        let firstDay = try results[2].int32(0, 2)
        if firstDay > .min { snapshot.countsFrom = Timestamp(seconds: Int64(firstDay) * 86_400) }
        var payloads: [Digest: Digest] = [:]
        for row in 0..<results[3].rowCount {
            payloads[try results[3].digest(row, 0)] = try results[3].digest(row, 1)
        }
        for call in read.calls { snapshot.known[call.name] = payloads[call.name.key] }
        for row in 0..<results[4].rowCount { snapshot.raised.insert(try results[4].digest(row, 0)) }
        for row in 0..<results[8].rowCount {
            snapshot.runs[try results[8].string(row, 0), default: []].insert(JobID(try results[8].string(row, 1)))
        }
        let jobs = try Self.jobs(tokens: results[5], usage: results[6], approvals: results[7])
        snapshot.jobs = jobs.jobs
        return LoadedUsage(
            snapshot: snapshot, moment: UsageMoment(controlPosition: try results[2].int64(0, 1)),
            requests: jobs.requests)
    }

    /// Jobs as the ledger holds them, from their tokens, their sums and the approvals they rest on.
    private static func jobs(
        tokens: PostgresResult, usage: PostgresResult, approvals: PostgresResult
    ) throws -> (jobs: [JobID: JobUsage], requests: [RequestID: StoredRequest]) {
        var jobs: [JobID: JobUsage] = [:]
        for row in 0..<usage.rowCount {
            let job = JobID(try usage.string(row, 0))
            jobs[job] = try StoredRows.usage(of: job, try usage.bytes(row, 1))
        }
        var budgets: [ApprovalID: Budget] = [:]
        for row in 0..<approvals.rowCount {
            let state = try ApprovalState(decoding: try approvals.bytes(row, 1))
            budgets[ApprovalID(try approvals.string(row, 0))] = state.budget
        }
        var requests: [RequestID: StoredRequest] = [:]
        for row in 0..<tokens.rowCount {
            let request = try StoredRows.request(tokens, row)
            guard let grant = UsageGrant(request) else { continue }
            requests[request.requestID] = request
            jobs[request.jobID, default: JobUsage()].grants.append(grant)
            jobs[request.jobID, default: JobUsage()].approvalBudgets += request.approvals.compactMap { budgets[$0] }
        }
        return (jobs, requests)
    }

    private static func writeSteps(_ write: UsageWrite, _ read: UsageRead, now: Timestamp) -> [PipelineStep] {
        var steps: [PipelineStep] = []
        if let redriven = write.redriven { steps.append(settleStep(redriven, now: now)) }
        if !write.counted.isEmpty {
            var names = Parameters()
            names.append(column: write.counted) { $0.call.name.key.bytes }
            names.append(column: write.counted) { $0.call.payloadHash.bytes }
            names.append(column: write.counted) { $0.call.calledAt.day }
            steps.append(.execute(UsageStatements.insertNames, names))
            steps.append(.execute(UsageStatements.insertReceipts, rows(write.counted, read, now)))
        }
        if !write.runs.isEmpty {
            var runs = Parameters()
            runs.append(column: write.runs) { $0.runID }
            runs.append(column: write.runs) { $0.jobID.rawValue }
            steps.append(.execute(UsageStatements.insertRuns, runs))
        }
        if !read.elapsed.isEmpty {
            var elapsed = Parameters()
            elapsed.append(array: read.elapsed.map(\.rawValue))
            steps.append(.execute(UsageStatements.clearElapsed, elapsed))
        }
        if write.jobs.values.contains(where: { !$0.usage.approvalBudgets.isEmpty }) {
            steps.append(.execute(UsageStatements.noteApprovalBudgets))
        }
        if !write.jobs.isEmpty {
            let jobs = write.jobs.sorted { $0.key < $1.key }
            var rows = Parameters()
            rows.append(column: jobs) { $0.key.rawValue }
            rows.append(column: jobs) { $0.value.jobClass.rawValue }
            rows.append(column: jobs) { $0.value.usage.encode() }
            rows.append(now.postgres)
            rows.append(nullableColumn: jobs) { $0.value.usage.wallTimeEndsAt?.postgres }
            steps.append(.execute(UsageStatements.putUsage, rows))
        }
        if !write.findings.isEmpty {
            var rows = Parameters()
            rows.append(column: write.findings) { $0.key.bytes }
            rows.append(column: write.findings) { $0.code.rawValue }
            rows.append(column: write.findings) { $0.code.severity.rawValue }
            rows.append(nullableColumn: write.findings) { $0.grant?.jobID.rawValue }
            rows.append(nullableColumn: write.findings) { $0.grant?.requestID.rawValue }
            rows.append(column: write.findings) { $0.about }
            rows.append(column: write.findings) { $0.detail }
            rows.append(now.postgres)
            steps.append(.execute(UsageStatements.insertFindings, rows))
        }
        return steps
    }

    private static func rows(_ counted: [UsageWrite.Counted], _ read: UsageRead, _ now: Timestamp) -> Parameters {
        var rows = Parameters()
        rows.append(column: counted) { $0.call.name.key.bytes }
        rows.append(column: counted) { $0.call.payloadHash.bytes }
        rows.append(column: counted) { $0.call.name.signerDID }
        rows.append(column: counted) { $0.call.name.receiptID }
        rows.append(nullableColumn: counted) { $0.grant?.jobID.rawValue }
        rows.append(nullableColumn: counted) { $0.grant?.requestID.rawValue }
        rows.append(nullableColumn: counted) { $0.call.runID }
        rows.append(column: counted) { $0.call.provider }
        rows.append(column: counted) { $0.call.model }
        rows.append(column: counted) { $0.call.inputTokens }
        rows.append(column: counted) { $0.call.outputTokens }
        rows.append(column: counted) { $0.call.calledAt.postgres }
        rows.append(column: counted) { $0.origin.partition }
        rows.append(column: counted) { $0.origin.offset }
        rows.append(now.postgres)
        rows.append(read.topic)
        rows.append(now.day)
        return rows
    }

    /// See ``UsageLedger/elapsedWallTimes(limit:)``.
    public func elapsedWallTimes(limit: Int64) async throws(LedgerError) -> [JobID] {
        let what = "looking for jobs whose wall time is over"
        let rows = try await run(what, [.execute(UsageStatements.elapsed, Parameters(limit))])[0]
        do {
            return try (0..<rows.rowCount).map { JobID(try rows.string($0, 0)) }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``UsageLedger/gatewayReceipts(of:limit:)``.
    public func gatewayReceipts(of job: JobID, limit: Int64) async throws(LedgerError) -> [CountedReceipt] {
        let what = "reading the gateway receipts of job \(job)"
        let rows = try await run(what, [.execute(UsageStatements.receiptsOfJob, Parameters(job.rawValue, limit))])[0]
        do {
            return try (0..<rows.rowCount).map { row in
                CountedReceipt(
                    name: ObservedCall.Name(
                        signerDID: try rows.string(row, 0), receiptID: try rows.string(row, 1)),
                    payloadHash: try rows.digest(row, 2),
                    origin: RecordOrigin(
                        topic: try rows.string(row, 3), partition: try rows.int32(row, 4),
                        offset: try rows.int64(row, 5)),
                    requestID: RequestID(try rows.string(row, 6)), calledAt: try rows.timestampValue(row, 7))
            }
        } catch {
            throw Self.translate(error, what)
        }
    }

    /// See ``UsageLedger/coverage(of:limit:)``.
    public func coverage(of scope: CoverageScope, limit: Int64) async throws(LedgerError) -> [JobCoverage] {
        let what = "reading usage"
        do {
            var ids: [String] = []
            switch scope {
            case .job(let job): ids = [job.rawValue]
            case .jobClass(let jobClass):
                let rows = try await run(
                    what, [.execute(UsageStatements.jobsOfClass, Parameters(jobClass.rawValue, limit))])[0]
                for row in 0..<rows.rowCount { ids.append(try rows.string(row, 0)) }
            }
            var parameters = Parameters()
            parameters.append(array: ids)
            let statements = [
                UsageStatements.tokensOfJobs, UsageStatements.usageOfJobs, UsageStatements.approvalsOfJobs,
                UsageStatements.modelsOfJobs, UsageStatements.findingsOfJobs,
            ]
            let results = try await run(what, statements.map { .execute($0, parameters) })
            let (jobs, _) = try Self.jobs(tokens: results[0], usage: results[1], approvals: results[2])
            var models: [JobID: [JobCoverage.Model]] = [:]
            for row in 0..<results[3].rowCount {
                models[JobID(try results[3].string(row, 0)), default: []].append(
                    JobCoverage.Model(
                        provider: try results[3].string(row, 1), model: try results[3].string(row, 2),
                        calls: try results[3].int64(row, 3), inputTokens: try results[3].int64(row, 4),
                        outputTokens: try results[3].int64(row, 5)))
            }
            var findings: [JobID: [JobCoverage.Finding]] = [:]
            for row in 0..<results[4].rowCount {
                findings[JobID(try results[4].string(row, 0)), default: []].append(
                    JobCoverage.Finding(
                        code: try results[4].string(row, 1), severity: try results[4].string(row, 2),
                        about: try results[4].string(row, 3), detail: try results[4].string(row, 4),
                        raisedAt: try results[4].timestampValue(row, 5)))
            }
            return ids.map { JobID($0) }.compactMap { id in
                guard let usage = jobs[id], let jobClass = usage.grants.last?.jobClass else { return nil }
                return JobCoverage(
                    jobID: id, jobClass: jobClass, usage: usage, models: models[id] ?? [],
                    findings: findings[id] ?? [])
            }
        } catch {
            throw Self.translate(error, what)
        }
    }
}

/// What a usage transaction has loaded.
private struct LoadedUsage {
    var snapshot: UsageSnapshot
    var moment: UsageMoment
    var requests: [RequestID: StoredRequest]

    func liveRequests(of jobs: Set<JobID>) -> [String] {
        jobs.flatMap { snapshot.jobs[$0]?.grants ?? [] }.filter { $0.isLive(at: snapshot.now) }
            .map(\.requestID.rawValue).sorted()
    }

    /// Takes a request as it stands now that it is locked.
    mutating func refresh(_ request: StoredRequest) {
        requests[request.requestID] = request
        guard let index = snapshot.jobs[request.jobID]?.grants.firstIndex(where: { $0.requestID == request.requestID })
        else { return }
        snapshot.jobs[request.jobID]?.grants[index].revokedAt = request.revocation?.at
    }
}

extension UsageGrant {
    /// The token of a stored request; `nil` for one without.
    init?(_ request: StoredRequest) {
        guard let token = request.token else { return nil }
        self.init(
            requestID: request.requestID, jobID: request.jobID, jobClass: request.jobClass, agentDID: request.agentDID,
            approvals: request.approvals, tokenHash: token.tokenHash, tokenID: token.tokenID,
            scopeHash: token.scopeHash, policyHash: token.control?.policyHash, issuedAt: token.issuedAt,
            expiresAt: token.expiresAt, revokedAt: request.revocation?.at)
    }
}
