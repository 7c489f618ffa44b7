import ClawWire
import Fsck
import ReceiptLog

/// A log with something of everything, in which nothing is wrong.
enum HealthyLog {
    static let rulesHash = Digest(hashing: "rules")
    static let firstPolicy = Digest(hashing: "wpc 1")
    static let secondPolicy = Digest(hashing: "wpc 2")
    static let secret = Digest(hashing: "token id secret").bytes

    static func provenance(_ controlPosition: Int64?, policy: Digest? = nil) -> Receipt.Provenance {
        Receipt.Provenance(
            workerID: WorkerID("worker-1"), rulesHash: rulesHash, policyHash: policy, authenticity: .signed,
            inputs: [
                EvidenceInput(
                    digest: Digest(hashing: "record"),
                    origin: RecordOrigin(topic: "claw.approvals.decisions.v1", partition: 3, offset: 7),
                    source: SourceName("approvals"))
            ], controlPosition: controlPosition)
    }

    static func subject(_ name: String, _ jobClass: String) -> Receipt.Subject {
        Receipt.Subject(
            requestID: RequestID("req-\(name)"), approvalIDs: [ApprovalID("apr-\(name)")], jobID: JobID("job-\(name)"),
            jobClass: JobClass(jobClass), agentDID: AgentDID("did:web:agents.harborline.example"))
    }

    /// What a grant is made of.
    struct GrantParts {
        var name: String
        var jobClass = "reconcile"
        var controlPosition: Int64 = 0
        var policy: Digest?
        /// Whether the token names the WPC's hash.
        var isPinned = true
        var delivery = DeliveryMode.sealed
        var askedScope = ["proxy:call", "proxy:read"]
        var scope = ["proxy:call"]
        var askedActions: [String] = []
        var actions: [String] = []
        var audience = ["clawproxy.com"]
        var lifetime: Int64 = 600
        var statedLifetime: Int64?
        var issuedAt = Forge.noon
        var approvers = ["approver"]
        var approvals: [String]?
        var tokenID: String?
        /// The name whose claims are minted; another one gives another token.
        var signer = Forge.token

        init(_ name: String) { self.name = name }
    }

    static func grant(_ name: String, _ change: (inout GrantParts) -> Void = { _ in }) throws -> ForgedEffect {
        var parts = GrantParts(name)
        change(&parts)
        let request = RequestID("req-\(parts.name)")
        guard let secret = TokenIDSecret(bytes: secret) else { preconditionFailure("a digest has 32 bytes") }
        let jti = parts.tokenID.map { TokenID($0) } ?? TokenID.derive(secret: secret, requestID: request)
        let exp = parts.issuedAt.adding(seconds: parts.lifetime)
        let claims = CSTClaims.jobToken(
            sub: AgentDID("did:web:agents.harborline.example"), aud: parts.audience, scope: parts.scope,
            iat: parts.issuedAt, exp: exp, ownerRef: Digest(hashing: "approval \(name)"),
            policyHash: parts.isPinned ? parts.policy : nil,
            missionID: JobID("job-\(parts.name)"), jti: jti, nonce: "nonce-\(parts.name)")
        let payload = claims.json
        let header = "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"\(parts.signer.publicKey.kid)\"}"
        var compact = "\(Base64URL.encode(Array(header.utf8))).\(Base64URL.encode(payload))"
        compact += ".\(try parts.signer.sign(Array(compact.utf8)).b64u)"
        let subject = subject(parts.name, parts.jobClass)
        let encoded = try Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: AuthorityExtent(
                        scope: parts.askedScope, actions: parts.askedActions, audience: ["clawproxy.com"],
                        ttlSeconds: 600),
                    granted: AuthorityExtent(
                        scope: parts.scope, actions: parts.actions, audience: parts.audience,
                        ttlSeconds: parts.statedLifetime ?? parts.lifetime),
                    token: TokenReference(
                        tokenHash: Digest(hashing: compact), jti: jti, scopeHash: ScopeHash.compute(claims),
                        kid: parts.signer.publicKey.kid, issuedAt: parts.issuedAt, expiresAt: exp),
                    delivery: parts.delivery, approverIDs: parts.approvers.map { PersonID($0) }, rule: "job_classes")),
            subject: Receipt.Subject(
                requestID: subject.requestID,
                approvalIDs: parts.approvals.map { $0.map { ApprovalID($0) } } ?? subject.approvalIDs,
                jobID: subject.jobID, jobClass: subject.jobClass, agentDID: subject.agentDID),
            provenance: provenance(parts.controlPosition, policy: parts.policy), occurredAt: Forge.noon
        ).encoded()
        guard let record = GrantRecord(encoded, claimsDigest: Digest(hashing: payload)),
            let decision = DecisionRecord(encoded)
        else { preconditionFailure("a grant's receipt gives a grant and a decision") }
        var effect = try self.effect(
            encoded, [("grants", record.recordKey, record.canonicalBytes), decisionOutput(decision)])
        effect.claims = payload
        effect.tokenHash = Digest(hashing: compact).bytes
        effect.kid = parts.signer.publicKey.kid.rawValue
        switch parts.delivery {
        case .sealed: effect.delivery = ["mode": "sealed", "jwe": .string(sealed)]
        case .reference: effect.delivery = ["mode": "reference", "reference": .string(jti.rawValue)]
        case .plain: effect.delivery = ["mode": "plain", "token": .string(compact)]
        }
        return effect
    }

    /// Looks like a compact JWE.
    static let sealed =
        Base64URL.encode(Array("{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\"}".utf8)) + ".AAAA.AAAA.AAAA.AAAA"

    /// A compact token that nobody should find.
    static let loose =
        Base64URL.encode(Array("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}".utf8)) + ".eyJzdWIiOiJhIn0.AAAAAAAA"

    private static func decisionOutput(_ record: DecisionRecord) -> (String, [UInt8], [UInt8]) {
        ("decisions", record.recordKey, record.canonicalBytes)
    }

    private static func effect(
        _ encoded: EncodedReceipt, _ outputs: [(String, [UInt8], [UInt8])]
    ) throws -> ForgedEffect {
        ForgedEffect(
            receipt: try JSONReader.parse(encoded.bytes).object ?? JSONObject(),
            outputs: try outputs.map {
                ForgedEffect.Output(
                    stream: $0.0, key: $0.1, value: try JSONReader.parse($0.2).object ?? JSONObject())
            })
    }

    static func refusal(
        _ name: String, expired: Bool = false, withoutRequest: Bool = false, controlPosition: Int64 = 0
    ) throws -> ForgedEffect {
        let refusal = Receipt.Refusal(
            asked: withoutRequest ? nil : AuthorityExtent(scope: ["proxy:call"]), needed: ["one approval"],
            rule: "job_classes.reconcile")
        let encoded = try Receipt(
            content: expired ? .decisionExpired(refusal) : .decisionDenied(refusal),
            subject: withoutRequest
                ? Receipt.Subject(approvalIDs: [ApprovalID("apr-\(name)")]) : subject(name, "reconcile"),
            provenance: provenance(controlPosition),
            reasons: [Receipt.Reason(code: "CAPABILITY_DENIED", detail: "no \"reason\" \\ é \u{7}")],
            occurredAt: Forge.noon
        ).encoded()
        guard let record = DecisionRecord(encoded) else { preconditionFailure("a refusal gives a decision") }
        return try effect(encoded, [decisionOutput(record)])
    }

    static func quarantine(_ offset: Int64, value: String = "poison") throws -> ForgedEffect {
        let encoded = try Receipt(
            content: .decisionQuarantined(
                Receipt.Quarantine(
                    origin: RecordOrigin(topic: "claw.requests.v1", partition: 0, offset: offset),
                    valueDigest: Digest(hashing: value), valueBytes: 6)),
            subject: Receipt.Subject(), provenance: provenance(nil),
            reasons: [Receipt.Reason(code: "malformed", detail: "line 1")], occurredAt: Forge.noon
        ).encoded()
        guard let record = DeadLetterRecord(encoded, excerpt: Redaction.excerpt(Array(value.utf8))) else {
            preconditionFailure("a quarantine gives a dead letter")
        }
        return try effect(encoded, [("dead-letters", record.recordKey, record.canonicalBytes)])
    }

    static func redrive(_ offset: Int64, discarded: Bool = false) throws -> ForgedEffect {
        let action = Receipt.DeadLetterAction(
            origin: RecordOrigin(topic: "claw.requests.v1", partition: 0, offset: offset),
            valueDigest: Digest(hashing: "poison"), hops: 1, outcome: discarded ? .discarded : .refused,
            requestedBy: "soc-1")
        let encoded = try Receipt(
            content: discarded ? .deadLetterDiscarded(action) : .deadLetterRedriven(action),
            subject: Receipt.Subject(), provenance: provenance(nil),
            reasons: [Receipt.Reason(code: "malformed", detail: "line 1")], occurredAt: Forge.noon
        ).encoded()
        return try effect(encoded, [])
    }

    static func revocation(of grant: ForgedEffect) throws -> ForgedEffect {
        guard let hash = Digest(bytes: grant.tokenHash), let request = grant.receipt["request_id"]?.string else {
            preconditionFailure("a grant has a token and a request")
        }
        let encoded = try Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: hash, jti: (grant.receipt["token"]?["jti"]?.string).map { TokenID($0) }, cause: .stopped,
                    revokedBy: "worker-1")),
            subject: Receipt.Subject(requestID: RequestID(request)), provenance: provenance(2),
            reasons: [Receipt.Reason(code: "TOKEN_REVOKED", detail: "  stopped  ")], occurredAt: Forge.noon
        ).encoded()
        guard let record = RevocationRecord(encoded) else { preconditionFailure("a revocation gives a record") }
        return try effect(encoded, [("revocations", record.recordKey, record.canonicalBytes)])
    }

    static func keyChange(
        _ signer: SeedSigner = Forge.token, _ purpose: Receipt.KeyChange.Purpose = .token,
        _ change: Receipt.KeyChange.Change = .activated, at: Timestamp = Forge.noon
    ) throws -> ForgedEffect {
        let encoded = try Receipt(
            content: .keyChanged(
                Receipt.KeyChange(publicKey: signer.publicKey, purpose: purpose, change: change, effectiveAt: at)),
            subject: Receipt.Subject(), provenance: provenance(nil), occurredAt: Forge.noon
        ).encoded()
        return try effect(encoded, [])
    }

    static func heartbeat(_ seconds: Int64 = 0) throws -> ForgedEffect {
        try effect(
            try Receipt(
                content: .heartbeat, subject: Receipt.Subject(), provenance: provenance(nil),
                occurredAt: Forge.noon.adding(seconds: seconds)
            ).encoded(), [])
    }

    /// A control event's receipt, its result and its cut-offs.
    static func control(
        _ operation: String, _ handle: String, position: Int64, grantsBefore: Int64, _ data: JSONObject,
        cutoffs: [CutoffScope] = [], notIssuedBefore: Timestamp = Forge.noon.adding(seconds: 30)
    ) throws -> ForgedEffect {
        var payload: JSONObject = [
            "stop_id": .string(handle), "event_id": .string("event-\(position)"), "operation": .string(operation),
            "control_position": .integer(position), "at": .string(Forge.noon.iso8601),
            "grants_before": .integer(grantsBefore), "declared_at": .string(Forge.noon.iso8601),
            "declared_by": ["declarer"], "origin": ["kind": "ledger", "by": "declarer"], "data": .object(data),
            "reason": "an exercise", "result": "applied", "voided_tokens": 1, "effective_ms": 3, "lock_wait_ms": 1,
        ]
        if !cutoffs.isEmpty {
            payload["cutoffs"] = .array(
                cutoffs.map { scope in
                    var object: JSONObject = ["kind": .string(scope.kind.rawValue)]
                    object["value"] = scope.value.map { .string($0) }
                    return [
                        "scope": .object(object), "not_issued_before": .integer(notIssuedBefore.seconds),
                        "cause": "stopped",
                    ]
                })
        }
        let content: Receipt.Content =
            switch operation {
            case "stop": .stopDeclared(payload)
            case "lift": .stopLifted(payload)
            case "drill": .stopDrilled(payload)
            default: .controlApplied(payload)
            }
        let encoded = try Receipt(
            content: content, subject: Receipt.Subject(), provenance: provenance(position),
            reasons: [Receipt.Reason(code: "CONTROL_EVENT", detail: "an exercise")], occurredAt: Forge.noon
        ).encoded()
        var result = payload
        result["control_result_version"] = "1"
        result["receipt_id"] = .string(encoded.receipt.id.rawValue)
        result["receipt_digest_b64u"] = .string(encoded.digest.b64u)
        var outputs: [(String, [UInt8], [UInt8])] = [
            ("control-results", Array(handle.utf8), JSONWriter.bytes(.object(result), order: .canonical))
        ]
        for scope in cutoffs {
            let record = CutoffRecord(
                scope: scope, notIssuedBefore: notIssuedBefore, eventID: "event-\(position)",
                stopID: operation == "stop" ? handle : nil, controlPosition: position, cause: .stopped,
                reason: "an exercise", revokedBy: "Declarer", revokedAt: Forge.noon, receiptID: encoded.receipt.id,
                receiptDigest: encoded.digest)
            outputs.append(("revocations", record.recordKey, record.canonicalBytes))
        }
        return try effect(encoded, outputs)
    }

    /// A receipt of a kind that is told by its members alone, with the records that follow from it.
    static func receipt(
        _ kind: String, subject: String, effect: String, _ members: JSONObject,
        _ outputs: (JSONObject, String) -> [(stream: String, key: String, value: JSONObject)] = { _, _ in [] }
    ) -> ForgedEffect {
        var receipt: JSONObject = [
            "approval_ids": [], "inputs": [], "kind": .string(kind), "occurred_at": .string(Forge.noon.iso8601),
            "reasons": [["code": "X", "detail": "why"]], "receipt_version": "1", "worker_id": "worker-1",
        ]
        for member in members.members { receipt[member.key] = member.value }
        let identity: JSONValue = ["clawgrant-receipt-v1", .string(kind), .string(subject), .string(effect)]
        receipt["receipt_id"] = .string(identity.canonicalDigest.b64u)
        let digest = JSONValue.object(receipt).canonicalDigest.b64u
        return ForgedEffect(
            receipt: receipt,
            outputs: outputs(receipt, digest).map {
                ForgedEffect.Output(stream: $0.stream, key: Array($0.key.utf8), value: $0.value)
            })
    }

    /// The end of a revocation.
    static func end(of hash: String) -> ForgedEffect {
        let ended: JSONObject = ["ended": [.string(hash)], "expired_before": .string(Forge.noon.iso8601)]
        return receipt(
            "revocations.ended", subject: "revocations", effect: JSONValue.object(ended).canonicalDigest.b64u,
            ["payload": .object(ended)]
        ) { _, _ in [("revocations", hash, JSONObject())] }
    }

    /// A repeat on the control topic, a gateway's receipt, a finding and a mark of a budget.
    static var further: [ForgedEffect] {
        let repeated: JSONObject = [
            "stop_id": "stop-1", "operation": "stop", "result": "repeated", "control_position": 2,
        ]
        let finding: JSONObject = [
            "about": "run:1", "code": "UNKNOWN_SCOPE", "evidence_b64u": [.string(rulesHash.b64u)],
            "severity": "warning",
        ]
        let evidence: JSONValue = ["UNKNOWN_SCOPE", .string(rulesHash.b64u)]
        let budget: JSONObject = ["dimension": "model_calls", "limit": 10, "percent": 80, "used": 8]
        func names(_ receipt: JSONObject, _ digest: String) -> JSONObject {
            var object = JSONObject()
            object["receipt_id"] = receipt["receipt_id"]
            object["receipt_digest_b64u"] = .string(digest)
            object["occurred_at"] = receipt["occurred_at"]
            object["job_id"] = receipt["job_id"]
            return object
        }
        return [
            receipt(
                "control.repeated", subject: "stop-1", effect: JSONValue.object(repeated).canonicalDigest.b64u,
                ["payload": .object(repeated)]
            ) { receipt, digest in
                var value = repeated
                value["control_result_version"] = "1"
                value["receipt_id"] = receipt["receipt_id"]
                value["receipt_digest_b64u"] = .string(digest)
                return [("control-results", "stop-1", value)]
            },
            receipt(
                "gateway.receipt", subject: "did:key:gateway/r-1", effect: rulesHash.b64u,
                [
                    "gateway_call": [
                        "signer_did": "did:key:gateway", "receipt_id": "r-1",
                        "payload_hash_b64u": .string(rulesHash.b64u),
                    ]
                ]),
            receipt(
                "finding.raised", subject: "run:1", effect: evidence.canonicalDigest.b64u,
                ["finding": .object(finding), "job_id": "job-g0"]
            ) { receipt, digest in
                var value = names(receipt, digest)
                for member in finding.members { value[member.key] = member.value }
                value["detail"] = "why"
                value["finding_version"] = "1"
                return [("findings", "job-g0", value)]
            },
            receipt(
                "budget.reached", subject: "job:job-g0", effect: "model_calls:80:10",
                ["budget": .object(budget), "job_id": "job-g0"]
            ) { receipt, digest in
                var value = names(receipt, digest)
                value["budget"] = .object(budget)
                value["budget_version"] = "1"
                return [("findings", "job-g0", value)]
            },
        ]
    }

    /// Six batches. Grants before control event 2: four; before 4: five.
    static func forge() throws -> Forge {
        guard let halted = CutoffScope(.jobClass, "halted") else { preconditionFailure("a scope with a value") }
        let stopped = try grant("g3") {
            $0.jobClass = "halted"
            $0.controlPosition = 1
        }
        let scope: JSONValue = ["kind": "job_class", "value": "halted"]
        var many: [ForgedEffect] = []
        for n in 0..<33 {
            many.append(
                n.isMultiple(of: 4)
                    ? try grant("m\(n)") { $0.controlPosition = 6 } : try refusal("m\(n)", controlPosition: 6))
        }
        return Forge(batches: [
            [
                try keyChange(), try grant("g0"), try grant("g1") { $0.delivery = .reference }, try refusal("d0"),
                try quarantine(4),
            ],
            [
                try control("drill", "drill-1", position: 1, grantsBefore: 2, ["scope": ["kind": "all"]]),
                try grant("g2") {
                    $0.jobClass = "sandbox"
                    $0.delivery = .plain
                    $0.controlPosition = 1
                },
                try refusal("e0", expired: true), try refusal("a0", expired: true, withoutRequest: true),
                try heartbeat(),
            ],
            [
                try control(
                    "stop", "stop-1", position: 2, grantsBefore: 4,
                    ["stop_id": "stop-1", "scope": scope, "action": "revoke_and_deny"], cutoffs: [halted]), stopped,
                try revocation(of: stopped),
            ],
            [
                try control("lift", "stop-1", position: 3, grantsBefore: 4, ["stop_id": "stop-1"]),
                try grant("g4") {
                    $0.jobClass = "halted"
                    $0.controlPosition = 3
                    $0.askedActions = ["enable_elevated"]
                    $0.actions = ["enable_elevated"]
                    $0.scope = ["proxy:call", "control:elevated"]
                },
                try control(
                    "disable-elevated", "off-1", position: 4, grantsBefore: 5,
                    ["scope": ["kind": "all"], "action": "deny_new"]),
                try control(
                    "rotate-policy", "rotate-1", position: 5, grantsBefore: 5,
                    [
                        "job_class": "prod", "from_wpc_hash": .string(firstPolicy.b64u),
                        "to_wpc_hash": .string(secondPolicy.b64u), "running": "keep",
                    ]),
                try control("suspect-key", "suspect-1", position: 6, grantsBefore: 5, ["kid": "0123456789abcdef"]),
                try grant("g5") {
                    $0.jobClass = "prod"
                    $0.controlPosition = 6
                    $0.policy = secondPolicy
                },
            ], many + further + [try keyChange(Forge.log, .log)], [try heartbeat(9)],
        ])
    }

    /// Its streams.
    static let streams = FsckPlan.Stream.standard + [FsckPlan.Stream(name: "findings", topic: "claw.findings.v1")]

    /// What the checker is told of it.
    static func plan() -> FsckPlan {
        var plan = FsckPlan(logID: Forge.logID, logKeys: [Forge.log.publicKey], streams: streams)
        plan.tokenKeys = [Forge.token.publicKey]
        plan.tokenSigners = [Forge.token]
        plan.tokenIDSecret = secret
        func jobClass(_ plain: Bool = false) -> FsckPlan.Rules.JobClass {
            FsckPlan.Rules.JobClass(
                scopes: ["proxy:call", "proxy:read"], audience: ["clawproxy.com"],
                actions: ["enable_elevated": ["control:elevated"]], maximumTTLSeconds: 900, isSingleUse: true,
                allowsPlain: plain)
        }
        var prod = jobClass()
        prod.workPolicy.isRequired = true
        prod.workPolicy.hashes = [firstPolicy, secondPolicy]
        prod.workPolicy.policyIDs = ["prod-policy"]
        prod.workPolicy.isAlwaysPinned = true
        prod.workPolicy.properties = [.proxy, .receipts]
        plan.rules = [
            rulesHash: FsckPlan.Rules(
                jobClasses: [
                    "reconcile": jobClass(), "sandbox": jobClass(true), "halted": jobClass(), "prod": prod,
                ], policySigners: [Forge.policy.publicKey.did])
        ]
        plan.policies = [firstPolicy: policy(), secondPolicy: policy()]
        return plan
    }

    /// A WPC for the class that demands one, under an envelope that is signed as it must be.
    static func policy(signedBy signer: SeedSigner = Forge.policy) -> FsckPlan.Policy {
        var policy = FsckPlan.Policy(envelope: policyEnvelope(signedBy: signer))
        policy.maximumTTLSeconds = 600
        policy.policyID = "prod-policy"
        policy.jobClass = "prod"
        policy.properties = [.proxy, .receipts]
        return policy
    }

    static func policyEnvelope(signedBy signer: SeedSigner) -> JSONValue {
        let payload: JSONValue = ["policy_id": "prod-policy", "policy_version": "1"]
        let hash = payload.canonicalDigest.b64u
        let signature = (try? signer.sign(Array(hash.utf8)))?.b64u ?? ""
        return [
            "algorithm": "Ed25519", "envelope_type": "work_policy_contract", "hash_algorithm": "SHA-256",
            "payload": payload, "payload_hash_b64u": .string(hash), "signature_b64u": .string(signature),
            "signer_did": .string(signer.publicKey.did),
        ]
    }
}
