/// Prints JSON byte for byte as ECMAScript's `JSON.stringify` does, in one of three member orders.
public enum JSONWriter {
    /// In which order the members of objects are printed.
    public enum Order: Sendable {
        /// As they stand in the value.
        case asGiven
        /// RFC 8785: by UTF-16 code units.
        case canonical
        /// As ECMAScript enumerates them: array-index keys first in ascending order, then as given.
        case document
    }

    /// Prints a value.
    public static func bytes(_ value: JSONValue, order: Order = .asGiven) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(256)
        append(value, order: order, to: &output)
        return output
    }

    /// Prints a value as text.
    public static func text(_ value: JSONValue, order: Order = .asGiven) -> String {
        String(decoding: bytes(value, order: order), as: UTF8.self)
    }

    /// Appends a printed value to a buffer.
    public static func append(_ value: JSONValue, order: Order, to output: inout [UInt8]) {
        switch value {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: value ? "true".utf8 : "false".utf8)
        case .number(let value): ECMAScriptNumber.append(value, to: &output)
        case .string(let value): append(string: value, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            // By index: an element would be copied first.
            for index in elements.indices {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                append(elements[index], order: order, to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object): append(object.members, order: order, to: &output)
        }
    }

    private static func append(_ members: [JSONObject.Member], order: Order, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "{"))
        var first = true
        func append(_ position: Int) {
            if !first { output.append(UInt8(ascii: ",")) }
            first = false
            self.append(string: members[position].key, to: &output)
            output.append(UInt8(ascii: ":"))
            self.append(members[position].value, order: order, to: &output)
        }
        if let positions = positions(of: members, order) {
            for position in positions { append(position) }
        } else {
            for position in members.indices { append(position) }
        }
        output.append(UInt8(ascii: "}"))
    }

    /// The positions of members in the order of printing; `nil` when they stand in it already.
    private static func positions(of members: [JSONObject.Member], _ order: Order) -> [Int]? {
        switch order {
        case .asGiven: return nil
        case .canonical:
            var keys = members.indices.map { SortKey(members[$0].key, position: $0) }
            func precedes(_ left: SortKey, _ right: SortKey) -> Bool {
                left.precedes(right) ?? self.precedes(members[left.position].key, members[right.position].key)
            }
            guard !keys.indices.dropFirst().allSatisfy({ precedes(keys[$0 - 1], keys[$0]) }) else { return nil }
            keys.sort(by: precedes)
            return keys.map(\.position)
        case .document:
            guard members.contains(where: { arrayIndex($0.key) != nil }) else { return nil }
            let indexed = members.indices.compactMap { position in
                arrayIndex(members[position].key).map { (index: $0, position: position) }
            }
            return indexed.sorted { $0.index < $1.index }.map(\.position)
                + members.indices.filter { arrayIndex(members[$0].key) == nil }
        }
    }

    /// The beginning of a key, which mostly decides where the key belongs.
    private struct SortKey {
        let prefix: UInt64
        let position: Int

        /// Takes the first eight bytes, filled up with zeros.
        init(_ key: String, position: Int) {
            let bytes = key.utf8.span
            var prefix: UInt64 = 0
            for i in 0..<min(8, bytes.count) { prefix |= UInt64(bytes[i]) << UInt64(56 - 8 * i) }
            self.prefix = prefix
            self.position = position
        }

        /// `nil` when the beginnings do not tell: they are equal, or not ASCII.
        func precedes(_ other: SortKey) -> Bool? {
            let isASCII = (prefix | other.prefix) & 0x8080_8080_8080_8080 == 0
            return isASCII && prefix != other.prefix ? prefix < other.prefix : nil
        }
    }

    /// True when `left` comes before `right` by UTF-16 code units (RFC 8785 §3.2.3).
    public static func precedes(_ left: String, _ right: String) -> Bool {
        let (a, b) = (left.utf8.span, right.utf8.span)
        let i = ExactText.firstDifference(a, b)
        guard i < a.count, i < b.count else { return i < b.count }
        // UTF-8 and UTF-16 disagree only where scalars past U+D7FF are concerned.
        return a[i] < 0x80 && b[i] < 0x80 ? a[i] < b[i] : units(left).lexicographicallyPrecedes(units(right))
    }

    private static func units(_ text: String) -> [UInt16] {
        var units: [UInt16] = []
        for scalar in text.unicodeScalars {
            if let surrogate = JSONString.surrogate(of: scalar) {
                units.append(UInt16(surrogate))
            } else {
                units.append(contentsOf: UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter)
            }
        }
        return units
    }

    private static func arrayIndex(_ key: String) -> UInt32? {
        guard let first = key.utf8.first, first >= 0x30, first <= 0x39, key.utf8.count <= 10 else { return nil }
        guard key.utf8.count == 1 || first != 0x30, let value = UInt64(key), value < 4_294_967_295 else { return nil }
        return UInt32(value)
    }

    /// Appends a string in quotes with ECMAScript's escapes.
    public static func append(string: String, to output: inout [UInt8]) {
        let bytes = string.utf8.span
        let plain = JSONText.plainPart(of: bytes, from: 0)
        if plain.end == bytes.count, plain.isASCII {
            JSONText.appendQuoted(string, to: &output)
        } else {
            append(escaping: string, to: &output)
        }
    }

    private static func append(escaping string: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var text = string
        text.withUTF8 { (buffer: UnsafeBufferPointer<UInt8>) in
            let bytes = unsafe Span(_unsafeElements: buffer)
            var start = 0
            var i = 0
            while i < bytes.count {
                let byte = bytes[i]
                if byte >= 0x20, byte != 0x22, byte != 0x5C, byte != 0xF4 {
                    i += 1
                    continue
                }
                unsafe output.append(contentsOf: buffer[start..<i])
                i += appendSpecial(bytes, i, to: &output)
                start = i
            }
            unsafe output.append(contentsOf: buffer[start..<i])
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func appendSpecial(_ bytes: Span<UInt8>, _ i: Int, to output: inout [UInt8]) -> Int {
        let byte = bytes[i]
        if byte == 0xF4, i + 3 < bytes.count {
            let value =
                UInt32(byte & 0x07) << 18 | UInt32(bytes[i + 1] & 0x3F) << 12 | UInt32(bytes[i + 2] & 0x3F) << 6
                | UInt32(bytes[i + 3] & 0x3F)
            if let scalar = Unicode.Scalar(value), let surrogate = JSONString.surrogate(of: scalar) {
                output.append(contentsOf: "\\u".utf8)
                for shift in [12, 8, 4, 0] { output.append(hexDigits[Int(surrogate >> UInt32(shift) & 0xF)]) }
                return 4
            }
        }
        switch byte {
        case 0x22, 0x5C:
            output.append(0x5C)
            output.append(byte)
        case 0x08: output.append(contentsOf: "\\b".utf8)
        case 0x09: output.append(contentsOf: "\\t".utf8)
        case 0x0A: output.append(contentsOf: "\\n".utf8)
        case 0x0C: output.append(contentsOf: "\\f".utf8)
        case 0x0D: output.append(contentsOf: "\\r".utf8)
        case ..<0x20:
            output.append(contentsOf: "\\u00".utf8)
            output.append(hexDigits[Int(byte >> 4)])
            output.append(hexDigits[Int(byte & 0xF)])
        default: output.append(byte)
        }
        return 1
    }

    private static let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)
}
