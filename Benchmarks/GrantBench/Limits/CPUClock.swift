import Glibc

/// Processor time, which others on the machine do not add to.
enum CPUClock {
    /// Of the calling thread, in seconds.
    static func thread() -> Double { seconds(CLOCK_THREAD_CPUTIME_ID) }

    /// Of this process with all its threads, in seconds.
    static func process() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        unsafe _ = clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Microseconds of the calling thread for one call: the median of five rounds.
    static func perCall(_ count: Int, _ call: (Int) throws -> Void) rethrows -> Double {
        var rounds: [Double] = []
        for round in 0..<5 {
            let start = thread()
            for index in 0..<count { try call((round * count + index) % count) }
            rounds.append((thread() - start) / Double(count) * 1e6)
        }
        return rounds.sorted()[2]
    }
}

extension Duration {
    /// In seconds.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
