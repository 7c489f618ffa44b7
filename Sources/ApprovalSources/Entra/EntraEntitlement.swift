import ClawWire
import IssuanceRules

/// What an audit record is about. Only identifiers count: display names are whatever their holders write into them.
extension EntraAuditRecord {
    /// True when a group is the entitlement, and not the holder of one.
    var isOfGroup: Bool {
        switch category {
        case "groupmanagement": true
        case "rolemanagement", "resourcemanagement": false
        default: target("group") != nil && target("user", "serviceprincipal") != nil
        }
    }

    /// The entitlement, by the category of the record and the types of its targets.
    ///
    /// - Parameter map: decides what a target of an unknown type is, by its identifier.
    func entitlement(_ map: EntitlementMap?) -> Entitlement? {
        if service == .entitlementManagement { return accessPackage(map) }
        if isOfGroup {
            guard let group = target("group"), let id = group.id else { return nil }
            return Entitlement(
                kind: .group, id: id, scope: target("role")?.name.map { TextRules.folded($0) }, name: group.name)
        }
        guard let role = target("role"), let id = role.id else { return nil }
        // The definition in the details is the one Azure knows; a target may carry the approval system's own.
        let definition = Self.identifier(detail("RoleDefinitionOriginId", "TemplateId").map { .string($0) }) ?? id
        guard isOfAzure(definition) else {
            return Entitlement(kind: .entraRole, id: id, scope: directoryScope, name: role.name)
        }
        let azureID = definition.split(separator: "/").last.map(String.init) ?? id
        return Entitlement(
            kind: .azureRole, id: azureID, scope: azureScope ?? mappedScope(of: azureID, map), name: role.name)
    }

    private func isOfAzure(_ definition: String) -> Bool {
        switch category {
        case "resourcemanagement": true
        case "rolemanagement", "groupmanagement": false
        default:
            definition.hasPrefix("/subscriptions/") || definition.hasPrefix("/providers/microsoft.management/")
                || definition.hasPrefix(Self.authorization)
        }
    }

    // MARK: Access packages

    /// The package: the target of that type, else the one target of an unknown type whose identifier is a mapped one.
    private func accessPackage(_ map: EntitlementMap?) -> Entitlement? {
        if let package = target("accesspackage") {
            return package.id.map { Entitlement(kind: .accessPackage, id: $0, name: package.name) }
        }
        let known: Set = [
            "user", "serviceprincipal", "application", "group", "request", "accesspackageassignmentrequest",
        ]
        let mapped = Set((map?.entries ?? []).lazy.filter { $0.kind == .accessPackage }.map { TextRules.folded($0.id) })
        let found = targets.filter { target in
            !known.contains(target.type) && target.id.map { mapped.contains($0) } ?? false
        }
        guard let package = found.first, let id = package.id, found.allSatisfy({ $0.id == id }) else { return nil }
        return Entitlement(kind: .accessPackage, id: id, name: package.name)
    }

    // MARK: Roles

    /// `/` for the whole directory, else the administrative unit: a narrower grant must not count as the wide one.
    private var directoryScope: String {
        if let scope = Self.identifier(detail("DirectoryScopeId").map { .string($0) }) { return scope }
        return target("administrativeunit").flatMap(\.id).map { "/administrativeunits/\($0)" } ?? "/"
    }

    private static let authorization = "/providers/microsoft.authorization/"

    /// Types of targets that no role is held on.
    private static let unscoped: Set = [
        "role", "request", "user", "serviceprincipal", "application", "group", "directory",
    ]

    private static func resource(_ text: String?) -> String? {
        guard let text = identifier(text.map { .string($0) }),
            text.hasPrefix("/subscriptions/") || text.hasPrefix("/providers/microsoft.management/")
        else { return nil }
        // An assignment's or a definition's own path ends in the provider that holds it.
        let end = text.ranges(of: authorization).first?.lowerBound ?? text.endIndex
        let scope = text[..<end]
        return String(scope.last == "/" ? scope.dropLast() : scope)
    }

    /// The Azure resource a role is held on; `nil` when no part of the record says so exactly.
    private var azureScope: String? {
        for target in targets where !Self.unscoped.contains(target.type) {
            if let scope = Self.resource(target.id) { return scope }
            if target.type == "subscription", let id = target.id { return "/subscriptions/\(id)" }
        }
        let own = detail("Scope", "ResourceScope", "ScopeId", "ResourceId", "OriginRoleAssignmentId")
        if let scope = Self.resource(own) { return scope }
        if let id = Self.identifier(detail("SubscriptionId").map { .string($0) }),
            TextRules.folded(detail("ResourceType") ?? "subscription") == "subscription"
        {
            return "/subscriptions/\(id)"
        }
        // A role definition's path names the subscription of the definition, which is the grant's scope only when a
        // target names that subscription too.
        guard let definition = Self.resource(detail("RoleDefinitionOriginId")),
            targets.contains(where: { target in
                !Self.unscoped.contains(target.type)
                    && target.id.map { definition == "/subscriptions/\($0)" } ?? false
            })
        else { return nil }
        return definition
    }

    /// The subscription that a target of an unknown type names, when it is the only scope of this role in its
    /// subscription that a job class rests on.
    private func mappedScope(of role: String, _ map: EntitlementMap?) -> String? {
        guard let map else { return nil }
        // A target that says it is something else than a subscription may be a narrower scope.
        let others = targets.filter { !Self.unscoped.contains($0.type) }
        guard others.allSatisfy({ $0.type.isEmpty || $0.type == "other" }),
            TextRules.folded(detail("ResourceType") ?? "subscription") == "subscription"
        else { return nil }
        let named = Set(others.compactMap(\.id).map { "/subscriptions/\($0)" })
        let scopes = map.entries.lazy.filter { $0.kind == .azureRole && TextRules.isSame($0.id, role) }
            .compactMap { $0.scope.map { TextRules.folded($0) } }
            .filter { scope in named.contains { scope == $0 || scope.hasPrefix($0 + "/") } }
        guard let scope = scopes.first, Set(scopes).count == 1, named.contains(scope) else { return nil }
        return scope
    }
}
