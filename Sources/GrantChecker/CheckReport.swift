public import ClawWire

/// A property that is checked (ARCHITECTURE section 1).
public enum CheckedProperty: String, Sendable, Hashable, CaseIterable {
    /// One approval, one outcome.
    case oneOutcome = "P1"
    /// A stop is a line.
    case stopLine = "P2"
    /// Everything leaves a receipt, exactly one, in a log without gaps.
    case receipts = "P4"
    /// No bearer token at rest.
    case noBearerToken = "P5"
    /// A grant is never wider than its parts.
    case neverWider = "P6"
    /// A token is bound to its job, its approval and its policy.
    case binding = "P7"
    /// Dense positions, byte-identical repeats.
    case positions = "P8"
    /// Offsets advance once, and every record read is accounted for.
    case offsets = "P10"
}

/// A property that does not hold, and where.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    /// The property.
    public let property: CheckedProperty
    /// What was found, and where.
    public let detail: String
    /// For example `P8: …`.
    public var description: String { "\(property.rawValue): \(detail)" }
}

/// What a check found.
public struct CheckReport: Sendable, Hashable {
    /// Counts of what was read.
    public struct Counts: Sendable, Hashable {
        /// Records on the input topics.
        public var inputRecords = 0
        /// Input records that brought nothing new: events known before.
        public var inputRepeats = 0
        /// Entries of input records that are none of our business.
        public var inputIgnored = 0
        /// Distinct grants.
        public var grants = 0
        /// Requests with a token, by the receipts.
        public var issued = 0
        /// Refusals, by the receipts.
        public var denied = 0
        /// Expiries, by the receipts.
        public var expired = 0
        /// Dead letters, by the receipts.
        public var quarantined = 0
        /// Revoked tokens, by the receipts.
        public var revocations = 0
        /// Revocations and cut-offs that were ended.
        public var tombstones = 0
        /// Requests that wait visibly.
        public var waiting = 0
        /// Stops, by the receipts.
        public var stops = 0
        /// Gateway receipts that were counted, by the receipts.
        public var gatewayReceipts = 0
        /// Receipts that say nothing but that the log is still there.
        public var heartbeats = 0
        /// Receipts.
        public var receipts = 0
        /// Batches.
        public var batches = 0
        /// Output records that were delivered again, byte for byte the same.
        public var repeats = 0
        /// Tokens that were opened with the job's key and verified.
        public var tokensOpened = 0
        /// Bytes searched for tokens.
        public var bytesScanned = 0
    }

    /// Counts.
    public var counts = Counts()
    /// Violations, at most ``maximumPerProperty`` of each property.
    public private(set) var violations: [Violation] = []
    /// Violations by property, those included that are not listed.
    public private(set) var totals: [CheckedProperty: Int] = [:]

    /// Most violations of one property that are listed.
    public static let maximumPerProperty = 20

    /// A report of nothing.
    public init() {}

    /// Whether every property holds.
    public var isPass: Bool { totals.isEmpty }

    /// `"pass"`, or the list of what does not hold.
    public var verdict: JSONValue {
        isPass ? "pass" : .array(violations.map { .string($0.description) })
    }

    /// Adds a violation.
    mutating func violate(_ property: CheckedProperty, _ detail: String) {
        totals[property, default: 0] += 1
        guard totals[property] ?? 0 <= Self.maximumPerProperty else { return }
        violations.append(Violation(property: property, detail: detail))
    }

    /// The report as an object: counts, verdict.
    public var json: JSONValue {
        [
            "input_records": .integer(counts.inputRecords), "input_repeats": .integer(counts.inputRepeats),
            "input_ignored": .integer(counts.inputIgnored), "grants": .integer(counts.grants),
            "issued": .integer(counts.issued), "denied": .integer(counts.denied),
            "expired": .integer(counts.expired), "quarantined": .integer(counts.quarantined),
            "revocations": .integer(counts.revocations), "tombstones": .integer(counts.tombstones),
            "waiting": .integer(counts.waiting), "gateway_receipts": .integer(counts.gatewayReceipts),
            "heartbeats": .integer(counts.heartbeats),
            "receipts": .integer(counts.receipts), "batches": .integer(counts.batches),
            "repeats": .integer(counts.repeats), "tokens_opened": .integer(counts.tokensOpened),
            "bytes_scanned": .integer(counts.bytesScanned), "checker": verdict,
        ]
    }
}
