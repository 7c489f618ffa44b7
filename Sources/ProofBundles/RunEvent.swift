public import ClawWire

/// One entry of a run's event chain (WIRE section 9).
public struct RunEvent: Sendable, Hashable {
    /// Unique within the chain.
    public let id: String
    /// The run; one for the whole chain.
    public let runID: String
    /// What happened, for example `llm_call`.
    public let type: String
    /// When, as the emitter wrote it; the hash is over this text.
    public let timestamp: String
    /// Hash of what the event is about.
    public let payloadHash: Digest
    /// ``hash`` of the event before; `nil` for the first.
    public let previousHash: Digest?

    /// Makes an entry.
    public init(
        id: String, runID: String, type: String, timestamp: String, payloadHash: Digest, previousHash: Digest?
    ) {
        self.id = id
        self.runID = runID
        self.type = type
        self.timestamp = timestamp
        self.payloadHash = payloadHash
        self.previousHash = previousHash
    }

    private var hashedMembers: JSONObject {
        var object = JSONObject()
        object["event_id"] = .string(id)
        object["run_id"] = .string(runID)
        object["event_type"] = .string(type)
        object["timestamp"] = .string(timestamp)
        object["payload_hash_b64u"] = .string(payloadHash.b64u)
        object["prev_hash_b64u"] = previousHash.map { .string($0.b64u) } ?? .null
        return object
    }

    /// `event_hash_b64u`: the document-order hash of the other six members in this order.
    public var hash: Digest { JSONValue.object(hashedMembers).documentDigest }

    /// The entry as it stands in a bundle.
    public var json: JSONValue {
        var object = hashedMembers
        object["event_hash_b64u"] = .string(hash.b64u)
        return .object(object)
    }
}
