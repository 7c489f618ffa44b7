public import ClawWire
public import GrantLedger
public import IssuanceRules
import Keys
import ReceiptLog

/// Says what would become of a request if it came now: the same rules on the same state of the ledger, read and not
/// changed. Nothing is minted, and nothing is recorded.
public struct Preflight: Sendable {
    /// Whose approvals a caller may learn of.
    public enum Sight: Sendable, Hashable {
        /// Everything that the rules say.
        case everything
        /// Only what follows from the request, the rules, its WPC and what is stopped: no approval and no other request is
        /// looked at, so that nothing about one can show, not even by its absence.
        case requestAlone
    }

    /// What would become of a request.
    public struct Answer: Sendable {
        /// What the rules say.
        public let decision: Decision
        /// The source through which the request is taken to come.
        public let source: SourceName
        /// What became of a request of this identifier that came before; `nil` when none did, or none was looked for.
        public let known: RequestState?
        /// The ledger's clock.
        public let at: Timestamp
        /// Position of the last control event.
        public let controlPosition: Int64
    }

    /// How often more is loaded before the answer is given up: a WPC, usage, an earlier request.
    private static let rounds = 4

    private let ledger: any PreviewLedger
    private let rules: RuleSet
    private let keys: KeyRing
    private let policies: PolicyShelf
    private let tokenIDSecret: TokenIDSecret
    private let release: ReleaseGuard
    private let worker: WorkerID
    private let stopViewMaximumAge: Duration?
    private let clock: @Sendable () -> Timestamp

    /// Prepares preflights beside a worker.
    ///
    /// - Throws: ``ConfigurationError`` when a secret does not read.
    public init(_ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp) throws {
        let configuration = surroundings.configuration
        ledger = surroundings.ledger
        rules = surroundings.rules
        keys = surroundings.keys
        policies = surroundings.policies
        tokenIDSecret = try DerivationSecrets.load(configuration).tokenID
        release = ReleaseGuard(
            configuration, localStop: surroundings.localStop, lineage: surroundings.lineage, clock: clock)
        worker = configuration.workerID
        stopViewMaximumAge = configuration.control.topic == nil ? nil : configuration.control.viewMaximumAge
        self.clock = clock
    }

    /// Judges a request.
    ///
    /// - Parameters:
    ///   - request: the request, as it would be read from its topic.
    ///   - source: the source through which it would come; `nil` takes the first by name that may ask for its class.
    /// - Throws: ``ReleaseGuard/Held`` while nothing is decided at all; ``LedgerError``; `KeyError` when no key may sign.
    public func judge(_ request: CapabilityRequest, from source: SourceName?, sight: Sight) async throws -> Answer {
        let source = source ?? Self.source(for: request, in: rules)
        let asked = sight == .everything ? request : request.withoutUpgrade
        var read = DecideRead(worker: worker, fence: .offsets([]))
        let stops = release.known
        read.knownControlPosition = stops.position
        let watched = rules.healthRules
        if !watched.isEmpty { read.health = HealthRead(sources: Array(watched.keys), locks: false) }
        if sight == .everything {
            read.jobIDs = [asked.jobID]
            read.requestIDs = Set([asked.requestID, asked.upgradesRequest].compactMap(\.self))
            read.approvalIDs = Set([asked.approvalID].compactMap(\.self))
            read.tickets = Set(BatchReader.numbers(asked.ticketNumber, asked.comparedTicketNumber))
            read.subjects = Set([asked.subject].compactMap(\.self))
        }
        var known: [Digest: WPCAvailability] = [:]
        if let hash = asked.policyHash { known[hash] = await policies.policy(of: hash) }
        for _ in 0..<Self.rounds {
            let snapshot = try await ledger.preview(read)
            let planner = try planner(known)
            let control = try release.state(of: snapshot, since: stops)
            try planner.holdBack(snapshot, control)
            var work = try WorkingSet(planner: planner, snapshot: snapshot, control: control, read: read)
            try work.watch(UnderstoodBatch(read: read))
            if let decision = try work.preview(
                asked, from: source, authenticity: Self.authenticity(of: source, for: asked, in: rules))
            {
                return Answer(
                    decision: decision, source: source, known: snapshot.requests[asked.requestID]?.state,
                    at: snapshot.now, controlPosition: snapshot.controlPosition)
            }
            read.requestIDs.formUnion(work.needs.requests)
            for hash in work.needs.policies { known[hash] = await policies.policy(of: hash) }
        }
        throw LedgerError(.unavailable, "what request \(request.requestID) needs kept changing; ask again")
    }

    private func planner(_ known: [Digest: WPCAvailability]) throws -> DecisionPlanner {
        DecisionPlanner(
            rules: rules, policies: known, minter: CSTMinter(signer: try keys.signer(for: .token, at: clock())),
            tokenIDSecret: tokenIDSecret, keyValidUntil: keys.validUntil(for: .token), worker: worker, isDryRun: true,
            stopViewMaximumAgeSeconds: stopViewMaximumAge.map { $0 / .seconds(1) })
    }

    /// The first source by name that may ask for the class, a source of requests before one of approvals; a name that the
    /// rules lack when none may.
    private static func source(for request: CapabilityRequest, in rules: RuleSet) -> SourceName {
        func first(_ kind: SourceRule.Kind) -> SourceName? {
            rules.sources.values.filter { source in
                let classes = kind == .native ? source.mayRequest ?? source.mayApprove : source.mayRequest
                return source.kind == kind && classes?.contains(request.jobClass) ?? true
            }.map(\.name).min()
        }
        return first(.capabilityRequest) ?? first(.native) ?? SourceName("")
    }

    /// The request is taken to be authenticated as its source demands.
    private static func authenticity(
        of name: SourceName, for request: CapabilityRequest, in rules: RuleSet
    ) -> IssuanceRules.Authenticity {
        guard let source = rules.sources[name] else { return .topic }
        switch source.authenticity {
        case .signed:
            return .signed(by: source.headerSignature.map { $0.keys.map(\.id) } ?? Array(source.signers.keys))
        case .confirmed: return .confirmed
        case .topic: return .topic
        }
    }
}

extension DecisionPlanner {
    /// Says with the words of the release guard what holds decisions back.
    fileprivate func holdBack(_ snapshot: DecideSnapshot, _ control: ControlState) throws(ReleaseGuard.Held) {
        do {
            try checkView(snapshot, control)
        } catch {
            throw ReleaseGuard.Held(description: error.description)
        }
    }
}

extension CapabilityRequest {
    /// The request without the earlier one that it upgrades.
    fileprivate var withoutUpgrade: CapabilityRequest {
        CapabilityRequest(
            requestID: requestID, jobID: jobID, jobClass: jobClass, agentDID: agentDID, subject: subject, scope: scope,
            actions: actions, tools: tools, audience: audience, ttlSeconds: ttlSeconds, policyHash: policyHash,
            approvalID: approvalID, ticketNumber: ticketNumber, delivery: delivery, reason: reason,
            requestedAt: requestedAt)
    }
}
