import ClawWire

/// Reads the members of one JSON object as typed values, with errors that name the member's path.
struct MemberReader {
    let object: JSONObject
    let path: String

    /// Longest text of one member, in UTF-8 bytes, where no other limit is given.
    static let maximumText = 4_096
    /// Most elements of one list, where no other limit is given.
    static let maximumElements = 4_096

    init(_ object: JSONObject, path: String = "") {
        self.object = object
        self.path = path
    }

    /// Parses a whole record.
    init(parsing bytes: [UInt8], limits: JSONLimits = .standard) throws(EvidenceError) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: limits)
        } catch {
            throw EvidenceError(
                error.code == .tooLarge ? .limitExceeded : .malformed, "", "not readable JSON: \(error)")
        }
        guard let object = value.object else {
            throw EvidenceError(.malformed, "", "an object was expected, found \(value.typeName)")
        }
        self.init(object)
    }

    func has(_ key: String) -> Bool { object.contains(key) }

    func string(_ key: String, maximumBytes: Int = Self.maximumText) throws(EvidenceError) -> String {
        guard let text = object[key]?.string else { throw wrongType(key, "a string") }
        guard text.utf8.count <= maximumBytes else {
            throw EvidenceError(.limitExceeded, at(key), "longer than \(maximumBytes) bytes")
        }
        return text
    }

    func optionalString(_ key: String, maximumBytes: Int = Self.maximumText) throws(EvidenceError) -> String? {
        has(key) ? try string(key, maximumBytes: maximumBytes) : nil
    }

    /// A string that is one of the listed ones.
    func constant(_ key: String, _ expected: String) throws(EvidenceError) {
        let found = try string(key)
        guard found == expected else {
            throw EvidenceError(.unknownVersion, at(key), "\"\(expected)\" was expected, found \"\(found.prefix(32))\"")
        }
    }

    func integer(
        _ key: String, in range: ClosedRange<Int64> = 0...9_007_199_254_740_991
    ) throws(EvidenceError) -> Int64 {
        guard let number = object[key]?.integer else { throw wrongType(key, "an integer") }
        guard range.contains(number) else {
            throw EvidenceError(
                .invalidMember, at(key), "\(number) is not within \(range.lowerBound)…\(range.upperBound)")
        }
        return number
    }

    func optionalInteger(_ key: String) throws(EvidenceError) -> Int64? { has(key) ? try integer(key) : nil }

    func flag(_ key: String) throws(EvidenceError) -> Bool {
        guard let flag = object[key]?.bool else { throw wrongType(key, "a boolean") }
        return flag
    }

    func digest(_ key: String) throws(EvidenceError) -> Digest {
        guard let digest = Digest(b64u: try string(key)) else {
            throw EvidenceError(.invalidMember, at(key), "43 characters of base64url were expected")
        }
        return digest
    }

    func optionalDigest(_ key: String) throws(EvidenceError) -> Digest? { has(key) ? try digest(key) : nil }

    func hexDigest(_ key: String) throws(EvidenceError) -> Digest {
        let text = try string(key)
        guard text.utf8.count == 64, let digest = Digest(hex: text), digest.hex == text else {
            throw EvidenceError(.invalidMember, at(key), "64 lowercase hexadecimal digits were expected")
        }
        return digest
    }

    /// A time in the one form that is written: UTC with milliseconds.
    func timestamp(_ key: String) throws(EvidenceError) -> Timestamp {
        let text = try string(key)
        guard let instant = Timestamp(rfc3339: text), instant.iso8601 == text else {
            throw EvidenceError(.invalidMember, at(key), "a time such as 2026-03-01T12:00:00.000Z was expected")
        }
        return instant
    }

    /// Whole seconds since the epoch.
    func seconds(_ key: String) throws(EvidenceError) -> Timestamp {
        Timestamp(seconds: try integer(key, in: 0...253_402_300_799))
    }

    func array(_ key: String, maximum: Int = Self.maximumElements) throws(EvidenceError) -> [JSONValue] {
        guard let elements = object[key]?.array else { throw wrongType(key, "an array") }
        guard elements.count <= maximum else {
            throw EvidenceError(.limitExceeded, at(key), "has \(elements.count) elements; at most \(maximum)")
        }
        return elements
    }

    func strings(_ key: String) throws(EvidenceError) -> [String] {
        var texts: [String] = []
        for (index, element) in try array(key).enumerated() {
            guard let text = element.string, text.utf8.count <= Self.maximumText else {
                throw EvidenceError(
                    .invalidMember, "\(at(key))[\(index)]", "a string of at most \(Self.maximumText) bytes was expected"
                )
            }
            texts.append(text)
        }
        return texts
    }

    func digests(_ key: String, maximum: Int = Self.maximumElements) throws(EvidenceError) -> [Digest] {
        var digests: [Digest] = []
        for (index, element) in try array(key, maximum: maximum).enumerated() {
            guard let text = element.string, let digest = Digest(b64u: text) else {
                throw EvidenceError(
                    .invalidMember, "\(at(key))[\(index)]", "43 characters of base64url were expected")
            }
            digests.append(digest)
        }
        return digests
    }

    func nested(_ key: String) throws(EvidenceError) -> MemberReader {
        guard let object = object[key]?.object else { throw wrongType(key, "an object") }
        return MemberReader(object, path: at(key))
    }

    func optionalNested(_ key: String) throws(EvidenceError) -> MemberReader? { has(key) ? try nested(key) : nil }

    func nestedElements(_ key: String) throws(EvidenceError) -> [MemberReader] {
        var readers: [MemberReader] = []
        for (index, element) in try array(key).enumerated() {
            guard let object = element.object else {
                throw EvidenceError(.invalidMember, "\(at(key))[\(index)]", "an object was expected")
            }
            readers.append(MemberReader(object, path: "\(at(key))[\(index)]"))
        }
        return readers
    }

    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func wrongType(_ key: String, _ expected: String) -> EvidenceError {
        let found = object[key].map { "found \($0.typeName)" } ?? "the member is missing"
        return EvidenceError(.invalidMember, at(key), "\(expected) was expected; \(found)")
    }
}

/// Refuses bytes that are not exactly what the value read from them is written as.
///
/// One rule stands for many: sorted members, no white space, shortest numbers, no unknown member, no second spelling.
func requireCanonical(_ written: [UInt8], _ bytes: [UInt8], _ what: String) throws(EvidenceError) {
    guard written == bytes else {
        let offset = zip(written, bytes).enumerated().first { $1.0 != $1.1 }?.offset ?? min(written.count, bytes.count)
        throw EvidenceError(
            .notCanonical, what,
            "from byte \(offset) on the text is not the RFC 8785 form of its meaning, or has members unknown here")
    }
}
