import ClawWire

/// A batch header as it stands in a record.
struct BatchHeaderText {
    let bytes: [UInt8]
    let hash: Digest
    let logID: String
    let number: Int64
    let firstPosition: Int64
    let lastPosition: Int64
    let count: Int64
    let root: Digest
    let clawlogsRoot: Digest
    let previous: Digest
    let sealedAt: Timestamp
    let counts: [String: Int64]
    let rules: [String]
    let keys: [String]

    private static let members: Set<String> = [
        "batch_version", "clawlogs_root_b64u", "count", "counts", "first_position", "key_ids", "last_position",
        "log_id", "number", "previous_header_hash_b64u", "root_b64u", "rules_hashes_b64u", "sealed_at",
    ]

    /// Reads a header, or says what of it does not read.
    static func read(_ bytes: [UInt8]) -> Result<BatchHeaderText, Unreadable> {
        guard bytes.count <= 262_144, let header = try? Members(bytes) else {
            return .failure(Unreadable("it is no object"))
        }
        if let stranger = header.names.first(where: { !members.contains($0) }) {
            return .failure(Unreadable("it has the unknown member \(Place.quoted(stranger))"))
        }
        guard header.string("batch_version") == "1" else { return .failure(Unreadable("batch_version is not 1")) }
        guard let logID = header.string("log_id"), !logID.isEmpty else { return .failure(Unreadable("log_id")) }
        guard let number = header.count("number"), let first = header.count("first_position"),
            let last = header.count("last_position"), let count = header.count("count"), count >= 1
        else { return .failure(Unreadable("number, positions and count are integers")) }
        guard let root = header.digest("root_b64u"), let clawlogs = header.digest("clawlogs_root_b64u"),
            let previous = header.digest("previous_header_hash_b64u")
        else { return .failure(Unreadable("a digest is none")) }
        guard let sealedAt = header.time("sealed_at") else { return .failure(Unreadable("sealed_at is no time")) }
        guard let rules = header.strings("rules_hashes_b64u"), let keys = header.strings("key_ids"),
            let kinds = header.object("counts")
        else { return .failure(Unreadable("counts, rules and keys")) }
        var counts: [String: Int64] = [:]
        for name in kinds.names {
            guard let count = kinds.count(name), count > 0 else { return .failure(Unreadable("counts")) }
            counts[name] = count
        }
        return .success(
            BatchHeaderText(
                bytes: bytes, hash: Digest(hashing: bytes), logID: logID, number: number, firstPosition: first,
                lastPosition: last, count: count, root: root, clawlogsRoot: clawlogs, previous: previous,
                sealedAt: sealedAt, counts: counts, rules: rules, keys: keys))
    }

    struct Unreadable: Error {
        let what: String
        init(_ what: String) { self.what = what }
    }
}

/// The record of a batch, cut into its parts in one pass; every part stands where it was published.
struct BatchText {
    let record: [UInt8]
    let header: [UInt8]
    /// Where each receipt stands in the record.
    let receipts: [Range<Int>]
    /// The members of each receipt.
    let receiptMembers: [[CanonicalText.Member]]
    let signerDID: String
    let signature: Ed25519Signature?
    let checkpoint: String?
    let clawlogs: Members?

    static let maximumBytes = 1_048_576
    static let maximumReceipts = 20_000

    enum Fault: Error {
        case tooLarge
        case unreadable(String)
        case notCanonical(String)
        case unknownMember(String)
    }

    init(_ record: [UInt8]) throws(Fault) {
        guard record.count <= Self.maximumBytes else { throw .tooLarge }
        var members: [CanonicalText.Member] = []
        var receipts: [Range<Int>] = []
        var receiptMembers: [[CanonicalText.Member]] = []
        do throws(CanonicalText.Fault) {
            let end = try CanonicalText.walkObject(record.span, at: 0, depth: 0) {
                (text: Span<UInt8>, key: Range<Int>, start: Int) throws(CanonicalText.Fault) -> Int in
                let end: Int
                if CanonicalText.isEqual(text, key, "receipts") {
                    end = try CanonicalText.walkArray(text, at: start, depth: 1) {
                        (text: Span<UInt8>, start: Int) throws(CanonicalText.Fault) -> Int in
                        guard receipts.count < Self.maximumReceipts else {
                            throw CanonicalText.Fault(offset: start, what: "too many receipts")
                        }
                        let (found, end) = try CanonicalText.object(text, at: start, depth: 2)
                        receipts.append(start..<end)
                        receiptMembers.append(found)
                        return end
                    }
                } else {
                    end = try CanonicalText.value(text, at: start, depth: 1)
                }
                members.append(CanonicalText.Member(key: key, value: start..<end))
                return end
            }
            guard end == record.count else {
                throw CanonicalText.Fault(offset: end, what: "text follows the object")
            }
        } catch {
            let fault = error
            let limits = JSONLimits(maximumBytes: Self.maximumBytes, maximumMembers: 2_000_000)
            let isJSON = (try? JSONReader.parse(record, limits: limits, duplicates: .keepLastValue)) != nil
            let what = "\(fault.what) at byte \(fault.offset)"
            throw isJSON ? .notCanonical(what) : .unreadable(what)
        }
        let all = Members(record, members)
        for name in all.names
        where !["checkpoint", "clawlogs_root_signature", "header", "receipts", "signature"].contains(name) {
            throw .unknownMember(name)
        }
        guard let header = all.range("header"), all.has("receipts"), let signature = all.object("signature")
        else { throw .unreadable("a batch has a header, receipts and a signature") }
        guard signature.names == ["algorithm", "signature_b64u", "signer_did"],
            signature.string("algorithm") == "Ed25519", let did = signature.string("signer_did")
        else { throw .unreadable("the signature names its algorithm Ed25519 and its signer") }
        self.record = record
        self.receipts = receipts
        self.receiptMembers = receiptMembers
        self.header = Array(record[header])
        signerDID = did
        self.signature = signature.string("signature_b64u").flatMap { Ed25519Signature(b64u: $0) }
        checkpoint = all.string("checkpoint")
        clawlogs = all.object("clawlogs_root_signature")
        if all.has("checkpoint"), checkpoint == nil { throw .unreadable("the checkpoint is no text") }
        if all.has("clawlogs_root_signature"), clawlogs == nil {
            throw .unreadable("clawlogs_root_signature is no object")
        }
    }
}
