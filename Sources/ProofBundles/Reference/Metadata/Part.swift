import ClawWire

/// An object inside a bundle together with the path by which refusals name it.
struct Part {
    /// The object's members.
    let members: JSONObject
    /// Where it stands, for example `payload.metadata.policy_binding`.
    let path: String

    /// The member's value; `nil` when there is none.
    subscript(key: String) -> JSONValue? { members[key] }

    /// The path of a member.
    func field(_ key: String) -> String { "\(path).\(key)" }

    /// A refusal that names a member.
    func refusal(_ code: String, _ key: String, _ detail: String) -> ReferenceRefusal {
        ReferenceRefusal(code, field(key), detail)
    }

    /// Refuses unless a condition holds.
    func require(
        _ holds: Bool, _ code: String, _ key: String, _ detail: @autoclosure () -> String
    ) throws(ReferenceRefusal) {
        guard holds else { throw refusal(code, key, detail()) }
    }

    /// Refuses unless a member is the given text.
    func constant(_ key: String, _ text: String, else code: String) throws(ReferenceRefusal) {
        try require(members[key] == .string(text), code, key, "must be \"\(text)\"")
    }

    /// A member that is an object.
    func part(_ key: String, else code: String) throws(ReferenceRefusal) -> Part {
        guard let object = members[key]?.object else { throw refusal(code, key, "must be an object") }
        return Part(members: object, path: field(key))
    }

    /// A member that is a text of more than white space.
    @discardableResult
    func filled(_ key: String, else code: String) throws(ReferenceRefusal) -> String {
        guard let text = Loose.filled(members[key]) else {
            throw refusal(code, key, "must be a text that is not empty")
        }
        return text
    }

    /// A member in the base64url alphabet.
    @discardableResult
    func base64URL(_ key: String, else code: String) throws(ReferenceRefusal) -> String {
        guard let text = Loose.base64URL(members[key]) else { throw refusal(code, key, "must be base64url") }
        return text
    }

    /// A member that is a DID.
    @discardableResult
    func did(_ key: String, else code: String) throws(ReferenceRefusal) -> String {
        guard let text = Loose.did(members[key]) else { throw refusal(code, key, "must be a did:key or did:web") }
        return text
    }

    /// A member that is a date, in milliseconds since 1970.
    @discardableResult
    func date(_ key: String, else code: String) throws(ReferenceRefusal) -> Int64 {
        guard let time = Loose.milliseconds(members[key]) else { throw refusal(code, key, "must be an ISO 8601 date") }
        return time
    }

    /// A member that is an array with at least one element.
    func elements(_ key: String, else code: String) throws(ReferenceRefusal) -> [JSONValue] {
        guard let array = members[key]?.array, !array.isEmpty else {
            throw refusal(code, key, "must be an array that is not empty")
        }
        return array
    }

    /// True when there is no member but these.
    func isClosed(_ keys: Set<String>) -> Bool { members.members.allSatisfy { keys.contains($0.key) } }
}

/// The reference's lenient readings of JSON values.
enum Loose {
    /// A text of base64url characters, at least one.
    static func base64URL(_ value: JSONValue?) -> String? {
        value?.string.flatMap { ReferenceText.isBase64URL($0) ? $0 : nil }
    }

    /// The same of at least eight characters: the schemas' hash.
    static func hash(_ value: JSONValue?) -> String? {
        base64URL(value).flatMap { $0.utf8.count >= 8 ? $0 : nil }
    }

    /// A text with something else than white space in it, as written.
    static func filled(_ value: JSONValue?) -> String? {
        value?.string.flatMap { ReferenceText.isFilled($0) ? $0 : nil }
    }

    /// A `did:key` or `did:web`.
    static func did(_ value: JSONValue?) -> String? { value?.string.flatMap { ReferenceText.isDID($0) ? $0 : nil } }

    /// A whole number that is not negative.
    static func count(_ value: JSONValue?) -> Int64? { value?.integer.flatMap { $0 >= 0 ? $0 : nil } }

    /// Milliseconds since 1970 of a date.
    static func milliseconds(_ value: JSONValue?) -> Int64? { ReferenceDate.milliseconds(value) }

    /// An `http` or `https` URL with a host.
    static func isWebURL(_ text: String) -> Bool {
        let lowered = text.lowercased()
        for scheme in ["https:", "http:"] where lowered.hasPrefix(scheme) {
            let rest = lowered.dropFirst(scheme.count).drop { $0 == "/" || $0 == "\\" }
            let host = rest.prefix { !"/\\?#".contains($0) }
            return !host.isEmpty && !host.contains { $0.isWhitespace || "<>^|%".contains($0) }
        }
        return false
    }
}

/// The codes in which the two verifiers say the same of metadata evidence.
struct MetadataCodes {
    /// A member is missing or has another form.
    let malformed: String
    /// Evidence names something else than the bundle.
    let mismatch: String
    /// An identity has another form.
    let did: String
    /// The hash algorithm is unknown.
    let hashAlgorithm: String
    /// The signature algorithm is unknown.
    let algorithm: String
    /// A part of the binding is missing.
    let missing: String

    /// The codes of signed receipts in `payload.metadata`.
    init(_ verifier: ReferenceVerifier) {
        switch verifier {
        case .core:
            malformed = "SCHEMA_VALIDATION_FAILED"
            mismatch = "RECEIPT_BINDING_MISMATCH"
            did = malformed
            hashAlgorithm = malformed
            algorithm = malformed
            missing = malformed
        case .service:
            malformed = "MALFORMED_ENVELOPE"
            mismatch = "EVIDENCE_MISMATCH"
            did = "INVALID_DID_FORMAT"
            hashAlgorithm = "UNKNOWN_HASH_ALGORITHM"
            algorithm = "UNKNOWN_ALGORITHM"
            missing = "MISSING_REQUIRED_FIELD"
        }
    }
}
