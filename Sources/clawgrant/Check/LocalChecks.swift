import ApprovalSources
import ClawWire
import Foundation
import GrantWorker
import IssuanceRules
import Keys

/// Checks of files: rules, keys, secrets.
enum LocalChecks {
    static func rules(_ file: ConfigurationFile) -> (rules: RuleSet?, findings: [CheckFinding]) {
        let path = file.worker.rulesFile
        do {
            let rules = try file.rules()
            var findings: [CheckFinding] = [
                .ok(
                    "rules",
                    "\(path): \(rules.jobClasses.count) job classes, \(rules.sources.count) sources, hash \(rules.hash)"
                )
            ]
            for source in rules.sources.values.sorted(by: { $0.name < $1.name }) where source.authenticity == .topic {
                findings.append(
                    .notice(
                        "rules", "source \(source.name) is trusted by its topic alone",
                        "make sure that the broker lets nobody else write to \(source.topics.joined(separator: ", "))"))
            }
            let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
            for source in rules.sources.values.sorted(by: { $0.name < $1.name }) {
                guard let header = source.headerSignature else { continue }
                findings.append(headerSignature(header, of: source, directory))
            }
            for jobClass in rules.jobClasses.values.sorted(by: { $0.name < $1.name })
            where jobClass.deliveries.contains(.plain) {
                findings.append(
                    .warning(
                        "rules", "job class \(jobClass.name) allows tokens in the clear on the grants topic",
                        "use sealed delivery outside of development"))
            }
            findings += budgets(rules, gatewayTopic: file.worker.gatewayReceipts.topic)
            return (rules, findings)
        } catch {
            return (nil, "\(error)".split(separator: "\n").map { .error("rules", String($0), "correct the rules") })
        }
    }

    /// Whether anything could ever come to the limits that the rules state.
    static func budgets(_ rules: RuleSet, gatewayTopic: String?) -> [CheckFinding] {
        let limited = rules.jobClasses.values.filter { $0.budget != nil }.map(\.name.rawValue).sorted()
        let names = limited.joined(separator: ", ")
        switch (limited.isEmpty, gatewayTopic) {
        case (true, nil): return []
        case (false, nil):
            return [
                .warning(
                    "budgets",
                    "the rules give budgets to \(names), and no topic of gateway receipts is read: nothing is ever counted",
                    "set gateway_receipts.topic")
            ]
        case (_, let topic?):
            guard !rules.gateways.signers.isEmpty else {
                let what = limited.isEmpty ? "" : "; the budgets of \(names) are never come to"
                return [
                    .warning(
                        "budgets", "no receipt of \(topic) counts: the rules list no gateway that is believed\(what)",
                        "list the gateways' keys under gateways.signers of the rules")
                ]
            }
            let count = rules.gateways.signers.count
            return [
                .ok(
                    "budgets",
                    "\(topic): \(count) \(count == 1 ? "gateway is" : "gateways are") believed; job classes with a budget: "
                        + (limited.isEmpty ? "none" : names))
            ] + unpriced(rules)
        }
    }

    /// Budgets in money that no line of the price table can bring nearer.
    private static func unpriced(_ rules: RuleSet) -> [CheckFinding] {
        let priced = Set(rules.prices.lines.map(\.currency))
        return rules.jobClasses.values.sorted { $0.name < $1.name }.flatMap { jobClass in
            (jobClass.budget?.costs.keys.sorted() ?? []).filter { !priced.contains($0) }.map { currency in
                CheckFinding.warning(
                    "budgets", "job class \(jobClass.name) has a budget in \(currency), and no price is in \(currency)",
                    "add lines in \(currency) to prices of the rules")
            }
        }
    }

    private static func headerSignature(
        _ rule: HeaderSignatureRule, of source: SourceRule, _ directory: String
    ) -> CheckFinding {
        do {
            _ = try HeaderSignatureFiles.load(rule, directory: directory, source: source.name.rawValue)
        } catch {
            return .error("rules", "\(error)", "correct header_signature of the source, or the file")
        }
        let now = Clock.now
        let isInForce = rule.keys.contains {
            HeaderKeyPeriod(notBefore: $0.notBefore, notAfter: $0.notAfter).contains(now)
        }
        guard isInForce else {
            return .error(
                "rules", "source \(source.name): no key of its header signature is in force",
                "add the key that the vendor signs with now")
        }
        return .ok("rules", "source \(source.name): \(rule.keys.count) keys for header signatures")
    }

    static func keys(_ file: ConfigurationFile) -> [CheckFinding] {
        let now = Clock.now
        do {
            let ring = try KeyRing.load(file.worker.keys, at: now)
            try ring.selfTest()
            var findings: [CheckFinding] = []
            let keys =
                ring.inventory().map { ($0.kid.rawValue, $0.configuration) }
                + ring.signalInventory().map { ($0.publicKey.kid, $0.configuration) }
            for (kid, key) in keys {
                let name = "\(key.purpose) key \(kid) (\(key.state.name))"
                guard key.state == .active, let end = key.notAfter else {
                    findings.append(.ok("keys", name))
                    continue
                }
                let days = end.seconds(since: now) / 86_400
                findings.append(
                    days < 30
                        ? .warning(
                            "keys", "\(name) may sign until \(end), \(days) days from now",
                            "prepare the next key; docs/keys.md tells the steps")
                        : .ok("keys", "\(name), signs until \(end)"))
            }
            findings.append(.ok("keys", "every active key signs and verifies, the same way twice"))
            return findings
        } catch {
            return [.error("keys", "\(error.subject): \(error.finding)", error.remedy)]
        }
    }

    static func secrets(_ file: ConfigurationFile) -> [CheckFinding] {
        let paths = [file.worker.tokenIDSecretFile, file.worker.sealingSecretFile]
        var findings: [CheckFinding] = []
        var contents: [[UInt8]] = []
        for path in paths {
            do {
                let secret = try SecretFile.load(path, length: 32...65_536)
                contents.append(secret.copyExposed())
                findings.append(.ok("secrets", path))
            } catch {
                findings.append(.error("secrets", "\(error.subject): \(error.finding)", error.remedy))
            }
        }
        if contents.count == 2, contents[0] == contents[1] {
            findings.append(
                .error(
                    "secrets", "both files hold the same secret",
                    "make another one with `clawgrant keys secret --out FILE`; secrets must not be shared by purposes"))
        }
        return findings
    }
}
