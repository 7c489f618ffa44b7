import ClawWire
import ReceiptLog

/// What each class of the schema holds beside the base event.
extension OCSF {
    static func details(of event: SecurityEvent) -> JSONObject {
        let receipt = event.receipt
        switch receipt.content {
        case .grantIssued(let grant):
            var details = assignment(
                event, scope: grant.granted.scope, rule: grant.rule, decision: "Approved", session: grant.token.jti)
            details["session"] = [
                "created_time": .integer(grant.token.issuedAt.milliseconds),
                "expiration_time": .integer(grant.token.expiresAt.milliseconds),
                "issuer": .string(event.producer.logID.rawValue), "uid": .string(grant.token.jti.rawValue),
                "uid_alt": .string(receipt.subject.jobID?.rawValue ?? grant.token.tokenHash.hex),
            ]
            control(&details, action: (1, "Allowed"), disposition: (8, "Approved"))
            return details
        case .decisionDenied(let refusal), .decisionExpired(let refusal):
            var details = assignment(event, scope: refusal.asked?.scope ?? [], rule: refusal.rule, decision: "Denied")
            control(&details, action: (2, "Denied"), disposition: (25, "Rejected"))
            return details
        case .revocation(let revocation):
            var details: JSONObject = [
                "actor": .object(actor(event)), "privileges": privileges(event, scope: []),
                "resources": [
                    [
                        "name": "CST", "type": "cst",
                        "uid": .string(revocation.jti?.rawValue ?? revocation.tokenHash.hex),
                    ]
                ], "user": .object(user(event)),
            ]
            control(&details, action: (1, "Allowed"), disposition: (24, "Access Revoked"))
            return details
        case .stopDeclared:
            var details = controlled(event)
            details["is_alert"] = true
            control(&details, action: (2, "Denied"), disposition: (2, "Blocked"))
            return details
        case .stopLifted:
            var details = controlled(event)
            control(&details, action: (1, "Allowed"), disposition: (8, "Approved"))
            return details
        case .stopDrilled, .controlApplied, .controlRepeated: return controlled(event)
        case .keyChanged(let change):
            return [
                "actor": .object(actor(event)), "comment": .string(change.change.rawValue),
                "entity": [
                    "name": .string("\(change.purpose.rawValue) key"), "type": "Signing Key",
                    "uid": .string(change.kid.rawValue),
                ],
            ]
        case .findingRaised(let finding):
            return found(event, title: finding.code, types: [finding.code])
        case .budgetReached(let mark):
            return found(event, title: "BUDGET_REACHED", types: ["BUDGET_REACHED", mark.dimension.rawValue])
        case .decisionQuarantined:
            return found(event, title: "DEAD_LETTER", types: ["DEAD_LETTER"])
        case .gatewayReceipt(let call):
            return api(
                event, operation: "model.call", service: "\(call.provider)/\(call.model)",
                resource: (call.receiptID, "gateway_receipt"))
        case .grantClaimed(let claim):
            return api(event, operation: "grant.claim", service: "grants", resource: (claim.jti.rawValue, "cst"))
        case .deadLetterRedriven(let action):
            return api(
                event, operation: "dead_letter.redrive", service: "dead_letters",
                resource: (action.origin.description, "dead_letter"))
        case .deadLetterDiscarded(let action):
            return api(
                event, operation: "dead_letter.discard", service: "dead_letters",
                resource: (action.origin.description, "dead_letter"))
        case .revocationsEnded:
            return api(event, operation: "revocations.end", service: "revocations", resource: nil)
        case .heartbeat:
            return api(event, operation: "log.heartbeat", service: "receipts", resource: nil)
        }
    }

    /// What was decided over an agent's privileges, by which rule and under which WPC.
    private static func assignment(
        _ event: SecurityEvent, scope: [String], rule: String, decision: String, session: TokenID? = nil
    ) -> JSONObject {
        var actor = actor(event)
        var details: JSONObject = ["privileges": privileges(event, scope: scope), "user": .object(user(event))]
        let decided: JSONObject = ["name": .string(rule), "uid": .string("rule:\(rule)")]
        let contract = event.receipt.provenance.policyHash.map { hash -> JSONObject in
            ["name": "WPC", "uid": .string(hash.b64u)]
        }
        let policies = [rule.isEmpty ? nil : decided, contract].compactMap { $0 }
        let authorizations: [JSONValue] = policies.map { ["decision": .string(decision), "policy": .object($0)] }
        actor["authorizations"] = .array(
            authorizations.isEmpty ? [["decision": .string(decision)]] : authorizations)
        details["policy"] = (contract ?? policies.first).map { .object($0) }
        details["actor"] = .object(actor)
        var observables: [JSONValue] = []
        if let session {
            observables.append(
                ["name": "session.uid", "type": "Resource UID", "type_id": 10, "value": .string(session.rawValue)])
        }
        if let agent = event.receipt.subject.agentDID {
            observables.append(
                ["name": "user.name", "type": "User Name", "type_id": 4, "value": .string(agent.rawValue)])
        }
        if !observables.isEmpty { details["observables"] = .array(observables) }
        return details
    }

    /// The agent, which is the user of a token.
    private static func user(_ event: SecurityEvent) -> JSONObject {
        let agent = event.receipt.subject.agentDID?.rawValue ?? "unknown"
        return ["name": .string(agent), "type": "Service", "type_id": 4, "uid": .string(agent)]
    }

    private static func privileges(_ event: SecurityEvent, scope: [String]) -> JSONValue {
        let jobClass = event.receipt.subject.jobClass.map { "job_class:\($0)" } ?? "job_class:unknown"
        return .array((scope + [jobClass]).map { .string($0) })
    }

    private static func actor(_ event: SecurityEvent) -> JSONObject {
        [
            "app_name": .string(EventProducer.product),
            "app_uid": .string(event.receipt.provenance.workerID.rawValue),
        ]
    }

    private static func control(
        _ details: inout JSONObject, action: (id: Int, name: String), disposition: (id: Int, name: String)
    ) {
        details["action"] = .string(action.name)
        details["action_id"] = .integer(Int64(action.id))
        details["disposition"] = .string(disposition.name)
        details["disposition_id"] = .integer(Int64(disposition.id))
    }

    private static func controlled(_ event: SecurityEvent) -> JSONObject {
        let payload = event.control ?? [:]
        let declarers = payload["declared_by"]?.array?.compactMap(\.string) ?? []
        var actor = actor(event)
        if let declarer = declarers.first {
            actor["user"] = ["name": .string(declarer), "type": "User", "type_id": 1, "uid": .string(declarer)]
        }
        var details: JSONObject = [
            "actor": .object(actor),
            "entity": [
                "name": .string(event.scope), "type": "Control Scope", "uid": .string(event.scope),
            ],
        ]
        details["comment"] = .string(payload["reason"]?.string ?? event.message)
        return details
    }

    private static func found(_ event: SecurityEvent, title: String, types: [String]) -> JSONObject {
        [
            "finding_info": [
                "desc": .string(event.message), "title": .string(title),
                "types": .array(types.map { .string($0) }), "uid": .string(event.receipt.id.rawValue),
            ], "is_alert": .bool(event.severity >= .high),
        ]
    }

    private static func api(
        _ event: SecurityEvent, operation: String, service: String, resource: (uid: String, type: String)?
    ) -> JSONObject {
        var details: JSONObject = [
            "actor": .object(actor(event)),
            "api": ["operation": .string(operation), "service": ["name": .string(service)], "version": "1"],
            "src_endpoint": ["name": .string(event.receipt.provenance.workerID.rawValue)],
        ]
        if let resource {
            details["resources"] = [["type": .string(resource.type), "uid": .string(resource.uid)]]
        }
        return details
    }
}
