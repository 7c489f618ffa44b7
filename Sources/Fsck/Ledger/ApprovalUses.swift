import ClawWire

/// Which approval served which request: by the grants of the log on one side, by the ledger's approvals on the other.
///
/// What the ledger has forgotten could be used again, so that this is what one approval, one outcome rests on.
final class ApprovalUses {
    private static let nameBytes = 40
    private static let width = 16 + 1 + 8 + 8 + 4 + 2 * nameBytes

    private let plan: FsckPlan
    private let book: FindingBook
    private let runs: SortedRuns

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.plan = plan
        self.book = book
        runs = SortedRuns(width: Self.width, memory: plan.sortMemory / 4, in: directory)
    }

    /// A use that a grant's receipt states.
    func logged(_ approval: String, by request: String, at place: ReceiptPlace) throws {
        try add(approval, request, side: 0, place.position, place.batch, Int32(clamping: place.index))
    }

    /// The uses of an approval as the ledger has them.
    func stored(_ approval: LedgerApproval) throws {
        for request in approval.usedBy { try add(approval.id, request, side: 1, 0, 0, 0) }
    }

    private func add(
        _ approval: String, _ request: String, side: UInt8, _ position: Int64, _ batch: Int64, _ index: Int32
    ) throws {
        var entry = EntryWriter(width: Self.width)
        entry.put(Fingerprint("\(approval.utf8.count):\(approval)\(request)"))
        entry.put(side)
        entry.put(position)
        entry.put(batch)
        entry.put(index)
        for name in [approval, request] {
            let text = Array(name.utf8.prefix(Self.nameBytes))
            for index in 0..<Self.nameBytes { entry.put(index < text.count ? text[index] : 0) }
        }
        try runs.add(entry.bytes)
    }

    /// One approval and one request, from both sides.
    private struct Use {
        let key: Fingerprint
        let approval: String
        let request: String
        /// Where the log says so.
        var place: String?
        /// How often the ledger says so.
        var stored = 0

        var row: String { "clawgrant.approval \(Place.quoted(approval))" }
    }

    /// Compares both sides.
    ///
    /// - Parameter isWhole: true when everything from the first receipt of the log on was looked at.
    func finish(isWhole: Bool) throws {
        var use: Use?
        try runs.forEach { bytes in
            var entry = EntryReader(bytes)
            let key = entry.fingerprint()
            let isStored = entry.byte() == 1
            let position = entry.int64()
            let place = Place.receipt(batch: entry.int64(), index: Int64(entry.int32()), position: position)
            if use?.key != key {
                if let use { compare(use, isWhole: isWhole) }
                let names = bytes[entry.position...]
                use = Use(
                    key: key, approval: Self.name(names.prefix(Self.nameBytes)),
                    request: Self.name(names.dropFirst(Self.nameBytes)))
            }
            if isStored { use?.stored += 1 } else if use?.place == nil { use?.place = place }
        }
        if let use { compare(use, isWhole: isWhole) }
    }

    private static func name(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private func compare(_ use: Use, isWhole: Bool) {
        let request = Place.quoted(use.request)
        if use.stored > 1 {
            book.add(.ledgerUseRepeated, at: use.row, "used_by names the request \(request) \(use.stored) times")
        }
        switch (use.place, use.stored) {
        case (let place?, 0):
            book.add(
                .ledgerUseMissing, at: place,
                "the ledger's approval \(Place.quoted(use.approval)) is not used by the request \(request): it could "
                    + "give another token")
        case (nil, 1...) where isWhole && plan.isSettled:
            book.add(
                .ledgerUseWithoutReceipt, at: use.row,
                "the ledger says that the request \(request) used it, and no grant of the log says so")
        default: break
        }
    }
}
