import ClawWire
import GrantLedger
import Primitives
import ReceiptLog
import TestSupport

/// A log in memory with the positions of sinks. What is left behind is sealed at once.
final class PaperLog: SecurityEventLedger {
    private struct State {
        var batches: [SealedBatch] = []
        var archivedBefore: Int64 = 0
        var sinks: [String: SinkPosition] = [:]
        var isFenced = false
        var outages = 0
        var readings = 0
        var moves: [String: [Int64]] = [:]
    }

    static let lease = RoleLease(role: .securityEvents, owner: WorkerID("worker-1"), epoch: LeaseEpoch(1))
    private let state = Lock(State())

    init(receipts count: Int = 0, perBatch size: Int = 7) throws {
        for start in stride(from: 0, to: count, by: size) {
            try append((start..<min(count, start + size)).map { Samples.grant($0) })
        }
    }

    /// Seals receipts into a batch.
    func append(_ receipts: [Receipt]) throws {
        append(
            try receipts.map {
                Effect(receipt: try $0.encoded().bytes, receiptKind: $0.content.kind.rawValue, outputs: [])
            })
    }

    /// Seals effects into a batch.
    func append(_ effects: [Effect]) {
        state.withLock { state in
            let number = Int64(state.batches.count)
            let first = (state.batches.last?.lastPosition ?? -1) + 1
            guard let signature = Ed25519Signature(bytes: [UInt8](repeating: 0, count: 64)) else { return }
            state.batches.append(
                SealedBatch(
                    number: number, firstPosition: first, lastPosition: first + Int64(effects.count) - 1,
                    headerHash: Digest(hashing: "header \(number)"), header: [], signature: signature, checkpoint: "",
                    tail: [], rootSignatures: nil,
                    groups: [EffectGroup(groupID: number, day: 0, effects: effects)], nextSequence: [],
                    sealedAt: Samples.noon))
        }
    }

    /// Takes the receipts of the first batches away.
    func archive(before number: Int64) { state.withLock { $0.archivedBefore = number } }

    /// Gives the role to somebody else.
    func fence() { state.withLock { $0.isFenced = true } }

    /// The next so many calls find the database away.
    func fail(_ calls: Int) { state.withLock { $0.outages = calls } }

    var end: Int64 { state.withLock { ($0.batches.last?.lastPosition ?? -1) + 1 } }
    var readings: Int { state.withLock { $0.readings } }
    func sink(_ name: String) -> SinkPosition? { state.withLock { $0.sinks[name] } }
    /// Every position that was written down for a sink, in order.
    func moves(of name: String) -> [Int64] { state.withLock { $0.moves[name] ?? [] } }

    /// The bytes of the last receipt.
    var lastReceipt: [UInt8] { state.withLock { $0.batches.last?.groups.last?.effects.last?.receipt ?? [] } }

    /// Receipts of the log in order.
    var receipts: [Receipt] {
        get throws {
            try state.withLock { $0.batches }.flatMap(\.groups).flatMap(\.effects).map {
                try Receipt(parsing: $0.receipt)
            }
        }
    }

    /// Findings of the log in order, with what they say.
    var findings: [(finding: Receipt.Finding, detail: String)] {
        get throws {
            try receipts.compactMap { receipt in
                guard case .findingRaised(let finding) = receipt.content else { return nil }
                return (finding, receipt.reasons.first?.detail ?? "")
            }
        }
    }

    // MARK: The ledger

    private func enter() throws(LedgerError) {
        let isAway = state.withLock { state -> Bool in
            guard state.outages > 0 else { return false }
            state.outages -= 1
            return true
        }
        if isAway { throw LedgerError(.unavailable, "the database is away") }
    }

    func batches(from number: Int64, limit: Int) async throws(LedgerError) -> [SealedBatch] {
        try enter()
        return state.withLock { state in
            state.readings += 1
            return state.batches.dropFirst(Int(number)).prefix(limit).map { batch in
                guard batch.number < state.archivedBefore else { return batch }
                return SealedBatch(
                    number: batch.number, firstPosition: batch.firstPosition, lastPosition: batch.lastPosition,
                    headerHash: batch.headerHash, header: [], signature: batch.signature, checkpoint: "", tail: [],
                    rootSignatures: nil, groups: [], nextSequence: [], sealedAt: batch.sealedAt)
            }
        }
    }

    func batch(holding position: Int64) async throws(LedgerError) -> Int64? {
        try enter()
        return state.withLock { $0.batches.last { $0.firstPosition <= position }?.number }
    }

    func logEnd() async throws(LedgerError) -> LogEnd {
        try enter()
        return LogEnd(position: end, sealedAt: Samples.noon)
    }

    func openSinks(
        _ starts: [String: SinkStart], under lease: RoleLease
    ) async throws(LedgerError) -> [String: SinkPosition] {
        try enter()
        let end = end
        return state.withLock { state in
            for (name, start) in starts where state.sinks[name] == nil {
                let first =
                    switch start {
                    case .position(let position): position
                    case .end: end
                    }
                state.sinks[name] = SinkPosition(name: name, first: first, next: first)
            }
            return state.sinks.filter { starts[$0.key] != nil }
        }
    }

    func sinkPositions() async throws(LedgerError) -> [SinkPosition] {
        state.withLock { $0.sinks.values.sorted { $0.name < $1.name } }
    }

    func record(
        _ step: SinkStep, of sink: String, at position: Int64, under lease: RoleLease,
        leaving effects: (@Sendable (Timestamp) throws -> [Effect])?
    ) async throws {
        try enter()
        try state.withLock { state in
            guard !state.isFenced, let old = state.sinks[sink], old.next == position else {
                throw LedgerError(.fenced, "fenced")
            }
            switch step {
            case .delivered(let next):
                state.sinks[sink] = SinkPosition(
                    name: sink, first: old.first, next: next, deliveredAt: Samples.noon, failure: old.failure,
                    skipped: old.skipped)
                state.moves[sink, default: []].append(next)
            case .failed(let reason, let isReported):
                state.sinks[sink] = SinkPosition(
                    name: sink, first: old.first, next: old.next, failures: old.failures + 1, failure: reason,
                    isReported: old.isReported || isReported, skipped: old.skipped)
            case .skipped(let next):
                state.sinks[sink] = SinkPosition(
                    name: sink, first: old.first, next: next, failures: old.failures, failure: old.failure,
                    isReported: old.isReported, skipped: old.skipped + next - position)
                state.moves[sink, default: []].append(next)
            }
        }
        if let effects { append(try effects(Samples.noon.adding(seconds: end))) }
    }

    func leave(_ effects: @escaping @Sendable (Timestamp) throws -> [Effect], under lease: RoleLease) async throws {
        try enter()
        append(try effects(Samples.noon.adding(seconds: end)))
    }
}
