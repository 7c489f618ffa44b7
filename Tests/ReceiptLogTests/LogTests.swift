import ClawWire
import TestSupport
import Testing

@testable import ReceiptLog

struct LogTests {
    private let signer = Samples.signer
    private let witness = Samples.signer("witness")

    /// A log of some batches with a checkpoint after each.
    private struct Log {
        var sealed: [SealedReceipts] = []
        var notes: [SignedNote] = []
        var headers: [[UInt8]] { sealed.map(\.batch.header.canonicalBytes) }
    }

    private func log(_ batches: Int) throws -> Log {
        var log = Log()
        var tail = try LogTail(logID: Samples.logID)
        for i in 0..<batches {
            let sealed = try ReceiptBatch.seal(
                receipts: try Samples.mixed(i % 5 + 1), previous: tail, at: Samples.noon, signer: signer)
            log.sealed.append(sealed)
            log.notes.append(try sealed.tail.checkpoint.signed(by: signer))
            tail = sealed.tail
        }
        return log
    }

    @Test func noteKeysAreThoseOfTheFormat() throws {
        // The verifier key of the Go checksum database, whose key id was computed elsewhere.
        let known = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
        let key = try #require(NoteKey(text: known))
        #expect(key.text == known)
        #expect(key.algorithm == .ed25519)
        #expect(NoteKey(text: known.replacing("033de0ae", with: "033de0af")) == nil)
        #expect(NoteKey(text: "a+b") == nil)
        #expect(NoteKey(name: "", publicKey: signer.publicKey) == nil)
        #expect(NoteKey(name: "a b", publicKey: signer.publicKey) == nil)
        #expect(NoteKey(name: "a+b", publicKey: signer.publicKey) == nil)
    }

    @Test func checkpointText() throws {
        let checkpoint = try Checkpoint(
            origin: "logs.example/a", size: 20_852_163, root: Digest(hashing: "root"), extensions: ["x 1"])
        let lines = checkpoint.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 5)
        #expect(lines[1] == "20852163")
        #expect(lines[2].count == 44)
        #expect(lines[2].hasSuffix("="))
        #expect(try Checkpoint(parsing: checkpoint.text) == checkpoint)
        func code(_ text: String) -> EvidenceError.Code? { fault { _ = try Checkpoint(parsing: text) }?.code }
        let root = String(lines[2])
        #expect(code("a\n0\n\(root)\n") == nil)
        for wrong in [
            "", "\n\n\n", "a\n00\n\(root)\n", "a\n-1\n\(root)\n", "a\n+1\n\(root)\n", "a\n1\n\(root)", "\n1\n\(root)\n",
            "a\n1\n\(root.dropLast())\n", "a\n1\n\(root)\n\n", "a\n99999999999999999999\n\(root)\n",
            "a\n1\n" + root.replacing("=", with: "A") + "\n",
        ] {
            #expect(code(wrong) == .malformed, "\(wrong)")
        }
    }

    @Test func notesAreReadAndVerified() throws {
        let log = try log(1)
        let note = log.notes[0]
        #expect(try SignedNote(parsing: note.encoded) == note)
        let key = try #require(NoteKey(name: Samples.logID.rawValue, publicKey: signer.publicKey))
        #expect(try note.verify(keys: [key]).map(\.key) == [key])
        #expect(fault { _ = try note.verify(keys: []) }?.code == .signerUnknown)
        let forged = try SignedNote(parsing: note.encoded.replacing("\n1\n", with: "\n2\n"))
        #expect(fault { _ = try forged.verify(keys: [key]) }?.code == .signatureInvalid)
        for wrong in [
            "", "a\n", "a\n\n", "a\n\nb\n", "a\n\n— b AAAA\n", "a\n\n— b AAAAAAA=", note.encoded + "\n",
            note.encoded.replacing("\n", with: "\r\n"), "\n\n— b AAAAAAA=\n",
        ] {
            #expect(fault { _ = try SignedNote(parsing: wrong) } != nil, "\(wrong)")
        }
        let many = note.encoded + String(repeating: "— b.example AAAAAAA=\n", count: 64)
        #expect(fault { _ = try SignedNote(parsing: many) }?.code == .limitExceeded)
    }

    @Test func witnessesCosign() throws {
        let log = try log(3)
        let cosigned = try log.notes[2].cosigned(name: "witness.example/w1", at: Samples.noon, signer: witness)
        let again = try SignedNote(parsing: cosigned.encoded)
        let key = try #require(
            NoteKey(name: "witness.example/w1", publicKey: witness.publicKey, algorithm: .cosignature))
        let verified = try VerifiedCheckpoint(
            again, logKey: signer.publicKey, logID: Samples.logID, witnesses: [key])
        #expect(verified.cosignatures == [SignedNote.Verified(key: key, time: Samples.noon)])
        // A witness that is not known is kept and ignored.
        #expect(
            try VerifiedCheckpoint(again, logKey: signer.publicKey, logID: Samples.logID).note.signatures.count == 2)
        #expect(try log.notes[2].adding(signaturesOf: again) == again)
        #expect(fault { _ = try log.notes[1].adding(signaturesOf: again) }?.code == .consistencyInvalid)
        // A witness's signature alone is not the log's.
        let other = try #require(NoteKey(name: Samples.logID.rawValue, publicKey: witness.publicKey))
        #expect(other.keyID != key.keyID)
        #expect(
            fault { _ = try VerifiedCheckpoint(again, logKey: witness.publicKey, logID: Samples.logID) }?.code
                == .signerUnknown)
    }

    @Test func aWitnessDoesNotSpeakForTheLog() throws {
        let other = Samples.signer("another log")
        let note = try log(1).sealed[0].tail.checkpoint.signed(by: other)
            .cosigned(name: "witness.example/w1", at: Samples.noon, signer: witness)
        let key = try #require(
            NoteKey(name: "witness.example/w1", publicKey: witness.publicKey, algorithm: .cosignature))
        #expect(
            fault {
                _ = try VerifiedCheckpoint(note, logKey: signer.publicKey, logID: Samples.logID, witnesses: [key])
            }?.code == .signerUnknown)
    }

    @Test func aCheckpointOfAnotherLogIsRefused() throws {
        let checkpoint = try log(1).sealed[0].tail.checkpoint
        let foreign = try Checkpoint(origin: "other.example/log", size: checkpoint.size, root: checkpoint.root)
        // By the key, and under the name, of this one.
        let note = try SignedNote(text: foreign.text, name: Samples.logID.rawValue, signer: signer)
        #expect(
            fault { _ = try VerifiedCheckpoint(note, logKey: signer.publicKey, logID: Samples.logID) }?.code
                == .logMismatch)
        let own = try VerifiedCheckpoint(
            try checkpoint.signed(by: signer), logKey: signer.publicKey, logID: Samples.logID)
        let another = try VerifiedCheckpoint(
            try foreign.signed(by: signer), logKey: signer.publicKey, logID: LogID(foreign.origin))
        #expect(fault { try own.verifyPrefix(of: another, path: []) }?.code == .logMismatch)
    }

    @Test func receiptsAreProvenToEveryLaterCheckpoint() throws {
        let log = try log(9)
        for (size, note) in log.notes.enumerated().map({ ($0 + 1, $1) }) {
            let headers = MerkleTree(leaves: Array(log.headers[..<size]))
            for number in 0..<size {
                let batch = log.sealed[number].batch
                for index in batch.receipts.indices {
                    let proof = InclusionProof(
                        index: index, batchPath: try #require(batch.tree.inclusionPath(of: index)),
                        header: batch.header, headerPath: try #require(headers.inclusionPath(of: number)),
                        checkpoint: note)
                    if number == size - 1 {
                        #expect(log.sealed[number].inclusionProof(of: index, checkpoint: note) == proof)
                    }
                    let verified = try proof.verify(
                        receipt: batch.receipts[index], logKey: signer.publicKey, logID: Samples.logID)
                    #expect(verified.position.value == batch.header.firstPosition.value + Int64(index))
                }
            }
        }
    }

    @Test func tamperedProofsAreRefused() throws {
        let log = try log(5)
        let sealed = log.sealed[4]
        let receipt = sealed.batch.receipts[2]
        let proof = try #require(sealed.inclusionProof(of: 2, checkpoint: log.notes[4]))
        #expect(try InclusionProof(parsing: proof.canonicalBytes) == proof)
        let value = try JSONReader.parse(proof.canonicalBytes)
        #expect(JSONWriter.bytes(value, order: .canonical) == proof.canonicalBytes)
        func code(
            _ receipt: [UInt8]? = nil, index: Int? = nil, batchPath: [Digest]? = nil, header: BatchHeader? = nil,
            headerPath: [Digest]? = nil, note: SignedNote? = nil, key: Ed25519PublicKey? = nil, logID: LogID? = nil
        ) -> String? {
            let altered = InclusionProof(
                index: index ?? proof.index, batchPath: batchPath ?? proof.batchPath, header: header ?? proof.header,
                headerPath: headerPath ?? proof.headerPath, checkpoint: note ?? proof.checkpoint)
            return fault {
                _ = try altered.verify(
                    receipt: receipt ?? sealed.batch.receipts[2], logKey: key ?? signer.publicKey, logID: logID)
            }.map { "\($0.code.rawValue) \($0.path)" }
        }
        #expect(code() == nil)
        #expect(code(receipt + [0x20]) == "inclusion_invalid batch_path")
        #expect(code(sealed.batch.receipts[1]) == "inclusion_invalid batch_path")
        #expect(code(index: 1) == "inclusion_invalid batch_path")
        #expect(code(index: -1) == "inclusion_invalid batch_path")
        #expect(code(index: 99) == "inclusion_invalid batch_path")
        #expect(code(batchPath: proof.batchPath.reversed()) == "inclusion_invalid batch_path")
        #expect(code(header: log.sealed[3].batch.header) == "inclusion_invalid batch_path")
        #expect(code(headerPath: []) == "inclusion_invalid header_path")
        #expect(code(note: log.notes[3]) == "inclusion_invalid header_path")
        #expect(code(key: witness.publicKey) == "signer_unknown note")
        #expect(code(logID: LogID("other.example/log")) == "log_mismatch header.log_id")
    }

    @Test func checkpointsOfOneHistoryAreConsistent() throws {
        let log = try log(8)
        let verified = try log.notes.map {
            try VerifiedCheckpoint($0, logKey: signer.publicKey, logID: Samples.logID)
        }
        for second in verified.indices {
            let tree = MerkleTree(leaves: Array(log.headers[...second]))
            for first in 0...second {
                let path = try #require(tree.consistencyPath(from: first + 1))
                try verified[first].verifyPrefix(of: verified[second], path: path)
                #expect(
                    fault { try verified[first].verifyPrefix(of: verified[second], path: path + [tree.root]) }?.code
                        == .consistencyInvalid)
            }
        }
        // A split view: another root signed for the same size.
        let fork = try Checkpoint(origin: Samples.logID.rawValue, size: 8, root: Digest(hashing: "fork"))
        let forked = try VerifiedCheckpoint(
            try fork.signed(by: signer), logKey: signer.publicKey, logID: Samples.logID)
        #expect(fault { try verified[7].verifyPrefix(of: forked, path: []) }?.detail.contains("two histories") == true)
    }

    @Test func namesThatCannotBeOriginsAreRefused() {
        for name in ["", "a b", "a+b", "a\nb", String(repeating: "x", count: 257), "é.example"] {
            #expect(fault { _ = try LogTail(logID: LogID(name)) }?.code == .invalidMember)
        }
    }

    @Test func storedTailsAreChecked() throws {
        let tail = try #require(try log(3).sealed.last?.tail)
        #expect(tail.nextNumber.value == 3)
        #expect(tail.frontier.size == 3)
        let text = String(decoding: tail.canonicalBytes, as: UTF8.self)
        func code(_ text: String) -> EvidenceError.Code? { fault { _ = try LogTail(parsing: Array(text.utf8)) }?.code }
        #expect(code(text) == nil)
        #expect(code(text.replacing("\"next_number\":3", with: "\"next_number\":4")) == .countMismatch)
        #expect(code(text.replacing("\"next_number\":3", with: "\"next_number\":-3")) == .invalidMember)
        #expect(code(text.replacing("\"tail_version\":\"1\"", with: "\"tail_version\":\"9\"")) == .unknownVersion)
        #expect(JSONWriter.bytes(try JSONReader.parse(tail.canonicalBytes), order: .canonical) == tail.canonicalBytes)
    }

    @Test func anyTextIsSurvived() throws {
        var random = SeededGenerator(seed: 5)
        let note = try log(2).notes[1]
        let proof = try #require(try log(2).sealed[1].inclusionProof(of: 0, checkpoint: note)).canonicalBytes
        for _ in 0..<3_000 {
            var text = Array(note.encoded.utf8)
            text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = fault { _ = try SignedNote(parsing: String(decoding: text, as: UTF8.self)) }
            text.removeLast(Int.random(in: 0..<text.count, using: &random))
            _ = fault { _ = try SignedNote(parsing: String(decoding: text, as: UTF8.self)) }
            _ = fault { _ = try Checkpoint(parsing: String(decoding: text, as: UTF8.self)) }
            var bytes = proof
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = fault { _ = try InclusionProof(parsing: bytes) }
            _ = NoteKey(text: String(decoding: text, as: UTF8.self))
        }
    }
}
