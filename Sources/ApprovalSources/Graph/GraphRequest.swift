import ClawWire
import IssuanceRules

/// A `unifiedRoleAssignmentScheduleRequest`, a `privilegedAccessGroupAssignmentScheduleRequest`, or an
/// `accessPackageAssignmentRequest`.
struct GraphRequest {
    /// What is asked for.
    enum Action {
        case activate
        case deactivate
        case remove
        case assign
        case change
        case unknown
    }

    /// How far it has come. An unknown status is no status at all: it neither opens a window nor ends one.
    enum Status {
        case pending
        case granted
        case provisioned
        case denied
        case timedOut
        case canceled
        case failed
        case revoked
        case unknown

        init(_ word: String?) {
            switch word {
            case "pendingadmindecision", "pendingapproval", "pendingprovisioning", "pendingschedulecreation",
                "pendingapprovalprovisioning":
                self = .pending
            case "granted", "schedulecreated": self = .granted
            case "provisioned": self = .provisioned
            case "denied", "admindenied": self = .denied
            case "timedout": self = .timedOut
            case "canceled", "cancelled": self = .canceled
            case "failed", "failedasresourceislocked", "invalid": self = .failed
            case "revoked": self = .revoked
            default: self = .unknown
            }
        }

        /// The state of a request of entitlement management. One that was delivered in part gave not all of what was
        /// approved, and is waited for.
        init(package word: String?) {
            switch word {
            case "submitted", "pendingapproval", "scheduled", "partiallydelivered": self = .pending
            case "delivering": self = .granted
            case "delivered": self = .provisioned
            case "denied": self = .denied
            case "canceled", "cancelled": self = .canceled
            case "deliveryfailed": self = .failed
            default: self = .unknown
            }
        }
    }

    let id: String
    let action: Action
    let status: Status
    let isEligibility: Bool
    let isValidationOnly: Bool
    let principal: String
    let entitlement: Entitlement
    let schedule: String?
    let approvalID: String?
    let createdAt: Timestamp?
    let completedAt: Timestamp?
    /// The person who asked.
    let requester: Actor?
    /// Who gave what nobody asked for.
    let assigner: Actor?
    let justification: Justification?
    let ticket: Ticket?
    let scheduleInfo: JSONValue?

    /// Reads a request; `nil` when it is not of the vendor's shape.
    init?(_ value: JSONValue, limits: SourceConfiguration.Limits) {
        if VendorRecord.member(value, "requestType") != nil {
            self.init(package: value, limits: limits)
        } else {
            self.init(schedule: value)
        }
    }

    /// A request of entitlement management. Its approval has the request's own identifier, its schedule is the
    /// assignment that it led to.
    private init?(package value: JSONValue, limits: SourceConfiguration.Limits) {
        guard let package = AccessPackageCallout(value, limits: limits),
            let id = VendorRecord.part(VendorRecord.member(value, "id")),
            let principal = package.subject?.id.rawValue, let entitlement = package.package,
            let createdAt = VendorRecord.time(VendorRecord.member(value, "createdDateTime")),
            let completedAt = VendorRecord.time(VendorRecord.member(value, "completedDateTime"))
        else { return nil }
        self.id = id
        self.principal = principal
        self.entitlement = entitlement
        self.createdAt = createdAt
        self.completedAt = completedAt
        action =
            switch package.kind {
            case .add: .activate
            case .direct: .assign
            case .change: .change
            case .remove: .remove
            case .unknown: .unknown
            }
        status = Status(package: package.state)
        isEligibility = false
        isValidationOnly = VendorRecord.member(value, "isValidationOnly")?.bool ?? false
        schedule = VendorRecord.object(value, "assignment").flatMap { VendorRecord.part(VendorRecord.member($0, "id")) }
        approvalID = id
        requester = package.requester
        assigner = package.requester
        justification = TextRules.justification(VendorRecord.member(value, "justification")?.string)
        ticket = package.ticket
        scheduleInfo = package.schedule ?? VendorRecord.object(value, "schedule")
    }

    private init?(schedule value: JSONValue) {
        func member(_ name: String) -> JSONValue? { VendorRecord.member(value, name) }
        guard value.object != nil, let id = VendorRecord.part(member("id")),
            let principal = VendorRecord.part(member("principalId")), let entitlement = Self.entitlement(value),
            let createdAt = VendorRecord.time(member("createdDateTime")),
            let completedAt = VendorRecord.time(member("completedDateTime"))
        else { return nil }
        self.id = id
        self.principal = principal
        self.entitlement = entitlement
        self.createdAt = createdAt
        self.completedAt = completedAt
        switch VendorRecord.word(member("action")) {
        case "selfactivate": action = .activate
        case "selfdeactivate": action = .deactivate
        case "adminremove": action = .remove
        case "adminassign": action = .assign
        case "adminupdate", "adminextend", "adminrenew", "selfextend", "selfrenew": action = .change
        case .some, nil: action = .unknown
        }
        status = Status(VendorRecord.word(member("status")))
        isEligibility = VendorRecord.word(member("@odata.type"))?.contains("eligibility") ?? false
        isValidationOnly = member("isValidationOnly")?.bool ?? false
        schedule = VendorRecord.part(member("targetScheduleId"))
        approvalID = VendorRecord.part(member("approvalId"))
        let createdBy = VendorRecord.object(value, "createdBy")
        requester = GraphIdentity.requester(createdBy)
        assigner = requester ?? GraphIdentity.actor(createdBy)
        justification = TextRules.justification(member("justification")?.string)
        let number = EntraAuditRecord.text(VendorRecord.member(value, "ticketInfo", "ticketNumber"))
        let system = EntraAuditRecord.text(VendorRecord.member(value, "ticketInfo", "ticketSystem"))
        ticket = number == nil && system == nil ? nil : Ticket(system: system, number: number)
        scheduleInfo = VendorRecord.object(value, "scheduleInfo")
    }

    private static func entitlement(_ value: JSONValue) -> Entitlement? {
        let role = VendorRecord.part(VendorRecord.member(value, "roleDefinitionId"))
        let group = VendorRecord.part(VendorRecord.member(value, "groupId"))
        switch (role, group) {
        case (let role?, nil):
            // A scope of an application is narrower than any of the directory's.
            let scope =
                EntraAuditRecord.identifier(VendorRecord.member(value, "appScopeId"))
                ?? EntraAuditRecord.identifier(VendorRecord.member(value, "directoryScopeId"))
            return Entitlement(kind: .entraRole, id: role, scope: scope)
        case (nil, let group?):
            guard let access = VendorRecord.word(VendorRecord.member(value, "accessId")) else { return nil }
            return Entitlement(kind: .group, id: group, scope: access)
        case (nil, nil), (_?, _?): return nil
        }
    }

    private var isRole: Bool { entitlement.kind == .entraRole }

    private var isPackage: Bool { entitlement.kind == .accessPackage }

    /// The name of the approval in a tenant: the one that the audit log's records and the callouts have for it.
    func approvalName(in tenant: String) -> ApprovalID {
        ApprovalID("\(isPackage ? "entra-em" : "entra-pim")/\(tenant)/\(id)")
    }

    // MARK: The schedule instance

    /// The window of the live instance among these: the one of this request's schedule, for its principal and its
    /// entitlement, that was activated.
    ///
    /// - Returns: `nil` when an instance of this schedule contradicts the request or does not read.
    func window(_ instances: [JSONValue]) -> (notBefore: Timestamp?, notAfter: Timestamp?)? {
        var window: (notBefore: Timestamp?, notAfter: Timestamp?) = (nil, nil)
        for instance in instances where isOfSchedule(instance) && isLive(instance) {
            guard isConsistent(instance), let stated = stated(instance) else { return nil }
            // Of several instances of one schedule only what all of them allow is a window.
            window.notBefore = [window.notBefore, stated.notBefore].compactMap(\.self).max()
            window.notAfter = [window.notAfter, stated.notAfter].compactMap(\.self).min()
        }
        return window
    }

    private func stated(_ instance: JSONValue) -> (notBefore: Timestamp?, notAfter: Timestamp?)? {
        if isPackage { return VendorSchedule.window(VendorRecord.object(instance, "schedule")) }
        guard let start = VendorRecord.time(EntraAuditRecord.member(instance, "startDateTime")),
            let end = VendorRecord.time(EntraAuditRecord.member(instance, "endDateTime"))
        else { return nil }
        return (start, end)
    }

    /// An assignment of a package stays readable when it is over; instances of schedules do not.
    private func isLive(_ instance: JSONValue) -> Bool {
        !isPackage || VendorRecord.word(VendorRecord.member(instance, "state")) == "delivered"
    }

    private func isOfSchedule(_ instance: JSONValue) -> Bool {
        if isPackage {
            return schedule != nil && VendorRecord.part(VendorRecord.member(instance, "id")) == schedule
        }
        let named = VendorRecord.part(
            VendorRecord.member(instance, isRole ? "roleAssignmentScheduleId" : "assignmentScheduleId"))
        return named == (schedule ?? id) || named == id
    }

    private func isConsistent(_ instance: JSONValue) -> Bool {
        if isPackage {
            let package = VendorRecord.member(instance, "accessPackage", "id")
            return VendorRecord.part(VendorRecord.member(instance, "target", "objectId")) == principal
                && VendorRecord.part(package ?? VendorRecord.member(instance, "accessPackageId")) == entitlement.id
        }
        guard VendorRecord.part(VendorRecord.member(instance, "principalId")) == principal,
            VendorRecord.word(VendorRecord.member(instance, "assignmentType")) == "activated",
            let held = Self.entitlement(instance)
        else { return false }
        return held.kind == entitlement.kind && held.id == entitlement.id && held.scope == entitlement.scope
    }
}
