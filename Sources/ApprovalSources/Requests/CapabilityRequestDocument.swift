public import ClawWire
public import IssuanceRules

/// The JSON form of a capability request: `capability_request` of WIRE section 11 with our fields beside it.
///
/// Unknown members are refused: a restriction that this version does not know must not be passed over.
public enum CapabilityRequestDocument {
    /// Most scope strings, actions, tools or audiences.
    public static let maximumListMembers = 64
    /// Longest scope string, action, tool or audience, in bytes.
    public static let maximumWordBytes = 256
    /// Longest reason, in bytes.
    public static let maximumReasonBytes = 4_096
    /// Longest lifetime that can be asked for, in seconds.
    public static let maximumTTLSeconds: Int64 = 2_592_000

    private static let members = [
        "request_version", "request_id", "job_id", "job_class", "agent_did", "subject", "requested_scope", "delivery",
        "approval", "upgrades_request_id", "reason", "timestamp", "plan_hash_b64u", "preflight", "binding",
    ]

    /// Reads a request.
    ///
    /// - Parameters:
    ///   - document: the JSON object.
    ///   - path: where it stands in its record, for faults.
    ///   - containedIn: the approval that the request is part of; a request that names none then names this one.
    /// - Throws: ``SourceFault`` with the member at fault.
    public static func decode(
        _ document: JSONValue, path: String = "", containedIn: ApprovalID? = nil
    ) throws(SourceFault) -> CapabilityRequest {
        let reader = try FieldReader(document, path: path)
        try reader.refuseMembers(besides: members)
        guard try reader.required(try reader.string("request_version"), "request_version") == "1" else {
            throw SourceFault(.invalidValue, field: reader.name("request_version"), "only version 1 is read")
        }
        let agent = try reader.required(try reader.identifier("agent_did", maximumBytes: 255), "agent_did")
        guard isDID(agent) else {
            throw SourceFault(.invalidValue, field: reader.name("agent_did"), "the text is not a DID")
        }
        let scope = try reader.required(try reader.object("requested_scope"), "requested_scope")
        try scope.refuseMembers(besides: ["actions", "tools", "scope", "audience", "ttl_seconds", "policy_hash_b64u"])
        let words = try scope.required(try Self.words(scope, "scope"), "scope")
        guard !words.isEmpty else {
            throw SourceFault(.invalidValue, field: scope.name("scope"), "at least one scope string is asked for")
        }
        let approval = try reader.object("approval")
        try approval?.refuseMembers(besides: ["approval_id", "ticket_number"])
        try checkReferenceMembers(reader)
        let approvalID = try approval?.identifier("approval_id").map { ApprovalID($0) }
        let reason = try reader.required(try reader.string("reason", maximumBytes: maximumReasonBytes), "reason")
        return CapabilityRequest(
            requestID: RequestID(try reader.required(try reader.identifier("request_id"), "request_id")),
            jobID: JobID(try reader.required(try reader.identifier("job_id"), "job_id")),
            jobClass: JobClass(
                try reader.required(try reader.identifier("job_class", maximumBytes: 128), "job_class")),
            agentDID: AgentDID(agent),
            subject: try reader.identifier("subject").map { PersonID(TextRules.folded($0)) },
            scope: words, actions: try Self.words(scope, "actions") ?? [], tools: try Self.words(scope, "tools") ?? [],
            audience: try Self.words(scope, "audience") ?? [],
            ttlSeconds: try scope.integer("ttl_seconds", in: 1...maximumTTLSeconds),
            policyHash: try scope.digest("policy_hash_b64u"), approvalID: approvalID ?? containedIn,
            ticketNumber: try approval?.identifier("ticket_number", maximumBytes: 128).map(Ticket.folded),
            delivery: try delivery(try reader.required(try reader.object("delivery"), "delivery")),
            upgradesRequest: try reader.identifier("upgrades_request_id").map { RequestID($0) },
            reason: reason.isEmpty ? nil : TextRules.storable(reason),
            requestedAt: try reader.required(try reader.time("timestamp"), "timestamp"))
    }

    /// Checks the members that the reference's requests have beside ours (WIRE section 11). They restrict nothing that a
    /// token holds, so that no more is kept of them than the document's own digest.
    private static func checkReferenceMembers(_ reader: FieldReader) throws(SourceFault) {
        _ = try reader.digest("plan_hash_b64u")
        if let binding = try reader.object("binding") {
            try binding.refuseMembers(besides: ["run_id"])
            _ = try binding.identifier("run_id")
        }
        guard let preflight = reader.value("preflight") else { return }
        guard let isTrial = preflight.bool else {
            throw SourceFault(.wrongType, field: reader.name("preflight"), "true or false was expected")
        }
        guard !isTrial else {
            throw SourceFault(
                .preflightRequest, field: reader.name("preflight"),
                "a question is not answered by minting: ask POST /v1/capabilities/preflight")
        }
    }

    /// Writes a request in the order of the schema.
    public static func encode(_ request: CapabilityRequest) -> JSONValue {
        var scope: JSONObject = ["actions": list(request.actions)]
        if !request.tools.isEmpty { scope["tools"] = list(request.tools) }
        scope["scope"] = list(request.scope)
        if !request.audience.isEmpty { scope["audience"] = list(request.audience) }
        scope["ttl_seconds"] = request.ttlSeconds.map { .integer($0) }
        scope["policy_hash_b64u"] = request.policyHash.map { .string($0.b64u) }
        var object: JSONObject = [
            "request_version": "1", "request_id": .string(request.requestID.rawValue),
            "job_id": .string(request.jobID.rawValue), "job_class": .string(request.jobClass.rawValue),
            "agent_did": .string(request.agentDID.rawValue),
        ]
        object["subject"] = request.subject.map { .string($0.rawValue) }
        object["requested_scope"] = .object(scope)
        object["delivery"] = encode(request.delivery)
        var approval = JSONObject()
        approval["approval_id"] = request.approvalID.map { .string($0.rawValue) }
        approval["ticket_number"] = request.ticketNumber.map { .string($0) }
        if !approval.isEmpty { object["approval"] = .object(approval) }
        object["upgrades_request_id"] = request.upgradesRequest.map { .string($0.rawValue) }
        object["reason"] = .string(request.reason ?? "")
        object["timestamp"] = .string(request.requestedAt.iso8601)
        return .object(object)
    }

    private static func words(_ reader: FieldReader, _ key: String) throws(SourceFault) -> [String]? {
        try reader.words(key, maximumCount: maximumListMembers, maximumBytes: maximumWordBytes)
    }

    private static func list(_ words: [String]) -> JSONValue { .array(words.map { .string($0) }) }

    private static func delivery(_ reader: FieldReader) throws(SourceFault) -> CapabilityRequest.Delivery {
        try reader.refuseMembers(besides: ["mode", "jwk", "jkt"])
        let jwk = try reader.object("jwk")
        let claimKey = try reader.digest("jkt")
        switch try reader.required(try reader.string("mode"), "mode") {
        case "sealed":
            try refuse(claimKey, reader)
            return .sealed(publicKey: try publicKey(try reader.required(jwk, "jwk")))
        case "plain":
            try refuse(jwk)
            try refuse(claimKey, reader)
            return .plain
        case "reference":
            try refuse(jwk)
            return .reference(claimKey: claimKey)
        default:
            throw SourceFault(.invalidValue, field: reader.name("mode"), "sealed, plain or reference was expected")
        }
    }

    private static func refuse(_ jwk: FieldReader?) throws(SourceFault) {
        guard let jwk else { return }
        throw SourceFault(.invalidValue, field: jwk.path, "only sealed delivery takes a key")
    }

    private static func refuse(_ claimKey: Digest?, _ reader: FieldReader) throws(SourceFault) {
        guard claimKey != nil else { return }
        throw SourceFault(
            .invalidValue, field: reader.name("jkt"), "only delivery by reference takes a key to claim with")
    }

    /// The X25519 key of a JWK (RFC 8037 section 2).
    private static func publicKey(_ jwk: FieldReader) throws(SourceFault) -> [UInt8] {
        try jwk.refuseMembers(besides: ["kty", "crv", "x", "kid", "use", "alg"])
        guard try jwk.string("kty") == "OKP", try jwk.string("crv") == "X25519" else {
            throw SourceFault(.invalidValue, field: jwk.path, "a public key of kty OKP and crv X25519 was expected")
        }
        guard let bytes = Base64URL.decode(try jwk.required(try jwk.string("x"), "x")), bytes.count == 32 else {
            throw SourceFault(.invalidValue, field: jwk.name("x"), "32 bytes of base64url were expected")
        }
        guard SealedToken.canSeal(to: bytes) else {
            throw SourceFault(.invalidValue, field: jwk.name("x"), "a key of small order keeps nothing secret")
        }
        return bytes
    }

    private static func encode(_ delivery: CapabilityRequest.Delivery) -> JSONValue {
        switch delivery {
        case .sealed(let key):
            ["mode": "sealed", "jwk": ["kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode(key))]]
        case .plain: ["mode": "plain"]
        case .reference(let claimKey?): ["mode": "reference", "jkt": .string(claimKey.b64u)]
        case .reference(nil): ["mode": "reference"]
        }
    }

    /// The DID syntax that every Claw service takes: `did:method:` and letters, digits, `.`, `_`, `%`, `-`, `:`.
    static func isDID(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual("did".utf8), !parts[1].isEmpty, !parts[2].isEmpty else {
            return false
        }
        return parts[1].allSatisfy { ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) }
            && parts[2].allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "%"), UInt8(ascii: "-"), UInt8(ascii: ":"): true
                default: false
                }
            }
    }
}
