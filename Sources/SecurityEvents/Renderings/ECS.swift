public import ClawWire
import ReceiptLog

/// Renders security events in the Elastic Common Schema.
public enum ECS {
    /// Version of the schema.
    public static let version = "8.17.0"

    /// The event as an ECS document.
    public static func object(_ event: SecurityEvent) -> JSONObject {
        let receipt = event.receipt
        let (categories, types) = classification(of: event)
        var about: JSONObject = [
            "action": .string(event.code.replacing(".", with: "-")),
            "category": .array(categories.map { .string($0) }), "created": .string(event.sealedAt.iso8601),
            "dataset": "clawgrant.receipts", "id": .string(receipt.id.rawValue),
            "kind": event.severity >= .high ? "alert" : "event", "module": "clawgrant",
            "outcome": .string(event.outcome.rawValue), "provider": .string(EventProducer.product),
            "sequence": .integer(event.sequence.value), "severity": .integer(Int64(event.severity.rawValue * 20)),
            "type": .array(types.map { .string($0) }),
        ]
        about["reason"] = event.reason.map { .string("\($0.code): \($0.detail)") }
        var object: JSONObject = [
            "@timestamp": .string(receipt.occurredAt.iso8601), "ecs": ["version": .string(version)],
            "event": .object(about), "message": .string(event.message),
            "service": [
                "id": .string(receipt.provenance.workerID.rawValue), "name": .string(EventProducer.product),
                "version": .string(event.producer.version),
            ],
        ]
        // The user of a token is its agent; that of a control event is who declared it.
        let declarer = event.control == nil ? nil : event.people.first
        if let user = receipt.subject.agentDID?.rawValue ?? declarer {
            object["user"] = ["id": .string(user), "name": .string(user)]
        }
        object["organization"] = event.producer.tenant.map { ["id": .string($0)] }
        object["rule"] = receipt.provenance.policyHash.map { ["id": .string($0.b64u), "name": "WPC"] }
        if let trace = event.trace {
            object["trace"] = ["id": .string(trace.traceID.description)]
            object["span"] = ["id": .string(trace.spanID.description)]
        }
        let people = related(event)
        if !people.isEmpty { object["related"] = ["user": .array(people.map { .string($0) })] }
        object["labels"] = .object(JSONObject(ClawFacts.texts(event).map { ($0.name, .string($0.value)) }))
        return TokenMask.masked(object)
    }

    private static func related(_ event: SecurityEvent) -> [String] {
        [event.receipt.subject.agentDID?.rawValue].compactMap { $0 } + event.people
    }

    private static func classification(of event: SecurityEvent) -> (categories: [String], types: [String]) {
        switch event.receipt.content {
        case .grantIssued: (["iam"], ["creation", "allowed"])
        case .grantClaimed: (["iam", "session"], ["info"])
        case .decisionDenied, .decisionExpired: (["iam"], ["denied"])
        case .revocation: (["iam", "session"], ["deletion", "end"])
        case .stopDeclared: (["iam"], ["change", "denied"])
        case .stopLifted: (["iam"], ["change", "allowed"])
        case .controlApplied, .keyChanged: (["iam", "configuration"], ["change"])
        case .stopDrilled, .controlRepeated, .heartbeat, .revocationsEnded: (["iam"], ["info"])
        case .gatewayReceipt: (["api"], ["info"])
        case .decisionQuarantined, .findingRaised: (["intrusion_detection"], ["info"])
        case .budgetReached, .deadLetterRedriven: (["iam"], ["info"])
        case .deadLetterDiscarded: (["iam"], ["deletion"])
        }
    }
}
