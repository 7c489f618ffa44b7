import ApprovalSources
import ClawWire
public import IssuanceRules

/// What an answer of Microsoft Graph makes of what a source said.
public enum ConfirmationVerdict: Sendable, Hashable {
    /// The answer agrees; these are its facts.
    case confirmed([Fact])
    /// The approval is over by the answer; these are its facts.
    case over([Fact])
    /// The answer refutes the source. The sentence is for people.
    case contradicted(Contradiction, String)
    /// The answer says neither yes nor no; why, as a machine code.
    case notYet(String)
}

/// Compares what a source said with what the vendor answers. Pure: nothing is asked and no time is taken.
public enum Confirmation {
    /// Judges an answer.
    ///
    /// - Parameters:
    ///   - answer: what was read.
    ///   - claim: what the source said.
    ///   - tenants: tenants of the source.
    ///   - isSettled: false while the vendor's parts may not have heard of the request yet.
    public static func judge(
        _ answer: GraphAnswer, against claim: UnconfirmedClaim, tenants: Set<String>, isSettled: Bool
    ) -> ConfirmationVerdict {
        guard let document = answer.document else {
            guard isSettled else { return .notYet("request_unknown") }
            return .contradicted(.requestUnknown, "the vendor does not know the request")
        }
        var configuration = SourceConfiguration(
            name: claim.source, kind: .graph, authenticity: .confirmed)
        configuration.tenants = tenants
        let facts = GraphSource.facts(of: document, 0, configuration).map { fact in
            var fact = fact
            fact.recordDigest = answer.digest
            return fact
        }
        guard let first = facts.first else { return .notYet("answer_unreadable") }
        if let refused = refusal(facts) { return refused }
        if let difference = difference(first, claim) { return difference }
        return judge(facts, claim)
    }

    private static func refusal(_ facts: [Fact]) -> ConfirmationVerdict? {
        for fact in facts {
            switch fact.content {
            case .rejected: return .notYet("answer_unreadable")
            case .ignored(let why):
                return why == WhyCode.validationOnly.rawValue
                    ? .contradicted(.validationOnly, "the request is a trial run") : nil
            default: continue
            }
        }
        return nil
    }

    /// Another request, person or entitlement than the source named.
    private static func difference(_ fact: Fact, _ claim: UnconfirmedClaim) -> ConfirmationVerdict? {
        if let id = fact.approvalID, id != claim.approvalID {
            return .contradicted(.requestDiffers, "the answer is about \(id)")
        }
        if let principal = fact.subject?.id, claim.subjects.contains(where: { $0 != principal }) {
            return .contradicted(.principalDiffers, "the vendor says that the request is for \(principal)")
        }
        guard let held = fact.entitlement else { return nil }
        for claimed in claim.entitlements where !isSame(claimed, held) {
            return .contradicted(
                .entitlementDiffers,
                "the vendor says \(held.kind.rawValue) \(held.id) with the scope \(held.scope ?? "none")")
        }
        return nil
    }

    private static func isSame(_ claimed: Entitlement, _ held: Entitlement) -> Bool {
        guard claimed.kind == held.kind, claimed.id.lowercased() == held.id.lowercased() else { return false }
        guard let scope = claimed.scope?.lowercased() else { return true }
        return scope == held.scope?.lowercased()
    }

    private static func judge(_ facts: [Fact], _ claim: UnconfirmedClaim) -> ConfirmationVerdict {
        var approvers: [Actor?] = []
        for fact in facts {
            switch fact.content {
            case .decisionApproved(let approver): approvers.append(approver)
            case .decisionDenied:
                return claim.isApproved
                    ? .contradicted(
                        .statusDiffers, "the source says that it was approved, the vendor that it was denied")
                    : .over(facts)
            case .decisionTimedOut, .decisionCanceled, .grantEnded: return .over(facts)
            case .grantStarted(_, nil):
                // What was live and has no instance any more was given back or taken away.
                return claim.isConfirmed ? .over([fact.ended]) : .notYet("no_instance")
            case .grantStarted: return started(facts, approvers, claim)
            case .grantDirect:
                return .contradicted(.statusDiffers, "the vendor says that it was assigned, not activated")
            case .grantChanged:
                return claim.isApproved
                    ? .contradicted(.statusDiffers, "the vendor says that it is an extension, not an activation")
                    : .confirmed(facts)
            case .ignored(let why):
                return why == WhyCode.resultNotSuccess.rawValue && claim.hasStarted
                    ? .contradicted(.statusDiffers, "the source says that it is active, the vendor that it failed")
                    : .notYet(why)
            case .requestOpened, .requestRouted, .subjectInvalidated, .capabilityRequested, .stopDeclared, .stopLifted,
                .rejected:
                continue
            }
        }
        return .notYet(approvers.isEmpty ? "not_approved" : "not_active")
    }

    private static func started(
        _ facts: [Fact], _ approvers: [Actor?], _ claim: UnconfirmedClaim
    ) -> ConfirmationVerdict {
        let humans = approvers.compactMap(\.self).filter { $0.kind == .human }.map(\.id)
        guard !humans.isEmpty else {
            return .contradicted(.noHumanApproval, "it is active, and the vendor names no human who approved it")
        }
        let own = Set(facts.flatMap { [$0.requester?.id, $0.subject?.id] }.compactMap(\.self))
        guard humans.contains(where: { !own.contains($0) }) else {
            return .contradicted(.approverIsRequester, "the person who asked, or whom it is for, approved it")
        }
        guard claim.approvers.isEmpty || !claim.approvers.isDisjoint(with: humans) else {
            return .contradicted(.approverDiffers, "none of the people whom the source names approved it")
        }
        return .confirmed(facts)
    }
}

extension Fact {
    /// The end of what this fact began.
    fileprivate var ended: Fact {
        var fact = self
        fact.content = .grantEnded(.removed)
        fact.requester = nil
        fact.ticket = nil
        return fact
    }
}
