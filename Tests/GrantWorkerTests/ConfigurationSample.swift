import Foundation
import GrantWorker
import Testing

/// A directory with a configuration's secret files, removed at the end.
final class ConfigurationRoom {
    let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "clawgrant-configuration-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory + "/secrets", withIntermediateDirectories: true)
        try write("secrets/sasl", "hunter2\n")
        try write("secrets/database", "correct horse\n")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func write(_ name: String, _ text: String, mode: Int = 0o600) throws {
        let path = "\(directory)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    func read(_ yaml: String, environment: [String: String] = [:]) throws(ConfigurationFileError) -> ConfigurationFile {
        try ConfigurationFile(yaml: yaml, path: directory + "/clawgrant.yaml", environment: environment)
    }

    /// The faults of a text, as lines.
    func problems(_ yaml: String, environment: [String: String] = [:]) -> [String] {
        do {
            _ = try read(yaml, environment: environment)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }
}

enum ConfigurationSample {
    static let least = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        kafka:
          properties: {bootstrap.servers: "127.0.0.1:19092"}
        database: {conninfo: "host=/run/postgresql dbname=clawgrant"}
        keys:
          - {purpose: token, file: keys/token.pem}
          - {purpose: receipt, file: keys/receipt.pem}
        secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
        rules: rules.yaml

        """

    static let whole = """
        config_version: "1"
        log_id: harborline.example/clawgrant
        worker: {id: worker-a, dry_run: true}
        kafka:
          properties:
            bootstrap.servers: "broker-1.harborline.example:9093,broker-2.harborline.example:9093"
            security.protocol: sasl_ssl
            ssl.ca.location: ca.pem
            socket.keepalive.enable: true
            metadata.max.age.ms: 180000
          secret_files: {sasl.password: secrets/sasl}
          transactions: false
        topics: {grants: g, decisions: d, revocations: r, receipt_batches: b, dead_letters: l, control_results: c, findings: f}
        database: {conninfo: "host=db.harborline.example user=claw", password_file: secrets/database, pool_size: 12}
        keys:
          - {purpose: token, file: /keys/token.pem, state: active, not_before: 2026-01-01T00:00:00Z}
          - {purpose: token, file: keys/old.pem, state: verify_only, not_after: 2026-12-01T00:00:00Z}
          - purpose: receipt
            pkcs11: {module: /usr/lib/module.so, token: claw, key: receipts, pin_file: secrets/pin}
          - {purpose: envelope, pkcs11: {module: m.so, token: claw, key_id: 0a1b, pin_file: secrets/pin}}
          - {purpose: envelope, file: keys/gone.pem, state: retired}
        secrets: {token_id_file: secrets/token-id, sealing_file: /secrets/sealing}
        rules: rules/rules.yaml
        wpc: {directory: policies, topic: claw.wpc.v1, url: "https://controls.harborline.example"}
        limits:
          batch_records: 100
          batch_bytes: 1048576
          batch_linger_ms: 5
          seal_interval_ms: 40
          lanes: 4
          lease_lifetime_ms: 6000
          heartbeat_ms: 1000
          sweep_ms: 250
          log_heartbeat_ms: 30000
          revocation_grace_s: 7200
          drain_timeout_ms: 5000
          max_event_age_s: 86400
          max_event_ahead_s: 60
        log: {level: debug, format: json}
        status_lists: {uri_base: "https://status.harborline.example/lists", topic: s, interval_ms: 5000, ttl_s: 30}
        confirmation: {client_id: c, certificate_file: keys/g.crt, key_file: /keys/g.key, algorithm: RS256, graph_url: "https://graph.example", authority_url: "https://login.example", concurrency: 3, answer_timeout_ms: 700, retry_min_ms: 60, retry_max_ms: 70, recheck_s: 9, unknown_after_s: 8}
        control: {topic: claw.control.v1, stop_view_max_age_ms: 5000, stop_file: halt/stop}

        """
}
