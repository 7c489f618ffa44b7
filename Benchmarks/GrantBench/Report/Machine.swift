import ClawWire
import Foundation

/// What the benchmark ran on.
public struct Machine: Sendable, Hashable {
    /// The processor's name.
    public let processor: String
    /// How many processors there are.
    public let processors: Int
    /// Memory in MiB.
    public let memory: Int
    /// Kernel name and release.
    public let kernel: String

    /// Looks at this machine.
    public static func current() -> Machine {
        let cpuinfo = text("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = cpuinfo?.split(separator: ":").last?.trimmingPrefix(" ") ?? "unknown"
        let kibibytes = text("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }?
            .split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        let release = text("/proc/sys/kernel/osrelease").split(separator: "\n").first ?? ""
        return Machine(
            processor: String(name), processors: ProcessInfo.processInfo.activeProcessorCount,
            memory: (kibibytes ?? 0) / 1_024, kernel: "Linux \(release)")
    }

    /// Load average over the last minute.
    public static func load() -> Double {
        text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    private static func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    var json: JSONValue {
        [
            "processor": .string(processor), "processors": .integer(processors), "memory_mib": .integer(memory),
            "kernel": .string(kernel),
        ]
    }
}
