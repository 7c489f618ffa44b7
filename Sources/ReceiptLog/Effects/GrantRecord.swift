public import ClawWire

/// A grant as the ledger keeps it: everything but the token and the proof.
///
/// The publisher makes the token again from the claims, checks it against ``TokenReference/tokenHash``, seals it for the
/// job, and completes the record; so no bearer token is ever stored.
public struct GrantRecord: Sendable, Hashable {
    /// The request.
    public let requestID: RequestID
    /// The job.
    public let jobID: JobID
    /// Its class.
    public let jobClass: JobClass?
    /// The agent.
    public let agentDID: AgentDID
    /// The approvals it rests on.
    public let approvalIDs: [ApprovalID]
    /// What was granted.
    public let granted: AuthorityExtent
    /// The token's names.
    public let token: TokenReference
    /// SHA-256 of the claims as minted.
    public let claimsDigest: Digest
    /// Hash of the WPC.
    public let policyHash: Digest?
    /// How the token is delivered.
    public let delivery: DeliveryMode
    /// The earlier request whose token this one replaces.
    public let replaces: RequestID?
    /// The receipt.
    public let receiptID: ReceiptID
    /// SHA-256 of the receipt.
    public let receiptDigest: Digest
    /// When it was decided.
    public let issuedAt: Timestamp

    /// Derives the record of a grant's receipt; `nil` for receipts of other kinds.
    public init?(_ encoded: EncodedReceipt, claimsDigest: Digest) {
        let receipt = encoded.receipt
        guard case .grantIssued(let grant) = receipt.content, let requestID = receipt.subject.requestID,
            let jobID = receipt.subject.jobID, let agentDID = receipt.subject.agentDID
        else { return nil }
        self.requestID = requestID
        self.jobID = jobID
        jobClass = receipt.subject.jobClass
        self.agentDID = agentDID
        approvalIDs = receipt.subject.approvalIDs
        granted = grant.granted
        token = grant.token
        self.claimsDigest = claimsDigest
        policyHash = receipt.provenance.policyHash
        delivery = grant.delivery
        replaces = grant.replaces
        receiptID = receipt.id
        receiptDigest = encoded.digest
        issuedAt = receipt.occurredAt
    }

    /// Key on the grants topic: the job, so that all grants of a job stay in order.
    public var recordKey: [UInt8] { Array(jobID.rawValue.utf8) }

    /// The stored form: the published one without `delivery` and `proof`.
    public var canonicalBytes: [UInt8] { write(delivery: nil, proof: nil) }

    /// Reads the stored form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        try self.init(try MemberReader(parsing: bytes))
        try requireCanonical(canonicalBytes, bytes, "grant")
    }

    /// Adds the token's delivery and the receipt's proof.
    ///
    /// - Throws: ``EvidenceError`` `invalid_member` when the delivery is not of the mode that was decided.
    public func complete(delivery: GrantDelivery, proof: BatchProof) throws(EvidenceError) -> PublishedGrant {
        guard delivery.mode == self.delivery else {
            throw EvidenceError(
                .invalidMember, "delivery.mode",
                "\(self.delivery.rawValue) was decided for request \(requestID), not \(delivery.mode.rawValue)")
        }
        return PublishedGrant(grant: self, delivery: delivery, proof: proof)
    }

    func write(delivery: GrantDelivery?, proof: BatchProof?) -> [UInt8] {
        var writer = CanonicalWriter(capacity: 2_048)
        writer.openObject()
        writer.member("agent_did", agentDID.rawValue)
        writer.member("approval_ids", approvalIDs.map(\.rawValue))
        writer.member("claims_digest_b64u", claimsDigest)
        if let delivery { writer.member("delivery", delivery) }
        writer.member("delivery_mode", self.delivery.rawValue)
        writer.member("grant_version", "1")
        writer.member("granted", granted)
        writer.member("issued_at", issuedAt)
        writer.member("job_class", jobClass?.rawValue)
        writer.member("job_id", jobID.rawValue)
        if let proof { writer.member("proof", proof) }
        writer.member("receipt_digest_b64u", receiptDigest)
        writer.member("receipt_id", receiptID.rawValue)
        writer.member("replaces_request_id", replaces?.rawValue)
        writer.member("request_id", requestID.rawValue)
        writer.token(token)
        writer.member("wpc_hash_b64u", policyHash)
        writer.closeObject()
        return writer.output
    }

    init(_ reader: MemberReader) throws(EvidenceError) {
        try reader.constant("grant_version", "1")
        requestID = RequestID(try reader.string("request_id"))
        jobID = JobID(try reader.string("job_id"))
        jobClass = try reader.optionalString("job_class").map { JobClass($0) }
        agentDID = AgentDID(try reader.string("agent_did"))
        approvalIDs = try reader.strings("approval_ids").map { ApprovalID($0) }
        granted = try AuthorityExtent(try reader.nested("granted"))
        token = try TokenReference(try reader.nested("token"))
        claimsDigest = try reader.digest("claims_digest_b64u")
        policyHash = try reader.optionalDigest("wpc_hash_b64u")
        delivery = try reader.choice("delivery_mode")
        replaces = try reader.optionalString("replaces_request_id").map { RequestID($0) }
        receiptID = ReceiptID(try reader.string("receipt_id"))
        receiptDigest = try reader.digest("receipt_digest_b64u")
        issuedAt = try reader.timestamp("issued_at")
    }
}

/// A token on its way to its job.
public enum GrantDelivery: Sendable, Hashable {
    /// A compact JWE that only the job can open.
    case sealed(jwe: String)
    /// The token in the clear, where a job class allows it by name.
    case plain(BearerToken)
    /// Where the job claims the token by proving its key.
    case reference(ClaimReference)

    /// The mode.
    public var mode: DeliveryMode {
        switch self {
        case .sealed: .sealed
        case .plain: .plain
        case .reference: .reference
        }
    }
}

/// What a job needs to claim a token that is delivered by reference.
public struct ClaimReference: Sendable, Hashable {
    /// Names the token: its `jti`.
    public let reference: String
    /// The address at which it is claimed; `nil` when the issuer has none configured.
    public let address: String?
    /// JWK thumbprint (RFC 7638) of the key that claims it; `nil` for a grant of an earlier version, which nobody can
    /// claim.
    public let key: Digest?

    /// Makes a reference.
    public init(_ reference: String, address: String? = nil, key: Digest? = nil) {
        self.reference = reference
        self.address = address
        self.key = key
    }
}

/// A grant as it is published.
public struct PublishedGrant: Sendable, Hashable {
    /// What was decided.
    public let grant: GrantRecord
    /// The token, sealed or by reference.
    public let delivery: GrantDelivery
    /// Where the receipt stands.
    public let proof: BatchProof

    /// The published form.
    public var canonicalBytes: [UInt8] { grant.write(delivery: delivery, proof: proof) }

    init(grant: GrantRecord, delivery: GrantDelivery, proof: BatchProof) {
        self.grant = grant
        self.delivery = delivery
        self.proof = proof
    }

    /// Reads the published form.
    ///
    /// - Throws: ``EvidenceError``.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let reader = try MemberReader(parsing: bytes)
        grant = try GrantRecord(reader)
        let delivery = try reader.nested("delivery")
        switch try delivery.choice("mode", DeliveryMode.self) {
        case .sealed: self.delivery = .sealed(jwe: try delivery.string("jwe", maximumBytes: 65_536))
        case .plain:
            self.delivery = .plain(BearerToken(try delivery.string("token", maximumBytes: 65_536)))
        case .reference:
            self.delivery = .reference(
                ClaimReference(
                    try delivery.string("reference"), address: try delivery.optionalString("claim_url"),
                    key: try delivery.optionalDigest("jkt")))
        }
        proof = try BatchProof(try reader.nested("proof"))
        guard self.delivery.mode == grant.delivery else {
            throw EvidenceError(.invalidMember, "delivery.mode", "is not the mode that was decided")
        }
        try requireCanonical(canonicalBytes, bytes, "grant")
    }
}

extension CanonicalWriter {
    mutating func member(_ name: String, _ delivery: GrantDelivery) {
        key(name)
        openObject()
        switch delivery {
        case .sealed(let jwe):
            member("jwe", jwe)
            member("mode", delivery.mode.rawValue)
        case .plain(let token):
            member("mode", delivery.mode.rawValue)
            member("token", token.exposed)
        case .reference(let claim):
            member("claim_url", claim.address)
            member("jkt", claim.key)
            member("mode", delivery.mode.rawValue)
            member("reference", claim.reference)
        }
        closeObject()
    }
}
