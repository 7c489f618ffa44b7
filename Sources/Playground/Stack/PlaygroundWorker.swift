public import DevStack
import Foundation
import Primitives

/// One worker process of a playground.
///
/// Each start is a worker of its own to the ledger, as in operation. Start, kill and stop are for one task at a time.
public final class PlaygroundWorker: Sendable {
    /// The name, for example `worker-1`.
    public let name: String
    /// The file its configuration is in.
    public let configurationFile: String
    /// The file its log goes to.
    public let log: String
    private let program: String
    private let directory: String
    private let environment: [String: String]
    private let configuration: @Sendable (String) -> String
    private struct State {
        var starts = 0
        var process: ManagedProcess?
        var wasAskedToEnd = false
    }

    private let state = Lock(State())

    init(
        name: String, directory: String, program: String, environment: [String: String],
        configuration: @escaping @Sendable (String) -> String
    ) {
        self.environment = environment
        self.name = name
        self.directory = directory
        self.program = program
        self.configuration = configuration
        configurationFile = "\(directory)/\(name).yaml"
        log = "\(directory)/\(name).log"
    }

    /// The process id while there is a process.
    public var pid: Int32? { state.withLock { $0.process?.pid } }
    /// The file whose existence halts the present start.
    public var stopFile: String { "\(directory)/stop-\(name).\(state.withLock { $0.starts })" }
    /// Whether it runs; a frozen one does.
    public var isRunning: Bool { state.withLock { $0.process?.isRunning ?? false } }
    /// Whether it has ended though nobody asked it to.
    public var exitedByItself: Bool {
        state.withLock { state in
            state.process.map { !$0.isRunning && !state.wasAskedToEnd } ?? false
        }
    }
    /// Whether a name in the ledger is that of the present start: the configured one and what the start added to it.
    public func isNamed(_ owner: String) -> Bool {
        owner.hasPrefix("\(name).\(state.withLock { $0.starts })-")
    }

    /// How the last process ended; nil while it runs, and before the first.
    public var exitStatus: ProcessExit? { state.withLock { $0.process?.exitStatus } }

    /// Starts the process and returns at once; it is at work when it holds its share of partitions.
    ///
    /// - Throws: `DevStackError` when it cannot be started.
    public func start() throws {
        state.withLock { $0.starts += 1 }
        try startAgain()
    }

    /// The same under the name of the last start, as a supervisor starts a process again.
    ///
    /// - Throws: `DevStackError` when it cannot be started.
    public func startAgain() throws {
        let starts = state.withLock { $0.starts }
        try PlaygroundFiles.write(configuration("\(name).\(starts)"), to: configurationFile)
        var configuration = ManagedProcess.Configuration(
            executable: program, arguments: ["run", "--config", configurationFile])
        configuration.output = .file(log)
        configuration.environment = environment
        configuration.workingDirectory = directory
        let process = try ManagedProcess(configuration)
        state.withLock { state in
            state.process = process
            state.wasAskedToEnd = false
        }
    }

    /// Ends it with SIGKILL, as a power failure would, and waits until it is gone.
    public func kill() async {
        guard let process = takeToEnd() else { return }
        process.signal(.kill)
        await process.terminate(grace: .zero)
    }

    /// Freezes it with SIGSTOP.
    public func freeze() { _ = state.withLock { $0.process?.signal(.stop) } }

    /// Lets a frozen one go on.
    public func thaw() { _ = state.withLock { $0.process?.signal(.resume) } }

    /// Asks it to finish what it has in hand and to leave.
    ///
    /// - Returns: How it ended; nil when there was no process.
    @discardableResult
    public func stop(within limit: Duration = .seconds(20)) async -> ProcessExit? {
        guard let process = takeToEnd() else { return nil }
        return await process.terminate(grace: limit)
    }

    private func takeToEnd() -> ManagedProcess? {
        state.withLock { state in
            state.wasAskedToEnd = true
            return state.process
        }
    }

    /// Stops it in good order and starts it again.
    public func restart() async throws {
        await stop()
        try start()
    }

    /// The last lines of its log, for messages.
    public func logTail(lines: Int = 20) -> String {
        guard let data = FileManager.default.contents(atPath: log) else { return "" }
        return String(decoding: data.suffix(16_384), as: UTF8.self).split(separator: "\n").suffix(lines)
            .joined(separator: "\n")
    }
}
