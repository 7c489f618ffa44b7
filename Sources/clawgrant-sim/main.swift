import ArgumentParser
import Glibc

// Sets iterate in an order of their own in every process, unless this is asked for before it starts: a seed must replay
// identically in any process.
if unsafe getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    unsafe setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    var arguments = unsafe CommandLine.arguments.map { unsafe strdup($0) } + [nil]
    unsafe execv("/proc/self/exe", &arguments)
}
SimulateCommand.main()
