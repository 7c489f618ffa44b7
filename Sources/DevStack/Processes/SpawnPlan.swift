import CLinux
import Foundation
import Glibc

/// Everything that one `posix_spawn` needs, already decided: paths resolved, environment complete.
struct SpawnPlan: Sendable {
    /// Where a standard stream of the child goes.
    enum Stream: Sendable, Equatable {
        case inherited
        case file(String)
        case sameAsOutput
    }

    var executable: String
    var arguments: [String]
    var environment: [String: String]
    var workingDirectory: String?
    var output: Stream
    var errors: Stream

    /// Decides how a configuration is to be started on this machine.
    init(_ configuration: ManagedProcess.Configuration) throws(DevStackError) {
        let program = try Executables.find(configuration.executable)
        executable = try Executables.find("setpriv", package: "util-linux")
        arguments = ["--pdeathsig", configuration.signalWhenAbandoned.shortName]
        if let user = configuration.user {
            arguments += ["--reuid", user, "--regid", user, "--init-groups"]
        }
        arguments += ["--", program] + configuration.arguments
        environment = ProcessInfo.processInfo.environment.merging(configuration.environment) { _, own in own }
        workingDirectory = configuration.workingDirectory
        switch configuration.output {
        case .inherited: (output, errors) = (.inherited, .inherited)
        case .discarded: (output, errors) = (.file("/dev/null"), .sameAsOutput)
        case .file(let path): (output, errors) = (.file(path), .sameAsOutput)
        case .files(let first, let second): (output, errors) = (.file(first), .file(second))
        }
        for text in [executable] + arguments + environment.map({ "\($0)=\($1)" }) where text.utf8.contains(0) {
            throw DevStackError(
                .invalidArgument,
                "An argument or environment value of \(program) holds a NUL byte: \(text.debugDescription)")
        }
    }

    /// Starts the child in a process group of its own and returns its process id.
    ///
    /// The child gets nothing of this process but its standard streams: descriptors above 2 are closed, no signal is
    /// blocked or ignored. The thread that calls is the child's parent in the eyes of the kernel: when that thread
    /// ends, the child gets its death signal.
    func spawn() throws(DevStackError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for (descriptor, stream) in [(Int32(1), output), (2, errors)] {
            switch stream {
            case .inherited: break
            case .sameAsOutput: unsafe posix_spawn_file_actions_adddup2(&actions, 1, descriptor)
            case .file(let path):
                unsafe posix_spawn_file_actions_addopen(
                    &actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            }
        }
        unsafe clinux_spawn_close_from(&actions, 3)
        if let workingDirectory {
            unsafe clinux_spawn_chdir(&actions, workingDirectory)
        }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var argumentVector = unsafe Self.cStrings([executable] + arguments)
        var environmentVector = unsafe Self.cStrings(environment.map { "\($0)=\($1)" })
        defer {
            unsafe (argumentVector + environmentVector).forEach { unsafe free($0) }
        }
        var pid: pid_t = 0
        let result = unsafe posix_spawn(
            &pid, executable, &actions, &attributes, &argumentVector, &environmentVector)
        guard result == 0 else {
            throw DevStackError(
                .launchFailed,
                "\(arguments.last ?? executable) could not be started: \(DevStackError.systemMessage(result)).")
        }
        return pid
    }

    private static func cStrings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe []
        for text in texts { unsafe pointers.append(strdup(text)) }
        unsafe pointers.append(nil)
        return unsafe pointers
    }
}
