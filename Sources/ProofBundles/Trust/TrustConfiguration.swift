public import ClawWire
public import ReceiptLog

/// Whom a verifier trusts, and for what. One key serves one purpose: a key is trusted only in the list it stands in.
public struct TrustConfiguration: Sendable, Hashable {
    /// A receipt log.
    public struct Log: Sendable, Hashable {
        /// Its name: the origin line of its checkpoints.
        public var logID: LogID
        /// The keys that may sign for it, earlier ones too.
        public var keys: [Ed25519PublicKey]
        /// Witnesses whose cosignatures are checked.
        public var witnesses: [NoteKey]
        /// How many of them must have cosigned.
        public var requiredWitnesses: Int

        /// Trusts keys of a log.
        public init(logID: LogID, keys: [Ed25519PublicKey], witnesses: [NoteKey] = [], requiredWitnesses: Int = 0) {
            self.logID = logID
            self.keys = keys
            self.witnesses = witnesses
            self.requiredWitnesses = requiredWitnesses
        }
    }

    /// A key that signs tokens.
    public struct TokenKey: Sendable, Hashable {
        /// The key.
        public var key: Ed25519PublicKey
        /// The last second in which its tokens count; `nil` for no end.
        public var notAfter: Timestamp?

        /// Trusts a key.
        public init(key: Ed25519PublicKey, notAfter: Timestamp? = nil) {
            self.key = key
            self.notAfter = notAfter
        }
    }

    /// Receipt logs.
    public var logs: [Log] = []
    /// DIDs of those who assemble and sign bundles and export bundles.
    public var bundleSigners: Set<String> = []
    /// DIDs of the workers' envelope keys: tool receipts, attestations of approvals.
    public var envelopeSigners: Set<String> = []
    /// DIDs of gateways.
    public var gatewaySigners: Set<String> = []
    /// DIDs of those who sign WPCs.
    public var policySigners: Set<String> = []
    /// Keys that sign tokens.
    public var tokenKeys: [TokenKey] = []
    /// DIDs whose signed approvals count.
    public var approvers: Set<String> = []
    /// How far clocks may differ, in seconds.
    public var maximumSkewSeconds: Int64 = 300

    /// Trusts nobody.
    public init() {}
}

/// Why a trust file was refused.
public struct TrustError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Everything that is wrong with the file, each with its place and what to do.
    public let problems: [DocumentFault]

    /// One problem a line.
    public var description: String { problems.map { "\($0.path): \($0.detail)" }.joined(separator: "\n") }
}

extension TrustConfiguration {
    /// Most keys in one list.
    public static let maximumKeys = 1_024

    /// Reads a trust file: JSON, version 1, closed. docs/evidence.md has an example.
    ///
    /// - Throws: ``TrustError`` with every problem that was found.
    public static func parse(_ bytes: [UInt8]) throws(TrustError) -> TrustConfiguration {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: JSONLimits(maximumBytes: 1 << 20, maximumDepth: 8))
        } catch {
            throw TrustError(problems: [DocumentFault("TRUST_MALFORMED", "the file", "no JSON: \(error)")])
        }
        var reader = TrustReader()
        let trust = reader.read(value)
        guard reader.problems.isEmpty else { throw TrustError(problems: reader.problems) }
        return trust
    }
}

/// Collects problems while a trust file is read, so that all of them are told at once.
private struct TrustReader {
    private(set) var problems: [DocumentFault] = []

    private static let members: Set<String> = [
        "trust_version", "comment", "logs", "bundle_signers", "envelope_signers", "gateway_signers", "policy_signers",
        "token_keys", "approvers", "maximum_skew_seconds",
    ]

    private mutating func note(_ path: String, _ detail: String) {
        if problems.count < 64 { problems.append(DocumentFault("TRUST_INVALID", path, detail)) }
    }

    mutating func read(_ value: JSONValue) -> TrustConfiguration {
        var trust = TrustConfiguration()
        guard let object = value.object else {
            note("the file", "an object was expected, found \(value.typeName)")
            return trust
        }
        for key in object.keys where !Self.members.contains(key) {
            note(String(key.prefix(64)), "no such setting; known are \(Self.members.sorted().joined(separator: ", "))")
        }
        if object["trust_version"]?.string != "1" { note("trust_version", "must be \"1\"") }
        for (index, element) in array(object["logs"], "logs").enumerated() {
            if let log = log(element, "logs[\(index)]") { trust.logs.append(log) }
        }
        trust.bundleSigners = dids(object["bundle_signers"], "bundle_signers")
        trust.envelopeSigners = dids(object["envelope_signers"], "envelope_signers")
        trust.gatewaySigners = dids(object["gateway_signers"], "gateway_signers")
        trust.policySigners = dids(object["policy_signers"], "policy_signers")
        trust.approvers = dids(object["approvers"], "approvers")
        for (index, element) in array(object["token_keys"], "token_keys").enumerated() {
            if let key = tokenKey(element, "token_keys[\(index)]") { trust.tokenKeys.append(key) }
        }
        if let skew = object["maximum_skew_seconds"] {
            if let seconds = skew.integer, (0...86_400).contains(seconds) {
                trust.maximumSkewSeconds = seconds
            } else {
                note("maximum_skew_seconds", "a whole number of seconds from 0 to a day was expected")
            }
        }
        return trust
    }

    private mutating func array(_ value: JSONValue?, _ path: String) -> [JSONValue] {
        guard let value else { return [] }
        guard let array = value.array, array.count <= TrustConfiguration.maximumKeys else {
            note(path, "a list of at most \(TrustConfiguration.maximumKeys) was expected, found \(value.typeName)")
            return []
        }
        return array
    }

    private mutating func key(_ value: JSONValue?, _ path: String) -> Ed25519PublicKey? {
        guard let text = value?.string else {
            note(path, "a did:key was expected\(value.map { ", found \($0.typeName)" } ?? "; the member is missing")")
            return nil
        }
        guard let key = Ed25519PublicKey(did: text) else {
            note(path, "\"\(text.prefix(80))\" is no did:key of an Ed25519 key (did:key:z6Mk…)")
            return nil
        }
        return key
    }

    private mutating func dids(_ value: JSONValue?, _ path: String) -> Set<String> {
        var dids: Set<String> = []
        for (index, element) in array(value, path).enumerated() {
            if let key = key(element, "\(path)[\(index)]") { dids.insert(key.did) }
        }
        return dids
    }

    private mutating func log(_ value: JSONValue, _ path: String) -> TrustConfiguration.Log? {
        guard let object = value.object else {
            note(path, "an object with log_id and keys was expected, found \(value.typeName)")
            return nil
        }
        for name in object.keys where !["log_id", "keys", "witnesses", "required_witnesses"].contains(name) {
            note("\(path).\(name.prefix(64))", "no such setting of a log")
        }
        guard let name = object["log_id"]?.string, (try? LogTail(logID: LogID(name))) != nil else {
            note("\(path).log_id", "the name of a log was expected, for example logs.example/clawgrant")
            return nil
        }
        var keys: [Ed25519PublicKey] = []
        for (index, element) in array(object["keys"], "\(path).keys").enumerated() {
            if let key = key(element, "\(path).keys[\(index)]") { keys.append(key) }
        }
        if keys.isEmpty { note("\(path).keys", "at least one key is needed: nothing of the log could be verified") }
        var witnesses: [NoteKey] = []
        for (index, element) in array(object["witnesses"], "\(path).witnesses").enumerated() {
            if let text = element.string, let key = NoteKey(text: text), key.algorithm == .cosignature {
                witnesses.append(key)
            } else {
                note("\(path).witnesses[\(index)]", "a verifier key of a witness was expected: name+key id+base64")
            }
        }
        let required = object["required_witnesses"]?.integer ?? 0
        if object.contains("required_witnesses"),
            object["required_witnesses"]?.integer == nil || required < 0
                || required > Int64(witnesses.count)
        {
            note("\(path).required_witnesses", "a number from 0 to that of the witnesses was expected")
        }
        return TrustConfiguration.Log(
            logID: LogID(name), keys: keys, witnesses: witnesses, requiredWitnesses: Int(clamping: required))
    }

    private mutating func tokenKey(_ value: JSONValue, _ path: String) -> TrustConfiguration.TokenKey? {
        if value.string != nil { return key(value, path).map { TrustConfiguration.TokenKey(key: $0) } }
        guard let object = value.object else {
            note(path, "a did:key, or an object with key and not_after, was expected")
            return nil
        }
        for name in object.keys where !["key", "not_after"].contains(name) {
            note("\(path).\(name.prefix(64))", "no such setting of a token key")
        }
        guard let key = key(object["key"], "\(path).key") else { return nil }
        guard let end = object["not_after"] else { return TrustConfiguration.TokenKey(key: key) }
        guard let time = end.string.flatMap({ Timestamp(rfc3339: $0) }) else {
            note("\(path).not_after", "a time such as 2026-03-01T12:00:00Z was expected")
            return nil
        }
        return TrustConfiguration.TokenKey(key: key, notAfter: time)
    }
}
