public import ClawWire
public import IssuanceRules
public import Kafka

/// One activation in Privileged Identity Management and the audit records it leaves, in the shape in which Azure's
/// diagnostic settings put them on an event hub.
///
/// Every record has a correlation id of its own; only `RoleAssignmentRequestId` ties them together.
public struct EntraActivation: Sendable, Hashable {
    /// The request's id, a GUID.
    public var requestID: String
    /// Who asks, for themselves.
    public var requester = PlaygroundCast.ines
    /// Who answers.
    public var approver = PlaygroundCast.ruth
    /// The role or the group.
    public var entitlement = PlaygroundCast.appAdminRole
    /// When it was asked for; everything else happens a little later.
    public var time: Timestamp
    /// How long the activation lasts, in seconds.
    public var windowSeconds: Int64 = 3_600
    /// The requester's words.
    public var justification = "Rotate the signing key of the ledger app registration"
    /// The approver's words.
    public var answer = "Checked against the change, one hour is enough"
    /// The ticket.
    public var ticket: Ticket?
    /// The tenant the records are of.
    public var tenant = PlaygroundCast.tenant

    /// An activation of the role of application administrators, named by one text.
    public init(_ name: String, at time: Timestamp = .playgroundNow) {
        requestID = Self.guid("activation \(name)")
        self.time = time
    }

    /// The approval's identifier, as a capability request names it.
    public var approvalID: ApprovalID { ApprovalID("entra-pim/\(tenant)/\(requestID)") }

    /// What happened, as the audit log names it.
    public enum Step: String, Sendable, CaseIterable {
        /// Asked for.
        case requested = "Add member to role requested (PIM activation)"
        /// Sent to the approvers.
        case routed = "Add member to role approval requested (PIM activation)"
        /// Yes.
        case approved = "Add member to role request approved (PIM activation)"
        /// No.
        case denied = "Add member to role request denied (PIM activation)"
        /// Taken back.
        case canceled = "Add member to role canceled (PIM activation)"
        /// Nobody answered.
        case timedOut = "PIM activation request expired"
        /// Active.
        case completed = "Add member to role completed (PIM activation)"
        /// Given back before its time: asked.
        case deactivationRequested = "Remove member from role requested (PIM deactivate)"
        /// Given back before its time: done.
        case deactivated = "Remove member from role completed (PIM deactivate)"
        /// The window is over.
        case expired = "Remove member from role (PIM activation expired)"

        /// Seconds after the request at which it happens in ``EntraActivation``.
        var delay: Int64 {
            switch self {
            case .requested: 0
            case .routed: 1
            case .approved, .denied, .canceled, .timedOut: 2
            case .completed: 3
            case .deactivationRequested: 4
            case .deactivated, .expired: 5
            }
        }

        var isByApprover: Bool { self == .approved || self == .denied }
        var isBySystem: Bool { self == .timedOut || self == .expired }
    }

    /// One audit record.
    public func record(_ step: Step) -> JSONValue {
        let moment = time.adding(seconds: step.delay)
        let correlation = Self.guid("\(requestID) \(step.rawValue)")
        let actor = step.isByApprover ? approver : requester
        let initiator: JSONValue =
            step.isBySystem
            ? ["app": ["appId": .null, "displayName": "MS-PIM", "servicePrincipalId": .string(Self.guid("ms-pim"))]]
            : ["user": .object(Self.user(actor))]
        var resource = JSONObject()
        resource["id"] = .string("PIM_\(correlation)_\(131_000_000 + step.delay)")
        resource["category"] = .string(category)
        resource["correlationId"] = .string(correlation)
        resource["result"] = "success"
        resource["resultReason"] = .string(step.isByApprover ? answer : justification)
        resource["activityDisplayName"] = .string(step.rawValue)
        resource["activityDateTime"] = .string(moment.iso8601)
        resource["loggedByService"] = "PIM"
        resource["operationType"] = "Update"
        resource["userAgent"] = .null
        resource["initiatedBy"] = initiator
        resource["targetResources"] = .array(targets())
        resource["additionalDetails"] = .array(details(step))
        return [
            "time": .string(moment.iso8601),
            "resourceId": .string("/tenants/\(tenant)/providers/Microsoft.aadiam"),
            "operationName": .string(step.rawValue), "operationVersion": "1.0", "category": "AuditLogs",
            "tenantId": .string(tenant), "resultSignature": "None", "durationMs": 0,
            "callerIpAddress": "198.51.100.17", "correlationId": .string(correlation),
            "identity": .string(step.isBySystem ? "MS-PIM" : actor.name ?? ""), "Level": 4,
            "properties": .object(resource),
        ]
    }

    /// Records of several steps in one message, in the order given.
    public func message(_ steps: [Step]) -> ProducerRecord { Self.message(steps.map(record), key: requestID) }

    /// Any audit records in one message.
    public static func message(_ records: [JSONValue], key: String? = nil) -> ProducerRecord {
        ProducerRecord(
            topic: PlaygroundTopic.entra, key: key.map { Array($0.utf8) },
            value: JSONWriter.bytes(["records": .array(records)]))
    }

    /// A record of another service that changes nothing here.
    public static func noise(_ name: String, at time: Timestamp = .playgroundNow) -> JSONValue {
        let correlation = guid("noise \(name)")
        return [
            "time": .string(time.iso8601),
            "resourceId": .string("/tenants/\(PlaygroundCast.tenant)/providers/Microsoft.aadiam"),
            "operationName": "Update application", "operationVersion": "1.0", "category": "AuditLogs",
            "tenantId": .string(PlaygroundCast.tenant), "resultSignature": "None",
            "correlationId": .string(correlation),
            "Level": 4,
            "properties": [
                "id": .string("Directory_\(correlation)"), "category": "ApplicationManagement", "result": "success",
                "activityDisplayName": "Update application", "activityDateTime": .string(time.iso8601),
                "loggedByService": "Core Directory", "operationType": "Update",
                "initiatedBy": ["user": .object(user(PlaygroundCast.teodor))],
                "targetResources": [], "additionalDetails": [],
            ],
        ]
    }

    private var category: String {
        switch entitlement.kind {
        case .group: "GroupManagement"
        case .azureRole: "ResourceManagement"
        case .entraRole, .accessPackage, .changeRequest, .jsmRequestType, .githubEnvironment: "RoleManagement"
        }
    }

    private func targets() -> [JSONValue] {
        func target(_ id: String, _ name: String?, _ type: String) -> JSONObject {
            [
                "id": .string(id), "displayName": name.map { .string($0) } ?? .null, "type": .string(type),
                "modifiedProperties": [], "administrativeUnits": [],
            ]
        }
        var subject = target(requester.id.rawValue, requester.name, "User")
        subject["userPrincipalName"] = requester.upn.map { .string($0) }
        var all: [JSONObject] = []
        if entitlement.kind == .group {
            all.append(target(Self.guid("role \(entitlement.id)"), "Member", "Role"))
            all.append(target(entitlement.id, entitlement.name, "Group"))
        } else {
            all.append(target(entitlement.id, entitlement.name, "Role"))
        }
        all += [
            target(requestID, nil, "Request"), subject, target(tenant, "Northquay Marine", "Directory"),
            target(Self.guid("other \(requestID)"), nil, "Other"),
        ]
        return all.map { .object($0) }
    }

    private func details(_ step: Step) -> [JSONValue] {
        var pairs: [(String, String)] = []
        if entitlement.kind == .azureRole {
            let scope = entitlement.scope ?? ""
            pairs += [
                (
                    "RoleDefinitionOriginId",
                    "\(scope)/providers/Microsoft.Authorization/roleDefinitions/\(entitlement.id)"
                ), ("RoleDefinitionOriginType", "BuiltInRole"), ("SubscriptionId", subscription),
                ("ResourceType", "subscription"),
            ]
        } else if entitlement.kind != .group {
            pairs += [
                ("RoleDefinitionOriginId", entitlement.id), ("RoleDefinitionOriginType", "BuiltInRole"),
                ("TemplateId", entitlement.id),
            ]
        }
        if step == .requested || step == .completed {
            let start = time.adding(seconds: step.delay)
            pairs.append(("StartTime", start.iso8601))
            pairs.append(("ExpirationTime", start.adding(seconds: windowSeconds).iso8601))
        }
        pairs.append(("Justification", step.isByApprover ? answer : justification))
        if let number = ticket?.number, !step.isByApprover { pairs.append(("TicketNumber", number)) }
        if let system = ticket?.system, !step.isByApprover { pairs.append(("TicketSystem", system)) }
        pairs += [
            ("oid", (step.isByApprover ? approver : requester).id.rawValue), ("tid", tenant),
            ("ipaddr", "198.51.100.17"), ("RoleAssignmentRequestId", requestID),
        ]
        return pairs.map { ["key": .string($0.0), "value": .string($0.1)] }
    }

    private static func user(_ actor: Actor) -> JSONObject {
        [
            "id": .string(actor.id.rawValue), "displayName": actor.name.map { .string($0) } ?? .null,
            "userPrincipalName": actor.upn.map { .string($0) } ?? .null, "ipAddress": "198.51.100.17", "roles": [],
        ]
    }

    /// A GUID that follows from a text, of the form of version 5.
    public static func guid(_ name: String) -> String {
        var bytes = Array(Digest(hashing: "northquay \(name)").bytes.prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x50
        bytes[8] = bytes[8] & 0x3F | 0x80
        let hex = Hex.encode(bytes)
        var groups: [Substring] = []
        var rest = hex[...]
        for length in [8, 4, 4, 4, 12] {
            groups.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return groups.joined(separator: "-")
    }
}
