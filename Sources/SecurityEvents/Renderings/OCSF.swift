public import ClawWire
import ReceiptLog

/// Renders security events in the Open Cybersecurity Schema Framework, version 1.8.0.
///
/// Classes and activities are those of the integration guide; what OCSF has no attribute for stands under
/// `unmapped.claw`. Only attributes that later versions keep are used.
public enum OCSF {
    /// Version of the schema.
    public static let version = "1.8.0"

    /// A class with one of its activities.
    struct Activity {
        let category: Int
        let categoryName: String
        let classUID: Int
        let className: String
        let id: Int
        let name: String

        /// `class_uid` × 100 + `activity_id`, as the schema defines it.
        var typeUID: Int { classUID * 100 + id }

        static func session(_ id: Int, _ name: String) -> Activity {
            Activity(
                category: 3, categoryName: "Identity & Access Management", classUID: 3003,
                className: "Authorize Session", id: id, name: name)
        }

        static func entity(_ id: Int, _ name: String) -> Activity {
            Activity(
                category: 3, categoryName: "Identity & Access Management", classUID: 3004,
                className: "Entity Management", id: id, name: name)
        }

        static let revokePrivileges = Activity(
            category: 3, categoryName: "Identity & Access Management", classUID: 3005,
            className: "User Access Management", id: 2, name: "Revoke Privileges")

        static let finding = Activity(
            category: 2, categoryName: "Findings", classUID: 2004, className: "Detection Finding", id: 1,
            name: "Create")

        static func api(_ id: Int, _ name: String) -> Activity {
            Activity(
                category: 6, categoryName: "Application Activity", classUID: 6003, className: "API Activity", id: id,
                name: name)
        }
    }

    /// The event as an OCSF object.
    public static func object(_ event: SecurityEvent) -> JSONObject {
        let activity = activity(of: event)
        var object: JSONObject = [
            "activity_id": .integer(Int64(activity.id)), "activity_name": .string(activity.name),
            "category_name": .string(activity.categoryName), "category_uid": .integer(Int64(activity.category)),
            "class_name": .string(activity.className), "class_uid": .integer(Int64(activity.classUID)),
            "message": .string(event.message), "metadata": .object(metadata(event)),
            "severity": .string(severityName(event.severity)), "severity_id": .integer(Int64(event.severity.rawValue)),
            "status": .string(event.outcome == .success ? "Success" : "Failure"),
            "status_id": event.outcome == .success ? 1 : 2, "time": .integer(event.receipt.occurredAt.milliseconds),
            "type_name": .string("\(activity.className): \(activity.name)"),
            "type_uid": .integer(Int64(activity.typeUID)),
        ]
        if let reason = event.reason {
            object["status_code"] = .string(reason.code)
            object["status_detail"] = .string(reason.detail)
        }
        for member in details(of: event).members { object[member.key] = member.value }
        object["unmapped"] = ["claw": .object(ClawFacts.object(event))]
        return TokenMask.masked(object)
    }

    static func activity(of event: SecurityEvent) -> Activity {
        switch event.receipt.content {
        case .grantIssued, .decisionDenied, .decisionExpired: .session(1, "Assign Privileges")
        case .revocation: .revokePrivileges
        case .decisionQuarantined, .findingRaised, .budgetReached: .finding
        case .stopDeclared: .entity(12, "Suspend")
        case .stopLifted: .entity(13, "Resume")
        case .stopDrilled: .entity(99, "Drill")
        case .controlApplied: .entity(3, "Update")
        case .controlRepeated: .entity(2, "Read")
        case .keyChanged(let change):
            switch change.change {
            case .activated: .entity(10, "Activate")
            case .verifyOnly, .retired: .entity(11, "Deactivate")
            case .compromised: .entity(12, "Suspend")
            }
        case .gatewayReceipt: .api(1, "Create")
        case .revocationsEnded, .deadLetterDiscarded: .api(4, "Delete")
        case .deadLetterRedriven: .api(3, "Update")
        case .heartbeat: .api(2, "Read")
        }
    }

    private static func metadata(_ event: SecurityEvent) -> JSONObject {
        var metadata: JSONObject = [
            "correlation_uid": .string(event.correlation), "event_code": .string(event.code),
            "log_name": .string(event.producer.logID.rawValue), "logged_time": .integer(event.sealedAt.milliseconds),
            "original_time": .string(event.receipt.occurredAt.iso8601),
            "product": [
                "name": .string(EventProducer.product), "vendor_name": .string(EventProducer.vendor),
                "version": .string(event.producer.version),
            ], "sequence": .integer(event.sequence.value), "uid": .string(event.receipt.id.rawValue),
            "version": .string(version),
        ]
        if profiled(event) { metadata["profiles"] = ["security_control"] }
        metadata["tenant_uid"] = event.producer.tenant.map { .string($0) }
        return metadata
    }

    private static func severityName(_ severity: SecurityEvent.Severity) -> String {
        switch severity {
        case .informational: "Informational"
        case .low: "Low"
        case .medium: "Medium"
        case .high: "High"
        case .critical: "Critical"
        }
    }

    /// True where the profile `security_control` says what was allowed or denied.
    private static func profiled(_ event: SecurityEvent) -> Bool {
        switch event.receipt.content {
        case .grantIssued, .decisionDenied, .decisionExpired, .revocation, .stopDeclared, .stopLifted: true
        case .decisionQuarantined, .deadLetterRedriven, .deadLetterDiscarded, .revocationsEnded, .keyChanged,
            .stopDrilled, .controlApplied, .controlRepeated,
            .gatewayReceipt, .findingRaised, .budgetReached, .heartbeat:
            false
        }
    }
}
