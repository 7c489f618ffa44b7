import ClawWire
import ReceiptLog

/// P2 from the log alone: each stop names its control position and how many grants came before it, and each grant names
/// the position under which it was committed. Where the two do not fit, a stop was no line.
///
/// Receipts do not say which subjects, entitlements, sources and WPC identifiers a grant rests on: stops of those are held
/// against the ledger's rows, see ``HiddenLineAudit``.
struct LineAudit {
    private struct Grant {
        let position: Int64
        let scopes: Set<String>
        let id: String
    }

    private struct Event {
        let position: Int64
        let grantsBefore: Int
        let operation: String
        let handle: String
        let scope: String?
        /// True where nothing in the scope may be issued from here on: a stop, a revocation that is for good or until its
        /// lift, a suspicion of a key. Not a stop that a lift had waited for: it held no longer than its own transaction.
        let holds: Bool
    }

    /// What holds between two control positions.
    struct Hold {
        let handle: String
        let scope: String
        let start: Int64
        let end: Int64
    }

    /// Kinds of scope of which no receipt says whether it covers a grant.
    private static let hiddenKinds: Set<String> = ["subject", "entitlement", "source", "policy_id"]
    /// Kinds of scope that never come back once they are revoked.
    private static let forGood: Set<String> = ["token_hash", "jti", "job", "request", "approval"]

    private var grants: [Grant] = []
    private var events: [Event] = []
    private(set) var stops = 0

    /// Notes a grant; a receipt without a position is a fault.
    mutating func take(grant: Receipt.Grant, _ receipt: Receipt) -> String? {
        guard let position = receipt.provenance.controlPosition else { return "a grant has no control_position" }
        var scopes: Set<String> = [
            "all", "issuer_key:\(grant.token.kid)", "jti:\(grant.token.jti)", "token_hash:\(grant.token.tokenHash.hex)",
        ]
        func add(_ kind: String, _ value: String?) { if let value { scopes.insert("\(kind):\(value)") } }
        add("job_class", receipt.subject.jobClass?.rawValue)
        add("agent", receipt.subject.agentDID?.rawValue)
        add("request", receipt.subject.requestID?.rawValue)
        add("job", receipt.subject.jobID?.rawValue)
        add("policy_hash", receipt.provenance.policyHash?.b64u)
        for approval in receipt.subject.approvalIDs { add("approval", approval.rawValue) }
        grants.append(Grant(position: position, scopes: scopes, id: receipt.subject.requestID?.rawValue ?? ""))
        return nil
    }

    /// Notes a control event.
    mutating func take(control payload: JSONObject) -> String? {
        guard let position = payload["control_position"]?.integer, let before = payload["grants_before"]?.integer,
            let operation = payload["operation"]?.string, let handle = payload["stop_id"]?.string
        else { return "a control event has no control_position, grants_before, operation and stop_id" }
        let data = payload["data"]
        var scope: String?
        var isForGood = false
        if let named = data?["scope"], let kind = named["kind"]?.string {
            scope = Self.scope(kind, named["value"]?.string)
            isForGood = Self.forGood.contains(kind)
        }
        var holds = false
        switch operation {
        case "stop":
            stops += 1
            holds = true
        case "revoke": holds = isForGood || data?["permits_reapproval"]?.bool != true
        case "suspect-key":
            scope = data?["kid"]?.string.map { Self.scope("issuer_key", $0) }
            holds = true
        default: break
        }
        events.append(
            Event(
                position: position, grantsBefore: Int(clamping: before), operation: operation, handle: handle,
                scope: scope, holds: holds && payload["lifted_by_event"] == nil))
        return nil
    }

    /// A scope in one text; subjects, entitlements and token hashes are compared without case.
    static func scope(_ kind: String, _ value: String?) -> String {
        guard kind != "all", let value else { return kind }
        return "\(kind):" + (["subject", "entitlement", "token_hash"].contains(kind) ? value.lowercased() : value)
    }

    /// What does not fit, once the whole log was read.
    func faults() -> [String] {
        var faults: [String] = []
        let events = events.sorted { $0.position < $1.position }
        for (index, event) in events.enumerated() where event.position != Int64(index) + 1 {
            faults.append("control position \(index + 1) is missing or taken twice, at \(event.handle)")
            break
        }
        let ordered = grants.map(\.position).sorted()
        for event in events {
            let before = ordered.partitioningIndex { $0 >= event.position }
            if before != event.grantsBefore {
                faults.append(
                    "\(event.operation) \(event.handle) says that \(event.grantsBefore) grants precede it, and the log "
                        + "has \(before)")
            }
        }
        return faults + passed(events)
    }

    /// What holds, and from where to where.
    private func holds(_ events: [Event]) -> [Hold] {
        let lifts = Dictionary(grouping: events.filter { $0.operation == "lift" }, by: \.handle)
        return events.filter(\.holds).compactMap { event in
            guard let scope = event.scope else { return nil }
            let lift =
                event.operation == "suspect-key"
                ? nil : lifts[event.handle]?.map(\.position).filter { $0 > event.position }.min()
            return Hold(handle: event.handle, scope: scope, start: event.position, end: lift ?? .max)
        }
    }

    /// Grants in the scope of a stop between it and its lift. Only grants of stopped scopes are looked at, and each stop
    /// looks at those that come after it, so that ten thousand stops over a million grants can be judged.
    private func passed(_ events: [Event]) -> [String] {
        let holds = holds(events)
        let stopped = Set(holds.map(\.scope))
        var ofScope: [String: [Grant]] = [:]
        for grant in grants.sorted(by: { $0.position < $1.position }) {
            for scope in grant.scopes where stopped.contains(scope) { ofScope[scope, default: []].append(grant) }
        }
        var faults: [String] = []
        for hold in holds {
            guard let candidates = ofScope[hold.scope] else { continue }
            for grant in candidates[candidates.partitioningIndex { $0.position >= hold.start }...] {
                guard grant.position < hold.end else { break }
                faults.append("request \(grant.id) got a token after \(hold.handle) stopped \(hold.scope)")
            }
        }
        return faults
    }

    /// What holds of the scopes that receipts do not show, with the control positions of all grants.
    func hidden() -> HiddenLineAudit {
        let hidden = holds(events).filter { hold in
            Self.hiddenKinds.contains { hold.scope.hasPrefix("\($0):") }
        }
        guard !hidden.isEmpty else { return HiddenLineAudit(holds: [], positions: [:]) }
        let positions = grants.map { (Fingerprint($0.id), $0.position) }
        return HiddenLineAudit(holds: hidden, positions: Dictionary(positions, uniquingKeysWith: max))
    }
}

extension Array {
    /// The first index from which a condition holds that holds for a suffix of the array.
    fileprivate func partitioningIndex(_ belongsToSuffix: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsToSuffix(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
