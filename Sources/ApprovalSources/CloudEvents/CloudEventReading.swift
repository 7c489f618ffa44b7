import ClawWire

extension CloudEvent {
    /// The mode of a record under the Kafka protocol binding.
    public enum Mode: Sendable, Hashable {
        /// Attributes in headers, data in the value.
        case binary
        /// The whole event in the value.
        case structured
    }

    /// The mode of a record, `nil` when it is no CloudEvent (CloudEvents Kafka binding 1.0.2, section 3).
    public static func mode(of record: SourceRecord) -> Mode? {
        if let contentType = record.header("content-type", ignoringCase: true), isStructured(contentType) {
            return .structured
        }
        return record.headerIndex("ce_specversion") == nil ? nil : .binary
    }

    private static func isStructured(_ contentType: [UInt8]) -> Bool {
        let prefix = "application/cloudevents"
        return contentType.count >= prefix.utf8.count
            && TextRules.folded(String(decoding: contentType.prefix(64), as: UTF8.self)).hasPrefix(prefix)
    }

    /// Reads the event of a record in either mode.
    ///
    /// - Throws: ``SourceFault`` with the attribute or the position at fault.
    public init(record: SourceRecord, limits: SourceConfiguration.Limits) throws(SourceFault) {
        guard record.headers.count <= limits.maximumHeaders else {
            throw SourceFault(
                .tooLarge, field: "headers", "\(record.headers.count) headers; at most \(limits.maximumHeaders)")
        }
        switch Self.mode(of: record) {
        case .structured:
            guard let value = record.value else {
                throw SourceFault(.notACloudEvent, field: "value", "a structured event cannot be null")
            }
            self = try Self.structured(try JSONSource.parse(value, limits.json), limits)
        case .binary: self = try Self.binary(record, limits)
        case nil:
            throw SourceFault(
                .notACloudEvent, field: "headers",
                "there is neither content-type application/cloudevents nor ce_specversion")
        }
    }

    /// Reads an event in the JSON format (CloudEvents JSON format 1.0.2).
    ///
    /// - Throws: ``SourceFault`` with the attribute at fault.
    static func structured(_ value: JSONValue, _ limits: SourceConfiguration.Limits) throws(SourceFault) -> CloudEvent {
        guard let object = value.object else {
            throw SourceFault(.notACloudEvent, field: "value", "an object was expected, this is a \(value.typeName)")
        }
        var attributes = AttributeList()
        var payload = Payload.none
        for member in object.members {
            switch member.key {
            case "data", "data_base64": continue
            default: break
            }
            guard isAttributeName(member.key) else {
                throw SourceFault(
                    .invalidAttribute, field: member.key.cut(toBytes: 64),
                    "an attribute's name has only lower-case letters and digits")
            }
            switch member.value {
            case .null: continue
            case .string(let text): attributes.append(member.key, .string(text))
            case .bool(let flag): attributes.append(member.key, .boolean(flag))
            case .number:
                guard let number = member.value.integer, let small = Int32(exactly: number) else {
                    throw SourceFault(.invalidAttribute, field: member.key, "a number is a whole number of 32 bits")
                }
                attributes.append(member.key, .integer(small))
            case .array, .object:
                throw SourceFault(.invalidAttribute, field: member.key, "an attribute is no array and no object")
            }
        }
        if let encoded = object["data_base64"], !encoded.isNull {
            guard object["data"] == nil else {
                throw SourceFault(.invalidAttribute, field: "data_base64", "data and data_base64 exclude each other")
            }
            guard let text = encoded.string, let bytes = Base64.decode(text) else {
                throw SourceFault(.invalidAttribute, field: "data_base64", "the text is not base64")
            }
            payload = .bytes(bytes)
        } else if let data = object["data"] {
            payload = .json(data)
        }
        return try assemble(attributes, payload, limits)
    }

    private static func binary(
        _ record: SourceRecord, _ limits: SourceConfiguration.Limits
    ) throws(SourceFault) -> CloudEvent {
        var attributes = AttributeList()
        for index in record.headers.indices {
            let header = record.headers[index]
            let name: String
            if isAttributeHeader(header.name) {
                name = String(Substring(header.name.utf8.dropFirst(3)))
            } else if TextRules.isFolded(header.name, "content-type") {
                name = "datacontenttype"
            } else {
                continue
            }
            // `data` is the content in the JSON format, so that no attribute has this name.
            guard isAttributeName(name), header.name != "ce_datacontenttype", name != "data" else {
                throw SourceFault(
                    .invalidAttribute, field: header.name.cut(toBytes: 64), "the header names no attribute")
            }
            guard let bytes = header.value else { continue }
            guard bytes.count <= limits.maximumHeaderBytes else {
                throw SourceFault(
                    .tooLarge, field: header.name, "\(bytes.count) bytes; at most \(limits.maximumHeaderBytes)")
            }
            guard let text = TextRules.text(bytes) else {
                throw SourceFault(.invalidAttribute, field: header.name, "the header is not UTF-8")
            }
            guard !Self.holdsReserved(text.utf8.span) else {
                throw SourceFault(
                    .invalidAttribute, field: header.name, "the header has a character that no JSON here takes")
            }
            guard attributes[name] == nil else {
                throw SourceFault(.invalidAttribute, field: header.name, "the header is repeated")
            }
            attributes.append(name, .string(text))
        }
        var payload = Payload.none
        if let value = record.value, !value.isEmpty {
            payload =
                isJSON(attributes["datacontenttype"]?.text)
                ? .json(try JSONSource.parse(value, limits.json)) : .bytes(value)
        }
        return try assemble(attributes, payload, limits)
    }

    private static func isAttributeHeader(_ name: String) -> Bool {
        let bytes = name.utf8.span
        guard bytes.count >= 3, bytes[0] == 0x63, bytes[1] == 0x65, bytes[2] == 0x5F else { return false }
        // A scalar that combines with the underscore makes it another character.
        return bytes.count == 3 || bytes[3] < 0x80 || name.hasPrefix("ce_")
    }

    /// Whether one of U+10F000 to U+10F7FF is in a text, which the reader of JSON refuses: an event has the same canonical
    /// form in both modes.
    private static func holdsReserved(_ text: Span<UInt8>) -> Bool {
        var i = 0
        while i + 3 < text.count {
            if text[i] == 0xF4, text[i + 1] == 0x8F, text[i + 2] < 0xA0 { return true }
            i += 1
        }
        return false
    }

    private static func assemble(
        _ attributes: AttributeList, _ payload: Payload, _ limits: SourceConfiguration.Limits
    ) throws(SourceFault) -> CloudEvent {
        guard attributes.members.count <= limits.maximumHeaders else {
            throw SourceFault(.tooLarge, field: "attributes", "more than \(limits.maximumHeaders) attributes")
        }
        func text(_ name: String) throws(SourceFault) -> String? {
            guard let attribute = attributes[name] else { return nil }
            guard case .string(let text) = attribute, TextRules.isIdentifier(text) else {
                throw SourceFault(
                    .invalidAttribute, field: name,
                    "a text was expected that is not empty and has no control characters")
            }
            guard text.utf8.count <= limits.maximumIdentifierBytes else {
                throw SourceFault(
                    .tooLarge, field: name, "\(text.utf8.count) bytes; at most \(limits.maximumIdentifierBytes)")
            }
            return text
        }
        func required(_ name: String) throws(SourceFault) -> String {
            guard let text = try text(name) else {
                throw SourceFault(.invalidAttribute, field: name, "the attribute is required")
            }
            return text
        }
        guard try required("specversion") == "1.0" else {
            throw SourceFault(.invalidAttribute, field: "specversion", "only version 1.0 is read")
        }
        var event = CloudEvent(
            id: try required("id"), source: try required("source"), type: try required("type"),
            subject: try text("subject"), dataContentType: try text("datacontenttype"),
            dataSchema: try text("dataschema"), data: payload)
        event.time = try text("time")
        for index in attributes.members.indices where !isCoreAttribute(attributes.members[index].name) {
            let (name, attribute) = attributes.members[index]
            guard attribute.text.utf8.count <= limits.maximumHeaderBytes else {
                throw SourceFault(
                    .tooLarge, field: name,
                    "\(attribute.text.utf8.count) bytes; at most \(limits.maximumHeaderBytes)")
            }
            event.extensions[name] = attribute
        }
        return event
    }
}

/// The attributes of an event by name, in the order in which they were met.
///
/// There are few of them, so that looking through all costs less than hashing names.
private struct AttributeList {
    private(set) var members: [(name: String, value: CloudEvent.Attribute)] = []

    subscript(name: String) -> CloudEvent.Attribute? {
        members.indices.first { ExactText.equal(members[$0].name, name) }.map { members[$0].value }
    }

    /// Adds an attribute whose name is known to be absent.
    mutating func append(_ name: String, _ value: CloudEvent.Attribute) { members.append((name, value)) }
}

extension SourceRecord {
    /// The value of the first header of a name; a name that is compared without case is given in lower case.
    func header(_ name: String, ignoringCase: Bool = false) -> [UInt8]? {
        headerIndex(name, ignoringCase: ignoringCase).flatMap { headers[$0].value }
    }

    /// Where the first header of a name stands. By index: headers themselves would be copied one after the other.
    func headerIndex(_ name: String, ignoringCase: Bool = false) -> Int? {
        headers.indices.first { index in
            ignoringCase ? TextRules.isFolded(headers[index].name, name) : ExactText.equal(headers[index].name, name)
        }
    }
}

/// The bounded JSON reader with its faults in this module's terms.
enum JSONSource {
    /// The bytes behind a byte order mark, which some routers put before UTF-8 (RFC 8259 §8.1 lets a reader pass it over).
    static func withoutMark(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    }

    static func parse(
        _ bytes: [UInt8], _ limits: JSONLimits, duplicates: JSONReader.Duplicates = .refuse,
        loneSurrogates: JSONReader.LoneSurrogates = .refuse
    ) throws(SourceFault) -> JSONValue {
        do {
            return try JSONReader.parse(bytes, limits: limits, duplicates: duplicates, loneSurrogates: loneSurrogates)
        } catch {
            throw SourceFault(
                error.code == .tooLarge ? .tooLarge : .notJSON, field: "byte \(error.offset)",
                "\(error.code.rawValue): \(error.description)")
        }
    }
}

/// Base64 with padding (RFC 4648 §4), the form of `data_base64`.
enum Base64 {
    static func decode(_ text: String) -> [UInt8]? {
        var characters: [UInt8] = []
        characters.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "+"): characters.append(UInt8(ascii: "-"))
            case UInt8(ascii: "/"): characters.append(UInt8(ascii: "_"))
            case UInt8(ascii: "-"), UInt8(ascii: "_"): return nil
            default: characters.append(byte)
            }
        }
        guard characters.count.isMultiple(of: 4) else { return nil }
        while characters.count % 4 != 2, characters.last == UInt8(ascii: "=") { characters.removeLast() }
        return Base64URL.decode(characters[...])
    }

    static func encode(_ bytes: [UInt8]) -> String {
        var characters: [UInt8] = []
        Base64URL.append(bytes, to: &characters)
        for i in characters.indices {
            switch characters[i] {
            case UInt8(ascii: "-"): characters[i] = UInt8(ascii: "+")
            case UInt8(ascii: "_"): characters[i] = UInt8(ascii: "/")
            default: break
            }
        }
        while !characters.count.isMultiple(of: 4) { characters.append(UInt8(ascii: "=")) }
        return String(decoding: characters, as: UTF8.self)
    }
}
