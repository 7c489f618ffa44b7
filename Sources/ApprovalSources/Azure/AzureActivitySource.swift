public import ClawWire
import IssuanceRules

/// Activations of Azure resource roles as the Azure activity log tells them, category `Administrative`, through Event
/// Hubs: a message with `records`, a bare record, or an array of records.
///
/// The records carry no signature and no end of the window: that comes from the audit log's record of the same request,
/// which has the same approval identifier here.
///
/// A role assignment that is deleted past Privileged Identity Management is told by its path alone, which the record of
/// the activation named: it ends what that led to.
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
        if TextRules.isFolded(operation, removal) { return removed(entry, properties, base, configuration) }
        if settingChanges.contains(TextRules.folded(operation)) {
            return settingsChanged(entry, properties, base, configuration)
        }
        // Operations of resource providers, MICROSOFT.COMPUTE/…: not one of them is an approval.
        guard !operation.utf8.contains(UInt8(ascii: "/")) else { return base.with(WhyCode.notPIM.ignored) }
        guard let properties, let record = AzureActivityRecord(entry, properties) else { return base }
        return fact(record, EntraActivity(operation, of: .pim), base, configuration)
    }

    /// A role assignment of the resource provider's own that is gone.
    private static let removal = "microsoft.authorization/roleassignments/delete"

    /// What decides whether a role of a resource has to be approved, and by whom, is written or gone.
    private static let settingChanges: Set = [
        "microsoft.authorization/rolemanagementpolicies/write",
        "microsoft.authorization/rolemanagementpolicies/delete",
        "microsoft.authorization/rolemanagementpolicyassignments/write",
        "microsoft.authorization/rolemanagementpolicyassignments/delete",
    ]

    /// A change of a policy, by its path. Which role it is about is not said: any on the resource may be.
    private static func settingsChanged(
        _ entry: JSONValue, _ properties: JSONValue?, _ base: Fact, _ configuration: SourceConfiguration
    ) -> Fact {
        if let why = refusal(entry, properties, configuration) { return base.with(why) }
        guard let path = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "resourceId")),
            let scope = AzureActivityRecord.holder(path)
        else { return base }
        guard base.occurredAt != nil else { return base.with(WhyCode.unparseableTime.rejected) }
        var fact = base
        fact.changesSettings = configuration.mapping?.entitlements.covers(.azureRole, scope: scope) ?? true
        return fact.with(WhyCode.pimAdministration.ignored)
    }

    /// Why an operation of the resource provider is not taken: another tenant's, or one that did not happen.
    private static func refusal(
        _ entry: JSONValue, _ properties: JSONValue?, _ configuration: SourceConfiguration
    ) -> Fact.Content? {
        for named in [EntraAuditRecord.member(entry, "tenantId"), properties.flatMap { tenant(in: $0) }] {
            guard let named, !named.isNull else { continue }
            if case .failure(let why) = VendorRecord.tenant(named, configuration) { return why.code.rejected }
        }
        let result = VendorRecord.word(EntraAuditRecord.member(entry, "resultType"))
        return result == "success" || result == "succeeded" ? nil : WhyCode.resultNotSuccess.ignored
    }

    /// The end of a role assignment, by its path. Who held what is not said.
    ///
    /// The record names no tenant in all versions. A path is of one subscription and the approval that named it was taken
    /// from an allow-listed tenant: without a name, that is enough to take away.
    private static func removed(
        _ entry: JSONValue, _ properties: JSONValue?, _ base: Fact, _ configuration: SourceConfiguration
    ) -> Fact {
        if let why = refusal(entry, properties, configuration) { return base.with(why) }
        guard let path = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "resourceId")),
            let scope = AzureActivityRecord.holder(path), let assignment = AssignmentID(path)
        else { return base }
        guard base.occurredAt != nil else { return base.with(WhyCode.unparseableTime.rejected) }
        if let mapping = configuration.mapping, !mapping.entitlements.covers(.azureRole, scope: scope) {
            return base.with(WhyCode.assignmentNotMapped.ignored)
        }
        var fact = base
        fact.assignment = assignment
        return fact.with(.grantEnded(.removedInDirectory))
    }

    private static func tenant(in properties: JSONValue) -> JSONValue? {
        EntraAuditRecord.member(properties, "TenantID")
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
        fact.assignment = record.assignment
        fact.approvalID = record.requestID.map { ApprovalID("entra-pim/\(tenant)/\($0)") }
        return PIMFacts.complete(fact, activity, record, configuration)
    }
}
