import ClawWire

/// The control events that are in force in a case.
///
/// They have the words of the control topic (`docs/control-events.md`) and go through the same code as in a worker, so that
/// a case is judged as a worker would judge it. Who may declare them is not what a case asks.
extension RulesCase {
    /// Who declares a case's control events.
    private static let declarer = Actor(id: PersonID("case-declarer"))
    /// Enough people for any lift: one more than declared the stop, and never fewer than two.
    private static let lifters = [Actor(id: PersonID("case-lifter-1")), Actor(id: PersonID("case-lifter-2"))]
    /// The approval that a case's lifts rest on.
    private static let authority = ApprovalID("case-authority")

    /// One event, and where the case has it.
    private struct Declared {
        let path: String
        let event: ControlEvent
    }

    /// The state of the control events of a case at its time.
    ///
    /// - Throws: ``RulesCaseError`` naming the member that is missing, of the wrong form, or that has no effect.
    static func controlState(_ value: JSONValue?, at now: Timestamp) throws(RulesCaseError) -> ControlState {
        guard let value, !value.isNull else { return .none }
        guard let list = value.array else {
            throw RulesCaseError(
                path: "control",
                detail: "expected a list of control events, for example [{operation: stop, scope: {kind: all}}]")
        }
        var declared: [Declared] = []
        for (index, element) in list.enumerated() {
            declared += try events(element, path: "control[\(index)]", number: index + 1, at: now)
        }
        // What is of the same instant is applied in the order of the list.
        let order = declared.indices.sorted {
            (declared[$0].event.declaredAt, $0) < (declared[$1].event.declaredAt, $1)
        }
        var state = ControlState.none
        for index in order { state = try apply(declared[index], to: state) }
        return state
    }

    private static func apply(_ declared: Declared, to state: ControlState) throws(RulesCaseError) -> ControlState {
        let at = declared.event.declaredAt
        let outcome = state.applying(
            declared.event,
            in: ControlContext(
                at: at, rules: .none,
                evidence: LiftEvidence(approvals: [authority: .init(isGranted: true, decidedAt: at)])))
        switch outcome.result {
        case .applied, .appliedAndLifted, .pendingLift: return outcome.state
        case .repeated:
            throw RulesCaseError(path: declared.path, detail: "it says what an earlier one says: leave one of them out")
        case .withoutEffect:
            throw RulesCaseError(path: declared.path, detail: "it ends or changes nothing that holds at \(at)")
        case .refused(let why):
            throw RulesCaseError(path: declared.path, detail: "it would not be obeyed: \(why.rawValue)")
        }
    }

    private static func events(
        _ value: JSONValue, path: String, number: Int, at now: Timestamp
    ) throws(RulesCaseError) -> [Declared] {
        guard var object = value.object else {
            throw RulesCaseError(
                path: path, detail: "expected a control event, for example {operation: stop, scope: {kind: all}}")
        }
        let kinds = ControlOperation.Kind.allCases.filter { $0 != .lift && $0 != .drill }
        guard let kind = object["operation"]?.string.flatMap({ name in kinds.first { $0.rawValue == name } }) else {
            throw RulesCaseError(
                path: "\(path).operation",
                detail: "expected one of \(kinds.map(\.rawValue).joined(separator: ", ")); a lifted stop has lifted_at")
        }
        let members = members(of: kind)
        for key in object.keys where !members.contains(key) {
            let meant = Spelling.nearest(to: key, among: members)
            throw RulesCaseError(
                path: "\(path).\(key)",
                detail: "\(kind.rawValue) has no such member" + (meant.map { "; did you mean \($0)?" } ?? ""))
        }
        let at = try time(object["at"], path: "\(path).at", notAfter: now) ?? now
        let liftedAt = try time(object["lifted_at"], path: "\(path).lifted_at", notAfter: now)
        if kind == .stop { object["stop_id"] = object["stop_id"] ?? .string("stop-\(number)") }
        if kind == .stop || kind == .disableElevated { object["action"] = object["action"] ?? "deny_new" }
        if kind == .rotatePolicy { object["running"] = object["running"] ?? "keep" }
        if kind == .revoke { object["revocation_id"] = object["revocation_id"] ?? .string("revocation-\(number)") }
        let operation: ControlOperation
        do {
            operation = try ControlOperation(
                kind: kind, reader: ControlReader(value: .object(object), subject: kind.rawValue))
        } catch {
            throw RulesCaseError(path: path, detail: error.detail)
        }
        if let fault = operation.scope?.fault { throw RulesCaseError(path: "\(path).scope.value", detail: fault) }
        let event = event(operation, id: "case-\(number)", at: at, reason: object["reason"]?.string)
        var declared = [Declared(path: path, event: event)]
        if let liftedAt {
            let lift = ControlOperation.lift(.init(stopID: event.handle, reapproval: authority, policyHash: nil))
            declared.append(
                Declared(
                    path: "\(path).lifted_at",
                    event: Self.event(lift, id: "case-\(number)-lift", at: liftedAt, by: lifters)))
        }
        return declared
    }

    private static func event(
        _ operation: ControlOperation, id: String, at time: Timestamp, by people: [Actor] = [declarer],
        reason: String? = nil
    ) -> ControlEvent {
        ControlEvent(
            id: ControlEventID(id), declaredAt: time, declaredBy: people, origin: .ledger(by: declarer.id),
            operation: operation, reason: reason)
    }

    private static func time(
        _ value: JSONValue?, path: String, notAfter now: Timestamp
    ) throws(RulesCaseError) -> Timestamp? {
        guard let value, !value.isNull else { return nil }
        guard let time = value.string.flatMap({ Timestamp(rfc3339: $0) }) else {
            throw RulesCaseError(path: path, detail: "expected an RFC 3339 time such as 2026-11-20T09:10:00Z")
        }
        guard time <= now else {
            throw RulesCaseError(path: path, detail: "\(time) is after the time of the case: it would not be in force")
        }
        return time
    }

    /// What an event of a kind may say.
    private static func members(of kind: ControlOperation.Kind) -> [String] {
        let own: [String] =
            switch kind {
            case .stop: ["stop_id", "scope", "action", "lifted_at"]
            case .revoke: ["revocation_id", "scope", "permits_reapproval", "lifted_at"]
            case .rotatePolicy: ["job_class", "from_wpc_hash", "to_wpc_hash", "running"]
            case .disableElevated, .requireProxy: ["scope", "action"]
            case .enableElevated, .releaseProxy: ["scope"]
            case .suspectKey: ["kid", "since"]
            case .lift, .drill: []
            }
        return ["operation", "at", "reason"] + own
    }
}
