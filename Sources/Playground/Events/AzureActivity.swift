public import ClawWire
import IssuanceRules
public import Kafka

/// The same activation as the Azure activity log tells it: who, what and where, and not until when.
extension EntraActivation {
    /// One record of the activity log.
    public func activityRecord(_ step: Step) -> JSONValue {
        let scope = entitlement.scope ?? ""
        let definition = "\(scope)/providers/Microsoft.Authorization/roleDefinitions/\(entitlement.id)"
        var properties: JSONObject = [
            "SubscriptionID": .string(subscription), "ResourceGroupName": "ledger-prod",
            "ResourceProviderName": "azurerbac", "ResourceType": "subscription", "TenantID": .string(tenant),
            "EventName": .string(Self.eventName(step)),
            "EventID": .string(Self.guid("activity \(requestID) \(step.rawValue)")),
            "RoleAssignmentRequestId": .string(requestID), "RoleDefinition": .optional(entitlement.name),
            "RoleDefinitionOriginId": .string(definition), "CallerInfo": .string(caller(step)),
            "Justification": .string(step.isByApprover ? answer : justification),
            "SubjectID": .string(requester.id.rawValue), "SubjectName": .optional(requester.name),
        ]
        if step == .completed {
            properties["OriginRoleAssignmentId"] = .string(
                "\(scope)/providers/Microsoft.Authorization/roleAssignments/\(Self.guid("assignment \(requestID)"))")
        }
        return [
            "location": "global", "resultType": "Succeeded",
            "time": .string(time.adding(seconds: step.delay).iso8601), "resourceId": .string(scope.uppercased()),
            "correlationId": .string(Self.guid("activity correlation \(requestID)")),
            "operationName": .string(step.rawValue), "category": "Administrative",
            "properties": .object(properties), "callerIpAddress": "198.51.100.17",
        ]
    }

    /// Records of several steps in one message, in the order given.
    public func activityMessage(_ steps: [Step]) -> ProducerRecord {
        Self.activityMessage(steps.map(activityRecord), key: requestID)
    }

    /// An operation of a resource provider, which is no approval of anything.
    public static func activityNoise(_ name: String, at time: Timestamp = .playgroundNow) -> JSONValue {
        let scope = PlaygroundVendor.storageRole.scope ?? ""
        return [
            "location": "global", "resultType": "Succeeded", "time": .string(time.iso8601),
            "resourceId": .string("\(scope)/resourceGroups/ledger-prod".uppercased()),
            "correlationId": .string(guid("activity noise \(name)")),
            "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/START/ACTION", "category": "Administrative",
            "properties": ["eventCategory": "Administrative", "message": "Microsoft.Compute/virtualMachines/start"],
        ]
    }

    /// Any records of the activity log in one message.
    public static func activityMessage(_ records: [JSONValue], key: String) -> ProducerRecord {
        VendorDraft.record(.azureActivity, key: key, value: JSONWriter.bytes(["records": .array(records)]))
    }

    /// The subscription that the role is held on.
    var subscription: String { String(entitlement.scope?.split(separator: "/").last ?? "") }

    /// Pairs of type and value, printed into a string as the log has them.
    private func caller(_ step: Step) -> String {
        func pair(_ type: String, _ value: String?) -> JSONValue? {
            value.map { ["CallerIdentityType": .string(type), "CallerIdentityValue": .string($0)] }
        }
        let person = step.isByApprover ? approver : requester
        let pairs =
            step.isBySystem
            ? [
                pair("ObjectID", Self.guid("ms-pim")), pair("Name", "MS-PIM"),
                pair("ObjectClass", "ServicePrincipal"),
            ]
            : [
                pair("UPN", person.upn), pair("ObjectID", person.id.rawValue), pair("Name", person.name),
                pair("ObjectClass", "User"),
            ]
        return JSONWriter.text(.array(pairs.compactMap(\.self)))
    }

    private static func eventName(_ step: Step) -> String {
        switch step {
        case .requested: "CreateRequestRoleActivation"
        case .routed: "RequestApproval"
        case .approved: "ApproveRequest"
        case .denied: "DenyRequest"
        case .canceled: "CancelRequest"
        case .timedOut: "ExpireRequest"
        case .completed: "ActivateRole"
        case .deactivationRequested: "CreateRequestRoleDeactivation"
        case .deactivated: "DeactivateRole"
        case .expired: "RemoveActivatedRole"
        }
    }
}
