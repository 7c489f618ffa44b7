import ApprovalSources
import ClawWire
import IssuanceRules

/// Reads messages of an approval system, so many entries each, so many times over.
enum SourceReading {
    private static let tenant = "5b0c3f8e-1111-4222-8333-444455556666"
    private static let role = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"

    /// What the entries of a message are.
    enum Kind: String {
        /// Activations of a role, each of which is a fact.
        case activations
        /// What else a directory logs, which is passed over.
        case noise
    }

    /// How many approvals were read.
    static func run(_ kind: Kind, entries: Int, rounds: Int, at now: Timestamp) -> Int {
        let message = JSONWriter.bytes(["records": .array((0..<entries).map { entry($0, kind) })])
        let record = SourceRecord(topic: "insights-logs-auditlogs", value: message)
        var configuration = SourceConfiguration(name: SourceName("entra"), kind: .entraAudit, authenticity: .topic)
        configuration.tenants = [tenant]
        configuration.limits.json = JSONLimits(maximumBytes: 16_777_216, maximumMembers: 1_000_000)
        var told = 0
        for _ in 0..<rounds {
            guard case .facts(let facts, _) = AnySource.facts(from: record, configuration: configuration, at: now)
            else {
                continue
            }
            told += facts.count { if case .decisionApproved = $0.content { true } else { false } }
        }
        return told
    }

    private static func entry(_ number: Int, _ kind: Kind) -> JSONValue {
        let digits = String(number, radix: 16)
        let id = "9c6d9111-b8d8-557e-a298-" + String(repeating: "0", count: 12 - digits.utf8.count) + digits
        let isActivation = kind == .activations
        let activity = isActivation ? "Add member to role request approved (PIM activation)" : "Update user"
        let details: [(String, String)] = [
            ("RoleDefinitionOriginId", role), ("TicketNumber", "CHG0034521"), ("TicketSystem", "ServiceNow"),
            ("StartTime", "2026-11-20T09:06:46.9326817Z"), ("ExpirationTime", "2026-11-20T10:06:46.9326817Z"),
        ]
        return [
            "time": "2026-11-20T09:06:41.0448812Z", "category": "AuditLogs", "tenantId": .string(tenant),
            "resourceId": .string("/tenants/\(tenant)/providers/Microsoft.aadiam"),
            "operationName": .string(activity), "correlationId": .string(id),
            "properties": [
                "id": .string("PIM_\(id)_131000001"),
                "category": .string(isActivation ? "RoleManagement" : "UserManagement"),
                "correlationId": .string(id),
                "result": "success", "activityDisplayName": .string(activity),
                "activityDateTime": "2026-11-20T09:06:41.0448812+00:00",
                "loggedByService": .string(isActivation ? "PIM" : "Core Directory"),
                "initiatedBy": [
                    "user": [
                        "id": "2dd18507-3fb7-5dd2-b44b-8880d5503efa", "displayName": "Mina Castellanos",
                        "userPrincipalName": "mina.castellanos@harborline.example",
                    ]
                ],
                "targetResources": [
                    ["type": "Role", "id": .string(role), "displayName": "Application Administrator"],
                    ["type": "Request", "id": .string(id)],
                    [
                        "type": "User", "id": "a5a38504-8335-5c2a-8ad2-5e374d719355", "displayName": "Avery Okafor",
                        "userPrincipalName": "avery.okafor@harborline.example",
                    ],
                ],
                "additionalDetails": .array(
                    details.map { ["key": .string($0.0), "value": .string($0.1)] as JSONValue }),
            ],
        ]
    }
}
