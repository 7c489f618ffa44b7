import ClawWire
import IssuanceRules

/// The members of one audit record, read as tolerantly as they are written.
struct EntraAuditRecord {
    /// One entry of `targetResources`.
    struct Target {
        let type: String
        let id: String?
        let name: String?
        let upn: String?
        let value: JSONValue
    }

    let value: JSONValue
    let properties: JSONValue
    let service: EntraActivity.Service
    let activityName: String
    let targets: [Target]
    private let details: [(key: String, value: String)]

    /// Reads a record's properties, or returns `nil` when they are not of the vendor's shape.
    init?(_ value: JSONValue, limits: SourceConfiguration.Limits) {
        guard let properties = Self.member(value, "properties").flatMap(Self.structured), properties.object != nil,
            let service = Self.member(properties, "loggedByService")?.string,
            let activity = Self.member(properties, "activityDisplayName")?.string
                ?? Self.member(value, "operationName")?.string
        else { return nil }
        self.value = value
        self.properties = properties
        self.service = EntraActivity.Service(service)
        activityName = activity
        var targets: [Target] = []
        let resources = Self.member(properties, "targetResources").flatMap(Self.structured) ?? .array([])
        guard let elements = resources.array ?? (resources.isNull ? [] : nil),
            elements.count <= limits.maximumListMembers
        else { return nil }
        for element in elements {
            guard element.object != nil else { return nil }
            targets.append(
                Target(
                    type: EntraActivity.word(Self.member(element, "type")?.string ?? ""),
                    id: Self.identifier(Self.member(element, "id")),
                    name: Self.text(Self.member(element, "displayName")),
                    upn: Self.text(Self.member(element, "userPrincipalName")), value: element))
        }
        self.targets = targets
        let additional = Self.member(properties, "additionalDetails").flatMap(Self.structured) ?? .array([])
        guard let pairs = additional.array ?? (additional.isNull ? [] : nil), pairs.count <= limits.maximumListMembers
        else { return nil }
        details = pairs.compactMap { pair in
            guard let key = Self.member(pair, "key")?.string, let text = Self.member(pair, "value")?.string,
                !text.isEmpty
            else { return nil }
            return (key, text)
        }
    }

    // MARK: Reading

    /// A member by its name, or by its name without regard to case: routers re-case keys.
    static func member(_ value: JSONValue, _ name: String) -> JSONValue? {
        guard let object = value.object else { return nil }
        if let exact = object[name] { return exact }
        // The span lends the members, where the array would hand out copies.
        let members = object.members.span
        for position in members.indices where TextRules.isSame(members[position].key, name) {
            return members[position].value
        }
        return nil
    }

    /// The value itself, or the value that a router printed into a string.
    static func structured(_ value: JSONValue) -> JSONValue? {
        guard let text = value.string else { return value }
        guard let first = text.utf8.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return nil }
        return try? JSONReader.parse(Array(text.utf8), duplicates: .keepLastValue, loneSurrogates: .replace)
    }

    /// An identifier in lower case.
    static func identifier(_ value: JSONValue?) -> String? {
        guard let text = value?.string?.trimmingSpaces(), TextRules.isIdentifier(text), text.utf8.count <= 1_024 else {
            return nil
        }
        return TextRules.folded(text)
    }

    /// An identifier is looked up by, together with another one; what an index holds of both is bounded.
    private static let maximumNameAsIdentifier = 512

    /// A text to show, bounded.
    static func text(_ value: JSONValue?) -> String? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        return TextRules.storable(text.cut(toBytes: 1_024))
    }

    func detail(_ names: String...) -> String? {
        for name in names {
            let details = details.span
            for position in details.indices where TextRules.isSame(details[position].key, name) {
                return details[position].value
            }
        }
        return nil
    }

    func target(_ types: String...) -> Target? {
        for type in types { if let target = targets.first(where: { $0.type == type }) { return target } }
        return nil
    }

    var category: String { TextRules.folded(Self.member(properties, "category")?.string ?? "") }

    var isSuccess: Bool { TextRules.isFolded(Self.member(properties, "result")?.string ?? "", "success") }

    var eventID: String? { Self.identifierAsWritten(Self.member(properties, "id")) }

    static func identifierAsWritten(_ value: JSONValue?) -> String? {
        guard let text = value?.string, TextRules.isIdentifier(text), text.utf8.count <= 512 else { return nil }
        return text
    }

    var occurredAt: Timestamp? { Self.member(properties, "activityDateTime")?.string.flatMap(VendorTime.parse) }

    /// The request, in lower case: from the details, else from the target of type Request.
    var requestID: String? {
        for name in ["RoleAssignmentRequestId", "RequestId", "AccessPackageAssignmentRequestId"] {
            if let id = Self.identifier(detail(name).map { .string($0) }), !id.contains("/") { return id }
        }
        let id =
            service == .entitlementManagement
            ? target("accesspackageassignmentrequest", "request")?.id : target("request")?.id
        return id.flatMap { $0.contains("/") ? nil : $0 }
    }

    var justification: Justification? {
        TextRules.justification(detail("Justification") ?? Self.member(properties, "resultReason")?.string)
    }

    var ticket: Ticket? {
        let number = Self.text(detail("TicketNumber").map { .string($0) })
        let system = Self.text(detail("TicketSystem").map { .string($0) })
        return number == nil && system == nil ? nil : Ticket(system: system, number: number)
    }

    // MARK: People

    /// Who did it: a user with a principal name is a person, all else the platform.
    var initiator: Actor? {
        guard let initiatedBy = Self.member(properties, "initiatedBy").flatMap(Self.structured) else { return nil }
        if let user = Self.member(initiatedBy, "user"), user.object != nil,
            let id = Self.identifier(Self.member(user, "id"))
        {
            let upn = Self.text(Self.member(user, "userPrincipalName"))
            return Actor(
                id: PersonID(id), name: Self.text(Self.member(user, "displayName")), upn: upn,
                kind: upn == nil ? .system : .human)
        }
        if let app = Self.member(initiatedBy, "app"), app.object != nil {
            let name = Self.text(Self.member(app, "displayName"))
            guard
                let id = Self.identifier(Self.member(app, "servicePrincipalId"))
                    ?? Self.identifier(Self.member(app, "appId")) ?? name?.cut(toBytes: Self.maximumNameAsIdentifier)
            else { return nil }
            return Actor(id: PersonID(id), name: name, kind: .system)
        }
        return nil
    }

    /// Whom it is about: the target of type User, else a service principal or, where a group is the holder, the group.
    var subject: Actor? {
        if let user = target("user"), let id = user.id {
            return Actor(id: PersonID(id), name: user.name, upn: user.upn, kind: .human)
        }
        let holder = target("serviceprincipal", "application") ?? (isOfGroup ? nil : target("group"))
        guard let holder, let id = holder.id else { return nil }
        return Actor(id: PersonID(id), name: holder.name, upn: nil, kind: .system)
    }

    // MARK: Core Directory

    /// A modified property of any target, old value first: what was there before it was taken away.
    func modified(_ name: String) -> String? {
        for target in targets {
            let list = Self.member(target.value, "modifiedProperties").flatMap(Self.structured)?.array ?? []
            for property in list.prefix(256)
            where TextRules.isSame(Self.member(property, "displayName")?.string ?? "", name) {
                for key in ["oldValue", "newValue"] {
                    if let text = Self.member(property, key)?.string.flatMap(Self.unquoted), !text.isEmpty {
                        return text
                    }
                }
            }
        }
        return nil
    }

    /// Values of modified properties are JSON inside a string: `"\"…\""`, sometimes an array of one.
    private static func unquoted(_ text: String) -> String? {
        guard text.hasPrefix("\"") || text.hasPrefix("[") else { return text }
        guard let value = try? JSONReader.parse(text, limits: .token) else { return nil }
        return value.string ?? value.array?.first?.string
    }

    var directoryRole: Entitlement? {
        guard let id = Self.identifier(modified("Role.TemplateId").map { .string($0) }) else { return nil }
        return Entitlement(
            kind: .entraRole, id: id, scope: "/",
            name: Self.text(modified("Role.DisplayName").map { .string($0) }) ?? target("role")?.name)
    }

    func directoryGroup(scope: String) -> Entitlement? {
        guard let id = Self.identifier(modified("Group.ObjectID").map { .string($0) }) ?? target("group")?.id else {
            return nil
        }
        return Entitlement(
            kind: .group, id: id, scope: scope,
            name: Self.text(modified("Group.DisplayName").map { .string($0) }) ?? target("group")?.name)
    }
}
