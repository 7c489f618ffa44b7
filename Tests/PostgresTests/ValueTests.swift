import Postgres
import Testing

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct ValueTests {
    /// Sends one value and reads it back; also compares what the server makes of it as text.
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [Value], text: (Value) -> String?
    ) async throws {
        let connection = try await TestServer.shared.connect()
        let type = Value.postgresType
        let statement = PreparedStatement("round_trip", "SELECT $1, $1::text", parameterTypes: [type])
        for value in values {
            let result = try await connection.execute(statement, Parameters(value))
            #expect(try result.value(0, 0, as: Value.self) == value)
            #expect(try result.type(ofColumn: 0) == type)
            if let text = text(value) { #expect(try result.string(0, 1) == text) }
        }
        var null = Parameters()
        null.append(nil as Value?)
        let result = try await connection.execute(statement, null)
        #expect(try result.isNull(0, 0))
        #expect(try result.optional(0, 0, as: Value.self) == nil)
        await connection.close()
    }

    /// Sends arrays, with and without nulls, and reads them back.
    private func roundTripArrays<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [Value]
    ) async throws {
        let connection = try await TestServer.shared.connect()
        let statement = PreparedStatement(
            "round_trip", "SELECT $1, coalesce(array_length($1, 1), 0), array_position($1, NULL) IS NOT NULL",
            parameterTypes: [Value.postgresArrayType])
        let cases: [[Value?]] = [[], [nil], values, values + [nil], [nil, nil] + values, values + values]
        for elements in cases {
            var parameters = Parameters()
            parameters.append(array: elements)
            let result = try await connection.execute(statement, parameters)
            #expect(try result.nullableArray(0, 0, of: Value.self) == elements)
            #expect(try result.int64(0, 1) == elements.count)
            #expect(try result.bool(0, 2) == elements.contains { $0 == nil })

            let present = elements.compactMap { $0 }
            var dense = Parameters()
            dense.append(array: present)
            #expect(try await connection.execute(statement, dense).array(0, 0, of: Value.self) == present)
        }
        await connection.close()
    }

    @Test func integersRoundTrip() async throws {
        try await roundTrip([0, 1, -1, .max, .min] as [Int64]) { "\($0)" }
        try await roundTrip([0, 1, -1, .max, .min] as [Int]) { "\($0)" }
        try await roundTrip([0, 7, -7, .max, .min] as [Int32]) { "\($0)" }
        try await roundTrip([0, 7, -7, .max, .min] as [Int16]) { "\($0)" }
    }

    @Test func booleansAndDoublesRoundTrip() async throws {
        try await roundTrip([true, false]) { $0 ? "true" : "false" }
        try await roundTrip([0, -1.5, 1e300, .infinity, .leastNonzeroMagnitude]) { $0 == -1.5 ? "-1.5" : nil }
    }

    @Test func textsRoundTrip() async throws {
        try await roundTrip(["", "a", "Ünïcødé 🦀", "it's \"quoted\"\n", String(repeating: "x", count: 100_000)]) { $0 }
    }

    @Test func bytesRoundTrip() async throws {
        try await roundTrip([[], [0], [0xFF, 0, 1], Array(repeating: 0xA5, count: 70_000)] as [[UInt8]]) {
            $0 == [0xFF, 0, 1] ? "\\xff0001" : nil
        }
    }

    @Test func identifiersRoundTrip() async throws {
        let text = "0192e6f4-7a3b-7cde-8f01-23456789abcd"
        let identifier = try #require(PostgresUUID(text))
        try await roundTrip([identifier, PostgresUUID(high: 0, low: 0), PostgresUUID(high: .max, low: .max)]) {
            $0.description
        }
    }

    @Test func timestampsRoundTrip() async throws {
        let values = [
            PostgresTimestamp(microseconds: 0), PostgresTimestamp(unixMilliseconds: 0),
            PostgresTimestamp(unixMilliseconds: 1_760_000_000_123), PostgresTimestamp(unixMilliseconds: .min),
            PostgresTimestamp(unixMilliseconds: .max),
        ]
        try await roundTrip(values) { _ in nil }
        let connection = try await TestServer.shared.connect { $0.settings["TimeZone"] = "UTC" }
        let statement = PreparedStatement("text", "SELECT $1::text", parameterTypes: [.timestamptz])
        let result = try await connection.execute(statement, Parameters(values[2]))
        #expect(try result.string(0, 0) == "2025-10-09 08:53:20.123+00")
    }

    @Test func jsonRoundTrips() async throws {
        let connection = try await TestServer.shared.connect()
        let statement = PreparedStatement("json", "SELECT $1, $1->>'a'", parameterTypes: [.jsonb])
        var parameters = Parameters()
        parameters.append(jsonb: #"{"a": "b"}"#)
        let result = try await connection.execute(statement, parameters)
        #expect(try result.string(0, 0) == #"{"a": "b"}"#)
        #expect(try result.value(0, 0, as: PostgresJSON.self).text == #"{"a": "b"}"#)
        #expect(try result.string(0, 1) == "b")
    }

    @Test func arraysRoundTrip() async throws {
        try await roundTripArrays([1, -2, .max] as [Int64])
        try await roundTripArrays([1, -2, .max] as [Int32])
        try await roundTripArrays([1, -2, .max] as [Int16])
        try await roundTripArrays([true, false, true])
        try await roundTripArrays([0.5, -1])
        try await roundTripArrays(["", "x", "null", "a,b", "{}"])
        try await roundTripArrays([[], [1, 2], [0]] as [[UInt8]])
        try await roundTripArrays([PostgresUUID(high: 1, low: 2), PostgresUUID(high: 3, low: 4)])
        try await roundTripArrays([PostgresTimestamp(unixMilliseconds: 1), PostgresTimestamp(unixMilliseconds: -1)])
    }

    @Test func columnsAreWrittenStraightFromRows() async throws {
        struct Row {
            let name: String
            let number: Int32?
        }
        let rows = (0..<5).map { Row(name: "n\($0)", number: $0 % 2 == 0 ? Int32($0) : nil) }
        var parameters = Parameters()
        parameters.append(column: rows) { $0.name }
        parameters.append(nullableColumn: rows) { $0.number }
        let statement = PreparedStatement(
            "columns", "SELECT * FROM unnest($1, $2) AS t(name, number)",
            parameterTypes: [.textArray, .int4Array])
        let connection = try await TestServer.shared.connect()
        let result = try await connection.execute(statement, parameters)
        #expect(result.columnNames == ["name", "number"])
        for (index, row) in rows.enumerated() {
            #expect(try result.string(index, 0) == row.name)
            #expect(try result.optional(index, try result.column("number"), as: Int32.self) == row.number)
        }
    }

    @Test func bytesAreLentWithoutACopy() async throws {
        let connection = try await TestServer.shared.connect()
        let statement = PreparedStatement("lend", "SELECT $1, NULL::bytea", parameterTypes: [.bytea])
        let bytes: [UInt8] = [1, 2, 3]
        var parameters = Parameters()
        parameters.append(bytes: bytes.span)
        let result = try await connection.execute(statement, parameters)
        let sum = try result.withBytes(0, 0) { span in
            var sum = 0
            for index in span.indices { sum += Int(span[index]) }
            return sum
        }
        #expect(sum == 6)
        #expect(try result.withBytes(0, 1) { $0.count } == 0)
    }

    @Test func misreadingsAreErrorsAndNotTraps() async throws {
        let connection = try await TestServer.shared.connect()
        let result = try await connection.pipeline([.command("SELECT 1::int8 AS number, NULL::text AS nothing")])[0]
        #expect(throws: PostgresError.self) { try result.int64(1, 0) }
        #expect(throws: PostgresError.self) { try result.int64(0, 2) }
        #expect(throws: PostgresError.self) { try result.int64(-1, 0) }
        #expect(throws: PostgresError.self) { try result.string(0, 0) }
        #expect(throws: PostgresError.self) { try result.string(0, 1) }
        #expect(throws: PostgresError.self) { try result.array(0, 0, of: Int64.self) }
        #expect(throws: PostgresError.self) { try result.column("absent") }
        let error = await failure { try result.int32(0, 0) }
        #expect(error?.message.contains("number") == true)
    }

    @Test func simpleQueriesGiveTexts() async throws {
        let connection = try await TestServer.shared.connect()
        let results = try await connection.simple(
            "CREATE TEMP TABLE t (n int); INSERT INTO t SELECT generate_series(1, 3); SELECT count(*), true, 'x' FROM t"
        )
        #expect(results.map(\.commandTag) == ["CREATE TABLE", "INSERT 0 3", "SELECT 1"])
        #expect(results[1].affectedRows == 3)
        #expect(try results[2].int64(0, 0) == 3)
        #expect(try results[2].bool(0, 1))
        #expect(try results[2].string(0, 2) == "x")
    }

    @Test func aThousandRowsAreInsertedOnceByUnnest() async throws {
        let connection = try await TestServer.shared.connect()
        _ = try await connection.simple(
            "CREATE TEMP TABLE facts (id uuid PRIMARY KEY, at timestamptz NOT NULL, kind int4, body bytea, note text)")
        let insert = PreparedStatement(
            "insert_facts",
            """
            INSERT INTO facts SELECT * FROM unnest($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING RETURNING id
            """, parameterTypes: [.uuidArray, .timestamptzArray, .int4Array, .byteaArray, .textArray])
        let rows = 0..<1_000
        var parameters = Parameters()
        parameters.append(column: rows) { PostgresUUID(high: 7, low: UInt64($0)) }
        parameters.append(column: rows) { PostgresTimestamp(unixMilliseconds: Int64($0)) }
        parameters.append(column: rows) { Int32($0) }
        parameters.append(column: rows) { [UInt8](repeating: UInt8($0 % 256), count: 256) }
        parameters.append(nullableColumn: rows) { $0 % 3 == 0 ? nil : "note \($0)" }
        let first = try await connection.execute(insert, parameters)
        #expect(first.rowCount == 1_000)
        #expect(first.affectedRows == 1_000)
        #expect(try await connection.execute(insert, parameters).rowCount == 0)
        #expect(try await connection.count("SELECT count(*) FROM facts WHERE note IS NULL") == 334)
    }

    @Test func eightMegabytesTravelBothWaysAtOnce() async throws {
        let connection = try await TestServer.shared.connect()
        let body = (0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let statement = PreparedStatement("echo", "SELECT $1", parameterTypes: [.bytea])
        // Each reply is far larger than any socket buffer, so the server stops reading until its replies are read.
        let results = try await connection.pipeline((0..<4).map { _ in .execute(statement, Parameters(body)) })
        for result in results { #expect(try result.bytes(0, 0) == body) }
    }
}
