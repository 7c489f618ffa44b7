import ClawWire
import Fsck
import ReceiptLog

extension Corruption {
    /// Damage to single records and their positions.
    static let records: [Corruption] = [
        Corruption(
            "a record is lost", [(.sequenceGap, "decisions 20"), (.effectMissing, "batch 4 receipt 11")]
        ).spoiled { $0.topics["decisions"]?.remove(at: 20) },
        Corruption(
            "a run of records is lost",
            [(.sequenceGap, "grants 3"), (.effectMissing, "batch 2 receipt 1"), (.effectMissing, "batch 3 receipt 1")]
        ).spoiled { $0.topics["grants"]?.removeSubrange(3...4) },
        Corruption(
            "the first record of a stream is lost",
            [(.sequenceGap, "revocations 0"), (.effectMissing, "batch 2 receipt 0")]
        ).spoiled { $0.topics["revocations"]?.remove(at: 0) },
        Corruption("the last record of a stream is lost", .effectMissing, at: "batch 4 receipt 32")
            .spoiled { $0.topics["decisions"]?.removeLast() },
        Corruption("two records under one position", .sequenceConflict, at: "claw.decisions.v1/0@21")
            .spoiled {
                try $0.append("decisions", copyOf: 2) { $0.with(key: Array("other".utf8)) }
            },
        Corruption("a repeat in another partition", .sequenceMoved, at: "claw.decisions.v1/1@21")
            .spoiled { try $0.append("decisions", copyOf: 2) { $0.with(partition: 1) } },
        Corruption("records of a partition are out of order", .sequenceOutOfOrder, at: "claw.decisions.v1/1@4")
            .spoiled { log in
                try log.change("decisions", 9) { $0.with(offset: 5) }
                try log.change("decisions", 11) { $0.with(offset: 4) }
            },
        Corruption(
            "a record without a position",
            [
                (.recordUnnumbered, "claw.dead-letters.v1/0@0"), (.effectMissing, "batch 0 receipt 4"),
            ]
        ).spoiled { try $0.change("dead-letters", 0) { $0.with(header: "claw_seq", nil) } },
        Corruption(
            "a position with a leading zero",
            [(.recordUnnumbered, "claw.decisions.v1/0@1"), (.sequenceGap, "decisions 2")], also: [.effectMissing]
        ).spoiled { try $0.change("decisions", 2) { $0.with(header: "claw_seq", "02") } },
        Corruption(
            "a record of another stream", .recordWrongStream, at: "claw.dead-letters.v1/0@0", also: [.effectMissing]
        ).spoiled { try $0.change("dead-letters", 0) { $0.with(header: "claw_stream", "grants") } },
        Corruption(
            "a record is renumbered",
            [(.sequenceGap, "dead-letters 0"), (.recordIdentity, "claw.dead-letters.v1/0@0")]
        ).spoiled { try $0.change("dead-letters", 0) { $0.with(header: "claw_seq", "1") } },
        Corruption("another ce_id", .recordIdentity, at: "claw.grants.v1/1@0")
            .spoiled { try $0.change("grants", 1) { $0.with(header: "ce_id", "other/grants/1") } },
        Corruption("a record names another batch", .recordBatch, at: "claw.grants.v1/1@0")
            .spoiled { try $0.change("grants", 1) { $0.with(header: "claw_batch", "1") } },
        Corruption("another key", .recordKey, at: "claw.grants.v1/0@0")
            .spoiled { try $0.change("grants", 0) { $0.with(key: Array("job-other".utf8)) } },
        Corruption(
            "a record that is no JSON", .recordUnreadable, at: "claw.decisions.v1/0@1", also: [.effectMissing]
        ).spoiled { try $0.change("decisions", 2) { $0.with(value: Array("{\"a\":".utf8)) } },
        Corruption(
            "a record with white space", .recordNotCanonical, at: "claw.decisions.v1/0@1", also: [.effectMissing]
        ).spoiled { try $0.replace("decisions", 2, "{\"clawgrant\":", "{ \"clawgrant\":") },
        Corruption(
            "a record with its members out of order", .recordNotCanonical, at: "claw.dead-letters.v1/0@0",
            also: [.effectMissing]
        ).spoiled {
            try $0.replace("dead-letters", 0, "{\"dead_letter_version\":", "{\"z\":1,\"dead_letter_version\":")
        },
        Corruption("a member that nobody knows", .recordUnknownMember, at: "claw.grants.v1/0@0")
            .spoiled { try $0.edit("grants", 0) { $0["approved_by"] = "nobody" } },
        Corruption("a member that nobody knows, inside", .recordUnknownMember, at: "claw.decisions.v1/0@0")
            .spoiled { try $0.edit("decisions", 0) { $0.within("clawgrant") { $0["note"] = "x" } } },
        Corruption("a record that follows from no receipt", .effectStray, at: "claw.grants.v1/1@7")
            .spoiled { log in
                try log.append("grants", copyOf: 1) {
                    $0.with(header: "claw_seq", "15").with(header: "ce_id", "\(Forge.logID)/grants/15")
                }
                try log.edit("grants", 15) { $0["receipt_id"] = .string(Digest(hashing: "none").b64u) }
            },
        Corruption("a second record of one receipt", .effectStray, at: "claw.grants.v1/1@7")
            .spoiled { log in
                try log.append("grants", copyOf: 1) {
                    $0.with(header: "claw_seq", "15").with(header: "ce_id", "\(Forge.logID)/grants/15")
                }
            },
        Corruption("records that changed places", .effectOrder, at: "claw.decisions.v1/0@10")
            .spoiled { log in
                let (a, b) = (20, 18)
                let (first, second) = ((log.topics["decisions"] ?? [])[a], (log.topics["decisions"] ?? [])[b])
                log.topics["decisions"]?[a] = first.with(key: second.key, value: second.value)
                log.topics["decisions"]?[b] = second.with(key: first.key, value: first.value)
            },
        Corruption("another digest of the receipt", .recordDigest, at: "claw.grants.v1/0@0")
            .spoiled { try $0.edit("grants", 0) { $0["receipt_digest_b64u"] = .string(Digest(hashing: "x").b64u) } },
        Corruption("a wider scope in the grant's record", .grantMismatch, at: "claw.grants.v1/0@0")
            .spoiled { try $0.edit("grants", 0) { $0.within("granted") { $0["scope"] = ["proxy:call", "*"] } } },
        Corruption("another token in the grant's record", .grantMismatch, at: "claw.grants.v1/0@0")
            .spoiled {
                try $0.edit("grants", 0) { $0.within("token") { $0["token_hash"] = .string(Digest(hashing: "t").hex) } }
            },
        Corruption("another job in the grant's record", .grantMismatch, at: "claw.grants.v1/0@1")
            .spoiled { try $0.edit("grants", 2) { $0["job_id"] = "job-other" } },
        Corruption("another outcome in the decision", .decisionMismatch, at: "claw.decisions.v1/0@1")
            .spoiled { try $0.edit("decisions", 2) { $0.within("clawgrant") { $0["outcome"] = "expired" } } },
        Corruption("a denial that reads as granted", .decisionMismatch, at: "claw.decisions.v1/0@1")
            .spoiled { try $0.edit("decisions", 2) { $0["decision"] = "granted" } },
        Corruption("another reason in the decision", .decisionMismatch, at: "claw.decisions.v1/0@1")
            .spoiled { try $0.edit("decisions", 2) { $0["reason"] = "because" } },
        Corruption("another cause in the revocation", .revocationMismatch, at: "claw.revocations.v1/0@1")
            .spoiled { try $0.edit("revocations", 1) { $0["cause"] = "requested" } },
        Corruption(
            "a revocation of another token",
            [(.revocationMismatch, "claw.revocations.v1/0@1"), (.recordKey, "claw.revocations.v1/0@1")]
        ).spoiled { log in
            let hash = Digest(hashing: "other").hex
            try log.edit("revocations", 1) { $0["token_hash"] = .string(hash) }
            try log.change("revocations", 1) { $0.with(key: Array(hash.utf8)) }
        },
        Corruption("a cut-off with an earlier instant", .cutoffMismatch, at: "claw.revocations.v1/0@0")
            .spoiled { try $0.edit("revocations", 0) { $0["not_issued_before"] = .integer(Forge.noon.seconds) } },
        Corruption("a cut-off of another scope", .cutoffMismatch, at: "claw.revocations.v1/0@0")
            .spoiled { try $0.edit("revocations", 0) { $0.within("scope") { $0["value"] = "other" } } },
        Corruption("another origin of the dead letter", .deadLetterMismatch, at: "claw.dead-letters.v1/0@0")
            .spoiled { try $0.edit("dead-letters", 0) { $0.within("origin") { $0["offset"] = 5 } } },
        Corruption("another count in the control result", .controlResultMismatch, at: "claw.control-results.v1/0@1")
            .spoiled { try $0.edit("control-results", 1) { $0["grants_before"] = 3 } },
        Corruption("an added member in the control result", .controlResultMismatch, at: "claw.control-results.v1/0@1")
            .spoiled { try $0.edit("control-results", 1) { $0["severity"] = "low" } },
        Corruption("another severity of a finding", .findingMismatch, at: "claw.findings.v1/0@0")
            .spoiled { try $0.edit("findings", 0) { $0["severity"] = "notice" } },
        Corruption("another mark of a budget", .findingMismatch, at: "claw.findings.v1/0@1")
            .spoiled { try $0.edit("findings", 1) { $0.within("budget") { $0["used"] = 1 } } },
        Corruption("the end of a revocation that nothing ended", .effectStray, at: "claw.revocations.v1/0@3")
            .spoiled { log in
                try log.append("revocations", copyOf: 1) { record in
                    FsckRecord(
                        partition: 0, offset: 0, timestamp: nil, key: record.key, value: nil,
                        headers: [
                            ("claw_stream", Array("revocations".utf8)), ("claw_seq", Array("2".utf8)),
                            ("claw_batch", Array("5".utf8)),
                        ])
                }
            },
        Corruption("a revocation that does not end", .effectMissing, at: "batch 5 receipt 1")
            .forged { forge in
                var end = HealthyLog.end(of: Hex.encode(forge.batches[2][1].tokenHash))
                end.outputs = []
                forge.batches[5].append(end)
            },
        Corruption("another sibling in a grant's proof", .grantProof, at: "claw.grants.v1/0@3")
            .spoiled {
                try $0.edit("grants", 6) {
                    $0.within("proof") { proof in
                        var path = proof["path"]?.array ?? []
                        path[2] = .string(Digest(hashing: "sibling").b64u)
                        proof["path"] = .array(path)
                    }
                }
            },
        Corruption("a shortened proof", .grantProof, at: "claw.grants.v1/0@3")
            .spoiled {
                try $0.edit("grants", 6) {
                    $0.within("proof") { $0["path"] = .array(Array(($0["path"]?.array ?? []).dropLast())) }
                }
            },
        Corruption("another index in a grant's proof", .grantProof, at: "claw.grants.v1/0@3")
            .spoiled { try $0.edit("grants", 6) { $0.within("proof") { $0["index"] = 1 } } },
        Corruption("another header in a grant's proof", .grantProof, at: "claw.grants.v1/0@3")
            .spoiled {
                try $0.edit("grants", 6) {
                    $0.within("proof") { $0["header_hash_b64u"] = .string(Digest(hashing: "h").b64u) }
                }
            },
        Corruption("another delivery than was decided", .deliveryMode, at: "claw.grants.v1/0@0")
            .spoiled { log in
                try log.edit("grants", 0) { grant in
                    grant["delivery"] = ["mode": "reference", "reference": grant["token"]?["jti"] ?? .null]
                }
            },
        Corruption("a sealed token that is none", .deliveryMalformed, at: "claw.grants.v1/0@0")
            .spoiled { try $0.edit("grants", 0) { $0.within("delivery") { $0["jwe"] = "a.b.c.d" } } },
        Corruption("a reference to another token", .deliveryReference, at: "claw.grants.v1/1@0")
            .spoiled { try $0.edit("grants", 1) { $0.within("delivery") { $0["reference"] = "other" } } },
        Corruption(
            "another token in the clear",
            [(.deliveryMalformed, "claw.grants.v1/0@1"), (.secretToken, "claw.grants.v1/0@1")]
        )
        .spoiled { try $0.edit("grants", 2) { $0.within("delivery") { $0["token"] = .string(HealthyLog.loose) } } },
        Corruption("a grant without a delivery", .deliveryMalformed, at: "claw.grants.v1/1@0")
            .spoiled { try $0.edit("grants", 1) { $0["delivery"] = nil } },
    ]

    /// Tokens and keys where nobody may find them.
    static let secrets: [Corruption] = [
        Corruption("a token in a header", .secretToken, at: "claw.decisions.v1/0@1")
            .spoiled { try $0.change("decisions", 2) { $0.with(header: "x-debug", HealthyLog.loose) } },
        Corruption("a token in a key", [(.secretToken, "claw.dead-letters.v1/0@0"), (.recordKey, "claw.dead-letters")])
            .spoiled { try $0.change("dead-letters", 0) { $0.with(key: Array(HealthyLog.loose.utf8)) } },
        Corruption("a token in an excerpt", .secretToken, at: "claw.dead-letters.v1/0@0")
            .spoiled {
                try $0.edit("dead-letters", 0) {
                    $0.within("excerpt") { $0["text"] = .string("Bearer \(HealthyLog.loose)") }
                }
            },
        Corruption("a token in a receipt", .secretToken, at: "batch 0 receipt 3")
            .forged { $0.batches[0][3].edit { $0["worker_id"] = .string(HealthyLog.loose) } },
        Corruption("a sealed token outside of a delivery", .secretSealedToken, at: "claw.decisions.v1/0@1")
            .spoiled { try $0.change("decisions", 2) { $0.with(header: "x-debug", HealthyLog.sealed) } },
        Corruption("a private key in an excerpt", .secretPrivateKey, at: "claw.dead-letters.v1/0@0")
            .spoiled {
                try $0.edit("dead-letters", 0) {
                    $0.within("excerpt") { $0["text"] = "-----BEGIN PRIVATE KEY-----" }
                }
            },
        Corruption("a token in the clear that its class does not allow", .secretPlainDelivery, at: "batch 0 receipt 1")
            .forged { $0.batches[0][1] = try HealthyLog.grant("g0") { $0.delivery = .plain } },
        Corruption("a token in the ledger", .secretToken, at: "clawgrant.effect_group 1").withLedger.forged { forge in
            forge.batches[0][3].edit { $0["worker_id"] = .string(HealthyLog.loose) }
        },
    ]

    /// Heads of the revocations topic.
    static let heads: [Corruption] = [
        Corruption("a head that claims too much", .headSequence, at: "claw.revocations.v1/0@2")
            .forged { $0.headPlace = { $0.nextSequence = 3 } },
        Corruption("a head that stands too late", .headSequence, at: "claw.revocations.v1/0@2")
            .forged { $0.headPlace = { $0.nextSequence = 1 } },
        Corruption("a head by a stranger", .headSignerUnknown, at: "claw.revocations.v1/0@2")
            .forged { $0.headPlace = { $0.signer = Forge.signer("stranger") } },
        Corruption("a head of another log", .headLog, at: "claw.revocations.v1/0@2")
            .forged { $0.headPlace = { $0.logID = "logs.harborline.example/other" } },
        Corruption("an altered head", .headSignatureInvalid, at: "claw.revocations.v1/0@2")
            .spoiled { try $0.edit("revocations", 2) { $0["swept_position"] = 5 } },
        Corruption("a head that does not read", .headUnreadable, at: "claw.revocations.v1/0@2")
            .spoiled { try $0.edit("revocations", 2) { $0["head_version"] = "2" } },
        Corruption("a head whose time went back", .headTimeReversed, at: "claw.revocations.v1/0@3")
            .spoiled { log in
                let older = try headed { $0.asOf = Forge.noon }
                log.topics["revocations"]?.append(older.with(offset: 3))
            },
        // A sealer that slept may send one over a broker that fences nobody: it is behind, and has forgotten nothing.
        Corruption("an older head that knew less", .headTimeReversed, at: "claw.revocations.v1/0@3")
            .spoiled { log in
                let older = try headed {
                    $0.asOf = Forge.noon
                    $0.controlPosition = 5
                }
                log.topics["revocations"]?.append(older.with(offset: 3))
            },
        Corruption("a head that forgot a control event", .headControlPosition, at: "claw.revocations.v1/0@3")
            .spoiled { log in
                let other = try headed { $0.controlPosition = 5 }
                log.topics["revocations"]?.append(other.with(offset: 3))
            },
        Corruption("a head that is gone", .headMissing, at: "claw.revocations.v1")
            .spoiled { $0.topics["revocations"]?.removeLast() },
        Corruption("a newest head that is gone", .headBehind, at: "claw.revocations.v1")
            .spoiled { log in
                let older = try headed {
                    $0.asOf = Forge.noon
                    $0.nextSequence = 1
                }
                log.topics["revocations"]?.removeLast()
                log.topics["revocations"]?.insert(older.with(offset: 1), at: 1)
                try log.change("revocations", 2) { $0.with(offset: 2) }
            },
    ]

    /// The head of a log whose heads are made otherwise.
    private static func headed(
        _ change: @escaping (inout Forge.RevocationHeadParts) -> Void
    ) throws -> FsckRecord {
        var forge = try HealthyLog.forge()
        forge.headPlace = change
        guard let head = try forge.publish().topics["revocations"]?.last else {
            throw FsckError("a forged log has a head")
        }
        return head
    }
}
