import ClawWire
import IssuanceRules

/// The members of one activity log record: `properties` is flat, the caller is JSON inside a string.
struct AzureActivityRecord: PIMRecord {
    private let entry: JSONValue
    private let properties: JSONValue
    private let caller: [String: String]

    /// Reads a record, or returns `nil` when its properties are not of the vendor's shape.
    init?(_ entry: JSONValue, _ properties: JSONValue) {
        guard properties.object != nil else { return nil }
        self.entry = entry
        self.properties = properties
        var caller: [String: String] = [:]
        if let info = EntraAuditRecord.member(properties, "CallerInfo"), !info.isNull, info.string != "" {
            guard let pairs = EntraAuditRecord.structured(info)?.array, pairs.count <= 64 else { return nil }
            for pair in pairs {
                guard let type = EntraAuditRecord.member(pair, "CallerIdentityType")?.string,
                    let value = EntraAuditRecord.member(pair, "CallerIdentityValue")?.string, !value.isEmpty
                else { continue }
                let name = TextRules.folded(type)
                if caller[name] == nil { caller[name] = value }
            }
        }
        self.caller = caller
    }

    private func identifier(_ name: String) -> String? {
        EntraAuditRecord.identifier(EntraAuditRecord.member(properties, name))
    }

    private func text(_ name: String) -> String? { EntraAuditRecord.text(EntraAuditRecord.member(properties, name)) }

    func detail(_ names: String...) -> String? {
        for name in names {
            if let text = EntraAuditRecord.member(properties, name)?.string, !text.isEmpty { return text }
        }
        return nil
    }

    var isSuccess: Bool {
        let result = VendorRecord.word(EntraAuditRecord.member(entry, "resultType"))
        return result == "succeeded" || result == "success"
    }

    /// The tenant, when all members that name one agree and it is allow-listed.
    func tenant(_ configuration: SourceConfiguration) -> Result<String, VendorRecord.Refusal> {
        let named = VendorRecord.tenant(EntraAuditRecord.member(properties, "TenantID"), configuration)
        guard case .success(let tenant) = named else { return named }
        if let outer = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "tenantId")), outer != tenant {
            return .failure(VendorRecord.Refusal(code: .tenantMismatch))
        }
        return named
    }

    /// The request, in lower case: that of the audit log's record of the same step.
    var requestID: String? {
        for name in ["RoleAssignmentRequestId", "RequestId"] {
            if let id = VendorRecord.part(EntraAuditRecord.member(properties, name)) { return id }
        }
        return nil
    }

    // MARK: People

    /// Who did it: a user with a principal name is a person, all else the platform.
    var initiator: Actor? {
        guard let id = EntraAuditRecord.identifier(caller["objectid"].map { .string($0) }) else { return nil }
        func text(_ name: String) -> String? { EntraAuditRecord.text(caller[name].map { .string($0) }) }
        let upn = text("upn")
        let isUser = caller["objectclass"].map { TextRules.isFolded($0, "user") } ?? true
        return Actor(
            id: PersonID(id), name: text("name") ?? text("username"), upn: upn,
            kind: upn != nil && isUser ? .human : .system)
    }

    var subject: Actor? {
        guard let id = identifier("SubjectID") else { return nil }
        let type = VendorRecord.word(EntraAuditRecord.member(properties, "SubjectType"))
        return Actor(
            id: PersonID(id), name: text("SubjectName"), kind: type == nil || type == "user" ? .human : .system)
    }

    var justification: Justification? {
        TextRules.justification(EntraAuditRecord.member(properties, "Justification")?.string)
    }

    var ticket: Ticket? {
        let number = text("TicketNumber")
        let system = text("TicketSystem")
        return number == nil && system == nil ? nil : Ticket(system: system, number: number)
    }

    // MARK: Entitlement

    /// The role assignment that the activation made.
    var assignment: AssignmentID? { identifier("OriginRoleAssignmentId").flatMap { AssignmentID($0) } }

    /// The role on its resource, by the definition's identifier.
    var entitlement: Entitlement? {
        guard let definition = identifier("RoleDefinitionOriginId") ?? identifier("RoleDefinitionId"),
            let id = definition.split(separator: "/").last
        else { return nil }
        return Entitlement(kind: .azureRole, id: String(id), scope: scope, name: text("RoleDefinition"))
    }

    /// The resource that the role is held on; `nil` when no member says so exactly, which holds the approval.
    ///
    /// The assignment's own path is the most exact; then the resource of the record, unless that is only the
    /// subscription in which a narrower one lies. `ResourceGroupName` says where the caller stood, not what is granted.
    private var scope: String? {
        if let assignment = identifier("OriginRoleAssignmentId").flatMap(Self.holder) { return assignment }
        let type = VendorRecord.word(EntraAuditRecord.member(properties, "ResourceType"))
        let resource = EntraAuditRecord.identifier(EntraAuditRecord.member(entry, "resourceId")).flatMap(Self.path)
        let subscription = VendorRecord.part(EntraAuditRecord.member(properties, "SubscriptionID"))
            .map { "/subscriptions/\($0)" }
        if type == "subscription" {
            guard let subscription else { return resource.flatMap { Self.isSubscription($0) ? $0 : nil } }
            guard let resource else { return subscription }
            return resource == subscription || resource.hasPrefix(subscription + "/") ? subscription : nil
        }
        guard let resource, !Self.isSubscription(resource) else { return nil }
        if let subscription, resource.hasPrefix("/subscriptions/"), !resource.hasPrefix(subscription + "/") {
            return nil
        }
        return resource
    }

    private static func isSubscription(_ path: String) -> Bool {
        path.hasPrefix("/subscriptions/") && path.split(separator: "/").count == 2
    }

    /// A resource's path in lower case without a slash at its end.
    private static func path(_ text: String) -> String? {
        guard text.hasPrefix("/subscriptions/") || text.hasPrefix("/providers/microsoft.management/") else {
            return nil
        }
        return text.last == "/" ? String(text.dropLast()) : text
    }

    /// What an assignment's path says that the role is held on.
    static func holder(_ text: String) -> String? {
        guard let end = text.ranges(of: "/providers/microsoft.authorization/").last?.lowerBound else { return nil }
        return path(String(text[..<end]))
    }
}

extension PIMRecord {
    var directoryRole: Entitlement? { nil }
    func directoryGroup(scope: String) -> Entitlement? { nil }
}
