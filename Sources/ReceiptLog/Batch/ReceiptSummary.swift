import ClawWire

/// What a batch header says of a receipt, found without reading all of it.
///
/// Kinds that are not known here are counted like any other, so an older reader can still check a newer log.
struct ReceiptSummary {
    let kind: String
    let rulesHash: Digest?
    let kid: KeyID?

    init(_ receipt: [UInt8], path: String) throws(EvidenceError) {
        guard receipt.count <= Receipt.maximumBytes else {
            throw EvidenceError(
                .limitExceeded, path, "the receipt has \(receipt.count) bytes; at most \(Receipt.maximumBytes)")
        }
        do throws(EvidenceError) {
            var kind: String?
            var rulesHash: Digest?
            var kid: KeyID?
            var previous: Range<Int>?
            for member in try CanonicalScanner.members(receipt, receipt.indices) {
                if let previous, !receipt[previous].lexicographicallyPrecedes(receipt[member.key]) {
                    throw EvidenceError(.notCanonical, "", "members repeat or are not in RFC 8785 order")
                }
                previous = member.key
                if CanonicalScanner.isKey(receipt, member, "kind") {
                    kind = CanonicalScanner.plainText(receipt, member.value)
                } else if CanonicalScanner.isKey(receipt, member, "rules_hash_b64u") {
                    rulesHash = CanonicalScanner.plainText(receipt, member.value).flatMap { Digest(b64u: $0) }
                } else if CanonicalScanner.isKey(receipt, member, "token") {
                    for part in try CanonicalScanner.members(receipt, member.value)
                    where CanonicalScanner.isKey(receipt, part, "kid") {
                        kid = CanonicalScanner.plainText(receipt, part.value).map { KeyID($0) }
                    }
                }
            }
            guard let kind, Self.isKind(kind) else {
                throw EvidenceError(.invalidMember, "kind", "a receipt names its kind")
            }
            self.kind = kind
            self.rulesHash = rulesHash
            self.kid = kid
        } catch {
            throw error.under(path)
        }
    }

    static func isKind(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy { $0 >= 0x61 && $0 <= 0x7A || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") }
    }
}

/// What a batch header says of all its receipts.
struct BatchSummary {
    private(set) var counts: [String: Int] = [:]
    private var rules: Set<Digest> = []
    private var keys: Set<KeyID> = []

    mutating func add(_ summary: ReceiptSummary) {
        counts[summary.kind, default: 0] += 1
        if let rulesHash = summary.rulesHash { rules.insert(rulesHash) }
        if let kid = summary.kid { keys.insert(kid) }
    }

    var rulesHashes: [Digest] { rules.sorted() }
    var keyIDs: [KeyID] { keys.sorted() }

    /// Bytes that the lists take in the header at most.
    var headerBytes: Int { counts.count * 80 + rules.count * 46 + keys.reduce(0) { $0 + $1.rawValue.utf8.count + 3 } }
}
