public import ClawWire
public import ReceiptLog

/// A receipt of the log that concerns a run, with its place.
public struct LoggedReceipt: Sendable, Hashable {
    /// Position in the log.
    public let position: SequenceNumber
    /// Its batch.
    public let batchNumber: SequenceNumber
    /// Index in the batch.
    public let index: Int
    /// Path from the receipt's leaf to the root of the batch.
    public let batchPath: [Digest]
    /// The receipt as it was sealed.
    public let bytes: [UInt8]
    /// The same, read.
    public let document: JSONObject
    /// The same in full; `nil` for a kind that is not known here.
    public let receipt: Receipt?
    /// `log_inclusion_proof.v1`, where the batch offers one.
    public let compatibleProof: LogInclusionProof?

    /// SHA-256 of ``bytes``.
    public var digest: Digest { Digest(hashing: bytes) }
    /// The receipt's `kind`.
    public var kind: String { document["kind"]?.string ?? "" }
    /// The receipt's text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// A batch header with its path to the checkpoint.
public struct LoggedBatch: Sendable, Hashable {
    /// The header.
    public let header: BatchHeader
    /// Path from the header's leaf to the checkpoint's root.
    public let headerPath: [Digest]
}

/// What a log holds of one run, proven to one checkpoint.
public struct CollectedLog: Sendable, Hashable {
    /// The log.
    public let logID: LogID
    /// Keys that signed batches of it.
    public let signers: [Ed25519PublicKey]
    /// The last checkpoint.
    public let checkpoint: VerifiedCheckpoint
    /// Receipts that the log holds up to the checkpoint.
    public let receiptCount: Int64
    /// When the last batch up to the checkpoint was sealed.
    public let sealedAt: Timestamp
    /// Headers of the batches that hold the receipts, in order.
    public let batches: [LoggedBatch]
    /// The run's receipts in the order of their positions.
    public let receipts: [LoggedReceipt]
    /// Receipts of the run that were seen and not kept, because there were more than the limit.
    public let leftOut: Int
}

/// Reads a log once and keeps what concerns one job: from its first batch, or from where an index of an earlier reading
/// says that the job begins.
///
/// Every batch is verified: signature, trees, chain, dense positions. Memory holds the job's receipts, their paths, and
/// 32 bytes for each batch and 12 for each job.
public struct RunCollector: Sendable {
    /// Most receipts of a run that are kept.
    public static let maximumReceipts = 5_000
    /// Most receipts of gateway calls that are kept, so that they never take the place of issuances and revocations.
    public static let maximumCallReceipts = 4_000
    /// Most control receipts (stops and the like) that are kept.
    public static let maximumControlReceipts = 256

    /// The job.
    public let jobID: JobID
    private let logKeys: [Ed25519PublicKey]
    private let jobText: [UInt8]
    private var tail: LogTail
    private var state = State()
    /// Where the log stood at the last checkpoint, when later batches came without one.
    private var snapshot: State?
    /// What an earlier reading left.
    private let known: LogIndex?
    /// What this reading leaves for the next.
    public private(set) var index: LogIndex
    /// The offset of the first record to read; `nil` for the topic's first.
    public let startOffset: Int64?

    private struct State: Sendable {
        var tracker = InclusionTracker()
        var headers: [BatchHeader] = []
        var receipts: [LoggedReceipt] = []
        var control = 0
        var calls = 0
        var leftOut = 0
        var signers: [Ed25519PublicKey] = []
        var checkpoint: VerifiedCheckpoint?
        var receiptCount: Int64 = 0
        var sealedAt = Timestamp(seconds: 0)
        var jobClasses: Set<String> = []
        var agents: Set<String> = []
        var policies: Set<String> = []
        var kids: Set<String> = []
    }

    /// Starts at the beginning of a log, or where an index says.
    ///
    /// - Parameters:
    ///   - jobID: the job.
    ///   - logID: the log.
    ///   - logKeys: keys that may sign for it.
    ///   - known: what an earlier reading left. What is read again must be what was read then.
    ///   - isFromBeginning: true to begin with the first batch all the same.
    /// - Throws: ``EvidenceError`` when the name cannot name a log.
    public init(
        jobID: JobID, logID: LogID, logKeys: [Ed25519PublicKey], known: LogIndex? = nil, isFromBeginning: Bool = false
    ) throws(EvidenceError) {
        self.jobID = jobID
        self.logKeys = logKeys
        jobText = JSONWriter.bytes(.string(jobID.rawValue))
        self.known = known
        guard !isFromBeginning, let known, let mark = known.start(of: jobID) else {
            index = LogIndex(logID: logID)
            tail = try LogTail(logID: logID)
            startOffset = nil
            return
        }
        index = known
        tail = mark.tail
        startOffset = mark.nextOffset
        state.tracker = InclusionTracker(mark.tail.frontier)
        state.signers = mark.signers
        state.checkpoint = mark.checkpoint
        state.receiptCount = mark.tail.nextPosition.value
        state.sealedAt = mark.tail.sealedAt ?? state.sealedAt
    }

    /// Number of the batch that is expected next.
    public var nextNumber: Int64 { tail.nextNumber.value }

    /// Takes the next record of the batch topic; a repeat of an earlier one is passed over.
    ///
    /// - Parameters:
    ///   - record: its value.
    ///   - offset: its offset.
    /// - Throws: ``EvidenceError``: what the batch or its place in the log lacks; `consistency_invalid` when two
    ///   batches bear one number, in the topic or in the topic and an earlier reading.
    public mutating func add(_ record: [UInt8], at offset: Int64) throws(EvidenceError) {
        let batch: VerifiedBatch
        do {
            batch = try VerifiedBatch(parsing: record, previous: tail, logKeys: logKeys, depth: .hashes)
        } catch {
            guard error.code == .positionMismatch, error.path == "header.number" else { throw error }
            try checkRepeat(record, error)
            return
        }
        guard let next = batch.tail else { return }
        let number = Int(batch.header.number.value)
        if let known, number < known.batchCount { try check(batch.headerHash, isThatOf: number, in: known) }
        if batch.checkpoint == nil, state.checkpoint != nil, snapshot == nil { snapshot = state }
        take(batch)
        if number == index.batchCount { index.append(batch.headerHash, receipts: batch.receipts) }
        tail = next
        if let checkpoint = batch.checkpoint {
            state.checkpoint = checkpoint
            snapshot = nil
            index.mark(
                LogIndex.Mark(tail: tail, checkpoint: checkpoint, signers: state.signers, nextOffset: offset + 1))
        }
    }

    private func check(_ hash: Digest, isThatOf number: Int, in index: LogIndex) throws(EvidenceError) {
        guard index.headerHashes[number] == hash else {
            throw EvidenceError(
                .consistencyInvalid, "header.number",
                "two batches bear the number \(number): the log shows two histories")
        }
    }

    private func checkRepeat(_ record: [UInt8], _ fault: EvidenceError) throws(EvidenceError) {
        let alone = try VerifiedBatch(
            parsing: record, previous: nil, logID: tail.logID, logKeys: logKeys, depth: .hashes)
        let number = alone.header.number.value
        guard number < nextNumber else { throw fault }
        try check(alone.headerHash, isThatOf: Int(number), in: index)
    }

    private mutating func take(_ batch: VerifiedBatch) {
        let header = batch.header
        if !state.signers.contains(batch.signer) { state.signers.append(batch.signer) }
        var found = false
        var compatible: ClawlogsTree?
        for (index, bytes) in batch.receipts.enumerated() {
            guard let document = concerning(bytes) else { continue }
            let isCall = document["kind"]?.string == "gateway.receipt"
            guard state.receipts.count < Self.maximumReceipts, !isCall || state.calls < Self.maximumCallReceipts else {
                state.leftOut += 1
                continue
            }
            if isCall { state.calls += 1 }
            var proof: LogInclusionProof?
            if let root = batch.compatibleRoot {
                let tree = compatible ?? ClawlogsTree(leaves: batch.receipts.map { Digest(hashing: $0) })
                compatible = tree
                proof = LogInclusionProof(tree: tree, index: index, signedRoot: root)
            }
            found = true
            state.receipts.append(
                LoggedReceipt(
                    position: SequenceNumber(header.firstPosition.value + Int64(index)), batchNumber: header.number,
                    index: index, batchPath: batch.tree.inclusionPath(of: index) ?? [], bytes: bytes,
                    document: document, receipt: try? Receipt(parsing: bytes), compatibleProof: proof))
        }
        if found { state.headers.append(header) }
        state.tracker.append(RFC9162.leafHash(header.canonicalBytes), isOfInterest: found)
        state.receiptCount = header.lastPosition.value + 1
        state.sealedAt = header.sealedAt
    }

    /// The receipt when it concerns the job: it names it, or it is a control event whose scope covers it.
    private mutating func concerning(_ bytes: [UInt8]) -> JSONObject? {
        if ByteSearch.contains(jobText, in: bytes),
            let document = try? JSONReader.parse(bytes).object, let named = document["job_id"]?.string,
            ExactText.equal(named, jobID.rawValue)
        {
            if let name = document["job_class"]?.string { state.jobClasses.insert(name) }
            if let did = document["agent_did"]?.string { state.agents.insert(did) }
            if let hash = document["wpc_hash_b64u"]?.string { state.policies.insert(hash) }
            if let kid = document["token"]?["kid"]?.string { state.kids.insert(kid) }
            return document
        }
        guard !state.receipts.isEmpty, state.control < Self.maximumControlReceipts,
            ByteSearch.contains(Self.stopKind, in: bytes) || ByteSearch.contains(Self.controlKind, in: bytes),
            let document = try? JSONReader.parse(bytes).object, let kind = document["kind"]?.string,
            kind.hasPrefix("stop.") || kind.hasPrefix("control."), let payload = document["payload"]?.object,
            covers(payload)
        else { return nil }
        state.control += 1
        return document
    }

    private static let stopKind = Array("\"kind\":\"stop.".utf8)
    private static let controlKind = Array("\"kind\":\"control.".utf8)

    private func covers(_ payload: JSONObject) -> Bool {
        let scopes =
            [payload["scope"], payload["data"]?["scope"]].compactMap { $0 }
            + (payload["cutoffs"]?.array ?? []).compactMap { $0["scope"] }
        return scopes.contains { scope in
            guard let kind = scope["kind"]?.string else { return false }
            let value = scope["value"]?.string ?? ""
            return switch kind {
            case "all": true
            case "job": ExactText.equal(value, jobID.rawValue)
            case "job_class": state.jobClasses.contains(value)
            case "agent": state.agents.contains(value)
            case "policy_hash": state.policies.contains(value)
            case "issuer_key": state.kids.contains(value)
            default: false
            }
        }
    }

    /// What the log holds of the job up to its last checkpoint; `nil` when no checkpoint was read.
    ///
    /// - Throws: ``EvidenceError`` `consistency_invalid` when the log is shorter than it was.
    public func collected() throws(EvidenceError) -> CollectedLog? {
        if let known, nextNumber < Int64(known.batchCount) {
            throw EvidenceError(
                .consistencyInvalid, "header.number",
                "the log has \(nextNumber) batches and had \(known.batchCount) when it was read before")
        }
        let state = snapshot ?? self.state
        guard let checkpoint = state.checkpoint else { return nil }
        let tree = state.tracker.completed()
        return CollectedLog(
            logID: tail.logID, signers: state.signers, checkpoint: checkpoint, receiptCount: state.receiptCount,
            sealedAt: state.sealedAt,
            batches: state.headers.map { header in
                LoggedBatch(header: header, headerPath: tree.paths[UInt64(header.number.value)] ?? [])
            }, receipts: state.receipts, leftOut: state.leftOut)
    }
}

/// Looks for bytes in bytes.
enum ByteSearch {
    static func contains(_ needle: [UInt8], in bytes: [UInt8]) -> Bool { first(needle, in: bytes) != nil }

    /// Where the needle stands first, from a place on.
    static func first(_ needle: [UInt8], in bytes: [UInt8], from begin: Int = 0) -> Int? {
        guard let first = needle.first, bytes.count >= needle.count else { return nil }
        let text = bytes.span
        let wanted = needle.span
        var start = begin
        while start + wanted.count <= text.count {
            if text[start] == first {
                var length = 1
                while length < wanted.count, text[start + length] == wanted[length] { length += 1 }
                if length == wanted.count { return start }
            }
            start += 1
        }
        return nil
    }
}
