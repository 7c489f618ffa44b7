public import ClawWire
public import IssuanceRules
public import Kafka

/// The same activation as a poller of Microsoft Graph finds it: request, approval and schedule instance.
extension EntraActivation {
    /// How far the request has come.
    public enum PollStatus: String, Sendable, CaseIterable {
        /// Nobody has answered.
        case pending = "PendingApproval"
        /// Somebody said yes, and the activation is live.
        case provisioned = "Provisioned"
        /// Somebody said no.
        case denied = "Denied"
    }

    /// What a poller writes about the request.
    ///
    /// - Parameters:
    ///   - status: how far it has come.
    ///   - polledAt: when the poller asked; the same answer at another time is the same event.
    ///   - holder: whose the schedule instance is; the requester's when `nil`.
    public func poll(_ status: PollStatus, at polledAt: Timestamp, instanceOf holder: Actor? = nil) -> ProducerRecord {
        var request = scheduleRequest("selfActivate", id: requestID, status: status.rawValue, at: time)
        request["completedDateTime"] = status == .pending ? .null : .string(time.adding(seconds: 3).iso8601)
        request["approvalId"] = .string(requestID)
        return Self.poll(
            request, approval: approval(status),
            instance: status == .provisioned ? instance(of: holder ?? requester) : .null, at: polledAt)
    }

    /// What a poller writes once the requester has given the role back: a request of its own.
    public func deactivationPoll(at polledAt: Timestamp) -> ProducerRecord {
        let moment = time.adding(seconds: 4)
        var request = scheduleRequest(
            "selfDeactivate", id: Self.guid("deactivation \(requestID)"), status: "Revoked", at: moment)
        request["completedDateTime"] = .string(moment.adding(seconds: 1).iso8601)
        request["approvalId"] = .null
        return Self.poll(request, approval: .null, instance: .null, at: polledAt)
    }

    /// A change notification of a group: somebody is no longer in it.
    public static func removal(of person: Actor, from group: Entitlement, at time: Timestamp) -> ProducerRecord {
        let resource = "groups/\(group.id)"
        let value: JSONValue = [
            "kind": "graph.notification", "tenantId": .string(PlaygroundCast.tenant),
            "receivedAt": .string(time.iso8601),
            "body": [
                "value": [
                    [
                        "subscriptionId": .string(guid("subscription of \(group.id)")), "changeType": "updated",
                        "tenantId": .string(PlaygroundCast.tenant), "resource": .string(resource),
                        "resourceData": [
                            "@odata.type": "#Microsoft.Graph.Group", "@odata.id": .string(resource),
                            "id": .string(group.id),
                            "members@delta": [["id": .string(person.id.rawValue), "@removed": "deleted"]],
                        ],
                    ]
                ]
            ],
        ]
        return VendorDraft.record(.graph, key: group.id, value: JSONWriter.bytes(value))
    }

    private static func poll(
        _ request: JSONObject, approval: JSONValue, instance: JSONValue, at polledAt: Timestamp
    ) -> ProducerRecord {
        let value: JSONValue = [
            "kind": "graph.poll", "tenantId": .string(PlaygroundCast.tenant), "polledAt": .string(polledAt.iso8601),
            "request": .object(request), "approval": approval, "instance": instance,
        ]
        return VendorDraft.record(.graph, key: request["id"]?.string ?? "", value: JSONWriter.bytes(value))
    }

    private var isGroup: Bool { entitlement.kind == .group }

    private func scheduleRequest(_ action: String, id: String, status: String, at moment: Timestamp) -> JSONObject {
        var request: JSONObject = [
            "@odata.type": .string(
                "#microsoft.graph."
                    + (isGroup
                        ? "privilegedAccessGroupAssignmentScheduleRequest" : "unifiedRoleAssignmentScheduleRequest")),
            "id": .string(id), "status": .string(status), "createdDateTime": .string(moment.iso8601),
            "completedDateTime": .null, "approvalId": .null, "customData": .null, "action": .string(action),
            "principalId": .string(requester.id.rawValue), "isValidationOnly": false,
            "targetScheduleId": .string(requestID), "justification": .string(justification),
            "createdBy": [
                "application": .null, "device": .null,
                "user": ["displayName": .null, "id": .string(requester.id.rawValue)],
            ],
            "scheduleInfo": [
                "startDateTime": .string(moment.iso8601), "recurrence": .null,
                "expiration": [
                    "type": "afterDuration", "endDateTime": .null, "duration": .string("PT\(windowSeconds)S"),
                ],
            ],
            "ticketInfo": ["ticketNumber": .optional(ticket?.number), "ticketSystem": .optional(ticket?.system)],
        ]
        hold(&request)
        return request
    }

    /// Names what is held.
    private func hold(_ object: inout JSONObject) {
        if isGroup {
            object["groupId"] = .string(entitlement.id)
            object["accessId"] = .optional(entitlement.scope)
        } else {
            object["roleDefinitionId"] = .string(entitlement.id)
            object["directoryScopeId"] = .optional(entitlement.scope)
            object["appScopeId"] = .null
        }
    }

    private func approval(_ status: PollStatus) -> JSONValue {
        let isOpen = status == .pending
        let reviewer: JSONValue = [
            "id": .string(approver.id.rawValue), "displayName": .optional(approver.name),
            "userPrincipalName": .optional(approver.upn), "mail": .optional(approver.upn),
        ]
        let step: JSONValue = [
            "id": .string(requestID), "displayName": .null, "assignedToMe": false,
            "status": isOpen ? "InProgress" : "Completed",
            "reviewResult": isOpen ? "NotReviewed" : status == .denied ? "Deny" : "Approve",
            "reviewedDateTime": isOpen ? .null : .string(time.adding(seconds: 2).iso8601),
            "reviewedBy": isOpen ? .null : reviewer, "justification": isOpen ? .null : .string(answer),
        ]
        return ["id": .string(requestID), "steps": [step]]
    }

    private func instance(of holder: Actor) -> JSONValue {
        let start = time.adding(seconds: 3)
        var instance: JSONObject = [
            "id": .string(Self.guid("instance \(requestID)")), "principalId": .string(holder.id.rawValue),
            "startDateTime": .string(start.iso8601),
            "endDateTime": .string(start.adding(seconds: windowSeconds).iso8601), "assignmentType": "Activated",
            "memberType": "Direct",
        ]
        instance[isGroup ? "assignmentScheduleId" : "roleAssignmentScheduleId"] = .string(requestID)
        hold(&instance)
        return .object(instance)
    }
}
