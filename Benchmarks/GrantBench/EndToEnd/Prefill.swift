import ClawWire
import Playground

/// Fills a ledger with decisions of the last days by SQL: rows of the tables that grow and are searched, not the
/// bodies of effects, which are only ever reached by number.
struct Prefill {
    let playground: Playground

    func run(_ count: Int) async throws {
        let today = Timestamp.playgroundNow.day
        _ = try await playground.query(
            """
            INSERT INTO clawgrant.event (day, event_key, record_digest)
            SELECT \(today) - n % 7, gen_random_uuid(), decode(md5(n::text) || md5((-n)::text), 'hex')
            FROM generate_series(1, \(count)) AS n
            """)
        _ = try await playground.query(
            """
            INSERT INTO clawgrant.approval (approval_id, state, subject, used_by, close_at, updated_at)
            SELECT 'apr-old-' || md5(n::text), decode(repeat(md5(n::text), 40), 'hex'), md5((n % 50000)::text)::uuid::text,
                ARRAY['req-old-' || md5(n::text)], now() + interval '1 day', now()
            FROM generate_series(1, \(count)) AS n
            """)
        _ = try await playground.query(
            """
            INSERT INTO clawgrant.request (request_id, state, job_id, job_class, agent_did, approval_ref, received_at,
                decided_at, approvals, token_hash, token_id, scope_hash, kid, issued_at, expires_at, scope, group_id,
                group_day, group_index)
            SELECT 'req-old-' || md5(n::text), 1, 'job-old-' || md5(n::text), 'enterprise_agent_run',
                'did:web:agents.northquay.example', 'apr-old-' || md5(n::text), now() - interval '1 hour',
                now() - interval '1 hour', ARRAY['apr-old-' || md5(n::text)],
                decode(md5(n::text) || md5((-n)::text), 'hex'), md5(n::text), decode(md5((-n)::text) || md5(n::text), 'hex'),
                '0123456789abcdef', now() - interval '1 hour', now() - interval '50 minutes', ARRAY['proxy:call'],
                -n, \(today), 0
            FROM generate_series(1, \(count)) AS n
            """)
        _ = try await playground.query("ANALYZE")
        _ = try await playground.query("CHECKPOINT")
    }
}
