import ClawWire
import Foundation
import IssuanceRules

/// The files that a playground's workers read.
enum PlaygroundFiles {
    /// The log's name.
    static let logID = LogID("northquay.example/clawgrant")

    /// Writes a text that is no secret.
    static func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw PlaygroundError("\(path) could not be written: \(error.localizedDescription)")
        }
    }

    /// The issuance rules.
    static func rules(_ keys: PlaygroundKeys, _ options: PlaygroundOptions) -> String {
        """
        rules_version: "1"
        name: northquay
        hard_cap: {max_ttl: 1h}

        groups:
          platform_oncall: ["\(PlaygroundCast.ruth.id)", "\(PlaygroundCast.milan.id)"]
          security: ["\(PlaygroundCast.milan.id)", "\(PlaygroundCast.paloma.id)"]

        sources:
          entra-pim:
            kind: entra_audit
            topics: [\(PlaygroundTopic.entra)]
            authenticity: topic
            allow_topic_authenticity: true
            tenants: ["\(PlaygroundCast.tenant)"]
            may_approve:
              [identity_app_admin, prod_db_maintenance, identity_user_admin\(PlaygroundVendor.audited(options.vendors))]
          approvals:
            kind: native
            topics: [\(PlaygroundTopic.approvals)]
            authenticity: signed
            signers:
              - {did: "\(keys.eventSignerDID)", may_stop: true, may_lift: true}
              - did: "\(keys.batchSignerDID)"
            trusted_event_sources: ["\(PlaygroundCast.approvalSource)"]
            trusted_stop_sources: ["\(PlaygroundCast.approvalSource)"]
            may_approve: [enterprise_agent_run, prod_deploy, ledger_reconcile, dev_sandbox]
          requests:
            kind: capability_request
            topics: [\(PlaygroundTopic.requests)]
            authenticity: signed
            signers: [{did: "\(keys.requestSignerDID)"}]
        \(PlaygroundVendor.sources(options.vendors, signals: keys.signals.publicKey))
        control:
          signers:
            - did: "\(keys.controlDID)"
              operations:
                [stop, lift, revoke, rotate-policy, disable-elevated, enable-elevated, require-proxy, release-proxy,
                 suspect-key, drill]
            - {did: "\(keys.stopOnlyDID)", operations: [stop]}
          lift: {min_people: 2}

        gateways: {signers: ["\(keys.gateway.publicKey.did)"], clock_skew: 5s}
        prices:
          - provider: openai
            model: "gpt-5.1*"
            currency: EUR
            input_per_million_minor: 125
            output_per_million_minor: 1000

        entitlements:
          - {kind: entra_role, id: "\(PlaygroundCast.appAdminRole.id)", scope: /, job_class: identity_app_admin}
          - {kind: entra_role, id: "\(PlaygroundCast.userAdminRole.id)", scope: /, job_class: identity_user_admin}
          - {kind: group, id: "\(PlaygroundCast.databaseGroup.id)", scope: member, job_class: prod_db_maintenance}
        \(PlaygroundVendor.entitlements(options.vendors))
        wpc:
          signers: ["\(keys.policySigner.publicKey.did)"]
          directory: policies

        defaults:
          audience: [clawproxy.com]
          max_ttl: 1h
          default_ttl: 10m
          wait_timeout: 24h
          max_approval_age: 24h
          delivery: [sealed]

        job_classes:
          enterprise_agent_run:
            binding: contained
            scopes: {allow: ["proxy:call", "clawproxy:call"]}
            approvals: {all_of: [{group: platform_oncall, count: 1}]}
            wpc: {required: true, receipt_required: true, require_proxy: true, job_binding: true}
            elevated_actions:
              enable_elevated:
                approvals: {all_of: [{group: security, count: 1}]}
                max_ttl: 15m
                scopes: ["control:sandbox:elevated"]
          prod_deploy:
            binding: contained
            max_ttl: 15m
            too_wide: cut
            scopes: {allow: ["proxy:call"]}
            approvals:
              all_of: [{group: platform_oncall, count: 1}, {group: security, count: 1}]
              distinct_across_groups: true
            budget: {model_calls: 100, cost: {currency: EUR, amount_minor: 5000}, thresholds: [50, 80]}
          ledger_reconcile:
            binding: contained
            scopes: {allow: ["proxy:call", "proxy:provider:anthropic"]}
            approvals: {all_of: [{any: true, count: 1}]}
            delivery: [sealed, reference]
          dev_sandbox:
            binding: contained
            max_ttl: 10m
            scopes: {allow: ["proxy:call"]}
            delivery: [plain]
          identity_app_admin:
            binding: reference
            scopes: {allow: ["proxy:call"]}
          prod_db_maintenance:
            binding: entitlement
            max_grants_per_window: 4
            max_ttl: 30m
            scopes: {allow: ["proxy:call", "proxy:provider:anthropic"]}
            wpc: {required: true}
          identity_user_admin:
            binding: reference
            wait_timeout: \(options.shortWaitSeconds)s
            scopes: {allow: ["proxy:call"]}
        \(PlaygroundVendor.jobClasses(options.vendors))
        """
    }

    /// A policy of the runbook's shape for a job class, as a document that a registry takes.
    static func policy(for jobClass: PlaygroundClass, issuer: String) throws -> WorkPolicyContract {
        let runbook: JSONObject = [
            "wpc_version": "1",
            "policy": [
                "job_class": .string(jobClass.rawValue),
                "tool_policy": [
                    "allow": ["read", "write", "http", "process"],
                    "deny": ["exec_host", "docker_socket"], "require_sandbox": true,
                ],
                "model_policy": ["require_proxy": "clawproxy", "receipt_required": true],
                "approvals": [["action": "enable_elevated", "require": "human_approval"]],
                "session_limits": ["max_ttl_seconds": 1_800],
                "audit": ["emit_gateway_receipts": true],
            ],
            "cst_requirements": ["policy_hash_pinned": true, "job_scoped_binding": true],
        ]
        return try WorkPolicyContract.carrying(
            runbook: runbook, policyID: "northquay-\(jobClass.rawValue)", issuerDID: issuer)
    }

    /// A worker's configuration, in the form that `clawgrant run` reads.
    static func worker(
        id: String, database: String, bootstrapServers: String, _ options: PlaygroundOptions
    ) -> String {
        var properties = options.kafkaProperties
        properties["bootstrap.servers"] = bootstrapServers
        let lines = properties.sorted { $0.key < $1.key }.map { "    \($0.key): \(quoted($0.value))" }
        let limits = options.limits.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        let viewAge = options.stopViewMaximumAge.map { ", stop_view_max_age_ms: \($0)" } ?? ""
        return """
            config_version: "1"
            log_id: \(logID)
            worker: {id: \(quoted(id))}
            kafka:
              transactions: \(options.usesTransactions)
              properties:
            \(lines.joined(separator: "\n"))
            database: {conninfo: \(quoted(database))}
            keys:
              - {purpose: token, file: keys/token.pem, state: active}
              - {purpose: receipt, file: keys/receipt.pem, state: active}
              - {purpose: envelope, file: keys/envelope.pem, state: active}
            secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
            rules: rules.yaml
            wpc: {directory: policies}
            control: {topic: \(PlaygroundTopic.control), stop_file: stop-\(id)\(viewAge)}
            \(options.followsUsage ? "gateway_receipts: {topic: \(PlaygroundTopic.gatewayReceipts)}" : "")
            limits: {\(limits.joined(separator: ", "))}
            log: {level: \(options.logLevel), format: text}
            \(options.workerSections)

            """
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
