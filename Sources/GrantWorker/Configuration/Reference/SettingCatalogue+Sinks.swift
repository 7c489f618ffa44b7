/// Sinks of security events.
extension SettingCatalogue {
    // MARK: What sinks over HTTP share

    private static let authority = DescribedSetting(
        "ca_file", .text("the system's"), "Certificates that may vouch for the server, PEM.")

    private static let ourCertificate = [
        DescribedSetting(
            "certificate_file", .nothing, "Our certificate with its chain, PEM; together with `key_file`."),
        DescribedSetting("key_file", .nothing, "Its key, PEM; mode 0600."),
    ]

    private static let times = [
        DescribedSetting("connect_timeout_ms", .measured, "Longest time for a connection."),
        DescribedSetting("answer_timeout_ms", .measured, "Longest time for an answer."),
    ]

    private static let compression = DescribedSetting("compression", .text("`gzip`"), "`gzip` or `none`.")

    // MARK: Sections

    static let securityEvents = SettingSection(
        "security_events",
        """
        Where receipts are streamed to as [security events](../siem.md#streaming); nothing is streamed \
        without the section.
        """,
        [
            DescribedSetting("tenant", .nothing, "The tenant that this log stands for, told in every event."),
            DescribedSetting("poll_ms", .measured, "Time between two looks for new batches."),
            DescribedSetting("read_ahead_bytes", .measured, "Most bytes of receipts kept in memory for all sinks."),
            DescribedSetting("sinks", .text("one of kind `kafka`"), "The list of sinks."),
        ])

    static let everySink = SettingSection(
        "security_events.sinks[]",
        "What every sink may say, whatever its kind.",
        [
            DescribedSetting("name", .required, "Its name in the ledger, in metrics and in findings."),
            DescribedSetting("kind", .required, "What it is."),
            DescribedSetting("start_from", .text("`beginning`"), "Where it begins when the ledger does not know it."),
            DescribedSetting(
                "heartbeat_s", .measured,
                """
                Time without news after which the log gets a heartbeat; 0 leaves it to `limits.log_heartbeat_ms`.
                """),
            DescribedSetting("retry_min_ms", .measured, "Shortest wait between attempts."),
            DescribedSetting("retry_max_ms", .measured, "Longest wait between attempts."),
            DescribedSetting("failures_before_finding", .measured, "Failures in a row that a finding tells of."),
            DescribedSetting("delivery_timeout_ms", .measured, "Longest time of one delivery."),
            DescribedSetting("batch_events", .measured, "Most events of one delivery."),
        ])

    static let kafkaSink = SettingSection(
        "security_events.sinks[kafka]",
        "A topic on the brokers of the section `kafka`.",
        [
            DescribedSetting(
                "topic", .text("`claw.siem.ocsf.v1`"), "The topic, on the brokers of the section `kafka`."),
            DescribedSetting("format", .text("`ocsf`"), "`ocsf`, `ecs`, `cef`, `syslog` or `syslog-cef`."),
            DescribedSetting("headers", .nothing, "Headers of every record by name."),
        ])

    static let syslogSink = SettingSection(
        "security_events.sinks[syslog]",
        "A receiver of syslog.",
        [
            DescribedSetting("host", .required, "Name or address of the receiver."),
            DescribedSetting("port", .text("6514; with `tcp` 601"), "Its port."),
            DescribedSetting("transport", .text("`tls`"), "`tls`, or `tcp` in the clear."),
            DescribedSetting("format", .text("`syslog`"), "`syslog` or `syslog-cef`."),
            DescribedSetting("ca_file", .text("the system's"), "Certificates that may vouch for the receiver, PEM."),
            DescribedSetting("server_name", .text("`host`"), "The name in the receiver's certificate."),
        ] + ourCertificate + [
            DescribedSetting(
                "replay_events", .measured,
                """
                Events before the position that are sent again on every new connection.
                """)
        ])

    static let fileSink = SettingSection(
        "security_events.sinks[file]",
        "A file of one JSON object a line, rotated.",
        [
            DescribedSetting("path", .required, "The file; its directory exists."),
            DescribedSetting("format", .text("`ocsf`"), "`ocsf` or `ecs`."),
            DescribedSetting("rotate_bytes", .measured, "Size from which a new file is begun."),
            DescribedSetting(
                "rotate_s", .measured,
                """
                Length of the spans of time that have files of their own; 0 for size alone.
                """),
            DescribedSetting("keep_files", .measured, "Finished files that are kept; 0 keeps all."),
        ])

    static let splunkSink = SettingSection(
        "security_events.sinks[splunk]",
        """
        Splunk's HTTP event collector, see [collectors.md](../collectors.md). Addresses begin with \
        `https://` (`http://` for this host alone) and have no slash at their end. Files of tokens and \
        secrets have mode 0600 and one line, and are read for each delivery.
        """,
        [
            DescribedSetting("url", .required, "Address of the HTTP event collector without a path."),
            DescribedSetting("token_file", .required, "File with its token."),
            DescribedSetting("index", .text("the token's"), "The index."),
            DescribedSetting("source_type", .text("`ocsf:json`"), "The source type."),
            DescribedSetting(
                "acknowledgement", .measured,
                """
                Whether events are delivered once an indexer has confirmed them.
                """),
            DescribedSetting("request_bytes", .measured, "Most bytes of one request before compression."),
        ] + [authority] + ourCertificate + times + [compression])

    static let sentinelSink = SettingSection(
        "security_events.sinks[sentinel]",
        "Microsoft Sentinel's logs ingestion, see [collectors.md](../collectors.md).",
        [
            DescribedSetting("endpoint", .required, "Address of the data collection endpoint."),
            DescribedSetting("rule_id", .required, "Immutable identifier of the data collection rule."),
            DescribedSetting("stream", .required, "Its stream."),
            DescribedSetting("tenant_id", .required, "The tenant of the application."),
            DescribedSetting("client_id", .required, "The application."),
            DescribedSetting("secret_file", .nothing, "File with its secret. Either this or a certificate."),
            DescribedSetting(
                "certificate_file", .nothing, "The application's certificate, PEM; together with `key_file`."),
            DescribedSetting("key_file", .nothing, "Its RSA key, PEM."),
            DescribedSetting("algorithm", .text("`PS256`"), "How assertions are signed: `PS256` or `RS256`."),
            DescribedSetting("authority", .text("`https://login.microsoftonline.com`"), "Who gives out tokens."),
            DescribedSetting("scope", .text("`https://monitor.azure.com/.default`"), "What they are asked for."),
        ] + [authority] + times + [compression])

    static let otlpSink = SettingSection(
        "security_events.sinks[otlp]",
        "A receiver of OpenTelemetry logs, see [collectors.md](../collectors.md).",
        [
            DescribedSetting("url", .required, "The whole address: `https://…:4318/v1/logs`."),
            DescribedSetting("token_file", .nothing, "File with a bearer token."),
            DescribedSetting("request_bytes", .measured, "Most bytes of one request before compression."),
        ] + [authority] + ourCertificate + times + [compression])

    static let signalsSink = SettingSection(
        "security_events.sinks[signals]",
        """
        Revocations pushed as Security Event Tokens, see [signals.md](../signals.md); needs an active key of \
        purpose `set`.
        """,
        [
            DescribedSetting("issuer", .required, "`iss` of the tokens, an address."),
            DescribedSetting("audience", .required, "`aud` of the tokens."),
            DescribedSetting("url", .required, "The receiver's address."),
            DescribedSetting("token_file", .nothing, "File with a bearer token."),
            DescribedSetting("concurrency", .measured, "Most pushes at a time."),
        ] + [authority] + ourCertificate + times)

    static let signalsTopicSink = SettingSection(
        "security_events.sinks[signals-topic]",
        "The same on a topic; needs an active key of purpose `set`.",
        [
            DescribedSetting("issuer", .required, "`iss` of the tokens, an address."),
            DescribedSetting("audience", .required, "`aud` of the tokens."),
            DescribedSetting("topic", .text("`claw.signals.v1`"), "The topic, on the brokers of the section `kafka`."),
        ])
}
