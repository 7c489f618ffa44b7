import ClawWire

/// Why a status list is refused.
public struct StatusListError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No JWT of the right type, or a claim of another form.
        case malformed
        /// The bytes are no ZLIB stream.
        case compression
        /// The list is larger than allowed.
        case tooLarge = "too_large"
        /// The index lies outside of the list.
        case outOfRange = "out_of_range"
        /// A status that the list's width cannot hold.
        case statusTooWide = "status_too_wide"
        /// `alg` is not `EdDSA`.
        case unsupportedAlgorithm = "unsupported_algorithm"
        /// No accepted key has the header's `kid`.
        case unknownKey = "unknown_key"
        /// The signature is not the key's.
        case signatureInvalid = "signature_invalid"
        /// `sub` is not the address from which the list was fetched.
        case subjectMismatch = "subject_mismatch"
        /// `exp` has come.
        case expired
        /// `iat` is in the future.
        case issuedInFuture = "issued_in_future"
    }

    /// What is wrong.
    public let code: Code
    /// A sentence for people.
    public let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Code and sentence.
    public var description: String { "\(code.rawValue): \(detail)" }
}

/// A list of token statuses (Token Status List, an IETF draft of the OAuth group): one small number for each token.
///
/// The first token stands in the lowest bits of the first byte. Every token has a status, so a list says nothing that
/// is not asked: an index past its end is an error, never "valid".
public struct StatusList: Sendable, Hashable {
    /// Bits of one status.
    public enum Width: Int, Sendable, Hashable, CaseIterable {
        /// Valid or invalid.
        case one = 1
        /// Suspended, too.
        case two = 2
        /// Sixteen statuses.
        case four = 4
        /// 256 statuses.
        case eight = 8

        /// The greatest status.
        public var maximum: UInt8 { UInt8(truncatingIfNeeded: 1 << rawValue - 1) }
        /// Statuses of one byte.
        public var perByte: Int { 8 / rawValue }
    }

    /// The status of one token.
    public struct Status: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The number in the list.
        public let rawValue: UInt8
        /// Takes a number; those past 2 have no meaning here.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Nothing is said against the token.
        public static let valid = Status(rawValue: 0)
        /// The token is revoked for good.
        public static let invalid = Status(rawValue: 1)
        /// The token does not count for now; needs ``Width/two`` or more.
        public static let suspended = Status(rawValue: 2)
        /// For example `invalid`.
        public var description: String {
            switch self {
            case .valid: "valid"
            case .invalid: "invalid"
            case .suspended: "suspended"
            default: "status \(rawValue)"
            }
        }
    }

    /// Bits of one status.
    public let width: Width
    /// Number of statuses; what is left of the last byte is valid and belongs to nobody.
    public let count: Int
    /// The statuses, packed from the lowest bits on.
    public private(set) var bytes: [UInt8]

    /// Largest list that is read, in bytes before compression: 33 million statuses of one bit.
    public static let maximumBytes = 4 << 20

    /// Makes a list of valid tokens.
    public init(count: Int, width: Width = .one) {
        self.width = width
        self.count = max(0, count)
        bytes = [UInt8](repeating: 0, count: (max(0, count) + width.perByte - 1) / width.perByte)
    }

    /// Takes packed statuses.
    public init(packed bytes: [UInt8], width: Width) {
        self.width = width
        self.bytes = bytes
        count = bytes.count * width.perByte
    }

    /// The status at an index.
    ///
    /// - Throws: ``StatusListError`` `out_of_range`.
    public func status(at index: Int) throws(StatusListError) -> Status {
        try check(index)
        return Status(rawValue: bytes[index / width.perByte] >> shift(index) & width.maximum)
    }

    /// Sets the status at an index.
    ///
    /// - Throws: ``StatusListError`` `out_of_range` or `status_too_wide`.
    public mutating func set(_ status: Status, at index: Int) throws(StatusListError) {
        try check(index)
        guard status.rawValue <= width.maximum else {
            throw StatusListError(
                .statusTooWide, "\(status) needs more than the \(width.rawValue) bits of this list's statuses")
        }
        let byte = index / width.perByte
        bytes[byte] = bytes[byte] & ~(width.maximum << shift(index)) | status.rawValue << shift(index)
    }

    private func shift(_ index: Int) -> Int { index % width.perByte * width.rawValue }

    private func check(_ index: Int) throws(StatusListError) {
        guard index >= 0, index < count else {
            throw StatusListError(.outOfRange, "index \(index) is not in a list of \(count) statuses")
        }
    }

    // MARK: Compressed

    /// The member `lst`: base64url of the ZLIB form of the packed statuses.
    ///
    /// - Throws: ``StatusListError`` `too_large` for a list that no reader would take, `compression`.
    public func encoded() throws(StatusListError) -> String {
        guard bytes.count <= Self.maximumBytes else {
            throw StatusListError(.tooLarge, "a list of \(bytes.count) bytes; at most \(Self.maximumBytes) are read")
        }
        return Base64URL.encode(try Zlib.compress(bytes))
    }

    /// Reads the member `lst`.
    ///
    /// - Throws: ``StatusListError``.
    public init(
        encoded: String, width: Width, maximumBytes: Int = StatusList.maximumBytes
    ) throws(StatusListError) {
        guard let compressed = Base64URL.decode(encoded) else {
            throw StatusListError(.malformed, "lst is not base64url")
        }
        self.init(packed: try Zlib.decompress(compressed, maximumBytes: maximumBytes), width: width)
    }
}

/// Where the status of a token stands: which of an issuer's lists, and where in it.
///
/// It follows from the token's dense number alone, so that it never moves. Lists of one size fill up one after the
/// other, and a full one is dropped when its last token has expired. Numbers in order of issue tell a reader how many
/// tokens were issued between two of its own; where that must stay hidden, give permuted numbers.
public struct StatusPlace: Sendable, Hashable {
    /// Statuses of one list, a multiple of 8 so that no byte is shared: 128 KiB with one bit each.
    public static let standardListSize = 1 << 20

    /// The list's number, from 0.
    public let list: Int64
    /// The index in the list.
    public let index: Int

    /// The place of the token with a dense number from 0; `nil` when it is negative or the size is not positive.
    public init?(number: Int64, listSize: Int = StatusPlace.standardListSize) {
        guard number >= 0, listSize > 0 else { return nil }
        list = number / Int64(listSize)
        index = Int(number % Int64(listSize))
    }
}
