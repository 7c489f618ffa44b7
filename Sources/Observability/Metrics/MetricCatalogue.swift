/// Every metric of this project: what is emitted and not listed here, and what is listed and not emitted, fails a test.
public enum MetricCatalogue {
    /// All of them, by part.
    public static let all =
        deciding + publishing + control + sources + usage + keys + ledger + sinks + http + bridge + process

    /// The metric of a name.
    public static func definition(_ name: String) -> MetricDefinition? { byName[name] }

    private static let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    static let deciding: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_records_read_total", .counter, in: .decide, "Records of input topics that were decided."),
        MetricDefinition(
            "clawgrant_repeats_seen_total", .counter, in: .decide,
            "Events that were known already; each counts once however often it comes."),
        MetricDefinition("clawgrant_batches_decided_total", .counter, in: .decide, "Decide transactions committed."),
        MetricDefinition(
            "clawgrant_outcomes_total", .counter, labels: ["outcome"], in: .decide,
            "Decisions by outcome: issued, denied, expired, quarantined, waiting, revoked."),
        MetricDefinition(
            "clawgrant_reasons_total", .counter, labels: ["outcome", "reason"], in: .decide,
            "Reasons of decisions, by the outcome they led to; a decision may have several."),
        MetricDefinition(
            "clawgrant_ignored_total", .counter, labels: ["why"], in: .decide,
            "Records that are not for us or change nothing."),
        MetricDefinition(
            "clawgrant_findings_total", .counter, labels: ["code"], in: .decide, "Findings raised, by code."),
        MetricDefinition(
            "clawgrant_read_seconds", .latency, .seconds, in: .decide,
            "Time to read and authenticate one batch of records."),
        MetricDefinition(
            "clawgrant_plan_seconds", .latency, .seconds, in: .decide,
            "Time of rules and signatures of one batch, within its transaction."),
        MetricDefinition(
            "clawgrant_commit_seconds", .latency, .seconds, in: .decide,
            "Time of one decide transaction without its rules: a session, two round trips, locks, COMMIT."),
        MetricDefinition(
            "clawgrant_decide_seconds", .latency, .seconds, in: .decide,
            "Time of one decide transaction with its rules, from the attempt that committed."),
        MetricDefinition(
            "clawgrant_decision_age_seconds", .age, .seconds, in: .decide,
            "Age of the event that led to a grant, by its source's clock, when the grant was decided."),
        MetricDefinition(
            "clawgrant_decide_retries_total", .counter, labels: ["code"], in: .decide,
            "Batches decided again, by what came between."),
        MetricDefinition(
            "clawgrant_predecessors_ended_total", .counter, in: .decide,
            "Earlier starts of this worker that ended without leaving and whose partitions and roles it set free."),
        MetricDefinition(
            "clawgrant_lost_commit_replies_total", .counter, in: .decide,
            "Commits whose reply was lost and that were found to have taken place."),
        MetricDefinition(
            "clawgrant_batches_held_back_total", .counter, in: .control,
            "Attempts that were held back although everything they need was there."),
        MetricDefinition(
            "clawgrant_held_back_total", .counter, labels: ["why"], in: .control,
            "The same by why: stale_view, cutoff_second, local_stop, poll_in_future, clocks_differ, ledger_not_compared."
        ),
        MetricDefinition(
            "clawgrant_ledger_comparisons_total", .counter, labels: ["result"], in: .control,
            "Comparisons of the ledger with its topics: level or behind."),
        MetricDefinition(
            "clawgrant_input_lag_records", .gauge, labels: ["topic", "partition"], in: .decide,
            "Records between what is committed and the end of a partition that this worker reads."),
        MetricDefinition(
            "clawgrant_input_partitions", .gauge, in: .decide, "Input partitions that this worker reads."),
    ]

    static let publishing: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_seal_seconds", .latency, .seconds, in: .publish, "Time to seal the batches of one round."),
        MetricDefinition("clawgrant_receipts_sealed_total", .counter, in: .publish, "Receipts sealed."),
        MetricDefinition(
            "clawgrant_publish_seconds", .latency, .seconds, labels: ["lane"], in: .publish,
            "Time to make and write the records of up to four batches, by lane: control, main."),
        MetricDefinition(
            "clawgrant_records_published_total", .counter, labels: ["lane"], in: .publish, "Records written."),
        MetricDefinition(
            "clawgrant_records_found_published_total", .counter, labels: ["lane"], in: .publish,
            "Records found on the topics after a doubt, and not written again."),
        MetricDefinition(
            "clawgrant_publish_failures_total", .counter, in: .publish, "Times sealing and publishing started anew."),
        MetricDefinition(
            "clawgrant_grant_age_seconds", .age, .seconds, in: .publish,
            "Time from the event that led to a grant, by its source's clock, to the grant being readable."),
        MetricDefinition(
            "clawgrant_grant_delay_seconds", .age, .seconds, in: .publish,
            "Time from when the record that led to a grant was put on its topic to the grant being readable."),
    ]

    static let control: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_control_events_total", .counter, labels: ["operation", "result"], in: .control,
            "Control events that were read, by what they came to."),
        MetricDefinition(
            "clawgrant_control_acknowledge_seconds", .latency, .seconds, in: .control,
            "Time from reading a control event to the commit that acknowledges it."),
        MetricDefinition(
            "clawgrant_stop_lock_wait_seconds", .latency, .seconds, in: .control,
            "Part of it in which decisions in flight were waited for."),
        MetricDefinition(
            "clawgrant_tokens_revoked_by_control_total", .counter, in: .control,
            "Tokens revoked one by one because of control events."),
        MetricDefinition(
            "clawgrant_local_stop", .gauge, in: .control, "1 while this worker alone is halted, by file or signal."),
    ]

    static let sources: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_source_lag_seconds", .gauge, .seconds, labels: ["source"], in: .sources,
            "How far the last events of a source were behind when they were decided, by the source's clock."),
        MetricDefinition(
            "clawgrant_source_silence_seconds", .gauge, .seconds, labels: ["source"], in: .sources,
            "How long a source with max_source_silence was not heard; the same on every worker."),
        MetricDefinition(
            "clawgrant_dead_letters_open", .gauge, labels: ["source"], in: .sources,
            "Dead letters that nobody has settled; measured by the worker that redrives."),
        MetricDefinition(
            "clawgrant_dead_letters_redriven_total", .counter, labels: ["outcome"], in: .sources,
            "Records of dead letters that were read again."),
        MetricDefinition(
            "clawgrant_confirmations_total", .counter, labels: ["result"], in: .sources,
            "Answers of the vendor: confirmed, not_yet, over, contradicted."),
        MetricDefinition(
            "clawgrant_confirmation_errors_total", .counter, labels: ["code"], in: .sources,
            "Questions to the vendor without an answer."),
        MetricDefinition(
            "clawgrant_confirmation_seconds", .latency, .seconds, in: .sources, "Time of an answer of the vendor."),
        MetricDefinition(
            "clawgrant_confirmation_wait_seconds", .age, .seconds, in: .sources,
            "Time from a source's statement to its first confirmation."),
        MetricDefinition(
            "clawgrant_confirmations_waiting", .gauge, in: .sources,
            "Approvals that wait for their first confirmation."),
        MetricDefinition(
            "clawgrant_confirmation_circuit_open", .gauge, in: .sources, "1 while the vendor is left alone."),
    ]

    static let usage: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_gateway_receipts_total", .counter, labels: ["result"], in: .usage,
            "Gateway receipts: counted, unbound, repeated, refused."),
        MetricDefinition(
            "clawgrant_usage_seconds", .latency, .seconds, in: .usage, "Time to record one batch of gateway receipts."),
        MetricDefinition(
            "clawgrant_budget_marks_total", .counter, labels: ["dimension", "level"], in: .usage,
            "Jobs that came to a threshold or to the limit of a budget."),
        MetricDefinition(
            "clawgrant_tokens_revoked_by_budget_total", .counter, in: .usage,
            "Tokens revoked because a budget is spent."),
    ]

    static let keys: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_key_age_seconds", .gauge, .seconds, labels: ["purpose"], in: .keys,
            "Time since the active key of a purpose was first used."),
        MetricDefinition(
            "clawgrant_key_expiry_seconds", .gauge, .seconds, labels: ["purpose"], in: .keys,
            "Time until the active key of a purpose may not sign any more; absent for a key without an end."),
        MetricDefinition(
            "clawgrant_key_signatures_total", .counter, labels: ["purpose"], in: .keys,
            "Signatures made by this process with the active key."),
        MetricDefinition(
            "clawgrant_key_unusable_total", .counter, in: .keys, "Attempts that waited because no key could sign."),
    ]

    static let ledger: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_ledger_up", .gauge, in: .ledger, "1 when the ledger answered the last time it was looked at."),
        MetricDefinition(
            "clawgrant_unsealed_groups", .gauge, in: .ledger, "Committed groups of receipts that wait to be sealed."),
        MetricDefinition(
            "clawgrant_unsealed_age_seconds", .gauge, .seconds, in: .ledger,
            "How long the oldest of them has waited; 0 when none does."),
        MetricDefinition(
            "clawgrant_sealed_position", .gauge, in: .ledger,
            "Position of the last sealed receipt; -1 in an empty log."),
        MetricDefinition(
            "clawgrant_checkpoint_age_seconds", .gauge, .seconds, in: .ledger, "Time since the last signed checkpoint."),
        MetricDefinition(
            "clawgrant_publish_backlog_batches", .gauge, labels: ["lane"], in: .ledger,
            "Sealed batches that are not known to be on the topics; written down every quarter of a second."),
        MetricDefinition(
            "clawgrant_stop_view_age_seconds", .gauge, .seconds, in: .ledger,
            "Time since the control topic was last read to its end; only where there is one."),
        MetricDefinition(
            "clawgrant_control_position", .gauge, in: .ledger, "Position of the last control event."),
        MetricDefinition("clawgrant_requests_waiting", .gauge, in: .ledger, "Requests that wait."),
        MetricDefinition("clawgrant_workers_alive", .gauge, in: .ledger, "Workers whose life is not over."),
        MetricDefinition(
            "clawgrant_role_held", .gauge, labels: ["role"], in: .ledger, "1 for a role that this worker holds, else 0."
        ),
        MetricDefinition(
            "clawgrant_database_sessions", .gauge, labels: ["state"], in: .ledger,
            "Sessions of this worker's pool: used, idle, connecting."),
        MetricDefinition(
            "clawgrant_database_waiting", .gauge, in: .ledger, "Tasks that wait for a session of the pool."),
        MetricDefinition(
            "clawgrant_database_reconnects_total", .counter, in: .ledger, "Sessions that were lost and made anew."),
        MetricDefinition(
            "clawgrant_database_failed_attempts_total", .counter, in: .ledger, "Attempts to connect that failed."),
        MetricDefinition(
            "clawgrant_database_acquire_timeouts_total", .counter, in: .ledger,
            "Times no session of the pool was to be had in time."),
    ]

    static let sinks: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_siem_position", .gauge, labels: ["sink"], in: .sinks,
            "Sequence of the next security event that a sink gets."),
        MetricDefinition(
            "clawgrant_siem_lag_events", .gauge, labels: ["sink"], in: .sinks,
            "Security events that are sealed and not delivered."),
        MetricDefinition(
            "clawgrant_siem_lag_seconds", .gauge, .seconds, labels: ["sink"], in: .sinks,
            "How long the first of them has been sealed."),
        MetricDefinition(
            "clawgrant_siem_failing", .gauge, labels: ["sink"], in: .sinks, "1 while a sink does not take events."),
        MetricDefinition(
            "clawgrant_siem_delivered_total", .counter, labels: ["sink"], in: .sinks, "Security events delivered."),
        MetricDefinition(
            "clawgrant_siem_failures_total", .counter, labels: ["sink"], in: .sinks, "Deliveries that failed."),
        MetricDefinition(
            "clawgrant_siem_skipped_total", .counter, labels: ["sink"], in: .sinks,
            "Security events that a sink refused for good and that were passed over."),
        MetricDefinition(
            "clawgrant_siem_delivery_seconds", .latency, .seconds, labels: ["sink"], in: .sinks,
            "Time of one delivery."),
        MetricDefinition(
            "clawgrant_siem_requests_total", .counter, labels: ["sink", "answer"], in: .sinks,
            "Requests to a collector by its answer: a status, or what kept it from answering."),
        MetricDefinition(
            "clawgrant_siem_request_seconds", .latency, .seconds, labels: ["sink"], in: .sinks,
            "Time of one request to a collector."),
    ]

    static let http: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_http_requests_total", .counter, labels: ["route", "method", "status"], in: .http,
            "Requests answered, by the route's template."),
        MetricDefinition(
            "clawgrant_http_request_seconds", .latency, .seconds, labels: ["route"], in: .http,
            "Time of an answer."),
        MetricDefinition("clawgrant_http_in_flight", .gauge, in: .http, "Requests that are being answered."),
        MetricDefinition(
            "clawgrant_http_refused_total", .counter, labels: ["reason"], in: .http,
            "Requests refused before their route saw them."),
        MetricDefinition(
            "clawgrant_http_revocations_total", .counter, in: .http, "Tokens revoked over HTTP."),
        MetricDefinition(
            "clawgrant_http_revocation_view_age_seconds", .gauge, .seconds, in: .http,
            "Age of the view of revocations by which tokens are judged."),
        MetricDefinition(
            "clawgrant_introspections_total", .counter, labels: ["result"], in: .http, "Tokens judged, by verdict."),
        MetricDefinition(
            "clawgrant_claims_total", .counter, labels: ["result"], in: .http, "Claims of referenced grants."),
        MetricDefinition(
            "clawgrant_preflights_total", .counter, labels: ["decision"], in: .http, "Capability preflights."),
    ]

    static let bridge: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_bridge_requests_total", .counter, labels: ["source", "result"], in: .bridge,
            "Webhooks: written, repeated, ignored, unauthorized, refused, busy, unavailable."),
        MetricDefinition(
            "clawgrant_bridge_records_total", .counter, labels: ["source"], in: .bridge, "Records written."),
        MetricDefinition(
            "clawgrant_bridge_write_seconds", .latency, .seconds, in: .bridge,
            "Time until the brokers had the records of a webhook."),
    ]

    static let process: [MetricDefinition] = [
        MetricDefinition(
            "clawgrant_build_info", .gauge, labels: ["version", "program"], in: .process,
            "1; the labels say what runs."),
        MetricDefinition(
            "clawgrant_log_events_total", .counter, labels: ["event", "level"], in: .process,
            "Lines of the log from warning on, by event; logs.md explains each."),
        MetricDefinition(
            MetricRegistry.droppedSeriesName, .counter, in: .process,
            "Series that were refused because their name has a thousand."),
        MetricDefinition(
            "clawgrant_spans_total", .counter, labels: ["result"], in: .process,
            "Spans: exported, dropped_full, dropped_failed, refused by the collector."),
        MetricDefinition("process_cpu_seconds_total", .counter, .seconds, in: .process, "Processor time used."),
        MetricDefinition("process_resident_memory_bytes", .gauge, .bytes, in: .process, "Resident memory."),
        MetricDefinition("process_virtual_memory_bytes", .gauge, .bytes, in: .process, "Virtual memory."),
        MetricDefinition("process_open_fds", .gauge, in: .process, "Open file descriptors."),
        MetricDefinition("process_max_fds", .gauge, in: .process, "Most file descriptors that may be open."),
        MetricDefinition("process_threads", .gauge, in: .process, "Threads."),
        MetricDefinition(
            "process_start_time_seconds", .gauge, .seconds, in: .process, "When the process started, since 1970."),
    ]
}
