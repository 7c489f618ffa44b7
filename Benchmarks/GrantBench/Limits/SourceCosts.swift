import ApprovalSources
import ClawWire
import IssuanceRules

/// How fast one core reads what approval systems send: a message of many entries, as a vendor batches them.
struct SourceCosts {
    static let tenant = "5b0c3f8e-1111-4222-8333-444455556666"
    static let entries = 1_000

    let options: BenchOptions

    func measure(into report: inout BenchReport) throws {
        let rounds = options.amount(10, quick: 3)
        var limits = SourceConfiguration.Limits()
        limits.json = JSONLimits(maximumBytes: 16_777_216, maximumMembers: 1_000_000)
        for (name, message) in [("entra_batch", Self.activations()), ("entra_noise", Self.noise())] {
            var configuration = SourceConfiguration(name: SourceName("entra"), kind: .entraAudit, authenticity: .topic)
            configuration.tenants = [Self.tenant]
            configuration.limits = limits
            let record = SourceRecord(topic: "insights-logs-auditlogs", value: message)
            guard case .facts(let facts, _) = AnySource.facts(from: record, configuration: configuration, at: Self.now),
                facts.count == Self.entries
            else { throw BenchError("the batch \(name) is not read entry by entry") }
            let microseconds = CPUClock.perCall(rounds) { _ in
                _ = AnySource.facts(from: record, configuration: configuration, at: Self.now)
            }
            report.add("source.\(name)", Double(message.count) / microseconds, .megabytesPerSecond)
            report.add("source.\(name)_entry", microseconds / Double(Self.entries), .microseconds)
            report.add("size.\(name)_entry", Double(message.count) / Double(Self.entries), .bytes)
        }
    }

    private static let now = Timestamp(seconds: 1_795_165_260)

    /// Activations of roles: requested, approved, completed, in turn.
    static func activations() -> [UInt8] {
        let steps = [
            "Add member to role requested (PIM activation)", "Add member to role request approved (PIM activation)",
            "Add member to role completed (PIM activation)",
        ]
        return batch { index in
            entry(
                index, service: "PIM", activity: steps[index % 3],
                details: [
                    ("RoleDefinitionOriginId", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
                    ("RoleDefinitionOriginType", "BuiltInRole"),
                    ("TemplateId", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
                    ("Justification", "Checked against the change of this week; rotate the signing key."),
                    ("TicketNumber", "CHG0034521"), ("TicketSystem", "ServiceNow"),
                    ("StartTime", "2026-11-20T09:06:46.9326817Z"), ("ExpirationTime", "2026-11-20T10:06:46.9326817Z"),
                    ("oid", "a5a38504-8335-5c2a-8ad2-5e374d719355"), ("tid", tenant), ("ipaddr", "203.0.113.24"),
                    ("RoleAssignmentRequestId", identifier(index / 3)),
                ])
        }
    }

    /// What else a directory logs: most of a tenant's stream.
    static func noise() -> [UInt8] {
        batch { entry($0, service: "Core Directory", activity: "Update user", details: [("User-Agent", "EvoSTS")]) }
    }

    private static func batch(_ entry: (Int) -> JSONValue) -> [UInt8] {
        JSONWriter.bytes(["records": .array((0..<entries).map(entry))])
    }

    private static func identifier(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "9c6d9111-b8d8-557e-a298-" + String(repeating: "0", count: 12 - digits.utf8.count) + digits
    }

    private static func entry(
        _ index: Int, service: String, activity: String, details: [(String, String)]
    ) -> JSONValue {
        let id = identifier(index)
        return [
            "time": "2026-11-20T09:06:41.0448812Z",
            "resourceId": .string("/tenants/\(tenant)/providers/Microsoft.aadiam"),
            "operationName": .string(activity), "operationVersion": "1.0", "category": "AuditLogs",
            "tenantId": .string(tenant), "resultSignature": "None", "durationMs": 0, "callerIpAddress": "203.0.113.24",
            "correlationId": .string(id), "identity": "Mina Castellanos", "Level": 4,
            "properties": [
                "id": .string("PIM_\(id)_131000001"), "category": "RoleManagement", "correlationId": .string(id),
                "result": "success", "resultReason": "", "activityDisplayName": .string(activity),
                "activityDateTime": "2026-11-20T09:06:41.0448812+00:00", "loggedByService": .string(service),
                "operationType": "Update", "userAgent": .null,
                "initiatedBy": [
                    "user": [
                        "id": "2dd18507-3fb7-5dd2-b44b-8880d5503efa", "displayName": "Mina Castellanos",
                        "userPrincipalName": "mina.castellanos@harborline.example", "ipAddress": "203.0.113.24",
                        "roles": [],
                    ]
                ],
                "targetResources": [
                    [
                        "type": "Role", "id": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
                        "displayName": "Application Administrator",
                        "modifiedProperties": [
                            [
                                "displayName": "TemplateId", "oldValue": "\"\"",
                                "newValue": "\"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3\"",
                            ]
                        ], "administrativeUnits": [],
                    ],
                    ["type": "Request", "id": .string(id)],
                    [
                        "type": "User", "id": "a5a38504-8335-5c2a-8ad2-5e374d719355", "displayName": "Avery Okafor",
                        "userPrincipalName": "avery.okafor@harborline.example", "modifiedProperties": [],
                        "administrativeUnits": [],
                    ],
                    ["type": "Directory", "id": .string(tenant), "displayName": "Harborline Logistics"],
                    ["type": "Other", "id": "e5152a84-0000-4000-8000-000000000000"],
                ],
                "additionalDetails": .array(
                    details.map { ["key": .string($0.0), "value": .string($0.1)] as JSONValue }),
            ],
        ]
    }
}
