/// The values of a statement's parameters `$1`, `$2`, …, in binary form in one byte arena.
///
/// Appending copies the value's bytes behind those before it, so a column of a thousand rows costs a few reallocations
/// of one array and none per element. The value is sent from the arena without another copy of ours.
public struct Parameters: Sendable {
    @usableFromInline var arena: [UInt8] = []
    @usableFromInline var slots: [Slot] = []

    @usableFromInline
    struct Slot: Sendable {
        @usableFromInline let type: PostgresType
        @usableFromInline let offset: Int
        /// Length in bytes, or -1 for null.
        @usableFromInline let length: Int

        @inlinable
        init(type: PostgresType, offset: Int, length: Int) {
            self.type = type
            self.offset = offset
            self.length = length
        }
    }

    /// Makes an empty list.
    public init() {}

    /// Makes a list of single values, none of them null.
    public init<each Value: PostgresEncodable>(_ value: repeat each Value) {
        repeat append(each value)
    }

    /// Makes an empty list, lets `build` append to it, and reserves room for what is announced.
    public init(reservingBytes bytes: Int = 0, _ build: (inout Parameters) -> Void) {
        arena.reserveCapacity(bytes)
        build(&self)
    }

    /// Number of parameters so far.
    public var count: Int { slots.count }

    /// Size of all values together, in bytes.
    public var byteCount: Int { arena.count }

    /// The types of the parameters so far.
    public var types: [PostgresType] { slots.map(\.type) }

    /// Appends one value.
    @inlinable
    public mutating func append<Value: PostgresEncodable>(_ value: Value) {
        let start = arena.count
        value.encodePostgres(into: &arena)
        slots.append(Slot(type: Value.postgresType, offset: start, length: arena.count - start))
    }

    /// Appends one value, or null.
    @inlinable
    public mutating func append<Value: PostgresEncodable>(_ value: Value?) {
        guard let value else { return appendNull(Value.postgresType) }
        append(value)
    }

    /// Appends null.
    @inlinable
    public mutating func appendNull(_ type: PostgresType) {
        slots.append(Slot(type: type, offset: arena.count, length: -1))
    }

    /// Appends bytes as `bytea`.
    public mutating func append(bytes: Span<UInt8>) {
        let start = arena.count
        unsafe bytes.withUnsafeBufferPointer { unsafe arena.append(contentsOf: $0) }
        slots.append(Slot(type: .bytea, offset: start, length: bytes.count))
    }

    /// Appends a JSON text as `jsonb`.
    public mutating func append(jsonb text: String) { append(PostgresJSON(text)) }

    /// Appends a one-dimensional array.
    @inlinable
    public mutating func append<Value: PostgresEncodable>(array values: some Collection<Value>) {
        append(column: values) { $0 }
    }

    /// Appends a one-dimensional array in which elements may be null.
    @inlinable
    public mutating func append<Value: PostgresEncodable>(array values: some Collection<Value?>) {
        append(nullableColumn: values) { $0 }
    }

    /// Appends an array made of one value per row, so that no array of the values needs to be built first.
    @inlinable
    public mutating func append<Rows: Collection, Value: PostgresEncodable>(
        column rows: Rows, _ value: (Rows.Element) -> Value
    ) {
        let header = beginArray(elements: rows.count, of: Value.self)
        for row in rows {
            let element = value(row)
            arena.appendBigEndian(Int32(truncatingIfNeeded: element.postgresByteCount))
            element.encodePostgres(into: &arena)
        }
        endArray(header, containsNull: false, of: Value.self)
    }

    /// Appends an array made of one value or null per row.
    @inlinable
    public mutating func append<Rows: Collection, Value: PostgresEncodable>(
        nullableColumn rows: Rows, _ value: (Rows.Element) -> Value?
    ) {
        let header = beginArray(elements: rows.count, of: Value.self)
        var containsNull = false
        for row in rows {
            guard let element = value(row) else {
                arena.appendBigEndian(Int32(-1))
                containsNull = true
                continue
            }
            arena.appendBigEndian(Int32(truncatingIfNeeded: element.postgresByteCount))
            element.encodePostgres(into: &arena)
        }
        endArray(header, containsNull: containsNull, of: Value.self)
    }

    /// Writes the header that `array_recv` expects: dimensions, null flag, element type, then length and lower bound
    /// of the one dimension. An empty array has no dimension. Returns where the header starts.
    @usableFromInline
    mutating func beginArray<Value: PostgresEncodable>(elements: Int, of: Value.Type) -> Int {
        let start = arena.count
        arena.appendBigEndian(Int32(elements == 0 ? 0 : 1))
        arena.appendBigEndian(Int32(0))
        arena.appendBigEndian(Value.postgresType.rawValue)
        if elements > 0 {
            arena.appendBigEndian(Int32(truncatingIfNeeded: elements))
            arena.appendBigEndian(Int32(1))
        }
        return start
    }

    @usableFromInline
    mutating func endArray<Value: PostgresEncodable>(_ start: Int, containsNull: Bool, of: Value.Type) {
        if containsNull { arena.storeBigEndian(1, at: start + 4) }
        slots.append(Slot(type: Value.postgresArrayType, offset: start, length: arena.count - start))
    }
}
