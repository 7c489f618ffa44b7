import ClawWire

/// The people whose approval counts, and the last of their decisions.
struct ApproverCount: Sendable {
    let people: [PersonID]
    let decidedAt: Timestamp?
}

/// Why one approver does not count.
private enum Exclusion: Int, CaseIterable {
    case requester, separated, source, signer, unconfirmed, old, beforeBarrier, timeUnknown, system
}

extension ApproverCount {
    enum Outcome {
        case success(ApproverCount)
        case failure(ApprovalResult)
    }
}

extension Decider {
    /// A decision from further in the future than clocks differ has no usable time.
    private static let allowedSkewSeconds: Int64 = 300

    /// Counts the approvers of a state: distinct humans, permitted sources, fresh decisions, separated duties.
    ///
    /// - Parameter barrier: up to when a decision is dead, whoever else has decided since.
    func countApprovers(
        of state: ApprovalState, _ claims: Claims, minimum: Int, barrier: Barrier?
    ) -> ApproverCount.Outcome {
        if let unknown = unknownRequester(state) { return .failure(.waiting([unknown])) }
        var people: [PersonID] = []
        var old: [PersonID] = []
        var decidedAt: Timestamp?
        var excluded: Set<Exclusion> = []
        for entry in claims.approvers.entries {
            if let exclusion = exclusion(of: entry.key, entry.value, state, barrier) {
                excluded.insert(exclusion)
                if exclusion == .old { old.append(entry.key) }
            } else {
                people.append(entry.key)
                decidedAt = [decidedAt, entry.value.at].compactMap(\.self).max()
            }
        }
        let shortfalls = shortfalls(people, minimum: minimum)
        if shortfalls.isEmpty { return .success(ApproverCount(people: people, decidedAt: decidedAt)) }
        if excluded.contains(.beforeBarrier), let barrier {
            return .failure(.refused([reapproval(of: state, since: barrier)]))
        }
        if !old.isEmpty, self.shortfalls(people + old, minimum: minimum).isEmpty {
            return .failure(
                .expired([
                    finding(
                        .humanApprovalExpired,
                        "the approval \(state.approvalID) is older than \(rule.maximumApprovalAgeSeconds) s",
                        "max_approval_age", needed: "a fresh approval")
                ]))
        }
        for entry in state.claims.entries where !entry.value.approvers.entries.isEmpty && !isPermitted(entry.key) {
            excluded.insert(whyNotPermitted(entry.key))
        }
        let reasons = excluded.sorted { $0.rawValue < $1.rawValue }.map { finding(for: $0, state) }
        if people.isEmpty {
            var findings = reasons
            if findings.isEmpty || claims.unknownApprover != nil { findings.append(nobody(state, claims)) }
            return .failure(.waiting(findings))
        }
        return .failure(.waiting(shortfalls + reasons))
    }

    /// Who asked is known to be nobody who approves only when somebody says who asked. An agent that asks on its own is
    /// known: it is no human.
    private func unknownRequester(_ state: ApprovalState) -> Finding? {
        guard rule.separation.requester, request.subject == nil, !state.knowsRequesterOrSubject else { return nil }
        return finding(
            .humanApprovalRequesterUnknown, "nothing of \(state.approvalID) says who asked, or for whom",
            "separation_of_duties.requester", needed: "a record that names the requester or the subject")
    }

    private func exclusion(
        of person: PersonID, _ record: ActorRecord, _ state: ApprovalState, _ barrier: Barrier?
    ) -> Exclusion? {
        if record.kind == .system { return .system }
        if rule.separation.requester, state.isRequester(person) { return .requester }
        if rule.separation.subject, person == request.subject || state.isSubject(person) {
            return state.isRequester(person) ? .requester : .separated
        }
        if rule.separation.jobOwner, rule.owners.contains(person) { return .separated }
        guard let at = record.at, at <= input.now.adding(seconds: Self.allowedSkewSeconds) else { return .timeUnknown }
        if input.now.seconds(since: at) > rule.maximumApprovalAgeSeconds { return .old }
        return barrier.map { at <= $0.at } ?? false ? .beforeBarrier : nil
    }

    /// Why nothing that is stated of an approval counts for the class; `nil` when something does.
    func nothingPermitted(_ state: ApprovalState) -> [Finding]? {
        guard !state.claims.entries.isEmpty, !state.claims.entries.contains(where: { isPermitted($0.key) }) else {
            return nil
        }
        return Set(state.claims.entries.map { whyNotPermitted($0.key) }).sorted { $0.rawValue < $1.rawValue }
            .map { finding(for: $0, state) }
    }

    private func whyNotPermitted(_ attestation: Attestation) -> Exclusion {
        guard let source = rules.sources[attestation.source], source.mayApprove.contains(rule.name) else {
            return .source
        }
        return source.authenticity == .confirmed ? .unconfirmed : .signer
    }

    private func nobody(_ state: ApprovalState, _ claims: Claims) -> Finding {
        claims.unknownApprover == nil
            ? finding(
                .capabilityRequiresApproval, "nobody has answered \(state.approvalID) yet", "approvals",
                needed: "the approval of \(rule.approvals.allOf.map(\.sentence).joined(separator: " and "))")
            : finding(
                .humanApprovalApproverUnknown, "the evidence of \(state.approvalID) names no approver", "approvals",
                needed: "a record that names the approver")
    }

    private func finding(for exclusion: Exclusion, _ state: ApprovalState) -> Finding {
        let id = state.approvalID
        switch exclusion {
        case .requester:
            return finding(
                .humanApprovalSelfApproval, "\(id) was approved by the person who asked",
                "separation_of_duties.requester", needed: "the approval of another person")
        case .separated:
            return finding(
                .humanApprovalSeparationOfDuties, "\(id) was approved by the subject or an owner of the class",
                "separation_of_duties", needed: "the approval of a person who is neither")
        case .source:
            return finding(
                .humanApprovalSourceNotAllowed, "\(id) comes from a source that may not approve the class",
                ".sources", needed: "an approval from a source that may approve \(rule.name)")
        case .signer:
            return finding(
                .humanApprovalSignerNotAllowed, "\(id) is not signed by a key that may sign for the class", ".sources",
                needed: "an approval signed by a listed key")
        case .unconfirmed:
            return finding(
                .humanApprovalNotConfirmed, "\(id) has not been read back from the vendor", ".sources",
                needed: "the vendor's confirmation")
        case .old:
            return finding(
                .humanApprovalExpired, "a decision of \(id) is older than \(rule.maximumApprovalAgeSeconds) s",
                "max_approval_age", needed: "a fresh approval")
        case .beforeBarrier:
            return finding(
                .humanApprovalReapprovalRequired, "a decision of \(id) is older than a lift or a revocation",
                ".control", needed: "a new approval")
        case .timeUnknown:
            return finding(
                .humanApprovalTimeUnknown, "a decision of \(id) has no usable time", "max_approval_age",
                needed: "a decision with its time")
        case .system:
            return finding(
                .humanApprovalNoHuman, "\(id) was approved by a system", "approvals",
                needed: "the approval of a human")
        }
    }

    /// What is missing for all requirements to be met by these people.
    private func shortfalls(_ people: [PersonID], minimum: Int) -> [Finding] {
        var findings: [Finding] = []
        if people.count < minimum {
            let isPolicy = policyHumans == minimum && minimum > 1
            findings.append(
                finding(
                    isPolicy ? .policyApprovalMissing : .humanApprovalTooFew,
                    "\(people.count) of \(minimum) people have approved", isPolicy ? "wpc" : "approvals",
                    needed: "the approval of \(minimum) people"))
        }
        var requirements = rule.approvals.allOf
        for action in actions { requirements += rule.elevatedActions[action]?.approvals ?? [] }
        for requirement in requirements {
            let count = people.count { counts($0, for: requirement) }
            guard count < requirement.count else { continue }
            let code: ReasonCode =
                switch requirement.pool {
                case .any: .humanApprovalTooFew
                case .group, .members: .humanApprovalGroupNotMet
                }
            findings.append(
                finding(
                    code, "\(count) of \(requirement.sentence) have approved", "approvals.all_of",
                    needed: "the approval of \(requirement.sentence)"))
        }
        if findings.isEmpty, rule.approvals.distinctAcrossGroups, !areMetByDistinctPeople(requirements, people) {
            findings.append(
                finding(
                    .humanApprovalGroupNotMet, "one person cannot approve for two groups",
                    "approvals.distinct_across_groups", needed: "a person of their own for each requirement"))
        }
        return findings
    }

    private func counts(_ person: PersonID, for requirement: JobClassRule.ApproverRequirement) -> Bool {
        switch requirement.pool {
        case .any: true
        case .group(let name): rules.groups[name]?.contains(person) ?? false
        case .members(let members): members.contains(person)
        }
    }

    /// Gives every place of every requirement a person of its own, by augmenting paths.
    private func areMetByDistinctPeople(
        _ requirements: [JobClassRule.ApproverRequirement], _ people: [PersonID]
    ) -> Bool {
        let places = requirements.flatMap { Array(repeating: $0, count: $0.count) }
        guard places.count <= people.count else { return false }
        var placeOfPerson: [Int?] = Array(repeating: nil, count: people.count)
        func fill(_ place: Int, _ tried: inout [Bool]) -> Bool {
            for person in people.indices where !tried[person] && counts(people[person], for: places[place]) {
                tried[person] = true
                if let other = placeOfPerson[person], !fill(other, &tried) { continue }
                placeOfPerson[person] = place
                return true
            }
            return false
        }
        return places.indices.allSatisfy { place in
            var tried = Array(repeating: false, count: people.count)
            return fill(place, &tried)
        }
    }
}

extension JobClassRule.ApproverRequirement {
    /// For example `2 members of "platform_oncall"`.
    var sentence: String {
        switch pool {
        case .any: count == 1 ? "a human" : "\(count) people"
        case .group(let name): "\(count) of the group \(quoted(name))"
        case .members(let people): "\(count) of \(people.count) listed people"
        }
    }
}
