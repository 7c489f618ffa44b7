import ApprovalSources
import ClawWire
import IssuanceRules

extension SourceConfiguration {
    /// The adapters' view of the sources that the issuance rules name, by topic.
    static func byTopic(_ rules: RuleSet) -> [String: SourceConfiguration] {
        var all: [String: SourceConfiguration] = [:]
        for rule in rules.sources.values {
            var source = SourceConfiguration(
                name: rule.name, kind: kind(rule.kind), authenticity: authenticity(rule.authenticity))
            source.signers = rule.signers.values.sorted { $0.key.did < $1.key.did }.map {
                Signer(publicKey: $0.key, jobClasses: $0.jobClasses)
            }
            source.tenants = rule.tenants
            source.trustedSources = rule.trustedEventSources.isEmpty ? nil : rule.trustedEventSources
            source.jobClasses = rule.kind == .capabilityRequest ? rule.mayRequest : rule.mayApprove
            for topic in rule.topics { all[topic] = source }
        }
        return all
    }

    private static func kind(_ kind: SourceRule.Kind) -> Kind {
        switch kind {
        case .native: .native
        case .entraAudit: .entraAudit
        case .capabilityRequest: .capabilityRequest
        }
    }

    private static func authenticity(_ demand: SourceRule.AuthenticityDemand) -> Authenticity {
        switch demand {
        case .signed: .signed
        case .confirmed: .confirmed
        case .topic: .topic
        }
    }
}
