import ClawWire
import Console
import GrantWorker
import IssuerAPI

/// The web console as this program serves it.
enum ConsoleSurface {
    /// The console's routes; none unless the configuration enables it.
    ///
    /// - Throws: when the file of the session secret cannot be used.
    static func groups(_ surroundings: WorkerSurroundings) throws -> [any RouteGroup] {
        let configuration = surroundings.configuration
        guard let settings = configuration.http?.console, settings.isEnabled else { return [] }
        let parts = ConsoleRoutes.Parts(
            ledger: surroundings.ledger, rules: surroundings.rules, control: configuration.control,
            worker: configuration.workerID, inputEnds: BrokerInputEnds(configuration.kafka)
        ) { Clock.now }
        return [try ConsoleRoutes(settings, parts, logger: surroundings.logger)]
    }
}
