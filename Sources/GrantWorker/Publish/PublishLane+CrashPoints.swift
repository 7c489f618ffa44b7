import CrashPoints
import GrantLedger

extension PublishLane {
    /// The crash points of a publisher, which have names of their own in each lane.
    struct CrashPoints {
        let recovering: CrashPoint
        let producerMade: CrashPoint
        let initialized: CrashPoint
        let positionRead: CrashPoint
        let tailRead: CrashPoint
        let caughtUp: CrashPoint
        let rendered: CrashPoint
        let begun: CrashPoint
        let sent: CrashPoint
        let committed: CrashPoint
        let noted: CrashPoint
        let saving: CrashPoint
        let saved: CrashPoint
    }

    var crashPoints: CrashPoints {
        switch self {
        case .main:
            CrashPoints(
                recovering: .publishRecovering, producerMade: .publishProducerMade, initialized: .publishInitialized,
                positionRead: .publishPositionRead, tailRead: .publishTailRead, caughtUp: .publishCaughtUp,
                rendered: .publishRendered, begun: .publishBegun, sent: .publishSent, committed: .publishCommitted,
                noted: .publishNoted, saving: .publishSaving, saved: .publishSaved)
        case .control:
            CrashPoints(
                recovering: .controlPublishRecovering, producerMade: .controlPublishProducerMade,
                initialized: .controlPublishInitialized, positionRead: .controlPublishPositionRead,
                tailRead: .controlPublishTailRead, caughtUp: .controlPublishCaughtUp,
                rendered: .controlPublishRendered, begun: .controlPublishBegun, sent: .controlPublishSent,
                committed: .controlPublishCommitted, noted: .controlPublishNoted, saving: .controlPublishSaving,
                saved: .controlPublishSaved)
        }
    }
}
