public import ClawWire
public import GrantLedger
public import IssuanceRules

/// Stands before everything that gives a token out beside the decide lanes: the same view of what is stopped, the same
/// clocks, the same local stop (P2, P3).
public final class ReleaseGuard: Sendable {
    /// Why nothing is given out now, whoever asks.
    public struct Held: Error, Sendable, CustomStringConvertible {
        /// A sentence for people.
        public let description: String
    }

    private let view: ControlView
    private let clocks: ClockGuard
    private let viewMaximumAge: Duration?
    private let lineage: LineageGuard?

    /// Guards by a worker's configuration.
    ///
    /// - Parameters:
    ///   - localStop: what halts this worker alone.
    ///   - lineage: says which database was held against the topics; `nil` where none has to be.
    ///   - clock: this worker's own clock.
    public init(
        _ configuration: WorkerConfiguration, localStop: LocalStop, lineage: LineageGuard? = nil,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        self.lineage = lineage
        view = ControlView(localStop: localStop)
        viewMaximumAge = configuration.control.topic == nil ? nil : configuration.control.viewMaximumAge
        clocks = ClockGuard(
            clock: clock, viewMaximumAge: viewMaximumAge,
            maximumDifference: configuration.limits.maximumClockDifference)
    }

    /// What the guard knows of stops, to be asked from on and given back with the answer.
    public struct Known: Sendable {
        fileprivate let known: ControlView.Known
        /// The control position up to which it reaches.
        public var position: Int64 { known.state.position }
    }

    /// What is known now.
    public var known: Known { Known(known: view.current) }

    /// What is stopped, as a transaction of the ledger saw it that asked for what changed since `known`.
    ///
    /// - Throws: ``Held``; ``LedgerError`` when a stored order does not read.
    public func state(of snapshot: DecideSnapshot, since known: Known) throws -> ControlState {
        if let why = view.localStop?.reason { throw Held(description: HeldBack.localStop(why).description) }
        if let lineage, !lineage.isCompared(snapshot.incarnation) {
            throw Held(description: "the database was not held against the topics yet")
        }
        do {
            try clocks.check(snapshot, readAt: nil)
        } catch {
            throw Held(description: error.description)
        }
        if let limit = viewMaximumAge.map({ $0 / .seconds(1) }) {
            let age = Double(snapshot.now.microseconds - snapshot.controlPolledAt.microseconds) / 1e6
            guard age <= limit else {
                throw Held(description: HeldBack.staleView(ageSeconds: age, limitSeconds: limit).description)
            }
        }
        return try view.state(known.known, advancedBy: snapshot)
    }
}

extension ControlState {
    /// Why a token that was issued is not to be given out now: a stop that covers it, or an instant up to which
    /// authority is dead; `nil` when nothing holds it back. Revoked tokens are the ledger's to know.
    public func withholding(_ request: StoredRequest) -> String? {
        guard let token = request.token else { return "the request has no token" }
        let scopes = Self.scopes(of: request, token)
        if let stop = stops(among: scopes).first {
            return "the stop \(stop.stopID) of \(stop.scope.text) holds since \(stop.at)"
        }
        // A token is dated by whole seconds: one of the second of the instant may be older.
        if let barrier = barrier(among: scopes), token.issuedAt.seconds <= barrier.at.seconds {
            return "tokens of \(barrier.scope.text) that were issued before \(barrier.at) are not given out any more"
        }
        return nil
    }

    private static func scopes(of request: StoredRequest, _ token: IssuedToken) -> [StopScope] {
        var scopes: [StopScope] = [
            .everything, StopScope(kind: .jobClass, value: request.jobClass.rawValue),
            StopScope(kind: .agent, value: request.agentDID.rawValue),
            StopScope(kind: .request, value: request.requestID.rawValue),
            StopScope(kind: .job, value: request.jobID.rawValue), StopScope(kind: .jti, value: token.tokenID.rawValue),
            StopScope(kind: .token, value: token.tokenHash.hex),
            StopScope(kind: .issuerKey, value: token.kid.rawValue),
        ]
        scopes += request.approvals.map { StopScope(kind: .approval, value: $0.rawValue) }
        for text in token.control?.scopes ?? [] {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let kind = StopScope.Kind(rawValue: String(parts[0])) else { continue }
            scopes.append(StopScope(kind: kind, value: String(parts[1])).normalized)
        }
        return scopes
    }
}
