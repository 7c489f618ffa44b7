/// Something that goes wrong around the workers.
public enum FaultKind: String, Sendable, Hashable, CaseIterable {
    /// PostgreSQL leaves without a word (immediate mode), is gone for a while, and recovers from its log.
    case databaseRestart = "database-restart"
    /// Connections to the database are reset, several times in a row.
    case databaseCut = "database-cut"
    /// The database refuses connections and the open ones are reset.
    case databaseUnreachable = "database-unreachable"
    /// Nothing passes between workers and database, and nobody is told.
    case databaseSilence = "database-silence"
    /// The database does its work and no answer arrives.
    case databaseLostReplies = "database-lost-replies"
    /// Connections to the database end in the middle of a message.
    case databaseTruncation = "database-truncation"
    /// Everything to and from the database takes longer.
    case databaseDelay = "database-delay"
    /// The disk of the database is full, its write-ahead log included.
    case databaseDisk = "database-disk-full"
    /// The broker stops in good order, is gone for a while, and starts with its log.
    case brokerRestart = "broker-restart"
    /// The broker's process stands still.
    case brokerFreeze = "broker-freeze"
    /// Connections to the broker are reset, several times in a row.
    case brokerCut = "broker-cut"
    /// The broker refuses connections and the open ones are reset.
    case brokerUnreachable = "broker-unreachable"
    /// Nothing passes between workers and broker, and nobody is told.
    case brokerSilence = "broker-silence"
    /// The broker does its work and no answer arrives.
    case brokerLostReplies = "broker-lost-replies"
    /// Connections to the broker end in the middle of a message.
    case brokerTruncation = "broker-truncation"
    /// Everything to and from the broker takes longer.
    case brokerDelay = "broker-delay"
    /// The disk of the workers' logs and of their file of security events is full.
    case logDisk = "log-disk-full"
    /// A key or secret is not where it was.
    case keyGone = "key-gone"
    /// Half a key or secret is there.
    case keyTorn = "key-torn"
    /// A key or secret that others may read, which workers refuse.
    case keyExposed = "key-exposed"
    /// A stop on the control topic, and its lift when the fault ends.
    case stop
    /// A revocation on the control topic.
    case revocation

    /// What the fault is done to. Two faults of one target never overlap, for the end of one would end the other.
    public enum Target: Sendable, Hashable {
        /// The database and the way to it.
        case database
        /// The broker and the way to it.
        case broker
        /// The disk of logs.
        case logDisk
        /// Files of keys and secrets.
        case keys
        /// The control topic.
        case control
    }

    /// What it is done to.
    public var target: Target {
        switch self {
        case .databaseRestart, .databaseCut, .databaseUnreachable, .databaseSilence, .databaseLostReplies,
            .databaseTruncation, .databaseDelay, .databaseDisk:
            .database
        case .brokerRestart, .brokerFreeze, .brokerCut, .brokerUnreachable, .brokerSilence, .brokerLostReplies,
            .brokerTruncation, .brokerDelay:
            .broker
        case .logDisk: .logDisk
        case .keyGone, .keyTorn, .keyExposed: .keys
        case .stop, .revocation: .control
        }
    }

    /// Whether it takes a file system of its own, which takes the right to mount one.
    public var needsSmallDisk: Bool { self == .databaseDisk || self == .logDisk }

    /// How long it lasts, in milliseconds. The longest is longer than a lease.
    var lasting: ClosedRange<Int> {
        switch self {
        case .databaseRestart, .brokerRestart: 0...2_500
        case .databaseCut, .brokerCut, .databaseTruncation, .brokerTruncation: 800...2_500
        case .databaseUnreachable, .databaseSilence, .databaseLostReplies, .brokerUnreachable, .brokerSilence,
            .brokerLostReplies, .brokerFreeze:
            300...5_000
        case .databaseDelay, .brokerDelay: 1_000...4_000
        case .databaseDisk, .logDisk: 1_000...4_000
        case .keyGone, .keyTorn, .keyExposed: 1_000...4_000
        case .stop: 200...4_000
        case .revocation: 0...0
        }
    }
}

/// A fault with its time in a storm.
public struct PlannedFault: Sendable, Hashable {
    /// What goes wrong.
    public let kind: FaultKind
    /// When it begins, in milliseconds from the beginning of the storm.
    public let at: Int
    /// How long it lasts, in milliseconds.
    public let lasting: Int
    /// What is left to choose: how many bytes, which key, whose stop.
    public let choice: UInt64
    /// When it ends, in milliseconds from the beginning of the storm.
    public var end: Int { at + lasting }
}
