/// What a worker cannot do without: brokers, topics, ledger, keys.
extension SettingCatalogue {
    static let top = SettingSection(
        "",
        "Beside the sections below.",
        [
            DescribedSetting("config_version", .required, "`\"1\"`"),
            DescribedSetting(
                "log_id", .required,
                """
                Name of the receipt log, the origin of its checkpoints; no spaces, no plus signs. The ledger keeps \
                the name it was opened with.
                """),
            DescribedSetting("rules", .required, "The issuance rules, see [rules.md](../rules.md)."),
            DescribedSetting(
                "witnesses", .nothing,
                """
                A list of verifier keys of witnesses (C2SP signed-note: `name+key id+base64 of 0x04 and the \
                Ed25519 key`), whose cosignatures `clawgrant checkpoint store` keeps; see \
                [receipts.md](../receipts.md).
                """),
        ])

    static let worker = SettingSection(
        "worker",
        "The worker itself.",
        [
            DescribedSetting(
                "id", .text("the host's name"),
                """
                Name of the worker: at most 40 letters, digits, dots, hyphens, underscores. Each start adds eight \
                random hexadecimal digits, because two processes that took each other's leases for their own could \
                both commit.
                """),
            DescribedSetting("dry_run", .measured, "Decide and record, mint nothing. Also `clawgrant run --dry-run`."),
        ])

    static let kafka = SettingSection(
        "kafka",
        """
        The brokers. `group.id` defaults to `clawgrant`; it is used to show lag and for nothing else, since \
        workers share partitions through the ledger.
        """,
        [
            DescribedSetting(
                "preset", .nothing,
                """
                `event_hubs`: defaults for Azure Event Hubs, and a refusal of what cannot work there; see \
                [connections.md](../connections.md#azure-event-hubs).
                """),
            DescribedSetting(
                "properties", .text("`bootstrap.servers` is required"),
                """
                Any property of librdkafka. Relative values of properties whose names end in `.location` are \
                paths. A property that holds a secret is refused here.
                """),
            DescribedSetting(
                "secret_files", .nothing,
                """
                Property → file that holds its value on one line, for example `sasl.password: \
                secrets/kafka-password`.
                """),
            DescribedSetting(
                "transactions", .text("`true`; `false` with a preset"),
                """
                Whether the publisher uses broker transactions. Switch it off where the broker has none. \
                Exactly-once does not rest on them: every record carries its position.
                """),
        ])

    static let brokerTokens = SettingSection(
        "kafka.oauth",
        """
        Where tokens for OAUTHBEARER come from: one of `token_endpoint`, `token_file` and `token_command`; \
        see [connections.md](../connections.md#sasl-with-tokens-oauthbearer).
        """,
        [
            DescribedSetting(
                "token_endpoint", .nothing,
                """
                Address of the token endpoint, https; takes `client_id` and `client_secret_file`.
                """),
            DescribedSetting("client_id", .nothing, "Who asks the endpoint."),
            DescribedSetting("client_secret_file", .nothing, "File of mode 0600 with its secret on one line."),
            DescribedSetting("scope", .nothing, "What the endpoint is asked for."),
            DescribedSetting("ca_file", .text("the system's"), "Certificates that may vouch for the endpoint, PEM."),
            DescribedSetting("token_file", .nothing, "File with a token that somebody else renews."),
            DescribedSetting(
                "token_command", .nothing,
                """
                A list: the absolute path of a program that prints a token, and its arguments.
                """),
        ])

    static let topics = SettingSection(
        "topics",
        """
        Names of the output topics, each of its own; input topics are named by the sources in the rules. \
        [topics.md](../topics.md) describes them all.
        """,
        [
            DescribedSetting("grants", .text("`claw.grants.v1`"), "Tokens, sealed or by reference."),
            DescribedSetting("decisions", .text("`claw.decisions.v1`"), "Every outcome with its reasons."),
            DescribedSetting("revocations", .text("`claw.revocations.v1`"), "Revoked tokens and cut-offs."),
            DescribedSetting("receipt_batches", .text("`claw.receipts.batches.v1`"), "Sealed batches of receipts."),
            DescribedSetting("dead_letters", .text("`claw.dead-letters.v1`"), "What could not be understood."),
            DescribedSetting("control_results", .text("`claw.control-results.v1`"), "What became of control events."),
            DescribedSetting(
                "findings", .text("`claw.findings.v1`"), "Use that is not as granted, and marks of budgets."),
        ])

    static let database = SettingSection(
        "database",
        "The ledger.",
        [
            DescribedSetting(
                "conninfo", .required,
                """
                libpq's connection string, as `keyword=value` pairs or as a `postgresql://` address, without a \
                password. Over a network use `sslmode=verify-full` and `sslrootcert`. File names inside of it are \
                libpq's affair: give them absolutely.
                """),
            DescribedSetting("password_file", .nothing, "File with the password on one line."),
            DescribedSetting("pool_size", .measured, "Most sessions of a worker; never fewer than `limits.lanes` + 4."),
        ])

    static let keys = SettingSection(
        "keys[]",
        """
        A list; each purpose (`token`, `receipt`, `envelope`) needs exactly one active key, and `set` one \
        where [signals](../signals.md) are sent. [keys.md](../keys.md) tells how to make and change them.
        """,
        [
            DescribedSetting("purpose", .required, "`token`, `receipt`, `envelope` or `set`"),
            DescribedSetting("file", .nothing, "PEM file. Either this or `pkcs11`."),
            DescribedSetting(
                "pkcs11", .nothing,
                """
                `module`: path of the library; `token`: label; `key`: label, or `key_id`: CKA_ID in hexadecimal; \
                `pin_file`: file with the PIN.
                """),
            DescribedSetting("state", .text("`active`"), "`active`, `verify_only` (needs `not_after`) or `retired`"),
            DescribedSetting(
                "not_before", .nothing, "First instant at which the key may sign and is accepted, RFC 3339."),
            DescribedSetting("not_after", .nothing, "Instant from which it neither signs nor is accepted."),
        ])

    static let pkcs11 = SettingSection(
        "keys[].pkcs11",
        "A key that lives in a PKCS#11 module: `key` or `key_id` names it.",
        [
            DescribedSetting("module", .required, "Path of the module's library."),
            DescribedSetting("token", .required, "Label of the token."),
            DescribedSetting("key", .nothing, "Label of the key."),
            DescribedSetting("key_id", .nothing, "CKA_ID of the key in hexadecimal."),
            DescribedSetting("pin_file", .required, "File with the PIN."),
        ])

    static let secrets = SettingSection(
        "secrets",
        """
        At least 32 random bytes each, different from each other; `clawgrant keys secret --out FILE` makes \
        one. All workers of a ledger share them.
        """,
        [
            DescribedSetting("token_id_file", .required, "The secret from which token ids are derived."),
            DescribedSetting(
                "sealing_file", .required,
                """
                The secret from which the ephemeral keys of sealed deliveries are derived. Guard it as the signing \
                key.
                """),
        ])

    static let policies = SettingSection(
        "wpc",
        "Where WPCs come from. What is absent here is what the rules say.",
        [
            DescribedSetting("directory", .text("the rules'"), "A directory of signed envelopes, `*.json`."),
            DescribedSetting(
                "topic", .text("the rules'"), "A compacted topic of signed envelopes, keyed by policy hash."),
            DescribedSetting(
                "url", .text("the rules'"),
                """
                Base address of clawcontrols; envelopes are read from `{url}/v1/wpc/{hash}`.
                """),
        ])
}
