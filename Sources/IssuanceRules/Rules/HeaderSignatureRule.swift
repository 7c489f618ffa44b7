public import ClawWire

/// How the records of a source prove themselves by a signature in a header, as webhooks do.
public struct HeaderSignatureRule: Sendable, Hashable {
    /// Whose form the header has. The text is the form in the rules.
    public enum Scheme: String, Sendable, Hashable, CaseIterable {
        /// GitHub: `X-Hub-Signature-256: sha256=<hex>`.
        case github
        /// PagerDuty: `X-PagerDuty-Signature: v1=<hex>`, several separated by commas.
        case pagerDuty = "pagerduty"
        /// Slack: `X-Slack-Signature: v0=<hex>` over version, timestamp and body.
        case slack
        /// Jira and other products of Atlassian: `X-Hub-Signature: sha256=<hex>`.
        case jira
        /// HMAC-SHA-256 of the body in a header of any name.
        case hmacSHA256 = "hmac_sha256"
        /// A JSON Web Signature: in a header with detached content, or as the whole body.
        case jws
    }

    /// How the code of a ``Scheme/hmacSHA256`` is written.
    public enum Encoding: String, Sendable, Hashable, CaseIterable {
        /// Hexadecimal digits, of either case.
        case hex
        /// Base64 with padding (RFC 4648 section 4).
        case base64
        /// Base64url without padding (RFC 4648 section 5).
        case base64url
    }

    /// A secret, or a set of public keys, in a file of its own.
    public struct Key: Sendable, Hashable {
        /// The name under which it is recorded as the signer.
        public let name: String
        /// Path of the file.
        public let file: String
        /// First instant at which it counts; `nil` is always.
        public let notBefore: Timestamp?
        /// Instant from which it counts no more; `nil` is never.
        public let notAfter: Timestamp?

        /// Names a key.
        public init(name: String, file: String, notBefore: Timestamp? = nil, notAfter: Timestamp? = nil) {
            self.name = name
            self.file = file
            self.notBefore = notBefore
            self.notAfter = notAfter
        }

        /// What the key is called where a key's identifier is kept.
        public var id: KeyID { KeyID("header:\(name)") }
    }

    /// Most keys of one source.
    public static let maximumKeys = 16

    /// Form of the header.
    public let scheme: Scheme
    /// Name of the header, for ``Scheme/hmacSHA256`` and ``Scheme/jws``; without one the body is the JWS.
    public let header: String?
    /// What stands before the code, for ``Scheme/hmacSHA256``.
    public let prefix: String
    /// How the code is written, for ``Scheme/hmacSHA256``.
    public let encoding: Encoding
    /// The keys that count, in order.
    public let keys: [Key]

    /// Makes a rule.
    public init(scheme: Scheme, header: String? = nil, prefix: String = "", encoding: Encoding = .hex, keys: [Key]) {
        self.scheme = scheme
        self.header = header
        self.prefix = prefix
        self.encoding = encoding
        self.keys = keys
    }

    /// The rule as JSON with every default written out.
    var document: JSONValue {
        [
            "scheme": .string(scheme.rawValue), "header": .optional(header), "prefix": .string(prefix),
            "encoding": .string(encoding.rawValue),
            "keys": .array(
                keys.map { key in
                    [
                        "name": .string(key.name), "file": .string(key.file),
                        "not_before": .optional(key.notBefore?.iso8601), "not_after": .optional(key.notAfter?.iso8601),
                    ]
                }),
        ]
    }
}

extension RulesLoader {
    /// Reads `header_signature` of a source.
    mutating func loadHeaderSignature(_ value: YAMLValue?) -> HeaderSignatureRule? {
        guard let value else { return nil }
        let fields = reader.members(value, .headerSignature)
        guard let scheme = required(fields["scheme"], of: value, "scheme", HeaderSignatureRule.Scheme.self) else {
            return nil
        }
        let header = reader.text(fields["header"], expected: "a header's name")
        if let header, !Self.isHeaderName(header) {
            reader.report(fields["header"] ?? value, expected: "letters, digits and hyphens, at most 64")
        }
        if scheme == .hmacSHA256, header == nil {
            reader.report(value, found: "no header", expected: "header: the name of the header that has the code")
        }
        for key in ["header", "prefix", "encoding"] {
            guard let given = fields[key], scheme != .hmacSHA256, key != "header" || scheme != .jws else { continue }
            reader.report(given, found: key, expected: "no \(key): scheme \(scheme.rawValue) fixes it")
        }
        let keys = loadHeaderKeys(fields["keys"])
        if keys.isEmpty {
            reader.report(value, found: "no keys", expected: "keys with at least one name and file")
        }
        if keys.count > HeaderSignatureRule.maximumKeys || Set(keys.map(\.name)).count != keys.count {
            reader.report(
                fields["keys"] ?? value, found: "\(keys.count) keys",
                expected: "at most \(HeaderSignatureRule.maximumKeys) keys, each with a name of its own")
        }
        return HeaderSignatureRule(
            scheme: scheme, header: header, prefix: reader.text(fields["prefix"]) ?? "",
            encoding: reader.choice(fields["encoding"], HeaderSignatureRule.Encoding.self) ?? .hex, keys: keys)
    }

    private mutating func loadHeaderKeys(_ value: YAMLValue?) -> [HeaderSignatureRule.Key] {
        var keys: [HeaderSignatureRule.Key] = []
        for element in reader.elements(value) {
            let fields = reader.members(element, .headerKey)
            guard let name = reader.text(fields["name"], expected: "a name for the key"),
                let file = reader.text(fields["file"], expected: "the path of a file")
            else {
                if fields["name"] == nil || fields["file"] == nil {
                    reader.report(element, found: "no name or no file", expected: "name and file")
                }
                continue
            }
            if !Self.isHeaderName(name) {
                reader.report(fields["name"] ?? element, expected: "letters, digits and hyphens, at most 64")
            }
            let notBefore = instant(fields["not_before"])
            let notAfter = instant(fields["not_after"])
            if let notBefore, let notAfter, notAfter <= notBefore {
                reader.report(fields["not_after"] ?? element, expected: "a time after not_before")
            }
            keys.append(HeaderSignatureRule.Key(name: name, file: file, notBefore: notBefore, notAfter: notAfter))
        }
        return keys
    }

    private mutating func instant(_ value: YAMLValue?) -> Timestamp? {
        guard let value, let text = reader.text(value, expected: "a time") else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            reader.report(value, expected: "a time such as 2026-11-20T09:00:00Z")
            return nil
        }
        return time
    }

    private static func isHeaderName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
