import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// Something in a run that must not be so.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    /// The property, `P1` to `P10`, or what else is broken.
    public let property: String
    /// A sentence for people.
    public let detail: String

    /// Property and sentence.
    public var description: String { "\(property): \(detail)" }
}

/// Looks at every commit while it happens: the line of a stop, the fence, one outcome.
///
/// It knows the stops from the control events that were committed, not from the state that decisions are made under.
final class Watch {
    private(set) var violations: [Violation] = []
    private var stops: [String: StopScope] = [:]
    private var tokens: [RequestID: Digest] = [:]
    private var states: [RequestID: RequestState] = [:]
    private var events: Set<Tables.EventRow> = []
    /// Outcomes that were committed.
    private(set) var outcomes = 0
    /// Tokens that were committed.
    private(set) var grants = 0
    /// Control events that were committed.
    private(set) var controlEvents = 0
    /// What must not happen any more, once the ledger lacks what is published.
    enum Rest { case nothing, sealing, everything }
    var rests = Rest.nothing
    private static let most = 20

    func found(_ property: String, _ detail: String) {
        if violations.count < Self.most { violations.append(Violation(property: property, detail: detail)) }
    }

    /// A control event is committed.
    func applied(_ event: StoredControlEvent) {
        controlEvents += 1
        note(event)
    }

    private func note(_ event: StoredControlEvent) {
        guard event.result.hasPrefix("applied"), let read = try? ControlEvent(encoded: event.body) else { return }
        switch read.operation {
        case .stop(let stop): if event.result == "applied" { stops[stop.stopID] = stop.scope }
        case .lift(let lift): stops[lift.stopID] = nil
        case .revoke, .rotatePolicy, .disableElevated, .enableElevated, .requireProxy, .releaseProxy, .suspectKey,
            .drill:
            break
        }
    }

    /// The ledger is what it was earlier: what was committed since is gone.
    func returned(to tables: Tables) {
        tokens = [:]
        states = [:]
        stops = [:]
        events = Set(tables.events.keys)
        for row in tables.requests.values {
            if row.request.state != .waiting { states[row.request.requestID] = row.request.state }
            if let token = row.request.token { tokens[row.request.requestID] = token.tokenHash }
        }
        let events = tables.controlEvents.values.map(\.event).filter { $0.position != nil }
        for event in events.sorted(by: { $0.position ?? 0 < $1.position ?? 0 }) { note(event) }
    }

    /// Events were taken for new.
    func took(_ rows: [Tables.EventRow]) {
        for row in rows where !events.insert(row).inserted {
            found("P1", "an event of day \(row.day) was taken for new a second time")
        }
    }

    /// Requests get their outcomes.
    func decided(_ requests: [StoredRequest], at position: Int64) {
        for request in requests where request.state != .waiting {
            if rests == .everything {
                found("P1", "request \(request.requestID) was decided in a ledger that lost its end")
            }
            outcomes += 1
            if let state = states.updateValue(request.state, forKey: request.requestID), state != request.state {
                found("P1", "request \(request.requestID) was \(state) and is \(request.state)")
            }
            guard let token = request.token, request.revocation == nil else { continue }
            if let known = tokens[request.requestID] {
                if known != token.tokenHash { found("P1", "request \(request.requestID) was given a second token") }
                continue
            }
            tokens[request.requestID] = token.tokenHash
            grants += 1
            for (name, scope) in stops.sorted(by: { $0.key < $1.key })
            where Tables.isCovered(request, kind: scope.kind.rawValue, value: scope.value ?? "") {
                found(
                    "P2",
                    "request \(request.requestID) was given a token at control position \(position), past the stop "
                        + "\(name) of \(scope.kind.rawValue) \(scope.value ?? "")")
            }
        }
    }

    /// Offsets advance.
    func advanced(_ advances: [OffsetAdvance], by worker: WorkerID, _ tables: Tables) {
        for advance in advances {
            guard let row = tables.partitions[advance.partition] else { continue }
            if row.owner != worker || row.epoch != advance.epoch.value {
                found(
                    "P10",
                    "\(worker) committed \(advance.partition) under epoch \(advance.epoch.value), which is "
                        + "\(row.owner?.rawValue ?? "nobody")'s under \(row.epoch)")
            } else if row.nextOffset != advance.from {
                found("P10", "\(advance.partition) stands at \(row.nextOffset) and was advanced from \(advance.from)")
            }
        }
    }

    /// A batch is sealed.
    func sealed(_ batches: [SealedBatch], under lease: RoleLease, _ tables: Tables) {
        if rests != .nothing { found("P1", "\(lease.owner) sealed in a ledger that lost its end") }
        if !tables.holds(lease) { found("P10", "\(lease.owner) sealed without the role sealer") }
    }
}
