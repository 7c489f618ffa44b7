import ClawWire

/// Outcomes of requests and digests of claims, from the log and the topics on one side, from the ledger on the other.
final class LedgerOutcomes {
    private static let nameBytes = 48
    private static let width = 1 + 16 + 1 + 1 + 16 + 8 + 8 + 4 + nameBytes

    private let plan: FsckPlan
    private let book: FindingBook
    private let runs: SortedRuns
    /// Which approval served which request.
    let uses: ApprovalUses

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.plan = plan
        self.book = book
        runs = SortedRuns(width: Self.width, memory: plan.sortMemory, in: directory)
        uses = ApprovalUses(plan, book, directory)
    }

    private func add(
        _ domain: UInt8, _ key: String, side: UInt8, state: UInt8, _ value: Fingerprint?, _ first: Int64,
        _ second: Int64,
        _ part: Int32, name: String = ""
    ) throws {
        var entry = EntryWriter(width: Self.width)
        entry.put(domain)
        entry.put(Fingerprint(key))
        entry.put(side)
        entry.put(state)
        entry.put(value ?? Fingerprint(high: 0, low: 0))
        entry.put(first)
        entry.put(second)
        entry.put(part)
        let text = Array(name.utf8.prefix(Self.nameBytes))
        for index in 0..<Self.nameBytes { entry.put(index < text.count ? text[index] : 0) }
        try runs.add(entry.bytes)
    }

    /// An outcome that a receipt states.
    func logged(request: String, state: UInt8, token: String?, at place: ReceiptPlace) throws {
        try add(
            1, request, side: 0, state: state, token.map { Fingerprint($0) }, place.position, place.batch,
            Int32(clamping: place.index))
    }

    /// The digest of the claims that a published grant states.
    func published(claims: String?, of receipt: String, _ record: FsckRecord, _ stream: Int) throws {
        try add(
            2, receipt, side: 0, state: UInt8(truncatingIfNeeded: stream), Fingerprint(claims ?? ""), record.offset, 0,
            record.partition)
    }

    /// A request as the ledger has it.
    func stored(_ request: LedgerRequest) throws {
        try add(
            1, request.id, side: 1, state: UInt8(clamping: request.state),
            request.tokenHash.map { Fingerprint(Hex.encode($0)) }, 0, 0, 0, name: request.id)
    }

    /// The digest of the claims from which the ledger makes a grant's token.
    func stored(claims: Digest, of receipt: String) throws {
        try add(2, receipt, side: 1, state: 0, Fingerprint(claims.b64u), 0, 0, 0)
    }

    private struct Side {
        let domain: UInt8
        let key: Fingerprint
        let isStored: Bool
        let state: UInt8
        let value: Fingerprint
        let first: Int64
        let second: Int64
        let part: Int32
        let name: String

        init(_ bytes: [UInt8]) {
            var entry = EntryReader(bytes)
            domain = entry.byte()
            key = entry.fingerprint()
            isStored = entry.byte() == 1
            state = entry.byte()
            value = entry.fingerprint()
            first = entry.int64()
            second = entry.int64()
            part = entry.int32()
            name = String(decoding: bytes[entry.position...].prefix { $0 != 0 }, as: UTF8.self)
        }

        var place: String { Place.receipt(batch: second, index: Int64(part), position: first) }
        var row: String { "clawgrant.request \(Place.quoted(name))" }
    }

    private static let states = ["waiting", "issued", "denied", "expired"]

    private static func text(_ state: UInt8) -> String { Int(state) < states.count ? states[Int(state)] : "\(state)" }

    /// Compares both sides.
    ///
    /// - Parameter isWhole: true when everything from the first receipt of the log on was looked at.
    func finish(isWhole: Bool) throws {
        try uses.finish(isWhole: isWhole)
        var logged: Side?
        var isMatched = true
        func close() {
            guard let side = logged, side.domain == 1, !isMatched, plan.isWholeLog else { return }
            book.add(
                .ledgerReceiptWithoutRequest, at: side.place,
                "the ledger has no request with the outcome of this receipt")
        }
        try runs.forEach { bytes in
            let side = Side(bytes)
            guard side.isStored else {
                // The same grant delivered again, or a second outcome, which is told elsewhere.
                if logged?.domain == side.domain, logged?.key == side.key { return }
                close()
                logged = side
                isMatched = false
                return
            }
            if let known = logged, known.domain == side.domain, known.key == side.key {
                isMatched = true
                compare(known, side)
                return
            }
            if side.domain == 1, side.state != 0, plan.isSettled, isWhole {
                book.add(
                    .ledgerRequestWithoutReceipt, at: side.row,
                    "the ledger says \(Self.text(side.state)), and the log has no receipt of it")
            }
        }
        close()
    }

    private func compare(_ logged: Side, _ stored: Side) {
        guard stored.domain == 1 else {
            if logged.value != stored.value {
                let stream = plan.streams[Int(logged.state)]
                book.add(
                    .claimsDigest, at: Place.record(stream.topic, logged.part, logged.first),
                    "claims_digest_b64u is not that of the claims in the ledger")
            }
            return
        }
        if logged.state != stored.state {
            book.add(
                .ledgerOutcomeDiffers, at: stored.row,
                "the ledger says \(Self.text(stored.state)), \(logged.place) says \(Self.text(logged.state))")
        } else if logged.value != stored.value {
            book.add(.ledgerTokenDiffers, at: stored.row, "the ledger has another token than \(logged.place)")
        }
    }
}

/// Batches as the topic has them, to be compared with the ledger's rows.
final class BatchSpool {
    private static let width = 8 + 1 + 16 * 4

    private let plan: FsckPlan
    private let book: FindingBook
    private let runs: SortedRuns

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.plan = plan
        self.book = book
        runs = SortedRuns(width: Self.width, memory: plan.sortMemory / 8, in: directory)
    }

    private func add(
        _ number: Int64, side: UInt8, header: Fingerprint, signature: [UInt8], checkpoint: String, root: Fingerprint
    ) throws {
        var entry = EntryWriter(width: Self.width)
        entry.put(number)
        entry.put(side)
        entry.put(header)
        entry.put(Fingerprint(signature))
        entry.put(Fingerprint(checkpoint))
        entry.put(root)
        try runs.add(entry.bytes)
    }

    func add(_ header: BatchHeaderText, _ batch: BatchText) throws {
        try add(
            header.number, side: 0, header: Fingerprint(header.hash), signature: batch.signature?.bytes ?? [],
            checkpoint: batch.checkpoint ?? "", root: Fingerprint(header.root))
    }

    /// A row, with the root over the receipts of its groups; `nil` when some of them are archived.
    func add(_ row: LedgerBatch, root: Digest?) throws {
        try add(
            row.number, side: 1, header: Fingerprint(Digest(hashing: row.header)), signature: row.signature,
            checkpoint: row.checkpoint, root: root.map { Fingerprint($0) } ?? Fingerprint(high: 0, low: 0))
    }

    /// Compares both sides.
    func finish() throws {
        struct Side {
            let number: Int64
            let parts: [Fingerprint]
        }
        var published: Side?
        func close() {
            guard let side = published else { return }
            book.add(
                .ledgerBatchMissing, at: "clawgrant.receipt_batch \(side.number)",
                "the batch is on the topic and not in the ledger")
        }
        try runs.forEach { bytes in
            var entry = EntryReader(bytes)
            let number = entry.int64()
            let isStored = entry.byte() == 1
            let side = Side(number: number, parts: (0..<4).map { _ in entry.fingerprint() })
            guard isStored else {
                close()
                published = side
                return
            }
            let place = "clawgrant.receipt_batch \(number)"
            guard let topic = published, topic.number == number else {
                close()
                published = nil
                if plan.isSettled {
                    book.add(.ledgerBatchUnpublished, at: place, "the batch is in the ledger and not on the topic")
                } else {
                    book.note("batches of the ledger that may still be on their way")
                }
                return
            }
            published = nil
            for (index, name) in ["header", "signature", "checkpoint"].enumerated()
            where topic.parts[index] != side.parts[index] {
                book.add(.ledgerBatchDiffers, at: place, "\(name) is another one on the topic")
            }
            if side.parts[3] != Fingerprint(high: 0, low: 0), side.parts[3] != topic.parts[3] {
                book.add(
                    .ledgerReceiptsDiffer, at: place, "the receipts of its groups do not have the root of the batch")
            }
        }
        close()
    }
}
