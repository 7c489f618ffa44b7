/// The HTTP surface and its console.
extension SettingCatalogue {
    static let http = SettingSection(
        "http",
        "The HTTP surface, see [http.md](../http.md). Without the section nothing is served.",
        [
            DescribedSetting(
                "issuer", .required,
                """
                The https address under which it is reached, without path and slash at its end (http on loopback \
                alone).
                """)
        ])

    static let httpListen = SettingSection(
        "http.listen",
        "Where it listens.",
        [
            DescribedSetting("host", .text("`127.0.0.1`"), "Address to listen on; any but loopback needs `tls`."),
            DescribedSetting("port", .measured, "Port to listen on; 0 lets the system choose."),
        ])

    static let httpTLS = SettingSection(
        "http.tls",
        "TLS, and clients' certificates.",
        [
            DescribedSetting("certificate_file", .nothing, "Certificate with its chain, PEM."),
            DescribedSetting("key_file", .nothing, "Its key, PEM."),
            DescribedSetting("client_ca_file", .nothing, "The authorities whose clients are let in."),
            DescribedSetting(
                "client_certificates", .text("`optional`"), "`required` ends every connection without one."),
        ])

    static let httpIntrospection = SettingSection(
        "http.introspection",
        "Whether tokens are active, for those who ask.",
        [
            DescribedSetting("refresh_ms", .measured, "Time between two looks at what the ledger has revoked."),
            DescribedSetting(
                "max_age_ms", .measured,
                """
                Oldest view under which a token is called active; at least twice the interval.
                """),
            DescribedSetting("cached_tokens", .measured, "Tokens that are remembered, some 4 KiB each."),
            DescribedSetting("open", .measured, "Serves the reference's introspection to whoever asks."),
        ])

    static let httpLimits = SettingSection(
        "http.limits",
        "What it takes at a time.",
        [
            DescribedSetting("connections", .measured, "Most connections."),
            DescribedSetting("requests", .measured, "Most requests that are answered at a time."),
            DescribedSetting("waiting_requests", .measured, "Most requests that wait for a revocation."),
            DescribedSetting(
                "caller_requests_per_s", .measured,
                """
                Requests a second of each caller that has no `requests_per_s`; twice as many at once.
                """),
            DescribedSetting(
                "peer_requests_per_s", .measured,
                """
                Requests a second of each peer without a name; twice as many at once.
                """),
            DescribedSetting("tracked_peers", .measured, "Peers that are told apart; those beyond share one rate."),
            DescribedSetting(
                "idle_timeout_ms", .measured,
                """
                How long a connection may be without a request, or a request without its next piece.
                """),
            DescribedSetting("request_timeout_ms", .measured, "How long a request may take to arrive."),
            DescribedSetting(
                "drain_timeout_ms", .measured, "How long the end waits for requests that are being answered."),
        ])

    static let httpCallers = SettingSection(
        "http.callers.NAME",
        "Who may ask what not everybody may, by name. A caller is known by tokens or by certificates.",
        [
            DescribedSetting("scopes", .required, "Some of `introspect`, `revoke`, `read`, `stop`, `metrics`."),
            DescribedSetting(
                "token_hashes_file", .nothing,
                """
                File of mode 0600 with the SHA-256 of each of its tokens in hexadecimal, one a line.
                """),
            DescribedSetting(
                "certificates", .nothing,
                """
                SHA-256 fingerprints of its certificates, hexadecimal or base64url.
                """),
            DescribedSetting(
                "certificate_names", .nothing,
                """
                Alternative names of its certificates: `dns:NAME` or `uri:NAME`.
                """),
            DescribedSetting("requests_per_s", .text("`limits.caller_requests_per_s`"), "Its rate."),
        ])

    static let httpConsole = SettingSection(
        "http.console",
        "The web console, see [console.md](../console.md).",
        [
            DescribedSetting(
                "enabled", .measured,
                """
                Whether `/console` is served. It takes a caller with the scope `read` who may sign in.
                """),
            DescribedSetting("session_s", .measured, "How long one stays signed in."),
            DescribedSetting(
                "session_secret_file", .nothing,
                """
                Secret that sessions are signed with, mode 0600; workers behind one address share it. Without one \
                a session ends with the worker's process.
                """),
            DescribedSetting(
                "stop", .nothing,
                """
                A list of those who may stop from the console: `certificate_sha256` (base64url, or hexadecimal \
                with or without colons) and `person`, who is the stop's declarer. It takes \
                `http.tls.client_ca_file`.
                """),
        ])

    static let httpConsoleStop = SettingSection(
        "http.console.stop[]",
        "Who may stop from the console. It takes `http.tls.client_ca_file`.",
        [
            DescribedSetting(
                "certificate_sha256", .required,
                """
                SHA-256 of the client's certificate: base64url, or hexadecimal with or without colons.
                """),
            DescribedSetting("person", .required, "Whose certificate it is: the stop's declarer."),
        ])
}
