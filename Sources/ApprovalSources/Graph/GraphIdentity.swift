import ClawWire
import IssuanceRules

/// People and applications as Microsoft Graph names them, in the shapes of its versions.
enum GraphIdentity {
    /// An identity, or an identity set of which the user is meant first.
    ///
    /// A person has a principal name or an address. An identity with neither may be the platform, and counts for
    /// nobody.
    static func actor(_ value: JSONValue?) -> Actor? {
        guard let value, value.object != nil else { return nil }
        if let user = VendorRecord.object(value, "user"), let actor = identity(user, isPerson: nil) { return actor }
        if let application = VendorRecord.object(value, "application") { return identity(application, isPerson: false) }
        return identity(value, isPerson: nil)
    }

    /// The person in an identity set who asked. That set has no principal names, so that an identifier is enough: a
    /// requester can only take approvers away.
    static func requester(_ value: JSONValue?) -> Actor? {
        guard let value, let user = VendorRecord.object(value, "user") else { return nil }
        return identity(user, isPerson: true)
    }

    private static func identity(_ value: JSONValue, isPerson: Bool?) -> Actor? {
        guard let id = VendorRecord.part(EntraAuditRecord.member(value, "id")) else { return nil }
        let upn =
            EntraAuditRecord.text(EntraAuditRecord.member(value, "userPrincipalName"))
            ?? EntraAuditRecord.text(EntraAuditRecord.member(value, "mail"))
        return Actor(
            id: PersonID(id), name: EntraAuditRecord.text(EntraAuditRecord.member(value, "displayName")), upn: upn,
            kind: isPerson ?? (upn != nil) ? .human : .system)
    }
}
