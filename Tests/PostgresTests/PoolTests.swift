import Postgres
import Primitives
import Testing

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct PoolTests {
    private func pool(_ change: (inout PostgresConfiguration) -> Void = { _ in }) async throws -> PostgresPool {
        try await TestServer.shared.ready()
        return PostgresPool(
            try TestServer.shared.configuration {
                $0.poolSize = 2
                change(&$0)
            })
    }

    @Test func aPoolOpensNoMoreThanItMay() async throws {
        let pool = try await pool()
        #expect(pool.metrics.open == 0)
        let processes = try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await pool.withConnection { connection in
                        _ = try await connection.simple("SELECT 1")
                        return connection.backendProcessID
                    }
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(processes.count <= 2)
        #expect(pool.metrics.open == pool.metrics.idle)
        #expect(pool.metrics.open <= 2)
        await pool.shutdown()
        #expect(pool.metrics.open == 0)
    }

    @Test func waitersAreServedInOrder() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        let order = Lock<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            try await pool.withConnection { _ in
                for number in 0..<8 {
                    group.addTask {
                        try await pool.withConnection { _ in order.withLock { $0.append(number) } }
                    }
                    try await eventually { pool.metrics.waiting == number + 1 }
                }
            }
            try await group.waitForAll()
        }
        #expect(order.withLock { $0 } == Array(0..<8))
        await pool.shutdown()
    }

    @Test func aCancelledWaiterLeavesTheLine() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        try await pool.withConnection { _ in
            let waiter = Task { await failure { try await pool.withConnection { _ in } } }
            try await eventually { pool.metrics.waiting == 1 }
            waiter.cancel()
            #expect(await waiter.value?.kind == .cancelled)
            #expect(pool.metrics.waiting == 0)
        }
        try await pool.withConnection { _ in }
        await pool.shutdown()
    }

    @Test func aWaiterGivesUpInTime() async throws {
        let pool = try await pool {
            $0.poolSize = 1
            $0.acquireTimeout = .milliseconds(500)
        }
        // On a busy machine the first connection may take longer than that.
        try await eventually { await (try? pool.withConnection { $0.isOpen }) == true }
        let before = pool.metrics.acquireTimeouts
        try await pool.withConnection { _ in
            let error = await failure { try await pool.withConnection { _ in } }
            #expect(error?.kind == .timeout)
            #expect(error?.isRetriable == true)
        }
        #expect(pool.metrics.acquireTimeouts == before + 1)
        await pool.shutdown()
    }

    @Test func lostConnectionsAreReplaced() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        let admin = try await TestServer.shared.connect()
        let first = try await pool.withConnection { $0.backendProcessID }
        try await admin.terminate(first)
        try await eventually { pool.metrics.open == 0 }
        let second = try await pool.withConnection { $0.backendProcessID }
        #expect(second != first)
        #expect(pool.metrics.reconnects == 1)

        let error = await failure {
            try await pool.withTransaction { transaction in
                _ = try await transaction.run([.command("SELECT 1")])
                try await admin.terminate(second)
                _ = try await transaction.run([.command("SELECT pg_sleep(600)")])
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(error?.isRetriable == true)
        let third = try await pool.withTransaction { transaction in
            try await transaction.run([.command("SELECT pg_backend_pid()")])[0].int64(0, 0)
        }
        #expect(third != Int64(second))
        #expect(pool.metrics.reconnects == 2)
        await pool.shutdown()
    }

    @Test func aConnectionWithAnOpenTransactionIsNotReused() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        let first = try await pool.withConnection { connection in
            _ = try await connection.simple("BEGIN")
            return connection.backendProcessID
        }
        #expect(try await pool.withConnection { $0.backendProcessID } != first)
        await pool.shutdown()
    }

    @Test func aChangedResultShapeRetiresTheConnection() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        let select = PreparedStatement("select_all", "SELECT * FROM shape")
        let error = await failure {
            try await pool.withConnection { connection in
                _ = try await connection.simple("CREATE TABLE shape (n int8)")
                _ = try await connection.execute(select)
                _ = try await connection.simple("ALTER TABLE shape ADD COLUMN m int8")
                _ = try await connection.execute(select)
            }
        }
        #expect(error?.sqlState == .featureNotSupported)
        #expect(try await pool.withConnection { try await $0.execute(select).columnCount } == 2)
        _ = try await pool.withConnection { try await $0.simple("DROP TABLE shape") }
        await pool.shutdown()
    }

    @Test func aPoolWaitsForAServerThatComesBack() async throws {
        try await TestServer.shared.ready()
        let failures = Lock(0)
        let place = "/tmp/pgr-later-\(UInt32.random(in: 0..<1_000_000))"
        let pool = PostgresPool(
            try TestServer.shared.configuration { try? $0.set("host", place) },
            onEvent: { event in
                if case .connectFailed = event { failures.withLock { $0 += 1 } }
            })
        let waiting = Task { try await pool.withConnection { try await $0.count("SELECT 5") } }
        try await eventually { failures.withLock { $0 } >= 2 }
        #expect(pool.metrics.isFailing)
        let relay = try SocketRelay(to: TestServer.shared.directory, at: place)
        #expect(try await waiting.value == 5)
        #expect(!pool.metrics.isFailing)
        await pool.shutdown()
        _ = relay
    }

    @Test func wrongSettingsAreToldAtOnce() async throws {
        try await TestServer.shared.ready()
        let pool = PostgresPool(try TestServer.shared.configuration { try? $0.set("dbname", "absent") })
        let error = await failure { try await pool.withConnection { _ in } }
        #expect(error?.kind == .configuration)
        await pool.shutdown()
    }

    @Test func shutdownWaitsForWorkAndRefusesMore() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        let gate = try await TestServer.shared.connect()
        _ = try await gate.simple("SELECT pg_advisory_lock(7004)")
        let process = Lock<Int32>(0)
        let worker = Task {
            try await pool.withConnection { connection in
                process.withLock { $0 = connection.backendProcessID }
                return try await connection.pipeline([.command("SELECT pg_advisory_xact_lock(7004)")]).count
            }
        }
        try await eventually { process.withLock { $0 } != 0 }
        try await gate.awaitLockWait(of: process.withLock { $0 })
        let waiter = Task { await failure { try await pool.withConnection { _ in } } }
        try await eventually { pool.metrics.waiting == 1 }
        let shutdown = Task { await pool.shutdown(grace: .seconds(100)) }
        #expect(await waiter.value?.kind == .closed)
        let late = await failure { try await pool.withConnection { _ in } }
        #expect(late?.kind == .closed)
        _ = try await gate.simple("SELECT pg_advisory_unlock(7004)")
        #expect(try await worker.value == 1)
        await shutdown.value
        #expect(pool.metrics.open == 0)
    }

    @Test func shutdownEndsWhatOutlivesTheGrace() async throws {
        let pool = try await pool { $0.poolSize = 1 }
        let worker = Task {
            await failure { try await pool.withConnection { try await $0.simple("SELECT pg_sleep(600)") } }
        }
        try await eventually { pool.metrics.open == 1 && pool.metrics.idle == 0 }
        await pool.shutdown(grace: .milliseconds(10))
        #expect(await worker.value?.kind == .closed)
        await pool.shutdown()
    }
}
