public import ClawWire

/// What Microsoft Graph answered about a request: the evidence of a confirmation.
public struct GraphAnswer: Sendable, Hashable {
    /// The request with its approval and its instances, in the form that a source of kind `graph` reads; `nil` when the
    /// service does not know the request.
    public let document: JSONValue?
    /// SHA-256 of the canonical (RFC 8785) answer. The same answer has the same digest whenever it is given.
    public let digest: Digest
    /// The service's names for the questions, in order.
    public let requestIDs: [String]
    /// When it was asked.
    public let askedAt: Timestamp
    /// When the last part of the answer was there.
    public let answeredAt: Timestamp

    /// Makes an answer.
    public init(
        _ target: GraphTarget, document: JSONValue?, requestIDs: [String], askedAt: Timestamp, answeredAt: Timestamp
    ) {
        self.document = document
        digest =
            (document ?? [
                "kind": "graph.poll", "request": .null, "requestId": .string(target.requestID),
                "tenantId": .string(target.tenant),
            ])
            .canonicalDigest
        self.requestIDs = requestIDs
        self.askedAt = askedAt
        self.answeredAt = answeredAt
    }
}
