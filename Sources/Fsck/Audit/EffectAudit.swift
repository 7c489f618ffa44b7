/// Matches receipts with the records that follow from them, each way: one receipt an effect, one effect a receipt.
///
/// Both sides are sorted by kind and receipt on disk; equal keys meet whatever came first.
final class EffectAudit {
    private static let width = 1 + 16 + 8 + 1 + 8 + 8 + 4 + 8 + 1 + 16 + 16 + 4 * EffectImage.slotCount
    private static let orderWidth = 1 + 8 + 8 + 4 + 8

    private let plan: FsckPlan
    private let book: FindingBook
    private let runs: SortedRuns
    private let order: SortedRuns
    /// Batches that were looked at; records of others are not compared.
    var batches: ClosedRange<Int64>?

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.plan = plan
        self.book = book
        runs = SortedRuns(width: Self.width, memory: plan.sortMemory, in: directory)
        order = SortedRuns(width: Self.orderWidth, memory: plan.sortMemory / 4, in: directory)
    }

    func expect(_ image: EffectImage, at place: ReceiptPlace) throws {
        try add(
            image, side: 0, number: place.position, batch: place.batch, part: Int32(clamping: place.index), offset: 0,
            stream: 0)
    }

    func found(_ image: EffectImage, _ record: FsckRecord, stream: Int, sequence: Int64, batch: Int64) throws {
        try add(
            image, side: 1, number: sequence, batch: batch, part: record.partition, offset: record.offset,
            stream: UInt8(truncatingIfNeeded: stream))
    }

    private func add(
        _ image: EffectImage, side: UInt8, number: Int64, batch: Int64, part: Int32, offset: Int64, stream: UInt8
    ) throws {
        var entry = EntryWriter(width: Self.width)
        entry.put(image.kind.rawValue)
        entry.put(Fingerprint(image.receiptID))
        entry.put(image.sub)
        entry.put(side)
        entry.put(number)
        entry.put(batch)
        entry.put(part)
        entry.put(offset)
        entry.put(stream)
        entry.put(image.essence)
        entry.put(image.proof)
        for slot in image.slots { entry.put(slot) }
        try runs.add(entry.bytes)
    }

    private struct Side {
        let kind: EffectKind
        let receipt: Fingerprint
        let sub: UInt64
        let isFound: Bool
        /// Position of the receipt, or sequence of the record.
        let number: Int64
        let batch: Int64
        /// Index of the receipt, or partition of the record.
        let part: Int32
        let offset: Int64
        let stream: Int
        let essence: Fingerprint
        let proof: Fingerprint
        let slots: [UInt32]

        init?(_ bytes: [UInt8]) {
            var entry = EntryReader(bytes)
            guard let kind = EffectKind(rawValue: entry.byte()) else { return nil }
            self.kind = kind
            receipt = entry.fingerprint()
            sub = entry.uint64()
            isFound = entry.byte() == 1
            number = entry.int64()
            batch = entry.int64()
            part = entry.int32()
            offset = entry.int64()
            stream = Int(entry.byte())
            essence = entry.fingerprint()
            proof = entry.fingerprint()
            slots = (0..<EffectImage.slotCount).map { _ in entry.uint32() }
        }

        func isSameEffect(as other: Side) -> Bool {
            kind == other.kind && receipt == other.receipt && sub == other.sub
        }
    }

    /// Compares both sides.
    ///
    /// - Parameters:
    ///   - lastBatch: the last batch; with work under way its records may still be on their way.
    ///   - topics: streams that were read; the records of others are not missed.
    func finish(lastBatch: Int64?, streams: Set<String>) throws {
        var wanted: Side?
        var met: Side?
        func close() {
            if let wanted, met == nil { missing(wanted, lastBatch: lastBatch, streams: streams) }
        }
        try runs.forEach { bytes in
            guard let side = Side(bytes) else { return }
            if !side.isFound {
                // A receipt that is there twice is told elsewhere; each of them wants its record.
                close()
                wanted = side
                met = nil
                return
            }
            if let wanted, wanted.isSameEffect(as: side) {
                if let met {
                    if met.number != side.number { stray(side, "its receipt has its \(side.kind.noun) already") }
                } else {
                    compare(wanted, side)
                    try matched(wanted, side)
                }
                met = side
                return
            }
            close()
            wanted = nil
            if let last = met, last.isSameEffect(as: side), last.number == side.number { return }
            met = side
            stray(side, "the log has no receipt from which it follows")
        }
        close()
        try finishOrder()
    }

    private func place(_ side: Side) -> String {
        side.isFound
            ? Place.record(plan.streams[side.stream].topic, side.part, side.offset)
            : Place.receipt(batch: side.batch, index: Int64(side.part), position: side.number)
    }

    private func missing(_ side: Side, lastBatch: Int64?, streams: Set<String>) {
        let stream = side.kind.stream
        guard streams.contains(stream) else { return }
        if plan.streams.first(where: { $0.name == stream })?.isCompacted == true {
            book.note("records of \(stream) that compaction may have removed")
            return
        }
        if !plan.isSettled, let lastBatch, side.batch >= lastBatch - 1 {
            book.note("records of the last batches that may still be on their way (--settled to miss them)")
            return
        }
        book.add(.effectMissing, at: place(side), "the receipt's \(side.kind.noun) is not on the topic of \(stream)")
    }

    private func stray(_ side: Side, _ why: String) {
        if let batches, !batches.contains(side.batch) { return }
        book.add(.effectStray, at: place(side), "a \(side.kind.noun) that must not be: \(why)")
    }

    private func compare(_ wanted: Side, _ found: Side) {
        if wanted.batch != found.batch {
            book.add(
                .recordBatch, at: place(found), "claw_batch is \(found.batch); its receipt is in \(place(wanted))")
        }
        if wanted.proof != Fingerprint(high: 0, low: 0), wanted.proof != found.proof {
            book.add(
                .grantProof, at: place(found), "the proof does not lead from \(place(wanted)) to its batch's root")
        }
        guard wanted.essence != found.essence else { return }
        var others: [String] = []
        for (slot, name) in wanted.kind.slots.enumerated() where wanted.slots[slot] != found.slots[slot] {
            switch name {
            case "key": book.add(.recordKey, at: place(found), "the key is not the one of \(place(wanted))")
            case "receipt_digest_b64u", "clawgrant.receipt_digest_b64u":
                book.add(.recordDigest, at: place(found), "the digest is not that of \(place(wanted))")
            default: others.append(name)
            }
        }
        guard !others.isEmpty || wanted.slots == found.slots else { return }
        let members = others.isEmpty ? "a member" : others.joined(separator: ", ")
        book.add(wanted.kind.mismatch, at: place(found), "\(members) differs from what follows from \(place(wanted))")
    }

    private func matched(_ wanted: Side, _ found: Side) throws {
        var entry = EntryWriter(width: Self.orderWidth)
        entry.put(UInt8(truncatingIfNeeded: found.stream))
        entry.put(found.number)
        entry.put(wanted.number)
        entry.put(found.part)
        entry.put(found.offset)
        try order.add(entry.bytes)
    }

    /// Records stand in the order of their receipts.
    private func finishOrder() throws {
        var last: (stream: Int, position: Int64)?
        try order.forEach { bytes in
            var entry = EntryReader(bytes)
            let stream = Int(entry.byte())
            let sequence = entry.int64()
            let position = entry.int64()
            let place = Place.record(plan.streams[stream].topic, entry.int32(), entry.int64())
            if let known = last, known.stream == stream, position < known.position {
                book.add(
                    .effectOrder, at: place,
                    "position \(sequence) of \(plan.streams[stream].name) follows from receipt \(position), the one "
                        + "before from receipt \(known.position)")
            } else {
                last = (stream, position)
            }
        }
    }
}
