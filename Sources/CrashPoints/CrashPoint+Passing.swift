import Glibc
import Primitives

extension CrashPoint {
    /// Told of every point that a task passes, in a simulation.
    @TaskLocal public static var observer: (any CrashPointObserver)?

    /// Set before the first task starts and never again: whoever reads it reads what it is for good.
    @usableFromInline nonisolated(unsafe) static var isArmed = false

    private static let planned = Lock<(point: CrashPoint, passings: Int)?>(nil)

    /// Says that the calling task has come to a point.
    ///
    /// Unless points are armed this is the read of one flag and a branch that is never taken.
    @inlinable public static func pass(_ point: CrashPoint) {
        if unsafe isArmed { meet(point) }
    }

    /// Lets points be noticed. To be called before any task is started that passes one.
    public static func arm() { unsafe isArmed = true }

    /// Ends this process with SIGKILL where a point is passed for the n-th time. To be called before any task is started
    /// that passes one.
    ///
    /// - Parameter plan: `POINT` or `POINT#N`, as in `decide.committed#2`.
    /// - Throws: ``CrashPlanError`` when it does not read.
    public static func arm(killingAt plan: String) throws(CrashPlanError) {
        let parts = plan.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let count = parts.count == 2 ? Int(parts[1]) : 1
        guard let point = CrashPoint(rawValue: parts[0]), let count, count > 0 else {
            throw CrashPlanError(plan: plan)
        }
        planned.withLock { $0 = (point, count) }
        arm()
    }

    @usableFromInline static func meet(_ point: CrashPoint) {
        if let observer { return observer.passes(point) }
        let isHere = planned.withLock { planned in
            guard planned?.point == point else { return false }
            planned?.passings -= 1
            return planned?.passings == 0
        }
        if isHere { kill(getpid(), SIGKILL) }
    }
}

/// Decides what happens to a task that comes to a point.
public protocol CrashPointObserver: Sendable {
    /// The calling task has come to a point.
    func passes(_ point: CrashPoint)
}

/// A planned crash does not read.
public struct CrashPlanError: Error, Sendable, CustomStringConvertible {
    /// What was planned.
    public let plan: String

    /// What it is and what it should be.
    public var description: String {
        "\"\(plan)\" is no crash point; it is NAME or NAME#N, as in \(CrashPoint.decideCommitted.rawValue)#2"
    }
}
