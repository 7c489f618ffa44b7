import Foundation
import Glibc

/// What the kernel knows of this process, measured whenever the metrics are asked for. The names are those that every
/// Prometheus client uses.
public struct ProcessMetrics: Sendable {
    private let cpu: FloatingCounterCell
    private let memory: GaugeCell
    private let virtualMemory: GaugeCell
    private let descriptors: GaugeCell
    private let maximumDescriptors: GaugeCell
    private let threads: GaugeCell
    private let started: GaugeCell

    /// Adds them to a registry, and says which build this is.
    ///
    /// - Parameters:
    ///   - registry: where they are shown.
    ///   - version: the program's version.
    ///   - program: which part of it runs: `worker`, `bridge`.
    public static func install(in registry: MetricRegistry, version: String, program: String) {
        let metrics = ProcessMetrics(registry)
        let build = registry.gauge("clawgrant_build_info", [("version", version), ("program", program)])
        build.set(1.0)
        registry.collect { metrics.measure() }
    }

    private init(_ registry: MetricRegistry) {
        cpu = registry.floatingCounter("process_cpu_seconds_total")
        memory = registry.gauge("process_resident_memory_bytes")
        virtualMemory = registry.gauge("process_virtual_memory_bytes")
        descriptors = registry.gauge("process_open_fds")
        maximumDescriptors = registry.gauge("process_max_fds")
        threads = registry.gauge("process_threads")
        started = registry.gauge("process_start_time_seconds")
    }

    private func measure() {
        if let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let figures = Self.figures(stat: text)
        {
            let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
            cpu.store(figures.processorTicks / ticks)
            memory.set(figures.residentPages * Double(max(1, sysconf(Int32(_SC_PAGESIZE)))))
            virtualMemory.set(figures.virtualBytes)
            threads.set(figures.threads)
            if let boot = Self.bootTime { started.set(boot + figures.startTicks / ticks) }
        }
        if let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            descriptors.set(Double(open.count))
        }
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0 { maximumDescriptors.set(Double(limit.rlim_cur)) }
    }

    /// Figures of proc(5), `/proc/[pid]/stat`.
    struct Figures: Equatable {
        let processorTicks: Double
        let threads: Double
        let startTicks: Double
        let virtualBytes: Double
        let residentPages: Double
    }

    /// The program's name stands in brackets and may hold anything, so fields are counted from the last one that closes.
    static func figures(stat text: String) -> Figures? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split { $0 == " " || $0 == "\n" }.map { Double($0) }
        guard fields.count > 21, let user = fields[11], let system = fields[12], let threads = fields[17],
            let start = fields[19], let virtual = fields[20], let resident = fields[21]
        else { return nil }
        return Figures(
            processorTicks: user + system, threads: threads, startTicks: start, virtualBytes: virtual,
            residentPages: resident)
    }

    /// When the machine was started, in seconds since 1970.
    private static let bootTime: Double? = {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
        return text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    }()
}
