import ClawWire
import DevStack
import GrantLedger
import Playground
import ReceiptLog
import Testing

import enum Crypto.Curve25519

@testable import IssuerAPI

/// Checkpoints and proofs over HTTP, checked by who trusts nothing but the log's key.
@Suite(.serialized) struct EvidenceRouteTests {
    private static let key = ProofMaker.Key.ed25519(Curve25519.Signing.PrivateKey())

    @Test func everyReceiptIsProvenAndEverySizeFollowsFromTheOneBefore() async throws {
        try await SurfaceStage.run { stage in
            for number in 0..<5 {
                try await stage.grant("run-\(number)", to: Self.key)
                try await stage.untilDecided(number + 1)
            }
            let logKey = stage.playground.keys.log
            let logID = stage.playground.logID
            let newest = try await stage.get("/v1/checkpoint")
            #expect(newest.status == 200 && newest.field("cache-control") == "public, no-cache")
            #expect(newest.field("content-type") == "text/plain; charset=utf-8")
            let last = try VerifiedCheckpoint(try SignedNote(parsing: newest.text), logKey: logKey, logID: logID)
            let size = last.checkpoint.size
            try #require(size >= 5)

            let ledger = try await stage.ledger()
            let batches = try await ledger.ledger.batches(from: 0, limit: Int(size))
            await ledger.close()
            for batch in batches {
                for (index, receipt) in batch.groups.flatMap(\.effects).map(\.receipt).enumerated() {
                    let position = batch.firstPosition + Int64(index)
                    for asked in [nil, size] as [UInt64?] {
                        let query = asked.map { "?size=\($0)" } ?? ""
                        let answer = try await stage.get("/v1/proofs/inclusion/\(position)\(query)")
                        #expect(answer.status == 200)
                        #expect(answer.field("cache-control")?.contains("immutable") == true)
                        let proof = try InclusionProof(parsing: answer.body)
                        let verified = try proof.verify(receipt: receipt, logKey: logKey, logID: logID)
                        #expect(verified.position.value == position)
                        #expect(verified.checkpoint.checkpoint.size == asked ?? UInt64(batch.number) + 1)
                    }
                    let id = try Receipt(parsing: receipt).id.rawValue
                    let named = try await stage.get("/v1/batches/\(batch.number)/receipts/\(id)/proof")
                    #expect(try InclusionProof(parsing: named.body).index == index)
                    let compatible = try await stage.get("/v1/proofs/inclusion/\(position)?form=clawlogs")
                    #expect(compatible.json["leaf_hash_b64u"]?.string == Digest(hashing: receipt).b64u)
                }
            }
            for first in 1...size {
                let answer = try await stage.get("/v1/proofs/consistency?first=\(first)&second=\(size)")
                let older = try VerifiedCheckpoint(
                    try SignedNote(parsing: try #require(answer.json["first"]?.string)), logKey: logKey, logID: logID)
                let path = try #require(answer.json["path"]?.array)
                    .compactMap { $0.string.flatMap { Digest(b64u: $0) } }
                try older.verifyPrefix(of: last, path: path)
                #expect(older.checkpoint.size == first)
                let sized = try await stage.get("/v1/checkpoints/\(first)")
                #expect(sized.text == answer.json["first"]?.string)
            }
        }
    }

    @Test func whatNeverChangesIsNotSentTwice() async throws {
        try await SurfaceStage.run { stage in
            try await stage.grant("cached", to: Self.key)
            try await stage.untilDecided(1)
            for path in ["/v1/checkpoints/1", "/v1/checkpoint", "/v1/proofs/inclusion/0", "/openapi.yaml"] {
                let first = try await stage.get(path)
                let tag = try #require(first.field("etag"))
                #expect(first.status == 200)
                for value in [tag, "\"x\", W/\(tag)", "*"] {
                    let again = try await stage.get(path, fields: [("if-none-match", value)])
                    #expect(again.status == 304 && again.body.isEmpty && again.field("etag") == tag, "\(path)")
                }
                #expect(try await stage.get(path, fields: [("if-none-match", "\"other\"")]).status == 200)
            }
        }
    }

    @Test func cosignaturesAreAddedAndChangeNoSealedNote() async throws {
        try await SurfaceStage.run { stage in
            try await stage.grant("witnessed", to: Self.key)
            try await stage.untilDecided(1)
            #expect(try await stage.get("/v1/checkpoint/cosigned").status == 404)
            let sealed = try await stage.get("/v1/checkpoints/1")
            let witness = try #require(SeedSigner(seed: [UInt8](repeating: 9, count: 32)))
            let note = try SignedNote(parsing: sealed.text)
                .cosigned(name: "witness.example", at: .playgroundNow, signer: witness)
            let key = try #require(
                NoteKey(name: "witness.example", publicKey: witness.publicKey, algorithm: .cosignature))
            let ledger = try await stage.ledger()
            let cosigned = try CosignedCheckpoint(
                note, sealed: try SignedNote(parsing: sealed.text),
                logKeys: [stage.playground.keys.log], logID: stage.playground.logID, witnesses: [key])
            #expect(try await ledger.ledger.store(cosigned).count == 1)
            await ledger.close()
            for path in ["/v1/checkpoint/cosigned", "/v1/checkpoints/1/cosigned"] {
                let answer = try await stage.get(path)
                #expect(answer.text == note.encoded, "\(path)")
                #expect(answer.field("cache-control") == "public, no-cache")
            }
            #expect(try await stage.get("/v1/checkpoints/1").text == sealed.text)
        }
    }

    @Test func whatDoesNotExistIsSaid() async throws {
        try await SurfaceStage.run { stage in
            try await stage.grant("only", to: Self.key)
            try await stage.untilDecided(1)
            for path in [
                "/v1/checkpoints/1000000", "/v1/proofs/inclusion/1000000",
                "/v1/proofs/consistency?first=1&second=1000000",
                "/v1/batches/0/receipts/\(Digest(hashing: "x").b64u)/proof", "/v1/proofs/inclusion/0?size=1000000",
            ] {
                let answer = try await stage.get(path)
                #expect(answer.status == 404 && answer.json["code"]?.string == "NOT_FOUND", "\(path)")
            }
            for path in [
                "/v1/checkpoints/0", "/v1/checkpoints/-1", "/v1/checkpoints/x", "/v1/proofs/inclusion/1.0",
                "/v1/proofs/consistency", "/v1/proofs/consistency?first=2&second=1",
                "/v1/proofs/consistency?first=1&first=1&second=1", "/v1/proofs/inclusion/0?size=0",
                "/v1/proofs/inclusion/0?form=other", "/v1/batches/0/receipts/x/proof",
                "/v1/proofs/inclusion/99999999999999999999",
            ] {
                #expect(try await stage.get(path).status == 400, "\(path)")
            }
        }
    }
}
