import ClawWire
import IssuanceRules

/// A vendor's record after what is the same for all of them: bounds, proof, JSON. The members are read tolerantly, since
/// vendors add some, leave some out and change types between versions.
struct WebhookRecord {
    let record: SourceRecord
    let configuration: SourceConfiguration
    let value: JSONValue
    /// SHA-256 of the RFC 8785 text.
    let digest: Digest
    private let vocabulary: String

    /// Reads a record of a vendor whose records are one JSON object.
    ///
    /// - Parameter payload: the object's bytes, where the record's value is not the object itself.
    static func read(
        _ record: SourceRecord, _ configuration: SourceConfiguration, as vocabulary: String,
        payload: [UInt8]? = nil,
        _ body: (WebhookRecord) throws(SourceFault) -> [Fact]
    ) -> SourceReading {
        guard let value = record.value else { return NativeSource.tombstone(vocabulary) }
        do throws(SourceFault) {
            try checkHeaders(record, configuration.limits)
            let evidence = try VendorProof.evidence(of: record, configuration)
            let document = try parse(payload ?? value, configuration.limits.json)
            guard document.object != nil else {
                throw SourceFault(.malformed, "an object was expected, this is a \(document.typeName)")
            }
            let vendor = WebhookRecord(
                record: record, configuration: configuration, value: document, digest: document.canonicalDigest,
                vocabulary: vocabulary)
            return .facts(numbered(try body(vendor)), evidence)
        } catch {
            return .deadLetter(error)
        }
    }

    static func checkHeaders(_ record: SourceRecord, _ limits: SourceConfiguration.Limits) throws(SourceFault) {
        guard record.headers.count <= limits.maximumHeaders else {
            throw SourceFault(
                .tooLarge, field: "headers", "\(record.headers.count) headers; at most \(limits.maximumHeaders)")
        }
        for header in record.headers {
            guard let bytes = header.value, bytes.count > limits.maximumHeaderBytes else { continue }
            throw SourceFault(
                .tooLarge, field: header.name.cut(toBytes: 64),
                "\(bytes.count) bytes; at most \(limits.maximumHeaderBytes)")
        }
    }

    /// A byte order mark or a text cut in the middle of a surrogate pair is no reason to lose a record; a repeated member
    /// is.
    private static func parse(_ value: [UInt8], _ limits: JSONLimits) throws(SourceFault) -> JSONValue {
        try JSONSource.parse(JSONSource.withoutMark(value), limits, loneSurrogates: .replace)
    }

    /// The facts of one entry need identifiers of their own.
    private static func numbered(_ facts: [Fact]) -> [Fact] {
        var seen: [SourceEventID: Int] = [:]
        return facts.map { fact in
            guard let id = fact.sourceEventID else { return fact }
            let count = seen[id, default: 0]
            seen[id] = count + 1
            guard count > 0 else { return fact }
            var fact = fact
            fact.sourceEventID = SourceEventID("\(id)#\(count)")
            return fact
        }
    }

    /// A fact of the record, of which nothing is known yet.
    func fact(_ content: Fact.Content, index: Int = 0, eventID: String?, at time: Timestamp? = nil) -> Fact {
        var fact = Fact(
            recordIndex: index, source: vocabulary,
            sourceEventID: SourceEventID(eventID ?? "sha256:\(digest.b64u)"), occurredAt: time, content: content)
        fact.recordDigest = digest
        return fact
    }

    /// An ignored entry.
    func ignored(_ why: WhyCode, eventID: String? = nil, at time: Timestamp? = nil) -> [Fact] {
        [fact(why.ignored, eventID: eventID, at: time)]
    }

    /// A rejected entry.
    func rejected(_ why: WhyCode, eventID: String? = nil, at time: Timestamp? = nil) -> [Fact] {
        [fact(why.rejected, eventID: eventID, at: time)]
    }

    /// The elements of a list, of which there is none when the member is missing.
    ///
    /// - Throws: ``SourceFault`` `too_large` past the limit, `wrong_type` when it is no list.
    func list(_ value: JSONValue?, _ name: String) throws(SourceFault) -> [JSONValue] {
        guard let value, !value.isNull else { return [] }
        guard let elements = value.array else {
            throw SourceFault(.wrongType, field: name, "a list was expected, this is a \(value.typeName)")
        }
        guard elements.count <= configuration.limits.maximumListMembers else {
            throw SourceFault(
                .tooLarge, field: name,
                "\(elements.count) elements; at most \(configuration.limits.maximumListMembers)")
        }
        return elements
    }

    /// A header's text, its name compared without case; `nil` when it is missing, empty or no UTF-8.
    func header(_ lowercaseName: String) -> String? {
        guard let bytes = record.header(lowercaseName, ignoringCase: true), let text = TextRules.text(bytes),
            TextRules.isIdentifier(text)
        else { return nil }
        return text
    }

    /// An identifier: a text without control characters, or a whole number.
    func identifier(_ value: JSONValue?) -> String? {
        VendorText.identifier(value, maximumBytes: configuration.limits.maximumIdentifierBytes)
    }

    /// An identifier that stands in a path: in lower case, without slashes and white space.
    func pathPart(_ value: JSONValue?) -> String? {
        guard let text = identifier(value), TextRules.isWord(text), !text.utf8.contains(UInt8(ascii: "/")) else {
            return nil
        }
        return TextRules.folded(text)
    }

    /// A person of the vendor's directory.
    func person(_ id: JSONValue?, name: JSONValue?, isSystem: Bool = false) -> Actor? {
        guard let id = identifier(id) else { return nil }
        return Actor(id: PersonID(id), name: VendorText.text(name), kind: isSystem ? .system : .human)
    }
}

/// Texts of vendors' records.
enum VendorText {
    /// Longest name that is kept, in bytes.
    private static let nameBytes = 1_024

    static func text(_ value: JSONValue?) -> String? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        return TextRules.storable(text.cut(toBytes: nameBytes))
    }

    static func identifier(_ value: JSONValue?, maximumBytes: Int) -> String? {
        if let number = value?.integer { return String(number) }
        guard let text = value?.string?.trimmingSpaces(), TextRules.isIdentifier(text), text.utf8.count <= maximumBytes
        else { return nil }
        return text
    }
}
