import Foundation
import Glibc
import Primitives

/// A PostgreSQL server of one's own, in its own directory, that never touches the system's cluster.
///
/// It listens on a Unix socket in its directory, which only its owner can reach, and on a port of 127.0.0.1 when that
/// is asked for. PostgreSQL refuses to run as root, so root's servers run as the system user `postgres`. Start, stop
/// and restart are for one task at a time.
public final class PrivatePostgres: Sendable {
    /// Whether a commit survives a crash of the machine.
    public enum Durability: Sendable, Hashable {
        /// As PostgreSQL is shipped: a commit returns when it is on disk.
        case durable
        /// Nothing is forced to disk. A crash of the server alone still loses no commit, so tests may use it.
        case volatile
    }

    /// How a server is told to stop.
    public enum StopMode: Sendable, Hashable {
        /// Breaks off sessions, then writes everything out.
        case fast
        /// Leaves at once; the next start recovers from the log, as after a crash.
        case immediate
    }

    /// How to reach the server.
    public enum Route: Sendable, Hashable {
        /// Through the Unix socket.
        case socket
        /// Through a port of 127.0.0.1: the server's own, or that of a relay in front of it.
        case loopback(port: UInt16)
    }

    /// What a server is to be like.
    public struct Options: Sendable, Hashable {
        /// Whether commits are forced to disk.
        public var durability = Durability.durable
        /// Whether it also listens on a port of 127.0.0.1, with a password that `conninfo` refers to.
        public var listensOnLoopback = false
        /// Server settings by name, such as `max_connections`; they go before the ones made here.
        public var settings: [String: String] = [:]
        /// Variables of the server's process, beside those made here.
        public var environment: [String: String] = [:]

        /// A durable server on its socket alone.
        public init(
            durability: Durability = .durable, listensOnLoopback: Bool = false, settings: [String: String] = [:],
            environment: [String: String] = [:]
        ) {
            self.environment = environment
            self.durability = durability
            self.listensOnLoopback = listensOnLoopback
            self.settings = settings
        }

        /// What tests take unless they test durability.
        public static let forTests = Options(durability: .volatile)
    }

    /// The database superuser that every server has.
    public static let superuser = "postgres"

    /// The directory that holds the data, the log and the socket.
    public let directory: String
    /// The port: part of the socket's name, and open on 127.0.0.1 if the options say so.
    public let port: UInt16
    private let options: Options
    private let installation: PostgresInstallation
    private let systemUser: SystemUser?
    private let server = Lock<ManagedProcess?>(nil)

    /// Prepares a server; nothing is written or started yet.
    ///
    /// - Parameters:
    ///   - directory: Its own directory, absolute. It may exist from an earlier run, whose data is used again then.
    ///   - options: What the server is to be like.
    /// - Throws: `DevStackError` with `toolMissing`, `invalidArgument` or `portUnavailable`.
    public init(directory: String, options: Options = Options()) throws(DevStackError) {
        installation = try PostgresInstallation.find()
        let longestSocketPath = 107
        guard directory.hasPrefix("/"), "\(directory)/.s.PGSQL.65535".utf8.count <= longestSocketPath else {
            throw DevStackError(
                .invalidArgument,
                "\(directory) cannot hold a PostgreSQL socket: give an absolute path of at most "
                    + "\(longestSocketPath - 14) bytes (a shorter TMPDIR helps).")
        }
        if geteuid() == 0 {
            guard let user = SystemUser.named("postgres") else {
                throw DevStackError(
                    .toolMissing,
                    "PostgreSQL does not run as root and there is no system user postgres. "
                        + "Install the Debian package postgresql, or run as another user.")
            }
            if let closed = SystemUser.firstClosedFolder(above: directory) {
                throw DevStackError(
                    .invalidArgument,
                    "The user postgres cannot reach \(directory) because \(closed) is closed to others. "
                        + "Set TMPDIR to a folder such as /tmp, or run as another user.")
            }
            systemUser = user
        } else {
            systemUser = nil
        }
        self.directory = directory
        self.options = options
        port = options.listensOnLoopback ? try FreePort.next() : 5432
    }

    /// The process id of the server while it runs.
    public var pid: Int32? { server.withLock { $0?.pid } }

    /// Whether the server's main process is there.
    public var isRunning: Bool { server.withLock { $0?.isRunning ?? false } }

    /// The path of the server's log.
    public var log: String { "\(directory)/server.log" }

    /// Starts the server and waits until it takes connections; a new directory is initialised first.
    ///
    /// - Throws: `DevStackError` with `exitedEarly` and the end of the log, or `deadlineExceeded`.
    public func start(within limit: Duration = .seconds(60)) async throws {
        guard server.withLock({ $0 == nil }) else { return }
        if !FileManager.default.fileExists(atPath: "\(dataDirectory)/PG_VERSION") { try await initialise() }
        let deadline = ContinuousClock.now + limit
        while true {
            do {
                return try await startOnce(within: limit)
            } catch let error as DevStackError
                where error.message.contains(Self.remainsOfEarlierServer) && ContinuousClock.now < deadline
            {
                // The last children of a server that was ended at once still let go of its memory.
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// What PostgreSQL says while something of an earlier server still lives.
    private static let remainsOfEarlierServer = "pre-existing shared memory block"

    private func startOnce(within limit: Duration) async throws {
        var configuration = configuration(of: "postgres", ["-D", dataDirectory] + settingArguments())
        configuration.output = .file(log)
        if !options.environment.isEmpty {
            // Not before the user is changed: what a preloaded library makes must belong to the server's user.
            let variables = options.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            configuration.arguments = variables + [configuration.executable] + configuration.arguments
            configuration.executable = "env"
        }
        // SIGKILL would leave the server's own children and its shared memory behind; this is its prompt way out.
        configuration.signalWhenAbandoned = .quit
        let process = try ManagedProcess(configuration)
        do {
            try await waitUntil(deadline: limit, description: "PostgreSQL in \(directory)") {
                guard process.isRunning else {
                    throw DevStackError(.exitedEarly, "PostgreSQL ended during its start; \(LogTail.of(self.log))")
                }
                return self.isReady(pid: process.pid)
            }
        } catch {
            process.signal(.quit)
            await process.terminate(grace: .seconds(5))
            throw error
        }
        server.withLock { $0 = process }
    }

    /// Stops the server and waits until it is gone. A server that does not run is left alone.
    ///
    /// - Throws: `DevStackError` with `deadlineExceeded` when it did not stop by itself and had to be ended by force.
    public func stop(_ mode: StopMode = .fast, within limit: Duration = .seconds(60)) async throws {
        guard let process = server.withLock({ $0 }) else { return }
        defer { server.withLock { $0 = nil } }
        switch mode {
        case .fast: process.signal(.interrupt)
        case .immediate: process.signal(.quit)
        }
        do {
            try await process.waitForExit(within: limit)
        } catch {
            process.signal(.quit)
            await process.terminate(grace: .seconds(5))
            throw error
        }
    }

    /// Stops and starts the server on the same data, socket and port.
    public func restart(_ mode: StopMode = .fast) async throws {
        try await stop(mode)
        try await start()
    }

    /// Freezes or ends the server's main process by force; for tests of what clients do then.
    @discardableResult
    public func signal(_ signal: ProcessSignal) -> Bool { server.withLock { $0?.signal(signal) ?? false } }

    /// Connection keywords for libpq. They name a password file where one is needed, never the password.
    public func conninfo(
        database: String = "postgres", user: String = PrivatePostgres.superuser, route: Route = .socket
    ) -> String {
        var keywords = [("dbname", database), ("user", user)]
        switch route {
        case .socket: keywords += [("host", directory), ("port", "\(port)")]
        case .loopback(let port):
            keywords += [("host", "127.0.0.1"), ("port", "\(port)"), ("passfile", passwordFile)]
        }
        return keywords.map { "\($0)=\(Self.quoted($1))" }.joined(separator: " ")
    }

    /// Creates an empty database, owned by `owner`.
    ///
    /// - Throws: `DevStackError` with `commandFailed`, for example because it exists.
    public func createDatabase(_ name: String, owner: String = PrivatePostgres.superuser) async throws {
        try await execute("CREATE DATABASE \(Self.identifier(name)) OWNER \(Self.identifier(owner))")
    }

    /// Drops a database, breaking off its sessions.
    ///
    /// - Throws: `DevStackError` with `commandFailed`.
    public func dropDatabase(_ name: String) async throws {
        try await execute("DROP DATABASE IF EXISTS \(Self.identifier(name)) WITH (FORCE)")
    }

    /// Runs SQL through `psql` and returns what it printed: a line a row, columns parted by `|`.
    ///
    /// For setting up and for looking from outside; a process is started for each call.
    ///
    /// - Throws: `DevStackError` with `commandFailed` and the server's message.
    @discardableResult
    public func execute(_ sql: String, database: String = "postgres") async throws -> String {
        let arguments = [
            "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command=\(sql)",
            "--dbname=\(conninfo(database: database))",
        ]
        var configuration = ManagedProcess.Configuration(
            executable: installation.program("psql"), arguments: arguments)
        configuration.environment = ["PGCONNECT_TIMEOUT": "10"]
        return try await Command.output(of: configuration).trimmingCharacters(in: .newlines)
    }

    private var dataDirectory: String { "\(directory)/data" }
    private var passwordFile: String { "\(directory)/passwords" }

    private func configuration(of program: String, _ arguments: [String]) -> ManagedProcess.Configuration {
        var configuration = ManagedProcess.Configuration(
            executable: installation.program(program), arguments: arguments)
        configuration.workingDirectory = directory
        configuration.user = systemUser?.name
        // Variables of the caller's must not lead the server to another cluster.
        configuration.environment = ["PGDATA": dataDirectory, "PGPORT": "\(port)", "LC_ALL": "C"]
        return configuration
    }

    private func settingArguments() -> [String] {
        var settings = [
            "listen_addresses": options.listensOnLoopback ? "127.0.0.1" : "",
            "port": "\(port)",
            "unix_socket_directories": directory,
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
            "log_min_messages": "warning",
        ]
        if options.durability == .volatile {
            settings.merge(["fsync": "off", "full_page_writes": "off"]) { _, new in new }
        }
        settings.merge(options.settings) { _, wanted in wanted }
        return settings.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    }

    private func initialise() async throws {
        let files = FileManager.default
        try files.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let password = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
        let initial = "\(directory)/initial-password"
        for (path, text) in [(initial, password), (passwordFile, "127.0.0.1:*:*:*:\(password)\n")] {
            guard files.createFile(atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
            else { throw DevStackError(.systemCall, "\(path) could not be written.") }
        }
        defer { try? files.removeItem(atPath: initial) }
        if let systemUser {
            for path in [directory, initial] {
                guard unsafe chown(path, systemUser.uid, systemUser.gid) == 0 else {
                    throw DevStackError.systemCall("chown", on: path)
                }
            }
        }
        let arguments = [
            "--pgdata=\(dataDirectory)", "--username=\(Self.superuser)", "--encoding=UTF8", "--locale=C", "--no-sync",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=\(initial)",
        ]
        try await Command.output(of: configuration(of: "initdb", arguments), within: .seconds(120))
    }

    /// Reads the server's own statement about itself, in its process id file, as `pg_ctl` does.
    private func isReady(pid: Int32) -> Bool {
        guard let text = FileText.of("\(dataDirectory)/postmaster.pid") else {
            return false
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count >= 8 && lines[0] == "\(pid)"
            && lines[7].trimmingCharacters(in: .whitespaces) == "ready"
    }

    static func quoted(_ value: String) -> String {
        let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return "'\(escaped)'"
    }

    static func identifier(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }
}
