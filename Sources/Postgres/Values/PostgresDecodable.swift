/// A value that can be read from the binary form of a column (the `typsend` form of its type).
public protocol PostgresDecodable: Sendable {
    /// Reads a value; nil when the type or the length of the bytes is not one that this value can hold.
    static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Self?
    /// Reads a value from the text form, which results of simple queries have; nil when it cannot be read.
    static func decodePostgres(text: Span<UInt8>) -> Self?
}

extension PostgresDecodable {
    /// Nil: most types are read from binary results only.
    public static func decodePostgres(text: Span<UInt8>) -> Self? { nil }
}

extension Span<UInt8> {
    /// Reads an integer that starts at `offset`, most significant byte first.
    ///
    /// - Precondition: the integer lies within the span.
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int = 0, as: Value.Type = Value.self) -> Value
    {
        unsafe Value(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// A copy of the bytes.
    func copy() -> [UInt8] {
        unsafe withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }

    /// The bytes as text; ill-formed UTF-8, which a server in UTF-8 never sends, becomes U+FFFD.
    func decodedText(from offset: Int = 0) -> String {
        unsafe withUnsafeBufferPointer { (buffer: UnsafeBufferPointer<UInt8>) in
            unsafe String(decoding: buffer[offset...], as: UTF8.self)
        }
    }
}

extension Int64: PostgresDecodable {
    /// Reads `bigint`, `integer` and `smallint`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Int64? {
        switch (type, bytes.count) {
        case (.int8, 8): bytes.bigEndian()
        case (.int4, 4): Int64(bytes.bigEndian(as: Int32.self))
        case (.int2, 2): Int64(bytes.bigEndian(as: Int16.self))
        case (.oid, 4): Int64(bytes.bigEndian(as: UInt32.self))
        default: nil
        }
    }

    /// Reads decimal digits.
    public static func decodePostgres(text: Span<UInt8>) -> Int64? { Int64(text.decodedText()) }
}

extension Int: PostgresDecodable {
    /// Reads `bigint`, `integer` and `smallint`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Int? {
        Int64.decodePostgres(bytes, type: type).map(Int.init)
    }

    /// Reads decimal digits.
    public static func decodePostgres(text: Span<UInt8>) -> Int? { Int(text.decodedText()) }
}

extension Int32: PostgresDecodable {
    /// Reads `integer` and `smallint`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Int32? {
        switch (type, bytes.count) {
        case (.int4, 4): bytes.bigEndian()
        case (.int2, 2): Int32(bytes.bigEndian(as: Int16.self))
        default: nil
        }
    }

    /// Reads decimal digits.
    public static func decodePostgres(text: Span<UInt8>) -> Int32? { Int32(text.decodedText()) }
}

extension Int16: PostgresDecodable {
    /// Reads `smallint`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Int16? {
        type == .int2 && bytes.count == 2 ? bytes.bigEndian() : nil
    }
}

extension Bool: PostgresDecodable {
    /// Reads `boolean`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Bool? {
        type == .bool && bytes.count == 1 ? bytes[0] != 0 : nil
    }

    /// Reads `t` or `f`.
    public static func decodePostgres(text: Span<UInt8>) -> Bool? {
        switch text.decodedText() {
        case "t": true
        case "f": false
        default: nil
        }
    }
}

extension Double: PostgresDecodable {
    /// Reads `double precision`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> Double? {
        type == .float8 && bytes.count == 8 ? Double(bitPattern: bytes.bigEndian()) : nil
    }
}

extension String: PostgresDecodable {
    /// Reads `text`, `varchar`, `char`, `name`, `json` and `jsonb`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> String? {
        if type == .jsonb { return bytes.isEmpty ? nil : bytes.decodedText(from: 1) }
        return type.isText ? bytes.decodedText() : nil
    }

    /// Takes the text as it is.
    public static func decodePostgres(text: Span<UInt8>) -> String? { text.decodedText() }
}

extension [UInt8]: PostgresDecodable {
    /// Reads `bytea`, and the UTF-8 form of texts.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> [UInt8]? {
        type == .bytea || type.isText ? bytes.copy() : nil
    }
}

extension PostgresUUID: PostgresDecodable {
    /// Reads `uuid`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> PostgresUUID? {
        guard type == .uuid, bytes.count == 16 else { return nil }
        return PostgresUUID(high: bytes.bigEndian(), low: bytes.bigEndian(at: 8))
    }
}

extension PostgresTimestamp: PostgresDecodable {
    /// Reads `timestamptz`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> PostgresTimestamp? {
        type == .timestamptz && bytes.count == 8 ? PostgresTimestamp(microseconds: bytes.bigEndian()) : nil
    }
}

extension PostgresJSON: PostgresDecodable {
    /// Reads `json` and `jsonb`.
    public static func decodePostgres(_ bytes: Span<UInt8>, type: PostgresType) -> PostgresJSON? {
        type == .json || type == .jsonb
            ? String.decodePostgres(bytes, type: type).map { PostgresJSON($0) } : nil
    }
}

/// Reads the binary form of a one-dimensional array (`array_send`).
enum PostgresArrayReader {
    /// Hands over each element, nil for null; false when the bytes are not such an array or an element is refused.
    static func read(_ bytes: Span<UInt8>, element accept: (Span<UInt8>?, PostgresType) -> Bool) -> Bool {
        guard bytes.count >= 12 else { return false }
        let dimensions: Int32 = bytes.bigEndian()
        let type = PostgresType(rawValue: bytes.bigEndian(at: 8))
        if dimensions == 0 { return bytes.count == 12 }
        guard dimensions == 1, bytes.count >= 20 else { return false }
        let count = Int(bytes.bigEndian(at: 12, as: Int32.self))
        var offset = 20
        for _ in 0..<max(count, 0) {
            guard offset + 4 <= bytes.count else { return false }
            let length = Int(bytes.bigEndian(at: offset, as: Int32.self))
            offset += 4
            if length == -1 {
                guard accept(nil, type) else { return false }
            } else {
                guard length >= 0, length <= bytes.count - offset else { return false }
                guard accept(bytes.extracting(offset..<offset + length), type) else { return false }
                offset += length
            }
        }
        return offset == bytes.count
    }
}
