import Foundation
import Postgres
import Testing

/// A private PostgreSQL server for the whole run: its own data directory, a Unix socket, no TCP.
///
/// A shell starts the server and waits for the end of its standard input, a pipe that this process holds. When this
/// process ends, however it ends, the shell stops the server and removes the directory.
struct TestServer: Sendable {
    static let shared = TestServer()
    static let isAvailable = binaries != nil

    let directory: String
    private let shell: Process
    private let lifeline: Pipe

    private static let binaries: String? = {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
            .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let candidates = versions.map { "\(root)/\($0)/bin" } + path.split(separator: ":").map(String.init)
        return candidates.first { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") }
    }()

    private static let script = """
        set -e
        bin=$1 dir=$2
        mkdir -m 700 "$dir"
        if [ "$(id -u)" = 0 ]; then
            chown postgres "$dir"
            as="setpriv --reuid=postgres --regid=postgres --clear-groups --"
        fi
        cd "$dir"
        $as "$bin/initdb" -D "$dir/data" --auth=trust -U postgres --no-sync -E UTF8 --locale=C >"$dir/initdb.log" 2>&1
        printf 'local all with_password scram-sha-256\\nlocal all all trust\\n' >"$dir/data/pg_hba.conf"
        exec 3<&0
        $as "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=300 \\
            >"$dir/server.log" 2>&1 3<&- </dev/null &
        server=$!
        cat <&3 >/dev/null
        kill -INT $server
        wait $server || true
        rm -rf "$dir"
        """

    private init() {
        directory = "/tmp/pgt-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0..<1_000_000))"
        lifeline = Pipe()
        shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", Self.script, "sh", Self.binaries ?? "", directory]
        shell.standardInput = lifeline
        do {
            try shell.run()
        } catch {
            Issue.record("the server could not be started: \(error)")
        }
    }

    /// How to reach the server.
    func configuration(_ change: (inout PostgresConfiguration) -> Void = { _ in }) throws -> PostgresConfiguration {
        var configuration = try PostgresConfiguration(
            keywords: ["host": directory, "user": "postgres", "dbname": "postgres"])
        configuration.applicationName = "tests"
        configuration.backoff = Backoff(initial: .milliseconds(10), maximum: .milliseconds(100))
        change(&configuration)
        return configuration
    }

    /// A connection, made as soon as the server takes some.
    func connect(
        _ change: (inout PostgresConfiguration) -> Void = { _ in },
        onEvent: @escaping @Sendable (PostgresEvent) -> Void = { _ in }
    ) async throws -> PostgresConnection {
        try await ready()
        return try await PostgresConnection.connect(configuration(change), onEvent: onEvent)
    }

    /// Returns once the server takes connections: a pool tries until it does.
    func ready() async throws {
        let pool = PostgresPool(try configuration { $0.acquireTimeout = .seconds(120) })
        _ = try await pool.withConnection { try await $0.simple("SELECT 1") }
        await pool.shutdown()
    }
}

/// Asks again until the answer is yes. The suites' time limits bound it.
func eventually(_ condition: () async throws -> Bool) async throws {
    while try await !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}

extension PostgresConnection {
    /// Waits until the session with this process id is busy with a statement that contains the text.
    func awaitActivity(of processID: Int32, containing text: String) async throws {
        let query = PreparedStatement(
            "await_activity",
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE pid = $1 AND state = 'active' AND position($2 in query) > 0
            """, parameterTypes: [.int4, .text])
        try await eventually {
            try await execute(query, Parameters(processID, text)).int64(0, 0) == 1
        }
    }

    /// Waits until the session with this process id waits for a lock.
    func awaitLockWait(of processID: Int32) async throws {
        let query = PreparedStatement(
            "await_lock_wait", "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted", parameterTypes: [.int4])
        try await eventually { try await execute(query, Parameters(processID)).int64(0, 0) > 0 }
    }

    func terminate(_ processID: Int32) async throws {
        let query = PreparedStatement("terminate", "SELECT pg_terminate_backend($1)", parameterTypes: [.int4])
        #expect(try await execute(query, Parameters(processID)).bool(0, 0))
    }

    /// The only value of a query without parameters.
    func count(_ sql: String) async throws -> Int64 {
        try await simple(sql)[0].int64(0, 0)
    }
}

/// Runs the call and returns the error it throws.
func failure<Value>(_ call: () async throws -> Value) async -> PostgresError? {
    do {
        _ = try await call()
        Issue.record("the call succeeded")
        return nil
    } catch let error as PostgresError {
        return error
    } catch {
        Issue.record("another error: \(error)")
        return nil
    }
}
