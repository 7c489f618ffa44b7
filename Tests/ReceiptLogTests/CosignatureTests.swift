import ClawWire
import TestSupport
import Testing

@testable import ReceiptLog

/// Cosigned checkpoints: what is taken of a note that somebody brings, and in which order.
struct CosignatureTests {
    private let signer = Samples.signer
    private let first = Samples.signer("witness 1")
    private let second = Samples.signer("witness 2")
    private let root = Digest(hashing: "root")

    private func key(_ signer: SeedSigner, _ name: String) throws -> NoteKey {
        try #require(NoteKey(name: name, publicKey: signer.publicKey, algorithm: .cosignature))
    }

    private func sealed(_ size: UInt64 = 7, root: Digest? = nil, origin: String? = nil) throws -> SignedNote {
        try Checkpoint(origin: origin ?? Samples.logID.rawValue, size: size, root: root ?? self.root).signed(by: signer)
    }

    private func take(_ note: SignedNote, sealed: SignedNote, keys: [SeedSigner]? = nil) throws -> CosignedCheckpoint {
        try CosignedCheckpoint(
            try SignedNote(parsing: note.encoded), sealed: sealed,
            logKeys: keys?.map(\.publicKey) ?? [second.publicKey, signer.publicKey], logID: Samples.logID,
            witnesses: [try key(first, "witness.example/1"), try key(second, "witness.example/2")])
    }

    private func code(_ body: () throws -> Void) -> EvidenceError.Code? { fault { try body() }?.code }

    @Test func cosignaturesOfKnownWitnessesAreTaken() throws {
        let own = try sealed()
        let note = try own.cosigned(name: "witness.example/2", at: Samples.noon.adding(seconds: 9), signer: second)
            .cosigned(name: "witness.example/1", at: Samples.noon, signer: first)
            .cosigned(name: "stranger.example", at: Samples.noon, signer: Samples.signer("stranger"))
        let taken = try take(note, sealed: own)
        #expect(taken.sealed.checkpoint.size == 7)
        #expect(taken.cosignatures.map(\.witness) == ["witness.example/1", "witness.example/2"])
        #expect(taken.cosignatures.map(\.cosignedAt) == [Samples.noon, Samples.noon.adding(seconds: 9)])
        // The lines make the note whole again.
        let again = own.adding(taken.cosignatures.map(\.line))
        #expect(again.adding(taken.cosignatures.map(\.line)) == again)
        #expect(try take(again, sealed: own).cosignatures == taken.cosignatures)
    }

    @Test func everythingElseIsRefused() throws {
        let own = try sealed()
        func cosigned(_ note: SignedNote) throws -> SignedNote {
            try note.cosigned(name: "witness.example/1", at: Samples.noon, signer: first)
        }
        #expect(code { _ = try take(own, sealed: own) } == .signerUnknown)
        let stranger = try own.cosigned(name: "witness.example/1", at: Samples.noon, signer: second)
        #expect(code { _ = try take(stranger, sealed: own) } == .signerUnknown)
        // Another history, another size, another log.
        #expect(
            code { _ = try take(try cosigned(try sealed(root: Digest(hashing: "other"))), sealed: own) }
                == .consistencyInvalid)
        #expect(code { _ = try take(try cosigned(try sealed(8)), sealed: own) } == .countMismatch)
        #expect(code { _ = try take(try cosigned(try sealed(origin: "logs.example/x")), sealed: own) } == .logMismatch)
        let extended = try Checkpoint(
            origin: Samples.logID.rawValue, size: 7, root: root, extensions: ["more"]
        ).signed(by: signer)
        #expect(code { _ = try take(try cosigned(extended), sealed: own) } == .consistencyInvalid)
        // Not signed by the log, by another key in its name, or altered.
        let foreign = try Checkpoint(origin: Samples.logID.rawValue, size: 7, root: root).signed(by: first)
        #expect(code { _ = try take(try cosigned(foreign), sealed: own) } == .signerUnknown)
        #expect(code { _ = try take(try cosigned(own), sealed: own, keys: [second]) } == .signerUnknown)
        let lines = try cosigned(own).signatures
        for index in [0, 7, 8, 71] {
            var bytes = lines[1].bytes
            bytes[index] ^= 1
            let altered = own.adding([SignedNote.Signature(name: lines[1].name, keyID: lines[1].keyID, bytes: bytes)])
            #expect(code { _ = try take(altered, sealed: own) } == .signatureInvalid)
        }
        let short = own.adding([
            SignedNote.Signature(name: lines[1].name, keyID: lines[1].keyID, bytes: Array(lines[1].bytes.dropLast()))
        ])
        #expect(code { _ = try take(short, sealed: own) } == .signatureInvalid)
    }

    private func cosignature(_ size: UInt64, _ seconds: Int64, _ witness: String = "w") -> CheckpointCosignature {
        CheckpointCosignature(
            size: size, witness: witness, keyID: [1, 2, 3, 4], cosignedAt: Samples.noon.adding(seconds: seconds),
            signature: [UInt8](repeating: 0, count: 72))
    }

    private func isNew(
        _ new: CheckpointCosignature, among stored: [CheckpointCosignature], now: Int64 = 10_000
    ) throws(EvidenceError) -> Bool {
        try CosignatureOrder.isNew(
            new, among: stored, sealedAt: Samples.noon, now: Samples.noon.adding(seconds: now))
    }

    @Test func aWitnessGoesForwardOnly() throws {
        let stored = [cosignature(5, 50), cosignature(9, 90), cosignature(20, 200, "another")]
        #expect(try isNew(cosignature(10, 100), among: stored))
        #expect(try isNew(cosignature(10, 90), among: stored), "two sizes in one second")
        #expect(try isNew(cosignature(9, 91), among: stored), "the same size again, later")
        #expect(try isNew(cosignature(1, 1, "third"), among: stored))
        #expect(try !isNew(cosignature(9, 90), among: stored))
        #expect(try !isNew(cosignature(5, 50), among: stored), "one that is stored stays welcome")
        #expect(code { _ = try isNew(cosignature(8, 95), among: stored) } == .positionMismatch)
        #expect(code { _ = try isNew(cosignature(5, 51), among: stored) } == .positionMismatch)
        #expect(code { _ = try isNew(cosignature(9, 89), among: stored) } == .timeReversed)
        #expect(code { _ = try isNew(cosignature(10, 89), among: stored) } == .timeReversed)
    }

    @Test func timesThatCannotBeAreRefused() throws {
        #expect(try isNew(cosignature(1, -300), among: []))
        #expect(code { _ = try isNew(cosignature(1, -301), among: []) } == .timeReversed)
        #expect(try isNew(cosignature(1, 400), among: [], now: 100))
        #expect(code { _ = try isNew(cosignature(1, 401), among: [], now: 100) } == .invalidMember)
    }

    /// Whatever is brought in whatever order: what is stored of a witness grows in size and time.
    @Test(arguments: 0..<50) func whatIsStoredGrows(_ seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        var stored: [CheckpointCosignature] = []
        for _ in 0..<60 {
            let new = cosignature(
                UInt64.random(in: 1...12, using: &dice), Int64.random(in: 0...40, using: &dice),
                Bool.random(using: &dice) ? "a" : "b")
            if (try? isNew(new, among: stored)) == true { stored.append(new) }
        }
        for witness in ["a", "b"] {
            let own = stored.filter { $0.witness == witness }
            for (left, right) in zip(own, own.dropFirst()) {
                #expect(left.size <= right.size && left.cosignedAt <= right.cosignedAt)
                #expect(left.size < right.size || left.cosignedAt < right.cosignedAt)
            }
        }
    }
}
