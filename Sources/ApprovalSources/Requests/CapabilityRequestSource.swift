public import ClawWire
import IssuanceRules

/// The requests topic: a capability request as a CloudEvent in either mode, or as bare JSON.
public enum CapabilityRequestSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "claw.request"

    /// Reads one record into one `capabilityRequested` fact.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        guard let value = record.value else { return NativeSource.tombstone(vocabulary) }
        do throws(SourceFault) {
            let authentication = Authentication(configuration: configuration)
            guard CloudEvent.mode(of: record) == nil else {
                let event = try CloudEvent(record: record, limits: configuration.limits)
                guard event.type == EventType.capabilityRequest else {
                    throw SourceFault(.unsupportedType, field: "type", "a capability request was expected")
                }
                return try NativeSource.read(event, authentication, &signatures, vocabulary: vocabulary)
            }
            guard record.headers.count <= configuration.limits.maximumHeaders else {
                throw SourceFault(
                    .tooLarge, field: "headers", "more than \(configuration.limits.maximumHeaders) headers")
            }
            let document = try JSONSource.parse(value, configuration.limits.json)
            let proof = try authentication.prove(document, in: record)
            let request = try CapabilityRequestDocument.decode(document)
            try authentication.authorize(.request, jobClass: request.jobClass, signer: proof.signer)
            let fact = fact(
                request, eventID: SourceEventID(request.requestID.rawValue), digest: document.canonicalDigest)
            return .facts([fact], proof.evidence)
        } catch {
            return .deadLetter(error)
        }
    }

    /// The fact of a request.
    static func fact(
        _ request: CapabilityRequest, eventID: SourceEventID, digest: Digest?, vocabulary: String = vocabulary
    ) -> Fact {
        var fact = Fact(
            recordIndex: 0, source: vocabulary, sourceEventID: eventID, occurredAt: request.requestedAt,
            approvalID: request.approvalID, content: .capabilityRequested(request))
        fact.subject = request.subject.map { Actor(id: $0) }
        fact.justification = TextRules.justification(request.reason)
        fact.ticket = request.ticketNumber.map { Ticket(system: nil, number: $0) }
        fact.jobClass = request.jobClass
        fact.recordDigest = digest
        return fact
    }
}
