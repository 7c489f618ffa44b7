package import CrashPoints

extension DecideFence {
    /// The crash points of a decide transaction, which have names of their own where a sweeper runs it.
    package struct Points: Sendable {
        package let begun: CrashPoint
        package let read: CrashPoint
        package let planned: CrashPoint
        package let committing: CrashPoint
        package let committed: CrashPoint
    }

    /// The points of a transaction under this fence.
    package var crashPoints: Points {
        switch self {
        case .offsets:
            Points(
                begun: .decideBegun, read: .decideRead, planned: .decidePlanned, committing: .decideCommitting,
                committed: .decideCommitted)
        case .role:
            Points(
                begun: .sweepBegun, read: .sweepRead, planned: .sweepPlanned, committing: .sweepCommitting,
                committed: .sweepCommitted)
        }
    }
}
