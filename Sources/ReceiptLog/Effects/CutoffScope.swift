public import ClawWire

/// Which tokens a cut-off voids: one dimension and one value in it.
public struct CutoffScope: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The dimension; the text is the wire form.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Every token of the log.
        case all
        /// The key that signed, by its `kid`.
        case issuerKey = "issuer_key"
        /// The pinned WPC, by its hash in base64url.
        case policyHash = "policy_hash"
        /// The agent, by its DID.
        case agent
        /// The job.
        case job
        /// One token, by its hash in lowercase hexadecimal.
        case token
        /// One token, by its `jti`.
        case jti
        /// The job class.
        case jobClass = "job_class"
        /// The person whose entitlement the token rests on.
        case subject
        /// The approval.
        case approval
        /// The request.
        case request
        /// The entitlement: `kind:id` or `kind:id:scope`, in lowercase.
        case entitlement
        /// The identifier of the WPC.
        case policyID = "policy_id"
        /// The source of the approval.
        case source

        /// True when the claims and the header of a token alone say whether it is in the scope.
        public var isVisibleInToken: Bool {
            switch self {
            case .all, .issuerKey, .policyHash, .agent, .job, .token, .jti: true
            case .jobClass, .subject, .approval, .request, .entitlement, .policyID, .source: false
            }
        }
    }

    /// Longest value, in UTF-8 bytes.
    public static let maximumValueBytes = 1_024

    /// The dimension.
    public let kind: Kind
    /// The value; `nil` for ``Kind/all`` and for no other.
    public let value: String?

    /// Every token.
    public static let all = CutoffScope(unchecked: .all, nil)

    /// Names a scope, or returns `nil` when the value is missing, blank, too long or given for ``Kind/all``.
    ///
    /// Token hashes and entitlements are compared without case and are put into lowercase.
    public init?(_ kind: Kind, _ value: String?) {
        switch kind {
        case .all:
            guard value == nil else { return nil }
            self.init(unchecked: kind, nil)
        case .token, .entitlement, .issuerKey, .policyHash, .agent, .job, .jti, .jobClass, .subject, .approval,
            .request, .policyID, .source:
            guard let value, !trimmed(value).isEmpty, value.utf8.count <= Self.maximumValueBytes else { return nil }
            let folds = kind == .token || kind == .entitlement
            self.init(unchecked: kind, folds ? value.lowercased() : value)
        }
    }

    private init(unchecked kind: Kind, _ value: String?) {
        self.kind = kind
        self.value = value
    }

    /// `kind:value`, or `all`.
    public var description: String { value.map { "\(kind.rawValue):\($0)" } ?? kind.rawValue }

    /// Reads the text of ``description``; `nil` for any other.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = parts.first.flatMap({ Kind(rawValue: String($0)) }) else { return nil }
        self.init(kind, parts.count == 2 ? String(parts[1]) : nil)
        guard ExactText.equal(description, text) else { return nil }
    }

    /// Scopes are equal when their bytes are.
    public static func == (left: CutoffScope, right: CutoffScope) -> Bool {
        guard left.kind == right.kind else { return false }
        return ExactText.equal(left.value ?? "", right.value ?? "")
    }

    /// Hashes dimension and value.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(value)
    }

    /// Orders by the bytes of ``description``.
    public static func < (left: CutoffScope, right: CutoffScope) -> Bool {
        ExactText.precedes(left.description, right.description)
    }
}

/// What a record of the revocations topic is about; each is a key of its own, so that compaction keeps the last word.
public enum RevocationKey: Sendable, Hashable, CustomStringConvertible {
    /// One revoked token: its hash in lowercase hexadecimal.
    case token(Digest)
    /// A cut-off: `cutoff:` and its scope.
    case cutoff(CutoffScope)
    /// The signed head: `head`.
    case head

    /// Reads a record key; `nil` when it is none of the three forms.
    public init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let prefix = "cutoff:"
        if text == "head" {
            self = .head
        } else if text.utf8.starts(with: prefix.utf8) {
            guard let scope = CutoffScope(String(text.utf8.dropFirst(prefix.utf8.count)) ?? "") else { return nil }
            self = .cutoff(scope)
        } else {
            guard bytes.count == 64, let digest = Digest(hex: text), digest.hex == text else { return nil }
            self = .token(digest)
        }
    }

    /// The text of the key.
    public var description: String {
        switch self {
        case .token(let digest): digest.hex
        case .cutoff(let scope): "cutoff:\(scope)"
        case .head: "head"
        }
    }

    /// The key's bytes.
    public var bytes: [UInt8] { Array(description.utf8) }
}
