/// A value with a binary form that PostgreSQL reads (the `typreceive` form of its type).
public protocol PostgresEncodable: Sendable {
    /// The type that the value is sent as.
    static var postgresType: PostgresType { get }
    /// The type of an array of such values.
    static var postgresArrayType: PostgresType { get }
    /// Size of the binary form, in bytes.
    var postgresByteCount: Int { get }
    /// Appends exactly ``postgresByteCount`` bytes.
    func encodePostgres(into arena: inout [UInt8])
}

extension [UInt8] {
    /// Appends an integer, most significant byte first.
    @inlinable
    mutating func appendBigEndian<Value: FixedWidthInteger>(_ value: Value) {
        // Three times as fast as appending a buffer of the value's bytes, which matters: every array element has two.
        append(addingCapacity: MemoryLayout<Value>.size) { span in
            var shift = Value.bitWidth
            while shift > 0 {
                shift -= 8
                span.append(UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: shift)))
            }
        }
    }

    /// Overwrites four bytes with an integer, most significant byte first.
    @inlinable
    mutating func storeBigEndian(_ value: Int32, at offset: Int) {
        let bits = UInt32(bitPattern: value)
        self[offset] = UInt8(truncatingIfNeeded: bits >> 24)
        self[offset + 1] = UInt8(truncatingIfNeeded: bits >> 16)
        self[offset + 2] = UInt8(truncatingIfNeeded: bits >> 8)
        self[offset + 3] = UInt8(truncatingIfNeeded: bits)
    }
}

extension Int64: PostgresEncodable {
    /// `bigint`.
    public static var postgresType: PostgresType { .int8 }
    /// `bigint[]`.
    public static var postgresArrayType: PostgresType { .int8Array }
    /// Eight.
    @inlinable public var postgresByteCount: Int { 8 }
    /// Appends eight bytes.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.appendBigEndian(self) }
}

extension Int: PostgresEncodable {
    /// `bigint`.
    public static var postgresType: PostgresType { .int8 }
    /// `bigint[]`.
    public static var postgresArrayType: PostgresType { .int8Array }
    /// Eight.
    @inlinable public var postgresByteCount: Int { 8 }
    /// Appends eight bytes.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.appendBigEndian(Int64(self)) }
}

extension Int32: PostgresEncodable {
    /// `integer`.
    public static var postgresType: PostgresType { .int4 }
    /// `integer[]`.
    public static var postgresArrayType: PostgresType { .int4Array }
    /// Four.
    @inlinable public var postgresByteCount: Int { 4 }
    /// Appends four bytes.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.appendBigEndian(self) }
}

extension Int16: PostgresEncodable {
    /// `smallint`.
    public static var postgresType: PostgresType { .int2 }
    /// `smallint[]`.
    public static var postgresArrayType: PostgresType { .int2Array }
    /// Two.
    @inlinable public var postgresByteCount: Int { 2 }
    /// Appends two bytes.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.appendBigEndian(self) }
}

extension Bool: PostgresEncodable {
    /// `boolean`.
    public static var postgresType: PostgresType { .bool }
    /// `boolean[]`.
    public static var postgresArrayType: PostgresType { .boolArray }
    /// One.
    @inlinable public var postgresByteCount: Int { 1 }
    /// Appends one byte.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.append(self ? 1 : 0) }
}

extension Double: PostgresEncodable {
    /// `double precision`.
    public static var postgresType: PostgresType { .float8 }
    /// `double precision[]`.
    public static var postgresArrayType: PostgresType { .float8Array }
    /// Eight.
    @inlinable public var postgresByteCount: Int { 8 }
    /// Appends the IEEE 754 bits.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.appendBigEndian(bitPattern) }
}

extension String: PostgresEncodable {
    /// `text`; also accepted where a statement declares `varchar`, `char`, `name` or `json`.
    public static var postgresType: PostgresType { .text }
    /// `text[]`.
    public static var postgresArrayType: PostgresType { .textArray }
    /// Bytes of the UTF-8 form. PostgreSQL refuses a text with a zero byte (22021).
    @inlinable public var postgresByteCount: Int { utf8.count }
    /// Appends the UTF-8 form.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.append(contentsOf: utf8) }
}

extension [UInt8]: PostgresEncodable {
    /// `bytea`.
    public static var postgresType: PostgresType { .bytea }
    /// `bytea[]`.
    public static var postgresArrayType: PostgresType { .byteaArray }
    /// Number of bytes.
    @inlinable public var postgresByteCount: Int { count }
    /// Appends the bytes.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.append(contentsOf: self) }
}

extension PostgresUUID: PostgresEncodable {
    /// `uuid`.
    public static var postgresType: PostgresType { .uuid }
    /// `uuid[]`.
    public static var postgresArrayType: PostgresType { .uuidArray }
    /// Sixteen.
    @inlinable public var postgresByteCount: Int { 16 }
    /// Appends the sixteen bytes.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) {
        arena.appendBigEndian(high)
        arena.appendBigEndian(low)
    }
}

extension PostgresTimestamp: PostgresEncodable {
    /// `timestamptz`.
    public static var postgresType: PostgresType { .timestamptz }
    /// `timestamptz[]`.
    public static var postgresArrayType: PostgresType { .timestamptzArray }
    /// Eight.
    @inlinable public var postgresByteCount: Int { 8 }
    /// Appends the microseconds.
    @inlinable public func encodePostgres(into arena: inout [UInt8]) { arena.appendBigEndian(microseconds) }
}

/// A JSON text to be sent as `jsonb`, or one that was read from it.
public struct PostgresJSON: Sendable, Hashable, PostgresEncodable {
    /// The JSON text.
    public let text: String

    /// Takes a JSON text; the server refuses it (22P02) when it is not JSON.
    public init(_ text: String) { self.text = text }

    /// `jsonb`.
    public static var postgresType: PostgresType { .jsonb }
    /// `jsonb[]`.
    public static var postgresArrayType: PostgresType { .jsonbArray }
    /// One version byte and the text.
    public var postgresByteCount: Int { 1 + text.utf8.count }
    /// Appends the version byte and the text.
    public func encodePostgres(into arena: inout [UInt8]) {
        arena.append(1)
        arena.append(contentsOf: text.utf8)
    }
}
