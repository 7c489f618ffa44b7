public import ClawWire
import IssuanceRules

/// Activations of Azure resource roles as the Azure activity log tells them, category `Administrative`, through Event
/// Hubs: a message with `records`, a bare record, or an array of records.
///
/// The records carry no signature and no end of the window: that comes from the audit log's record of the same request,
/// which has the same approval identifier here.
public enum AzureActivitySource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "azure.activity"

    /// Reads one record into one fact for each entry.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        VendorRecord.reading(record, configuration, vocabulary: vocabulary) { entry, index in
            [fact(entry, index, configuration)]
        }
    }

    private static func fact(_ entry: JSONValue, _ index: Int, _ configuration: SourceConfiguration) -> Fact {
        let properties = VendorRecord.object(entry, "properties")
        let digest = entry.canonicalDigest
        let eventID =
            EntraAuditRecord.identifierAsWritten(properties.flatMap { EntraAuditRecord.member($0, "EventID") })
            ?? "sha256:\(digest.b64u)"
        var base = Fact(
            recordIndex: index, source: vocabulary, sourceEventID: SourceEventID(eventID),
            occurredAt: EntraAuditRecord.member(entry, "time")?.string.flatMap(VendorTime.parse),
            content: WhyCode.malformed.rejected)
        base.recordDigest = digest
        guard let category = EntraAuditRecord.member(entry, "category")?.string else { return base }
        guard TextRules.folded(category) == "administrative" else {
            return base.with(WhyCode.notAuditCategory.ignored)
        }
        guard let operation = EntraAuditRecord.member(entry, "operationName")?.string else { return base }
        // Operations of resource providers, MICROSOFT.COMPUTE/…: not one of them is an approval.
        guard !operation.utf8.contains(UInt8(ascii: "/")) else { return base.with(WhyCode.notPIM.ignored) }
        guard let properties, let record = AzureActivityRecord(entry, properties) else { return base }
        return fact(record, EntraActivity(operation, of: .pim), base, configuration)
    }

    private static func fact(
        _ record: AzureActivityRecord, _ activity: EntraActivity, _ base: Fact, _ configuration: SourceConfiguration
    ) -> Fact {
        if case .ignored(let why) = activity { return base.with(why.ignored) }
        let tenant: String
        switch record.tenant(configuration) {
        case .success(let known): tenant = known
        case .failure(let why): return base.with(why.code.rejected)
        }
        guard record.isSuccess else { return base.with(WhyCode.resultNotSuccess.ignored) }
        guard base.occurredAt != nil else { return base.with(WhyCode.unparseableTime.rejected) }
        var fact = base
        fact.subject = record.subject
        fact.entitlement = record.entitlement
        fact.approvalID = record.requestID.map { ApprovalID("entra-pim/\(tenant)/\($0)") }
        return PIMFacts.complete(fact, activity, record, configuration)
    }
}
