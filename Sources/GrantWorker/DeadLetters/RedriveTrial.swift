import ApprovalSources
public import ClawWire
public import GrantLedger
public import IssuanceRules
import Kafka
import ReceiptLog

/// What reading a dead letter's record again would come to with the rules of now: understood, and not decided.
public struct RedriveTrial: Sendable {
    /// The answer.
    public enum Verdict: Sendable, Hashable {
        /// It is understood; these are the kinds of its facts. Deciding tells what becomes of them.
        case understood([String])
        /// It is understood and bears on nothing here; these are the reasons.
        case ignored([String])
        /// It would be refused again.
        case refused(code: String, detail: String)
        /// It cannot be read again.
        case gone(String)
    }

    private let reader: BatchReader
    private let rules: RuleSet
    private let controlTopic: String?
    private let usageTopic: String?

    /// Prepares trials under the rules and the configuration of a worker.
    ///
    /// - Throws: ``ConfigurationError`` when the keys of a header signature cannot be read.
    public init(rules: RuleSet, configuration: WorkerConfiguration) throws(ConfigurationError) {
        self.rules = rules
        controlTopic = configuration.control.topic
        usageTopic = configuration.gatewayReceipts.topic
        reader = BatchReader(
            sources: try SourceConfiguration.byTopic(rules, file: configuration.rulesFile),
            limits: EventAgeLimits(
                maximumAge: configuration.limits.maximumEventAge,
                maximumAhead: configuration.limits.maximumEventAhead),
            worker: WorkerID("trial"), confirmable: ConfirmService.confirmable(rules, configuration))
    }

    /// Reads the record that was found where a dead letter stands.
    public func judge(_ finding: RecordFetcher.Finding, of letter: StoredDeadLetter, at now: Timestamp) -> Verdict {
        switch finding {
        case .gone(let why): return .gone(why)
        case .found(let record):
            guard Digest(hashing: record.value ?? []) == letter.valueDigest else {
                return .gone("another record stands at its place")
            }
            if !reader.reads(letter.origin.topic) {
                if letter.origin.topic == controlTopic { return ControlRedrive.trial(record, rules, at: now) }
                if letter.origin.topic == usageTopic { return GatewayRedrive.trial(record, rules) }
            }
            var signatures = BatchSignatureCache(capacity: 1)
            let batch = reader.read([SourceRecord(record)], fence: .offsets([]), at: now, signatures: &signatures)
            if let refused = batch.refused.first { return .refused(code: refused.reason, detail: refused.detail) }
            let kinds =
                batch.entries.flatMap { $0.facts.map(\.kind) } + batch.control.map(\.event.operation.kind.rawValue)
            return kinds.isEmpty ? .ignored(batch.ignored.keys.sorted()) : .understood(kinds)
        }
    }
}
