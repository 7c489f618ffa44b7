import ClawWire
import IssuanceRules

/// Reads the members of an object of one of our own formats, each with its bound, naming the member in every fault.
struct FieldReader {
    let object: JSONObject
    let path: String

    init(_ value: JSONValue, path: String) throws(SourceFault) {
        guard let object = value.object else {
            throw SourceFault(.wrongType, field: path, "an object was expected, this is a \(value.typeName)")
        }
        self.object = object
        self.path = path
    }

    func name(_ key: String) -> String { path.isEmpty ? key : path + "." + key }

    func refuseMembers(besides known: [String]) throws(SourceFault) {
        let members = object.members
        // By index: a member would be copied with its value.
        let unknown = members.indices.first { index in
            !known.indices.contains { ExactText.equal(known[$0], members[index].key) }
        }
        guard let unknown else { return }
        throw SourceFault(
            .unknownMember, field: name(members[unknown].key.cut(toBytes: 64)), "the format has no such member")
    }

    /// The value, `nil` when the member is absent or null.
    func value(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    func required<Value>(_ value: Value?, _ key: String) throws(SourceFault) -> Value {
        guard let value else { throw SourceFault(.missingMember, field: name(key), "the member is required") }
        return value
    }

    func string(_ key: String, maximumBytes: Int = 512) throws(SourceFault) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else { throw wrong(key, "a string", value) }
        guard text.utf8.count <= maximumBytes else {
            throw SourceFault(.tooLarge, field: name(key), "\(text.utf8.count) bytes; at most \(maximumBytes)")
        }
        return text
    }

    /// A non-empty text without control characters.
    func identifier(_ key: String, maximumBytes: Int = 512) throws(SourceFault) -> String? {
        guard let text = try string(key, maximumBytes: maximumBytes) else { return nil }
        guard TextRules.isIdentifier(text) else {
            throw SourceFault(
                .invalidValue, field: name(key), "an identifier is not empty and has no control characters")
        }
        return text
    }

    func integer(_ key: String, in range: ClosedRange<Int64>) throws(SourceFault) -> Int64? {
        guard let value = value(key) else { return nil }
        guard let number = value.integer else { throw wrong(key, "a whole number", value) }
        guard range.contains(number) else {
            throw SourceFault(
                .invalidValue, field: name(key), "\(number) is not from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func time(_ key: String) throws(SourceFault) -> Timestamp? {
        guard let text = try string(key, maximumBytes: 64) else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            throw SourceFault(.unparseableTime, field: name(key), "an RFC 3339 time with its offset was expected")
        }
        return time
    }

    func digest(_ key: String) throws(SourceFault) -> Digest? {
        guard let text = try string(key, maximumBytes: 64) else { return nil }
        guard let digest = Digest(b64u: text) else {
            throw SourceFault(.invalidValue, field: name(key), "43 characters of base64url were expected")
        }
        return digest
    }

    func object(_ key: String) throws(SourceFault) -> FieldReader? {
        guard let value = value(key) else { return nil }
        return try FieldReader(value, path: name(key))
    }

    func array(_ key: String, maximumCount: Int) throws(SourceFault) -> [JSONValue]? {
        guard let value = value(key) else { return nil }
        guard let elements = value.array else { throw wrong(key, "an array", value) }
        guard elements.count <= maximumCount else {
            throw SourceFault(.tooLarge, field: name(key), "\(elements.count) elements; at most \(maximumCount)")
        }
        return elements
    }

    /// Distinct texts without white space and control characters.
    func words(_ key: String, maximumCount: Int, maximumBytes: Int) throws(SourceFault) -> [String]? {
        guard let elements = try array(key, maximumCount: maximumCount) else { return nil }
        var words: [String] = []
        for (i, element) in elements.enumerated() {
            guard let text = element.string else { throw wrong("\(key)[\(i)]", "a string", element) }
            guard text.utf8.count <= maximumBytes else {
                throw SourceFault(
                    .tooLarge, field: name("\(key)[\(i)]"), "\(text.utf8.count) bytes; at most \(maximumBytes)")
            }
            guard TextRules.isWord(text) else {
                throw SourceFault(
                    .invalidValue, field: name("\(key)[\(i)]"),
                    "the text is empty or has white space or control characters")
            }
            guard !words.contains(text) else {
                throw SourceFault(.invalidValue, field: name("\(key)[\(i)]"), "the list repeats an element")
            }
            words.append(text)
        }
        return words
    }

    /// A person or system: `id`, `name?`, `upn?`, `kind?`.
    func actor(_ key: String) throws(SourceFault) -> Actor? {
        try object(key).map { reader throws(SourceFault) in try reader.actor() }
    }

    /// This object as a person or system.
    func actor() throws(SourceFault) -> Actor {
        let id = try required(try identifier("id"), "id")
        let kind: Actor.Kind
        switch try string("kind") {
        case nil, "human": kind = .human
        case "system": kind = .system
        case .some: throw SourceFault(.invalidValue, field: name("kind"), "human or system was expected")
        }
        return Actor(
            id: PersonID(TextRules.folded(id)), name: try string("name").map(TextRules.storable),
            upn: try string("upn").map(TextRules.storable), kind: kind)
    }

    private func wrong(_ key: String, _ expected: String, _ value: JSONValue) -> SourceFault {
        SourceFault(.wrongType, field: name(key), "\(expected) was expected, this is a \(value.typeName)")
    }
}

/// Rules for texts that come from outside.
enum TextRules {
    static func isIdentifier(_ text: String) -> Bool {
        let bytes = text.utf8.span
        // Written without an early end and without branches, which the compiler turns into vector code.
        var controls: UInt8 = 0
        for i in bytes.indices { controls |= (bytes[i] < 0x20 ? 1 : 0) | (bytes[i] == 0x7F ? 1 : 0) }
        return !bytes.isEmpty && controls == 0
    }

    /// An identifier without white space.
    static func isWord(_ text: String) -> Bool {
        isIdentifier(text)
            && !text.unicodeScalars.contains { $0.value < 0x80 ? $0.value == 0x20 : $0.properties.isWhitespace }
    }

    /// The text of UTF-8 bytes, `nil` when they are none.
    static func text(_ bytes: [UInt8]) -> String? {
        do {
            return String(copying: try UTF8Span(validating: bytes.span))
        } catch {
            return nil
        }
    }

    /// True when a text is another, which is ASCII in lower case, but for the case of ASCII letters.
    static func isFolded(_ text: String, _ lowercase: String) -> Bool { isSame(text, lowercase) }

    /// True when two texts differ in no more than the case of ASCII letters. Allocates nothing.
    static func isSame(_ left: String, _ right: String) -> Bool {
        let (a, b) = (left.utf8.span, right.utf8.span)
        guard a.count == b.count else { return false }
        for i in a.indices where a[i] != b[i] {
            guard a[i] ^ b[i] == 0x20, (0x61...0x7A).contains(a[i] | 0x20) else { return false }
        }
        return true
    }

    /// True when a text has another, which is not empty, within it.
    static func holds(_ text: String, _ part: String) -> Bool {
        let (a, b) = (text.utf8.span, part.utf8.span)
        guard a.count >= b.count else { return false }
        for start in 0...(a.count - b.count) where a[start] == b[0] {
            var i = 1
            while i < b.count, a[start + i] == b[i] { i += 1 }
            if i == b.count { return true }
        }
        return false
    }

    /// Identifiers of directories compare without case; only ASCII letters are folded, as GUIDs need no more.
    static func folded(_ text: String) -> String {
        let bytes = text.utf8.span
        var capitals = false
        for i in bytes.indices where bytes[i] >= 0x41 && bytes[i] <= 0x5A { capitals = true }
        guard capitals else { return text }
        return String(decoding: text.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// The text with U+0000 replaced: PostgreSQL cannot keep that scalar.
    static func storable(_ text: String) -> String {
        let bytes = text.utf8.span
        var zeros = false
        for i in bytes.indices where bytes[i] == 0 { zeros = true }
        guard zeros else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }

    /// The text as a justification whose digest is that of the text as it came; `nil` for an empty one.
    static func justification(_ text: String?) -> Justification? {
        guard let text, !text.isEmpty else { return nil }
        let kept = Justification(text)
        return Justification(text: storable(kept.text), digest: kept.digest, characters: kept.characters)
    }
}
