import ClawWire
import DevStack
import GrantLedger
import Postgres
import ReceiptLog
import Testing

/// Cosignatures of witnesses in the ledger: read with their checkpoint, stored once, all or nothing.
@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct WitnessTests {
    private static let logID = LogID("logs.harborline.example/clawgrant")

    private static func signer(_ name: String) throws -> SeedSigner {
        try #require(SeedSigner(seed: Digest(hashing: name).bytes))
    }

    private static func key(_ name: String) throws -> NoteKey {
        try #require(NoteKey(name: name, publicKey: try signer(name).publicKey, algorithm: .cosignature))
    }

    private static func sealedNote(_ size: UInt64) throws -> SignedNote {
        try Checkpoint(origin: logID.rawValue, size: size, root: Digest(hashing: "root \(size)"))
            .signed(by: try signer("log"))
    }

    /// A ledger whose log has some batches.
    private static func ledger(_ batches: Int64) async throws -> TestLedger {
        let fixture = try await ControlFixture.make()
        let ledger = fixture.ledger.ledger
        let lease = try #require(try await ledger.claim(role: .sealer, for: fixture.ledger.worker))
        for number in 0..<batches {
            try await fixture.issue([.init(name: "r\(number)")])
            _ = try await ledger.seal(under: lease, maximumGroups: 10, maximumBytes: 1 << 20) { input in
                [
                    SealedBatch(
                        number: number, firstPosition: number, lastPosition: number,
                        headerHash: Digest(hashing: "header"), header: [1],
                        signature: try #require(Ed25519Signature(bytes: [UInt8](repeating: 0, count: 64))),
                        checkpoint: try sealedNote(UInt64(number) + 1).encoded, tail: [1], rootSignatures: nil,
                        groups: input.groups, nextSequence: input.nextSequence, sealedAt: input.now)
                ]
            }
        }
        return fixture.ledger
    }

    private static func cosigned(
        _ size: UInt64, by witnesses: [(name: String, at: Timestamp)]
    ) throws -> CosignedCheckpoint {
        let own = try sealedNote(size)
        let note = try witnesses.reduce(own) { note, witness in
            try note.cosigned(name: witness.name, at: witness.at, signer: try signer(witness.name))
        }
        return try CosignedCheckpoint(
            note, sealed: own, logKeys: [try signer("log").publicKey], logID: logID,
            witnesses: try Set(witnesses.map(\.name)).map { try key($0) })
    }

    @Test func whatIsStoredIsReadBackOnce() async throws {
        let ledger = try await Self.ledger(3)
        let now = Timestamp(seconds: try await Self.now(ledger))
        #expect(try await ledger.ledger.checkpoint(.newestCosigned) == nil)
        #expect(try await ledger.ledger.checkpoint(.size(0)) == nil)
        #expect(try await ledger.ledger.checkpoint(.size(4)) == nil)
        #expect(try await ledger.ledger.checkpoint(.size(.max)) == nil)
        let newest = try #require(try await ledger.ledger.checkpoint(.newest))
        #expect(newest.size == 3 && newest.cosignatures.isEmpty)
        let own = try Self.sealedNote(3)
        #expect(newest.note == own)

        let first = try Self.cosigned(2, by: [("w1", now), ("w2", now.adding(seconds: 1))])
        #expect(try await ledger.ledger.store(first) == first.cosignatures)
        #expect(try await ledger.ledger.store(first).isEmpty)
        let again = try Self.cosigned(2, by: [("w1", now), ("w1", now.adding(seconds: 2))])
        #expect(try await ledger.ledger.store(again).map(\.cosignedAt) == [now.adding(seconds: 2)])
        let stored = try #require(try await ledger.ledger.checkpoint(.newestCosigned))
        #expect(stored.size == 2 && stored.cosignatures.count == 3)
        #expect(try await ledger.ledger.checkpoint(.size(2)) == stored)
        // The note has the newest of each, and stands.
        let note = try CosignedCheckpoint(
            stored.note, sealed: stored.sealed, logKeys: [try Self.signer("log").publicKey], logID: Self.logID,
            witnesses: [try Self.key("w1"), try Self.key("w2")])
        #expect(note.cosignatures.map(\.cosignedAt) == [now.adding(seconds: 2), now.adding(seconds: 1)])
        _ = try await ledger.ledger.store(try Self.cosigned(3, by: [("w2", now.adding(seconds: 3))]))
        #expect(
            try await ledger.ledger.newestCosignatures().map { "\($0.cosignature.witness) \($0.cosignature.size)" }
                == ["w1 2", "w2 3"])
    }

    @Test func whatGoesBackIsRefusedAndNothingOfItsNoteIsStored() async throws {
        let ledger = try await Self.ledger(3)
        let now = Timestamp(seconds: try await Self.now(ledger))
        _ = try await ledger.ledger.store(try Self.cosigned(3, by: [("w1", now)]))
        for (note, code) in [
            (
                try Self.cosigned(2, by: [("w2", now), ("w1", now.adding(seconds: 1))]),
                EvidenceError.Code.positionMismatch
            ),
            (try Self.cosigned(3, by: [("w1", now.adding(seconds: -1)), ("w2", now)]), .timeReversed),
            (try Self.cosigned(3, by: [("w2", now), ("w3", now.adding(seconds: 900))]), .invalidMember),
            (try Self.cosigned(1, by: [("w2", now), ("w3", now.adding(seconds: -900))]), .timeReversed),
        ] {
            let error = await #expect(throws: EvidenceError.self) { try await ledger.ledger.store(note) }
            #expect(error?.code == code)
        }
        let rows = try await ledger.sql("SELECT count(*)::text FROM clawgrant.checkpoint_cosignature")[0]
        #expect(try rows.string(0, 0) == "1")
        let unknown = await #expect(throws: LedgerError.self) {
            try await ledger.ledger.store(try Self.cosigned(9, by: [("w1", now)]))
        }
        #expect(unknown?.code == .refused)
    }

    @Test func twoAtOnceStoreOne() async throws {
        let ledger = try await Self.ledger(2)
        let now = Timestamp(seconds: try await Self.now(ledger))
        let note = try Self.cosigned(2, by: [("w1", now)])
        let stored = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<6 { group.addTask { try await ledger.ledger.store(note).count } }
            return try await group.reduce(0, +)
        }
        #expect(stored == 1)
        for statement in [
            "DELETE FROM clawgrant.checkpoint_cosignature", "UPDATE clawgrant.checkpoint_cosignature SET witness = 'x'",
            "TRUNCATE clawgrant.checkpoint_cosignature",
        ] {
            await #expect(throws: (any Error).self, "\(statement)") { try await ledger.sql(statement) }
        }
    }

    private static func now(_ ledger: TestLedger) async throws -> Int64 {
        try await ledger.sql("SELECT floor(extract(epoch FROM clock_timestamp()))::int8")[0].int64(0, 0)
    }
}
