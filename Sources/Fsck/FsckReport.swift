public import ClawWire

/// What a run found, and what it could not look at.
public struct FsckReport: Sendable, Hashable {
    /// Counts of what was read.
    public struct Counts: Sendable, Hashable {
        /// Batches whose receipts were looked at.
        public var batches: Int64 = 0
        /// Receipts looked at.
        public var receipts: Int64 = 0
        /// Receipts by kind.
        public var kinds: [String: Int64] = [:]
        /// Records of the output topics, repeats included.
        public var records: Int64 = 0
        /// Records delivered again, byte for byte the same.
        public var repeats: Int64 = 0
        /// Signatures verified.
        public var signatures: Int64 = 0
        /// Bytes of record values read.
        public var bytes: Int64 = 0
        /// Tokens made again and compared.
        public var tokens: Int64 = 0
    }

    /// How a property stands.
    public enum Verdict: String, Sendable, Hashable {
        /// Everything that was looked at keeps it.
        case holds
        /// There are findings.
        case refuted
        /// Nothing that bears on it was looked at.
        case notChecked = "not_checked"
    }

    /// Counts.
    public internal(set) var counts = Counts()
    /// First and last position looked at; `nil` when there was no receipt.
    public internal(set) var positions: ClosedRange<Int64>?
    /// Findings in the order in which they were met, at most ``maximumPerCode`` of each code.
    public private(set) var findings: [Finding] = []
    /// Findings by code, those included that are not listed.
    public private(set) var totals: [FindingCode: Int64] = [:]
    /// What this run could not check, and why.
    public private(set) var notes: [String] = []
    /// Properties that were looked at.
    public internal(set) var checked: Set<Finding.Property> = []
    /// Most findings of one code that are listed.
    public let maximumPerCode: Int

    /// What strangers write must not make the report grow: most notes, and most kinds that are counted by name.
    private static let maximumNotes = 100
    private static let maximumKinds = 100

    init(maximumPerCode: Int) { self.maximumPerCode = maximumPerCode }

    /// True when there is no finding.
    public var isClean: Bool { totals.isEmpty }

    mutating func add(_ code: FindingCode, at place: String, _ detail: String) {
        totals[code, default: 0] += 1
        guard totals[code] ?? 0 <= Int64(maximumPerCode) else { return }
        findings.append(Finding(code.property, code.rawValue, at: place, detail))
    }

    mutating func note(_ text: String) {
        if notes.count < Self.maximumNotes, !notes.contains(text) { notes.append(text) }
    }

    mutating func count(_ receipts: Int64, of kind: String) {
        let isNamed = counts.kinds[kind] != nil || counts.kinds.count < Self.maximumKinds && kind.utf8.count <= 64
        counts.kinds[isNamed ? kind : "(others)", default: 0] += receipts
    }

    /// How a property stands.
    public func verdict(_ property: Finding.Property) -> Verdict {
        if totals.keys.contains(where: { $0.property == property }) { return .refuted }
        return checked.contains(property) ? .holds : .notChecked
    }

    /// The report for machines.
    public var json: JSONValue {
        var properties = JSONObject()
        for property in Finding.Property.allCases {
            properties[property.rawValue] = .string(verdict(property).rawValue)
        }
        var totals = JSONObject()
        for (code, count) in self.totals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            totals[code.rawValue] = .integer(count)
        }
        var kinds = JSONObject()
        for (kind, count) in counts.kinds.sorted(by: { $0.key < $1.key }) { kinds[kind] = .integer(count) }
        return [
            "report_version": "1", "clean": .bool(isClean),
            "first_position": positions.map { .integer($0.lowerBound) } ?? .null,
            "last_position": positions.map { .integer($0.upperBound) } ?? .null,
            "batches": .integer(counts.batches), "receipts": .integer(counts.receipts), "kinds": .object(kinds),
            "records": .integer(counts.records), "repeats": .integer(counts.repeats),
            "signatures": .integer(counts.signatures), "bytes": .integer(counts.bytes),
            "tokens": .integer(counts.tokens), "properties": .object(properties), "totals": .object(totals),
            "findings": .array(
                findings.map {
                    [
                        "property": .string($0.property.rawValue), "code": .string($0.code),
                        "place": .string($0.place), "detail": .string($0.detail),
                    ]
                }), "not_checked": .array(notes.map { .string($0) }),
        ]
    }

    /// The report for people, one line each.
    public var lines: [String] {
        var lines = findings.map(\.description)
        for (code, count) in totals.sorted(by: { $0.key.rawValue < $1.key.rawValue })
        where count > Int64(maximumPerCode) {
            lines.append("\(code.rawValue): \(count) findings, the first \(maximumPerCode) are listed")
        }
        let range = positions.map { "positions \($0.lowerBound)..\($0.upperBound), \(counts.receipts) receipts" }
        for property in Finding.Property.allCases {
            let name = "\(property.rawValue) \(property.title)"
            switch verdict(property) {
            case .holds: lines.append("\(name): holds over \(range ?? "no receipt")")
            case .notChecked: lines.append("\(name): not checked")
            case .refuted:
                let count = totals.reduce(0) { $0 + ($1.key.property == property ? $1.value : 0) }
                lines.append("\(name): does not hold, \(count) findings")
            }
        }
        lines += notes.map { "not checked: \($0)" }
        lines.append(
            "read \(counts.batches) batches, \(counts.receipts) receipts, \(counts.records) records "
                + "(\(counts.repeats) repeats), \(counts.bytes) bytes, \(counts.signatures) signatures")
        return lines
    }
}

extension Finding.Property {
    /// A few words for people.
    public var title: String {
        switch self {
        case .oneOutcome: "one approval, one outcome"
        case .stopLine: "a stop is a line"
        case .failClosed: "fail closed"
        case .receipts: "everything leaves a receipt"
        case .noBearer: "no bearer token at rest"
        case .neverWider: "never wider than its parts"
        case .bound: "a token is bound"
        case .densePositions: "dense positions, identical repeats"
        }
    }
}

/// Where findings go while a run is under way.
final class FindingBook {
    var report: FsckReport

    init(maximumPerCode: Int) { report = FsckReport(maximumPerCode: maximumPerCode) }

    func add(_ code: FindingCode, at place: String, _ detail: String) { report.add(code, at: place, detail) }

    func note(_ text: String) { report.note(text) }
}

/// How places are written.
enum Place {
    static func record(_ topic: String, _ partition: Int32, _ offset: Int64) -> String {
        "\(topic)/\(partition)@\(offset)"
    }

    static func receipt(batch: Int64, index: Int64, position: Int64) -> String {
        "batch \(batch) receipt \(index) (position \(position))"
    }

    /// Text from outside, short and without control characters.
    static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(80).map { scalar -> String in
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                "\\u{\(String(scalar.value, radix: 16))}"
            default: String(Character(scalar))
            }
        }
        return "\"\(shown.joined())\""
    }
}
