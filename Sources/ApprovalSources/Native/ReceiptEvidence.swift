import ClawWire
import IssuanceRules

/// A signed `human_approval_receipt` envelope taken as an approval (WIRE sections 8.1 and 8.5).
///
/// Its signature is what proves it, so its signer must be listed whatever the source's authenticity is. With a
/// `request` beside it, the receipt binds the request: `plan_hash_b64u` is the JCS hash of the request document,
/// `scope_hash_b64u` that of its `requested_scope`, and `agent_did` is the same.
struct ReceiptEvidence {
    enum Verdict {
        case approve(isHuman: Bool)
        case deny
        case timeOut
    }

    let receiptID: String
    let verdict: Verdict
    let approver: String
    let agentDID: String
    let scopeHash: Digest
    let planHash: Digest?
    let timeToLiveSeconds: Int64?
    let timestamp: Timestamp
    let digest: Digest
    let signer: SourceConfiguration.Signer

    init(envelope: JSONValue, authentication: Authentication) throws(SourceFault) {
        let reader = try FieldReader(envelope, path: "receipt")
        try Self.demand(reader, "envelope_version", "1")
        try Self.demand(reader, "envelope_type", "human_approval_receipt")
        try Self.demand(reader, "hash_algorithm", "SHA-256")
        try Self.demand(reader, "algorithm", "Ed25519")
        let payload = try reader.required(reader.value("payload"), "payload")
        let hash = try reader.required(try reader.string("payload_hash_b64u"), "payload_hash_b64u")
        digest = payload.documentDigest
        guard digest.b64u == hash else {
            throw SourceFault(.signatureInvalid, field: "receipt.payload_hash_b64u", "the hash is not the payload's")
        }
        signer = try authentication.listed(
            try reader.required(try reader.string("signer_did"), "signer_did"), field: "receipt.signer_did")
        guard
            let signature = Ed25519Signature(
                b64u: try reader.required(try reader.string("signature_b64u"), "signature_b64u"))
        else {
            throw SourceFault(.malformedSignature, field: "receipt.signature_b64u", "the signature has not 64 bytes")
        }
        guard signer.publicKey.isValidSignature(signature, for: Array(hash.utf8)) else {
            throw SourceFault(
                .signatureInvalid, field: "receipt.signature_b64u", "the signature is not that of the signer")
        }
        let receipt = try FieldReader(payload, path: "receipt.payload")
        try Self.demand(receipt, "receipt_version", "1")
        try Self.demand(receipt, "hash_algorithm", "SHA-256")
        receiptID = try receipt.required(try receipt.identifier("receipt_id", maximumBytes: 256), "receipt_id")
        switch try receipt.required(try receipt.string("approval_type"), "approval_type") {
        case "explicit_approve": verdict = .approve(isHuman: true)
        case "auto_approve": verdict = .approve(isHuman: false)
        case "explicit_deny": verdict = .deny
        case "timeout_deny": verdict = .timeOut
        default:
            throw SourceFault(.invalidValue, field: receipt.name("approval_type"), "an unknown type of approval")
        }
        approver = try receipt.required(try receipt.identifier("approver_subject"), "approver_subject")
        agentDID = try receipt.required(try receipt.identifier("agent_did"), "agent_did")
        scopeHash = try receipt.required(try receipt.digest("scope_hash_b64u"), "scope_hash_b64u")
        planHash = try receipt.digest("plan_hash_b64u")
        timeToLiveSeconds = try receipt.integer("minted_capability_ttl_seconds", in: 1...31_536_000)
        timestamp = try receipt.required(try receipt.time("timestamp"), "timestamp")
    }

    private static func demand(_ reader: FieldReader, _ key: String, _ value: String) throws(SourceFault) {
        guard try reader.required(try reader.string(key), key) == value else {
            throw SourceFault(.invalidValue, field: reader.name(key), "\(value) was expected")
        }
    }

    /// Reads the request that stands beside the receipt and checks that the receipt binds it.
    func request(_ document: JSONValue, approvalID: ApprovalID) throws(SourceFault) -> CapabilityRequest {
        let request = try CapabilityRequestDocument.decode(document, path: "data.request", containedIn: approvalID)
        guard planHash == document.canonicalDigest else {
            throw SourceFault(
                .receiptMismatch, field: "receipt.payload.plan_hash_b64u", "it is not the hash of the request")
        }
        guard scopeHash == document["requested_scope"]?.canonicalDigest else {
            throw SourceFault(
                .receiptMismatch, field: "receipt.payload.scope_hash_b64u", "it is not the hash of requested_scope")
        }
        guard agentDID == request.agentDID.rawValue else {
            throw SourceFault(.receiptMismatch, field: "receipt.payload.agent_did", "it is not the request's agent")
        }
        return request
    }

    /// The facts of the receipt, without the request's.
    func facts(approvalID: ApprovalID, request: CapabilityRequest?) -> [Fact] {
        var facts: [Fact] = []
        func add(_ content: Fact.Content) {
            let suffix = facts.isEmpty ? "" : "#\(facts.count)"
            var fact = Fact(
                recordIndex: 0, source: NativeSource.vocabulary, sourceEventID: SourceEventID(receiptID + suffix),
                occurredAt: timestamp, approvalID: approvalID, content: content)
            // A bare receipt is for an agent, which then stands where other approvals name a person.
            fact.subject =
                request == nil ? Actor(id: PersonID(agentDID), kind: .system) : request?.subject.map { Actor(id: $0) }
            fact.jobClass = request?.jobClass
            fact.recordDigest = digest
            facts.append(fact)
        }
        let actor = { (kind: Actor.Kind) in Actor(id: PersonID(TextRules.folded(approver)), kind: kind) }
        switch verdict {
        case .approve(let isHuman):
            add(.decisionApproved(approver: actor(isHuman ? .human : .system)))
            if let timeToLiveSeconds {
                add(.grantStarted(notBefore: timestamp, notAfter: timestamp.adding(seconds: timeToLiveSeconds)))
            }
        case .deny: add(.decisionDenied(approver: actor(.human)))
        case .timeOut: add(.decisionTimedOut)
        }
        return facts
    }
}
