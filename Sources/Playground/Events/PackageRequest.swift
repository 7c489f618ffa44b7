public import ClawWire
public import IssuanceRules
public import Kafka

/// A request for an access package, as callouts and as the audit log tell it.
public struct PackageRequest: Sendable, Hashable {
    /// The request's id, a GUID.
    public var requestID: String
    /// Who asks, for themselves.
    public var requester = PlaygroundCast.ines
    /// When it was asked for; everything else happens a little later.
    public var time: Timestamp
    /// How long the assignment lasts, in hours.
    public var hours = 4

    /// A request for the playground's package, named by one text.
    public init(_ name: String, at time: Timestamp = .playgroundNow) {
        requestID = EntraActivation.guid("package request \(name)")
        self.time = time
    }

    /// The approval's identifier, as a capability request names it.
    public var approvalID: ApprovalID { ApprovalID("entra-em/\(PlaygroundCast.tenant)/\(requestID)") }

    /// A moment of a request at which a custom extension is called out.
    public enum Stage: String, Sendable, CaseIterable {
        /// Asked for.
        case created = "assignmentRequestCreated"
        /// Approved, by somebody or by nobody.
        case approved = "assignmentRequestApproved"
        /// Delivered.
        case granted = "assignmentRequestGranted"
        /// Given back: a request of its own.
        case removed = "assignmentRequestRemoved"
    }

    // MARK: Callouts

    /// What a Logic App passes on.
    ///
    /// - Parameters:
    ///   - stage: what is called out.
    ///   - receivedAt: when; a retry at another time is the same event.
    ///   - isRecased: whether the Logic App writes the body's keys in Pascal case, as some do.
    public func callout(_ stage: Stage, at receivedAt: Timestamp, isRecased: Bool = false) -> ProducerRecord {
        let package = PlaygroundVendor.package
        let id = stage == .removed ? EntraActivation.guid("removal \(requestID)") : requestID
        let progress: (state: String, status: String) =
            switch stage {
            case .created: ("submitted", "Submitted")
            case .approved: ("delivering", "Approved")
            case .granted, .removed: ("delivered", "Delivered")
            }
        let body: JSONValue = [
            "accessPackageAssignmentRequestId": .string(id),
            "callbackUriPath": .string(
                "/identityGovernance/entitlementManagement/accessPackageAssignmentRequests/\(id)/resume"),
            "customExtensionStageInstanceId": .string(EntraActivation.guid("\(requestID) \(stage.rawValue)")),
            "stage": .string(stage.rawValue), "requestType": stage == .removed ? "userRemove" : "userAdd",
            "state": .string(progress.state), "status": .string(progress.status),
            "answers": [
                [
                    "answeredQuestion": ["id": .string(EntraActivation.guid("question")), "text": "Ticket"],
                    "value": "CHG0047730", "displayValue": "CHG0047730",
                ]
            ],
            "accessPackage": ["id": .string(package.id), "displayName": .optional(package.name)],
            "accessPackageCatalog": ["id": .string(EntraActivation.guid("catalog")), "displayName": "Agents"],
            "requestor": [
                "id": .string(EntraActivation.guid("subject \(requester.id)")),
                "objectId": .string(requester.id.rawValue), "displayName": .optional(requester.name),
                "principalName": .optional(requester.upn), "subjectType": "user",
            ],
            "assignment": [
                "id": .string(EntraActivation.guid("package assignment \(requestID)")),
                "state": .string(progress.state),
                "schedule": [
                    "startDateTime": .string(time.iso8601),
                    "expiration": [
                        "type": "afterDuration", "duration": .string("PT\(hours)H"), "endDateTime": .null,
                    ],
                ],
            ],
            "callbackConfiguration": .null,
        ]
        let value: JSONValue = [
            "kind": "em.callout", "tenantId": .string(PlaygroundCast.tenant),
            "receivedAt": .string(receivedAt.iso8601), "body": isRecased ? Self.recased(body) : body,
        ]
        return VendorDraft.record(.entitlementManagement, key: id, value: JSONWriter.bytes(value))
    }

    private static func recased(_ value: JSONValue) -> JSONValue {
        if let object = value.object {
            return .object(
                JSONObject(
                    object.members.map { ($0.key.prefix(1).uppercased() + $0.key.dropFirst(), recased($0.value)) }))
        }
        return value.array.map { .array($0.map(recased)) } ?? value
    }

    // MARK: The audit log

    /// How the audit log says that a request was answered.
    public enum Answer: String, Sendable, CaseIterable {
        /// Somebody said yes.
        case approved = "Approve access package assignment request"
        /// The policy demands nobody.
        case automatic = "Auto approve access package assignment request"
        /// Somebody said no.
        case denied = "Deny access package assignment request"
        /// Whoever asked took it back.
        case canceled = "Cancel access package assignment request"
    }

    /// The audit log's record of an answer, in one message.
    ///
    /// - Parameter person: who answered; `nil` for the platform.
    public func audit(_ answer: Answer, by person: Actor?) -> ProducerRecord {
        func target(_ type: String, _ id: String, _ name: String?, upn: String? = nil) -> JSONValue {
            [
                "id": .string(id), "displayName": .optional(name), "type": .string(type),
                "userPrincipalName": .optional(upn), "modifiedProperties": [], "administrativeUnits": [],
            ]
        }
        let moment = time.adding(seconds: 2).iso8601
        let correlation = EntraActivation.guid("\(requestID) \(answer.rawValue)")
        let initiator: JSONValue =
            if let person {
                [
                    "user": [
                        "id": .string(person.id.rawValue), "displayName": .optional(person.name),
                        "userPrincipalName": .optional(person.upn), "ipAddress": "198.51.100.17", "roles": [],
                    ]
                ]
            } else {
                [
                    "app": [
                        "appId": .null, "displayName": "Azure AD Identity Governance - Entitlement Management",
                        "servicePrincipalId": .string(EntraActivation.guid("entitlement management")),
                    ]
                ]
            }
        let package = PlaygroundVendor.package
        let record: JSONValue = [
            "time": .string(moment),
            "resourceId": .string("/tenants/\(PlaygroundCast.tenant)/providers/Microsoft.aadiam"),
            "operationName": .string(answer.rawValue), "operationVersion": "1.0", "category": "AuditLogs",
            "tenantId": .string(PlaygroundCast.tenant), "resultSignature": "None",
            "correlationId": .string(correlation), "Level": 4,
            "properties": [
                "id": .string("EntitlementManagement_\(correlation)"), "category": "EntitlementManagement",
                "correlationId": .string(correlation), "result": "success", "resultReason": "",
                "activityDisplayName": .string(answer.rawValue), "activityDateTime": .string(moment),
                "loggedByService": "Entitlement Management", "operationType": "Update", "initiatedBy": initiator,
                "targetResources": [
                    target("AccessPackageAssignmentRequest", requestID, nil),
                    target("AccessPackage", package.id, package.name),
                    target("User", requester.id.rawValue, requester.name, upn: requester.upn),
                ],
                "additionalDetails": [],
            ],
        ]
        return EntraActivation.message([record], key: requestID)
    }
}
