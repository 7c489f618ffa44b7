import ClawWire
import Foundation
import Fsck
import ReceiptLog

extension Corruption {
    private static let other = JSONValue.string(Digest(hashing: "other").b64u)

    private static func header(
        _ name: String, _ expected: [(FindingCode, String)], batch: Int = 5, also: Set<FindingCode> = [],
        _ change: @escaping @Sendable (inout JSONObject) -> Void
    ) -> Corruption {
        Corruption(name, expected, also: also).forged { forge in
            forge.onHeader = { number, header in if number == batch { change(&header) } }
        }
    }

    /// Damage to batches, by strangers and by those who hold the log's key.
    static let batches: [Corruption] = [
        Corruption(
            "a byte of a receipt is another",
            [
                (.headerRoot, "batch 0"), (.headerClawlogsRoot, "batch 0"),
                (.recordDigest, "claw.decisions.v1/0@1"),
            ]
        ).spoiled { log in
            try log.edit("receipts.batches", 0) { record in
                var receipts = record["receipts"]?.array ?? []
                var denial = receipts[3].object ?? JSONObject()
                denial["worker_id"] = "worker-2"
                receipts[3] = .object(denial)
                record["receipts"] = .array(receipts)
            }
        },
        Corruption(
            "two receipts changed places", [(.headerRoot, "batch 0"), (.headerClawlogsRoot, "batch 0")],
            also: [.receiptID]
        ).spoiled {
            try $0.edit("receipts.batches", 0) { record in
                var receipts = record["receipts"]?.array ?? []
                receipts.swapAt(3, 4)
                record["receipts"] = .array(receipts)
            }
        },
        Corruption(
            "a receipt is left out",
            [
                (.headerCount, "batch 1"), (.headerCounts, "batch 1"), (.headerRoot, "batch 1"),
                (.headerClawlogsRoot, "batch 1"),
            ], also: [.grantProof]
        ).spoiled {
            try $0.edit("receipts.batches", 1) { record in
                record["receipts"] = .array(Array((record["receipts"]?.array ?? []).dropLast()))
            }
        },
        Corruption(
            "a batch is lost", [(.sequenceGap, "receipts.batches 1"), (.headerNumberGap, "batch 2")],
            also: [.effectStray, .controlPositionGap, .stopGrantsBefore]
        ).spoiled { $0.topics["receipts.batches"]?.remove(at: 1) },
        Corruption(
            "a batch is there twice under two positions",
            [
                (.headerNumberGap, "claw.receipts.batches.v1/0@6"), (.batchSequence, "claw.receipts.batches.v1/0@6"),
                (.receiptRepeated, "batch 5 receipt 0"),
            ],
            also: [.checkpointSize, .checkpointRoot]
        ).spoiled {
            try $0.append("receipts.batches", copyOf: 5) {
                $0.with(header: "claw_seq", "6").with(header: "ce_id", "\(Forge.logID)/receipts.batches/6")
            }
        },
        Corruption(
            "a header is altered", [(.batchSignatureInvalid, "batch 5"), (.checkpointRoot, "batch 5")]
        ).spoiled {
            try $0.edit("receipts.batches", 5) {
                $0.within("header") { $0["sealed_at"] = .string(Forge.noon.adding(seconds: 900).iso8601) }
            }
        },
        Corruption("a signature over something else", .batchSignatureInvalid, at: "batch 5")
            .spoiled {
                try $0.edit("receipts.batches", 5) {
                    $0.within("signature") {
                        $0["signature_b64u"] = .string((try? Forge.log.sign([1, 2, 3]).b64u) ?? "")
                    }
                }
            },
        Corruption("a signature that is none", .batchSignatureInvalid, at: "batch 5")
            .spoiled {
                try $0.edit("receipts.batches", 5) { $0.within("signature") { $0["signature_b64u"] = "AAAA" } }
            },
        Corruption("a stranger signs a batch", .batchSignerUnknown, at: "batch 5")
            .forged { $0.batchSigner = { $0 == 5 ? Forge.signer("stranger") : Forge.log } },
        Corruption(
            "a batch that is no JSON", .batchUnreadable, at: "claw.receipts.batches.v1/0@5"
        ).spoiled { try $0.change("receipts.batches", 5) { $0.with(value: Array("{\"header\":{}".utf8)) } },
        Corruption("a batch without a signature", .batchUnreadable, at: "claw.receipts.batches.v1/0@5")
            .spoiled { try $0.edit("receipts.batches", 5) { $0["signature"] = nil } },
        Corruption("a batch with white space", .batchNotCanonical, at: "claw.receipts.batches.v1/0@5")
            .spoiled { try $0.replace("receipts.batches", 5, ",\"receipts\":", ", \"receipts\":") },
        Corruption("a number in another spelling", .batchNotCanonical, at: "claw.receipts.batches.v1/0@5")
            .spoiled { try $0.replace("receipts.batches", 5, "\"number\":5", "\"number\":5.0") },
        Corruption("an escape in another spelling", .batchNotCanonical, at: "claw.receipts.batches.v1/0@5")
            .spoiled {
                try $0.replace("receipts.batches", 5, "\"kind\":\"heartbeat\"", "\"kind\":\"\\u0068eartbeat\"")
            },
        Corruption("a batch with a member that nobody knows", .batchUnknownMember, at: "claw.receipts.batches.v1/0@5")
            .spoiled { try $0.edit("receipts.batches", 5) { $0["comment"] = "x" } },
        Corruption("a batch that is too large", .batchTooLarge, at: "claw.receipts.batches.v1/0@5")
            .spoiled {
                try $0.change("receipts.batches", 5) {
                    $0.with(value: ($0.value ?? []) + [UInt8](repeating: 0x20, count: 1 << 20))
                }
            },
        Corruption("a batch under another key", .batchKey, at: "batch 5")
            .spoiled { try $0.change("receipts.batches", 5) { $0.with(key: Array("other".utf8)) } },
        header("a header without a member", [(.headerUnreadable, "claw.receipts.batches.v1/0@5")]) {
            $0["sealed_at"] = nil
        },
        header("a header with a member that nobody knows", [(.headerUnreadable, "claw.receipts.batches.v1/0@5")]) {
            $0["comment"] = "x"
        },
        header("a batch of another log", [(.headerLog, "batch 2")], batch: 2) { $0["log_id"] = "other.example/log" },
        header(
            "a batch with another number",
            [(.headerNumberGap, "batch 7"), (.batchSequence, "batch 7"), (.recordBatch, "batch 7")],
            also: [.checkpointSize]
        ) { $0["number"] = 7 },
        header("a chain with another predecessor", [(.headerChainBroken, "batch 3")], batch: 3) {
            $0["previous_header_hash_b64u"] = other
        },
        header("a first batch of another log", [(.headerChainBroken, "batch 0")], batch: 0) {
            $0["previous_header_hash_b64u"] = other
        },
        header("a gap in the positions", [(.headerPositionGap, "batch 3")], batch: 3) {
            $0["first_position"] = 14
            $0["last_position"] = 19
        },
        header("an overlap of positions", [(.headerPositionGap, "batch 3")], batch: 3) {
            $0["first_position"] = 12
            $0["last_position"] = 17
        },
        header("positions that are not as many as receipts", [(.headerPositionRange, "batch 5")]) {
            $0["last_position"] = 53
        },
        header("a count that is too large", [(.headerCount, "batch 5"), (.headerPositionRange, "batch 5")]) {
            $0["count"] = 2
        },
        header("other counts of kinds", [(.headerCounts, "batch 5")]) { $0["counts"] = ["heartbeat": 2] },
        header("another kind in the counts", [(.headerCounts, "batch 5")]) { $0["counts"] = ["revocation": 1] },
        header("other rules in the header", [(.headerRules, "batch 5")]) { $0["rules_hashes_b64u"] = [other] },
        header("another key in the header", [(.headerKeys, "batch 5")]) { $0["key_ids"] = ["0123456789abcdef"] },
        header("another root", [(.headerRoot, "batch 5")]) { $0["root_b64u"] = other },
        header("another root by the reference log's rule", [(.headerClawlogsRoot, "batch 5")]) {
            $0["clawlogs_root_b64u"] = other
        },
        Corruption("a time that went back", .headerTimeReversed, at: "batch 5")
            .forged { $0.sealedAt = { Forge.noon.adding(seconds: $0 == 5 ? 61 : Int64($0) * 10 + 60) } },
        Corruption("another signature under the compatible root", .batchRootSignatureInvalid, at: "batch 4")
            .forged { forge in
                forge.onRecord = { number, record in
                    guard number == 4 else { return }
                    record.within("clawlogs_root_signature") { $0["sig_b64u"] = $0["statement_sig_b64u"] }
                }
            },
        Corruption("another statement about the compatible root", .batchStatementInvalid, at: "batch 4")
            .forged { forge in
                forge.onRecord = { number, record in
                    guard number == 4 else { return }
                    record.within("clawlogs_root_signature") { $0["statement_sig_b64u"] = $0["sig_b64u"] }
                }
            },
        Corruption("a stranger signs the compatible root", .batchSignerUnknown, at: "batch 4")
            .forged { forge in
                forge.onRecord = { number, record in
                    guard number == 4 else { return }
                    record.within("clawlogs_root_signature") {
                        $0["signer_did"] = .string(Forge.signer("stranger").publicKey.did)
                    }
                }
            },
    ]

    /// Damage to checkpoints.
    static let checkpoints: [Corruption] = [
        Corruption("two histories under one size", .checkpointRoot, at: "batch 3")
            .forged { forge in
                forge.onCheckpoint = { number, parts in if number == 3 { parts.root = Digest(hashing: "fork") } }
            },
        Corruption("a checkpoint of another size", .checkpointSize, at: "batch 3")
            .forged { $0.onCheckpoint = { number, parts in if number == 3 { parts.size = 3 } } },
        Corruption("a checkpoint of another log", [(.checkpointOrigin, "batch 3"), (.checkpointUnsigned, "batch 3")])
            .forged { $0.onCheckpoint = { number, parts in if number == 3 { parts.origin = "other.example/log" } } },
        Corruption("a checkpoint under another signature", .checkpointSignatureInvalid, at: "batch 3")
            .forged { forge in
                forge.onNote = { number, note in
                    guard number == 3,
                        let other = try? Checkpoint(origin: Forge.logID, size: 9, root: Digest(hashing: "x"))
                            .signed(by: Forge.log).encoded,
                        let line = other.split(separator: "\n").last, let own = note.split(separator: "\n").last
                    else { return }
                    note.replace(own, with: line)
                }
            },
        Corruption("a checkpoint that only a stranger signed", .checkpointUnsigned, at: "batch 3")
            .forged { forge in
                forge.onNote = { number, note in
                    guard number == 3, let text = note.components(separatedBy: "\n\n").first,
                        let checkpoint = try? Checkpoint(parsing: text + "\n"),
                        let signed = try? checkpoint.signed(by: Forge.signer("stranger"))
                    else { return }
                    note = signed.encoded
                }
            },
        Corruption("a checkpoint that is none", .checkpointUnreadable, at: "batch 3")
            .forged { $0.onNote = { number, note in if number == 3 { note = "nothing\n" } } },
        Corruption("a checkpoint with a size in another spelling", .checkpointUnreadable, at: "batch 3")
            .forged { $0.onNote = { number, note in if number == 3 { note.replace("\n4\n", with: "\n04\n") } } },
    ]

    /// Damage to single receipts by those who hold the log's key.
    static let receipts: [Corruption] = [
        Corruption("another identifier", .receiptID, at: "batch 0 receipt 4")
            .forged { $0.batches[0][4].edit { $0["receipt_id"] = other } },
        Corruption("a member that nobody knows in a receipt", .receiptUnknownMember, at: "batch 0 receipt 4")
            .forged { $0.batches[0][4].edit { $0["note"] = "x" } },
        Corruption("a member of another kind of receipt", .receiptUnknownMember, at: "batch 5 receipt 0")
            .forged { $0.batches[5][0].edit { $0["rule"] = "x" } },
        Corruption("a key that is not its kid's", .receiptMember, at: "batch 0 receipt 0", also: [.keyUnannounced])
            .forged { $0.batches[0][0].edit { $0.within("key") { $0["kid"] = "0123456789abcdef" } } },
        Corruption("a time in another spelling", .receiptMember, at: "batch 5 receipt 0")
            .forged { $0.batches[5][0].edit { $0["occurred_at"] = "2026-03-01T12:00:09Z" } },
        Corruption("a receipt without its worker", .receiptMember, at: "batch 5 receipt 0")
            .forged { $0.batches[5][0].edit { $0["worker_id"] = nil } },
        Corruption("a receipt that is too large", .receiptTooLarge, at: "batch 5 receipt 0")
            .forged {
                $0.batches[5][0].edit {
                    $0["reasons"] = [["code": "X", "detail": .string(String(repeating: "x", count: 66_000))]]
                }
            },
        Corruption("a receipt that is there twice", .receiptRepeated, at: "batch 5 receipt 0")
            .forged { $0.batches[5][0] = try HealthyLog.heartbeat() },
        Corruption("a receipt from after its sealing", .receiptAfterSealing, at: "batch 0 receipt 4")
            .forged { $0.sealedAt = { Forge.noon.adding(seconds: Int64($0) * 4_000 - 3_600) } },
    ]
}
