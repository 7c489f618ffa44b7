import ApprovalSources
import IssuanceRules

extension SourceConfiguration {
    /// The adapters' view of the sources that the issuance rules name, by topic.
    static func byTopic(_ rules: RuleSet) -> [String: SourceConfiguration] {
        var all: [String: SourceConfiguration] = [:]
        for rule in rules.sources.values {
            let source = SourceConfiguration(rule, entitlements: rules.entitlements)
            for topic in rule.topics { all[topic] = source }
        }
        return all
    }
}
