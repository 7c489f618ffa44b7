import ApprovalSources
import ClawWire
import IssuanceRules

/// What a webhook's body is worth as evidence, in every event that is made of it.
struct WebhookEvidence: Sendable, Hashable {
    /// The bridge's source.
    let source: String
    /// Vocabulary of the vendor.
    let kind: String
    /// The vendor's name of the delivery.
    let delivery: String?
    /// The secret or key set that proved it.
    let key: String
    /// SHA-256 of the body, byte for byte.
    let bodyDigest: Digest
    /// When it came.
    let receivedAt: Timestamp

    /// The member `evidence` of an event's data.
    var json: JSONValue {
        var object: JSONObject = ["source": .string(source), "kind": .string(kind)]
        object["delivery_id"] = delivery.map { .string($0) }
        object["header_key"] = .string(key)
        object["body_sha256"] = .string(bodyDigest.hex)
        object["received_at"] = .string(receivedAt.iso8601)
        return .object(object)
    }
}

/// Turns the facts of a vendor's record into events of our own: the one place that knows both.
///
/// A kind of source that reads webhooks into facts works here without a line of its own. What has no native form is
/// refused, never dropped: it may be a revocation.
struct NativeTranslation {
    /// Why facts cannot be told as native events. The text is the code in answers and metrics.
    enum Refusal: String, Error, Sendable, Hashable, CaseIterable {
        /// Every entry was rejected by the mapping of the source.
        case rejected
        /// A fact that no native event can say: an invalidation, an end by subject alone, a lift, a change of a window,
        /// a request without an approval.
        case noNativeForm = "no_native_form"
        /// A fact without a time or an approval.
        case incomplete
    }

    /// An event and the key of its record.
    struct Translated: Sendable, Hashable {
        let event: CloudEvent
        let key: String
    }

    /// CloudEvents `source` of the events.
    let eventSource: String
    let evidence: WebhookEvidence

    /// The events of a record's facts; none when the record changes nothing.
    func events(of facts: [Fact]) throws(Refusal) -> [Translated] {
        var events: [Translated] = []
        var groups: [(approval: ApprovalID, facts: [Fact])] = []
        var rejected = 0
        for fact in facts {
            switch fact.content {
            case .ignored, .requestOpened, .requestRouted, .grantDirect: continue
            case .rejected: rejected += 1
            case .stopDeclared(let stop): events.append(try self.stop(stop, fact))
            case .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled, .grantStarted, .grantEnded,
                .capabilityRequested:
                guard let approval = fact.approvalID else {
                    if case .grantEnded = fact.content { throw .noNativeForm }
                    if case .capabilityRequested = fact.content { throw .noNativeForm }
                    throw .incomplete
                }
                if let i = groups.firstIndex(where: {
                    $0.approval == approval && $0.facts[0].recordIndex == fact.recordIndex
                }) {
                    groups[i].facts.append(fact)
                } else {
                    groups.append((approval, [fact]))
                }
            case .grantChanged, .subjectInvalidated, .stopLifted: throw .noNativeForm
            }
        }
        for group in groups { events += try decisions(group.approval, group.facts) }
        if events.isEmpty, rejected > 0 { throw .rejected }
        return Self.withDistinctIdentifiers(events)
    }

    /// Two events of one identifier would be taken for a repeat downstream.
    private static func withDistinctIdentifiers(_ events: [Translated]) -> [Translated] {
        var seen: Set<String> = []
        return events.enumerated().map { index, translated in
            guard !seen.insert(translated.event.id).inserted else { return translated }
            var event = translated.event
            event.id = "\(event.id)#\(index)"
            return Translated(event: event, key: translated.key)
        }
    }

    // MARK: Decisions

    /// One event for what an entry says of an approval: the approval with its window, or one for each other word.
    private func decisions(_ approval: ApprovalID, _ facts: [Fact]) throws(Refusal) -> [Translated] {
        var events: [Translated] = []
        var answers: [NativeDecision.Answer] = []
        var approved: Fact?
        var request: CapabilityRequest?
        var window: (fact: Fact, notBefore: Timestamp?, notAfter: Timestamp?)?
        for fact in facts {
            switch fact.content {
            case .decisionApproved(let approver):
                approved = approved ?? fact
                answers += self.answers(approver, fact)
            case .grantStarted(let notBefore, let notAfter): window = (fact, notBefore, notAfter)
            case .decisionDenied(let approver):
                var decision = decision(approval, .denied, fact)
                decision.answers = approver == nil && fact.approvers.isEmpty ? [] : self.answers(approver, fact)
                events.append(try translated(decision, fact))
            case .decisionTimedOut: events.append(try translated(decision(approval, .timedOut, fact), fact))
            case .decisionCanceled: events.append(try translated(decision(approval, .canceled, fact), fact))
            case .grantEnded(let reason):
                var decision = decision(approval, .ended, fact)
                decision.endReason = reason
                events.append(try translated(decision, fact))
            case .capabilityRequested(let contained): request = contained
            case .requestOpened, .requestRouted, .grantChanged, .grantDirect, .subjectInvalidated, .stopDeclared,
                .stopLifted, .ignored, .rejected:
                continue
            }
        }
        if let fact = approved ?? window?.fact {
            var decision = decision(approval, approved == nil ? .started : .approved, fact)
            decision.answers = answers
            decision.request = request.map { CapabilityRequestDocument.encode($0) }
            decision.notBefore = window?.notBefore
            decision.notAfter = window?.notAfter
            // The window is as old as its own fact says, which moved dates must not make younger; answers have times of
            // their own.
            events.insert(try translated(decision, fact, at: window?.fact.occurredAt), at: 0)
        } else if request != nil, events.isEmpty {
            // A request by itself is its own source's to bring.
            throw .noNativeForm
        }
        return events
    }

    /// Everyone who answered as a fact says, each once.
    private func answers(_ approver: Actor?, _ fact: Fact) -> [NativeDecision.Answer] {
        var people: [Actor] = []
        for person in [approver].compactMap(\.self) + fact.approvers
        where !people.contains(where: { $0.id == person.id }) {
            people.append(person)
        }
        // An approval without a name is the system's word, which counts for nobody.
        if people.isEmpty { people = [Actor(id: PersonID("unknown"), kind: .system)] }
        return people.enumerated().map { index, person in
            // One text came with them all; it is told once.
            NativeDecision.Answer(
                approver: person, decidedAt: fact.occurredAt,
                justification: index == 0 ? fact.approverJustification?.text : nil)
        }
    }

    private func decision(_ approval: ApprovalID, _ verdict: NativeDecision.Verdict, _ fact: Fact) -> NativeDecision {
        var decision = NativeDecision(approvalID: approval, verdict: verdict, requester: fact.requester)
        decision.subject = fact.subject
        decision.entitlement = fact.entitlement
        decision.jobClass = fact.jobClass
        decision.justification = fact.justification?.text
        decision.ticket = fact.ticket
        decision.budget = fact.budget
        return decision
    }

    private func translated(
        _ decision: NativeDecision, _ fact: Fact, at other: Timestamp? = nil
    ) throws(Refusal) -> Translated {
        guard let time = fact.occurredAt else { throw .incomplete }
        var event = decision.event(id: id(fact), source: eventSource, at: other ?? time)
        event.data = .json(withEvidence(decision.json))
        return Translated(event: event, key: decision.approvalID.rawValue)
    }

    // MARK: Stops

    private func stop(_ stop: StopDeclaration, _ fact: Fact) throws(Refusal) -> Translated {
        let event = CloudEvent(
            id: id(fact), source: eventSource, type: EventType.stopDeclared,
            // A stop without a time of its own is as old as its arrival: it must not wait for one.
            subject: stop.scope.text, time: fact.occurredAt ?? evidence.receivedAt,
            data: .json(withEvidence(NativeStop.json(stop))))
        return Translated(event: event, key: stop.scope.text)
    }

    /// The vendor's own name of what happened, so that another delivery of it is the same event downstream.
    private func id(_ fact: Fact) -> String {
        fact.sourceEventID?.rawValue ?? "sha256:\(evidence.bodyDigest.hex)#\(fact.recordIndex)"
    }

    private func withEvidence(_ data: JSONValue) -> JSONValue {
        guard case .object(var object) = data else { return data }
        object["evidence"] = evidence.json
        return .object(object)
    }
}
