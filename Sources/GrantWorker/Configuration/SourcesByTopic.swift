package import ApprovalSources
import ClawWire
import Foundation
package import IssuanceRules

extension SourceConfiguration {
    /// The adapters' view of the sources that the issuance rules name, by topic, without the files of header signatures:
    /// what sources with one say is refused as unsigned.
    package static func byTopic(_ rules: RuleSet) -> [String: SourceConfiguration] {
        var all: [String: SourceConfiguration] = [:]
        for rule in rules.sources.values {
            let source = SourceConfiguration(rule, entitlements: rules.entitlements)
            for topic in rule.topics { all[topic] = source }
        }
        return all
    }

    /// The same, with the files of header signatures, which are found beside the rules' file.
    ///
    /// - Throws: ``ConfigurationError`` when one of them cannot be used.
    static func byTopic(
        _ rules: RuleSet, file: String
    ) throws(ConfigurationError) -> [String: SourceConfiguration] {
        var all = byTopic(rules)
        let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
        for rule in rules.sources.values {
            guard let header = rule.headerSignature else { continue }
            let verifier = try HeaderSignatureFiles.load(
                header, directory: directory, source: rule.name.rawValue)
            for topic in rule.topics { all[topic]?.headerSignature = verifier }
        }
        return all
    }
}
