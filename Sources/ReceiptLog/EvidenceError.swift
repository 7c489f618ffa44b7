/// Why a receipt, record, batch, checkpoint or proof was refused, and where.
///
/// Nothing in this target does I/O, so no refusal goes away by trying again.
public struct EvidenceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The bytes are no JSON within the limits.
        case malformed
        /// A member is missing, has the wrong type or a value outside its range.
        case invalidMember = "invalid_member"
        /// The document has a version that this reader does not know.
        case unknownVersion = "unknown_version"
        /// The receipt has a kind that this reader does not know.
        case unknownKind = "unknown_kind"
        /// The bytes are not the RFC 8785 form of what they say, or they carry members of no known meaning.
        case notCanonical = "not_canonical"
        /// Something is larger, longer or more numerous than its limit.
        case limitExceeded = "limit_exceeded"
        /// A stated identifier is not the one that follows from the content.
        case identifierMismatch = "identifier_mismatch"
        /// A signature does not verify.
        case signatureInvalid = "signature_invalid"
        /// Something is signed, but by none of the trusted keys.
        case signerUnknown = "signer_unknown"
        /// A Merkle root differs from the one that follows from the leaves.
        case rootMismatch = "root_mismatch"
        /// A batch does not follow the one before it.
        case chainBroken = "chain_broken"
        /// Positions or batch numbers leave a gap or repeat.
        case positionMismatch = "position_mismatch"
        /// A count in a header differs from what the batch holds.
        case countMismatch = "count_mismatch"
        /// A list in a header differs from what the batch holds.
        case summaryMismatch = "summary_mismatch"
        /// A time goes backwards.
        case timeReversed = "time_reversed"
        /// An inclusion proof does not lead to the root.
        case inclusionInvalid = "inclusion_invalid"
        /// Two checkpoints of one log contradict each other, or the proof between them does not hold.
        case consistencyInvalid = "consistency_invalid"
        /// The evidence belongs to another log.
        case logMismatch = "log_mismatch"
    }

    /// What was wrong.
    public let code: Code
    /// Where, as a path of members, for example `header.counts` or `receipts[3]`.
    public let path: String
    /// A sentence for people: what was found, what was expected, what to do.
    public let detail: String

    /// Makes an error.
    public init(_ code: Code, _ path: String, _ detail: String) {
        self.code = code
        self.path = path
        self.detail = detail
    }

    /// False: the same input is refused again.
    public var isRetriable: Bool { false }

    /// For example `root_mismatch at header.root_b64u: …`.
    public var description: String { "\(code.rawValue) at \(path): \(detail)" }

    /// The same error below another member.
    func under(_ prefix: String) -> EvidenceError {
        EvidenceError(code, path.isEmpty ? prefix : "\(prefix).\(path)", detail)
    }
}
