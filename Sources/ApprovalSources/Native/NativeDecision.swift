public import ClawWire
public import IssuanceRules

/// The data of an event `com.clawbureau.approval.decision.v1`: the normalized decision.
public struct NativeDecision: Sendable, Hashable {
    /// What was decided. The text is the wire form.
    public enum Verdict: String, Sendable, Hashable, CaseIterable {
        /// The listed people said yes.
        case approved
        /// An approver said no. Final.
        case denied
        /// The requester took the question back. Final.
        case canceled
        /// Nobody answered in time. Final.
        case timedOut = "timed_out"
        /// What was approved is over before its window ends.
        case ended
        /// The approved window began, where that is told apart from the approval. Approves nothing by itself.
        case started
    }

    /// One approver's answer.
    public struct Answer: Sendable, Hashable {
        /// Who answered.
        public var approver: Actor
        /// When; `nil` stands for the event's time.
        public var decidedAt: Timestamp?
        /// The approver's text.
        public var justification: String?
        /// Makes an answer.
        public init(approver: Actor, decidedAt: Timestamp? = nil, justification: String? = nil) {
            self.approver = approver
            self.decidedAt = decidedAt
            self.justification = justification
        }
    }

    /// The approval.
    public var approvalID: ApprovalID
    /// What was decided.
    public var verdict: Verdict
    /// Who asked.
    public var requester: Actor?
    /// Whom the approval is for; `nil` stands for the requester.
    public var subject: Actor?
    /// Who answered.
    public var answers: [Answer]
    /// What is granted.
    public var entitlement: Entitlement?
    /// The job class, for emitters that know it.
    public var jobClass: JobClass?
    /// Start of the approved window.
    public var notBefore: Timestamp?
    /// End of the approved window.
    public var notAfter: Timestamp?
    /// The requester's text.
    public var justification: String?
    /// The ticket.
    public var ticket: Ticket?
    /// Why an ``Verdict/ended`` approval ended.
    public var endReason: Fact.EndReason
    /// How much the calls of the jobs that rest on the approval may use.
    public var budget: Budget?
    /// The contained request, as it was written.
    public var request: JSONValue?

    /// Makes a decision; set the optional members afterwards.
    public init(approvalID: ApprovalID, verdict: Verdict, requester: Actor? = nil, answers: [Answer] = []) {
        self.approvalID = approvalID
        self.verdict = verdict
        self.requester = requester
        self.answers = answers
        endReason = .deactivated
    }

    /// Reads the event's data. Members that the format does not know are left aside; the contained request is strict.
    ///
    /// - Throws: ``SourceFault`` with the member at fault.
    public init(_ data: JSONValue, limits: SourceConfiguration.Limits = .init()) throws(SourceFault) {
        let reader = try FieldReader(data, path: "data")
        let id = try reader.required(
            try reader.identifier("approval_id", maximumBytes: limits.maximumIdentifierBytes), "approval_id")
        guard let verdict = Verdict(rawValue: try reader.required(try reader.string("decision"), "decision")) else {
            throw SourceFault(
                .invalidValue, field: reader.name("decision"),
                "\(Verdict.allCases.map(\.rawValue).joined(separator: ", ")) was expected")
        }
        self.init(approvalID: ApprovalID(id), verdict: verdict, requester: try reader.actor("requester"))
        subject = try reader.actor("subject")
        for (i, element) in (try reader.array("approvers", maximumCount: limits.maximumListMembers) ?? []).enumerated()
        {
            let approver = try FieldReader(element, path: "data.approvers[" + String(i) + "]")
            answers.append(
                Answer(
                    approver: try approver.actor(), decidedAt: try approver.time("decided_at"),
                    justification: try approver.string("justification", maximumBytes: limits.json.maximumStringBytes)))
        }
        entitlement = try reader.object("entitlement").map { reader throws(SourceFault) in
            try Self.entitlement(reader)
        }
        jobClass = try reader.identifier("job_class", maximumBytes: 128).map { JobClass($0) }
        notBefore = try reader.time("not_before")
        notAfter = try reader.time("not_after")
        justification = try reader.string("justification", maximumBytes: limits.json.maximumStringBytes)
        if let ticket = try reader.object("ticket") {
            self.ticket = Ticket(
                system: try ticket.string("system", maximumBytes: 128).map(TextRules.storable),
                number: try ticket.string("number", maximumBytes: 128).map(TextRules.storable))
        }
        if let reason = try reader.string("end_reason") {
            guard let known = Fact.EndReason(rawValue: reason) else {
                throw SourceFault(.invalidValue, field: reader.name("end_reason"), "an unknown reason")
            }
            endReason = known
        }
        if let value = reader.value("budget") {
            do {
                budget = try Budget(json: value)
            } catch {
                let field = error.field.isEmpty ? "budget" : "budget.\(error.field)"
                throw SourceFault(.invalidValue, field: reader.name(field), "\(error.expected) was expected")
            }
        }
        request = reader.value("request")
    }

    private static func entitlement(_ reader: FieldReader) throws(SourceFault) -> Entitlement {
        let text = try reader.required(try reader.string("kind"), "kind")
        guard let kind = Entitlement.Kind(rawValue: text) else {
            throw SourceFault(.invalidValue, field: reader.name("kind"), "an unknown kind of entitlement")
        }
        return Entitlement(
            kind: kind, id: try reader.required(try reader.identifier("id"), "id"),
            scope: try reader.identifier("scope", maximumBytes: 1_024),
            name: try reader.string("name").map(TextRules.storable))
    }

    /// The event's data.
    public var json: JSONValue {
        var object: JSONObject = [
            "approval_id": .string(approvalID.rawValue), "decision": .string(verdict.rawValue),
        ]
        object["requester"] = requester.map(\.json)
        object["subject"] = subject.map(\.json)
        object["approvers"] = .array(
            answers.map { answer in
                guard case .object(var object) = answer.approver.json else { return .null }
                object["decided_at"] = answer.decidedAt.map { .string($0.iso8601) }
                object["justification"] = answer.justification.map { .string($0) }
                return .object(object)
            })
        object["entitlement"] = entitlement.map(\.json)
        object["job_class"] = jobClass.map { .string($0.rawValue) }
        object["not_before"] = notBefore.map { .string($0.iso8601) }
        object["not_after"] = notAfter.map { .string($0.iso8601) }
        object["justification"] = justification.map { .string($0) }
        object["ticket"] = ticket.map(FactDocument.ticket)
        if verdict == .ended { object["end_reason"] = .string(endReason.rawValue) }
        object["budget"] = budget.map(\.json)
        object["request"] = request
        return .object(object)
    }

    /// The decision as an event, not signed yet.
    public func event(id: String, source: String, at time: Timestamp) -> CloudEvent {
        var event = CloudEvent(
            id: id, source: source, type: EventType.decision, subject: approvalID.rawValue, time: time,
            data: .json(json))
        event.extensions["partitionkey"] = .string(approvalID.rawValue)
        event.extensions["expirytime"] = notAfter.map { .string($0.iso8601) }
        return event
    }
}
