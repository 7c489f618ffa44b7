import ClawWire
import TestSupport
import Testing

@testable import ReceiptLog

struct BatchTests {
    private let signer = Samples.signer
    private var keys: [Ed25519PublicKey] { [Samples.signer("old").publicKey, signer.publicKey] }

    private func seal(_ receipts: [[UInt8]], after tail: LogTail? = nil) throws -> SealedReceipts {
        try ReceiptBatch.seal(
            receipts: receipts, previous: try tail ?? LogTail(logID: Samples.logID), at: Samples.noon, signer: signer)
    }

    private func record(_ sealed: SealedReceipts) throws -> [UInt8] {
        let note = try sealed.tail.checkpoint.signed(by: signer)
        let root = try LogInclusionProof.SignedRoot(
            tree: sealed.batch.compatibleTree(), logID: Samples.logID, publishedAt: sealed.batch.header.sealedAt,
            signer: signer)
        return sealed.batch.record(checkpoint: note, compatibleRoot: root)
    }

    @Test func sealedBatchesFormALog() throws {
        var tail = try LogTail(logID: Samples.logID)
        var position: Int64 = 0
        for (number, count) in [1, 2, 7, 100, 1].enumerated() {
            let receipts = try Samples.mixed(count)
            let sealed = try seal(receipts, after: tail)
            let bytes = try record(sealed)
            #expect(JSONWriter.bytes(try JSONReader.parse(bytes), order: .canonical) == bytes)
            let verified = try VerifiedBatch(parsing: bytes, previous: tail, logKeys: keys)
            #expect(verified.receipts == receipts)
            #expect(verified.header == sealed.batch.header)
            #expect(verified.tail == sealed.tail)
            #expect(verified.checkpoint?.checkpoint == sealed.tail.checkpoint)
            #expect(verified.header.number.value == Int64(number))
            let compatible = try #require(verified.compatibleRoot)
            let portable = try #require(
                LogInclusionProof(tree: sealed.batch.compatibleTree(), index: count - 1, signedRoot: compatible))
            _ = try LogInclusionProof.verifyStrictly(
                portable.json, logKey: signer.publicKey, logID: Samples.logID)
            #expect(verified.header.firstPosition.value == position)
            #expect(verified.header.counts.values.reduce(0, +) == count)
            let alone = try VerifiedBatch(parsing: bytes, previous: nil, logKeys: keys, depth: .hashes)
            #expect(alone.tail == nil)
            for index in [0, count - 1] {
                let proof = try #require(verified.proof(of: index))
                #expect(proof == sealed.batch.proof(of: index))
                #expect(proof.leads(from: receipts[index], to: verified.header))
                #expect(!proof.leads(from: receipts[index] + [0x20], to: verified.header))
                #expect(proof.position.value == position + Int64(index))
            }
            position += Int64(count)
            tail = sealed.tail
        }
        #expect(try LogTail(parsing: tail.canonicalBytes) == tail)
    }

    @Test func theSignatureSaysWhatItIsFor() throws {
        let batch = try seal(try Samples.mixed(2)).batch
        let signed = Array("clawgrant-batch-v1\n\(Digest(hashing: batch.header.canonicalBytes).b64u)".utf8)
        #expect(signer.publicKey.isValidSignature(batch.signature, for: signed))
    }

    @Test func aProofStandsForOneReceiptOfOneBatch() throws {
        let receipts = try Samples.mixed(3)
        let tail = try LogTail(logID: Samples.logID)
        let batch = try seal(receipts, after: tail).batch
        let proof = try #require(batch.proof(of: 1))
        #expect(proof.leads(from: receipts[1], to: batch.header))
        // The same receipts at the same place of another history.
        let other = try ReceiptBatch.seal(
            receipts: receipts, previous: tail, at: Samples.noon.adding(seconds: 1), signer: signer
        ).batch
        #expect(!proof.leads(from: receipts[1], to: other.header))
        var writer = CanonicalWriter()
        writer.openObject()
        writer.member("proof", proof)
        writer.closeObject()
        let text = String(decoding: writer.output, as: UTF8.self)
        func read(_ text: String) throws -> BatchProof {
            try BatchProof(try MemberReader(parsing: Array(text.utf8)).nested("proof"))
        }
        #expect(try read(text) == proof)
        let moved = try read(text.replacing("\"position\":1", with: "\"position\":2"))
        #expect(moved != proof)
        #expect(!moved.leads(from: receipts[1], to: batch.header))
    }

    @Test func aRecordAloneGivesProofsByTheCompatibleRule() throws {
        for count in [1, 2, 3, 17] {
            let sealed = try seal(try Samples.mixed(count))
            let root = try LogInclusionProof.SignedRoot(of: sealed.batch.header, signer: signer)
            #expect(
                try root
                    == LogInclusionProof.SignedRoot(
                        tree: sealed.batch.compatibleTree(), logID: Samples.logID,
                        publishedAt: sealed.batch.header.sealedAt, signer: signer))
            let verified = try VerifiedBatch(
                parsing: sealed.batch.record(compatibleRoot: root), previous: nil, logKeys: keys)
            for (index, receipt) in verified.receipts.enumerated() {
                let proof = try #require(verified.compatibleProof(of: index))
                #expect(proof.leaf == Digest(hashing: receipt).bytes)
                #expect(try LogInclusionProof.verify(proof.json) == proof)
                #expect(
                    try LogInclusionProof.verifyStrictly(
                        proof.json, logKey: signer.publicKey, logID: Samples.logID) == proof)
            }
            #expect(verified.compatibleProof(of: count) == nil)
            let bare = try VerifiedBatch(parsing: sealed.batch.record(), previous: nil, logKeys: keys)
            #expect(bare.compatibleProof(of: 0) == nil)
        }
    }

    @Test func reopenedFromTheLedger() throws {
        let sealed = try seal(try Samples.mixed(5))
        let header = sealed.batch.header.canonicalBytes
        let again = try ReceiptBatch(
            reopening: header, signature: sealed.batch.signature, logKeys: keys, receipts: sealed.batch.receipts)
        #expect(again == sealed.batch)
        #expect(again.record() == sealed.batch.record())
        func code(_ receipts: [[UInt8]], _ keys: [Ed25519PublicKey]) -> EvidenceError.Code? {
            fault {
                _ = try ReceiptBatch(
                    reopening: header, signature: sealed.batch.signature, logKeys: keys, receipts: receipts)
            }?.code
        }
        #expect(code(Array(sealed.batch.receipts.dropLast()), keys) == .rootMismatch)
        #expect(code(sealed.batch.receipts, []) == .signatureInvalid)
    }

    @Test func aClockThatWentBackIsNotFollowed() throws {
        let first = try seal(try Samples.mixed(1))
        let second = try ReceiptBatch.seal(
            receipts: try Samples.mixed(1), previous: first.tail, at: Samples.noon.adding(seconds: -60), signer: signer)
        #expect(second.batch.header.sealedAt == Samples.noon)
    }

    @Test func splitFitsTheLimits() throws {
        let receipts = try Samples.mixed(500)
        let limits = BatchLimits(maximumBytes: 40_000, maximumReceipts: 20)
        let ranges = try ReceiptBatch.split(receipts, limits: limits)
        #expect(ranges.flatMap { Array($0) } == Array(0..<500))
        #expect(ranges.allSatisfy { $0.count <= 20 && !$0.isEmpty })
        for range in ranges {
            #expect(try record(try seal(Array(receipts[range]))).count <= 40_000)
        }
        #expect(try ReceiptBatch.split([]).isEmpty)
        let short = try Samples.heartbeat().encoded().bytes
        #expect(try ReceiptBatch.split(Array(repeating: short, count: 1_001)).map(\.count) == [1_000, 1])
        let small = BatchLimits(maximumBytes: 8_500, maximumReceipts: 20)
        #expect(fault { _ = try ReceiptBatch.split(receipts, limits: small) }?.code == .limitExceeded)
        #expect(fault { _ = try ReceiptBatch.split([[1, 2]]) }?.path == "receipts[0]")
    }

    @Test func nothingIsSealedOfNothing() {
        #expect(fault { _ = try seal([]) }?.code == .countMismatch)
        #expect(fault { _ = try seal([Array("{}".utf8)]) }?.code == .invalidMember)
        #expect(fault { _ = try seal([Array("{\"kind\":\"b\",\"kind\":\"a\"}".utf8)]) }?.code == .notCanonical)
    }

    // MARK: Tampering

    /// What an outsider can do: change bytes without the key.
    @Test func everyAlteredHeaderMemberBreaksTheSignature() throws {
        let sealed = try seal(try Samples.mixed(3))
        let value = try #require(try JSONReader.parse(sealed.batch.record()).object)
        let header = try #require(value["header"]?.object)
        for member in header.members {
            var altered = header
            altered[member.key] =
                switch member.value {
                case .number(let number): .number(number + 1)
                case .array: .array([.string(Digest(hashing: "x").b64u)])
                case .object: ["decision.denied": 3]
                default: member.key == "sealed_at" ? "2026-03-01T12:00:01.000Z" : .string(Digest(hashing: "x").b64u)
                }
            var record = value
            record["header"] = .object(altered)
            let fault = fault {
                _ = try VerifiedBatch(
                    parsing: JSONWriter.bytes(.object(record), order: .canonical),
                    previous: try LogTail(logID: Samples.logID), logKeys: keys)
            }
            let expected: EvidenceError.Code =
                switch member.key {
                case "batch_version": .unknownVersion
                case "count": .countMismatch
                case "first_position", "last_position": .positionMismatch
                default: .signatureInvalid
                }
            #expect(fault?.code == expected, "\(member.key): \(String(describing: fault))")
        }
    }

    /// What an insider can do: sign a header that does not fit.
    @Test func everySignedLieIsNamed() throws {
        let first = try seal(try Samples.mixed(2))
        let sealed = try seal(try Samples.mixed(4), after: first.tail)
        let h = sealed.batch.header
        let x = Digest(hashing: "x")
        func check(
            logID: LogID? = nil, number: Int64? = nil, first position: Int64? = nil, count: Int? = nil,
            root: Digest? = nil, compatible: Digest? = nil, previous: Digest? = nil, sealedAt: Timestamp? = nil,
            counts: [String: Int]? = nil, rules: [Digest]? = nil, kids: [KeyID]? = nil
        ) throws -> String? {
            let header = BatchHeader(
                logID: logID ?? h.logID, number: SequenceNumber(number ?? h.number.value),
                firstPosition: SequenceNumber(position ?? h.firstPosition.value), count: count ?? h.count,
                root: root ?? h.root, compatibleRoot: compatible ?? h.compatibleRoot,
                previousHeaderHash: previous ?? h.previousHeaderHash, sealedAt: sealedAt ?? h.sealedAt,
                counts: counts ?? h.counts, rulesHashes: rules ?? h.rulesHashes, keyIDs: kids ?? h.keyIDs)
            let batch = ReceiptBatch(
                header: header, headerHash: header.hash,
                signature: try signer.sign(BatchHeader.signedBytes(header.hash)), signer: signer.publicKey,
                receipts: sealed.batch.receipts, tree: sealed.batch.tree)
            return fault {
                _ = try VerifiedBatch(parsing: batch.record(), previous: first.tail, logKeys: keys)
            }.map { "\($0.code.rawValue) \($0.path)" }
        }
        #expect(try check() == nil)
        #expect(try check(logID: LogID("other.example/log")) == "log_mismatch header.log_id")
        #expect(try check(number: 2) == "position_mismatch header.number")
        #expect(try check(first: 3) == "position_mismatch header.first_position")
        #expect(try check(count: 3, counts: ["grant.issued": 3]) == "count_mismatch header.count")
        #expect(try check(root: x) == "root_mismatch header.root_b64u")
        #expect(try check(compatible: x) == "root_mismatch header.clawlogs_root_b64u")
        #expect(try check(previous: x) == "chain_broken header.previous_header_hash_b64u")
        #expect(
            try check(sealedAt: Samples.noon.adding(seconds: -1)) == "time_reversed header.sealed_at")
        #expect(try check(counts: ["grant.issued": 4]) == "count_mismatch header.counts")
        #expect(try check(rules: []) == "summary_mismatch header.rules_hashes_b64u")
        #expect(try check(kids: [KeyID("0000000000000000")]) == "summary_mismatch header.key_ids")
    }

    @Test func everyAlteredReceiptIsNoticed() throws {
        let receipts = try Samples.mixed(6)
        let sealed = try seal(receipts)
        func code(_ receipts: [[UInt8]]) -> String? {
            let batch = ReceiptBatch(
                header: sealed.batch.header, headerHash: sealed.batch.headerHash, signature: sealed.batch.signature,
                signer: sealed.batch.signer, receipts: receipts, tree: sealed.batch.tree)
            return fault { _ = try VerifiedBatch(parsing: batch.record(), previous: nil, logKeys: keys) }
                .map { "\($0.code.rawValue) \($0.path)" }
        }
        #expect(code(receipts) == nil)
        for i in receipts.indices {
            var altered = receipts
            altered[i] = try Samples.revocation(i).encoded().bytes
            #expect(code(altered) == "root_mismatch header.root_b64u")
            altered = receipts
            altered.remove(at: i)
            #expect(code(altered) == "count_mismatch header.count")
            altered = receipts
            altered.swapAt(i, (i + 1) % receipts.count)
            #expect(code(altered) == "root_mismatch header.root_b64u")
        }
    }

    @Test func aSealedNonReceiptIsFoundByTheDeepCheckOnly() throws {
        let sealed = try seal([Array("{\"kind\":\"other.kind\"}".utf8), try Samples.grant().encoded().bytes])
        let record = sealed.batch.record()
        _ = try VerifiedBatch(parsing: record, previous: nil, logKeys: keys, depth: .hashes)
        let found = fault { _ = try VerifiedBatch(parsing: record, previous: nil, logKeys: keys) }
        #expect(found?.path.hasPrefix("receipts[0]") == true)
    }

    @Test func otherSignersAndLogsAreRefused() throws {
        let sealed = try seal(try Samples.mixed(1))
        let record = try record(sealed)
        #expect(
            fault {
                _ = try VerifiedBatch(
                    parsing: record, previous: nil, logKeys: [Samples.signer("other").publicKey])
            }?.code == .signerUnknown)
        #expect(
            fault {
                _ = try VerifiedBatch(
                    parsing: record, previous: nil, logID: LogID("other.example/log"), logKeys: keys)
            }?.code == .logMismatch)
        #expect(
            fault {
                _ = try VerifiedBatch(
                    parsing: record, previous: nil, logKeys: keys,
                    limits: BatchLimits(maximumBytes: 100, maximumReceipts: 1))
            }?.code == .limitExceeded)
    }

    @Test func aCheckpointOfAnotherHistoryIsRefused() throws {
        let tail = try LogTail(logID: Samples.logID)
        let sealed = try seal(try Samples.mixed(2))
        let other = try seal(try Samples.mixed(3))
        func code(_ checkpoint: Checkpoint) throws -> EvidenceError.Code? {
            let record = sealed.batch.record(checkpoint: try checkpoint.signed(by: signer))
            return fault { _ = try VerifiedBatch(parsing: record, previous: tail, logKeys: keys) }?.code
        }
        #expect(try code(sealed.tail.checkpoint) == nil)
        #expect(try code(other.tail.checkpoint) == .consistencyInvalid)
        #expect(try code(try seal(try Samples.mixed(1), after: sealed.tail).tail.checkpoint) == .positionMismatch)
    }

    @Test func anyBytesAreSurvived() throws {
        var random = SeededGenerator(seed: 4)
        let seed = try record(try seal(try Samples.mixed(2)))
        for round in 0..<3_000 {
            var bytes = seed
            if round.isMultiple(of: 10) {
                bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                    Array("{}[]\":,a\\".utf8).randomElement(using: &random) ?? 0
                }
            } else {
                for _ in 0...Int.random(in: 0...3, using: &random) {
                    let i = Int.random(in: 0..<bytes.count, using: &random)
                    if Bool.random(using: &random) {
                        bytes[i] = Array("{}[]\":,\\0".utf8).randomElement(using: &random) ?? 0
                    } else {
                        bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
                        if bytes.isEmpty { break }
                    }
                }
            }
            let found = fault { _ = try VerifiedBatch(parsing: bytes, previous: nil, logKeys: keys, depth: .hashes) }
            #expect(found != nil || bytes == seed)
        }
    }

    @Test func deepNestingIsRefused() {
        let deep = Array(("{\"header\":" + String(repeating: "[", count: 100_000)).utf8)
        #expect(fault { _ = try VerifiedBatch(parsing: deep, previous: nil, logKeys: keys) }?.code == .limitExceeded)
    }
}
