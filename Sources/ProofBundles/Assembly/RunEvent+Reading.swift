public import ClawWire

/// Why the entries of a chain were refused, and where.
public struct ChainError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// An entry is no object, or one of its members is missing or has another form.
        case malformed = "EVENT_MALFORMED"
        /// `event_hash_b64u` is not the hash of the entry.
        case hashMismatch = "EVENT_HASH_MISMATCH"
        /// An entry does not name the hash of the one before it.
        case linkBroken = "EVENT_LINK_BROKEN"
        /// Two entries have one identifier.
        case repeated = "EVENT_REPEATED"
        /// An entry is of another run.
        case runMismatch = "EVENT_RUN_MISMATCH"
    }
    /// What is wrong.
    public let code: Code
    /// The entry, from 0.
    public let index: Int
    /// A sentence for people.
    public let detail: String

    init(_ code: Code, _ index: Int, _ detail: String) {
        self.code = code
        self.index = index
        self.detail = detail
    }

    /// Code, entry and sentence.
    public var description: String { "\(code.rawValue) at [\(index)]: \(detail)" }
}

extension RunEvent {
    /// Reads entries and checks that each has its own hash and names the one before.
    ///
    /// - Parameters:
    ///   - values: the entries in order.
    ///   - continues: the hash that the first entry may name beside none at all; a chain that another one began.
    /// - Throws: ``ChainError`` for the first entry at fault.
    public static func chain(_ values: [JSONValue], continues: Set<Digest> = []) throws(ChainError) -> [RunEvent] {
        var events: [RunEvent] = []
        var ids: Set<String> = []
        for (index, value) in values.enumerated() {
            let event = try read(value, index)
            if let last = events.last {
                guard event.previousHash == last.hash else {
                    throw ChainError(.linkBroken, index, "prev_hash_b64u is not the hash of the entry before")
                }
                guard ExactText.equal(event.runID, last.runID) else {
                    throw ChainError(
                        .runMismatch, index, "the entry is of run \"\(event.runID.prefix(64))\", not of \(last.runID)")
                }
            } else if let previous = event.previousHash, !continues.contains(previous) {
                throw ChainError(.linkBroken, index, "the first entry names an entry before it")
            }
            guard ids.insert(event.id).inserted else {
                throw ChainError(.repeated, index, "the identifier \"\(event.id.prefix(64))\" was used before")
            }
            events.append(event)
        }
        return events
    }

    private static func read(_ value: JSONValue, _ index: Int) throws(ChainError) -> RunEvent {
        func text(_ key: String) throws(ChainError) -> String {
            guard let text = value[key]?.string, !text.isEmpty else {
                throw ChainError(.malformed, index, "the member \(key) must be a text")
            }
            return text
        }
        let hash = try text("event_hash_b64u")
        guard let payload = Digest(b64u: try text("payload_hash_b64u")) else {
            throw ChainError(.malformed, index, "payload_hash_b64u must be a SHA-256 in base64url")
        }
        var previous: Digest?
        if let value = value["prev_hash_b64u"], !value.isNull {
            guard let digest = value.string.flatMap({ Digest(b64u: $0) }) else {
                throw ChainError(.malformed, index, "prev_hash_b64u must be null or a SHA-256 in base64url")
            }
            previous = digest
        }
        let event = RunEvent(
            id: try text("event_id"), runID: try text("run_id"), type: try text("event_type"),
            timestamp: try text("timestamp"), payloadHash: payload, previousHash: previous)
        guard event.hash == Digest(b64u: hash) else {
            throw ChainError(.hashMismatch, index, "event_hash_b64u is not the hash of the other members")
        }
        return event
    }
}
