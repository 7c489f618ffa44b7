public import ClawWire

/// The evidence of one effect: a grant, a refusal, a dead letter, a revocation, a key change.
///
/// A receipt holds hashes and identifiers, never a token. Its canonical form (RFC 8785) is the leaf of its batch, and its
/// ``id`` follows from its content, so that making it again after a crash makes the same receipt.
public struct Receipt: Sendable, Hashable {
    /// Whom and what the effect is about; every member may be unknown where a record could not be understood.
    public struct Subject: Sendable, Hashable {
        /// The capability request.
        public let requestID: RequestID?
        /// The approvals that were looked at.
        public let approvalIDs: [ApprovalID]
        /// The job.
        public let jobID: JobID?
        /// Its class.
        public let jobClass: JobClass?
        /// The agent.
        public let agentDID: AgentDID?

        /// Makes a subject.
        public init(
            requestID: RequestID? = nil, approvalIDs: [ApprovalID] = [], jobID: JobID? = nil, jobClass: JobClass? = nil,
            agentDID: AgentDID? = nil
        ) {
            self.requestID = requestID
            self.approvalIDs = approvalIDs
            self.jobID = jobID
            self.jobClass = jobClass
            self.agentDID = agentDID
        }
    }

    /// Under which rules and from which evidence the effect came.
    public struct Provenance: Sendable, Hashable {
        /// The worker that decided.
        public let workerID: WorkerID
        /// Hash of the issuance rules.
        public let rulesHash: Digest?
        /// Hash of the WPC.
        public let policyHash: Digest?
        /// How the approval was known to be genuine.
        public let authenticity: Authenticity?
        /// The evidence.
        public let inputs: [EvidenceInput]
        /// Position of the last control event when it was decided: on which side of a stop it lies. `nil` for what no
        /// stop concerns.
        public let controlPosition: Int64?

        /// Makes a provenance.
        public init(
            workerID: WorkerID, rulesHash: Digest? = nil, policyHash: Digest? = nil,
            authenticity: Authenticity? = nil, inputs: [EvidenceInput] = [], controlPosition: Int64? = nil
        ) {
            self.workerID = workerID
            self.rulesHash = rulesHash
            self.policyHash = policyHash
            self.authenticity = authenticity
            self.inputs = inputs
            self.controlPosition = controlPosition
        }
    }

    /// One reason.
    public struct Reason: Sendable, Hashable {
        /// Most Unicode scalars of a detail that are kept.
        public static let keptScalars = 1_024
        /// Code of the registered families (WIRE section 16), or of the source that refused a record.
        public let code: String
        /// One sentence for people: the first ``keptScalars`` of it, without scalars that a receipt's reader refuses.
        public let detail: String

        /// Makes a reason.
        public init(code: String, detail: String) {
            self.code = code
            let kept =
                detail.unicodeScalars.count > Self.keptScalars
                ? String(String.UnicodeScalarView(detail.unicodeScalars.prefix(Self.keptScalars))) : detail
            self.detail = kept.withoutReservedScalars
        }
    }

    /// Identifies the receipt: base64url of a digest over kind, subject and effect, see ``Content``.
    public let id: ReceiptID
    /// When it was decided, in milliseconds.
    public let occurredAt: Timestamp
    /// Whom and what it is about.
    public let subject: Subject
    /// Rules and evidence.
    public let provenance: Provenance
    /// Why, most important first.
    public let reasons: [Reason]
    /// What happened.
    public let content: Content

    /// Makes a receipt; its ``id`` follows from the other members.
    public init(
        content: Content, subject: Subject, provenance: Provenance, reasons: [Reason] = [], occurredAt: Timestamp
    ) {
        self.content = content
        self.subject = subject
        self.provenance = provenance
        self.reasons = reasons
        self.occurredAt = occurredAt.cutToMilliseconds
        id = Self.id(
            kind: content.kind.rawValue,
            subject: content.subjectID(of: subject, provenance),
            effect: content.effectID(at: self.occurredAt))
    }

    /// Derives an identifier: base64url of SHA-256 over the RFC 8785 array of a purpose, kind, subject and effect.
    ///
    /// An array, because its text cannot be cut in two ways.
    static func id(kind: String, subject: String, effect: String) -> ReceiptID {
        var writer = CanonicalWriter(capacity: 256)
        writer.openArray()
        for part in ["clawgrant-receipt-v1", kind, subject, effect] { writer.string(part) }
        writer.closeArray()
        return ReceiptID(Digest(hashing: writer.output).b64u)
    }
}
