import Postgres
import Primitives
import Testing

private let insert = PreparedStatement("insert_row", "INSERT INTO rows VALUES ($1)", parameterTypes: [.int8])
private let select = PreparedStatement("select_rows", "SELECT n FROM rows ORDER BY n")

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct PipelineTests {
    private func connectionWithRows() async throws -> PostgresConnection {
        let connection = try await TestServer.shared.connect()
        _ = try await connection.simple("CREATE TEMP TABLE rows (n int8 CONSTRAINT rows_once PRIMARY KEY)")
        return connection
    }

    @Test func stepsShareOneTransactionAndOneRoundTrip() async throws {
        let connection = try await connectionWithRows()
        let results = try await connection.pipeline([
            .execute(insert, Parameters(Int64(1))), .execute(insert, Parameters(Int64(2))), .execute(select),
            .command("SELECT pg_current_xact_id()::text"), .command("SELECT pg_current_xact_id()::text"),
        ])
        #expect(results.count == 5)
        #expect(results[0].commandTag == "INSERT 0 1")
        #expect(try (0..<results[2].rowCount).map { try results[2].int64($0, 0) } == [1, 2])
        #expect(try results[3].string(0, 0) == results[4].string(0, 0))
        #expect(try await connection.pipeline([]).isEmpty)
    }

    @Test func anErrorAbortsTheRestAndNamesTheStatement() async throws {
        let connection = try await connectionWithRows()
        let error = await failure {
            try await connection.pipeline([
                .execute(insert, Parameters(Int64(1))), .execute(insert, Parameters(Int64(1))),
                .execute(insert, Parameters(Int64(2))),
            ])
        }
        #expect(error?.kind == .server)
        #expect(error?.sqlState == .uniqueViolation)
        #expect(error?.statementName == "insert_row")
        #expect(error?.constraint == "rows_once")
        #expect(error?.table == "rows")
        #expect(error?.isRetriable == false)
        #expect(error?.isOutcomeUnknown == false)
        #expect(error?.detail?.contains("(n)=(1)") == true)
        #expect(error?.description.contains("(n)=(1)") == false)
        #expect(try await connection.execute(select).rowCount == 0)
        _ = try await connection.execute(insert, Parameters(Int64(3)))
        #expect(try await connection.execute(select).int64(0, 0) == 3)
    }

    @Test func aStatementThatDoesNotParseIsNamedAndTriedAgain() async throws {
        let connection = try await TestServer.shared.connect()
        let late = PreparedStatement("late", "SELECT n FROM not_yet_there")
        let error = await failure { try await connection.execute(late) }
        #expect(error?.sqlState == .undefinedTable)
        #expect(error?.statementName == "late")
        _ = try await connection.simple("CREATE TEMP TABLE not_yet_there (n int8)")
        #expect(try await connection.execute(late).rowCount == 0)
    }

    @Test func aDeferredConstraintFailsAtTheSync() async throws {
        let connection = try await TestServer.shared.connect()
        _ = try await connection.simple("CREATE TEMP TABLE later (n int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        let insert = PreparedStatement("insert_later", "INSERT INTO later VALUES ($1)", parameterTypes: [.int8])
        let error = await failure {
            try await connection.pipeline([
                .execute(insert, Parameters(Int64(1))), .execute(insert, Parameters(Int64(1))),
            ])
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(error?.statementName == "COMMIT")
        #expect(error?.isOutcomeUnknown == false)
        #expect(try await connection.count("SELECT count(*) FROM later") == 0)
    }

    @Test func parametersAreCheckedBeforeAnythingIsSent() async throws {
        let connection = try await connectionWithRows()
        let count = await failure { try await connection.execute(insert) }
        #expect(count?.kind == .configuration)
        let type = await failure { try await connection.execute(insert, Parameters(Int32(1))) }
        #expect(type?.message == "parameter $1 is declared bigint and given as integer")
        #expect(type?.statementName == "insert_row")
        let other = PreparedStatement("insert_row", "SELECT $1", parameterTypes: [.int8])
        _ = try await connection.execute(insert, Parameters(Int64(1)))
        let name = await failure { try await connection.execute(other, Parameters(Int64(1))) }
        #expect(name?.kind == .configuration)
        #expect(try await connection.execute(select).rowCount == 1)
    }

    @Test func statementTimeoutIsTyped() async throws {
        let connection = try await TestServer.shared.connect { $0.statementTimeout = .milliseconds(20) }
        let error = await failure { try await connection.pipeline([.command("SELECT pg_sleep(600)")]) }
        #expect(error?.kind == .timeout)
        #expect(error?.sqlState == .queryCanceled)
        #expect(error?.isRetriable == true)
        #expect(try await connection.count("SELECT 1") == 1)
    }

    @Test func lockTimeoutIsTyped() async throws {
        let holder = try await TestServer.shared.connect()
        let waiter = try await TestServer.shared.connect { $0.lockTimeout = .milliseconds(20) }
        _ = try await holder.simple("SELECT pg_advisory_lock(7001)")
        let error = await failure { try await waiter.pipeline([.command("SELECT pg_advisory_xact_lock(7001)")]) }
        #expect(error?.kind == .timeout)
        #expect(error?.sqlState == .lockNotAvailable)
        #expect(error?.isRetriable == true)
        _ = try await holder.simple("SELECT pg_advisory_unlock(7001)")
        _ = try await waiter.pipeline([.command("SELECT pg_advisory_xact_lock(7001)")])
    }

    @Test func aServerThatDoesNotAnswerIsCancelled() async throws {
        let connection = try await TestServer.shared.connect { $0.replyTimeout = .milliseconds(50) }
        let error = await failure { try await connection.pipeline([.command("SELECT pg_sleep(600)")]) }
        #expect(error?.kind == .timeout)
        #expect(error?.isOutcomeUnknown == false)
        #expect(try await connection.count("SELECT 1") == 1)
    }

    @Test func copyIsRefusedAndTheConnectionDiscarded() async throws {
        let connection = try await TestServer.shared.connect()
        let error = await failure { try await connection.simple("COPY (SELECT 1) TO STDOUT") }
        #expect(error?.kind == .protocolViolation)
        let next = await failure { try await connection.simple("SELECT 1") }
        #expect(next != nil)
        #expect(!connection.isOpen)
    }

    @Test func settingsAndNoticesArrive() async throws {
        let events = Lock<[String]>([])
        let connection = try await TestServer.shared.connect {
            $0.lockTimeout = .seconds(3)
            $0.idleInTransactionTimeout = .seconds(4)
            $0.settings["search_path"] = #""a b", public"#
        } onEvent: { event in
            if case .notice(_, _, let message) = event { events.withLock { $0.append(message) } }
        }
        let result = try await connection.simple(
            """
            SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),
                current_setting('search_path'), current_setting('application_name'), pg_backend_pid();
            DO $$ BEGIN RAISE NOTICE 'hello'; END $$
            """)[0]
        #expect(try (0..<4).map { try result.string(0, $0) } == ["3s", "4s", #""a b", public"#, "tests"])
        #expect(try result.int64(0, 4) == Int64(connection.backendProcessID))
        #expect(events.withLock { $0 } == ["hello"])
    }

    @Test func closingRefusesLaterCalls() async throws {
        let connection = try await TestServer.shared.connect()
        await connection.close()
        await connection.close()
        let error = await failure { try await connection.simple("SELECT 1") }
        #expect(error?.kind == .closed)
        #expect(error?.isRetriable == false)
    }

    @Test func manyTasksShareAConnection() async throws {
        let connection = try await TestServer.shared.connect()
        let statement = PreparedStatement("same", "SELECT $1", parameterTypes: [.int8])
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<100 as Range<Int64> {
                group.addTask { try await connection.execute(statement, Parameters(number)).int64(0, 0) == number }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }
}
