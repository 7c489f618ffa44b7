/// What a service asks of its owner before a request is read whole.
public struct HTTPServiceHooks: Sendable {
    /// A request that the service itself refuses.
    public enum Refusal: Int, Sendable, Hashable, CaseIterable {
        /// Its header cannot be what it should be.
        case malformed = 400
        /// Its body is larger than allowed.
        case bodyTooLarge = 413
        /// Its header is larger than allowed.
        case headerTooLarge = 431
    }

    /// Largest body of a request to a path by a method, in bytes; never more than the service's own limit.
    public var bodyBytes: @Sendable (_ method: String, _ path: String) -> Int
    /// The answer to a request that is refused.
    public var refusal: @Sendable (_ refusal: Refusal, _ path: String) -> HTTPServiceResponse

    /// Makes hooks; those of a service without any take every body within its limit and refuse in a line of text.
    public init(
        bodyBytes: @escaping @Sendable (_ method: String, _ path: String) -> Int = { _, _ in .max },
        refusal: @escaping @Sendable (_ refusal: Refusal, _ path: String) -> HTTPServiceResponse = { refusal, _ in
            switch refusal {
            case .malformed: .text(refusal.rawValue, "the length is no number")
            case .bodyTooLarge: .text(refusal.rawValue, "the body is too large")
            case .headerTooLarge: .text(refusal.rawValue, "the header is too large")
            }
        }
    ) {
        self.bodyBytes = bodyBytes
        self.refusal = refusal
    }
}
