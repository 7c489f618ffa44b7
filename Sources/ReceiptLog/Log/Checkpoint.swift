public import ClawWire

/// The head of a log at one size, as text that is signed (C2SP tlog-checkpoint).
public struct Checkpoint: Sendable, Hashable {
    /// First line: names the log.
    public let origin: String
    /// Number of leaves, for our logs the number of batches.
    public let size: UInt64
    /// RFC 9162 root over the leaves, for our logs the batch headers.
    public let root: Digest
    /// Further lines, without meaning here.
    public let extensions: [String]

    /// Makes a checkpoint.
    ///
    /// - Throws: ``EvidenceError`` when origin or an extension is no non-empty line.
    public init(origin: String, size: UInt64, root: Digest, extensions: [String] = []) throws(EvidenceError) {
        for line in [origin] + extensions {
            guard !line.isEmpty, line.utf8.count <= 1_024, line.utf8.allSatisfy({ $0 >= 0x20 }) else {
                throw EvidenceError(.malformed, "checkpoint", "origin and extensions are non-empty lines")
            }
        }
        guard extensions.count <= 16 else {
            throw EvidenceError(.limitExceeded, "checkpoint", "more than 16 extension lines")
        }
        self.origin = origin
        self.size = size
        self.root = root
        self.extensions = extensions
    }

    init(uncheckedOrigin origin: String, size: UInt64, root: Digest) {
        self.origin = origin
        self.size = size
        self.root = root
        extensions = []
    }

    /// The text that is signed.
    public var text: String {
        ([origin, String(size), Base64.encode(root.bytes)] + extensions).map { $0 + "\n" }.joined()
    }

    /// Reads the text of a note as a checkpoint.
    ///
    /// - Throws: ``EvidenceError`` `malformed` when it is not one.
    public init(parsing text: String) throws(EvidenceError) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 4, lines.count <= 20, lines.removeLast().isEmpty else {
            throw EvidenceError(
                .malformed, "checkpoint", "three to nineteen lines, each ended by a newline, are needed")
        }
        let digits = lines[1].utf8
        guard digits.count <= 20, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let size = UInt64(lines[1]),
            String(size) == lines[1]
        else { throw EvidenceError(.malformed, "checkpoint", "the second line is no tree size") }
        guard let bytes = Base64.decode(lines[2]), let root = Digest(bytes: bytes) else {
            throw EvidenceError(.malformed, "checkpoint", "the third line is no base64 of a SHA-256 root")
        }
        try self.init(
            origin: String(lines[0]), size: size, root: root, extensions: lines[3...].map { String($0) })
    }

    /// Signs the checkpoint under the origin's name.
    ///
    /// - Throws: ``EvidenceError`` when the origin cannot name a key; what the signer throws.
    public func signed(by signer: any Ed25519Signer) throws -> SignedNote {
        try SignedNote(text: text, name: origin, signer: signer)
    }
}

/// A checkpoint whose log signature has been verified. Only ``init(_:logKey:logID:witnesses:)`` makes one.
public struct VerifiedCheckpoint: Sendable, Hashable {
    /// The checkpoint.
    public let checkpoint: Checkpoint
    /// The note it came in, with all its signatures.
    public let note: SignedNote
    /// Known witnesses that cosigned, with their times.
    public let cosignatures: [SignedNote.Verified]

    /// How many witnesses cosigned: one that signed twice, or under two names, counts once.
    public var witnessCount: Int { Set(cosignatures.map(\.key.publicKey)).count }

    /// Verifies a note as a checkpoint of a log.
    ///
    /// - Parameters:
    ///   - note: The note.
    ///   - logKey: The log's public key.
    ///   - logID: The log; origin line and key name must be its name.
    ///   - witnesses: Witnesses whose cosignatures are checked where present.
    /// - Throws: ``EvidenceError``.
    public init(
        _ note: SignedNote, logKey: Ed25519PublicKey, logID: LogID, witnesses: [NoteKey] = []
    ) throws(EvidenceError) {
        guard let key = NoteKey(name: logID.rawValue, publicKey: logKey) else {
            throw EvidenceError(.invalidMember, "checkpoint", "\"\(logID.rawValue.prefix(64))\" cannot name a log")
        }
        let checkpoint = try Checkpoint(parsing: note.text)
        guard checkpoint.origin == logID.rawValue else {
            throw EvidenceError(
                .logMismatch, "checkpoint", "the checkpoint is of \"\(checkpoint.origin.prefix(64))\", not of \(logID)")
        }
        let verified = try note.verify(keys: [key] + witnesses)
        guard verified.contains(where: { $0.key == key }) else {
            throw EvidenceError(.signerUnknown, "checkpoint", "the log's key \(logKey.kid) has not signed")
        }
        self.checkpoint = checkpoint
        self.note = note
        cosignatures = verified.filter { $0.key.publicKey != logKey }
    }

    /// Checks that this checkpoint and a later one belong to one history.
    ///
    /// - Parameters:
    ///   - later: The later checkpoint of the same log.
    ///   - path: The consistency proof between the sizes, see ``MerkleTree/consistencyPath(from:)``.
    /// - Throws: ``EvidenceError`` `consistency_invalid` for a split view or a wrong proof, `log_mismatch` for another log.
    public func verifyPrefix(of later: VerifiedCheckpoint, path: [Digest]) throws(EvidenceError) {
        guard later.checkpoint.origin == checkpoint.origin else {
            throw EvidenceError(.logMismatch, "checkpoint", "the checkpoints are of different logs")
        }
        guard
            RFC9162.verifyConsistency(
                first: checkpoint.size, firstRoot: checkpoint.root, second: later.checkpoint.size,
                secondRoot: later.checkpoint.root, path: path)
        else {
            let same = checkpoint.size == later.checkpoint.size
            throw EvidenceError(
                .consistencyInvalid, "checkpoint",
                same
                    ? "two roots are signed for size \(checkpoint.size): the log shows two histories"
                    : "size \(checkpoint.size) is not proven to be the beginning of size \(later.checkpoint.size)")
        }
    }
}
