import ClawWire
import ReceiptLog

extension RevocationState {
    /// Applies the next record of the topic.
    ///
    /// Of each key the record with the greatest sequence counts, wherever its repeats stand: a publisher that was
    /// thought dead may write old records again, and compaction may then keep the later copy.
    @discardableResult
    public mutating func apply(_ record: RevocationTopicRecord) -> RevocationOutcome {
        guard let key = RevocationKey(record.key) else {
            if record.value == nil { return endFault(record) ? .applied : .repeated }
            return refuse(RevocationFault(.unknownKey, record, "neither a token hash, a cut-off nor the head"), record)
        }
        switch key {
        case .head: return applyHead(record)
        case .token, .cutoff: break
        }
        guard let sequence = record.sequence?.value else {
            return refuse(RevocationFault(.noSequence, record, "a revocation has a place in its stream"), record)
        }
        highestSequence = max(highestSequence ?? SequenceNumber(sequence), SequenceNumber(sequence))
        let known = max(heldSequence(key) ?? -1, tombstones.sequence(of: key.digest) ?? -1)
        guard sequence >= known else { return .repeated }
        guard let value = record.value else { return end(key, record, at: sequence) }
        switch key {
        case .token(let hash): return applyToken(hash, value, record, at: sequence)
        case .cutoff(let scope): return applyCutoff(scope, value, record, at: sequence)
        case .head: return .repeated
        }
    }

    private func heldSequence(_ key: RevocationKey) -> Int64? {
        switch key {
        case .token(let hash): tokens[hash]?.sequence
        case .cutoff(let scope): cutoffs[scope]?.sequence
        case .head: nil
        }
    }

    private mutating func applyToken(
        _ hash: Digest, _ value: [UInt8], _ record: RevocationTopicRecord, at sequence: Int64
    ) -> RevocationOutcome {
        let parsed: RevocationRecord
        do {
            parsed = try RevocationRecord(parsing: value)
        } catch {
            return refuse(RevocationFault(.unreadable, record, error.description), record)
        }
        guard parsed.tokenHash == hash else {
            return refuse(RevocationFault(.keyMismatch, record, "it revokes \(parsed.tokenHash.hex)"), record)
        }
        let entry = TokenEntry(
            sequence: sequence, revokedAt: parsed.revokedAt.seconds, receiptDigest: parsed.receiptDigest,
            cause: parsed.cause)
        if let held = tokens[hash], held.sequence == sequence {
            guard held == entry else { return refuse(contradiction(record), record) }
            return .repeated
        }
        guard tombstones.sequence(of: hash) != sequence else { return refuse(contradiction(record), record) }
        guard tokens[hash] != nil || tokens.count < limits.maximumTokens else { return overflow(record) }
        tokens[hash] = entry
        accept(.token(hash), record)
        return .applied
    }

    private mutating func applyCutoff(
        _ scope: CutoffScope, _ value: [UInt8], _ record: RevocationTopicRecord, at sequence: Int64
    ) -> RevocationOutcome {
        let parsed: CutoffRecord
        do {
            parsed = try CutoffRecord(parsing: value)
        } catch {
            return refuse(RevocationFault(.unreadable, record, error.description), record)
        }
        guard parsed.scope == scope else {
            return refuse(RevocationFault(.keyMismatch, record, "it is of the scope \(parsed.scope)"), record)
        }
        if let held = cutoffs[scope] {
            if held.sequence == sequence {
                guard held.record == parsed else { return refuse(contradiction(record), record) }
                return .repeated
            }
            guard parsed.covers(held.record) else {
                let detail =
                    "\(parsed.interval) is less than \(held.record.interval), which stays in force"
                return refuse(RevocationFault(.cutoffMovedBack, record, detail), record)
            }
        }
        let key = RevocationKey.cutoff(scope)
        guard tombstones.sequence(of: key.digest) != sequence else { return refuse(contradiction(record), record) }
        guard cutoffs[scope] != nil || cutoffs.count < limits.maximumCutoffs else { return overflow(record) }
        cutoffs[scope] = CutoffEntry(sequence: sequence, record: parsed)
        if isUnswept(parsed) { unswept.insert(scope) } else { unswept.remove(scope) }
        accept(key, record)
        return .applied
    }

    private func isUnswept(_ record: CutoffRecord) -> Bool {
        !record.scope.kind.isVisibleInToken && record.controlPosition >= head?.sweptPosition ?? 0
    }

    private mutating func end(
        _ key: RevocationKey, _ record: RevocationTopicRecord, at sequence: Int64
    ) -> RevocationOutcome {
        guard heldSequence(key) != sequence else { return refuse(contradiction(record), record) }
        guard tombstones.sequence(of: key.digest) != sequence else { return .repeated }
        switch key {
        case .token(let hash): tokens[hash] = nil
        case .cutoff(let scope):
            cutoffs[scope] = nil
            unswept.remove(scope)
        case .head: break
        }
        endFault(record)
        tombstones.remember(key.digest, sequence, limit: limits.rememberedTombstones)
        return .applied
    }

    private mutating func applyHead(_ record: RevocationTopicRecord) -> RevocationOutcome {
        let next: RevocationHead
        do throws(EvidenceError) {
            guard let value = record.value else {
                throw EvidenceError(.malformed, "head", "a head is replaced, never ended")
            }
            next = try SignedRevocationHead(verifying: value, logKeys: logKeys, logID: logID).head
        } catch {
            return .refused(RevocationFault(.headNotTrusted, record, error.description))
        }
        if let head {
            if next == head || next.asOf < head.asOf { return .repeated }
            guard next.asOf > head.asOf, next.nextSequence >= head.nextSequence,
                next.controlPosition >= head.controlPosition, next.sweptPosition >= head.sweptPosition
            else {
                let detail =
                    "sequence \(next.nextSequence), control position \(next.controlPosition) as of \(next.asOf), after "
                    + "\(head.nextSequence) and \(head.controlPosition) as of \(head.asOf)"
                return refuse(RevocationFault(.headMovedBack, record, detail), record)
            }
        }
        head = next
        faults[record.key] = nil
        unswept = unswept.filter { scope in cutoffs[scope].map { isUnswept($0.record) } ?? false }
        count(against: next)
        return .applied
    }

    /// Compares what is held with what the head counts. More than counted is harmless: a late repeat of a record whose
    /// tombstone is gone revokes a token that has expired.
    private mutating func count(against head: RevocationHead) {
        // A head that stands behind records it does not cover cannot be compared; the next one can.
        if let highestSequence, highestSequence >= head.nextSequence { return }
        let isShort = live.tokens < head.live.tokens || live.cutoffs < head.live.cutoffs
        shortage = isShort ? .missing(expected: head.live, found: live) : .none
    }

    // MARK: Faults

    private func contradiction(_ record: RevocationTopicRecord) -> RevocationFault {
        RevocationFault(.twoRecordsOneSequence, record, "a repeat of a record is the same byte for byte")
    }

    private mutating func refuse(_ fault: RevocationFault, _ record: RevocationTopicRecord) -> RevocationOutcome {
        if faults[record.key] == nil, faults.count >= limits.maximumFaults {
            hasOverflowed = true
        } else {
            faults[record.key] = fault
        }
        return .refused(fault)
    }

    private mutating func overflow(_ record: RevocationTopicRecord) -> RevocationOutcome {
        hasOverflowed = true
        return .refused(RevocationFault(.unreadable, record, "the limits of this view are reached"))
    }

    /// A good record ends what was wrong under its key.
    private mutating func accept(_ key: RevocationKey, _ record: RevocationTopicRecord) {
        tombstones.forget(key.digest)
        endFault(record)
    }

    @discardableResult
    private mutating func endFault(_ record: RevocationTopicRecord) -> Bool {
        guard let fault = faults[record.key] else { return false }
        if let sequence = fault.sequence, let newer = record.sequence, newer <= sequence { return false }
        faults[record.key] = nil
        return true
    }
}

extension CutoffRecord {
    /// What it voids of its scope, for people.
    fileprivate var interval: String {
        issuedSince.map { "from \($0) to \(notIssuedBefore)" } ?? "what was issued before \(notIssuedBefore)"
    }
}

extension RevocationKey {
    /// A short name of the key.
    fileprivate var digest: Digest {
        switch self {
        case .token(let hash): hash
        case .cutoff, .head: Digest(hashing: bytes)
        }
    }
}
