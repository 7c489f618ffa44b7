public import ClawWire
public import GrantLedger
public import IssuanceRules
import Keys
public import Primitives
public import ReceiptLog

/// What became of a control event: the answer to "is it stopped?".
public struct ControlAcknowledgement: Sendable, Hashable {
    /// What applying it came to.
    public let result: ControlOutcome.Result
    /// Position of the event; of the one it repeats, when it is a repeat; `nil` when it took none.
    public let position: Int64?
    /// Grants committed before it.
    public let grantsBefore: Int64
    /// Live tokens that are void from now on; `nil` where they are counted while they are revoked one by one: for scopes
    /// that no index of the ledger finds, and where there are very many.
    public let voidedTokens: Int64?
    /// Milliseconds from when it was read or typed until it was ready to commit.
    public let milliseconds: Double
    /// Milliseconds of it that decide transactions in flight were waited for.
    public let waitedMilliseconds: Double
    /// Cut-offs that follow from it.
    public let cutoffs: [ControlCutoff]
    /// Runs of single revocations that follow from it.
    public let revocationRuns: Int
    /// The receipt, when there is one.
    public let receiptID: String?
    /// The ledger's clock.
    public let at: Timestamp
}

/// Applies control events to the ledger, whoever brings them: the control topic, an approval topic, the command line.
public struct ControlApplier: Sendable {
    let ledger: any Ledger
    let rules: RuleSet
    let worker: WorkerID
    /// Keys that sign no tokens, so that nothing is to be cut off of them.
    let otherKeys: Set<KeyID>
    /// WPCs that lifts name; `nil` lifts nothing on a WPC.
    let policy: @Sendable (Digest) async -> Bool
    /// The control orders as of the last transaction: those that are taken away cannot matter, so under the stop lock only
    /// those are read that changed since, however many stops there have been.
    private let view = ControlView()

    /// Makes an applier.
    ///
    /// - Parameters:
    ///   - ledger: where it becomes true.
    ///   - rules: who may lift, and how many it takes.
    ///   - worker: who applies.
    ///   - otherKeys: keys that sign no tokens: to suspect one is refused.
    ///   - isVerified: says whether a WPC was loaded and stands.
    public init(
        ledger: any Ledger, rules: RuleSet, worker: WorkerID, otherKeys: Set<KeyID> = [],
        isVerified: @escaping @Sendable (Digest) async -> Bool
    ) {
        self.ledger = ledger
        self.rules = rules
        self.worker = worker
        self.otherKeys = otherKeys
        policy = isVerified
    }

    /// Applies an event in a transaction of its own.
    ///
    /// - Parameters:
    ///   - event: the event.
    ///   - fence: of an event from the control topic.
    ///   - since: when the event was read or typed.
    ///   - refused: what a refusal leaves in the ledger.
    /// - Throws: ``LedgerError``; after ``LedgerError/Code/outcomeUnknown`` the event may be applied again.
    public func apply(
        _ event: ControlEvent, fence: ControlFence? = nil, since start: ContinuousClock.Instant = SteadyTime.now,
        refused: @Sendable (ControlSnapshot, ControlRefusal) throws -> [Effect] = { _, _ in [] }
    ) async throws -> ControlAcknowledgement {
        try await apply(event, ControlRead(worker: worker, fence: fence, eventID: event.id.rawValue), since: start) {
            write, answer, snapshot in
            if case .refused(let why) = answer.result { write.effects += try refused(snapshot, why) }
        }
    }

    /// Applies an event in a transaction of its own.
    ///
    /// - Parameters:
    ///   - read: what the transaction needs besides.
    ///   - complete: adds to what is written, given the answer.
    func apply(
        _ event: ControlEvent, _ read: ControlRead, since start: ContinuousClock.Instant,
        complete: @Sendable (inout ControlWrite, ControlAcknowledgement, ControlSnapshot) throws -> Void
    ) async throws -> ControlAcknowledgement {
        var verified: Set<Digest> = []
        if case .lift(let lift) = event.operation, let hash = lift.policyHash, await policy(hash) {
            verified.insert(hash)
        }
        let known = view.current
        do {
            return try await attempt(event, read, verified: verified, since: start, complete: complete)
        } catch let error as LedgerError {
            // Nothing is committed, and what was known of another database is forgotten: whoever declares a stop right
            // behind a failover need not do it twice.
            guard error.code == .conflict, view.current.incarnation != known.incarnation else { throw error }
            return try await attempt(event, read, verified: verified, since: start, complete: complete)
        }
    }

    private func attempt(
        _ event: ControlEvent, _ read: ControlRead, verified policies: Set<Digest>,
        since start: ContinuousClock.Instant,
        complete: @Sendable (inout ControlWrite, ControlAcknowledgement, ControlSnapshot) throws -> Void
    ) async throws -> ControlAcknowledgement {
        let before = try await knownState()
        var read = read
        read.knownPosition = before.state.position
        read.counted = event.operation.scope.map(\.normalized).flatMap {
            ControlRead.CountedScope(kind: $0.kind.rawValue, value: $0.value)
        }
        let fence = read.fence
        return try await ledger.control(read) { snapshot in
            try state(before, snapshot).evidenceNeeded(by: event).approvals
        } plan: { snapshot in
            var (write, answer) = try plan(
                event, try state(before, snapshot), snapshot, verified: policies, fence, since: start)
            try complete(&write, answer, snapshot)
            return (write, answer)
        }
    }

    /// Moves the position of the control topic past records that hold no event to apply, leaving these effects.
    func pass(_ effects: @Sendable (ControlSnapshot) throws -> [Effect], fence: ControlFence) async throws {
        try await ledger.control(ControlRead(worker: worker, fence: fence, eventID: nil)) { _ in
            []
        } plan: { snapshot in
            var write = ControlWrite()
            write.effects = try effects(snapshot)
            return (write, ())
        }
    }

    /// Writes what became of a dead letter's record of which nothing is applied.
    func settle(
        _ redrive: RedriveFence, _ complete: @Sendable (inout ControlWrite, ControlSnapshot) throws -> Void
    ) async throws {
        var read = ControlRead(worker: worker, eventID: nil)
        read.redrive = redrive
        try await ledger.control(read) { _ in
            []
        } plan: { snapshot in
            var write = ControlWrite()
            try complete(&write, snapshot)
            return (write, ())
        }
    }

    /// What is known before a transaction; a first one does not read everything while it keeps the lock.
    private func knownState() async throws -> ControlView.Known {
        let known = view.current
        guard known.state.position == 0 else { return known }
        let rows = try await ledger.controlState(after: 0)
        let state = try view.state(
            ControlView.Known(), advancedTo: rows.position, with: rows.orders, of: rows.incarnation)
        return ControlView.Known(state: state, incarnation: rows.incarnation)
    }

    private func state(_ before: ControlView.Known, _ snapshot: ControlSnapshot) throws -> ControlState {
        try view.state(
            before, advancedTo: snapshot.position, with: snapshot.orders, of: snapshot.incarnation)
    }

    private func plan(
        _ event: ControlEvent, _ state: ControlState, _ snapshot: ControlSnapshot, verified: Set<Digest>,
        _ fence: ControlFence?, since start: ContinuousClock.Instant
    ) throws -> (ControlWrite, ControlAcknowledgement) {
        let digest = Digest(hashing: event.encoded)
        let grants = snapshot.counts.reduce(0) { $0 + $1.grants }
        func acknowledgement(
            _ result: ControlOutcome.Result, _ position: Int64?, _ effects: ControlEffects = ControlEffects(),
            receiptID: String? = nil
        ) -> ControlAcknowledgement {
            ControlAcknowledgement(
                result: result, position: position, grantsBefore: grants,
                voidedTokens: effects.revocations.isEmpty ? 0 : voided(effects, snapshot),
                milliseconds: (SteadyTime.now - start) / .milliseconds(1),
                waitedMilliseconds: snapshot.waited / .milliseconds(1), cutoffs: effects.cutoffs,
                revocationRuns: effects.revocations.count, receiptID: receiptID, at: snapshot.now)
        }
        if let known = snapshot.known, known.digest == digest {
            let answer = acknowledgement(.repeated(of: known.position ?? snapshot.position), known.position)
            return (try unchanged(by: event, answer, snapshot, fence), answer)
        }
        let outcome = state.applying(
            event,
            in: ControlContext(
                at: snapshot.now, newestIssuedAt: snapshot.newestIssuedAt, grantsBefore: grants, rules: rules.control,
                evidence: try evidence(snapshot, verified), otherKeys: otherKeys))
        guard outcome.isRecorded else {
            var position: Int64?
            if case .repeated(let earlier) = outcome.result { position = earlier }
            let answer = acknowledgement(outcome.result, position)
            return (try unchanged(by: event, answer, snapshot, fence), answer)
        }
        let position = outcome.state.position
        let before = acknowledgement(outcome.result, position, outcome.effects)
        let (effect, receiptID, cutoffs) = try ControlEffectWriter(
            worker: worker, rulesHash: rules.hash, at: snapshot.now
        )
        .effect(of: event, outcome, before)
        var write = ControlWrite()
        write.event = StoredControlEvent(
            eventID: snapshot.known == nil ? event.id.rawValue : "\(event.id.rawValue)#\(digest.b64u.prefix(12))",
            position: position, operation: event.operation.kind.rawValue, handle: event.handle,
            result: Self.name(outcome.result), digest: digest, body: event.encoded)
        write.orders = outcome.changes.map { StoredControlOrder(key: $0.key, position: $0.position, body: $0.body) }
        write.effects = [effect]
        write.cutoffs = cutoffs.map { cutoff in
            StoredCutoff(
                key: RevocationKey.cutoff(cutoff.scope).description, position: position,
                endsAt: Self.end(of: cutoff, snapshot))
        }
        write.runs = outcome.effects.revocations.enumerated().map { index, revocation in
            run(revocation, Int32(index), event, position, outcome.effects, snapshot)
        }
        return (write, acknowledgement(outcome.result, position, outcome.effects, receiptID: receiptID))
    }

    /// When the last token that a cut-off voids has expired. Under the stop lock no token is unknown; what is issued later
    /// is not void. A key's cut-offs stay: there are few of them, and one without end may follow.
    private static func end(of cutoff: CutoffRecord, _ snapshot: ControlSnapshot) -> Timestamp? {
        guard cutoff.scope.kind != .issuerKey else { return nil }
        return max(snapshot.latestExpiry ?? cutoff.notIssuedBefore, cutoff.notIssuedBefore)
    }

    /// What an event leaves that changes nothing. Whoever sent it over the control topic waits for an answer there; the
    /// offset that moves in the same transaction makes it one answer for each record.
    private func unchanged(
        by event: ControlEvent, _ answer: ControlAcknowledgement, _ snapshot: ControlSnapshot, _ fence: ControlFence?
    ) throws -> ControlWrite {
        var write = ControlWrite()
        switch answer.result {
        case .repeated, .withoutEffect: break
        // A refusal is told by the dead letter that it leaves.
        case .refused, .applied, .appliedAndLifted, .pendingLift: return write
        }
        guard let fence else { return write }
        write.effects = [
            try ControlEffectWriter(worker: worker, rulesHash: rules.hash, at: snapshot.now).effect(
                unchangedBy: event, answer,
                record: ReceiptLog.RecordOrigin(topic: fence.topic, partition: 0, offset: fence.to - 1))
        ]
        return write
    }

    private func evidence(_ snapshot: ControlSnapshot, _ verified: Set<Digest>) throws -> LiftEvidence {
        var approvals: [ApprovalID: LiftEvidence.Approval] = [:]
        for (id, stored) in snapshot.approvals {
            let state: ApprovalState
            do {
                state = try ApprovalState(decoding: stored.state)
            } catch {
                throw LedgerError(.corrupted, "the state of approval \(id) does not read: \(error)")
            }
            approvals[id] = LiftEvidence.Approval(state, at: snapshot.now, rules: rules)
        }
        let used = Set(snapshot.counts.compactMap(\.policyHash))
        var policies: [Digest: LiftEvidence.Policy] = [:]
        for hash in verified { policies[hash] = LiftEvidence.Policy(isVerified: true, wasUsed: used.contains(hash)) }
        return LiftEvidence(approvals: approvals, policies: policies)
    }

    /// Live tokens that the event voids, where the ledger's counts or one of its indexes tell.
    private func voided(_ effects: ControlEffects, _ snapshot: ControlSnapshot) -> Int64? {
        var sum: Int64 = 0
        for revocation in effects.revocations {
            guard revocation.part == .all else { return nil }
            let scope = revocation.scope.normalized
            switch scope.kind {
            case .all: sum += snapshot.counts.reduce(0) { $0 + $1.live }
            case .jobClass:
                sum += snapshot.counts.filter { $0.jobClass.rawValue == scope.value }.reduce(0) { $0 + $1.live }
            case .issuerKey:
                sum += snapshot.counts.filter { $0.kid.rawValue == scope.value }.reduce(0) { $0 + $1.live }
            case .policyHash:
                sum += snapshot.counts.filter { $0.policyHash?.b64u == scope.value }.reduce(0) { $0 + $1.live }
            case .agent, .request, .token, .job:
                guard let live = snapshot.live else { return nil }
                sum += live
            case .subject, .approval, .entitlement, .policyID, .source, .jti: return nil
            }
        }
        return sum
    }

    private func run(
        _ revocation: ControlRevocation, _ ordinal: Int32, _ event: ControlEvent, _ position: Int64,
        _ effects: ControlEffects, _ snapshot: ControlSnapshot
    ) -> RevocationRun {
        let scope = revocation.scope.normalized
        let cutoff = effects.cutoffs.first { $0.scope.normalized == scope && !$0.isForever }
        let reason = event.reason.map { ": \($0)" } ?? ""
        return RevocationRun(
            position: position, ordinal: ordinal, handle: event.handle, scopeKind: scope.kind.rawValue,
            scopeValue: scope.value, part: RevocationRun.Part(revocation.part), cause: revocation.cause.rawValue,
            detail: "\(event.operation.kind.rawValue) \(event.handle)\(reason)",
            issuedBefore: cutoff?.notIssuedBefore
                ?? Timestamp(seconds: max(snapshot.now, snapshot.newestIssuedAt ?? snapshot.now).seconds + 1),
            startedAt: snapshot.now)
    }

    static func name(_ result: ControlOutcome.Result) -> String {
        switch result {
        case .applied: "applied"
        case .appliedAndLifted: "applied_and_lifted"
        case .pendingLift: "pending"
        case .repeated: "repeated"
        case .withoutEffect: "without_effect"
        case .refused(let why): why.rawValue
        }
    }
}

extension RevocationRun.Part {
    init(_ part: ControlRevocation.Part) {
        switch part {
        case .all: self = .all
        case .elevated: self = .elevated
        case .unproxied: self = .unproxied
        case .pinned(let hash): self = .pinned(hash)
        case .notPinned(let hash): self = .notPinned(hash)
        case .issuedSince(let time): self = .issuedSince(time)
        }
    }
}

extension KeyRing {
    /// The keys that sign receipts and envelopes, old ones too.
    package var withoutTokens: Set<KeyID> {
        Set(inventory().filter { $0.configuration.purpose != .token }.map(\.kid))
    }
}
