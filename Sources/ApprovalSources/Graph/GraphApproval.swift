import ClawWire
import IssuanceRules

/// The approval of a request: its steps (beta) or stages (v1.0), each with at most one decision.
struct GraphApproval {
    /// A decision of a step.
    struct Decision {
        enum Result {
            case approved, denied
        }
        let result: Result
        let reviewer: Actor?
        let decidedAt: Timestamp?
        let text: Justification?
    }

    let id: String?
    let decisions: [Decision]
    /// Every step says yes. One that is still open, or one of an unknown result, is no yes.
    let isComplete: Bool

    /// Reads an approval, or returns `nil` when it is not of the vendor's shape.
    init?(_ value: JSONValue, limits: SourceConfiguration.Limits) {
        guard value.object != nil else { return nil }
        id = VendorRecord.part(EntraAuditRecord.member(value, "id"))
        let steps = EntraAuditRecord.member(value, "steps") ?? EntraAuditRecord.member(value, "stages") ?? .array([])
        guard let elements = steps.array ?? (steps.isNull ? [] : nil), elements.count <= limits.maximumListMembers
        else { return nil }
        var decisions: [Decision] = []
        for element in elements {
            guard element.object != nil else { return nil }
            guard VendorRecord.word(EntraAuditRecord.member(element, "status")) == "completed" else { continue }
            let result: Decision.Result
            // v1.0 documents Approved and Denied, beta stores Approve and Deny.
            switch VendorRecord.word(EntraAuditRecord.member(element, "reviewResult")) {
            case "approve", "approved": result = .approved
            case "deny", "denied": result = .denied
            case .some, nil: continue
            }
            guard let decidedAt = VendorRecord.time(EntraAuditRecord.member(element, "reviewedDateTime")) else {
                return nil
            }
            decisions.append(
                Decision(
                    result: result, reviewer: GraphIdentity.actor(EntraAuditRecord.member(element, "reviewedBy")),
                    decidedAt: decidedAt.map(Self.milliseconds),
                    text: TextRules.justification(EntraAuditRecord.member(element, "justification")?.string)))
        }
        self.decisions = decisions
        isComplete = !decisions.isEmpty && decisions.count == elements.count
    }

    /// The versions print one instant with different fractions; what both have is the milliseconds.
    private static func milliseconds(_ time: Timestamp) -> Timestamp { Timestamp(milliseconds: time.milliseconds) }

    var denial: Decision? { decisions.first { $0.result == .denied } }

    var approvals: [Decision] { decisions.filter { $0.result == .approved } }
}
