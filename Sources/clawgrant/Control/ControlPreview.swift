import ClawWire
import Console
import GrantLedger
import GrantWorker
import IssuanceRules

/// What a control event would hit, shown before anything is declared.
struct ControlPreview {
    /// Counting one by one ends there.
    static let most: Int64 = 100_000

    private let declaration: Declaration
    private let overview: ControlOverview
    private let state: ControlState
    private let grants: Int64?
    private let live: Int64?
    /// Whether the rules know the job class or source that is meant; `nil` when that is not a question.
    private let isKnown: Bool?
    /// Whether the event is in force already, and so holds itself.
    private let isAfterwards: Bool
    /// What to think about before saying yes.
    let warnings: [String]

    init(
        _ declaration: Declaration, _ overview: ControlOverview, _ state: ControlState, _ rules: RuleSet?,
        _ file: ConfigurationFile, live: Int64?, isAfterwards: Bool = false
    ) {
        self.isAfterwards = isAfterwards
        self.declaration = declaration
        self.overview = overview
        self.state = state
        self.live = live
        let scope = declaration.operation.scope
        grants = scope.flatMap { overview.grants(in: $0) }
        let unknown = scope.flatMap { scope in
            rules == nil && Self.isInRules(scope.kind) ? nil : Self.unknown(scope, rules ?? .unread, overview)
        }
        isKnown = scope.flatMap { rules != nil && Self.isInRules($0.kind) ? unknown == nil : nil }
        var warnings = unknown.map { [$0] } ?? []
        if overview.liveWorkers == 0 {
            warnings.append("no worker is alive: nothing is issued now, and nothing is published until one runs")
        }
        if case .lift(let lift) = declaration.operation {
            let declarers = Set(state.declarations(of: lift.stopID).filter { $0.lift == nil }.flatMap(\.declarers))
            let own = declaration.options.people.map(\.id).filter {
                declarers.contains(PersonID($0.rawValue.lowercased()))
            }
            if !own.isEmpty {
                warnings.append(
                    "\(own.map(\.rawValue).joined(separator: ", ")) declared it, and a declarer cannot lift: it will be "
                        + "refused")
            }
            if let idle = Self.idle(lift, state) { warnings.append(idle) }
        }
        self.warnings = warnings
    }

    /// A sentence when a lift ends nothing that holds now: a slip of the pen, or a stop that has not come yet.
    private static func idle(_ lift: ControlOperation.Lift, _ state: ControlState) -> String? {
        let known = state.declarations(of: lift.stopID)
        guard known.allSatisfy({ $0.lift != nil }) else { return nil }
        if let ended = known.last?.lift { return "\(lift.stopID) was lifted at \(ended.at) already" }
        let active = Set(state.activeStops.map(\.stopID)).sorted()
        return "there is no stop or revocation \(lift.stopID), so the lift will wait for it; "
            + (active.isEmpty ? "none holds" : "these hold: \(active.joined(separator: ", "))")
    }

    private static func isInRules(_ kind: StopScope.Kind) -> Bool { kind == .jobClass || kind == .source }

    /// A sentence when nothing bears the name.
    private static func unknown(_ scope: StopScope, _ rules: RuleSet, _ overview: ControlOverview) -> String? {
        guard let value = scope.value else { return nil }
        switch scope.kind {
        case .jobClass where rules.jobClasses[JobClass(value)] == nil:
            let names = rules.jobClasses.keys.map(\.rawValue).sorted()
            return
                "the rules know no job class \"\(value)\": it would hold, and hit nothing that is issued now; they know "
                + names.joined(separator: ", ")
        case .source where rules.sources[SourceName(value)] == nil:
            let names = rules.sources.keys.map(\.rawValue).sorted()
            return "the rules know no source \"\(value)\"; they know \(names.joined(separator: ", "))"
        case .issuerKey where !overview.counts.contains { $0.kid.rawValue == value }:
            return "no grant was ever signed by the key \(value)"
        case .policyHash where !overview.counts.contains { $0.policyHash?.b64u == value }:
            return "no grant was ever made under the WPC \(value)"
        case .all, .jobClass, .agent, .subject, .approval, .request, .entitlement, .policyHash, .policyID, .source,
            .issuerKey, .job, .token, .jti:
            return nil
        }
    }

    /// What holds for the same scope, or for everything, already.
    private var holding: [StandingStop] {
        switch declaration.operation {
        case .lift(let lift): return state.declarations(of: lift.stopID).filter { $0.lift == nil }
        case .stop, .revoke, .drill:
            let scope = declaration.operation.scope
            let own = isAfterwards ? declaration.event.handle : nil
            return state.activeStops.filter {
                ($0.scope == .everything || $0.scope == scope) && $0.stopID != own
            }
        case .rotatePolicy, .disableElevated, .enableElevated, .requireProxy, .releaseProxy, .suspectKey: return []
        }
    }

    private var voids: Bool {
        switch declaration.operation {
        case .stop(let stop): stop.revokesLive
        case .revoke, .suspectKey: true
        case .disableElevated(let stop): stop.revokesLive
        case .requireProxy(let order): order.revokesLive
        case .rotatePolicy(let rotation): rotation.running == .revoke
        case .lift, .enableElevated, .releaseProxy, .drill: false
        }
    }

    private var liveText: String {
        guard let live else { return "too many to count quickly" }
        let count = live >= Self.most ? "\(live) or more" : "\(live)"
        guard live > 0 else { return count }
        switch declaration.operation {
        case .stop, .revoke: return "\(count), \(voids ? "void from then on" : "which run out")"
        case .rotatePolicy, .disableElevated, .requireProxy, .suspectKey:
            return voids ? "\(count) in all, of which those concerned are revoked" : "\(count), which run out"
        case .lift, .enableElevated, .releaseProxy, .drill: return count
        }
    }

    var lines: [String] {
        var rows = [["", Console.styled(Console.plain(declaration.title), .bold)]]
        rows.append(["id", Console.plain(declaration.event.handle)])
        rows.append(["by", Console.plain(declaration.options.people.map(\.id.rawValue).joined(separator: ", "))])
        if declaration.operation.scope != nil {
            if let grants { rows.append(["grants so far", "\(grants)"]) }
            rows.append(["live tokens", liveText])
        }
        for stop in holding { rows.append(["holds already", Console.plain(stop.line)]) }
        rows.append(["live workers", "\(overview.liveWorkers)"])
        return Console.table(rows) + warningLines
    }

    /// What to think about, for people.
    var warningLines: [String] {
        warnings.map { Console.styled("warning", .yellow) + "        \(Console.plain($0))" }
    }

    var json: JSONValue {
        var object: JSONObject = [
            "step": "preview", "operation": .string(declaration.operation.kind.rawValue),
            "id": .string(declaration.event.handle),
        ]
        object["scope"] = declaration.operation.scope?.document
        object["is_known"] = isKnown.map { .bool($0) }
        object["grants"] = grants.map { .integer($0) }
        object["live_tokens"] = live.map { .integer($0) }
        object["live_workers"] = .integer(overview.liveWorkers)
        object["holds_already"] = .array(holding.map { .string($0.stopID) })
        object["warnings"] = .array(warnings.map { .string($0) })
        return .object(object)
    }
}

extension StopScope {
    /// The scope for machines.
    var document: JSONValue {
        var object: JSONObject = ["kind": .string(kind.rawValue)]
        object["value"] = value.map { .string($0) }
        return .object(object)
    }
}

extension ControlOverview {
    private func sum(_ scope: StopScope, _ count: (ControlSnapshot.Count) -> Int64) -> Int64? {
        let scope = scope.normalized
        switch scope.kind {
        case .all: return counts.reduce(0) { $0 + count($1) }
        case .jobClass: return counts.filter { $0.jobClass.rawValue == scope.value }.reduce(0) { $0 + count($1) }
        case .issuerKey: return counts.filter { $0.kid.rawValue == scope.value }.reduce(0) { $0 + count($1) }
        case .policyHash: return counts.filter { $0.policyHash?.b64u == scope.value }.reduce(0) { $0 + count($1) }
        case .agent, .subject, .approval, .request, .entitlement, .policyID, .source, .job, .token, .jti: return nil
        }
    }

    /// Grants ever made in a scope; `nil` where the ledger's counts do not tell.
    func grants(in scope: StopScope) -> Int64? { sum(scope) { $0.grants } }

    /// Live tokens of a scope; `nil` where the ledger's counts do not tell.
    func live(in scope: StopScope) -> Int64? { sum(scope) { $0.live } }
}
