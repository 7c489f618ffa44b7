import CLibPQ

/// The rows and the command tag that one statement returned.
///
/// Values are decoded when they are asked for, straight from libpq's memory. Rows and columns count from zero; an
/// index outside the result, a null where none was asked for, and a type that does not fit are thrown as
/// ``PostgresError/Kind/configuration``, because they mean that statement and reader disagree.
@safe public final class PostgresResult: @unchecked Sendable {
    // Safe to share: a PGresult is not changed after libpq handed it over, and the manual's chapter on threaded
    // programs says that such results may be passed between threads. The pointer does not leave this type, and
    // spans over its memory are lent to closures that cannot keep them.
    private let raw: OpaquePointer

    /// Number of rows.
    public let rowCount: Int
    /// Number of columns.
    public let columnCount: Int

    /// Takes ownership: the result is cleared when this object goes.
    init(owning raw: OpaquePointer) {
        unsafe self.raw = raw
        rowCount = unsafe Int(PQntuples(raw))
        columnCount = unsafe Int(PQnfields(raw))
    }

    deinit { unsafe PQclear(raw) }

    var status: ExecStatusType { unsafe PQresultStatus(raw) }

    func errorField(_ field: Character) -> String? {
        guard let code = field.asciiValue, let text = unsafe PQresultErrorField(raw, Int32(code)) else { return nil }
        return unsafe String(cString: text)
    }

    var errorMessage: String { unsafe PQresultErrorMessage(raw).map { unsafe String(cString: $0) } ?? "" }

    /// The command tag, for example `INSERT 0 5`.
    public var commandTag: String { unsafe PQcmdStatus(raw).map { unsafe String(cString: $0) } ?? "" }

    /// Rows that the command inserted, updated, deleted, selected or moved; 0 for other commands.
    public var affectedRows: Int {
        unsafe PQcmdTuples(raw).flatMap { unsafe Int(String(cString: $0)) } ?? 0
    }

    /// The columns' names, in order.
    public var columnNames: [String] {
        (0..<Int32(columnCount)).map { unsafe PQfname(raw, $0).map { unsafe String(cString: $0) } ?? "" }
    }

    /// The index of the first column with this name.
    public func column(_ name: String) throws(PostgresError) -> Int {
        guard let index = columnNames.firstIndex(of: name) else {
            throw PostgresError(.configuration, "the result has no column \(name)")
        }
        return index
    }

    /// The type of a column.
    public func type(ofColumn column: Int) throws(PostgresError) -> PostgresType {
        try check(row: nil, column: column)
        return unsafe PostgresType(rawValue: PQftype(raw, Int32(column)))
    }

    /// Whether the value is null.
    public func isNull(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
        try check(row: row, column: column)
        return unsafe PQgetisnull(raw, Int32(row), Int32(column)) == 1
    }

    /// Decodes a value that must not be null.
    public func value<Value: PostgresDecodable>(
        _ row: Int, _ column: Int, as: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let value = try optional(row, column, as: Value.self) else {
            throw PostgresError(.configuration, "\(place(row, column)) is null")
        }
        return value
    }

    /// Decodes a value, or nil for null.
    public func optional<Value: PostgresDecodable>(
        _ row: Int, _ column: Int, as: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        guard try !isNull(row, column) else { return nil }
        let decoded: Value? = unsafe lend(row, column) { bytes in
            unsafe PQfformat(raw, Int32(column)) == 0
                ? Value.decodePostgres(text: bytes)
                : Value.decodePostgres(bytes, type: PostgresType(rawValue: PQftype(raw, Int32(column))))
        }
        guard let decoded else { throw unreadable(row, column, as: "\(Value.self)") }
        return decoded
    }

    /// A `bigint`, `integer` or `smallint`.
    public func int64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 { try value(row, column) }
    /// An `integer` or `smallint`.
    public func int32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32 { try value(row, column) }
    /// A `boolean`.
    public func bool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool { try value(row, column) }
    /// A `double precision`.
    public func double(_ row: Int, _ column: Int) throws(PostgresError) -> Double { try value(row, column) }
    /// A text, a name, or a JSON text.
    public func string(_ row: Int, _ column: Int) throws(PostgresError) -> String { try value(row, column) }
    /// A copy of a `bytea`.
    public func bytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8] { try value(row, column) }
    /// A `uuid`.
    public func uuid(_ row: Int, _ column: Int) throws(PostgresError) -> PostgresUUID { try value(row, column) }
    /// A `timestamptz`.
    public func timestamp(_ row: Int, _ column: Int) throws(PostgresError) -> PostgresTimestamp {
        try value(row, column)
    }

    /// Lends the bytes of a value as they came, without a copy; no bytes for null.
    ///
    /// - Throws: ``PostgresError`` for an index outside the result, and whatever `body` throws.
    public func withBytes<Result>(
        _ row: Int, _ column: Int, _ body: (Span<UInt8>) throws -> Result
    ) throws -> Result {
        try check(row: row, column: column)
        return try unsafe lend(row, column, body)
    }

    /// A one-dimensional array without nulls.
    public func array<Value: PostgresDecodable>(
        _ row: Int, _ column: Int, of: Value.Type = Value.self
    ) throws(PostgresError) -> [Value] {
        var values: [Value] = []
        try readArray(row, column, as: "array of \(Value.self)") { bytes, type in
            guard let bytes, let value = Value.decodePostgres(bytes, type: type) else { return false }
            values.append(value)
            return true
        }
        return values
    }

    /// A one-dimensional array in which elements may be null.
    public func nullableArray<Value: PostgresDecodable>(
        _ row: Int, _ column: Int, of: Value.Type = Value.self
    ) throws(PostgresError) -> [Value?] {
        var values: [Value?] = []
        try readArray(row, column, as: "array of \(Value.self) or null") { bytes, type in
            guard let bytes else {
                values.append(nil)
                return true
            }
            guard let value = Value.decodePostgres(bytes, type: type) else { return false }
            values.append(value)
            return true
        }
        return values
    }

    private func readArray(
        _ row: Int, _ column: Int, as what: String, _ accept: (Span<UInt8>?, PostgresType) -> Bool
    ) throws(PostgresError) {
        guard try !isNull(row, column) else {
            throw PostgresError(.configuration, "\(place(row, column)) is null")
        }
        let isBinary = unsafe PQfformat(raw, Int32(column)) == 1
        let isRead = unsafe lend(row, column) { bytes in
            isBinary && PostgresArrayReader.read(bytes, element: accept)
        }
        guard isRead else { throw unreadable(row, column, as: what) }
    }

    /// Lends the value's memory. Marked unsafe because the caller must have checked the indices.
    @unsafe
    private func lend<Result, Failure: Error>(
        _ row: Int, _ column: Int, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let length = unsafe Int(PQgetlength(raw, Int32(row), Int32(column)))
        guard let start = unsafe PQgetvalue(raw, Int32(row), Int32(column)), length > 0 else {
            return try body(Span())
        }
        let buffer = unsafe UnsafeRawBufferPointer(start: start, count: length).assumingMemoryBound(to: UInt8.self)
        return try unsafe body(buffer.span)
    }

    private func check(row: Int?, column: Int) throws(PostgresError) {
        guard row.map({ $0 >= 0 && $0 < rowCount }) ?? true, column >= 0, column < columnCount else {
            throw PostgresError(
                .configuration,
                "row \(row ?? 0), column \(column) is outside a result of \(rowCount) rows, \(columnCount) columns")
        }
    }

    private func place(_ row: Int, _ column: Int) -> String {
        "row \(row), column \(column) (\(columnNames[column]))"
    }

    private func unreadable(_ row: Int, _ column: Int, as what: String) -> PostgresError {
        let type = unsafe PostgresType(rawValue: PQftype(raw, Int32(column)))
        let form = unsafe PQfformat(raw, Int32(column)) == 0 ? "text" : "binary"
        return PostgresError(
            .configuration, "\(place(row, column)) of type \(type) (\(form)) is not readable as \(what)")
    }
}

extension PostgresError {
    /// Makes an error from a result that reports a failure.
    init(result: PostgresResult) {
        let sqlState = result.errorField("C").flatMap { SQLState(rawValue: $0) }
        let severity = result.errorField("V") ?? result.errorField("S")
        // FATAL and PANIC end the session, whatever the code. Without a code libpq itself speaks.
        let isLost = sqlState == nil || severity == "FATAL" || severity == "PANIC"
        let primary = result.errorField("M") ?? result.errorMessage
        self.init(
            isLost ? .connectionLost : Self.kind(of: sqlState, message: primary), PostgresError.oneLine(primary),
            sqlState: sqlState, detail: result.errorField("D"), hint: result.errorField("H"),
            constraint: result.errorField("n"), table: result.errorField("t"))
    }

    /// 57014 has one code for two causes, which only the text tells apart; a server with translated messages reports
    /// a cancellation by an administrator as a time limit.
    private static func kind(of state: SQLState?, message: String) -> Kind {
        switch state {
        case .lockNotAvailable: .timeout
        case .queryCanceled: message.contains("user request") ? .cancelled : .timeout
        default: .server
        }
    }

    /// The text without line breaks, cut after 600 characters.
    static func oneLine(_ text: String) -> String {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return line.count > 600 ? line.prefix(600) + "…" : line
    }
}
