import ClawWire
import IssuanceRules

/// A change notification of a group: an early hint that somebody is no longer in it, and never an approval.
enum GraphNotification {
    static func looksLikeOne(_ entry: JSONValue) -> Bool {
        VendorRecord.word(VendorRecord.member(entry, "kind")) == "graph.notification"
            || VendorRecord.object(entry, "resourceData") != nil || !notifications(entry).isEmpty
    }

    /// The notifications of a delivery: `value` of the delivery, or of a wrapper's body; or the entry itself.
    private static func notifications(_ entry: JSONValue) -> [JSONValue] {
        let body = ["body", "notification", "notifications"].lazy.compactMap { VendorRecord.object(entry, $0) }.first
        let delivery = body ?? entry
        if let many = delivery.array ?? VendorRecord.object(delivery, "value")?.array {
            return many.filter { VendorRecord.object($0, "resourceData") != nil }
        }
        return VendorRecord.object(delivery, "resourceData") == nil ? [] : [delivery]
    }

    static func facts(_ entry: JSONValue, _ index: Int, _ configuration: SourceConfiguration) -> [Fact] {
        let digest = VendorRecord.digest(entry, without: ["receivedat", "about"])
        var base = Fact(
            recordIndex: index, source: GraphSource.vocabulary,
            sourceEventID: SourceEventID("sha256:\(digest.b64u)"), occurredAt: nil,
            content: WhyCode.malformed.rejected)
        base.recordDigest = digest
        let notifications = notifications(entry)
        guard !notifications.isEmpty, notifications.count <= configuration.limits.maximumListMembers,
            let received = VendorRecord.time(
                VendorRecord.member(entry, "receivedAt") ?? VendorRecord.member(entry, "polledAt"))
        else { return [base] }
        let outer = VendorRecord.member(entry, "tenantId")
        return notifications.flatMap { notification in
            facts(notification, base, outer: outer, receivedAt: received, configuration)
        }
    }

    private static func facts(
        _ notification: JSONValue, _ base: Fact, outer: JSONValue?, receivedAt: Timestamp?,
        _ configuration: SourceConfiguration
    ) -> [Fact] {
        guard let data = VendorRecord.object(notification, "resourceData"), data.object != nil else { return [base] }
        let tenants = [
            outer, VendorRecord.member(notification, "tenantId"), VendorRecord.member(data, "organizationId"),
        ]
        .compactMap(\.self)
        switch VendorRecord.tenant(tenants.first, configuration) {
        case .success(let tenant):
            guard tenants.allSatisfy({ EntraAuditRecord.identifier($0) == tenant }) else {
                return [base.with(WhyCode.tenantMismatch.rejected)]
            }
        case .failure(let why): return [base.with(why.code.rejected)]
        }
        guard isGroup(notification, data), let group = VendorRecord.part(VendorRecord.member(data, "id")) else {
            return [base.with(WhyCode.notPIM.ignored)]
        }
        guard let at = VendorRecord.time(VendorRecord.member(data, "eventTime")) else {
            return [base.with(WhyCode.unparseableTime.rejected)]
        }
        var facts: [Fact] = []
        for (list, scope) in [("members@delta", "member"), ("owners@delta", "owner")] {
            let changes = VendorRecord.object(data, list)?.array ?? []
            guard changes.count <= configuration.limits.maximumEntries else { return [base] }
            for change in changes where VendorRecord.member(change, "@removed") != nil {
                var fact = base
                fact.occurredAt = at ?? receivedAt
                let entitlement = Entitlement(kind: .group, id: group, scope: scope)
                if let mapping = configuration.mapping, mapping.entitlements.entry(for: entitlement) == nil {
                    facts.append(fact.with(WhyCode.groupNotMapped.ignored))
                    continue
                }
                fact.entitlement = entitlement
                fact.subject = VendorRecord.part(VendorRecord.member(change, "id")).map { Actor(id: PersonID($0)) }
                guard fact.occurredAt != nil else { return [base.with(WhyCode.unparseableTime.rejected)] }
                facts.append(PIMFacts.demandHolder(fact.with(.grantEnded(.removedInDirectory))))
            }
        }
        // Whoever was added has no approval by that.
        return facts.isEmpty ? [base.with(WhyCode.effectFollows.ignored)] : facts
    }

    private static func isGroup(_ notification: JSONValue, _ data: JSONValue) -> Bool {
        if let type = VendorRecord.word(VendorRecord.member(data, "@odata.type")) { return type.hasSuffix(".group") }
        // With or without a leading slash, as a path or as an OData key.
        let resource = VendorRecord.word(VendorRecord.member(notification, "resource")).map { word in
            word.hasPrefix("/") ? String(word.dropFirst()) : word
        }
        return resource.map { $0.hasPrefix("groups/") || $0.hasPrefix("groups(") } ?? false
    }
}
