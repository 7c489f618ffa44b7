import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// One entry of a record, understood: its facts share one source event.
struct UnderstoodEntry: Sendable {
    let source: SourceName
    let found: FoundRecord
    let facts: [Fact]
    let authenticity: IssuanceRules.Authenticity
    /// Index into ``DecideRead/events``; ``noEvent`` for what no record brought, which is always taken.
    let event: Int
    /// The trace that its record came with.
    var trace: TraceContext?
    /// When its record was put on its topic, at most the time at which it was read.
    var recordedAt: Timestamp?
    /// Its record's value, should the entry be refused after all; `nil` for what no record brought.
    var value: [UInt8]?

    /// The index of a vendor's answer: reading it twice says nothing new, and the ledger knows no event of it.
    static let noEvent = -1
}

/// Where a record was found, and what it was.
struct FoundRecord: Sendable, Hashable {
    let origin: ReceiptLog.RecordOrigin
    /// SHA-256 of the record's value as it came.
    let digest: Digest
}

/// A record that could not be taken, or not in all its entries.
struct RefusedEntry: Sendable {
    let source: SourceName
    let found: FoundRecord
    let reason: String
    private let first: String
    /// Why other entries of the record were refused, how often each.
    private var others: [String: Int] = [:]
    let valueBytes: Int
    let excerpt: Redaction.Excerpt

    init(source: SourceName, found: FoundRecord, reason: String, detail: String, value: [UInt8]?) {
        self.source = source
        self.found = found
        self.reason = reason
        first = detail
        valueBytes = value?.count ?? 0
        excerpt = Redaction.excerpt(value ?? [])
    }

    /// What was wrong with the first entry at fault, and how many others there are.
    var detail: String {
        guard !others.isEmpty else { return first }
        let reasons = others.sorted { $0.key < $1.key }.prefix(8).map { "\($0.value) \($0.key)" }
        return "\(first); \(others.values.reduce(0, +)) more entries were refused: \(reasons.joined(separator: ", "))"
    }

    /// Adds that another entry of the record was refused.
    mutating func add(_ reason: String) { others[reason, default: 0] += 1 }
}

/// A stop or a lift among the records of a source of approvals.
struct UnderstoodControl: Sendable {
    let event: ControlEvent
    /// Index of its record in the batch.
    let record: Int
    /// The dead letter, should the event not be obeyed.
    let source: SourceName
    let found: FoundRecord
    let value: [UInt8]?

    /// True when what stands before it must be decided before it is applied: a lift may rest on it. A stop waits for
    /// nothing.
    var isAfterItsPast: Bool { !event.operation.kind.isRestrictive }
}

/// A batch of records after the adapters, before the ledger: pure values.
struct UnderstoodBatch: Sendable {
    var entries: [UnderstoodEntry] = []
    /// Stops and lifts, to be applied before the batch is decided.
    var control: [UnderstoodControl] = []
    var refused: [RefusedEntry] = []
    /// Records that are not ours or change nothing, by reason.
    var ignored: [String: Int] = [:]
    var records = 0
    /// When its records were read, by the worker's clock; `nil` of a batch without records.
    var readAt: Timestamp?
    var read: DecideRead
    /// When the newest record of each source was put on its topic.
    var seen: [SourceName: Timestamp] = [:]
    /// How far the event that is furthest behind is behind, by source, in seconds.
    var lag: [SourceName: Int64] = [:]
    /// True for a look at silent sources, without a record.
    var isHealthCheck = false
    /// True for the record of a dead letter, read again: what is refused of it has its dead letter already.
    var isRedrive: Bool { read.redrive != nil }
    /// How confirmations are left, with the batch.
    var confirmations: [SettledConfirmation] = []
    /// Hashes of WPCs that requests of the batch name.
    var policyHashes: Set<Digest> = []
}

/// Limits on the age of events, by the source's own clock.
struct EventAgeLimits: Sendable, Hashable {
    /// Seconds before now that an event may lie; also how far back uniqueness is kept.
    var maximumAge: Int64 = 7 * 86_400
    /// Seconds after now that an event may lie.
    var maximumAhead: Int64 = 300
}

/// Reads records with the adapters of their sources and says what a decision needs from the ledger.
struct BatchReader {
    let sources: [String: SourceConfiguration]
    let limits: EventAgeLimits
    let worker: WorkerID
    /// Sources whose vendor this worker can ask.
    var confirmable: Set<SourceName> = []

    /// True for a topic that a source of the rules reads.
    func reads(_ topic: String) -> Bool { sources[topic] != nil }

    /// Reads a batch.
    ///
    /// - Parameter now: the worker's clock; used for age limits only, decisions use the ledger's.
    func read(
        _ records: [SourceRecord], fence: DecideFence, at now: Timestamp, signatures: inout BatchSignatureCache
    ) -> UnderstoodBatch {
        var batch = UnderstoodBatch(read: DecideRead(worker: worker, fence: fence))
        batch.readAt = now
        for (index, record) in records.enumerated() {
            batch.records = index + 1
            guard let source = sources[record.topic] else {
                // A topic is only consumed for a source, so this cannot be reached; a dead letter loses nothing.
                refuse(record, SourceName(""), "unknown_topic", "no source is configured for this topic", &batch)
                continue
            }
            // A sender's clock that is ahead does not keep a source alive.
            let heard = min(record.timestamp ?? now, now)
            batch.seen[source.name] = max(batch.seen[source.name] ?? heard, heard)
            switch AnySource.facts(from: record, configuration: source, at: now, signatures: &signatures) {
            case .deadLetter where ReturnedDeadLetter.isOne(record):
                batch.ignored[ReturnedDeadLetter.why, default: 0] += 1
            case .deadLetter(let fault):
                refuse(record, source.name, fault.reason.rawValue, fault.description, &batch)
            case .facts(let facts, let evidence):
                take(facts, evidence, of: record, source.name, at: now, &batch)
            }
        }
        return batch
    }

    private func found(_ record: SourceRecord) -> FoundRecord {
        FoundRecord(
            origin: ReceiptLog.RecordOrigin(topic: record.topic, partition: record.partition, offset: record.offset),
            digest: Digest(hashing: record.value ?? []))
    }

    private func refuse(
        _ record: SourceRecord, _ source: SourceName, _ reason: String, _ detail: String,
        _ batch: inout UnderstoodBatch
    ) {
        let found = found(record)
        // A record has one dead letter: the first of its faulty entries names the reason.
        guard batch.refused.last?.found.origin != found.origin else {
            batch.refused[batch.refused.count - 1].add(reason)
            return
        }
        batch.refused.append(
            RefusedEntry(source: source, found: found, reason: reason, detail: detail, value: record.value ?? []))
    }

    private func take(
        _ facts: [Fact], _ evidence: AuthenticityEvidence, of record: SourceRecord, _ source: SourceName,
        at now: Timestamp, _ batch: inout UnderstoodBatch
    ) {
        let authenticity: IssuanceRules.Authenticity
        switch evidence {
        case .topic: authenticity = .topic
        case .signed(let key, _): authenticity = .signed(by: [key.kid])
        case .vendorSigned(let key), .headerSigned(let key): authenticity = .signed(by: [key])
        case .confirmationNeeded:
            guard confirmable.contains(source) else {
                refuse(
                    record, source, "confirmation_unavailable",
                    "the source demands confirmation by the vendor's API, which this worker cannot ask", &batch)
                return
            }
            authenticity = .unconfirmed
        }
        var start = 0
        while start < facts.count {
            var end = start
            while end < facts.count, facts[end].recordIndex == facts[start].recordIndex { end += 1 }
            let entry = start == 0 && end == facts.count ? facts : Array(facts[start..<end])
            takeEntry(entry, authenticity, of: record, source, at: now, &batch)
            start = end
        }
    }

    private func takeEntry(
        _ facts: [Fact], _ authenticity: IssuanceRules.Authenticity, of record: SourceRecord, _ source: SourceName,
        at now: Timestamp, _ batch: inout UnderstoodBatch
    ) {
        // By index, and the list itself where all of it is kept: facts are large to copy.
        var kept = facts
        var others = false
        for index in facts.indices {
            switch facts[index].content {
            case .ignored where facts[index].changesSettings: continue
            case .ignored(let why): batch.ignored[why, default: 0] += 1
            case .rejected(let why):
                refuse(record, source, why, "entry \(facts[index].recordIndex) was rejected: \(why)", &batch)
            case .stopDeclared, .stopLifted:
                takeControl(facts[index], authenticity, of: record, source, at: now, &batch)
            case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut,
                .decisionCanceled, .grantStarted, .grantChanged, .grantEnded, .grantDirect, .subjectInvalidated,
                .capabilityRequested:
                continue
            }
            others = true
        }
        if others { kept = facts.filter(\.isTaken) }
        guard let first = kept.first else { return }
        guard let eventID = first.sourceEventID, var occurredAt = first.occurredAt else {
            refuse(record, source, "event_without_identity", "the event has no id or no time", &batch)
            return
        }
        if let (reason, detail) = untimely(occurredAt, on: record.topic, at: now) {
            let ends = kept.filter(\.onlyTakesAway)
            if ends.count < kept.count { refuse(record, source, reason, detail, &batch) }
            guard !ends.isEmpty else { return }
            (kept, occurredAt) = timely(ends, occurredAt, at: now)
        }
        let age = now.seconds(since: first.occurredAt ?? occurredAt)
        if age <= limits.maximumAge { batch.lag[source] = max(batch.lag[source] ?? 0, age) }
        let found = found(record)
        batch.read.events.append(
            EventKey(
                source: source, eventID: eventID, occurredAt: occurredAt,
                recordDigest: first.recordDigest ?? found.digest))
        batch.entries.append(
            UnderstoodEntry(
                source: source, found: found, facts: kept, authenticity: authenticity,
                event: batch.read.events.count - 1, trace: RecordTrace.context(of: record),
                recordedAt: record.timestamp.map { min($0, now) }, value: record.value))
        let isContained = kept.indices.contains { index in
            if case .capabilityRequested = kept[index].content { kept[index].approvalID != nil } else { false }
        }
        for index in kept.indices { need(kept[index], isContained: isContained, &batch) }
    }

    /// Why an event that gives something is not taken for its time; `nil` when it is.
    private func untimely(_ occurredAt: Timestamp, on topic: String, at now: Timestamp) -> (String, String)? {
        guard occurredAt.seconds(since: now) <= limits.maximumAhead else {
            return (
                "event_in_the_future",
                "the event is dated \(occurredAt), more than \(limits.maximumAhead) s ahead of \(now)"
            )
        }
        let maximumAge = min(limits.maximumAge, sources[topic]?.maximumEventAge ?? .max)
        guard now.seconds(since: occurredAt) <= maximumAge else {
            return (
                "event_too_old", "the event is dated \(occurredAt), more than \(maximumAge) s before \(now)"
            )
        }
        return nil
    }

    /// Ends of whatever date, and the time under which their repeats are known.
    ///
    /// A clock that is ahead or a late delivery must not keep a token alive. An end from the future counts from the latest
    /// time that an approval may have. An old one keeps its time, so that it ends nothing that began later; the days on
    /// which repeats are kept reach back as far as the worker's limit.
    private func timely(
        _ ends: [Fact], _ occurredAt: Timestamp, at now: Timestamp
    ) -> (facts: [Fact], keptAt: Timestamp) {
        let latest = now.adding(seconds: limits.maximumAhead)
        let facts = ends.map { end in
            var end = end
            end.occurredAt = end.occurredAt.map { min($0, latest) }
            return end
        }
        return (facts, max(min(occurredAt, latest), now.adding(seconds: -limits.maximumAge)))
    }

    /// A stop or a lift: that source and key may declare it has been checked. Its age is not: a stop is never too old, and
    /// a lift that is too old lifts nothing.
    ///
    /// A vendor's incident is a stop by the configuration of its source, proven as that source proves its records; nothing
    /// but a signed event lifts one.
    private func takeControl(
        _ fact: Fact, _ authenticity: IssuanceRules.Authenticity, of record: SourceRecord, _ source: SourceName,
        at now: Timestamp, _ batch: inout UnderstoodBatch
    ) {
        var signer: KeyID?
        if case .signed(let keys) = authenticity { signer = keys.first }
        guard signer != nil || isStop(fact, ofIncidentsOn: record.topic),
            let event = ControlEvent(fact, from: source, signer: signer, at: now)
        else {
            refuse(
                record, source, "control_unauthenticated", "stops and lifts are taken from signed sources only", &batch)
            return
        }
        batch.control.append(
            UnderstoodControl(
                event: event, record: batch.records - 1, source: source, found: found(record), value: record.value))
    }

    private func isStop(_ fact: Fact, ofIncidentsOn topic: String) -> Bool {
        guard case .stopDeclared = fact.content, let source = sources[topic] else { return false }
        switch source.kind {
        case .pagerDuty, .opsgenie: return true
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .capabilityRequest, .serviceNow,
            .jsm,
            .gitHub, .slack, .sharedSignals:
            return false
        }
    }

    /// A ticket's number as it is kept, and as it was given: earlier versions kept that.
    static func numbers(_ given: String?, _ compared: String?) -> [String] {
        guard let given, let compared else { return [] }
        return given == compared ? [compared] : [compared, given]
    }

    /// Adds by what an earlier end may name a person.
    private static func insert(_ person: Actor, into holders: inout Set<PersonID>) {
        holders.insert(person.id)
        if let name = person.principalName { holders.insert(name) }
    }

    /// Adds to the read what a fact may meet in the ledger.
    func need(_ fact: Fact, isContained: Bool, _ batch: inout UnderstoodBatch) {
        if case .capabilityRequested(let request) = fact.content {
            batch.read.requestIDs.insert(request.requestID)
            batch.read.jobIDs.insert(request.jobID)
            if let earlier = request.upgradesRequest { batch.read.requestIDs.insert(earlier) }
            if let hash = request.policyHash { batch.policyHashes.insert(hash) }
            if !isContained {
                if let approval = request.approvalID {
                    batch.read.approvalIDs.insert(approval)
                    batch.read.meetingApprovalIDs.insert(approval)
                }
                if request.ticketNumber != nil {
                    batch.read.tickets.formUnion(Self.numbers(request.ticketNumber, request.comparedTicketNumber))
                }
                if let subject = request.subject { batch.read.subjects.insert(subject) }
            }
        }
        if let approval = fact.approvalID {
            batch.read.approvalIDs.insert(approval)
            if let assignment = fact.assignment { batch.read.holders.insert(assignment.holder) }
            if let subject = fact.subject { Self.insert(subject, into: &batch.read.holders) }
            if let requester = fact.requester, requester.id != fact.subject?.id || requester.upn != fact.subject?.upn {
                Self.insert(requester, into: &batch.read.holders)
            }
            if case .decisionApproved(let approver) = fact.content {
                if let approver { Self.insert(approver, into: &batch.read.holders) }
                for other in fact.approvers { Self.insert(other, into: &batch.read.holders) }
            }
            if !isContained {
                batch.read.meetingApprovalIDs.insert(approval)
                if let subject = fact.subject?.id { batch.read.subjects.insert(subject) }
                if let ticket = fact.ticket {
                    batch.read.tickets.formUnion(Self.numbers(ticket.number, ticket.comparedNumber))
                }
            }
        }
        switch fact.content {
        case .grantEnded, .decisionDenied, .decisionCanceled, .decisionTimedOut, .subjectInvalidated:
            if let approval = fact.approvalID { batch.read.endingApprovalIDs.insert(approval) }
            if let end = fact.byHolder { batch.read.endingSubjects.formUnion(end.endedHolders) }
        case .requestOpened, .requestRouted, .decisionApproved, .grantStarted, .grantChanged, .grantDirect,
            .capabilityRequested, .stopDeclared, .stopLifted, .ignored, .rejected:
            break
        }
    }
}

extension Fact {
    /// True for what ends, denies or voids and gives nothing.
    fileprivate var onlyTakesAway: Bool {
        switch content {
        case .decisionDenied, .decisionTimedOut, .decisionCanceled, .grantEnded, .subjectInvalidated: true
        case .requestOpened, .requestRouted, .decisionApproved, .grantStarted, .grantChanged, .grantDirect,
            .capabilityRequested, .stopDeclared, .stopLifted, .ignored, .rejected:
            false
        }
    }

    /// True for what is folded into approvals, decided or told.
    fileprivate var isTaken: Bool {
        switch content {
        case .ignored: changesSettings
        case .rejected, .stopDeclared, .stopLifted: false
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .grantEnded, .grantDirect, .subjectInvalidated, .capabilityRequested:
            true
        }
    }
}
