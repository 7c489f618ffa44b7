public import ClawWire

/// What a campaign did, and what came of it.
public struct ChaosReport: Sendable, Hashable {
    /// Counts over all episodes.
    public struct Counts: Sendable, Hashable {
        /// Storms.
        public var storms = 0
        /// Processes that were running and were ended with SIGKILL.
        public var kills = 0
        /// How old each of them was.
        public var lives: [Duration] = []
        /// Of these, how many had been frozen with SIGSTOP before.
        public var killsWhileFrozen = 0
        /// Processes that were frozen with SIGSTOP and woken up again.
        public var freezes = 0
        /// Processes that were asked to leave with SIGTERM, and did.
        public var retirements = 0
        /// Workers that ended by themselves, because something they need was gone, and were started again.
        public var exits = 0
        /// Starts of worker processes.
        public var starts = 0
        /// Immediate restarts of PostgreSQL, those after a full disk included.
        public var databaseRestarts = 0
        /// Restarts of the broker.
        public var brokerRestarts = 0
        /// Faults by kind.
        public var faults: [FaultKind: Int] = [:]
        /// Records on the input topics.
        public var inputRecords = 0
        /// Of these, repeats.
        public var inputRepeats = 0
        /// Requests decided, by the receipts.
        public var decisions = 0
        /// Grants.
        public var grants = 0
        /// Tokens revoked.
        public var revocations = 0
        /// Stops that were applied.
        public var stops = 0
        /// Dead letters.
        public var deadLetters = 0
        /// Receipts.
        public var receipts = 0
        /// Output records that were delivered again, byte for byte the same.
        public var outputRepeats = 0

        /// Nothing yet.
        public init() {}

        /// Adds what another part of the campaign counted.
        static func + (left: Counts, right: Counts) -> Counts {
            var sum = left
            sum.storms += right.storms
            sum.kills += right.kills
            sum.lives += right.lives
            sum.killsWhileFrozen += right.killsWhileFrozen
            sum.freezes += right.freezes
            sum.retirements += right.retirements
            sum.exits += right.exits
            sum.starts += right.starts
            sum.databaseRestarts += right.databaseRestarts
            sum.brokerRestarts += right.brokerRestarts
            sum.faults.merge(right.faults, uniquingKeysWith: +)
            sum.inputRecords += right.inputRecords
            sum.inputRepeats += right.inputRepeats
            sum.decisions += right.decisions
            sum.grants += right.grants
            sum.revocations += right.revocations
            sum.stops += right.stops
            sum.deadLetters += right.deadLetters
            sum.receipts += right.receipts
            sum.outputRepeats += right.outputRepeats
            return sum
        }
    }

    /// The seed.
    public let seed: UInt64
    /// How long the campaign took, checks included.
    public internal(set) var elapsed = Duration.zero
    /// Clawgrants that were set up, broken, drained and checked.
    public internal(set) var episodes = 0
    /// Counts.
    public internal(set) var counts = Counts()
    /// How long it took after each storm until grants flowed again, in the order of the storms.
    public internal(set) var recoveries: [Duration] = []
    /// What must not be: broken properties, stalls, crashes. Empty after a campaign that passed.
    public internal(set) var violations: [String] = []
    /// What could not be done here, and why.
    public internal(set) var notes: [String] = []
    /// Where everything lies that an episode with violations left.
    public internal(set) var artefacts: String?

    /// Nothing yet.
    init(seed: UInt64) { self.seed = seed }

    /// Whether nothing was found that must not be.
    public var isPass: Bool { violations.isEmpty }

    /// Most violations that are listed; more say nothing new.
    private static let mostViolations = 200

    mutating func violate(_ text: String) {
        if violations.count < Self.mostViolations { violations.append(text) }
    }

    /// The time within which so many of a hundred recoveries were over (nearest rank); `nil` without any.
    public func recovery(percentile: Int) -> Duration? {
        Self.value(percentile, of: recoveries)
    }

    static func value(_ percentile: Int, of times: [Duration]) -> Duration? {
        guard !times.isEmpty else { return nil }
        let rank = (times.count * percentile + 99) / 100
        return times.sorted()[min(max(rank, 1), times.count) - 1]
    }
}

extension ChaosReport {
    /// The report for machines.
    public var json: JSONValue {
        var faults = JSONObject()
        for kind in FaultKind.allCases { faults[kind.rawValue] = .integer(counts.faults[kind] ?? 0) }
        func milliseconds(_ time: Duration?) -> JSONValue { time.map { .integer(Self.milliseconds($0)) } ?? .null }
        return [
            "report_version": "1", "pass": .bool(isPass), "seed": .string(String(seed)),
            "elapsed_ms": milliseconds(elapsed), "episodes": .integer(episodes), "storms": .integer(counts.storms),
            "kills": .integer(counts.kills), "kills_while_frozen": .integer(counts.killsWhileFrozen),
            "kill_age_p10_ms": milliseconds(Self.value(10, of: counts.lives)),
            "kill_age_p50_ms": milliseconds(Self.value(50, of: counts.lives)),
            "kill_age_p90_ms": milliseconds(Self.value(90, of: counts.lives)),
            "freezes": .integer(counts.freezes), "retirements": .integer(counts.retirements),
            "exits": .integer(counts.exits), "starts": .integer(counts.starts),
            "database_restarts": .integer(counts.databaseRestarts), "broker_restarts": .integer(counts.brokerRestarts),
            "faults": .object(faults), "input_records": .integer(counts.inputRecords),
            "input_repeats": .integer(counts.inputRepeats), "decisions": .integer(counts.decisions),
            "grants": .integer(counts.grants), "revocations": .integer(counts.revocations),
            "stops": .integer(counts.stops), "dead_letters": .integer(counts.deadLetters),
            "receipts": .integer(counts.receipts), "output_repeats": .integer(counts.outputRepeats),
            "recoveries": .integer(recoveries.count),
            "recovery_p50_ms": milliseconds(recovery(percentile: 50)),
            "recovery_p99_ms": milliseconds(recovery(percentile: 99)),
            "recovery_max_ms": milliseconds(recoveries.max()),
            "violations": .array(violations.map { .string($0) }), "notes": .array(notes.map { .string($0) }),
            "artefacts": artefacts.map { .string($0) } ?? .null,
        ]
    }

    /// The report for people, one line each.
    public var lines: [String] {
        let minutes = Double(Self.milliseconds(elapsed)) / 60_000
        var lines = [
            "seed \(seed), \(Self.fixed(minutes, 1)) minutes, \(episodes) episodes, \(counts.storms) storms",
            "workers    \(counts.kills) killed (\(counts.killsWhileFrozen) while frozen), \(counts.freezes) frozen and "
                + "woken, \(counts.retirements) asked to leave, \(counts.exits) ended by themselves, "
                + "\(counts.starts) started",
            "servers    \(counts.databaseRestarts) restarts of PostgreSQL, \(counts.brokerRestarts) of the broker",
        ]
        let faults = FaultKind.allCases.compactMap { kind in counts.faults[kind].map { "\(kind.rawValue) \($0)" } }
        lines.append("faults     \(faults.isEmpty ? "none" : faults.joined(separator: ", "))")
        lines.append(
            "load       \(counts.inputRecords) records (\(counts.inputRepeats) repeats), \(counts.decisions) decisions, "
                + "\(counts.grants) grants, \(counts.stops) stops, \(counts.revocations) revocations, "
                + "\(counts.deadLetters) dead letters, \(counts.receipts) receipts, "
                + "\(counts.outputRepeats) published again")
        if let most = recoveries.max(), let middle = recovery(percentile: 50), let late = recovery(percentile: 99) {
            lines.append(
                "recovery   p50 \(Self.seconds(middle)), p99 \(Self.seconds(late)), max \(Self.seconds(most)) "
                    + "over \(recoveries.count) storms")
        }
        if let young = Self.value(10, of: counts.lives), let middle = Self.value(50, of: counts.lives),
            let old = Self.value(90, of: counts.lives)
        {
            lines.append(
                "killed at the age of \(Self.seconds(young)) (p10), \(Self.seconds(middle)) (p50), \(Self.seconds(old)) (p90)"
            )
        }
        lines += notes.map { "not done   \($0)" }
        lines += violations.map { "VIOLATION  \($0)" }
        if let artefacts { lines.append("everything of that episode is in \(artefacts)") }
        lines.append(isPass ? "no violation" : "\(violations.count) violations")
        return lines
    }

    static func milliseconds(_ time: Duration) -> Int {
        Int(time.components.seconds) * 1_000 + Int(time.components.attoseconds / 1_000_000_000_000_000)
    }

    static func seconds(_ time: Duration) -> String { fixed(Double(milliseconds(time)) / 1_000, 2) + " s" }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = digits == 1 ? 10.0 : 100.0
        let rounded = Int((value * scale).rounded())
        let whole = rounded / Int(scale)
        let part = String(rounded % Int(scale))
        return "\(whole).\(String(repeating: "0", count: digits - part.count))\(part)"
    }
}
