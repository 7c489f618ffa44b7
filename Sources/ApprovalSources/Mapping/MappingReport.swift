public import ClawWire
public import IssuanceRules

/// What a file of vendor records amounts to at an instant: facts, outcomes and stops, without broker or database.
///
/// This is the logic of `clawgrant source map`. Authenticity is not asked for: the report says what the records would
/// mean if their source is trusted.
public struct MappingReport: Sendable {
    /// The instant at which outcomes are assessed.
    public let asOf: Timestamp
    /// Facts with the index of their message, in record order. A record that would go to the dead letters stands here
    /// as a `rejected` fact with the dead letter's reason.
    public let facts: [(message: Int, fact: Fact)]
    /// True when the input is a list of messages.
    public let isList: Bool
    private let mapping: SourceMapping

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - kind: the kind of source, or `nil` to tell it from each record.
    ///   - mapping: tenants, entitlements, job classes and trusted stop sources.
    ///   - asOf: the instant at which outcomes are assessed.
    public init(_ bytes: [UInt8], kind: SourceConfiguration.Kind? = nil, mapping: SourceMapping, asOf: Timestamp) {
        self.asOf = asOf
        self.mapping = mapping
        let input = MappingInput(bytes)
        isList = input.isList
        var facts: [(Int, Fact)] = []
        for (message, record) in input.records.enumerated() {
            facts += Self.facts(of: record, kind: kind, mapping: mapping, at: asOf).map { (message, $0) }
        }
        self.facts = facts.map { (message: $0.0, fact: $0.1) }
    }

    private static func facts(
        of record: SourceRecord, kind: SourceConfiguration.Kind?, mapping: SourceMapping, at now: Timestamp
    ) -> [Fact] {
        let kind = kind ?? MappingInput.kind(of: record)
        var configuration = SourceConfiguration(name: SourceName("file"), kind: kind ?? .native, authenticity: .topic)
        configuration.tenants = mapping.tenants.union(mapping.tenantNames)
        configuration.vendor = mapping.vendor
        configuration.trustedStopSources = mapping.trustedStopSources
        configuration.mapping = mapping
        configuration.eventIdentity = .id
        switch AnySource.facts(from: record, configuration: configuration, at: now) {
        case .facts(let facts, _): return facts
        case .deadLetter(let fault):
            let vocabulary = kind.map { AnySource.vocabulary(of: $0) } ?? "unknown"
            var fact = Fact(
                recordIndex: 0, source: vocabulary, sourceEventID: nil, occurredAt: nil,
                content: .rejected(why: fault.reason.rawValue))
            fact.recordDigest = record.value.map { Digest(hashing: $0) }
            return [fact]
        }
    }

    /// The approvals of the file in the order of their first fact.
    public var outcomes: [(approval: ApprovalID, assessment: ApprovalAssessment, intermediate: [String])] {
        var order: [ApprovalID] = []
        var states: [ApprovalID: ApprovalState] = [:]
        var history: [ApprovalID: [String]] = [:]
        let source = SourceName("file")
        let messages = (facts.last?.message ?? -1) + 1
        var next = 0
        for message in 0..<max(messages, 0) {
            while next < facts.count, facts[next].message == message {
                let fact = facts[next].fact
                next += 1
                guard let id = fact.approvalID, fact.content.bearsOnApproval else { continue }
                if states[id] == nil { order.append(id) }
                states[id, default: ApprovalState(approvalID: id)].apply(fact, from: source, authenticity: .topic)
            }
            // Ends and invalidations that name no approval, after those that do: what an approval's own record says is
            // the better reason.
            let shared = facts[..<next].compactMap(\.fact.byHolder)
            for id in order {
                guard var state = states[id] else { continue }
                for fact in shared where !state.isEnded && state.isConcerned(by: fact) {
                    state.apply(fact, from: source, authenticity: .topic)
                }
                history[id, default: []].append(
                    state.assess(at: asOf, entitlements: mapping.entitlements).state.rawValue)
                if message == messages - 1 { states[id] = state }
            }
        }
        return order.compactMap { id in
            states[id].map {
                ($0.approvalID, $0.assess(at: asOf, entitlements: mapping.entitlements), history[id] ?? [])
            }
        }
    }

    /// The report as JSON: `as_of`, `facts`, `outcomes`, `stops`.
    public var json: JSONValue {
        let stops = StopReport(facts.map(\.fact))
        return [
            "as_of": FactDocument.time(asOf),
            "facts": .array(facts.map { FactDocument.json($0.fact, message: isList ? $0.message : nil) }),
            "outcomes": .array(outcomes.map { json($0.approval, $0.assessment, $0.intermediate, stops) }),
            "stops": stops.json,
        ]
    }

    /// Whom a record calls by name; of a bare identifier there is `requester_id`.
    private static func person(_ actor: Actor?) -> Actor? { actor?.name == nil && actor?.upn == nil ? nil : actor }

    private func json(
        _ id: ApprovalID, _ assessment: ApprovalAssessment, _ intermediate: [String], _ stops: StopReport
    ) -> JSONValue {
        var state = assessment.state.rawValue
        var why = assessment.why
        var revoke = assessment.revoke
        if assessment.issue, let stop = stops.hold(id, assessment) {
            (state, why) = (ApprovalAssessment.State.held.rawValue, stop.why)
            revoke = stop.revokes
        }
        var object: JSONObject = [
            "approval_id": .string(id.rawValue), "state": .string(state),
            "issue": .bool(assessment.issue && why == assessment.why), "revoke": .bool(revoke), "why": .string(why),
            "job_class": .optional(assessment.jobClass?.rawValue),
            "requester": Self.person(assessment.requester)?.json ?? .null, "subject": assessment.subject?.json ?? .null,
            "approvers": .array(assessment.approvers.map(\.actor.json)),
            "not_before": assessment.notBefore.map(FactDocument.time) ?? .null,
            "not_after": assessment.notAfter.map(FactDocument.time) ?? .null,
            "ticket": assessment.ticket.map(FactDocument.ticket) ?? .null,
        ]
        if let binding = binding(of: id, assessment) {
            object["bind"] = binding
            object["window_rule"] = "approval time + max_ttl of the mapping (the event has no end)"
        }
        object["requester_id"] = assessment.requester.map { .string($0.id.rawValue) }
        if isList { object["intermediate_states"] = .array(intermediate.map { .string($0) }) }
        if why == assessment.why { object["max_ttl_seconds"] = assessment.maximumTTLSeconds.map { .integer($0) } }
        return .object(object)
    }

    /// What an approved deployment is bound to: the commit and the attempt.
    private func binding(of id: ApprovalID, _ assessment: ApprovalAssessment) -> JSONValue? {
        guard assessment.notAfter != nil,
            let commit = facts.lazy.compactMap({ _, fact in
                fact.approvalID == id && fact.entitlement?.kind == .githubEnvironment ? fact.entitlement?.scope : nil
            }).first
        else { return nil }
        return [
            "head_sha": .string(commit), "run_attempt": GitHubSource.runAttempt(of: id).map { .integer($0) } ?? .null,
        ]
    }
}

extension Fact {
    /// This fact without its approval, when it ends the assignment that it names, or whatever its subject holds of its
    /// entitlement: the vendor gives a deactivation or a removal a request of its own, which is not the request of the
    /// activation that it ends.
    ///
    /// Apply it to the states that ``IssuanceRules/ApprovalState/isConcerned(by:)`` names.
    public var byHolder: Fact? {
        switch content {
        case .subjectInvalidated: break
        case .grantEnded(let reason):
            switch reason {
            case .deactivated, .removed, .eligibilityRemoved, .removedInDirectory: break
            case .expired, .changeCanceled, .changeClosed: return nil
            }
            guard assignment != nil || subject != nil && entitlement != nil else { return nil }
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .grantDirect, .capabilityRequested, .stopDeclared, .stopLifted, .ignored,
            .rejected:
            return nil
        }
        var fact = self
        fact.approvalID = nil
        // Of a person alone, it would end whatever that person holds.
        if case .grantEnded = content, entitlement == nil { fact.subject = nil }
        return fact
    }

    /// True for an end by holder (``byHolder``) that was sent because of approvals here: a Shared Signals token, or the
    /// removal of an assignment where job classes rest on such. Logs of a directory tell of everybody, and most people
    /// have no approval.
    public var isMeantForApprovals: Bool {
        switch content {
        case .subjectInvalidated: source == SharedSignalsSource.vocabulary
        case .grantEnded: assignment != nil && subject == nil
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .grantDirect, .capabilityRequested, .stopDeclared, .stopLifted, .ignored,
            .rejected:
            false
        }
    }

    /// The names under which an end by holder (``byHolder``) is kept and looked for: the person's, the assignment's.
    public var endedHolders: [PersonID] { [subject?.id, assignment?.holder].compactMap(\.self) }
}

extension Fact.Content {
    /// True for facts that say something of the approval they name.
    fileprivate var bearsOnApproval: Bool {
        switch self {
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .grantEnded, .grantDirect:
            true
        case .subjectInvalidated, .capabilityRequested, .stopDeclared, .stopLifted, .ignored, .rejected: false
        }
    }
}
