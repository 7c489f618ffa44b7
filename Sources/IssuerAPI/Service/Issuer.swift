import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Keys
import Logging
import Observability
import Primitives

/// The routes of keys, tokens and revocations, with what keeps them up to date.
struct Issuer: Sendable {
    let groups: [any RouteGroup]
    let view: RevocationView

    init(
        _ surroundings: WorkerSurroundings, _ settings: HTTPSettings, _ parts: IssuerAPIParts,
        looks: any LiveTokenLedger, clock: @escaping @Sendable () -> Timestamp
    ) {
        let configuration = surroundings.configuration
        let ledger = surroundings.ledger
        let logger = surroundings.logger
        let isFailing = Lock(false)
        view = RevocationView(
            ledger: looks, interval: settings.introspection.refreshInterval,
            longestLife: surroundings.rules.hardCapSeconds, clock: clock,
            isCompared: { [lineage = surroundings.lineage] in lineage?.isCompared($0) ?? true }
        ) { error in
            // Once, not ten times a second.
            let hasChanged = isFailing.withLock { isFailing in
                defer { isFailing = error != nil }
                return isFailing != (error != nil)
            }
            guard hasChanged else { return }
            if let error {
                logger.log(.revocationsUnread, metadata: ["reason": "\(error)"])
            } else {
                logger.log(.revocationsRead)
            }
        }
        let documents = IssuerKeyDocuments(surroundings.keys)
        let judge = TokenJudge(
            keys: { documents.accepted(at: $0) },
            inspection: TokenJudge.inspection(hardCapSeconds: surroundings.rules.hardCapSeconds),
            lookup: TokenLookup(ledger: looks), view: view, settings: settings.introspection, clock: clock)
        let applier = ControlApplier(
            ledger: ledger, rules: surroundings.rules, worker: configuration.workerID, isVerified: { _ in false })
        let lists =
            configuration.statusLists
            ?? WorkerConfiguration.StatusLists(uriBase: settings.issuer + StatusListRoutes.standardPath)
        let statusLists = StatusListRoutes(
            maker: StatusListMaker(
                ledger: ledger, keys: surroundings.keys, uriBase: lists.uriBase, timeToLive: lists.timeToLive),
            settings: lists, clock: clock)
        let isLevel: @Sendable () -> Bool = { [lineage = surroundings.lineage] in lineage?.isLevel ?? true }
        groups = [
            KeyRoutes(documents: documents, clock: clock),
            MetadataRoutes(
                settings: settings, statusListAggregation: statusLists.aggregation, additions: parts.metadata,
                signals: parts.signals),
            IntrospectionRoutes(judge: judge, settings: settings),
            RevocationEndpoints(
                judge: judge, revoker: TokenRevoker(applier: applier, view: view, clock: clock)),
            ComparedRoutes(
                group: RevocationRoutes(
                    stream: RevocationStream(ledger: ledger), view: view, logID: configuration.logID,
                    maximumWaiting: settings.limits.waitingRequests), isLevel: isLevel),
            ComparedRoutes(group: statusLists, isLevel: isLevel),
        ]
    }

    /// Keeps them up to date until cancelled.
    func run() async throws { try await view.run() }
}
