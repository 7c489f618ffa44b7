import ClawWire

/// Cuts a short excerpt out of a record that could not be handled, and takes the secrets out of it.
///
/// A dead letter shows people what arrived, and dead letters are read by more people than the record was meant for. So
/// whatever looks like a credential goes: compact JWTs and JWEs, what follows an authentication scheme, members and
/// parameters with telling names, PEM blocks, tokens with well-known prefixes, and long opaque text. Where it is in
/// doubt it removes too much: the record itself stays in its topic, and its digest is in the receipt.
public enum Redaction {
    /// Most bytes of an excerpt's text.
    public static let maximumBytes = 1_024

    /// An excerpt without secrets. Only ``Redaction/excerpt(_:)`` makes one from raw bytes.
    public struct Excerpt: Sendable, Hashable {
        /// Text, at most ``Redaction/maximumBytes`` of UTF-8. A record that is JSON is printed anew.
        public let text: String
        /// How many secrets were taken out of what was looked at.
        public let redactions: Int
        /// True when the text does not show the whole record.
        public let isTruncated: Bool

        init(text: String, redactions: Int, isTruncated: Bool) {
            self.text = text.withoutReservedScalars
            self.redactions = redactions
            self.isTruncated = isTruncated
        }
    }

    /// Bytes that are looked at where the record is no JSON; removed parts may be long.
    private static let window = 65_536
    /// Largest record that is read as JSON for its excerpt.
    private static let maximumJSONBytes = 1_048_576

    /// Takes an excerpt of any bytes. Costs no more than a pass over a bounded part of them.
    public static func excerpt(_ bytes: [UInt8]) -> Excerpt {
        var count = 0
        var whole = bytes[...]
        if bytes.count <= maximumJSONBytes, let value = try? JSONReader.parse(bytes, duplicates: .keepLastValue) {
            var pruner = JSONPruner()
            let pruned = pruner.prune(value)
            count = pruner.removed
            whole = JSONWriter.bytes(pruned)[...]
        }
        let part = whole.prefix(window)
        var scanner = SecretScanner(plain(part), isPart: part.count < whole.count, limit: maximumBytes)
        scanner.run()
        let text = cut(scanner.output)
        return Excerpt(
            text: String(decoding: text, as: UTF8.self), redactions: count + scanner.removed,
            isTruncated: part.count < whole.count || !scanner.isAtEnd || text.count < scanner.output.count)
    }

    /// Undoes what hides names and values from a scan of text: repairs the encoding, drops NUL bytes (UTF-16 read as
    /// bytes), and resolves `\u00xx` escapes at any depth of quoting.
    private static func plain(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let text = Array(String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self).utf8)
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var i = 0
        while i < text.count {
            guard text[i] == UInt8(ascii: "\\") else {
                let isControl = text[i] < 0x20 && text[i] != 0x0A && text[i] != 0x09 || text[i] == 0x7F
                output.append(isControl ? 0x20 : text[i])
                i += 1
                continue
            }
            var end = i
            while end < text.count, text[end] == UInt8(ascii: "\\") { end += 1 }
            if end + 5 <= text.count, text[end..<(end + 3)].elementsEqual("u00".utf8),
                let code = Hex.decode(String(decoding: text[(end + 3)..<(end + 5)], as: UTF8.self))?.first,
                code >= 0x20, code < 0x7F, code != 0x22, code != 0x5C
            {
                output.append(code)
                i = end + 5
            } else {
                output.append(contentsOf: text[i..<end])
                i = end
            }
        }
        return output
    }

    /// The longest prefix of whole scalars within the limit.
    private static func cut(_ text: [UInt8]) -> ArraySlice<UInt8> {
        guard text.count > maximumBytes else { return text[...] }
        var end = maximumBytes
        while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return text[..<end]
    }
}

/// Takes members with telling names out of a JSON value.
private struct JSONPruner {
    private(set) var removed = 0
    static let privateKeyMembers: Set<String> = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"]

    mutating func prune(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null, .bool, .number, .string: return value
        case .array(let elements): return .array(elements.map { prune($0) })
        case .object(let object): return .object(prune(object))
        }
    }

    private mutating func prune(_ object: JSONObject) -> JSONObject {
        let isKey = object.contains("kty")
        // Lists of headers and properties name the secret in one member and hold it in the next.
        let namesSecret = object.members.contains { member in
            ["name", "key", "displayname", "header"].contains(member.key.lowercased())
                && SecretName.isSensitive(Array((member.value.string ?? "").utf8))
        }
        var pruned = JSONObject()
        for member in object.members {
            let isSecret =
                SecretName.isSensitive(Array(member.key.utf8)) || isKey && Self.privateKeyMembers.contains(member.key)
                || namesSecret && member.key.lowercased().hasSuffix("value")
            if isSecret, !member.value.isNull {
                removed += 1
                pruned[member.key] = .string(SecretScanner.placeholder)
            } else {
                pruned[member.key] = prune(member.value)
            }
        }
        return pruned
    }
}
