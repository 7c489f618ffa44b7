import ClawWire
import Foundation
import GrantLedger
import GraphConfirmation
import IssuanceRules
import Keys
import Logging
import Observability

extension ConfirmService {
    /// The sources whose vendor can be asked under a configuration.
    static func confirmable(_ rules: RuleSet, _ configuration: WorkerConfiguration) -> Set<SourceName> {
        guard configuration.confirmation != nil else { return [] }
        return Set(demanding(rules).filter { $0.kind.isKnownToGraph }.map(\.name))
    }

    /// Says that what some sources state will go to the dead letters, because nobody can be asked.
    static func warn(_ rules: RuleSet, _ configuration: WorkerConfiguration, _ logger: Logger) {
        let names = demanding(rules).map(\.name.rawValue).sorted()
        guard configuration.confirmation == nil, !names.isEmpty else { return }
        logger.log(.confirmationMissing, metadata: ["sources": "\(names.joined(separator: " "))"])
    }

    private static func demanding(_ rules: RuleSet) -> [SourceRule] {
        rules.sources.values.filter { $0.authenticity == .confirmed }
    }

    /// The reader of Microsoft Graph, for the tenants of the sources to be confirmed.
    static func graph(_ settings: WorkerConfiguration.Confirmation, _ rules: RuleSet) throws -> GraphReader {
        let key = try SecretFile.load(settings.keyFile)
        guard let text = key.textExposed() else {
            throw ConfigurationError("\(settings.keyFile) is no PEM")
        }
        let certificate: ClientCertificate
        do {
            certificate = try ClientCertificate(
                certificate: try String(contentsOfFile: settings.certificateFile, encoding: .utf8), key: text,
                algorithm: settings.algorithm)
        } catch let fault as ClientCertificate.Fault {
            throw ConfigurationError(
                "confirmation: \(settings.certificateFile) and \(settings.keyFile) cannot be used: \(fault)")
        } catch {
            throw ConfigurationError("confirmation: \(settings.certificateFile) cannot be read")
        }
        let tenants = rules.sources.values.filter { $0.authenticity == .confirmed }.flatMap(\.tenants)
        return GraphReader(
            GraphCredentials(clientID: settings.clientID, certificate: certificate, tenants: Set(tenants)),
            settings: settings.graph)
    }
}

extension SourceRule.Kind {
    /// True for kinds whose approvals Microsoft Graph can be asked about.
    var isKnownToGraph: Bool {
        switch self {
        case .entraAudit, .graph, .entitlementManagement: true
        case .native, .azureActivity, .capabilityRequest, .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie, .slack,
            .sharedSignals:
            false
        }
    }
}
