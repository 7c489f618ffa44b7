/// Why a request was refused, waits or expired: a closed set in the registered families of WIRE section 16.
///
/// The comment above each case is its documentation; the text is what stands in decisions, receipts and metrics.
public enum ReasonCode: String, Sendable, Hashable, CaseIterable {
    /// No approval for the request has arrived yet.
    case capabilityRequiresApproval = "CAPABILITY_REQUIRES_APPROVAL"
}
