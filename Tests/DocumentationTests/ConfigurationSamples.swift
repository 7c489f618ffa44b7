/// Configurations that between them give every setting a value.
enum ConfigurationSamples {
    static let all = [everything, secondWays, commandForTokens]

    /// What a worker cannot do without.
    static let least = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka: {properties: {bootstrap.servers: "127.0.0.1:19092"}}
        database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
        keys:
          - {purpose: token, file: keys/token.pem}
          - {purpose: receipt, file: keys/receipt.pem}
          - {purpose: envelope, file: keys/envelope.pem}
          - {purpose: set, file: keys/set.pem}
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml

        """

    private static let everything = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        worker: {id: worker-a, dry_run: true}
        kafka:
          properties: {bootstrap.servers: "broker-1.harborline.example:9093", sasl.mechanism: OAUTHBEARER}
          secret_files: {ssl.key.password: secrets/sasl}
          transactions: false
          oauth:
            token_endpoint: https://login.example/token
            client_id: c
            client_secret_file: secrets/sasl
            scope: s
            ca_file: ca.pem
        topics:
          {grants: g, decisions: d, revocations: r, receipt_batches: b, dead_letters: l, control_results: c, findings: f}
        database: {conninfo: "host=db.example user=claw", password_file: secrets/database, pool_size: 12}
        keys:
          - {purpose: token, file: keys/token.pem, state: active, not_before: 2026-01-01T00:00:00Z,
             not_after: 2027-01-01T00:00:00Z}
          - {purpose: receipt, pkcs11: {module: m.so, token: claw, key: receipts, pin_file: secrets/pin}}
          - {purpose: envelope, pkcs11: {module: m.so, token: claw, key_id: 0a1b, pin_file: secrets/pin}}
          - {purpose: set, file: keys/set.pem}
        secrets: {token_id_file: secrets/token-id, sealing_file: /secrets/sealing}
        rules: rules/rules.yaml
        witnesses: []
        wpc: {directory: policies, topic: claw.policies.v1, url: "https://controls.harborline.example"}
        control: {topic: claw.control.v1, stop_view_max_age_ms: 5000, stop_file: halt/stop}
        gateway_receipts: {topic: claw.gateway-receipts.v1}
        status_lists: {uri_base: "https://status.harborline.example/lists", topic: s, interval_ms: 5000, ttl_s: 30}
        claims: {address: "https://claims.harborline.example", retry_window_s: 1, proof_tolerance_s: 6,
                 nonce_lifetime_s: 11}
        confirmation:
          {client_id: c, certificate_file: keys/g.crt, key_file: /keys/g.key, algorithm: RS256,
           graph_url: "https://graph.example", authority_url: "https://login.example", concurrency: 3,
           answer_timeout_ms: 700, retry_min_ms: 60, retry_max_ms: 70, recheck_s: 9, unknown_after_s: 8}
        http:
          issuer: https://issuer.harborline.example
          listen: {host: 127.0.0.1, port: 8480}
          tls: {certificate_file: tls/a.pem, key_file: tls/a.key, client_ca_file: tls/ca.pem, client_certificates: optional}
          callers:
            gateway:
              scopes: [introspect, read]
              token_hashes_file: secrets/gateway-hashes
              certificates: ["\(fingerprint)"]
              certificate_names: ["dns:gateway.harborline.example"]
              requests_per_s: 100
          introspection: {refresh_ms: 50, max_age_ms: 500, cached_tokens: 1000, open: true}
          limits:
            {connections: 10, requests: 10, waiting_requests: 2, caller_requests_per_s: 10, peer_requests_per_s: 5,
             tracked_peers: 9, idle_timeout_ms: 1000, request_timeout_ms: 1000, drain_timeout_ms: 100}
          console:
            enabled: true
            session_s: 60
            session_secret_file: secrets/console
            stop: [{certificate_sha256: "\(fingerprint)", person: 31fae2eb-7818-5400-8c0f-42817c195b96}]
        security_events:
          tenant: harborline
          poll_ms: 100
          read_ahead_bytes: 2000000
          sinks:
            - {\(common), name: a, kind: kafka, topic: t, format: ecs, headers: {k: v}, batch_events: 10}
            - {\(common), name: b, kind: syslog, host: h.example, port: 6514, transport: tls, format: syslog-cef,
               ca_file: ca.pem, server_name: n.example, certificate_file: c.pem, key_file: c.key, batch_events: 10,
               replay_events: 5}
            - {\(common), name: c, kind: file, path: events.ndjson, format: ocsf, rotate_bytes: 5000, rotate_s: 60,
               keep_files: 3, batch_events: 10}
            - {\(common), name: d, kind: splunk, url: "https://splunk.example:8088", token_file: secrets/hec, index: i,
               source_type: s, acknowledgement: false, request_bytes: 20000, \(collector), certificate_file: c.pem,
               key_file: c.key, compression: none}
            - {\(common), name: e, kind: sentinel, endpoint: "https://ingest.example", rule_id: r, stream: Custom-s,
               tenant_id: t, client_id: c, certificate_file: c.pem, key_file: c.key, algorithm: RS256,
               authority: "https://login.example", scope: s, \(collector), compression: gzip}
            - {\(common), name: f, kind: otlp, url: "https://otel.example:4318/v1/logs", token_file: secrets/otel,
               request_bytes: 20000, \(collector), certificate_file: c.pem, key_file: c.key, compression: gzip}
            - {\(common), name: g, kind: signals, url: "https://receiver.example/events", token_file: secrets/receiver,
               concurrency: 2, issuer: "https://issuer.harborline.example", audience: receiver, \(collector),
               certificate_file: c.pem, key_file: c.key}
            - {\(common), name: h, kind: signals-topic, topic: claw.signals.v1, batch_events: 10,
               issuer: "https://issuer.harborline.example", audience: everybody}
        metrics: {textfile: /var/lib/node-exporter/clawgrant.prom, interval_s: 5}
        tracing:
          {endpoint: "https://collector.harborline.example:4318/v1/traces", ratio_per_mille: 10, queue: 200,
           timeout_ms: 500, header_files: {authorization: secrets/collector}}
        limits:
          {batch_records: 100, batch_bytes: 1048576, batch_linger_ms: 5, seal_interval_ms: 40, lanes: 4,
           lease_lifetime_ms: 6000, heartbeat_ms: 1000, sweep_ms: 250, log_heartbeat_ms: 30000,
           revocation_grace_s: 7200, drain_timeout_ms: 5000, max_event_age_s: 86400, max_event_ahead_s: 60,
           max_clock_difference_s: 10, dead_letter_max_hops: 2, dead_letter_keep_days: 9}
        log: {level: debug, format: json}

        """

    /// What `everything` could not say, because it says the alternative.
    private static let secondWays = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka:
          preset: event_hubs
          properties: {bootstrap.servers: "harborline.servicebus.windows.net:9093"}
          oauth: {token_file: tokens/broker}
        database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
        keys: [{purpose: token, file: keys/token.pem}, {purpose: receipt, file: keys/receipt.pem}]
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml

        """

    private static let commandForTokens = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka:
          properties: {bootstrap.servers: "127.0.0.1:19092"}
          oauth: {token_command: [/usr/bin/broker-token, --quiet]}
        database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
        keys: [{purpose: token, file: keys/token.pem}, {purpose: receipt, file: keys/receipt.pem}]
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml

        """

    private static let fingerprint = String(repeating: "0a", count: 32)
    private static let common =
        "start_from: now, heartbeat_s: 60, retry_min_ms: 20, retry_max_ms: 30, failures_before_finding: 2, "
        + "delivery_timeout_ms: 200"
    private static let collector = "ca_file: ca.pem, connect_timeout_ms: 200, answer_timeout_ms: 300, batch_events: 10"
}
