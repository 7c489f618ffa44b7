import ClawWire
import Foundation
import Fsck
import ReceiptLog

/// One effect of a forged log: a receipt, and the records that follow from it.
struct ForgedEffect {
    struct Output {
        let stream: String
        var key: [UInt8]
        /// The published value; of a grant the part without delivery and proof.
        var value: JSONObject
    }

    var receipt: JSONObject
    var outputs: [Output]
    var claims: [UInt8] = []
    var tokenHash: [UInt8] = []
    var kid = ""
    var delivery: JSONValue = .null

    var bytes: [UInt8] { JSONWriter.bytes(.object(receipt), order: .canonical) }

    /// Changes the receipt and lets its records name the changed one: what somebody does who holds every key.
    mutating func edit(_ change: (inout JSONObject) -> Void) {
        change(&receipt)
        let digest = JSONValue.string(Digest(hashing: bytes).b64u)
        for index in outputs.indices {
            if outputs[index].value.isEmpty { continue }
            if var ours = outputs[index].value["clawgrant"]?.object {
                ours["receipt_id"] = receipt["receipt_id"]
                ours["receipt_digest_b64u"] = digest
                outputs[index].value["clawgrant"] = .object(ours)
            } else {
                outputs[index].value["receipt_id"] = receipt["receipt_id"]
                outputs[index].value["receipt_digest_b64u"] = digest
            }
        }
    }
}

/// What a forged log publishes and stores, ready to be spoiled.
struct ForgedLog {
    var topics: [String: [FsckRecord]] = [:]
    var ledgerBatches: [LedgerBatch] = []
    var ledgerGroups: [LedgerGroup] = []
    var ledgerRequests: [LedgerRequest] = []
    var ledgerApprovals: [LedgerApproval] = []
    var ledgerControlEvents: [LedgerControlEvent] = []
    var ledgerControlPosition: Int64 = 0
    var unsealed: [Int64] = []
}

/// Makes a log as the sealer and the publisher do, with a place to interfere at every step: what comes after the
/// interference is consistent with it and signed.
struct Forge {
    static let logID = "logs.harborline.example/clawgrant"
    static let noon = Timestamp(seconds: 1_772_366_400)

    static func seed(_ name: String) -> [UInt8] { Digest(hashing: "fsck-tests:\(name)").bytes }

    static func signer(_ name: String) -> SeedSigner {
        guard let signer = SeedSigner(seed: seed(name)) else {
            preconditionFailure("a digest has the 32 bytes of a seed")
        }
        return signer
    }

    static let log = signer("log")
    static let token = signer("token")
    static let policy = signer("policy")

    var batches: [[ForgedEffect]]
    var sealedAt: (Int) -> Timestamp = { Forge.noon.adding(seconds: Int64($0) * 10 + 60) }
    var onHeader: (Int, inout JSONObject) -> Void = { _, _ in }
    var onReceipts: (Int, inout [[UInt8]]) -> Void = { _, _ in }
    var onCheckpoint: (Int, inout (origin: String, size: UInt64, root: Digest)) -> Void = { _, _ in }
    var onNote: (Int, inout String) -> Void = { _, _ in }
    var onRecord: (Int, inout JSONObject) -> Void = { _, _ in }
    var onProof: (Int, inout JSONObject) -> Void = { _, _ in }
    var batchSigner: (Int) -> SeedSigner = { _ in Forge.log }
    var headPlace: (inout RevocationHeadParts) -> Void = { _ in }

    struct RevocationHeadParts {
        var logID = Forge.logID
        var asOf = Forge.noon.adding(seconds: 600)
        var nextSequence: Int64
        var controlPosition: Int64 = 6
        var signer = Forge.log
    }

    func publish() throws -> ForgedLog {
        var result = ForgedLog()
        var previous = Digest(hashing: "clawgrant-log-v1\n\(Self.logID)")
        var position: Int64 = 0
        var frontier = MerkleFrontier()
        var sequences: [String: Int64] = [:]
        var offsets: [String: Int64] = [:]
        func publish(
            _ stream: String, _ batch: Int, key: [UInt8], value: [UInt8]?, partitions: Int64 = 1
        ) {
            let sequence = sequences[stream, default: 0]
            sequences[stream] = sequence + 1
            let partition = sequence % partitions
            let offset = offsets["\(stream)/\(partition)", default: 0]
            offsets["\(stream)/\(partition)"] = offset + 1
            result.topics[stream, default: []].append(
                FsckRecord(
                    partition: Int32(partition), offset: offset, timestamp: 1_772_366_400_000, key: key, value: value,
                    headers: [
                        ("ce_id", Array("\(Self.logID)/\(stream)/\(sequence)".utf8)),
                        ("claw_stream", Array(stream.utf8)), ("claw_seq", Array(String(sequence).utf8)),
                        ("claw_batch", Array(String(batch).utf8)),
                    ]))
        }
        for (number, effects) in batches.enumerated() {
            var receipts = effects.map(\.bytes)
            var header = self.header(number, effects, receipts, position: position, previous: previous)
            onHeader(number, &header)
            onReceipts(number, &receipts)
            let bytes = JSONWriter.bytes(.object(header), order: .canonical)
            let hash = Digest(hashing: bytes)
            previous = hash
            position = (header["last_position"]?.integer ?? 0) + 1
            frontier.append(RFC9162.leafHash(bytes))
            let signer = batchSigner(number)
            let signature = try signer.sign(Array("clawgrant-batch-v1\n\(hash.b64u)".utf8))
            var parts = (origin: Self.logID, size: UInt64(number) + 1, root: frontier.root)
            onCheckpoint(number, &parts)
            var note = try Checkpoint(origin: parts.origin, size: parts.size, root: parts.root)
                .signed(by: Self.log).encoded
            onNote(number, &note)
            var record: JSONObject = [
                "checkpoint": .string(note), "header": .object(header), "receipts": "RECEIPTS",
                "signature": [
                    "algorithm": "Ed25519", "signature_b64u": .string(signature.b64u),
                    "signer_did": .string(signer.publicKey.did),
                ],
            ]
            if number == 4 { record["clawlogs_root_signature"] = try rootSignature(header) }
            onRecord(number, &record)
            publish(
                "receipts.batches", number, key: Array(Self.logID.utf8),
                value: Self.splice(JSONWriter.bytes(.object(record), order: .canonical), receipts))
            publishEffects(number, effects, receipts, header, hash, publish)
            let key = LedgerGroupKey(day: 20_000, group: Int64(number) + 1)
            result.ledgerBatches.append(
                LedgerBatch(
                    number: Int64(number), firstPosition: header["first_position"]?.integer ?? 0,
                    lastPosition: header["last_position"]?.integer ?? 0, headerHash: hash.bytes, header: bytes,
                    signature: signature.bytes, checkpoint: note, groups: [key]))
            result.ledgerGroups.append(LedgerGroup(key: key, body: Self.body(effects)))
            result.ledgerRequests += effects.compactMap(Self.request)
            result.ledgerControlEvents += effects.compactMap(Self.controlEvent)
        }
        result.ledgerApprovals = Self.approvals(batches.flatMap { $0 })
        result.ledgerControlEvents.sort { $0.id < $1.id }
        result.ledgerControlPosition = result.ledgerControlEvents.compactMap(\.position).max() ?? 0
        try addHead(&result, sequences["revocations"] ?? 0, offsets["revocations/0"] ?? 0)
        result.ledgerRequests.sort { $0.id < $1.id }
        return result
    }

    private func header(
        _ number: Int, _ effects: [ForgedEffect], _ receipts: [[UInt8]], position: Int64, previous: Digest
    ) -> JSONObject {
        var counts: [String: Int] = [:]
        for effect in effects { counts[effect.receipt["kind"]?.string ?? "", default: 0] += 1 }
        let rules = Set(effects.compactMap { $0.receipt["rules_hash_b64u"]?.string }).compactMap { Digest(b64u: $0) }
        let keys = Set(effects.compactMap { $0.receipt["token"]?["kid"]?.string })
        return [
            "batch_version": "1", "log_id": .string(Self.logID), "number": .integer(number),
            "first_position": .integer(position), "last_position": .integer(position + Int64(receipts.count) - 1),
            "count": .integer(receipts.count), "root_b64u": .string(MerkleTree(leaves: receipts).root.b64u),
            "clawlogs_root_b64u": .string(
                ClawlogsTree(leaves: receipts.map { Digest(hashing: $0) }).root.b64u),
            "previous_header_hash_b64u": .string(previous.b64u),
            "counts": .object(JSONObject(counts.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
            "rules_hashes_b64u": .array(rules.sorted().map { .string($0.b64u) }),
            "key_ids": .array(keys.sorted().map { .string($0) }), "sealed_at": .string(sealedAt(number).iso8601),
        ]
    }

    /// Both signatures under the root by the reference log's rule.
    private func rootSignature(_ header: JSONObject) throws -> JSONValue {
        let root = header["clawlogs_root_b64u"]?.string ?? ""
        let statement: JSONValue = [
            "log_id": header["log_id"] ?? .null, "root_hash_b64u": .string(root),
            "root_published_at": header["sealed_at"] ?? .null, "tree_size": header["count"] ?? .null,
        ]
        return [
            "sig_b64u": .string(try Self.log.sign(Array(root.utf8)).b64u),
            "signer_did": .string(Self.log.publicKey.did),
            "statement_sig_b64u": .string(
                try Self.log.sign(Array("clawgrant-log-root-v1\n\(statement.canonicalDigest.b64u)".utf8)).b64u),
        ]
    }

    private static func splice(_ record: [UInt8], _ receipts: [[UInt8]]) -> [UInt8] {
        let text = String(decoding: record, as: UTF8.self)
        let list = receipts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",")
        return Array(text.replacingOccurrences(of: "\"RECEIPTS\"", with: "[\(list)]").utf8)
    }

    private func publishEffects(
        _ number: Int, _ effects: [ForgedEffect], _ receipts: [[UInt8]], _ header: JSONObject, _ hash: Digest,
        _ publish: (String, Int, [UInt8], [UInt8]?, Int64) -> Void
    ) {
        let tree = MerkleTree(leaves: receipts)
        for stream in [
            "grants", "decisions", "revocations", "dead-letters", "control-results", "findings",
        ] {
            for (index, effect) in effects.enumerated() {
                for output in effect.outputs where output.stream == stream {
                    var value = output.value
                    if stream == "grants" {
                        value["delivery"] = effect.delivery
                        var proof: JSONObject = [
                            "batch_number": .integer(number), "count": header["count"] ?? .null,
                            "header_hash_b64u": .string(hash.b64u), "index": .integer(index),
                            "path": .array((tree.inclusionPath(of: index) ?? []).map { .string($0.b64u) }),
                            "position": .integer((header["first_position"]?.integer ?? 0) + Int64(index)),
                        ]
                        onProof(number, &proof)
                        value["proof"] = .object(proof)
                    }
                    publish(
                        stream, number, output.key,
                        value.isEmpty ? nil : JSONWriter.bytes(.object(value), order: .canonical),
                        ["grants", "decisions"].contains(stream) ? 2 : 1)
                }
            }
        }
    }

    private func addHead(_ result: inout ForgedLog, _ next: Int64, _ offset: Int64) throws {
        var parts = RevocationHeadParts(nextSequence: next)
        headPlace(&parts)
        let head = try RevocationHead(
            logID: LogID(parts.logID), asOf: parts.asOf, nextSequence: SequenceNumber(parts.nextSequence),
            controlPosition: parts.controlPosition, sweptPosition: 0,
            live: RevocationHead.Live(tokens: 1, cutoffs: 0)
        ).signed(by: parts.signer)
        result.topics["revocations", default: []].append(
            FsckRecord(
                partition: 0, offset: offset, timestamp: nil, key: SignedRevocationHead.recordKey,
                value: head.canonicalBytes, headers: [("claw_stream", Array("revocations.head".utf8))]))
    }

    // MARK: The ledger's form

    private static func request(_ effect: ForgedEffect) -> LedgerRequest? {
        guard let id = effect.receipt["request_id"]?.string else { return nil }
        let state: Int16
        switch effect.receipt["kind"]?.string {
        case "grant.issued": state = 1
        case "decision.denied": state = 2
        case "decision.expired": state = 3
        default: return nil
        }
        return LedgerRequest(id: id, state: state, tokenHash: state == 1 ? effect.tokenHash : nil)
    }

    /// Approvals with the requests that they gave a token.
    private static func approvals(_ effects: [ForgedEffect]) -> [LedgerApproval] {
        var uses: [String: [String]] = [:]
        for effect in effects where effect.receipt["kind"]?.string == "grant.issued" {
            guard let request = effect.receipt["request_id"]?.string else { continue }
            for approval in effect.receipt["approval_ids"]?.array?.compactMap(\.string) ?? [] {
                uses[approval, default: []].append(request)
            }
        }
        return uses.map { LedgerApproval(id: $0.key, usedBy: $0.value) }.sorted { $0.id < $1.id }
    }

    private static func controlEvent(_ effect: ForgedEffect) -> LedgerControlEvent? {
        guard let kind = effect.receipt["kind"]?.string, kind != "control.repeated",
            kind.hasPrefix("stop.") || kind.hasPrefix("control."), let payload = effect.receipt["payload"]?.object,
            let id = payload["event_id"]?.string
        else { return nil }
        var event = JSONObject()
        for name in ["event_id", "declared_at", "origin", "operation", "data", "reason"] { event[name] = payload[name] }
        event["declared_by"] = [["id": "Declarer", "name": "D. Eclarer"]]
        let body = JSONWriter.bytes(.object(event), order: .canonical)
        return LedgerControlEvent(
            id: id, position: payload["control_position"]?.integer, operation: payload["operation"]?.string ?? "",
            handle: payload["stop_id"]?.string ?? "", result: payload["result"]?.string ?? "",
            digest: Digest(hashing: body).bytes, body: body)
    }

    static func body(_ effects: [ForgedEffect]) -> [UInt8] {
        var body: [UInt8] = [1]
        func put(_ count: Int) {
            for shift in [24, 16, 8, 0] { body.append(UInt8(truncatingIfNeeded: count >> shift)) }
        }
        func put(_ field: [UInt8]) {
            put(field.count)
            body += field
        }
        put(effects.count)
        for effect in effects {
            put(effect.bytes)
            put(Array((effect.receipt["kind"]?.string ?? "").utf8))
            body.append(UInt8(effect.outputs.count))
            for output in effect.outputs {
                body.append(0)
                put(output.key)
                put(output.value.isEmpty ? [] : JSONWriter.bytes(.object(output.value), order: .canonical))
                guard output.stream == "grants" else {
                    body.append(0)
                    continue
                }
                body.append(1)
                put(effect.claims)
                put(Array(effect.kid.utf8))
                put(effect.tokenHash)
                put([])
            }
        }
        return body
    }
}
