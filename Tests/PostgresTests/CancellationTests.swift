import Postgres
import Testing

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct CancellationTests {
    @Test func aCancelledTaskLeavesACleanConnection() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        let sleeper = Task { await failure { try await connection.pipeline([.command("SELECT 2, pg_sleep(600)")]) } }
        try await admin.awaitActivity(of: connection.backendProcessID, containing: "2, pg_sleep")
        sleeper.cancel()
        let error = await sleeper.value
        #expect(error?.kind == .cancelled)
        #expect(error?.isRetriable == false)
        #expect(error?.isOutcomeUnknown == false)
        #expect(try await connection.count("SELECT pg_backend_pid()") == Int64(connection.backendProcessID))
    }

    @Test func aCancelledTransactionIsRolledBack() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        _ = try await connection.simple("CREATE TEMP TABLE rows (n int8)")
        let worker = Task {
            await failure {
                try await connection.transaction { transaction in
                    _ = try await transaction.run([.command("INSERT INTO rows VALUES (1)")])
                    _ = try await transaction.run([.command("SELECT 3, pg_sleep(600)")])
                }
            }
        }
        try await admin.awaitActivity(of: connection.backendProcessID, containing: "3, pg_sleep")
        worker.cancel()
        #expect(await worker.value?.kind == .cancelled)
        #expect(try await connection.count("SELECT count(*) FROM rows") == 0)
    }

    @Test func aCallThatWaitsItsTurnIsTakenBack() async throws {
        let connection = try await TestServer.shared.connect()
        let gate = try await TestServer.shared.connect()
        _ = try await gate.simple("SELECT pg_advisory_lock(7003)")
        let first = Task { try await connection.pipeline([.command("SELECT pg_advisory_xact_lock(7003)")]).count }
        try await gate.awaitLockWait(of: connection.backendProcessID)
        let second = Task { await failure { try await connection.simple("SELECT 1") } }
        second.cancel()
        #expect(await second.value?.kind == .cancelled)
        _ = try await gate.simple("SELECT pg_advisory_unlock(7003)")
        #expect(try await first.value == 1)
    }

    @Test func theOwnerMayCancelWhatRuns() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        connection.cancelCurrent()
        let sleeper = Task { await failure { try await connection.simple("SELECT 4, pg_sleep(600)") } }
        try await admin.awaitActivity(of: connection.backendProcessID, containing: "4, pg_sleep")
        connection.cancelCurrent()
        #expect(await sleeper.value?.kind == .cancelled)
        #expect(try await connection.count("SELECT 1") == 1)
    }

    /// A cancel request may arrive before, within, between or after the statements of a pipeline. Whatever it meets,
    /// the next call must not be hit by it.
    @Test func aLateCancelNeverHitsTheNextCall() async throws {
        let connection = try await TestServer.shared.connect()
        let echo = PreparedStatement("echo", "SELECT $1, pg_sleep(0)", parameterTypes: [.int8])
        for round in 0..<60 as Range<Int64> {
            let work = Task {
                do throws(PostgresError) {
                    _ = try await connection.pipeline((0..<100).map { .execute(echo, Parameters(round * 100 + $0)) })
                } catch {
                    #expect(error.kind == .cancelled)
                }
            }
            for _ in 0..<(round * 7 % 40) { await Task.yield() }
            work.cancel()
            #expect(try await connection.execute(echo, Parameters(round)).int64(0, 0) == round)
            await work.value
        }
        #expect(connection.isOpen)
    }

    @Test func connectingCanBeCancelledAndTimesOut() async throws {
        let silent = try SocketRelay(to: "", isSilent: true)
        var configuration = try PostgresConfiguration(keywords: ["host": silent.directory, "user": "nobody"])
        let attempt = Task { [configuration] in
            await failure { try await PostgresConnection.connect(configuration) }
        }
        attempt.cancel()
        #expect(await attempt.value?.kind == .cancelled)

        configuration.connectTimeout = .milliseconds(20)
        let late = await failure { try await PostgresConnection.connect(configuration) }
        #expect(late?.kind == .connectionLost)
        #expect(late?.message == "no connection within 20 ms")
    }
}
