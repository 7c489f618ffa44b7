import Foundation
import Postgres
import Testing

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct LossTests {
    @Test func aKilledBackendInATransactionIsARetriableLoss() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        let error = await failure {
            try await connection.transaction { transaction in
                _ = try await transaction.run([.command("SELECT 1")])
                try await admin.terminate(connection.backendProcessID)
                _ = try await transaction.commit(with: [.command("SELECT pg_sleep(600)")])
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(error?.isRetriable == true)
        #expect(!connection.isOpen)
        let next = await failure { try await connection.simple("SELECT 1") }
        #expect(next?.kind == .connectionLost)
        #expect(next?.isOutcomeUnknown == false)
    }

    @Test func aLossInARoundWithoutCommitHasAKnownOutcome() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        let statement = Task {
            await failure {
                try await connection.transaction { transaction in
                    _ = try await transaction.run([.command("SELECT 1, pg_sleep(600)")])
                }
            }
        }
        try await admin.awaitActivity(of: connection.backendProcessID, containing: "pg_sleep(600)")
        try await admin.terminate(connection.backendProcessID)
        let error = await statement.value
        #expect(error?.kind == .connectionLost)
        #expect(error?.sqlState == .adminShutdown)
        #expect(error?.isOutcomeUnknown == false)
    }

    @Test func aBackendKilledWhileItCommitsLeavesTheOutcomeUnknown() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        // A deferred trigger runs inside COMMIT; it waits for a lock that the other session holds.
        _ = try await admin.simple(
            """
            CREATE TABLE committed (n int8);
            CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN PERFORM pg_advisory_xact_lock(7002); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON committed DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION hold();
            SELECT pg_advisory_lock(7002);
            """)
        let commit = Task {
            await failure {
                try await connection.transaction { transaction in
                    _ = try await transaction.commit(with: [.command("INSERT INTO committed VALUES (1)")])
                }
            }
        }
        try await admin.awaitLockWait(of: connection.backendProcessID)
        try await admin.terminate(connection.backendProcessID)
        let error = await commit.value
        #expect(error?.kind == .connectionLost)
        #expect(error?.isOutcomeUnknown == true)
        #expect(error?.isRetriable == true)
        _ = try await admin.simple("DROP TABLE committed; DROP FUNCTION hold()")
    }

    /// The other half of the pair: the commit was done, and only its reply was lost.
    @Test(arguments: [true, false])
    func aCommitWhoseReplyIsLostMayHaveHappened(isExplicit: Bool) async throws {
        let admin = try await TestServer.shared.connect()
        let table = isExplicit ? "reply_lost_explicit" : "reply_lost_implicit"
        _ = try await admin.simple("CREATE TABLE \(table) (n int8)")
        let relay = try SocketRelay(to: TestServer.shared.directory)
        let connection = try await PostgresConnection.connect(
            TestServer.shared.configuration { try? $0.set("host", relay.directory) })
        let error = await failure {
            if isExplicit {
                try await connection.transaction { transaction in
                    _ = try await transaction.run([.command("INSERT INTO \(table) VALUES (1)")])
                    relay.loseNextReply()
                    _ = try await transaction.commit()
                }
            } else {
                relay.loseNextReply()
                _ = try await connection.pipeline([.command("INSERT INTO \(table) VALUES (1)")])
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(error?.isOutcomeUnknown == true)
        #expect(try await admin.count("SELECT count(*) FROM \(table)") == 1)
        _ = try await admin.simple("DROP TABLE \(table)")
    }

    @Test func aLossBetweenCallsIsNoticed() async throws {
        let admin = try await TestServer.shared.connect()
        let connection = try await TestServer.shared.connect()
        try await admin.terminate(connection.backendProcessID)
        try await eventually { !connection.isOpen }
        let error = await failure { try await connection.simple("SELECT 1") }
        #expect(error?.kind == .connectionLost)
        #expect(error?.isOutcomeUnknown == false)
    }

    @Test func aServerThatHangsIsGivenUp() async throws {
        let connection = try await TestServer.shared.connect {
            $0.replyTimeout = .milliseconds(50)
            $0.cancelGrace = .milliseconds(50)
        }
        #expect(kill(connection.backendProcessID, SIGSTOP) == 0)
        defer { kill(connection.backendProcessID, SIGCONT) }
        let error = await failure { try await connection.pipeline([.command("SELECT 1")]) }
        #expect(error?.kind == .timeout)
        #expect(error?.isOutcomeUnknown == true)
        #expect(!connection.isOpen)
    }

    @Test func refusedConnectionsSayWhy() async throws {
        try await TestServer.shared.ready()
        let absent = await failure {
            try await PostgresConnection.connect(PostgresConfiguration(keywords: ["host": "/nowhere"]))
        }
        #expect(absent?.kind == .connectionLost)
        #expect(absent?.isRetriable == true)
        let database = await failure {
            try await PostgresConnection.connect(
                TestServer.shared.configuration { try? $0.set("dbname", "absent") })
        }
        #expect(database?.kind == .configuration)
        #expect(database?.sqlState == SQLState(rawValue: "3D000"))
        #expect(database?.message.contains("LOCATION") == false)
    }

    @Test func passwordsAreUsedAndNeverShown() async throws {
        let admin = try await TestServer.shared.connect()
        _ = try await admin.simple("CREATE ROLE with_password LOGIN PASSWORD 'open sesame'")
        func configuration(_ password: String?) throws -> PostgresConfiguration {
            try PostgresConfiguration(
                keywords: ["host": TestServer.shared.directory, "user": "with_password", "dbname": "postgres"],
                password: password.map { PostgresSecret($0) })
        }
        let connection = try await PostgresConnection.connect(configuration("open sesame"))
        #expect(try await connection.count("SELECT 1") == 1)
        await connection.close()
        let wrong = await failure { try await PostgresConnection.connect(configuration("open parsley")) }
        #expect(wrong?.kind == .configuration)
        #expect(wrong?.sqlState == SQLState(rawValue: "28P01"))
        #expect(wrong.map { "\($0)".contains("parsley") } == false)
        let missing = await failure { try await PostgresConnection.connect(configuration(nil)) }
        #expect(missing?.kind == .configuration)
        #expect(missing?.hint != nil)
        _ = try await admin.simple("DROP ROLE with_password")
    }
}

extension PostgresConfiguration {
    /// Replaces one keyword.
    mutating func set(_ keyword: String, _ value: String) throws {
        var copy = try PostgresConfiguration(keywords: keywords.merging([keyword: value]) { $1 })
        copy.backoff = backoff
        copy.poolSize = poolSize
        copy.acquireTimeout = acquireTimeout
        self = copy
    }
}
