import ClawWire
import CrashPoints
import GrantLedger
import ReceiptLog

extension SimulatedLedger {
    private struct SealLoaded: Sendable {
        let holds: Bool
        let tail: SealedBatch?
        let groups: [EffectGroup]
        let now: Timestamp
        let incarnation: LedgerIncarnation
    }

    func seal(
        under lease: RoleLease, maximumGroups: Int, maximumBytes: Int,
        whenIdle: (@Sendable (Timestamp) throws -> Effect)?, ending: RevocationEnding?,
        seal: @Sendable (SealInput) throws -> [SealedBatch]
    ) async throws -> [SealedBatch] {
        try await transaction("sealing receipts") { session in
            let loaded = try await session.exchange("seal.read") { session in
                try await Self.load(lease, maximumGroups, maximumBytes, session)
            }
            guard loaded.holds || database.bugs.contains(.skipSealFence) else { throw Self.fenced(lease) }
            CrashPoint.pass(.sealRead)
            var groups = loaded.groups
            var own: Effect?
            var ended: EndedRevocations?
            if let ending, let end = try await end(ending, behind: groups, at: loaded.now, session) {
                own = try ending.effect(end)
                ended = end
            } else if groups.isEmpty, let whenIdle {
                own = try whenIdle(loaded.now)
            }
            var added: Tables.GroupRow?
            if let own {
                let ids = try await takeGroupIDs(1, session)
                added = Self.groups([own], ids, at: loaded.now).first
            }
            if let added { groups.append(added.group) }
            guard !groups.isEmpty else { return [] }
            let batches = try seal(
                SealInput(
                    tail: loaded.tail?.tail,
                    nextSequence: loaded.tail?.nextSequence ?? OutputStream.allCases.map { _ in 0 }, groups: groups,
                    now: loaded.now, incarnation: loaded.incarnation))
            CrashPoint.pass(.sealSigned)
            let (row, over, now) = (added, ended, loaded.now)
            CrashPoint.pass(.sealCommitting)
            if database.bugs.contains(.publishBeforeSeal), database.scheduler.dice.once(in: 3) { return batches }
            try await session.exchange("seal.write", commits: true) { session in
                try await Self.store(batches, row, over, lease, at: now, session)
            }
            CrashPoint.pass(.sealCommitted)
            return batches
        }
    }

    private static func load(
        _ lease: RoleLease, _ maximumGroups: Int, _ maximumBytes: Int, _ session: Session
    ) async throws -> SealLoaded {
        let database = session.database
        let holds = try await fence(lease, "seal", session)
        try await session.statement("seal.log_tail")
        let tail = database.tables.batches.last
        try await session.statement("seal.unsealed_groups")
        var waiting = database.tables.unsealed.values.sorted {
            ($0.priority.rawValue, $0.groupID) < ($1.priority.rawValue, $1.groupID)
        }
        if database.bugs.contains(.sealByNumber) {
            let last = tail?.groups.map(\.groupID).max() ?? 0
            waiting.removeAll { $0.groupID <= last }
        }
        var before = 0
        var groups: [EffectGroup] = []
        for row in waiting.prefix(maximumGroups) {
            if before < maximumBytes || row.priority == .control, let group = database.tables.groups[row.groupID] {
                groups.append(group.group)
            }
            before += row.bytes
        }
        try await session.statement("seal.clock")
        return SealLoaded(
            holds: holds, tail: tail, groups: groups, now: database.clock, incarnation: database.incarnation)
    }

    /// What ends now; `nil` when nothing does, or when it would be sealed before what it ends.
    private func end(
        _ ending: RevocationEnding, behind groups: [EffectGroup], at now: Timestamp, _ session: Session
    ) async throws -> EndedRevocations? {
        let taken = Set(groups.map(\.groupID))
        let seconds = ending.grace.components.seconds
        let before = Timestamp(seconds: Timestamp(microseconds: now.microseconds - seconds * 1_000_000).seconds)
        return try await session.exchange("seal.ends") { session in
            let database = session.database
            try await session.statement("seal.ended_cutoffs")
            let over = database.tables.cutoffs.filter { cutoff in
                cutoff.value.endedAt == nil && cutoff.value.endsAt.map { $0 < before } ?? false
            }.sorted { ($0.value.endsAt ?? before, $0.key) < ($1.value.endsAt ?? before, $1.key) }
            let cutoffs = over.prefix(ending.maximumCutoffs).map(\.key).filter { session.lockIfFree(.cutoff($0)) }
            try await session.statement("seal.ended_tokens")
            let tokens = database.tables.revoked(after: database.tables.revocationEnd, before: before)
                .prefix(ending.maximumTokens)
            try await session.statement("seal.ends_are_last")
            let isLast = !database.tables.unsealed.values.contains {
                $0.priority < .ordinary && !taken.contains($0.groupID)
            }
            guard isLast, !cutoffs.isEmpty || !tokens.isEmpty else { return nil }
            if let last = tokens.last {
                session.write { $0.revocationEnd = (last.expiresAt, last.requestID) }
            }
            return EndedRevocations(tokens: tokens.map(\.hash), cutoffs: cutoffs, expiredBefore: before, now: now)
        }
    }

    private static func store(
        _ batches: [SealedBatch], _ own: Tables.GroupRow?, _ ended: EndedRevocations?, _ lease: RoleLease,
        at now: Timestamp, _ session: Session
    ) async throws {
        let database = session.database
        if let ended {
            try await session.statement("seal.end_cutoffs")
            session.write { tables in for key in ended.cutoffs { tables.cutoffs[key]?.endedAt = now } }
        }
        if let own {
            try await session.statement("seal.insert_effect_groups")
            session.write { $0.groups[own.group.groupID] = own }
        }
        session.write { database.watch.sealed(batches, under: lease, $0) }
        for batch in batches {
            try await session.statement("seal.insert_receipt_batch")
            try await session.lock(.batch(batch.number))
            guard batch.number >= Int64(database.tables.batches.count) else { throw ServerFault.conflict }
            session.write { $0.batches.append(batch) }
        }
        try await session.statement("seal.delete_unsealed")
        var sealed = batches.flatMap { $0.groups.map(\.groupID) }
        if database.bugs.contains(.keepUnsealed) {
            let before = Set(database.tables.batches.flatMap { $0.groups.map(\.groupID) })
            sealed.removeAll { !before.contains($0) }
        }
        let gone = sealed
        session.write { tables in for id in gone { tables.unsealed[id] = nil } }
        try await session.commit("seal")
    }

    func batches(from number: Int64, limit: Int) async throws(LedgerError) -> [SealedBatch] {
        try await read("receipt_batches") { database in
            Array(database.tables.batches.dropFirst(Int(max(0, number))).prefix(limit))
        }
    }

    func publishPosition(of lane: PublishLane) async throws(LedgerError) -> PublishPosition {
        try await read("publish_position") { database in
            var position = database.tables.publishPositions[lane] ?? PublishPosition(nextBatch: 0, readFrom: [:])
            if database.bugs.contains(.assumePublished) { position.nextBatch = Int64(database.tables.batches.count) }
            return position
        }
    }

    func setPublishPosition(
        _ position: PublishPosition, of lane: PublishLane, under lease: RoleLease
    ) async throws(LedgerError) {
        let isSet = try await run("set_publish_position") { session in
            try await session.statement("set_publish_position.update")
            let database = session.database
            guard database.tables.holds(lease) else { return false }
            try await session.lock(.publishPosition(lane))
            guard database.tables.publishPositions[lane]?.nextBatch ?? 0 <= position.nextBatch else { return false }
            session.write { $0.publishPositions[lane] = position }
            return true
        }
        guard isSet else { throw Self.fenced(lease) }
    }

    func waitForWork(atMost timeout: Duration) async throws(LedgerError) -> SealPriority? {
        let found = Box<SealPriority?>(nil)
        let due = client.scheduler.now + Int64(timeout / .nanoseconds(1))
        let wake = await client.wait(orUntil: due) { bell in
            database.listen { priority in
                found.value = min(found.value ?? priority, priority)
                bell()
            }
        }
        guard wake != .cut else { throw LedgerError(.unavailable, "waiting for work: stopping") }
        return found.value
    }
}
