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
            var first = true
            for element in elements {
                if !first { output.append(UInt8(ascii: ",")) }
                first = false
                append(element, order: order, to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            var first = true
            for member in ordered(object, order) {
                if !first { output.append(UInt8(ascii: ",")) }
                first = false
                append(string: member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                append(member.value, order: order, to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    private static func ordered(_ object: JSONObject, _ order: Order) -> [JSONObject.Member] {
        switch order {
        case .asGiven: return object.members
        case .canonical:
            return object.members.sorted { precedes($0.key, $1.key) }
        case .document:
            guard object.members.contains(where: { arrayIndex($0.key) != nil }) else { return object.members }
            let indexed = object.members.compactMap { member in arrayIndex(member.key).map { ($0, member) } }
            return indexed.sorted { $0.0 < $1.0 }.map(\.1) + object.members.filter { arrayIndex($0.key) == nil }
        }
    }

    /// True when `left` comes before `right` by UTF-16 code units (RFC 8785 §3.2.3).
    public static func precedes(_ left: String, _ right: String) -> Bool {
        var leftBytes = left.utf8.makeIterator()
        var rightBytes = right.utf8.makeIterator()
        while true {
            switch (leftBytes.next(), rightBytes.next()) {
            case (nil, nil), (_?, nil): return false
            case (nil, _?): return true
            case (let a?, let b?):
                if a == b { continue }
                // UTF-8 and UTF-16 disagree only where scalars past U+D7FF are concerned.
                return a < 0x80 && b < 0x80 ? a < b : units(left).lexicographicallyPrecedes(units(right))
            }
        }
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
