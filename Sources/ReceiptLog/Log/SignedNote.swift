public import ClawWire

/// A text with signature lines under it (C2SP signed-note). Nothing in it is trusted until ``verify(keys:)``.
public struct SignedNote: Sendable, Hashable {
    /// One signature line.
    public struct Signature: Sendable, Hashable {
        /// Name of the key.
        public let name: String
        /// Key id, four bytes.
        public let keyID: [UInt8]
        /// What follows the key id.
        public let bytes: [UInt8]

        /// Makes a line of what was read before.
        public init(name: String, keyID: [UInt8], bytes: [UInt8]) {
            self.name = name
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    /// Largest note that is read, in bytes.
    public static let maximumBytes = 65_536
    /// Most signature lines that are read; the format asks for at least 16.
    public static let maximumSignatures = 64

    /// The signed text, which ends in a newline.
    public let text: String
    /// The signatures, in order; unknown ones are kept.
    public private(set) var signatures: [Signature]

    /// Signs a text.
    ///
    /// - Throws: ``EvidenceError`` when text or name do not fit the format; what the signer throws.
    public init(text: String, name: String, signer: any Ed25519Signer) throws {
        try Self.check(text)
        guard let key = NoteKey(name: name, publicKey: signer.publicKey) else {
            throw EvidenceError(.invalidMember, "note", "\"\(name.prefix(64))\" cannot name a key")
        }
        self.text = text
        signatures = [
            Signature(name: name, keyID: key.keyID, bytes: try signer.sign(Array(text.utf8)).bytes)
        ]
    }

    /// Reads a note.
    ///
    /// - Throws: ``EvidenceError`` `limit_exceeded` or `malformed`.
    public init(parsing note: String) throws(EvidenceError) {
        let bytes = Array(note.utf8)
        guard bytes.count <= Self.maximumBytes else {
            throw EvidenceError(
                .limitExceeded, "note", "the note has \(bytes.count) bytes; at most \(Self.maximumBytes)")
        }
        guard bytes.allSatisfy({ $0 >= 0x20 || $0 == 0x0A }), bytes.last == 0x0A else {
            throw EvidenceError(.malformed, "note", "a note ends in a newline and holds no other control character")
        }
        var split: Int?
        for i in stride(from: bytes.count - 1, to: 0, by: -1) where bytes[i] == 0x0A && bytes[i - 1] == 0x0A {
            split = i
            break
        }
        guard let split, split >= 2, split + 1 < bytes.count else {
            throw EvidenceError(.malformed, "note", "an empty line and at least one signature were expected")
        }
        text = String(decoding: bytes[..<split], as: UTF8.self)
        signatures = []
        for line in bytes[(split + 1)..<(bytes.count - 1)].split(separator: 0x0A, omittingEmptySubsequences: false) {
            guard signatures.count < Self.maximumSignatures else {
                throw EvidenceError(.limitExceeded, "note", "more than \(Self.maximumSignatures) signatures")
            }
            signatures.append(try Self.signature(String(decoding: line, as: UTF8.self)))
        }
    }

    /// The whole note: text, empty line, signature lines.
    public var encoded: String {
        text + "\n" + signatures.map { "— \($0.name) \(Base64.encode($0.keyID + $0.bytes))\n" }.joined()
    }

    /// The note with another's signature lines added, those already there left out.
    ///
    /// - Throws: ``EvidenceError`` when the other note has another text, or there would be too many signatures.
    public func adding(signaturesOf other: SignedNote) throws(EvidenceError) -> SignedNote {
        guard other.text == text else {
            throw EvidenceError(.consistencyInvalid, "note", "the other note signs another text")
        }
        var merged = self
        for signature in other.signatures where !merged.signatures.contains(signature) {
            merged.signatures.append(signature)
        }
        guard merged.signatures.count <= Self.maximumSignatures else {
            throw EvidenceError(.limitExceeded, "note", "more than \(Self.maximumSignatures) signatures")
        }
        return merged
    }

    /// The note with further signature lines, those already there left out, up to the limit of what is read.
    public func adding(_ lines: [Signature]) -> SignedNote {
        var merged = self
        for line in lines where !merged.signatures.contains(line) && merged.signatures.count < Self.maximumSignatures {
            merged.signatures.append(line)
        }
        return merged
    }

    /// A verified signature.
    public struct Verified: Sendable, Hashable {
        /// The key.
        public let key: NoteKey
        /// When a witness signed; `nil` for a plain signature.
        public let time: Timestamp?
    }

    /// The signatures by known keys, all of them valid. Those by unknown keys are ignored, as the format demands.
    ///
    /// - Throws: ``EvidenceError`` `signature_invalid` when a known key's signature does not verify, `signer_unknown` when
    ///   none of the keys has signed.
    public func verify(keys: [NoteKey]) throws(EvidenceError) -> [Verified] {
        var verified: [Verified] = []
        for signature in signatures {
            guard let key = keys.first(where: { $0.name == signature.name && $0.keyID == signature.keyID }) else {
                continue
            }
            guard let valid = check(signature, key) else {
                throw EvidenceError(
                    .signatureInvalid, "note", "the signature by \(key.name) does not verify: the note was altered")
            }
            verified.append(valid)
        }
        guard !verified.isEmpty else {
            let names = signatures.map(\.name).prefix(4).joined(separator: ", ")
            throw EvidenceError(.signerUnknown, "note", "none of the known keys has signed; signers: \(names)")
        }
        return verified
    }

    private func check(_ signature: Signature, _ key: NoteKey) -> Verified? {
        switch key.algorithm {
        case .ed25519:
            guard let ed25519 = Ed25519Signature(bytes: signature.bytes),
                key.publicKey.isValidSignature(ed25519, for: Array(text.utf8))
            else { return nil }
            return Verified(key: key, time: nil)
        case .cosignature:
            guard signature.bytes.count == 72, let ed25519 = Ed25519Signature(bytes: Array(signature.bytes[8...]))
            else { return nil }
            let seconds = signature.bytes[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard seconds <= 253_402_300_799,
                key.publicKey.isValidSignature(ed25519, for: Self.cosigned(text, seconds))
            else { return nil }
            return Verified(key: key, time: Timestamp(seconds: Int64(seconds)))
        }
    }

    /// Adds a witness's timestamped cosignature (C2SP tlog-cosignature, Ed25519).
    ///
    /// - Throws: ``EvidenceError`` when the name cannot name a key or the time is before 1970; what the signer throws.
    public func cosigned(name: String, at time: Timestamp, signer: any Ed25519Signer) throws -> SignedNote {
        guard let key = NoteKey(name: name, publicKey: signer.publicKey, algorithm: .cosignature), time.seconds >= 0
        else { throw EvidenceError(.invalidMember, "note", "\"\(name.prefix(64))\" cannot name a witness") }
        let seconds = UInt64(time.seconds)
        let bytes = try signer.sign(Self.cosigned(text, seconds)).bytes
        let stamp = stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: seconds >> $0) }
        var note = self
        note.signatures.append(Signature(name: name, keyID: key.keyID, bytes: stamp + bytes))
        return note
    }

    private static func cosigned(_ text: String, _ seconds: UInt64) -> [UInt8] {
        Array("cosignature/v1\ntime \(seconds)\n\(text)".utf8)
    }

    private static func check(_ text: String) throws(EvidenceError) {
        guard text.utf8.count <= maximumBytes / 2, text.utf8.last == 0x0A,
            text.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x0A })
        else {
            throw EvidenceError(
                .malformed, "note", "a note's text ends in a newline, holds no other control character, and is short")
        }
    }

    private static func signature(_ line: String) throws(EvidenceError) -> Signature {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "—", !parts[1].isEmpty, !parts[1].utf8.contains(UInt8(ascii: "+")),
            !parts[1].unicodeScalars.contains(where: \.properties.isWhitespace),
            let bytes = Base64.decode(parts[2]), bytes.count > 4
        else {
            throw EvidenceError(
                .malformed, "note", "\"\(line.prefix(48))\" is no signature line: — name base64(key id, signature)")
        }
        return Signature(name: String(parts[1]), keyID: Array(bytes[..<4]), bytes: Array(bytes[4...]))
    }
}
