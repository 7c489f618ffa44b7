public import ClawWire

/// Something that happens in the demonstration, in plain words and as an object.
public struct DemoEvent: Sendable {
    /// What kind of thing happened. The text is that of the member `event`.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A new part of the story begins.
        case chapter
        /// People or systems do something.
        case action
        /// A request or an approval has its outcome.
        case decision
        /// A record was set aside.
        case deadLetter = "dead_letter"
        /// A token was revoked.
        case revocation
        /// A control event has its result.
        case control
        /// Something was found out or proven.
        case finding
        /// A worker was ended by force.
        case kill
        /// Work is under way; only a terminal shows it, on one line that the next event takes the place of.
        case progress
        /// What to do next.
        case advice
    }

    /// How a decision went, for colour.
    public enum Tone: Sendable, Hashable {
        /// As hoped.
        case good
        /// As it should be, though somebody will be disappointed.
        case refused
        /// Waiting, or set aside.
        case aside
        /// Neither.
        case neutral
    }

    /// Kind.
    public let kind: Kind
    /// One line of plain words.
    public let text: String
    /// Further lines.
    public let details: [String]
    /// For colour.
    public let tone: Tone
    /// Members of the object beside `event` and `text`.
    public let fields: JSONObject

    init(
        _ kind: Kind, _ text: String, details: [String] = [], tone: Tone = .neutral, fields: JSONObject = JSONObject()
    ) {
        self.kind = kind
        self.text = text
        self.details = details
        self.tone = tone
        self.fields = fields
    }

    /// The event as one object.
    public var json: JSONValue {
        var object: JSONObject = ["event": .string(kind.rawValue), "text": .string(text)]
        if !details.isEmpty { object["details"] = .array(details.map { .string($0) }) }
        for member in fields.members { object[member.key] = member.value }
        return .object(object)
    }
}

/// How a demonstration ended.
public struct DemoSummary: Sendable {
    /// Records read from the input topics.
    public var recordsRead = 0
    /// Outcomes: tokens, refusals, expiries, dead letters.
    public var issued = 0
    /// Refusals.
    public var denied = 0
    /// Expiries.
    public var expired = 0
    /// Records set aside.
    public var quarantined = 0
    /// Grants published.
    public var grants = 0
    /// Receipts, heartbeats included.
    public var receipts = 0
    /// Receipts that say nothing but that the log is still there.
    public var heartbeats = 0
    /// Batches of receipts.
    public var batches = 0
    /// Deliveries of an event that was known already.
    public var repeatsSeen = 0
    /// Workers ended by force.
    public var kills = 0
    /// `"pass"`, or what does not hold.
    public var checker: JSONValue = .null
    /// How long it took.
    public var seconds = 0.0

    /// Whether everything held.
    public var isPass: Bool { checker.string == "pass" }

    /// The last object of the output.
    public var json: JSONValue {
        [
            "summary": [
                "records_read": .integer(recordsRead),
                "decisions": [
                    "issued": .integer(issued), "denied": .integer(denied), "expired": .integer(expired),
                    "quarantined": .integer(quarantined),
                ], "grants": .integer(grants), "receipts": .integer(receipts), "batches": .integer(batches),
                "heartbeats": .integer(heartbeats),
                "dead_letters": .integer(quarantined), "repeats_seen": .integer(repeatsSeen), "kills": .integer(kills),
                "checker": checker, "seconds": .number((seconds * 10).rounded() / 10),
            ]
        ]
    }
}
