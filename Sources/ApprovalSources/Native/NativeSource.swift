public import ClawWire
import IssuanceRules

/// Our own events: decisions, stops, lifts, requests, and human approval receipts.
public enum NativeSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "claw.native"

    /// Reads one record: a CloudEvent in either mode, or a bare `human_approval_receipt` envelope.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        guard let value = record.value else { return tombstone(vocabulary) }
        let authentication = Authentication(configuration: configuration)
        let event: CloudEvent
        do throws(SourceFault) {
            guard CloudEvent.mode(of: record) != nil else {
                return try bare(try JSONSource.parse(value, configuration.limits.json), authentication)
            }
            event = try Self.event(of: record, configuration)
        } catch {
            return configuration.unreadableIsStop && error.reason.isUnreadable
                ? unreadableStop(record, value, at: now) : .deadLetter(error)
        }
        do throws(SourceFault) {
            return try read(event, authentication, &signatures, vocabulary: vocabulary)
        } catch {
            return .deadLetter(error)
        }
    }

    private static func unreadableStop(_ record: SourceRecord, _ value: [UInt8], at now: Timestamp) -> SourceReading {
        var fact = Fact(
            recordIndex: 0, source: vocabulary,
            sourceEventID: SourceEventID("\(record.topic)/\(record.partition)/\(record.offset)"),
            occurredAt: record.timestamp ?? now, content: .stopDeclared(NativeStop.unreadable(record)))
        fact.recordDigest = Digest(hashing: value)
        return .facts([fact], .topic)
    }

    /// The event of a record. A binary event whose data is unreadable keeps its attributes, so that a stop of a
    /// trusted emitter is still known as one.
    private static func event(
        of record: SourceRecord, _ configuration: SourceConfiguration
    ) throws(SourceFault) -> CloudEvent {
        do throws(SourceFault) {
            return try CloudEvent(record: record, limits: configuration.limits)
        } catch {
            guard CloudEvent.mode(of: record) == .binary, error.reason == .notJSON || error.reason == .tooLarge,
                record.header("ce_type").map({ $0.elementsEqual(EventType.stopDeclared.utf8) }) == true
            else { throw error }
            var attributes = record
            attributes.value = nil
            var event = try CloudEvent(record: attributes, limits: configuration.limits)
            event.data = .bytes(record.value ?? [])
            return event
        }
    }

    static func tombstone(_ vocabulary: String) -> SourceReading {
        let fact = Fact(
            recordIndex: 0, source: vocabulary, sourceEventID: nil, occurredAt: nil,
            content: WhyCode.tombstone.ignored)
        return .facts([fact], .topic)
    }

    /// Reads an event of any of our types.
    static func read(
        _ event: CloudEvent, _ authentication: Authentication, _ signatures: inout BatchSignatureCache,
        vocabulary: String
    ) throws(SourceFault) -> SourceReading {
        let configuration = authentication.configuration
        let isControl = event.type == EventType.stopDeclared || event.type == EventType.stopLifted
        let isTrusted =
            isControl
            ? configuration.trustedStopSources.contains(event.source)
            : configuration.trustedSources?.contains(event.source) ?? true
        var base = Fact(
            recordIndex: 0, source: vocabulary, sourceEventID: eventID(event, configuration),
            occurredAt: event.occurredAt, content: WhyCode.untrustedSource.rejected)
        guard isTrusted else { return .facts([base], .topic) }
        if event.type == EventType.receipt { return try receipt(event, authentication) }
        let canonical = event.canonicalBytes
        let digest = Digest(hashing: canonical)
        let proof = try authentication.prove(event, canonical, digest, signatures: &signatures)
        base.recordDigest = digest
        switch event.type {
        case EventType.decision:
            return .facts(try decision(event, base, authentication, proof.signer), proof.evidence)
        case EventType.capabilityRequest:
            return .facts([try request(event, base, authentication, proof.signer)], proof.evidence)
        case EventType.stopDeclared:
            try authentication.authorize(.stop, jobClass: nil, signer: proof.signer)
            base.content = .stopDeclared(NativeStop.declaration(event))
            return .facts([base], proof.evidence)
        case EventType.stopLifted:
            try authentication.authorize(.lift, jobClass: nil, signer: proof.signer)
            base.content = .stopLifted(try NativeStop.lift(event))
            return .facts([base], proof.evidence)
        default:
            throw SourceFault(.unsupportedType, field: "type", "the source knows no such type of event")
        }
    }

    private static func eventID(_ event: CloudEvent, _ configuration: SourceConfiguration) -> SourceEventID {
        switch configuration.eventIdentity {
        case .id: SourceEventID(event.id)
        case .sourceAndID: SourceEventID(event.source + " " + event.id)
        }
    }

    private static func request(
        _ event: CloudEvent, _ base: Fact, _ authentication: Authentication, _ signer: SourceConfiguration.Signer?
    ) throws(SourceFault) -> Fact {
        guard let data = event.json else {
            throw SourceFault(.malformed, field: "data", "JSON data was expected")
        }
        let request = try CapabilityRequestDocument.decode(data, path: "data")
        try authentication.authorize(.request, jobClass: request.jobClass, signer: signer)
        return CapabilityRequestSource.fact(
            request, eventID: base.sourceEventID ?? SourceEventID(event.id), digest: base.recordDigest,
            vocabulary: base.source)
    }

    private static func decision(
        _ event: CloudEvent, _ base: Fact, _ authentication: Authentication, _ signer: SourceConfiguration.Signer?
    ) throws(SourceFault) -> [Fact] {
        guard let data = event.json else {
            throw SourceFault(.malformed, field: "data", "JSON data was expected")
        }
        guard let occurredAt = event.occurredAt else {
            throw SourceFault(.unparseableTime, field: "time", "a decision needs an RFC 3339 time")
        }
        let decision = try NativeDecision(data, limits: authentication.configuration.limits)
        let request = try decision.request.map { document throws(SourceFault) in
            try CapabilityRequestDocument.decode(document, path: "data.request", containedIn: decision.approvalID)
        }
        if let request, request.approvalID != decision.approvalID {
            return [base.with(WhyCode.requestNamesOtherApproval.rejected)]
        }
        if let jobClass = decision.jobClass, let request, request.jobClass != jobClass {
            throw SourceFault(.invalidValue, field: "data.job_class", "it is not the job class of the request")
        }
        let jobClass =
            request?.jobClass ?? decision.jobClass
            ?? decision.entitlement.flatMap { authentication.configuration.mapping?.jobClass(of: $0) }
        try authentication.authorize(.approve, jobClass: jobClass, signer: signer)
        if decision.verdict == .approved, decision.answers.isEmpty {
            return [base.with(WhyCode.noApprover.rejected)]
        }
        var common = base
        common.occurredAt = occurredAt
        common.approvalID = decision.approvalID
        common.requester = decision.requester
        common.subject = decision.subject ?? decision.requester
        common.entitlement = decision.entitlement
        common.justification = TextRules.justification(decision.justification)
        common.ticket = decision.ticket
        common.budget = decision.budget
        common.jobClass = request?.jobClass ?? decision.jobClass
        return facts(of: decision, request, common)
    }

    private static func facts(
        of decision: NativeDecision, _ request: CapabilityRequest?, _ common: Fact
    ) -> [Fact] {
        var facts: [Fact] = []
        func add(_ content: Fact.Content, _ answer: NativeDecision.Answer? = nil) {
            var fact = common
            if !facts.isEmpty {
                // Every fact needs an identifier of its own, or the repeat detection would take it for the first.
                fact.sourceEventID = common.sourceEventID.map { SourceEventID("\($0)#\(facts.count)") }
            }
            fact.occurredAt = answer?.decidedAt ?? common.occurredAt
            fact.approverJustification = TextRules.justification(answer?.justification)
            fact.content = content
            facts.append(fact)
        }
        switch decision.verdict {
        case .approved:
            for answer in decision.answers { add(.decisionApproved(approver: answer.approver), answer) }
            if decision.notBefore != nil || decision.notAfter != nil {
                add(.grantStarted(notBefore: decision.notBefore, notAfter: decision.notAfter))
            }
        case .denied: add(.decisionDenied(approver: decision.answers.first?.approver), decision.answers.first)
        case .canceled: add(.decisionCanceled)
        case .timedOut: add(.decisionTimedOut)
        case .ended: add(.grantEnded(decision.endReason))
        case .started: add(.grantStarted(notBefore: decision.notBefore, notAfter: decision.notAfter))
        }
        if let request { add(.capabilityRequested(request)) }
        return facts
    }

    // MARK: Receipts

    private static func bare(
        _ document: JSONValue, _ authentication: Authentication
    ) throws(SourceFault) -> SourceReading {
        guard document["envelope_type"]?.string == "human_approval_receipt" else {
            throw SourceFault(
                .notACloudEvent, "the record is neither a CloudEvent nor a human_approval_receipt envelope")
        }
        return try receipt(envelope: document, data: nil, authentication)
    }

    private static func receipt(
        _ event: CloudEvent, _ authentication: Authentication
    ) throws(SourceFault) -> SourceReading {
        guard let data = event.json else {
            throw SourceFault(.malformed, field: "data", "JSON data was expected")
        }
        let reader = try FieldReader(data, path: "data")
        try reader.refuseMembers(besides: ["receipt", "request"])
        return try receipt(
            envelope: try reader.required(reader.value("receipt"), "receipt"), data: reader, authentication)
    }

    private static func receipt(
        envelope: JSONValue, data: FieldReader?, _ authentication: Authentication
    ) throws(SourceFault) -> SourceReading {
        let receipt = try ReceiptEvidence(envelope: envelope, authentication: authentication)
        let own = ApprovalID("receipt/\(receipt.receiptID)")
        let request = try data?.value("request").map { document throws(SourceFault) in
            try receipt.request(document, approvalID: own)
        }
        try authentication.authorize(.approve, jobClass: request?.jobClass, signer: receipt.signer)
        let approvalID = request?.approvalID ?? own
        var facts = receipt.facts(approvalID: approvalID, request: request)
        if let request {
            facts.append(
                CapabilityRequestSource.fact(
                    request, eventID: SourceEventID("\(receipt.receiptID)#\(facts.count)"), digest: receipt.digest,
                    vocabulary: vocabulary))
        }
        return .facts(facts, .signed(by: receipt.signer.publicKey, form: .receipt))
    }
}

extension Fact {
    /// True for a record that is not ours or changes nothing.
    var isIgnored: Bool { if case .ignored = content { true } else { false } }

    func with(_ content: Content) -> Fact {
        var fact = self
        fact.content = content
        return fact
    }
}

extension DeadLetterReason {
    /// True for faults of form, which leave open what the record was meant to say; false for faults of proof and
    /// right, which must never stop anything.
    var isUnreadable: Bool {
        switch self {
        case .tooLarge, .notJSON, .malformed, .notACloudEvent, .invalidAttribute, .unsupportedType, .missingMember,
            .unknownMember, .wrongType, .invalidValue, .unparseableTime:
            true
        case .unsigned, .malformedSignature, .unknownSigner, .signatureInvalid, .signatureOutOfTime, .batchProofInvalid,
            .signerNotAllowed, .jobClassUnknown, .jobClassNotAllowed, .preflightRequest, .receiptMismatch:
            false
        }
    }
}
