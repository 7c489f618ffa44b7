import ClawWire
import DevStack
import Foundation
import GrantLedger
import Postgres
import Testing

let nowSeconds = Int64(Date().timeIntervalSince1970)

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct SealTests {
    private static func batch(_ number: Int64, _ input: SealInput) throws -> SealedBatch {
        let count = Int64(input.groups.reduce(0) { $0 + $1.effects.count })
        let first = input.tail.map { Int64($0[0]) << 8 | Int64($0[1]) } ?? 0
        let signature = try #require(Ed25519Signature(bytes: [UInt8](repeating: 1, count: 64)))
        return SealedBatch(
            number: number, firstPosition: first, lastPosition: first + count - 1,
            headerHash: Digest(hashing: "h\(number)"), header: [1], signature: signature, checkpoint: "c",
            tail: [UInt8((first + count) >> 8), UInt8((first + count) & 0xFF)],
            rootSignatures: number.isMultiple(of: 2) ? nil : RootSignatures(root: signature, statement: signature),
            groups: input.groups,
            nextSequence: input.nextSequence.map { $0 + count },
            sealedAt: input.now)
    }

    private static func commit(_ ledger: TestLedger, _ lease: PartitionLease, _ offset: Int64, effects: Int)
        async throws
    {
        let read = DecideRead(
            worker: ledger.worker,
            fence: .offsets([
                OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: offset, to: offset + 1)
            ]))
        _ = try await ledger.ledger.decide(read) { _ in
            var write = DecideWrite()
            write.effects = (0..<effects).map {
                Effect(receipt: Array("receipt \(offset)/\($0)".utf8), receiptKind: "heartbeat", outputs: [])
            }
            return (write, 0)
        }
    }

    @Test func committedGroupsAreSealedOnceAndInOrder() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        let role = try #require(try await ledger.ledger.claim(role: .sealer, for: ledger.worker))
        try await Self.commit(ledger, lease, 0, effects: 3)
        try await Self.commit(ledger, lease, 1, effects: 900)
        let first = try await ledger.ledger.seal(under: role, maximumGroups: 100, maximumBytes: 1 << 20) {
            [try Self.batch(0, $0)]
        }
        #expect(first.first?.lastPosition == 902)
        #expect(first.first?.groups.count == 4)
        #expect(
            try await ledger.ledger.seal(under: role, maximumGroups: 100, maximumBytes: 1 << 20) {
                [try Self.batch(1, $0)]
            }.isEmpty)
        let read = try await ledger.ledger.batches(from: 0, limit: 10)
        #expect(read.count == 1)
        #expect(read[0].groups == first[0].groups)
        #expect(read[0].nextSequence == first[0].nextSequence)
    }

    @Test func whatIsSealedWhenIdleIsCommittedWithItsBatchAndOnlyThen() async throws {
        struct Stopped: Error {}
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        let role = try #require(try await ledger.ledger.claim(role: .sealer, for: ledger.worker))
        let beat = Effect(receipt: Array("beat".utf8), receiptKind: "heartbeat", outputs: [])
        func seal(_ number: Int64, isIdle: Bool = true, fails: Bool = false) async throws -> [SealedBatch] {
            let whenIdle: @Sendable (Timestamp) throws -> Effect = { _ in beat }
            return try await ledger.ledger.seal(
                under: role, maximumGroups: 10, maximumBytes: 1 << 20, whenIdle: isIdle ? whenIdle : nil,
                ending: nil
            ) { input in
                if fails { throw Stopped() }
                return [try Self.batch(number, input)]
            }
        }
        try await Self.commit(ledger, lease, 0, effects: 2)
        // What waits is sealed, and nothing else with it.
        #expect(try await seal(0).flatMap(\.groups).flatMap(\.effects).count == 2)
        await #expect(throws: Stopped.self) { try await seal(1, fails: true) }
        #expect(try await seal(1, isIdle: false).isEmpty)
        let sealed = try await seal(1)
        #expect(sealed.flatMap(\.groups).flatMap(\.effects) == [beat])
        let read = try await ledger.ledger.batches(from: 0, limit: 10)
        #expect(read.count == 2)
        #expect(read[1].groups == sealed[0].groups)
        #expect(read.map(\.rootSignatures) == [nil, sealed[0].rootSignatures])
        #expect(read[1].rootSignatures != nil)
        // The log goes on from its last batch.
        #expect(try await seal(2).first?.firstPosition == 3)
        let left = try await ledger.sql(
            "SELECT (SELECT count(*) FROM clawgrant.unsealed), (SELECT sum(entries) FROM clawgrant.effect_group)::int8")
        #expect(try left[0].int64(0, 0) == 0)
        #expect(try left[0].int64(0, 1) == 4)
    }

    @Test func aSealerThatLostItsRoleSealsNothing() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat().held.first)
        let role = try #require(try await ledger.ledger.claim(role: .sealer, for: ledger.worker))
        try await Self.commit(ledger, lease, 0, effects: 1)
        try await ledger.ledger.leave(worker: ledger.worker)
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.ledger.seal(under: role, maximumGroups: 1, maximumBytes: 1 << 20) {
                [try Self.batch(0, $0)]
            }
        }
        #expect(error?.code == .fenced)
        let position = PublishPosition(nextBatch: 3, readFrom: [:])
        let refused = await #expect(throws: LedgerError.self) {
            try await ledger.ledger.setPublishPosition(position, of: .main, under: role)
        }
        #expect(refused?.code == .fenced)
    }

    @Test func thePublishPositionIsKept() async throws {
        let ledger = try await LedgerServer.shared.value.ledger()
        _ = try await ledger.beat()
        let role = try #require(try await ledger.ledger.claim(role: .sealer, for: ledger.worker))
        let position = PublishPosition(
            nextBatch: 7,
            readFrom: [
                InputPartition(topic: "claw.grants.v1", partition: 2): 41,
                InputPartition(topic: "claw.receipts.batches.v1", partition: 0): 7,
            ])
        try await ledger.ledger.setPublishPosition(position, of: .main, under: role)
        #expect(try await ledger.ledger.publishPosition(of: .main) == position)
        // The other lane has its own.
        #expect(try await ledger.ledger.publishPosition(of: .control) == PublishPosition(nextBatch: 0, readFrom: [:]))
        let earlier = PublishPosition(nextBatch: 6, readFrom: [:])
        await #expect(throws: LedgerError.self) {
            try await ledger.ledger.setPublishPosition(earlier, of: .main, under: role)
        }
        #expect(try await ledger.ledger.publishPosition(of: .main) == position)
    }
}
