public import ClawWire

/// What a key signs. A key has one purpose, so that a signature made for one can never be passed off as another's.
public enum KeyPurpose: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// Tokens.
    case token
    /// Receipts, batches and checkpoints of the receipt log.
    case receipt
    /// Signed envelopes: policy contracts, requests, approvals.
    case envelope
    /// Security Event Tokens for other systems: an RSA key, because that is what their receivers take.
    case set

    /// The purposes without which a worker does not start; each signs with Ed25519.
    public static let needed: [KeyPurpose] = [.token, .receipt, .envelope]

    /// The raw value.
    public var description: String { rawValue }
}

/// Where a key stands in its life.
public enum KeyState: Sendable, Hashable {
    /// Signs, and its signatures are accepted. Each purpose has exactly one such key.
    case active
    /// Signs no more (or not yet); its signatures are accepted until the instant.
    case verifyOnly(notAfter: Timestamp)
    /// Neither signs nor is accepted. Listed so that the key is not put to use again by mistake.
    case retired
}

/// Where a key is kept.
public enum KeyLocation: Sendable, Hashable, CustomStringConvertible {
    /// A PEM file: PKCS#8 of an Ed25519 key, or of an RSA key for purpose `set`; for keys that sign no more, the public half
    /// is enough.
    case file(String)
    /// A key in a PKCS#11 token.
    case pkcs11(PKCS11Location)

    /// The path, or the token and key by their labels.
    public var description: String {
        switch self {
        case .file(let path): path
        case .pkcs11(let location): location.description
        }
    }
}

/// A key in a PKCS#11 token: the module to load, the token, the key, and the file with the PIN.
public struct PKCS11Location: Sendable, Hashable, CustomStringConvertible {
    /// How the key is found in its token.
    public enum KeyName: Sendable, Hashable, CustomStringConvertible {
        /// By `CKA_LABEL`.
        case label(String)
        /// By `CKA_ID`.
        case id([UInt8])

        /// `object=<label>` or `id=%01%02`, as in a PKCS#11 URI (RFC 7512).
        public var description: String {
            switch self {
            case .label(let label): "object=\(label)"
            case .id(let bytes): "id=" + bytes.map { ($0 < 16 ? "%0" : "%") + String($0, radix: 16) }.joined()
            }
        }
    }

    /// The absolute path of the module, for example `/usr/lib/softhsm/libsofthsm2.so`.
    public var modulePath: String
    /// The label of the token; exactly one token of the module must have it.
    public var tokenLabel: String
    /// The key; exactly one private key of the token must match.
    public var key: KeyName
    /// The file with the user PIN: one line, checked like a key file. It is read at each login and never kept.
    public var pinFile: String

    /// Makes a location of its parts.
    public init(modulePath: String, tokenLabel: String, key: KeyName, pinFile: String) {
        self.modulePath = modulePath
        self.tokenLabel = tokenLabel
        self.key = key
        self.pinFile = pinFile
    }

    /// A PKCS#11 URI (RFC 7512) without module and PIN.
    public var description: String { "pkcs11:token=\(tokenLabel);\(key)" }
}

/// One key as the configuration names it.
public struct KeyConfiguration: Sendable, Hashable {
    /// What the key signs.
    public var purpose: KeyPurpose
    /// Where the key is kept.
    public var location: KeyLocation
    /// The first instant at which the key may sign and is accepted; `nil` for no limit.
    public var notBefore: Timestamp?
    /// The instant from which the key neither signs nor is accepted; `nil` for no limit.
    public var notAfter: Timestamp?
    /// Where the key stands in its life.
    public var state: KeyState
    /// Which symbolic links may stand for the key's file or PIN file.
    public var links: SecretFile.Links

    /// Makes a configuration of its parts.
    public init(
        purpose: KeyPurpose, location: KeyLocation, notBefore: Timestamp? = nil, notAfter: Timestamp? = nil,
        state: KeyState = .active, links: SecretFile.Links = .withinDirectory
    ) {
        self.purpose = purpose
        self.location = location
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.state = state
        self.links = links
    }

    /// The instant from which the key's signatures are not accepted: the earlier of ``notAfter`` and the state's own.
    var acceptedUntil: Timestamp? {
        switch state {
        case .active, .retired: notAfter
        case .verifyOnly(let limit): notAfter.map { min($0, limit) } ?? limit
        }
    }

    /// Whether the key's signatures count at an instant.
    func isAccepted(at now: Timestamp) -> Bool {
        if state == .retired { return false }
        if let notBefore, now < notBefore { return false }
        return acceptedUntil.map { now < $0 } ?? true
    }
}
