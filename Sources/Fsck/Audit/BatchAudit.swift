import ClawWire

/// Proves P4 for the log: headers, chain, roots, signatures and checkpoints, in the order of the topic.
final class BatchAudit {
    private let plan: FsckPlan
    private let book: FindingBook
    private let topic: String
    /// Looks at single receipts; `nil` when only hashes are looked at.
    private let receipts: ReceiptAudit?
    private let spool: BatchSpool?
    private let keys: KeyAudit

    private var logID: String?
    private var logName: [UInt8] = []
    private var nextSequence: Int64?
    private var nextNumber: Int64?
    private var nextPosition: Int64?
    private var previous: Digest?
    /// The latest time at which a batch that was read was sealed.
    private(set) var sealedAt: Timestamp?
    /// When the first batch that was read was sealed.
    private(set) var beganAt: Timestamp?
    /// The tree over headers; `nil` once a header is missing.
    private var tree: GrowingTree?
    /// Batches whose receipts were looked at.
    private(set) var batches: ClosedRange<Int64>?
    /// The last batch of the topic, whether looked at or not.
    private(set) var last: Int64?
    /// True when everything from the first receipt of the log on was looked at.
    private(set) var isWhole = true
    private var isOver = false

    init(
        _ plan: FsckPlan, _ book: FindingBook, topic: String, receipts: ReceiptAudit?, keys: KeyAudit,
        spool: BatchSpool?
    ) {
        self.plan = plan
        self.book = book
        self.topic = topic
        self.receipts = receipts
        self.keys = keys
        self.spool = spool
        logID = plan.logID
        nextSequence = 0
        nextNumber = 0
        nextPosition = 0
        tree = GrowingTree()
        if plan.from > 0 { isWhole = false }
    }

    /// Says that the oldest records of the topic are gone.
    func beginsLate() {
        nextSequence = nil
        nextNumber = nil
        nextPosition = nil
        tree = nil
        isWhole = false
        book.note(
            "the topic of batches does not begin with the log's first batch: roots of checkpoints, and what an earlier "
                + "receipt says")
    }

    /// True once the last position that is asked for was passed.
    var isDone: Bool { isOver }

    func take(_ record: FsckRecord, sequence: Int64) throws {
        guard !isOver else { return }
        if let nextSequence, sequence < nextSequence { return }
        nextSequence = sequence + 1
        let place = Place.record(topic, record.partition, record.offset)
        guard let value = record.value else {
            return lost(.batchUnreadable, place, "the record has no value")
        }
        let batch: BatchText
        do throws(BatchText.Fault) { batch = try BatchText(value) } catch {
            switch error {
            case .tooLarge:
                lost(.batchTooLarge, place, "\(value.count) bytes; at most \(BatchText.maximumBytes) are read")
            case .unreadable(let what): lost(.batchUnreadable, place, what)
            case .notCanonical(let what): lost(.batchNotCanonical, place, what)
            case .unknownMember(let name): lost(.batchUnknownMember, place, Place.quoted(name))
            }
            return
        }
        switch BatchHeaderText.read(batch.header) {
        case .failure(let fault): lost(.headerUnreadable, place, fault.what)
        case .success(let header): try take(batch, header, record, sequence, place)
        }
    }

    /// A batch that does not read: the next one is taken as it comes.
    private func lost(_ code: FindingCode, _ place: String, _ detail: String) {
        book.add(code, at: place, detail)
        nextNumber = nextNumber.map { $0 + 1 }
        nextPosition = nil
        loseChain()
    }

    private func loseChain() {
        previous = nil
        if tree != nil { book.note("roots of checkpoints after a batch that does not stand") }
        tree = nil
    }

    private func take(
        _ batch: BatchText, _ header: BatchHeaderText, _ record: FsckRecord, _ sequence: Int64, _ topicPlace: String
    ) throws {
        let place = "\(topicPlace) (batch \(header.number))"
        checkPlace(header, record, sequence, place)
        let isIn = header.lastPosition >= plan.from && header.firstPosition <= plan.through ?? .max
        previous = header.hash
        nextNumber = header.number + 1
        nextPosition = header.lastPosition + 1
        beganAt = beganAt ?? header.sealedAt
        sealedAt = max(header.sealedAt, sealedAt ?? header.sealedAt)
        last = header.number
        tree?.append(leaf: Digest(hashing: 0x00, header.bytes))
        if header.firstPosition > plan.through ?? .max {
            isOver = true
            return
        }
        guard isIn else { return }
        let first = batches?.lowerBound ?? header.number
        batches = min(first, header.number)...max(first, header.number)
        book.report.counts.batches += 1
        book.report.counts.bytes += Int64(batch.record.count)
        checkSignatures(batch, header, place)
        try checkReceipts(batch, header, place)
        checkCheckpoint(batch, header, place)
        try spool?.add(header, batch)
    }

    // MARK: The header's place

    private func checkPlace(
        _ header: BatchHeaderText, _ record: FsckRecord, _ sequence: Int64, _ place: String
    ) {
        if logID == nil { logID = header.logID }
        if header.logID != logID {
            book.add(
                .headerLog, at: place,
                "the batch is of \(Place.quoted(header.logID)), not of \(Place.quoted(logID ?? ""))")
        }
        if record.key != Array((logID ?? "").utf8) { book.add(.batchKey, at: place, "the record's key is not the log") }
        if let batch = record.count("claw_batch"), batch != header.number {
            book.add(.recordBatch, at: place, "claw_batch is \(batch)")
        }
        if sequence != header.number {
            book.add(.batchSequence, at: place, "position \(sequence) of the stream is batch \(header.number)")
        }
        var follows = true
        if let nextNumber, header.number != nextNumber {
            book.add(.headerNumberGap, at: place, "batch \(nextNumber) was expected")
            follows = false
        }
        if follows {
            if let previous {
                if header.previous != previous {
                    book.add(
                        .headerChainBroken, at: place,
                        "previous_header_hash_b64u is \(header.previous), the header before has \(previous)")
                }
            } else if header.number == 0, header.previous != Digest(hashing: "clawgrant-log-v1\n\(logID ?? "")") {
                book.add(.headerChainBroken, at: place, "the first batch does not name the log as its predecessor")
            }
            if let nextPosition, header.firstPosition != nextPosition {
                book.add(
                    .headerPositionGap, at: place,
                    "position \(nextPosition) was expected, first_position is \(header.firstPosition)")
            }
        } else {
            loseChain()
        }
        if header.lastPosition - header.firstPosition + 1 != header.count {
            book.add(
                .headerPositionRange, at: place,
                "positions \(header.firstPosition) to \(header.lastPosition) are not \(header.count) receipts")
        }
        if let sealedAt, header.sealedAt < sealedAt {
            book.add(.headerTimeReversed, at: place, "sealed at \(header.sealedAt), a batch before at \(sealedAt)")
        }
    }

    // MARK: Signatures

    private func checkSignatures(_ batch: BatchText, _ header: BatchHeaderText, _ place: String) {
        guard let key = plan.logKeys.first(where: { $0.did == batch.signerDID }) else {
            book.add(.batchSignerUnknown, at: place, "\(Place.quoted(batch.signerDID)) is no key of the log")
            return
        }
        keys.take(signer: batch.signerDID, at: place, batch: header.number)
        let signed = Array("clawgrant-batch-v1\n\(header.hash.b64u)".utf8)
        book.report.counts.signatures += 1
        if !(batch.signature.map { key.isValidSignature($0, for: signed) } ?? false) {
            book.add(.batchSignatureInvalid, at: place, "the header is not the one that \(key.kid) signed")
        }
        guard let clawlogs = batch.clawlogs else { return }
        guard let did = clawlogs.string("signer_did"), let rootKey = plan.logKeys.first(where: { $0.did == did }) else {
            book.add(.batchSignerUnknown, at: place, "the compatible root is signed by no key of the log")
            return
        }
        func isSigned(_ member: String, _ bytes: [UInt8]) -> Bool {
            book.report.counts.signatures += 1
            guard let text = clawlogs.string(member), let signature = Ed25519Signature(b64u: text) else { return false }
            return rootKey.isValidSignature(signature, for: bytes)
        }
        if !isSigned("sig_b64u", Array(header.clawlogsRoot.b64u.utf8)) {
            book.add(.batchRootSignatureInvalid, at: place, "sig_b64u is not over clawlogs_root_b64u")
        }
        let statement =
            "{\"log_id\":" + String(decoding: EffectImageWriter.quoted(header.logID), as: UTF8.self)
            + ",\"root_hash_b64u\":\"\(header.clawlogsRoot.b64u)\",\"root_published_at\":\"\(header.sealedAt.iso8601)\""
            + ",\"tree_size\":\(header.count)}"
        let bytes = Array("clawgrant-log-root-v1\n\(Digest(hashing: statement).b64u)".utf8)
        if !isSigned("statement_sig_b64u", bytes) {
            book.add(.batchStatementInvalid, at: place, "statement_sig_b64u is not over log, root, time and size")
        }
    }

    private func checkCheckpoint(_ batch: BatchText, _ header: BatchHeaderText, _ place: String) {
        guard let text = batch.checkpoint else { return }
        guard let note = Note(text) else {
            book.add(.checkpointUnreadable, at: place, "the checkpoint is no signed note")
            return
        }
        if note.origin != logID {
            book.add(.checkpointOrigin, at: place, "the checkpoint is of \(Place.quoted(note.origin))")
        }
        book.report.counts.signatures += 1
        switch note.verdict(name: logID ?? "", keys: plan.logKeys) {
        case .signed: break
        case .invalid:
            book.add(.checkpointSignatureInvalid, at: place, "the log's signature is not over the checkpoint's text")
        case .unsigned: book.add(.checkpointUnsigned, at: place, "no key of the log has signed the checkpoint")
        }
        if note.size != UInt64(header.number) + 1 {
            book.add(
                .checkpointSize, at: place, "size \(note.size) is not that of the log after batch \(header.number)")
        } else if let root = tree?.root, root != note.root {
            book.add(
                .checkpointRoot, at: place,
                "root \(note.root) is not that of the headers up to batch \(header.number), \(root): two histories")
            book.note("roots of checkpoints after one that does not stand")
            tree = nil
        }
    }

    // MARK: Receipts

    private func checkReceipts(_ batch: BatchText, _ header: BatchHeaderText, _ place: String) throws {
        if Int64(batch.receipts.count) != header.count {
            book.add(
                .headerCount, at: place, "count is \(header.count), \(batch.receipts.count) receipts are there")
        }
        let span = (header.firstPosition, header.firstPosition + Int64(batch.receipts.count) - 1)
        if span.1 >= span.0 {
            let known = book.report.positions
            book.report.positions = min(span.0, known?.lowerBound ?? span.0)...max(span.1, known?.upperBound ?? span.1)
        }
        var leaves: [Digest] = []
        var digests: [Digest] = []
        leaves.reserveCapacity(batch.receipts.count)
        digests.reserveCapacity(batch.receipts.count)
        var counts: [String: Int64] = [:]
        var rules: Set<String> = []
        var keys: Set<String> = []
        var kinds: [String] = []
        var all: [[UInt8]] = []
        let isFull = receipts != nil
        for (index, range) in batch.receipts.enumerated() {
            let bytes = Array(batch.record[range])
            leaves.append(Digest(hashing: 0x00, bytes))
            digests.append(Digest(hashing: bytes))
            let receipt = Members(batch.record, batch.receiptMembers[index])
            let kind = receipt.string("kind") ?? ""
            counts[kind, default: 0] += 1
            if let hash = receipt.string("rules_hash_b64u") { rules.insert(hash) }
            if let kid = receipt.object("token")?.string("kid") { keys.insert(kid) }
            if bytes.count > 65_536 {
                book.add(
                    .receiptTooLarge,
                    at: Place.receipt(
                        batch: header.number, index: Int64(index), position: header.firstPosition + Int64(index)),
                    "\(bytes.count) bytes; a receipt has at most 65536")
            }
            if isFull {
                kinds.append(kind)
                all.append(bytes)
            }
        }
        book.report.counts.receipts += Int64(batch.receipts.count)
        for (kind, count) in counts { book.report.count(count, of: kind) }
        let levels = Trees.levels(leaves)
        let hasRoot = levels.last?.first == header.root
        if !hasRoot {
            book.add(.headerRoot, at: place, "root_b64u is not the root over the receipts: one was altered or moved")
        }
        if Trees.pairedRoot(digests) != header.clawlogsRoot {
            book.add(.headerClawlogsRoot, at: place, "clawlogs_root_b64u is not the root by the reference log's rule")
        }
        if counts != header.counts { book.add(.headerCounts, at: place, "counts differ from the receipts' kinds") }
        let rulesInOrder = rules.compactMap { Digest(b64u: $0) }.sorted().map(\.b64u)
        if rulesInOrder != header.rules {
            book.add(.headerRules, at: place, "rules_hashes_b64u are not the rules that the receipts name")
        }
        if keys.sorted() != header.keys {
            book.add(.headerKeys, at: place, "key_ids are not the keys that the receipts name")
        }
        guard let receipts else { return }
        for index in batch.receipts.indices {
            let position = header.firstPosition + Int64(index)
            let place = ReceiptPlace(
                batch: header.number, index: index, position: position, count: header.count, headerHash: header.hash)
            try receipts.take(
                Members(batch.record, batch.receiptMembers[index]), kind: kinds[index], bytes: all[index],
                digest: digests[index], sealedAt: header.sealedAt, at: place,
                path: { hasRoot ? Trees.path(levels, of: index) : nil })
        }
    }
}
