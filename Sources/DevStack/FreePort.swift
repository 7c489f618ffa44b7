import Foundation
import Glibc
import Primitives

/// Finds loopback TCP ports for private servers.
public enum FreePort {
    private static let handedOut = Lock<Set<UInt16>>([])

    /// A port on which nothing listens on 127.0.0.1 now and which this process has not been given before.
    ///
    /// It comes from below the range the kernel takes for outgoing connections, so that no connection of anybody's can
    /// sit on it while its server restarts.
    ///
    /// - Throws: `DevStackError` with `portUnavailable` when 200 tries found none.
    public static func next() throws(DevStackError) -> UInt16 {
        let candidates = candidateRange(ephemeralFloor: kernelFloor())
        for _ in 0..<200 {
            let port = UInt16.random(in: candidates)
            guard handedOut.withLock({ $0.insert(port).inserted }) else { continue }
            if (try? Socket.listening(port: port)) != nil { return port }
        }
        throw DevStackError(
            .portUnavailable,
            "No free loopback port was found between \(candidates.lowerBound) and \(candidates.upperBound).")
    }

    /// The ports to choose from, given the lowest one the kernel uses for outgoing connections.
    static func candidateRange(ephemeralFloor: UInt16) -> ClosedRange<UInt16> {
        // A machine set up with an unusually low floor has no room below it; then any unprivileged port must do.
        ephemeralFloor >= 12_000 ? (ephemeralFloor / 2)...(ephemeralFloor - 1) : 20_000...60_000
    }

    private static func kernelFloor() -> UInt16 {
        let setting = FileText.of("/proc/sys/net/ipv4/ip_local_port_range")
        let first = setting?.split(whereSeparator: \.isWhitespace).first
        return first.flatMap { UInt16($0) } ?? 32_768
    }
}
