import Foundation
import Testing

@testable import DevStack

@Suite struct ProcessTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(prefix: "claw-proc") }

    private func shell(_ script: String) -> ManagedProcess.Configuration {
        ManagedProcess.Configuration(executable: "sh", arguments: ["-c", script])
    }

    private func read(_ name: String) -> String {
        FileText.of(directory.path(name)) ?? ""
    }

    /// Whether a process id means a process that has not ended; a zombie has.
    private func isAlive(_ pid: Int32) -> Bool {
        guard let line = FileText.of("/proc/\(pid)/stat") else { return false }
        return !line.contains(") Z ")
    }

    @Test(arguments: [0, 1, 77, 255])
    func exitCodeIsReported(code: Int32) async throws {
        let process = try ManagedProcess(shell("exit \(code)"))
        let status = try await process.waitForExit(within: .seconds(30))
        #expect(status == .code(code))
        #expect(status.isSuccess == (code == 0))
        #expect(!process.isRunning)
    }

    @Test func environmentArgumentsAndDirectoryReachTheChild() async throws {
        var configuration = shell(#"echo "$GREETING"; pwd; echo "$0"; echo problem >&2"#)
        configuration.arguments.append("first argument")
        configuration.environment = ["GREETING": "good morning"]
        configuration.workingDirectory = directory.path
        configuration.output = .files(output: directory.path("out"), errors: directory.path("err"))
        try await ManagedProcess(configuration).waitForExit(within: .seconds(30))
        #expect(read("out") == "good morning\n\(directory.path)\nfirst argument\n")
        #expect(read("err") == "problem\n")
    }

    @Test func outputIsAppended() async throws {
        for word in ["one", "two"] {
            var configuration = shell("echo \(word); echo \(word) >&2")
            configuration.output = .file(directory.path("log"))
            try await ManagedProcess(configuration).waitForExit(within: .seconds(30))
        }
        #expect(read("log") == "one\none\ntwo\ntwo\n")
    }

    @Test func killedChildReportsItsSignal() async throws {
        let process = try ManagedProcess(shell("exec sleep 1000"))
        #expect(process.isRunning)
        #expect(process.signal(.kill))
        #expect(try await process.waitForExit(within: .seconds(30)) == .signal(9))
        #expect(!process.signal(.terminate))
    }

    @Test func waitingEndsAtTheDeadlineAndTheChildRunsOn() async throws {
        let process = try ManagedProcess(shell("exec sleep 1000"))
        await #expect { try await process.waitForExit(within: .milliseconds(5)) } throws: { error in
            (error as? DevStackError)?.code == .deadlineExceeded
        }
        #expect(process.isRunning)
        #expect(await process.terminate() == .signal(15))
    }

    @Test func terminationIsForcedOnAChildThatWillNotListen() async throws {
        var configuration = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")
        configuration.output = .file(directory.path("log"))
        let process = try ManagedProcess(configuration)
        try await waitUntil(deadline: .seconds(30), description: "the trap") { read("log") == "ready\n" }
        #expect(await process.terminate(grace: .milliseconds(20)) == .signal(9))
    }

    @Test func frozenChildDoesNothingUntilResumed() async throws {
        var configuration = shell("trap 'echo woken; exit 3' USR1 TERM; echo ready; while :; do sleep 0.02; done")
        configuration.output = .file(directory.path("log"))
        let process = try ManagedProcess(configuration)
        try await waitUntil(deadline: .seconds(30), description: "the trap") { read("log") == "ready\n" }
        process.signal(.stop)
        try await waitUntil(deadline: .seconds(30), description: "the child to freeze") {
            FileText.of("/proc/\(process.pid)/stat")?.contains(") T ") == true
        }
        process.signal(.terminate)
        #expect(process.isRunning)
        process.signal(.resume)
        #expect(try await process.waitForExit(within: .seconds(30)) == .code(3))
        #expect(read("log") == "ready\nwoken\n")
    }

    @Test func childLeadsItsOwnProcessGroupAndInheritsNoDescriptor() async throws {
        let pipe = Pipe()
        var configuration = shell("cat /proc/self/stat; ls /proc/$$/fd")
        configuration.output = .file(directory.path("log"))
        let process = try ManagedProcess(configuration)
        try await process.waitForExit(within: .seconds(30))
        let lines = read("log").split(separator: "\n")
        let fields = try #require(lines.first).split(separator: " ")
        #expect(fields[4] == "\(process.pid)")
        #expect(Set(lines.dropFirst()).isSubset(of: ["0", "1", "2", "3"]))
        try pipe.fileHandleForWriting.close()
    }

    @Test func childDiesWithItsOwner() async throws {
        var process: ManagedProcess? = try ManagedProcess(shell("exec sleep 1000"))
        let pid = try #require(process?.pid)
        #expect(isAlive(pid))
        process = nil
        try await waitUntil(deadline: .seconds(30), description: "the child to go") { !isAlive(pid) }
    }

    @Test func childOfAKilledParentGetsItsDeathSignal() async throws {
        // A shell stands in for the parent: what protects a child is the wrapper that every child is started with.
        var configuration = shell("setpriv --pdeathsig KILL -- sleep 1000 & echo $!; wait")
        configuration.output = .file(directory.path("log"))
        let parent = try ManagedProcess(configuration)
        try await waitUntil(deadline: .seconds(30), description: "the grandchild") {
            guard let pid = Int32(read("log").trimmingCharacters(in: .newlines)) else { return false }
            return FileText.of("/proc/\(pid)/comm") == "sleep\n"
        }
        let grandchild = try #require(Int32(read("log").trimmingCharacters(in: .newlines)))
        parent.signal(.kill)
        try await parent.waitForExit(within: .seconds(30))
        try await waitUntil(deadline: .seconds(30), description: "the grandchild to go") { !isAlive(grandchild) }
    }

    @Test func missingProgramIsNamed() {
        #expect {
            try ManagedProcess(ManagedProcess.Configuration(executable: "no-such-program-here"))
        } throws: { error in
            let error = error as? DevStackError
            return error?.code == .toolMissing && error?.message.contains("no-such-program-here") == true
        }
    }

    @Test func argumentWithNULIsRefused() {
        #expect {
            try ManagedProcess(ManagedProcess.Configuration(executable: "sh", arguments: ["a\0b"]))
        } throws: { error in
            (error as? DevStackError)?.code == .invalidArgument
        }
    }

    @Test func commandReturnsItsOutputOrSaysWhatWentWrong() async throws {
        #expect(try await Command.output(of: shell("echo fine; echo aside >&2")) == "fine\n")
        await #expect { try await Command.output(of: shell("echo broken >&2; exit 4")) } throws: { error in
            let error = error as? DevStackError
            return error?.code == .commandFailed && error?.message.contains("exit code 4: broken") == true
        }
    }

    @Test func manyChildrenAtOnce() async throws {
        try await withThrowingTaskGroup(of: ProcessExit.self) { group in
            for code in 0..<40 {
                group.addTask { try await ManagedProcess(shell("exit \(code)")).waitForExit(within: .seconds(60)) }
            }
            var seen: Set<ProcessExit> = []
            for try await status in group { seen.insert(status) }
            #expect(seen == Set((0..<40).map { ProcessExit.code($0) }))
        }
    }

    @Test func usageCountsWorkOfAProcessAndItsChildren() async throws {
        var configuration = shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; sleep 1000")
        configuration.output = .file(directory.path("log"))
        let process = try ManagedProcess(configuration)
        try await waitUntil(deadline: .seconds(60), description: "the loop") { read("log") == "done\n" }
        let usage = try #require(ProcessUsage.of(pid: process.pid))
        #expect(usage.cpuTime > .zero)
        #expect(usage.residentBytes > 0 && usage.peakResidentBytes >= usage.residentBytes)
        #expect(try #require(ProcessUsage.cpuTimeOfTree(root: process.pid)) >= usage.cpuTime)
        process.signalGroup(.kill)
        try await process.waitForExit(within: .seconds(30))
        #expect(ProcessUsage.of(pid: process.pid) == nil)
    }
}
