import ClawWire
import IssuanceRules

/// The stops of a file: which are active, which are lifted, and what they hold.
struct StopReport {
    private struct Entry {
        let stopID: String
        var declared: (stop: StopDeclaration, at: Timestamp?)?
        var lifts: [(lift: StopLift, at: Timestamp?)] = []
    }

    private var entries: [Entry] = []

    init(_ facts: [Fact]) {
        for fact in facts {
            switch fact.content {
            case .stopDeclared(let stop):
                let i = position(stop.stopID)
                if entries[i].declared == nil { entries[i].declared = (stop, fact.occurredAt) }
            case .stopLifted(let lift): entries[position(lift.stopID)].lifts.append((lift, fact.occurredAt))
            case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut,
                .decisionCanceled, .grantStarted, .grantChanged, .grantEnded, .grantDirect, .subjectInvalidated,
                .capabilityRequested, .ignored, .rejected:
                break
            }
        }
    }

    private mutating func position(_ stopID: String) -> Int {
        if let known = entries.firstIndex(where: { $0.stopID == stopID }) { return known }
        entries.append(Entry(stopID: stopID))
        return entries.count - 1
    }

    /// Why a lift does not count, `nil` when it does: two people who did not declare the stop, and fresh authority.
    private static func objection(to lift: StopLift, declarers: [Actor]?) -> String? {
        let people = Set(lift.liftedBy.filter { $0.kind == .human }.map(\.id))
        let declarers = Set((declarers ?? []).map(\.id))
        if !people.isDisjoint(with: declarers) { return "lifted_by_declarer" }
        if people.count < 2 { return "lift_needs_two_people" }
        return lift.reapproval == nil && lift.policyHash == nil ? "lift_needs_reapproval" : nil
    }

    private static func lift(of entry: Entry) -> (lift: StopLift, at: Timestamp?)? {
        entry.lifts.first { objection(to: $0.lift, declarers: entry.declared?.stop.declaredBy) == nil }
    }

    /// What holds an approval that could issue otherwise.
    func hold(_ id: ApprovalID, _ assessment: ApprovalAssessment) -> (why: String, revokes: Bool)? {
        for entry in entries {
            guard let scope = entry.declared?.stop.scope ?? entry.lifts.first?.lift.scope,
                Self.covers(scope, id, assessment)
            else { continue }
            guard let lift = Self.lift(of: entry) else {
                guard let stop = entry.declared?.stop else { continue }
                return ("stopped", stop.revokesLive)
            }
            guard let at = lift.at else { return ("decided_before_lift", true) }
            let decided = assessment.approvers.compactMap(\.decidedAt).min()
            if decided.map({ $0 < at }) ?? true { return ("decided_before_lift", true) }
        }
        return nil
    }

    private static func covers(_ scope: StopScope, _ id: ApprovalID, _ assessment: ApprovalAssessment) -> Bool {
        switch scope.kind {
        case .all: true
        case .jobClass: scope.value == assessment.jobClass?.rawValue
        case .subject: scope.value == assessment.subject?.id.rawValue
        case .approval: scope.value == id.rawValue
        // A file of approvals tells nothing of these, so the stop is taken to cover them.
        case .agent, .request, .entitlement, .policyHash, .policyID, .source, .issuerKey, .job, .token, .jti: true
        }
    }

    var json: JSONValue {
        .array(
            entries.map { entry in
                let scope = entry.declared?.stop.scope ?? entry.lifts.first?.lift.scope
                var object: JSONObject = [
                    "stop_id": .string(entry.stopID), "state": "active",
                    "scope": scope.map(FactDocument.scope) ?? .null,
                ]
                if Self.lift(of: entry) != nil {
                    object["state"] = "lifted"
                    object["decisions_before_lift_usable"] = false
                    return .object(object)
                }
                object["deny_new"] = true
                object["revoke_live"] = .bool(entry.declared?.stop.revokesLive ?? true)
                if let lift = entry.lifts.first?.lift {
                    object["why"] = .optional(
                        Self.objection(to: lift, declarers: entry.declared?.stop.declaredBy))
                }
                return .object(object)
            })
    }
}
