import ApprovalSources
import ClawWire
import IssuanceRules

/// Builds audit records of a synthetic tenant, one member at a time.
struct AuditRecordBuilder {
    static let tenant = "5b0c3f8e-1111-4222-8333-444455556666"
    static let role = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
    static let group = "fbcdbd69-3c2d-5deb-9b02-7cdcaef992ad"
    static let package = "7945a64d-adf6-5997-9ff1-c8bac4db6a8d"
    static let subscription = "0862d318-806e-542c-b946-43690ead7b9b"
    static let request = "9c6d9111-b8d8-557e-a298-20035e47a580"
    static let subject = "a5a38504-8335-5c2a-8ad2-5e374d719355"
    static let approver = "2dd18507-3fb7-5dd2-b44b-8880d5503efa"

    var service = "PIM"
    var category = "RoleManagement"
    var logCategory = "AuditLogs"
    var activity: String
    var result: JSONValue = "success"
    var time: JSONValue = "2026-11-20T09:06:41.0448812+00:00"
    var id: JSONValue = "PIM_57042710-c05e-5119-92a1-b690059931d7_131000001"
    var tenantID = Self.tenant
    var resourceID = "/tenants/\(Self.tenant)/providers/Microsoft.aadiam"
    var initiatedBy: JSONValue = Self.user(Self.subject, "Avery Okafor", "avery.okafor@harborline.example")
    var targets: [JSONValue] = Self.roleTargets
    var details: [(String, String)] = [("RoleAssignmentRequestId", Self.request)]
    var resultReason: JSONValue = ""

    init(_ activity: String) { self.activity = activity }

    static func user(_ id: String, _ name: String?, _ upn: String?) -> JSONValue {
        ["user": ["id": .string(id), "displayName": .optional(name), "userPrincipalName": .optional(upn)]]
    }

    static func target(_ type: String, _ id: String?, _ name: String? = nil, upn: String? = nil) -> JSONValue {
        [
            "type": .string(type), "id": .optional(id), "displayName": .optional(name),
            "userPrincipalName": .optional(upn), "modifiedProperties": [],
        ]
    }

    static let person = target("User", subject, "Avery Okafor", upn: "avery.okafor@harborline.example")
    static let roleTargets = [
        target("Role", role, "Application Administrator"), target("Request", request), person,
        target("Directory", tenant, "Harborline Logistics"), target("Other", "e5152a84-0000-4000-8000-000000000000"),
    ]
    static let groupTargets = [
        target("Role", "851a8118-0000-4000-8000-000000000000", "Member"), target("Request", request), person,
        target("Group", group, "claw-jobs-prod-db-maintenance"),
    ]

    var json: JSONValue {
        [
            "time": "2026-11-20T09:06:41.0448812Z", "resourceId": .string(resourceID),
            "operationName": .string(activity), "category": .string(logCategory), "tenantId": .string(tenantID),
            "properties": [
                "id": id, "category": .string(category), "result": result, "resultReason": resultReason,
                "activityDisplayName": .string(activity), "activityDateTime": time,
                "loggedByService": .string(service), "initiatedBy": initiatedBy, "targetResources": .array(targets),
                "additionalDetails": .array(
                    details.map { ["key": .string($0.0), "value": .string($0.1)] as JSONValue }),
            ],
        ]
    }

    func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }

    static var configuration: SourceConfiguration {
        var configuration = SourceConfiguration(
            name: SourceName("entra"), kind: .entraAudit, authenticity: .topic)
        configuration.tenants = [tenant]
        return configuration
    }

    static let now = Timestamp(seconds: 1_795_165_200)

    static func reading(_ value: JSONValue, _ configuration: SourceConfiguration = configuration) -> SourceReading {
        reading(JSONWriter.bytes(value), configuration)
    }

    static func reading(_ bytes: [UInt8], _ configuration: SourceConfiguration = configuration) -> SourceReading {
        EntraAuditSource.facts(
            from: SourceRecord(topic: "insights-logs-auditlogs", value: bytes), configuration: configuration, at: now)
    }

    /// The one fact of the record.
    func fact(_ configuration: SourceConfiguration = configuration) -> Fact? { Self.reading(json, configuration).only }
}

extension SourceReading {
    var facts: [Fact] {
        guard case .facts(let facts, _) = self else { return [] }
        return facts
    }

    var only: Fact? { facts.count == 1 ? facts[0] : nil }

    var fault: DeadLetterReason? {
        guard case .deadLetter(let fault) = self else { return nil }
        return fault.reason
    }

    var evidence: AuthenticityEvidence? {
        guard case .facts(_, let evidence) = self else { return nil }
        return evidence
    }
}
