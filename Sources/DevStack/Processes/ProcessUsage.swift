import Foundation
import Glibc

/// What a process has used, as the kernel counts it (proc(5)).
public struct ProcessUsage: Sendable, Hashable {
    /// Processor time, user and system together, in steps of the kernel's clock tick (10 ms as a rule).
    public let cpuTime: Duration
    /// Bytes in memory now.
    public let residentBytes: Int
    /// The most bytes it ever had in memory.
    public let peakResidentBytes: Int

    /// Reads the figures of one process; nil when it is gone.
    public static func of(pid: Int32) -> ProcessUsage? {
        guard let times = ProcessTimes.of(pid: pid),
            let status = FileText.of("/proc/\(pid)/status")
        else { return nil }
        return ProcessUsage(
            cpuTime: times.own, residentBytes: kibibytes("VmRSS:", in: status) * 1024,
            peakResidentBytes: kibibytes("VmHWM:", in: status) * 1024)
    }

    /// Processor time of a process, of everything below it that runs, and of what it has already waited for.
    ///
    /// For a server that forks, such as PostgreSQL, this is the whole server. Nil when the process is gone.
    public static func cpuTimeOfTree(root: Int32) -> Duration? {
        guard let first = ProcessTimes.of(pid: root) else { return nil }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let all = names.compactMap { Int32($0) }.compactMap { ProcessTimes.of(pid: $0) }
        let children = Dictionary(grouping: all, by: \.parent)
        var total = first.own + first.waitedFor
        var open = [root]
        while let pid = open.popLast() {
            for child in children[pid] ?? [] {
                total += child.own + child.waitedFor
                open.append(child.pid)
            }
        }
        return total
    }

    private static func kibibytes(_ name: String, in status: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }
}

/// The times in one line of `/proc/PID/stat`.
struct ProcessTimes: Equatable {
    let pid: Int32
    let parent: Int32
    let own: Duration
    let waitedFor: Duration

    static func of(pid: Int32) -> ProcessTimes? {
        FileText.of("/proc/\(pid)/stat")
            .flatMap { ProcessTimes(pid: pid, line: $0, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK))) }
    }

    init?(pid: Int32, line: String, ticksPerSecond: Int) {
        // The program's name, in brackets, may hold spaces and brackets, so fields count from the last bracket on.
        guard let end = line.lastIndex(of: ")"), ticksPerSecond > 0 else { return nil }
        let fields = line[line.index(after: end)...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[1]), let user = Int64(fields[11]),
            let system = Int64(fields[12]), let childUser = Int64(fields[13]), let childSystem = Int64(fields[14])
        else { return nil }
        let tick = Duration.seconds(1) / ticksPerSecond
        self.pid = pid
        self.parent = parent
        self.own = tick * Int(user + system)
        self.waitedFor = tick * Int(childUser + childSystem)
    }
}
