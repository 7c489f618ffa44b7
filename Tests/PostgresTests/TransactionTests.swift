import Postgres
import Testing

private let insert = PreparedStatement("insert_row", "INSERT INTO rows VALUES ($1)", parameterTypes: [.int8])

private struct Refusal: Error {}

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct TransactionTests {
    private func connectionWithRows() async throws -> PostgresConnection {
        let connection = try await TestServer.shared.connect()
        _ = try await connection.simple(
            "CREATE TEMP TABLE rows (n int8 UNIQUE DEFERRABLE INITIALLY DEFERRED CHECK (n > 0))")
        return connection
    }

    private func rows(_ connection: PostgresConnection) async throws -> Int64 {
        try await connection.count("SELECT count(*) FROM rows")
    }

    @Test func aReturningBodyCommits() async throws {
        let connection = try await connectionWithRows()
        let count = try await connection.transaction { transaction in
            _ = try await transaction.run([.execute(insert, Parameters(Int64(1)))])
            let results = try await transaction.run([
                .execute(insert, Parameters(Int64(2))), .command("SELECT count(*) FROM rows"),
            ])
            return try results[1].int64(0, 0)
        }
        #expect(count == 2)
        #expect(try await rows(connection) == 2)
    }

    @Test func theLastRoundMayCarryTheCommit() async throws {
        let connection = try await connectionWithRows()
        try await connection.transaction { transaction in
            let results = try await transaction.commit(with: [.execute(insert, Parameters(Int64(1)))])
            #expect(results.count == 1)
            let late = await failure { try await transaction.run([.command("SELECT 1")]) }
            #expect(late?.kind == .configuration)
        }
        #expect(try await rows(connection) == 1)
    }

    @Test func aThrowingBodyRollsBack() async throws {
        let connection = try await connectionWithRows()
        await #expect(throws: Refusal.self) {
            try await connection.transaction { transaction in
                _ = try await transaction.run([.execute(insert, Parameters(Int64(1)))])
                throw Refusal()
            }
        }
        #expect(try await rows(connection) == 0)
    }

    @Test func aBodyMayRollBackAndReturn() async throws {
        let connection = try await connectionWithRows()
        let affected = try await connection.transaction { transaction in
            let result = try await transaction.execute(insert, Parameters(Int64(1)))
            try await transaction.rollback()
            return result.affectedRows
        }
        #expect(affected == 1)
        #expect(try await rows(connection) == 0)
    }

    @Test func aFailureThatTheBodyIgnoresIsNotForgotten() async throws {
        let connection = try await connectionWithRows()
        let error = await failure {
            try await connection.transaction { transaction in
                _ = await failure { try await transaction.run([.execute(insert, Parameters(Int64(-1)))]) }
            }
        }
        #expect(error?.sqlState == .checkViolation)
        #expect(try await rows(connection) == 0)
    }

    @Test func aDeferredConstraintFailsTheCommit() async throws {
        let connection = try await connectionWithRows()
        let error = await failure {
            try await connection.transaction { transaction in
                _ = try await transaction.commit(with: [
                    .execute(insert, Parameters(Int64(1))), .execute(insert, Parameters(Int64(1))),
                ])
            }
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(error?.statementName == "COMMIT")
        #expect(error?.isOutcomeUnknown == false)
        #expect(try await rows(connection) == 0)
    }

    @Test func committingAFailedTransactionIsAnError() async throws {
        let connection = try await connectionWithRows()
        let error = await failure {
            try await connection.transaction { transaction in
                _ = try await transaction.run([
                    .command("SAVEPOINT here"), .execute(insert, Parameters(Int64(1))), .command("ROLLBACK"),
                    .command("BEGIN"), .execute(insert, Parameters(Int64(-1))),
                ])
            }
        }
        #expect(error?.sqlState == .checkViolation)
        #expect(try await rows(connection) == 0)
    }

    @Test func isolationAndAccessAreAsAsked() async throws {
        let connection = try await connectionWithRows()
        try await connection.transaction(isolation: .repeatableRead) { transaction in
            let result = try await transaction.run([.command("SHOW transaction_isolation")])[0]
            #expect(try result.string(0, 0) == "repeatable read")
        }
        let error = await failure {
            try await connection.transaction(access: .readOnly) { transaction in
                _ = try await transaction.run([.command("CREATE TABLE never (n int8)")])
            }
        }
        #expect(error?.sqlState == .readOnlyTransaction)
    }

    @Test func otherCallsWaitForTheEndOfATransaction() async throws {
        let connection = try await connectionWithRows()
        let outsider = try await connection.transaction { transaction in
            _ = try await transaction.run([.execute(insert, Parameters(Int64(1)))])
            let outsider = Task { try await connection.count("SELECT count(*) FROM rows") }
            _ = try await transaction.run([.execute(insert, Parameters(Int64(2)))])
            return outsider
        }
        #expect(try await outsider.value == 2)
    }

    @Test func serializationFailuresAreRetriable() async throws {
        let connections = try await [TestServer.shared.connect(), TestServer.shared.connect()]
        _ = try await connections[0].simple(
            "CREATE TABLE IF NOT EXISTS contended (n int8); INSERT INTO contended VALUES (0)")
        let error = await failure {
            try await connections[0].transaction(isolation: .repeatableRead) { transaction in
                _ = try await transaction.run([.command("SELECT n FROM contended")])
                _ = try await connections[1].simple("UPDATE contended SET n = n + 1")
                _ = try await transaction.commit(with: [.command("UPDATE contended SET n = n + 1")])
            }
        }
        #expect(error?.sqlState == .serializationFailure)
        #expect(error?.isRetriable == true)
        _ = try await connections[0].simple("DROP TABLE contended")
    }
}
