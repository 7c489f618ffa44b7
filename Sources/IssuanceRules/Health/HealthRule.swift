public import ClawWire

/// How a source of approvals is watched: how long it may be silent, how many tokens may rest on it, and which of its
/// approvals deserve an eye.
public struct HealthRule: Sendable, Hashable {
    /// What follows when the rule is not met. The text is the form in the rules.
    public enum Action: String, Sendable, Hashable, CaseIterable {
        /// A finding is raised; issuing goes on.
        case report
        /// What rests on it waits and goes on by itself.
        case hold
        /// What rests on it is refused.
        case deny
    }

    /// How long the source may be silent.
    public struct Silence: Sendable, Hashable {
        /// Longest time without a record, in seconds.
        public let maximumSeconds: Int64
        /// What becomes of what rests on a silent source.
        public let action: Action

        /// Makes a bound.
        public init(maximumSeconds: Int64, action: Action) {
            self.maximumSeconds = maximumSeconds
            self.action = action
        }
    }

    /// How many tokens may be issued within a time.
    public struct Limit: Sendable, Hashable {
        /// Most tokens.
        public let count: Int
        /// The time, in seconds.
        public let seconds: Int64
        /// What becomes of one more.
        public let action: Action

        /// Makes a limit.
        public init(count: Int, seconds: Int64, action: Action) {
            self.count = count
            self.seconds = seconds
            self.action = action
        }
    }

    /// Approvals that deserve an eye.
    public struct Anomalies: Sendable, Hashable {
        /// Within which time approvals are counted, and how often one finding may be raised, in seconds.
        public let seconds: Int64
        /// Approvals of one person within the time from which on they are a burst.
        public let burst: Int?
        /// Approvals of one person after which the job classes they approve are known, so that another one is unusual.
        public let usualAfter: Int?
        /// Shortest time between question and answer that a human takes, in seconds.
        public let minimumDecisionSeconds: Int64?
        /// ``Action/report``, or ``Action/deny``: then what the person approves is refused for the time.
        public let action: Action

        /// Makes a watch.
        public init(
            seconds: Int64, burst: Int?, usualAfter: Int?, minimumDecisionSeconds: Int64?, action: Action
        ) {
            self.seconds = seconds
            self.burst = burst
            self.usualAfter = usualAfter
            self.minimumDecisionSeconds = minimumDecisionSeconds
            self.action = action
        }
    }

    /// How long it may be silent.
    public let silence: Silence?
    /// Tokens that rest on the source.
    public let sourceLimit: Limit?
    /// Tokens that rest on approvals of one person through the source.
    public let approverLimit: Limit?
    /// What deserves an eye.
    public let anomalies: Anomalies?

    /// Makes a rule.
    public init(
        silence: Silence? = nil, sourceLimit: Limit? = nil, approverLimit: Limit? = nil, anomalies: Anomalies? = nil
    ) {
        self.silence = silence
        self.sourceLimit = sourceLimit
        self.approverLimit = approverLimit
        self.anomalies = anomalies
    }

    /// True when something is counted, so that one decision at a time may look at it.
    public var counts: Bool { sourceLimit != nil || approverLimit != nil || anomalies != nil }
}

extension RuleSet {
    /// How sources are watched; those that are not watched are left out.
    public var healthRules: [SourceName: HealthRule] { sources.compactMapValues(\.health) }

    /// The sources on whose word an approval stands for a job class: those that may speak for it and have.
    public func supportingSources(of state: ApprovalState, for jobClass: JobClass) -> [SourceName] {
        var names: Set<SourceName> = []
        for entry in state.claims.entries {
            guard let source = sources[entry.key.source], source.kind != .capabilityRequest,
                source.mayApprove.contains(jobClass), source.accepts(entry.key.authenticity, for: jobClass)
            else { continue }
            names.insert(source.name)
        }
        return names.sorted()
    }
}

/// Members of the rules.
extension HealthRule {
    /// The rule as JSON with every default written out.
    var document: JSONValue {
        var object = JSONObject()
        if let silence {
            object["max_source_silence"] = .integer(silence.maximumSeconds)
            object["on_silence"] = .string(silence.action.rawValue)
        }
        object["max_grants"] = sourceLimit.map(\.document)
        object["max_grants_per_approver"] = approverLimit.map(\.document)
        if let anomalies {
            var watch: JSONObject = [
                "per": .integer(anomalies.seconds), "then": .string(anomalies.action.rawValue),
            ]
            watch["burst"] = anomalies.burst.map { .integer($0) }
            watch["new_class_after"] = anomalies.usualAfter.map { .integer($0) }
            watch["min_decision_time"] = anomalies.minimumDecisionSeconds.map { .integer($0) }
            object["anomalies"] = .object(watch)
        }
        return .object(object)
    }
}

extension HealthRule.Limit {
    fileprivate var document: JSONValue {
        ["count": .integer(count), "per": .integer(seconds), "over": .string(action.rawValue)]
    }
}
