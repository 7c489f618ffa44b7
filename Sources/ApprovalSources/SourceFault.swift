import ClawWire

/// Why a record as a whole could not be taken: it goes to the dead letters with this and its origin.
///
/// Each case is documented in `docs/sources.md`.
public enum DeadLetterReason: String, Sendable, Hashable, CaseIterable {
    /// The value, a header or a list is larger than the source's limits.
    case tooLarge = "too_large"
    /// The value is not JSON that our reader takes: syntax, depth, repeated keys, invalid UTF-8.
    case notJSON = "not_json"
    /// The value is JSON of another shape than the source's.
    case malformed
    /// The record carries no CloudEvent and no other form that the source takes.
    case notACloudEvent = "not_a_cloud_event"
    /// A CloudEvents attribute is missing, repeated or breaks the specification.
    case invalidAttribute = "invalid_attribute"
    /// The event's type or the data's content type is not one the source takes.
    case unsupportedType = "unsupported_type"
    /// A required member is missing.
    case missingMember = "missing_member"
    /// A member that the format does not know.
    case unknownMember = "unknown_member"
    /// A member has another JSON type than the format demands.
    case wrongType = "wrong_type"
    /// A member's value is not one the format allows.
    case invalidValue = "invalid_value"
    /// A time does not parse.
    case unparseableTime = "unparseable_time"
    /// The source demands a signature and the event has none.
    case unsigned
    /// The signature's own form is broken, or it names an algorithm other than EdDSA.
    case malformedSignature = "malformed_signature"
    /// The key that signed is not listed for the source.
    case unknownSigner = "unknown_signer"
    /// The signature is not the named key's over this event.
    case signatureInvalid = "signature_invalid"
    /// The timestamp that is signed lies too far from the arrival.
    case signatureOutOfTime = "signature_out_of_time"
    /// The event is not in the batch whose root was signed.
    case batchProofInvalid = "batch_proof_invalid"
    /// The key may not approve, request, stop or lift what the event says.
    case signerNotAllowed = "signer_not_allowed"
    /// The key or the source is limited to some job classes and the event's class cannot be told.
    case jobClassUnknown = "job_class_unknown"
    /// The source may not approve this job class.
    case jobClassNotAllowed = "job_class_not_allowed"
    /// A capability request only asks what would become of it.
    case preflightRequest = "preflight_request"
    /// A human approval receipt does not bind the request it comes with.
    case receiptMismatch = "receipt_mismatch"
}

/// A fault of a record: the reason, where in the record, and a sentence for people.
///
/// The detail names the fault and the place, never a value from outside beyond a bounded prefix. Both are bounded again
/// here: they go into receipts, logs and dead letters.
public struct SourceFault: Error, Sendable, Hashable, CustomStringConvertible {
    private static let maximumText = 1_024
    /// Reason, for machines.
    public let reason: DeadLetterReason
    /// Member path, header name or byte position; empty for the whole record.
    public let field: String
    /// A sentence for people.
    public let detail: String

    /// Makes a fault.
    public init(_ reason: DeadLetterReason, field: String = "", _ detail: String) {
        self.reason = reason
        self.field = field.cut(toBytes: Self.maximumText)
        self.detail = detail.cut(toBytes: Self.maximumText)
    }

    /// For example `missing_member at data.approval_id: the member is required`.
    public var description: String { "\(reason.rawValue)\(field.isEmpty ? "" : " at \(field)"): \(detail)" }
}
