public import ClawWire
import IssuanceRules

/// Microsoft Entra audit records as diagnostic settings deliver them through Event Hubs: a message with `records`, a
/// bare record, or an array of records.
///
/// The records carry no signature. What they say is trusted as far as the topic is, or confirmed by the vendor's API.
public enum EntraAuditSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "entra.audit"

    /// Reads one record into one fact for each entry.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        guard let value = record.value else { return NativeSource.tombstone(vocabulary) }
        do throws(SourceFault) {
            let entries = try entries(try parse(value, configuration.limits.json), configuration.limits)
            var facts: [Fact] = []
            facts.reserveCapacity(entries.count)
            for (index, entry) in entries.enumerated() { facts.append(fact(entry, index, configuration)) }
            if facts.isEmpty {
                facts.append(
                    Fact(
                        recordIndex: 0, source: vocabulary, sourceEventID: nil, occurredAt: nil,
                        content: WhyCode.emptyBatch.ignored))
            }
            let evidence: AuthenticityEvidence
            switch configuration.authenticity {
            case .topic: evidence = .topic
            case .confirmed: evidence = .confirmationNeeded
            case .signed: throw SourceFault(.unsigned, "audit records carry no signature")
            }
            return .facts(facts, evidence)
        } catch {
            return .deadLetter(error)
        }
    }

    /// A text cut in the middle of a surrogate pair is no reason to lose a message of many records: the tolerant
    /// reading is for that fault alone.
    private static func parse(_ value: [UInt8], _ limits: JSONLimits) throws(SourceFault) -> JSONValue {
        do {
            return try JSONReader.parse(value, limits: limits)
        } catch {
            guard error.code == .loneSurrogate else {
                throw SourceFault(
                    error.code == .tooLarge ? .tooLarge : .notJSON, field: "byte \(error.offset)",
                    "\(error.code.rawValue): \(error.description)")
            }
            return try JSONSource.parse(value, limits, duplicates: .keepLastValue)
        }
    }

    private static func entries(
        _ value: JSONValue, _ limits: SourceConfiguration.Limits
    ) throws(SourceFault) -> [JSONValue] {
        let entries: [JSONValue]
        if let array = value.array {
            entries = array
        } else if let records = EntraAuditRecord.member(value, "records") {
            guard let array = EntraAuditRecord.structured(records)?.array else {
                throw SourceFault(
                    .malformed, field: "records", "an array was expected, this is a \(records.typeName)")
            }
            entries = array
        } else if value.object != nil {
            entries = [value]
        } else {
            throw SourceFault(
                .malformed, "an object or an array of audit records was expected, this is a \(value.typeName)")
        }
        guard entries.count <= limits.maximumEntries else {
            throw SourceFault(.tooLarge, "\(entries.count) entries; at most \(limits.maximumEntries)")
        }
        return entries
    }

    private static func fact(_ entry: JSONValue, _ index: Int, _ configuration: SourceConfiguration) -> Fact {
        let properties = EntraAuditRecord.member(entry, "properties").flatMap(EntraAuditRecord.structured)
        let digest = entry.canonicalDigest
        let eventID =
            EntraAuditRecord.identifierAsWritten(properties.flatMap { EntraAuditRecord.member($0, "id") })
            ?? "sha256:\(digest.b64u)"
        let time = properties.flatMap { EntraAuditRecord.member($0, "activityDateTime")?.string }
        var base = Fact(
            recordIndex: index, source: vocabulary, sourceEventID: SourceEventID(eventID),
            occurredAt: time.flatMap(VendorTime.parse), content: WhyCode.malformed.rejected)
        base.recordDigest = digest
        guard let category = EntraAuditRecord.member(entry, "category")?.string else { return base }
        guard TextRules.folded(category) == "auditlogs" else { return base.with(WhyCode.notAuditCategory.ignored) }
        let tenant: String
        switch Self.tenant(of: entry, configuration) {
        case .success(let known): tenant = known
        case .failure(let why): return base.with(why.code.rejected)
        }
        guard let record = EntraAuditRecord(entry, limits: configuration.limits) else { return base }
        return fact(record, tenant, base, configuration)
    }

    private struct Refusal: Error {
        let code: WhyCode
    }

    /// The tenant, when the record and its resource agree on one that is allow-listed.
    private static func tenant(
        of entry: JSONValue, _ configuration: SourceConfiguration
    ) -> Result<String, Refusal> {
        guard let tenant = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "tenantId")),
            let resource = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "resourceId"))
        else { return .failure(Refusal(code: .tenantMismatch)) }
        let parts = resource.split(separator: "/")
        guard parts.count >= 2, parts[0] == "tenants", parts[1] == tenant else {
            return .failure(Refusal(code: .tenantMismatch))
        }
        guard configuration.tenants.contains(tenant) else { return .failure(Refusal(code: .unknownTenant)) }
        return .success(tenant)
    }

    private static func fact(
        _ record: EntraAuditRecord, _ tenant: String, _ base: Fact, _ configuration: SourceConfiguration
    ) -> Fact {
        let activity = EntraActivity(record.activityName, of: record.service)
        if case .ignored(let why) = activity { return base.with(why.ignored) }
        guard record.isSuccess else { return base.with(WhyCode.resultNotSuccess.ignored) }
        guard base.occurredAt != nil else { return base.with(WhyCode.unparseableTime.rejected) }
        var fact = base
        fact.subject = record.subject
        fact.entitlement = record.entitlement
        let prefix = record.service == .entitlementManagement ? "entra-em" : "entra-pim"
        fact.approvalID = record.requestID.map { ApprovalID("\(prefix)/\(tenant)/\($0)") }
        return complete(fact, activity, record, configuration)
    }

    private static func complete(
        _ initial: Fact, _ activity: EntraActivity, _ record: EntraAuditRecord, _ configuration: SourceConfiguration
    ) -> Fact {
        var fact = initial
        switch activity {
        case .ignored(let why): return fact.with(why.ignored)
        case .opened:
            fact.requester = person(record.initiator)
            fact.justification = record.justification
            fact.ticket = record.ticket
            return demandRequest(fact.with(.requestOpened))
        case .routed: return demandRequest(fact.with(.requestRouted))
        case .approved:
            fact.approverJustification = record.justification
            return demandRequest(fact.with(.decisionApproved(approver: record.initiator)))
        case .denied:
            fact.approverJustification = record.justification
            return demandRequest(fact.with(.decisionDenied(approver: record.initiator)))
        case .timedOut: return demandRequest(fact.with(.decisionTimedOut))
        case .canceled: return demandRequest(fact.with(.decisionCanceled))
        case .started:
            fact.requester = person(record.initiator)
            return window(fact, record) { fact, notBefore, notAfter in
                demandRequest(fact.with(.grantStarted(notBefore: notBefore, notAfter: notAfter)))
            }
        case .changed:
            return window(fact, record) { fact, notBefore, notAfter in
                demandRequest(fact.with(.grantChanged(notBefore: notBefore, notAfter: notAfter)))
            }
        case .direct(let outsidePIM):
            return window(fact, record) { fact, notBefore, notAfter in
                fact.with(
                    .grantDirect(
                        assignedBy: record.initiator, outsidePIM: outsidePIM, notBefore: notBefore,
                        notAfter: notAfter))
            }
        case .ended(let reason): return demandHolder(fact.with(.grantEnded(reason)))
        case .eligibilityEnded:
            // The request of the removal is not the request of the activations that rest on the eligibility.
            if fact.subject != nil, fact.entitlement != nil { fact.approvalID = nil }
            return demandHolder(fact.with(.grantEnded(.eligibilityRemoved)))
        case .removedFromRoleInDirectory:
            fact.approvalID = nil
            fact.entitlement = record.directoryRole
            return demandHolder(fact.with(.grantEnded(.removedInDirectory)))
        case .removedFromGroupInDirectory(let scope):
            fact.approvalID = nil
            fact.entitlement = record.directoryGroup(scope: scope)
            if let entitlement = fact.entitlement, let mapping = configuration.mapping,
                mapping.entitlements.entry(for: entitlement) == nil
            {
                fact.entitlement = nil
                fact.subject = nil
                return fact.with(WhyCode.groupNotMapped.ignored)
            }
            return demandHolder(fact.with(.grantEnded(.removedInDirectory)))
        case .subjectInvalidated(let reason):
            fact.approvalID = nil
            fact.entitlement = nil
            return fact.subject == nil
                ? fact.with(WhyCode.noSubject.rejected) : fact.with(.subjectInvalidated(reason: reason))
        }
    }

    /// Adds window, text and ticket. A time that is there and does not parse rejects the entry; one that is missing
    /// leaves the window open, which holds the approval.
    private static func window(
        _ initial: Fact, _ record: EntraAuditRecord, _ content: (Fact, Timestamp?, Timestamp?) -> Fact
    ) -> Fact {
        var times: [Timestamp?] = []
        for text in [record.detail("StartTime", "StartDateTime"), record.detail("ExpirationTime", "EndDateTime")] {
            let time = text.flatMap(VendorTime.parse)
            guard text == nil || time != nil else { return initial.with(WhyCode.unparseableTime.rejected) }
            times.append(time)
        }
        var fact = initial
        fact.justification = record.justification
        fact.ticket = record.ticket
        return content(fact, times[0], times[1])
    }

    private static func person(_ actor: Actor?) -> Actor? { actor?.kind == .human ? actor : nil }

    private static func demandRequest(_ fact: Fact) -> Fact {
        fact.approvalID == nil ? fact.with(WhyCode.noRequestID.rejected) : fact
    }

    /// An end must name a request, or a subject and an entitlement.
    private static func demandHolder(_ fact: Fact) -> Fact {
        guard fact.approvalID == nil else { return fact }
        if fact.subject == nil { return fact.with(WhyCode.noSubject.rejected) }
        return fact.entitlement == nil ? fact.with(WhyCode.noEntitlement.rejected) : fact
    }
}
