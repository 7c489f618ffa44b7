public import ClawWire
public import ReceiptLog

/// What one verified reading of a log leaves for the next one: where it may begin, and which batch first names a job.
///
/// A run is put together from the first batch that names its job on. What lies before it was verified when the index
/// was made, and comes in as the right edge of the tree over headers, so that the result is the same to the byte. Memory
/// and file hold 32 bytes for each batch and 12 for each job.
public struct LogIndex: Sendable, Hashable {
    /// A place in the log behind a batch that came with a checkpoint.
    public struct Mark: Sendable, Hashable {
        /// Where the log stood.
        public let tail: LogTail
        /// The checkpoint that says so.
        public let checkpoint: VerifiedCheckpoint
        /// Keys that had signed batches until then, in the order of their first use.
        public let signers: [Ed25519PublicKey]
        /// The offset of the next record of the batch topic.
        public let nextOffset: Int64
    }

    /// The log.
    public let logID: LogID
    /// Hashes of all headers, in order.
    public private(set) var headerHashes: [Digest] = []
    /// Marks, in order.
    public private(set) var marks: [Mark] = []
    /// First batches by the first eight bytes of the SHA-256 of a job's identifier. Two jobs that share them are read
    /// from the earlier batch on, which does no harm.
    private var firstBatches: [UInt64: Int64] = [:]
    /// Batches from mark to mark.
    private var spacing: Int64 = Self.leastSpacing

    private static let leastSpacing: Int64 = 64
    private static let maximumMarks = 512

    /// An index of nothing.
    public init(logID: LogID) { self.logID = logID }

    /// Number of batches.
    public var batchCount: Int { headerHashes.count }

    /// Where to begin for a job: the last mark before the first batch that names it; `nil` for the log's first batch.
    public func start(of jobID: JobID) -> Mark? {
        guard let first = firstBatches[Self.key(JSONWriter.bytes(.string(jobID.rawValue)))] else { return marks.last }
        return marks.last { $0.tail.nextNumber.value <= first }
    }

    // MARK: Growing

    /// Takes the next batch.
    mutating func append(_ headerHash: Digest, receipts: [[UInt8]]) {
        let number = Int64(headerHashes.count)
        headerHashes.append(headerHash)
        for receipt in receipts {
            for name in Self.jobNames(in: receipt) {
                let key = Self.key(name)
                if firstBatches[key] == nil { firstBatches[key] = number }
            }
        }
    }

    /// Takes a place where the log stands behind its last batch; kept when it is far enough from the one before.
    mutating func mark(_ mark: Mark) {
        let number = mark.tail.nextNumber.value
        guard number == Int64(headerHashes.count), number >= (marks.last?.tail.nextNumber.value ?? 0) + spacing else {
            return
        }
        marks.append(mark)
        guard marks.count > Self.maximumMarks else { return }
        spacing *= 2
        marks = marks.enumerated().compactMap { $0.offset.isMultiple(of: 2) ? nil : $0.element }
    }

    private static func key(_ name: [UInt8]) -> UInt64 {
        Digest(hashing: name).bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static let member = Array("\"job_id\":\"".utf8)

    /// The texts of members `job_id`, at any depth, as they stand in canonical text, quotes included. Within a string
    /// their quotes would be escaped, so that nothing else looks like one.
    static func jobNames(in receipt: [UInt8]) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var start = 0
        while let found = ByteSearch.first(member, in: receipt, from: start) {
            var end = found + member.count
            while end < receipt.count, receipt[end] != UInt8(ascii: "\"") {
                end += receipt[end] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard end < receipt.count else { return names }
            names.append(Array(receipt[(found + member.count - 1)...end]))
            start = end
        }
        return names
    }
}

// MARK: The stored form

extension LogIndex {
    /// Largest file that is read, in bytes.
    public static let maximumBytes = 256 << 20
    private static let context = "clawgrant-log-index-v1\n"
    private static let entryBytes = 12

    /// The index as a signed file, so that nobody else can say where a reading begins.
    ///
    /// - Throws: what the signer throws.
    public func file(signedBy signer: any Ed25519Signer) throws -> [UInt8] {
        var hashes: [UInt8] = []
        hashes.reserveCapacity(headerHashes.count * 32)
        for hash in headerHashes { hashes += hash.bytes }
        var jobs: [UInt8] = []
        jobs.reserveCapacity(firstBatches.count * Self.entryBytes)
        for (key, number) in firstBatches.sorted(by: { $0.key < $1.key }) {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                jobs.append(UInt8(truncatingIfNeeded: key >> shift))
            }
            let number = UInt32(clamping: number)
            for shift in stride(from: UInt32(24), through: 0, by: -8) {
                jobs.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        let payload: JSONValue = [
            "index_version": "1", "log_id": .string(logID.rawValue), "spacing": .integer(spacing),
            "header_hashes_b64u": .string(Base64URL.encode(hashes)), "jobs_b64u": .string(Base64URL.encode(jobs)),
            "marks": .array(
                try marks.map { mark in
                    [
                        "tail": try JSONReader.parse(mark.tail.canonicalBytes),
                        "checkpoint": .string(mark.checkpoint.note.encoded),
                        "signers": .array(mark.signers.map { .string($0.did) }),
                        "next_offset": .integer(mark.nextOffset),
                    ]
                }),
        ]
        return try Self.file(payload, signedBy: signer)
    }

    /// A file around a payload, whatever it says.
    package static func file(_ payload: JSONValue, signedBy signer: any Ed25519Signer) throws -> [UInt8] {
        let hash = payload.canonicalDigest.b64u
        let file: JSONValue = [
            "payload": payload, "payload_hash_b64u": .string(hash), "signer_did": .string(signer.publicKey.did),
            "signature_b64u": .string(try signer.sign(Array((context + hash).utf8)).b64u),
        ]
        return JSONWriter.bytes(file, order: .canonical)
    }

    /// Reads a file and verifies all of it: who signed it, and that each mark's checkpoint is signed by the log and is
    /// that of its tail.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - logID: the log.
    ///   - logKeys: keys that may sign for the log.
    ///   - signers: keys that may sign the file.
    /// - Throws: ``DocumentFault``: what does not stand.
    public init(
        _ bytes: [UInt8], logID: LogID, logKeys: [Ed25519PublicKey], signers: [Ed25519PublicKey]
    ) throws(DocumentFault) {
        let limits = JSONLimits(
            maximumBytes: Self.maximumBytes, maximumDepth: 8, maximumMembers: 100_000,
            maximumStringBytes: Self.maximumBytes)
        let file: JSONValue
        do { file = try JSONReader.parse(bytes, limits: limits) } catch {
            throw DocumentFault("MALFORMED_JSON", "", "\(error)")
        }
        guard let payload = file["payload"], let hash = file["payload_hash_b64u"]?.string,
            payload.canonicalDigest.b64u == hash
        else { throw DocumentFault("HASH_MISMATCH", "payload", "the file was altered or is not whole") }
        guard let signer = signers.first(where: { $0.did == file["signer_did"]?.string }) else {
            throw DocumentFault("SIGNER_UNKNOWN", "signer_did", "the file was not signed by this configuration's keys")
        }
        guard let signature = file["signature_b64u"]?.string.flatMap({ Ed25519Signature(b64u: $0) }),
            signer.isValidSignature(signature, for: Array((Self.context + hash).utf8))
        else { throw DocumentFault("SIGNATURE_INVALID", "signature_b64u", "the signature is not over the payload") }
        guard payload["index_version"]?.string == "1", let spacing = payload["spacing"]?.integer,
            spacing >= Self.leastSpacing, payload["log_id"]?.string == logID.rawValue
        else { throw DocumentFault("LOG_UNKNOWN", "payload.log_id", "the file is not of the log \(logID)") }
        self.init(logID: logID)
        self.spacing = spacing
        try read(payload, logKeys)
    }

    private mutating func read(_ payload: JSONValue, _ logKeys: [Ed25519PublicKey]) throws(DocumentFault) {
        guard let hashes = payload["header_hashes_b64u"]?.string.flatMap({ Base64URL.decode($0) }),
            hashes.count.isMultiple(of: 32)
        else { throw DocumentFault("MALFORMED", "payload.header_hashes_b64u", "no digests of 32 bytes") }
        headerHashes = stride(from: 0, to: hashes.count, by: 32).compactMap {
            Digest(bytes: Array(hashes[$0..<($0 + 32)]))
        }
        guard let jobs = payload["jobs_b64u"]?.string.flatMap({ Base64URL.decode($0) }),
            jobs.count.isMultiple(of: Self.entryBytes)
        else { throw DocumentFault("MALFORMED", "payload.jobs_b64u", "no entries of 12 bytes") }
        for start in stride(from: 0, to: jobs.count, by: Self.entryBytes) {
            let key = jobs[start..<(start + 8)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            firstBatches[key] = jobs[(start + 8)..<(start + Self.entryBytes)].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        }
        for (index, value) in (payload["marks"]?.array ?? []).enumerated() {
            do {
                marks.append(try mark(value, logKeys))
            } catch {
                throw DocumentFault(
                    error.code.rawValue.uppercased(), "payload.marks[\(index)].\(error.path)", error.detail)
            }
        }
    }

    private func mark(_ value: JSONValue, _ logKeys: [Ed25519PublicKey]) throws(EvidenceError) -> Mark {
        let tail = try LogTail(parsing: JSONWriter.bytes(value["tail"] ?? .null, order: .canonical))
        let note = try SignedNote(parsing: value["checkpoint"]?.string ?? "")
        var signers: [Ed25519PublicKey] = []
        for did in value["signers"]?.array ?? [] {
            guard let key = logKeys.first(where: { $0.did == did.string }) else {
                throw EvidenceError(.signerUnknown, "signers", "a batch was signed by a key that is not the log's now")
            }
            signers.append(key)
        }
        var verified: VerifiedCheckpoint?
        for key in logKeys where verified == nil {
            verified = try? VerifiedCheckpoint(note, logKey: key, logID: logID)
        }
        guard let verified else {
            throw EvidenceError(.signerUnknown, "checkpoint", "no key of the log has signed it")
        }
        let number = tail.nextNumber.value
        guard tail.logID == logID, number >= 1, number <= Int64(headerHashes.count),
            headerHashes[Int(number) - 1] == tail.previousHeaderHash,
            verified.checkpoint.size == tail.frontier.size, verified.checkpoint.root == tail.frontier.root,
            let nextOffset = value["next_offset"]?.integer, nextOffset >= 1
        else { throw EvidenceError(.consistencyInvalid, "tail", "tail, checkpoint and headers contradict each other") }
        return Mark(tail: tail, checkpoint: verified, signers: signers, nextOffset: nextOffset)
    }
}
