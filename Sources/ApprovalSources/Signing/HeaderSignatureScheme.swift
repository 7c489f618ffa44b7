import ClawWire
public import IssuanceRules

/// Where a signature stands in the headers of a webhook, and what it covers.
public enum HeaderSignatureScheme: Sendable, Hashable {
    /// HMAC-SHA-256 with a shared secret.
    case hmac(HMACForm)
    /// A JSON Web Signature in compact form: with detached content (RFC 7515 appendix F) in the header named, or, for
    /// `nil`, as the whole body.
    case jws(header: String?)

    /// The form of a header with codes.
    public struct HMACForm: Sendable, Hashable {
        /// Name of the header, in lower case.
        public let header: String
        /// What stands before a code.
        public let prefix: String
        /// How a code is written.
        public let encoding: HeaderSignatureRule.Encoding
        /// True when several values may stand in the header, separated by commas, and those of other prefixes are left
        /// aside.
        public let isList: Bool
        /// The timestamp that is signed with the body; `nil` when only the body is.
        public let timestamp: SignedTime?

        /// Makes a form.
        public init(
            header: String, prefix: String, encoding: HeaderSignatureRule.Encoding, isList: Bool = false,
            timestamp: SignedTime? = nil
        ) {
            self.header = TextRules.folded(header)
            self.prefix = prefix
            self.encoding = encoding
            self.isList = isList
            self.timestamp = timestamp
        }
    }

    /// A timestamp in a header of its own; `<version>:<timestamp>:<body>` is signed.
    public struct SignedTime: Sendable, Hashable {
        /// Name of the header, in lower case; its value is in seconds since the Unix epoch.
        public let header: String
        /// What stands first in the signed text.
        public let version: String
        /// Most seconds between the timestamp and the arrival, in either direction.
        public let toleranceSeconds: Int64

        /// Makes a form.
        public init(header: String, version: String, toleranceSeconds: Int64) {
            self.header = TextRules.folded(header)
            self.version = version
            self.toleranceSeconds = toleranceSeconds
        }
    }

    /// GitHub's `X-Hub-Signature-256`.
    public static let github = hmac(HMACForm(header: "x-hub-signature-256", prefix: "sha256=", encoding: .hex))
    /// PagerDuty's `X-PagerDuty-Signature`, of version 1; several while secrets are changed.
    public static let pagerDuty = hmac(
        HMACForm(header: "x-pagerduty-signature", prefix: "v1=", encoding: .hex, isList: true))
    /// Slack's `X-Slack-Signature`, with a timestamp that may lie five minutes off.
    public static let slack = hmac(
        HMACForm(
            header: "x-slack-signature", prefix: "v0=", encoding: .hex,
            timestamp: SignedTime(header: "x-slack-request-timestamp", version: "v0", toleranceSeconds: 300)))
    /// Atlassian's `X-Hub-Signature`.
    public static let atlassian = hmac(HMACForm(header: "x-hub-signature", prefix: "sha256=", encoding: .hex))

    /// Takes the scheme of a rule.
    public init(_ rule: HeaderSignatureRule) {
        switch rule.scheme {
        case .github: self = .github
        case .pagerDuty: self = .pagerDuty
        case .slack: self = .slack
        case .jira: self = .atlassian
        case .hmacSHA256:
            self = .hmac(HMACForm(header: rule.header ?? "", prefix: rule.prefix, encoding: rule.encoding))
        case .jws: self = .jws(header: rule.header.map { TextRules.folded($0) })
        }
    }

    /// The headers that have a part in the proof, in lower case.
    public var headers: [String] {
        switch self {
        case .hmac(let form): [form.header] + (form.timestamp.map { [$0.header] } ?? [])
        case .jws(let header): header.map { [$0] } ?? []
        }
    }
}
