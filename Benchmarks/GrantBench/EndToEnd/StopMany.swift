import ClawWire
import IssuanceRules
import Playground
import Postgres
import Primitives

/// A scope with very many live tokens against one with ten: the acknowledgement, the cut-off, and the single records
/// that follow it.
struct StopMany {
    private static let few = 10
    private static let rounds = 15
    private static let (manyClass, fewClass) = (PlaygroundClass.reconcile.name, PlaygroundClass.deploy.name)

    let options: BenchOptions
    let stack: BenchStack

    func run(_ many: Int) async throws -> [BenchRow] {
        let playground = stack.playground
        options.progress("stop: filling the ledger with \(many) live tokens")
        try await fill(many, Self.manyClass)
        try await fill(Self.few, Self.fewClass)
        _ = try await playground.query("VACUUM (ANALYZE) clawgrant.request")
        _ = try await playground.query("CHECKPOINT")
        // Nobody takes the role of revoker while its row is locked: cut-offs are measured against the same tokens again
        // and again.
        let holder = try await PostgresConnection.connect(try PostgresConfiguration(uri: playground.conninfo))
        _ = try await holder.simple("BEGIN; SELECT 1 FROM clawgrant.role_lease WHERE role = 'revoker' FOR UPDATE")
        try await stack.startWorkers()
        let watch = try CutoffWatch(playground)
        try await watch.start()
        let desk = try StopDesk(playground)
        try await desk.warmUp("many")
        options.progress("stop: stopping scopes of \(many) and of \(Self.few) tokens in turn")
        var rows = try await compare(desk, watch)
        options.progress("stop: revoking \(many) tokens one by one")
        rows += try await revoke(many, desk, watch, holder)
        await desk.close()
        await watch.stop()
        return rows
    }

    private func compare(_ desk: StopDesk, _ watch: CutoffWatch) async throws -> [BenchRow] {
        var acknowledged: [JobClass: [Double]] = [:]
        var visible: [JobClass: [Double]] = [:]
        for round in 0..<Self.rounds {
            for jobClass in [Self.manyClass, Self.fewClass] {
                let stopID = "\(jobClass)-\(round)"
                let scope = StopScope(kind: .jobClass, value: jobClass.rawValue)
                let answer = try await desk.stop(stopID, scope, revokesLive: true)
                acknowledged[jobClass, default: []].append(answer.milliseconds)
                let arrival = try await watch.arrival(ofStop: stopID)
                visible[jobClass, default: []].append((arrival - answer.typedAt) / .milliseconds(1))
            }
        }
        func half(_ times: [JobClass: [Double]], _ jobClass: JobClass) -> Double {
            Spread(times[jobClass] ?? []).quantile(0.5)
        }
        func ratio(_ times: [JobClass: [Double]]) -> Double {
            half(times, Self.manyClass) / max(half(times, Self.fewClass), .leastNormalMagnitude)
        }
        return [
            ("stop.few.acknowledged.p50", half(acknowledged, Self.fewClass), .milliseconds),
            ("stop.many.acknowledged.p50", half(acknowledged, Self.manyClass), .milliseconds),
            ("stop.few.cutoff.p50", half(visible, Self.fewClass), .milliseconds),
            ("stop.many.cutoff.p50", half(visible, Self.manyClass), .milliseconds),
            ("stop.many_to_few_acknowledged", ratio(acknowledged), .ratio),
            ("stop.many_to_few_cutoff", ratio(visible), .ratio),
            ("stop.many_to_few_ratio", max(ratio(acknowledged), ratio(visible)), .ratio),
        ]
    }

    /// Lets the revoker go, and stops other scopes meanwhile: their cut-offs must not queue behind single tokens.
    private func revoke(
        _ many: Int, _ desk: StopDesk, _ watch: CutoffWatch, _ holder: PostgresConnection
    ) async throws -> [BenchRow] {
        let server = ServerCPU(stack.playground)
        let before = server.now()
        let isOver = Lock(false)
        _ = try await holder.simple("COMMIT")
        await holder.close()
        let wanted = many + Self.few
        async let beside = stops(desk, watch, isOver)
        let last = try await watch.waitForTokens(wanted, within: .seconds(120 + wanted / 500))
        let after = server.now()
        isOver.withLock { $0 = true }
        let others = try await beside
        let left = try await stack.playground.query(
            "SELECT count(*)::text FROM clawgrant.request WHERE revoked_at IS NULL AND token_hash IS NOT NULL")
        guard try left.string(0, 0) == "0", watch.tokens == wanted else {
            throw BenchError(
                "\(watch.tokens) of \(wanted) tokens were published, \(try left.string(0, 0)) are not revoked")
        }
        func each(_ part: (ServerCPU.Reading) -> Double) -> Double {
            (part(after) - part(before)) / Double(wanted) * 1e6
        }
        return [
            ("stop.tokens", Double(wanted), .count),
            ("stop.tokens_per_second", Double(wanted) / (last - before.at).inSeconds, .perSecond),
            ("stop.worker_cpu_per_token", each(\.workers), .microseconds),
            ("stop.postgres_cpu_per_token", each(\.postgres), .microseconds),
            ("stop.broker_cpu_per_token", each(\.broker), .microseconds),
            ("stop.relay_and_reader_cpu_per_token", each(\.own), .microseconds),
            ("stop.many.worker_memory", Double(after.workerPeakBytes) / 1_048_576, .mebibytes),
        ] + Spread(others.acknowledged).figures("stop.beside_many.acknowledged")
            + Spread(others.visible).figures("stop.beside_many.cutoff")
    }

    private func stops(
        _ desk: StopDesk, _ watch: CutoffWatch, _ isOver: Lock<Bool>
    ) async throws -> (acknowledged: [Double], visible: [Double]) {
        var acknowledged: [Double] = []
        var visible: [Double] = []
        var number = 0
        while !isOver.withLock({ $0 }) {
            let stopID = "beside-\(number)"
            number += 1
            let scope = StopScope(kind: .agent, value: "did:web:agents.northquay.example:\(stopID)")
            let answer = try await desk.stop(stopID, scope, revokesLive: true)
            acknowledged.append(answer.milliseconds)
            visible.append((try await watch.arrival(ofStop: stopID) - answer.typedAt) / .milliseconds(1))
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...200)))
        }
        return (acknowledged, visible)
    }

    /// Writes requests with a live token and their tally, as if a day's decisions had left them.
    private func fill(_ count: Int, _ jobClass: JobClass) async throws {
        let playground = stack.playground
        let today = Timestamp.playgroundNow.day
        _ = try await playground.query(
            """
            INSERT INTO clawgrant.request (request_id, state, job_id, job_class, agent_did, approval_ref, received_at,
                decided_at, approvals, token_hash, token_id, scope_hash, kid, issued_at, expires_at, scope,
                control_scopes, is_elevated, group_id, group_day, group_index)
            SELECT 'req-live-' || key, 1, 'job-live-' || key, '\(jobClass)',
                'did:web:agents.northquay.example:live-' || n % 1000, 'apr-live-' || key,
                at - interval '10 minutes', at - interval '10 minutes', ARRAY['apr-live-' || key],
                decode(md5(key) || key, 'hex'), key, decode(key || md5(key), 'hex'),
                '\(playground.keys.token.kid)', at - interval '10 minutes', at + n % 600 * interval '1 second' + interval '1 hour',
                ARRAY['proxy:call'], ARRAY['source:approvals'], false, -n, \(today), 0
            FROM generate_series(1, \(count)) AS n, date_trunc('second', now()) AS at,
                LATERAL (SELECT md5('\(jobClass)' || n::text) AS key) AS named
            """)
        _ = try await playground.query(
            """
            INSERT INTO clawgrant.grant_tally
                (job_class, kid, policy_hash, expires_second, grants, live, newest_issued_at)
            SELECT job_class, kid, NULL, extract(epoch FROM expires_at)::int8, count(*), count(*), max(issued_at)
            FROM clawgrant.request WHERE job_class = '\(jobClass)' GROUP BY job_class, kid, expires_at
            """)
    }
}
