import ClawWire
import IssuanceRules

/// The members that an `accessPackageAssignmentRequestCalloutData`, whose keys Logic Apps re-case, and an
/// `accessPackageAssignmentRequest` have in common.
struct AccessPackageCallout {
    /// What the request does.
    enum Kind {
        case add
        case direct
        case change
        case remove
        case unknown
    }

    let kind: Kind
    let state: String?
    let requestID: String?
    let subject: Actor?
    let requester: Actor?
    let package: Entitlement?
    /// Entitlement management's own identifier of the assignment, in lower case.
    let assignmentID: String?
    let schedule: JSONValue?
    let ticket: Ticket?

    /// Reads a callout; `nil` when it is not of the vendor's shape.
    init?(_ body: JSONValue, limits: SourceConfiguration.Limits) {
        guard body.object != nil else { return nil }
        switch VendorRecord.word(VendorRecord.member(body, "requestType")) {
        case "useradd": kind = .add
        case "adminadd", "systemadd", "approveradd", "onbehalfadd": kind = .direct
        case "userupdate", "userextend", "adminupdate", "systemupdate", "adminextend": kind = .change
        case "userremove", "adminremove", "systemremove", "approverremove": kind = .remove
        case .some, nil: kind = .unknown
        }
        // The beta version has names of its own.
        state = VendorRecord.word(VendorRecord.member(body, "state") ?? VendorRecord.member(body, "requestState"))
        requestID =
            VendorRecord.part(VendorRecord.member(body, "accessPackageAssignmentRequestId"))
            ?? VendorRecord.part(VendorRecord.member(body, "requestId"))
        let requestor = VendorRecord.object(body, "requestor").flatMap(Self.actor)
        let assignment = VendorRecord.object(body, "assignment")
        let target = assignment.flatMap { VendorRecord.object($0, "target") }.flatMap(Self.actor)
        subject = target ?? requestor
        requester = requestor?.kind == .human ? requestor : nil
        assignmentID = VendorRecord.part(assignment.flatMap { VendorRecord.member($0, "id") })
        let package = VendorRecord.object(body, "accessPackage")
        let id =
            VendorRecord.part(package.flatMap { VendorRecord.member($0, "id") })
            ?? VendorRecord.part(assignment.flatMap { VendorRecord.member($0, "accessPackageId") })
        self.package = id.map {
            Entitlement(
                kind: .accessPackage, id: $0,
                name: EntraAuditRecord.text(package.flatMap { VendorRecord.member($0, "displayName") }))
        }
        schedule = assignment.flatMap { VendorRecord.object($0, "schedule") }
        let answers = VendorRecord.object(body, "answers")?.array ?? []
        guard answers.count <= limits.maximumListMembers else { return nil }
        ticket = Self.ticket(answers)
    }

    /// A directory subject. `id` is entitlement management's own; `objectId` is the directory's.
    private static func actor(_ value: JSONValue) -> Actor? {
        guard let id = VendorRecord.part(VendorRecord.member(value, "objectId")) else { return nil }
        let type = VendorRecord.word(VendorRecord.member(value, "subjectType"))
        return Actor(
            id: PersonID(id), name: EntraAuditRecord.text(VendorRecord.member(value, "displayName")),
            upn: EntraAuditRecord.text(VendorRecord.member(value, "principalName")),
            kind: type == nil || type == "user" ? .human : .system)
    }

    /// The answer to the first question whose text has the word *ticket*.
    private static func ticket(_ answers: [JSONValue]) -> Ticket? {
        for answer in answers {
            guard let question = VendorRecord.member(answer, "answeredQuestion", "text")?.string,
                EntraActivity.normalized(question).split(whereSeparator: { !$0.isLetter }).contains("ticket"),
                let number = EntraAuditRecord.text(VendorRecord.member(answer, "value"))
                    ?? EntraAuditRecord.text(VendorRecord.member(answer, "displayValue"))
            else { continue }
            return Ticket(system: nil, number: number.trimmingSpaces())
        }
        return nil
    }
}
