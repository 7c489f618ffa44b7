import Dispatch
import Foundation
import Glibc
import Primitives

/// A signal that can be sent to a child.
public enum ProcessSignal: String, Sendable, Hashable, CaseIterable {
    /// Asks for an orderly end (SIGTERM).
    case terminate
    /// Ends it at once, without a chance to clean up (SIGKILL).
    case kill
    /// Freezes it where it is (SIGSTOP).
    case stop
    /// Lets a frozen one go on (SIGCONT).
    case resume
    /// What Ctrl-C sends (SIGINT).
    case interrupt
    /// The quit signal, which PostgreSQL takes as an order to stop without a checkpoint (SIGQUIT).
    case quit
    /// Hang-up, by custom an order to read the configuration again (SIGHUP).
    case hangUp

    var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .kill: SIGKILL
        case .stop: SIGSTOP
        case .resume: SIGCONT
        case .interrupt: SIGINT
        case .quit: SIGQUIT
        case .hangUp: SIGHUP
        }
    }

    var shortName: String {
        switch self {
        case .terminate: "TERM"
        case .kill: "KILL"
        case .stop: "STOP"
        case .resume: "CONT"
        case .interrupt: "INT"
        case .quit: "QUIT"
        case .hangUp: "HUP"
        }
    }
}

/// How a child ended.
public enum ProcessExit: Sendable, Hashable, CustomStringConvertible {
    /// It ended by itself with this code; 0 is success.
    case code(Int32)
    /// It was ended by the signal with this number.
    case signal(Int32)

    /// Whether it ended by itself with code 0.
    public var isSuccess: Bool { self == .code(0) }

    /// For messages: `exit code 1`, `signal 9`.
    public var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let number): "signal \(number)"
        }
    }

    init(waitStatus: Int32) {
        // The layout that WIFEXITED, WEXITSTATUS and WTERMSIG of <sys/wait.h> take apart; C macros do not reach Swift.
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .code((waitStatus >> 8) & 0xff) : .signal(signal)
    }
}

/// A child process that cannot outlive its owner.
///
/// It runs in a process group of its own, so Ctrl-C at the terminal does not reach it, and it is ended when this object
/// goes or when the whole parent dies, however it dies. It is only ever signalled by its process id, and never after
/// it was reaped.
public final class ManagedProcess: Sendable {
    /// Where a child's standard output and standard error go.
    public enum Output: Sendable, Hashable {
        /// To where this process's go.
        case inherited
        /// Nowhere.
        case discarded
        /// Both, appended to the file at this path.
        case file(String)
        /// Each to a file of its own, appended.
        case files(output: String, errors: String)
    }

    /// What to start and how.
    public struct Configuration: Sendable {
        /// A path, or a name to look up in `PATH`.
        public var executable: String
        /// The arguments, without the program's name.
        public var arguments: [String]
        /// Variables to set on top of this process's own.
        public var environment: [String: String] = [:]
        /// The directory it starts in; nil for this process's.
        public var workingDirectory: String?
        /// Where its output goes.
        public var output = Output.discarded
        /// The system user to run as, which takes root; nil for this process's.
        public var user: String?
        /// What it is sent when its owner goes, or, by the kernel, when this whole process dies.
        public var signalWhenAbandoned = ProcessSignal.kill

        /// Makes a configuration; the rest is set by its properties.
        public init(executable: String, arguments: [String] = []) {
            self.executable = executable
            self.arguments = arguments
        }
    }

    /// The child's process id; its process group has the same number.
    public let pid: Int32
    private let child: Child
    private let signalWhenAbandoned: ProcessSignal

    /// Starts a child.
    ///
    /// - Throws: `DevStackError` with `toolMissing`, `invalidArgument` or `launchFailed`. A program that is there but
    ///   fails right after its start is seen in its exit status.
    public init(_ configuration: Configuration) throws(DevStackError) {
        let plan = try SpawnPlan(configuration)
        let child = Child()
        let launch = OneShot<Result<pid_t, DevStackError>>()
        let isLaunched = DispatchSemaphore(value: 0)
        // The kernel ties the death signal to the thread that spawned the child, not to its process, so the child gets
        // a thread that lives exactly as long as it does; the thread has nothing else to do than to await its end.
        let thread = Thread {
            do throws(DevStackError) {
                let pid = try plan.spawn()
                child.begin(pid)
                launch.fulfil(.success(pid))
                isLaunched.signal()
                child.reap(pid)
            } catch {
                launch.fulfil(.failure(error))
                isLaunched.signal()
            }
        }
        thread.stackSize = 256 * 1024
        thread.name = "child"
        thread.start()
        isLaunched.wait()
        guard let outcome = launch.current else {
            throw DevStackError(.launchFailed, "\(configuration.executable) was not started.")
        }
        self.pid = try outcome.get()
        self.child = child
        signalWhenAbandoned = configuration.signalWhenAbandoned
    }

    deinit { child.signal(signalWhenAbandoned, wholeGroup: true) }

    /// Whether it has not ended yet. A frozen child counts as running.
    public var isRunning: Bool { child.exit.current == nil }

    /// How it ended; nil while it runs.
    public var exitStatus: ProcessExit? { child.exit.current }

    /// Sends a signal to the child alone.
    ///
    /// - Returns: Whether it was there to get it.
    @discardableResult
    public func signal(_ signal: ProcessSignal) -> Bool { child.signal(signal, wholeGroup: false) }

    /// Sends a signal to the child and to everything it started that stayed in its process group.
    ///
    /// - Returns: Whether the child was there to get it.
    @discardableResult
    public func signalGroup(_ signal: ProcessSignal) -> Bool { child.signal(signal, wholeGroup: true) }

    /// Waits until it has ended.
    ///
    /// - Throws: `DevStackError` with `deadlineExceeded`; the child runs on then. `CancellationError` when cancelled.
    @discardableResult
    public func waitForExit(within limit: Duration) async throws -> ProcessExit {
        if let status = await child.exit.value(within: limit) { return status }
        try Task.checkCancellation()
        throw DevStackError(.deadlineExceeded, "Process \(pid) had not ended after \(limit).")
    }

    /// Asks it to end, and ends it by force when it has not done so in time. Cancelling shortens the grace to nothing.
    @discardableResult
    public func terminate(grace: Duration = .seconds(10)) async -> ProcessExit {
        signal(.terminate)
        if let status = await child.exit.value(within: grace) { return status }
        signalGroup(.kill)
        while true {
            // Nothing survives SIGKILL, so this ends even when the task was cancelled and the wait above was cut short.
            if let status = child.exit.current { return status }
            if let status = await Task.detached(operation: { [child] in
                await child.exit.value(within: .seconds(60))
            }).value {
                return status
            }
        }
    }
}

/// The part of a managed process that its thread shares with its owner.
private final class Child: Sendable {
    private enum Phase { case starting, running(pid_t), reaped }

    let exit = OneShot<ProcessExit>()
    private let phase = Lock(Phase.starting)

    func begin(_ pid: pid_t) { phase.withLock { $0 = .running(pid) } }

    @discardableResult
    func signal(_ signal: ProcessSignal, wholeGroup: Bool) -> Bool {
        phase.withLock { phase in
            switch phase {
            // A child that was not reaped still holds its process id, so the number cannot mean anybody else.
            case .running(let pid): kill(wholeGroup ? -pid : pid, signal.number) == 0
            case .starting, .reaped: false
            }
        }
    }

    /// Blocks until the child has ended, then takes its status.
    func reap(_ pid: pid_t) {
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        var status: Int32 = 0
        phase.withLock { phase in
            _ = unsafe waitpid(pid, &status, 0)
            phase = .reaped
        }
        exit.fulfil(ProcessExit(waitStatus: status))
    }
}
