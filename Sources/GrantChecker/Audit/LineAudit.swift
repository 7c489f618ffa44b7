import ClawWire
import ReceiptLog

/// P2 from the log alone: each stop names its control position and how many grants came before it, and each grant names
/// the position under which it was committed. Where the two do not fit, a stop was no line.
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
        /// True for a stop that a lift had waited for: it held for no longer than its own transaction.
        let isLiftedAtOnce: Bool
    }

    private var grants: [Grant] = []
    private var events: [Event] = []
    private(set) var stops = 0

    /// Notes a grant; a receipt without a position is a fault.
    mutating func take(grant: Receipt.Grant, _ receipt: Receipt) -> String? {
        guard let position = receipt.provenance.controlPosition else { return "a grant has no control_position" }
        var scopes: Set<String> = ["all", "issuer_key:\(grant.token.kid)", "jti:\(grant.token.jti)"]
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
        var scope: String?
        if let named = payload["data"]?["scope"], let kind = named["kind"]?.string {
            scope = named["value"]?.string.map { "\(kind):\($0)" } ?? kind
        }
        if operation == "stop" { stops += 1 }
        events.append(
            Event(
                position: position, grantsBefore: Int(clamping: before), operation: operation, handle: handle,
                scope: scope, isLiftedAtOnce: payload["lifted_by_event"] != nil))
        return nil
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
        for event in events where event.operation == "stop" && !event.isLiftedAtOnce {
            guard let scope = event.scope else { continue }
            let end = events.first {
                $0.position > event.position && $0.operation == "lift" && $0.handle == event.handle
            }
            for grant in grants
            where grant.position >= event.position && grant.position < end?.position ?? .max
                && grant.scopes.contains(scope)
            {
                faults.append("request \(grant.id) got a token after \(event.handle) stopped \(scope)")
            }
        }
        return faults
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
