/// The parts of a worker that have settings of their own.
extension SettingCatalogue {
    static let control = SettingSection(
        "control",
        """
        How a worker learns of stops and the like; see [control-events.md](../control-events.md) and \
        [emergency-stop.md](../emergency-stop.md). Who may sign is said by the section `control` of the \
        rules.
        """,
        [
            DescribedSetting(
                "topic", .nothing,
                """
                The control topic, of one partition. Without it control events come from the command line and from \
                sources of approvals that may stop.
                """),
            DescribedSetting(
                "stop_view_max_age_ms", .measured,
                """
                With a topic: nothing is issued while it was not read to its end for longer than this.
                """),
            DescribedSetting(
                "stop_file", .nothing,
                """
                While this file exists, the worker issues nothing, even if it can reach neither broker nor \
                database. Put it on a disk of the worker's own machine, not on a shared one, and make its \
                directory in advance.
                """),
        ])

    static let gatewayReceipts = SettingSection(
        "gateway_receipts",
        """
        Where gateways' signed receipts of model calls come from; see [budgets.md](../budgets.md). Which \
        gateways are believed is said by the section `gateways` of the rules.
        """,
        [
            DescribedSetting(
                "topic", .nothing,
                """
                The topic, of any number of partitions. Without it usage is not followed and budgets are not \
                enforced.
                """)
        ])

    static let statusLists = SettingSection(
        "status_lists",
        """
        Signed Token Status Lists for verifiers that follow no topic, see \
        [verifying-tokens.md](../verifying-tokens.md). Without the section none are published.
        """,
        [
            DescribedSetting(
                "uri_base", .required,
                """
                The https address under which the lists are served, without a slash at its end. A list is the \
                address, a slash and a number.
                """),
            DescribedSetting("topic", .text("`claw.status-lists.v1`"), "The topic; `clawgrant topics apply` makes it."),
            DescribedSetting("interval_ms", .measured, "Time between two versions."),
            DescribedSetting(
                "ttl_s", .measured,
                """
                For how many seconds a reader may keep a list; not less than the interval. After twice as long a \
                list says nothing.
                """),
        ])

    static let claims = SettingSection(
        "claims",
        """
        How tokens that are delivered by reference are [claimed](../claiming-grants.md). Without the \
        section, claims are served where `http` is, with these defaults.
        """,
        [
            DescribedSetting(
                "address", .text("`http.issuer`"),
                """
                Address under which jobs reach the service, without a slash at its end. Grants name it and proofs \
                are made for it: the same for all workers. https, or http on loopback.
                """),
            DescribedSetting("retry_window_s", .measured, "Longest wait between answers that settle nothing."),
            DescribedSetting(
                "proof_tolerance_s", .measured,
                """
                How far the time in a proof may lie from the worker's clock.
                """),
            DescribedSetting("nonce_lifetime_s", .measured, "For how long a nonce is taken."),
        ])

    static let confirmation = SettingSection(
        "confirmation",
        """
        How what confirmed sources say is read back from Microsoft Graph; see \
        [confirmation.md](../sources/confirmation.md).
        """,
        [
            DescribedSetting("client_id", .required, "The application."),
            DescribedSetting("certificate_file", .required, "Its certificate, PEM."),
            DescribedSetting("key_file", .required, "Its private key, PEM; mode 0600."),
            DescribedSetting("algorithm", .text("`PS256`"), "How client assertions are signed."),
            DescribedSetting(
                "graph_url", .text("the public cloud"),
                """
                Address of Microsoft Graph without a slash at its end; `https`, or this host.
                """),
            DescribedSetting(
                "authority_url", .text("the public cloud"),
                """
                Address of the token endpoint without a slash at its end; `https`, or this host.
                """),
            DescribedSetting("concurrency", .measured, "Most questions at a time."),
            DescribedSetting("answer_timeout_ms", .measured, "Longest wait for one answer."),
            DescribedSetting("retry_min_ms", .measured, "Shortest wait between answers that settle nothing."),
            DescribedSetting("retry_max_ms", .measured, "Longest wait between answers that settle nothing."),
            DescribedSetting(
                "recheck_s", .measured,
                """
                Time after which an approval that was confirmed is asked about again.
                """),
            DescribedSetting(
                "unknown_after_s", .measured,
                """
                Time after which a request that the vendor does not know never was.
                """),
        ])

    static let metrics = SettingSection(
        "metrics",
        "How the figures of [metrics.md](../metrics.md) are had, beside the HTTP surface.",
        [
            DescribedSetting(
                "textfile", .nothing,
                """
                A file that ends in `.prom`, for the textfile collector of Prometheus' node exporter.
                """),
            DescribedSetting(
                "interval_s", .measured,
                """
                Time between two looks at ledger, keys and lag, and between two files.
                """),
        ])

    static let tracing = SettingSection(
        "tracing",
        """
        Where spans go, see [tracing.md](../tracing.md). Without the section none are made, and what came is \
        handed on.
        """,
        [
            DescribedSetting(
                "endpoint", .required,
                """
                The collector's receiver for traces (OTLP over HTTP, JSON), with its path; `https`, or this host.
                """),
            DescribedSetting(
                "ratio_per_mille", .measured,
                """
                How many of a thousand traces that begin here are kept. Others are kept when they were kept \
                before.
                """),
            DescribedSetting(
                "header_files", .nothing,
                """
                Header → file that holds its value on one line, mode 0600, for example `authorization: \
                secrets/collector`.
                """),
            DescribedSetting("queue", .measured, "Most spans that wait; more are dropped and counted."),
            DescribedSetting("timeout_ms", .measured, "Longest wait for one answer."),
        ])

    static let limits = SettingSection(
        "limits",
        "What a worker takes at a time, and how long it waits.",
        [
            DescribedSetting("batch_records", .measured, "Most records of one decide transaction."),
            DescribedSetting("batch_bytes", .measured, "Most bytes of one decide transaction's records."),
            DescribedSetting("batch_linger_ms", .measured, "How long a batch waits to fill after its first record."),
            DescribedSetting(
                "seal_interval_ms", .measured,
                """
                Time from one round of sealing and publishing to the next while approvals come one by one: each \
                round is a transaction of the broker. Full rounds and stops do not wait.
                """),
            DescribedSetting("lanes", .measured, "Consumers and decide transactions side by side."),
            DescribedSetting("lease_lifetime_ms", .measured, "Time without a heartbeat after which others take over."),
            DescribedSetting("heartbeat_ms", .measured, "Time between heartbeats; at most half of the lifetime."),
            DescribedSetting(
                "sweep_ms", .measured,
                """
                How often waiting requests and approvals are looked at for their time.
                """),
            DescribedSetting(
                "log_heartbeat_ms", .measured,
                """
                When nothing was sealed for this long, a batch with one `heartbeat` receipt is, so that a silent \
                log can be told from one that is gone. 0 is never.
                """),
            DescribedSetting(
                "revocation_grace_s", .measured,
                """
                How long after the expiry of a token its revocation is ended on the revocations topic. Longer than \
                any clock is behind: the ledger's, were it ahead for a while, and every gateway's.
                """),
            DescribedSetting("drain_timeout_ms", .measured, "Longest drain at a graceful stop."),
            DescribedSetting(
                "max_event_age_s", .measured,
                """
                Oldest event taken, by its own time. Uniqueness is kept for as long.
                """),
            DescribedSetting("max_event_ahead_s", .measured, "Furthest event in the future taken."),
            DescribedSetting(
                "max_clock_difference_s", .measured,
                """
                Nothing is issued while the clock of the database differs from the worker's by more than this; see \
                [emergency-stop.md](../emergency-stop.md).
                """),
            DescribedSetting(
                "dead_letter_max_hops", .measured,
                """
                How often the record of one [dead letter](../dead-letters.md) may be read again.
                """),
            DescribedSetting(
                "dead_letter_keep_days", .measured,
                """
                How long dead letters can be listed and redriven. Their topic keeps them for 30 days, the receipts \
                for good.
                """),
        ])

    static let log = SettingSection(
        "log",
        "Logs go to standard error, one line an event; [logs.md](../logs.md) lists them all.",
        [
            DescribedSetting(
                "level", .text("`info`"),
                """
                `trace`, `debug`, `info`, `notice`, `warning`, `error` or `critical`
                """),
            DescribedSetting(
                "format", .text("`text`"),
                """
                `text`, or `json`: one object a line with `time`, `level`, `event`, `message` and the event's \
                fields.
                """),
        ])
}
