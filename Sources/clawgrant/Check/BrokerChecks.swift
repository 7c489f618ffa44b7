import GrantWorker
import IssuanceRules
import Kafka

/// Checks of the broker and the topics.
enum BrokerChecks {
    static func findings(_ file: ConfigurationFile, _ rules: RuleSet?) async -> [CheckFinding] {
        var findings = transport(file)
        let catalog = TopicCatalog(
            outputs: file.worker.outputs, rules: rules, controlTopic: file.worker.control.topic,
            policyTopic: rules.flatMap { file.worker.policySources($0).topic },
            gatewayTopic: file.worker.gatewayReceipts.topic, statusListTopic: file.worker.statusLists?.topic,
            securityEventTopics: file.worker.securityEvents?.topics ?? [],
            signalTopics: file.worker.securityEvents?.signalTopics ?? [])
        do {
            let (brokers, topics) = try await KafkaAccess.admin(file) { admin in
                (try await admin.metadata().brokers, try await catalog.review(admin))
            }
            findings.append(
                .ok(
                    "broker",
                    "\(brokers.count) broker\(brokers.count == 1 ? "" : "s"), the first at "
                        + (brokers.first.map { "\($0.host):\($0.port)" } ?? "an unknown place")))
            if brokers.count < 3 {
                findings.append(
                    .notice(
                        "broker", "fewer than three brokers: a topic cannot survive the loss of one and stay writable",
                        "run three or more in production"))
            }
            findings += topics.map { finding in
                CheckFinding(
                    severity: severity(finding.severity), area: "topics",
                    finding: "\(finding.topic.name): \(finding.summary)", remedy: finding.remedy)
            }
            if topics.isEmpty {
                findings.append(.ok("topics", "\(catalog.entries.count) topics are as they should be"))
            }
        } catch let failure as CommandFailure {
            findings.append(.error("broker", failure.finding, failure.remedy))
        } catch {
            findings.append(.error("broker", "\(error)", "check kafka.properties"))
        }
        return findings
    }

    private static func transport(_ file: ConfigurationFile) -> [CheckFinding] {
        let kafka = file.worker.kafka
        let brokers = (kafka["bootstrap.servers"] ?? "").split(separator: ",")
        let isLocal = brokers.allSatisfy { broker in
            ["127.", "localhost", "[::1]"].contains { broker.trimmingPrefix(while: \.isWhitespace).hasPrefix($0) }
        }
        let security = (kafka["security.protocol"] ?? "plaintext").lowercased()
        guard !isLocal, !security.hasSuffix("ssl") else { return [] }
        return [
            .warning(
                "broker", "records travel in the clear: security.protocol is \(security)",
                "set kafka.properties.security.protocol to ssl or sasl_ssl")
        ]
    }

    private static func severity(_ severity: TopicFinding.Severity) -> CheckFinding.Severity {
        switch severity {
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        }
    }
}
