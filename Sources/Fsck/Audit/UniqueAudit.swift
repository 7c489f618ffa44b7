/// What must be so once in the whole log, or follow from something else in it: identifiers, outcomes, tokens.
final class UniqueAudit {
    /// What an entry is about; entries of one domain are compared with each other.
    enum Domain: UInt8 {
        case receipt = 1
        case requestOutcome = 2
        case approvalOutcome = 3
        case tokenID = 4
        case token = 5
        case approvalUse = 6
        case deadLetterOrigin = 7

        /// The finding when something is there a second time, and what it says.
        var repeated: (code: FindingCode, what: String) {
            switch self {
            case .receipt: (.receiptRepeated, "the receipt has the identifier of another one")
            case .requestOutcome: (.secondOutcome, "the request has an outcome already")
            case .approvalOutcome: (.secondApprovalOutcome, "the approval has an outcome already")
            case .tokenID: (.tokenIDRepeated, "the jti is that of another grant")
            case .token: (.tokenRepeated, "the token is that of another grant")
            case .approvalUse: (.approvalUsedTwice, "the approval, which serves one request, has given a token before")
            case .deadLetterOrigin: (.deadLetterTwice, "the record went to the dead letters before")
            }
        }
    }

    private static let width = 1 + 16 + 1 + 8 + 8 + 4

    private let book: FindingBook
    private let runs: SortedRuns

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.book = book
        runs = SortedRuns(width: Self.width, memory: plan.sortMemory, in: directory)
    }

    /// Takes something that must be there once.
    ///
    /// - Parameter refers: true for what only refers to it, as a revocation does to a token.
    func take(_ domain: Domain, _ fingerprint: Fingerprint, at place: ReceiptPlace, refers: Bool = false) throws {
        var entry = EntryWriter(width: Self.width)
        entry.put(domain.rawValue)
        entry.put(fingerprint)
        entry.put(refers ? 1 : 0 as UInt8)
        entry.put(place.position)
        entry.put(place.batch)
        entry.put(Int32(clamping: place.index))
        try runs.add(entry.bytes)
    }

    func finish(isWhole: Bool) throws {
        var last: (domain: UInt8, fingerprint: Fingerprint, place: String)?
        try runs.forEach { bytes in
            var entry = EntryReader(bytes)
            let domain = entry.byte()
            let fingerprint = entry.fingerprint()
            let refers = entry.byte() == 1
            let position = entry.int64()
            let place = Place.receipt(batch: entry.int64(), index: Int64(entry.int32()), position: position)
            let known = last.flatMap { $0.domain == domain && $0.fingerprint == fingerprint ? $0.place : nil }
            if refers {
                guard known == nil, isWhole else { return }
                if domain == Domain.deadLetterOrigin.rawValue {
                    book.add(.deadLetterUnknown, at: place, "the record never went to the dead letters")
                } else {
                    book.add(.revocationWithoutGrant, at: place, "no grant of the log has the token")
                }
                return
            }
            if let known, let repeated = Domain(rawValue: domain)?.repeated {
                book.add(repeated.code, at: place, "\(repeated.what): \(known)")
            } else {
                last = (domain, fingerprint, place)
            }
        }
    }
}
