import DevStack
import Foundation
import Testing

@testable import enum DevStack.KafkaHandshake

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL cannot be run here: run ./dev setup"))
struct PrivatePostgresTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(prefix: "claw-pg") }

    @Test func committedRowsSurviveEveryKindOfRestart() async throws {
        let postgres = try PrivatePostgres(directory: directory.path("pg"), options: .forTests)
        try await postgres.start()
        try await postgres.createDatabase("ledger \"test\"")
        try await postgres.execute("CREATE TABLE t (n int)", database: "ledger \"test\"")
        for (number, mode) in [PrivatePostgres.StopMode.immediate, .fast].enumerated() {
            try await postgres.execute("INSERT INTO t VALUES (\(number))", database: "ledger \"test\"")
            try await postgres.restart(mode)
        }
        let pid = try #require(postgres.pid)
        postgres.signal(.kill)
        try await waitUntil(deadline: .seconds(30), description: "the server to go") {
            !FileManager.default.fileExists(atPath: "/proc/\(pid)/exe")
        }
        try await postgres.restart(.immediate)
        #expect(try await postgres.execute("SELECT n FROM t ORDER BY n", database: "ledger \"test\"") == "0\n1")
        try await postgres.dropDatabase("ledger \"test\"")
        try await postgres.stop()
        try await postgres.stop()
        #expect(postgres.pid == nil)
    }

    @Test func durabilityAndSettingsAreWhatWasAskedFor() async throws {
        let postgres = try PrivatePostgres(
            directory: directory.path("pg"), options: .init(settings: ["max_connections": "17"]))
        try await postgres.start()
        let sql = "SELECT current_setting('fsync'), current_setting('max_connections'), "
        #expect(try await postgres.execute(sql + "current_setting('listen_addresses')") == "on|17|")
        try await postgres.stop()
    }

    @Test func loopbackTakesThePasswordAndTheRelayLosesTheReplyOfACommit() async throws {
        let postgres = try PrivatePostgres(
            directory: directory.path("pg"), options: .init(durability: .volatile, listensOnLoopback: true))
        try await postgres.start()
        try await postgres.execute("CREATE TABLE t (n int)")
        let relay = try TCPRelay(to: postgres.port)
        let conninfo = postgres.conninfo(route: .loopback(port: relay.port))
        #expect(!conninfo.contains("password="))

        var psql = ManagedProcess.Configuration(
            executable: "psql", arguments: ["--no-psqlrc", "--dbname=\(conninfo)", "--set=ON_ERROR_STOP=1"])
        psql.arguments += ["--command=SELECT pg_sleep(0) FROM pg_stat_activity", "--command=SELECT 1"]
        try await Command.output(of: psql)

        // The client waits in a lock until replies are dropped, so the loss falls on the commit and nothing else.
        psql.arguments.removeLast(2)
        psql.arguments += ["--command=SELECT pg_advisory_lock_shared(7); INSERT INTO t VALUES (1)"]
        psql.output = .file(directory.path("psql.log"))
        var holder = ManagedProcess.Configuration(
            executable: "psql",
            arguments: [
                "--no-psqlrc", "--dbname=\(postgres.conninfo())",
                "--command=SELECT pg_advisory_lock(7); SELECT pg_sleep(1000)",
            ])
        holder.output = .discarded
        let lock = try ManagedProcess(holder)
        try await waitUntil(deadline: .seconds(30), description: "the lock to be held") {
            try await postgres.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == "1"
        }
        let client = try ManagedProcess(psql)
        try await waitUntil(deadline: .seconds(30), description: "the client to wait for the lock") {
            try await postgres.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                == "1"
        }
        relay.inject(.dropReplies)
        await lock.terminate()
        try await postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'")
        try await waitUntil(deadline: .seconds(30), description: "the row to be committed") {
            try await postgres.execute("SELECT count(*) FROM t") == "1"
        }
        #expect(client.isRunning)
        relay.inject(.cutConnections)
        #expect(try await client.waitForExit(within: .seconds(30)) != .code(0))
        try await postgres.stop()
    }

    @Test func failedStartShowsTheEndOfTheLog() async throws {
        let postgres = try PrivatePostgres(
            directory: directory.path("pg"), options: .init(settings: ["no_such_setting": "1"]))
        await #expect { try await postgres.start() } throws: { error in
            let error = error as? DevStackError
            return error?.code == .exitedEarly && error?.message.contains("no_such_setting") == true
        }
    }

    @Test func directoryTooDeepForASocketIsRefused() {
        #expect {
            try PrivatePostgres(directory: "/tmp/" + String(repeating: "x", count: 100))
        } throws: { error in
            (error as? DevStackError)?.code == .invalidArgument
        }
    }
}

@Suite struct PrivateBrokerTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(prefix: "claw-kafka") }

    @Test(
        .enabled(if: AvailableServers.broker(.noida), "noida-db is missing: run ./dev setup"),
        arguments: [PrivateBroker.Kind.noida])
    func noidaAnswersAndRestartsOnItsPort(kind: PrivateBroker.Kind) async throws {
        let broker = try PrivateBroker(kind, directory: directory.path("b"))
        try await broker.start()
        #expect(broker.relay == nil)
        #expect(KafkaHandshake.succeeds(port: broker.port))
        let first = broker.pid
        try await broker.restart()
        #expect(broker.pid != first)
        #expect(KafkaHandshake.succeeds(port: broker.port))
        await broker.kill()
        #expect(!KafkaHandshake.succeeds(port: broker.port))
        try await broker.start()
        #expect(broker.bootstrapServers == "127.0.0.1:\(broker.port)")
        try await broker.stop()
        #expect(broker.pid == nil)
    }

    @Test(.enabled(if: AvailableServers.broker(.tansu), "Tansu is missing: run ./dev setup"))
    func tansuAnswersThroughItsRelay() async throws {
        let broker = try PrivateBroker(.tansu, directory: directory.path("b"))
        try await broker.start()
        let relay = try #require(broker.relay)
        #expect(relay.port == broker.port)
        #expect(KafkaHandshake.succeeds(port: broker.port))
        relay.inject(.refuseConnections)
        #expect(!KafkaHandshake.succeeds(port: broker.port))
        try relay.heal()
        #expect(KafkaHandshake.succeeds(port: broker.port))
        try await broker.restart()
        #expect(KafkaHandshake.succeeds(port: broker.port))
        try await broker.stop()
    }

    @Test func missingProgramSaysWhatToRun() {
        #expect {
            try PrivateBroker(.noida, directory: directory.path("b"), tools: BrokerTools(folder: directory.path))
        } throws: { error in
            let error = error as? DevStackError
            return error?.code == .toolMissing && error?.message.contains("./dev setup") == true
        }
    }
}
