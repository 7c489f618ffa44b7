import ClawWire
import Yams

/// The members `max_source_silence` and `health` of a source.
extension RulesLoader {
    /// Longest time that is counted over: a day.
    private static let longestWindow: Int64 = 86_400

    mutating func loadHealth(_ source: [String: YAMLValue], kind: SourceRule.Kind) -> HealthRule? {
        let fields = source["health"].map { reader.members($0, .health) } ?? [:]
        var silence: HealthRule.Silence?
        if let value = source["max_source_silence"], let seconds = reader.duration(value) {
            silence = HealthRule.Silence(
                maximumSeconds: seconds, action: reader.choice(fields["on_silence"], HealthRule.Action.self) ?? .hold)
        } else if let value = fields["on_silence"], source["max_source_silence"] == nil {
            reader.report(value, found: "on_silence", expected: "max_source_silence of the source beside health")
        }
        let rule = HealthRule(
            silence: silence, sourceLimit: loadLimit(fields["max_grants"]),
            approverLimit: loadLimit(fields["max_grants_per_approver"]), anomalies: loadAnomalies(fields["anomalies"]))
        guard rule != HealthRule() else {
            if let value = source["health"] {
                reader.report(
                    value, found: "nothing to watch",
                    expected: "at least one of max_grants, max_grants_per_approver, anomalies")
            }
            return nil
        }
        if kind == .capabilityRequest, let value = source["max_source_silence"] ?? source["health"] {
            reader.report(value, expected: "sources of approvals only: nothing rests on a source of requests")
        }
        return rule
    }

    private mutating func window(_ value: YAMLValue?, of parent: YAMLValue) -> Int64? {
        guard let value else {
            reader.report(parent, found: "no per", expected: "per: the time within which is counted")
            return nil
        }
        guard let seconds = reader.duration(value) else { return nil }
        guard seconds <= Self.longestWindow else {
            reader.report(value, expected: "at most a day")
            return nil
        }
        return seconds
    }

    private mutating func loadLimit(_ value: YAMLValue?) -> HealthRule.Limit? {
        guard let value else { return nil }
        let fields = reader.members(value, .healthLimit)
        let seconds = window(fields["per"], of: value)
        if fields["count"] == nil { reader.report(value, found: "no count", expected: "count: most tokens") }
        let count = reader.count(fields["count"], in: 1...1_000_000, default: 1)
        let action = reader.choice(fields["over"], HealthRule.Action.self) ?? .hold
        return seconds.map { HealthRule.Limit(count: count, seconds: $0, action: action) }
    }

    private mutating func loadAnomalies(_ value: YAMLValue?) -> HealthRule.Anomalies? {
        guard let value else { return nil }
        let fields = reader.members(value, .anomalies)
        let seconds = window(fields["per"], of: value)
        let action = reader.choice(fields["then"], HealthRule.Action.self) ?? .report
        if action == .hold, let value = fields["then"] {
            reader.report(value, expected: "report or deny: what was approved in haste does not get better by waiting")
        }
        let burst = fields["burst"].map { reader.count($0, in: 2...1_000_000, default: 2) }
        let usualAfter = fields["new_class_after"].map { reader.count($0, in: 1...1_000_000, default: 1) }
        let minimum = reader.duration(fields["min_decision_time"])
        if burst == nil, usualAfter == nil, minimum == nil {
            reader.report(
                value, found: "nothing to watch",
                expected: "at least one of burst, new_class_after, min_decision_time")
        }
        return seconds.map {
            HealthRule.Anomalies(
                seconds: $0, burst: burst, usualAfter: usualAfter, minimumDecisionSeconds: minimum, action: action)
        }
    }
}
