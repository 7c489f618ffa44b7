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
            for (index, entry) in entries.enumerated() {
                var read = fact(entry, index, configuration)
                // What is passed over is no evidence: most of a stream costs no digest.
                if read.recordDigest == nil, !read.isIgnored || read.changesSettings {
                    read.recordDigest = entry.canonicalDigest
                }
                facts.append(read)
            }
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

    /// A byte order mark, a repeated key in one record or a text cut in the middle of a surrogate pair is no reason to
    /// lose a message of many records. Of a repeated key the last value counts, as for every other reader of the stream.
    static func parse(_ value: [UInt8], _ limits: JSONLimits) throws(SourceFault) -> JSONValue {
        try JSONSource.parse(
            JSONSource.withoutMark(value), limits, duplicates: .keepLastValue, loneSurrogates: .replace)
    }

    static func entries(
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
        let eventID = EntraAuditRecord.identifierAsWritten(properties.flatMap { EntraAuditRecord.member($0, "id") })
        let digest = eventID == nil ? entry.canonicalDigest : nil
        let time = properties.flatMap { EntraAuditRecord.member($0, "activityDateTime")?.string }
        var base = Fact(
            recordIndex: index, source: vocabulary,
            sourceEventID: SourceEventID(eventID ?? "sha256:\(digest?.b64u ?? "")"),
            occurredAt: time.flatMap(VendorTime.parse), content: WhyCode.malformed.rejected)
        base.recordDigest = digest
        guard let category = EntraAuditRecord.member(entry, "category")?.string else { return base }
        guard TextRules.isFolded(category, "auditlogs") else { return base.with(WhyCode.notAuditCategory.ignored) }
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

    /// True for `/tenants/TENANT` and what lies under it.
    private static func isOf(_ tenant: String, _ resource: String) -> Bool {
        let root = "/tenants/"
        guard resource.hasPrefix(root) else { return false }
        let rest = resource.utf8.dropFirst(root.utf8.count)
        return rest.starts(with: tenant.utf8)
            && (rest.count == tenant.utf8.count || rest.dropFirst(tenant.utf8.count).first == UInt8(ascii: "/"))
    }

    /// The tenant, when the record and its resource agree on one that is allow-listed.
    private static func tenant(
        of entry: JSONValue, _ configuration: SourceConfiguration
    ) -> Result<String, Refusal> {
        guard let tenant = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "tenantId")),
            let resource = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "resourceId"))
        else { return .failure(Refusal(code: .tenantMismatch)) }
        guard isOf(tenant, resource) else { return .failure(Refusal(code: .tenantMismatch)) }
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
        fact.entitlement = record.entitlement(configuration.mapping?.entitlements)
        let prefix = record.service == .entitlementManagement ? "entra-em" : "entra-pim"
        fact.approvalID = record.requestID.map { ApprovalID("\(prefix)/\(tenant)/\($0)") }
        return PIMFacts.complete(fact, activity, record, configuration)
    }
}
