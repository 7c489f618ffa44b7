public import ReceiptLog

/// One partition of an input topic.
public struct InputPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Topic name.
    public let topic: String
    /// Partition number.
    public let partition: Int32
    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
    /// `topic[partition]`.
    public var description: String { "\(topic)[\(partition)]" }
    /// Orders by topic, then number.
    public static func < (left: InputPartition, right: InputPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

/// The fence number of a lease; it grows with each change of owner.
public struct LeaseEpoch: Sendable, Hashable, Comparable {
    /// The number.
    public let value: Int64
    /// Makes an epoch.
    public init(_ value: Int64) { self.value = value }
    /// Orders by value.
    public static func < (left: LeaseEpoch, right: LeaseEpoch) -> Bool { left.value < right.value }
}

/// A held lease on an input partition, with the position to read from.
public struct PartitionLease: Sendable, Hashable {
    /// The partition.
    public let partition: InputPartition
    /// The epoch under which commits must be made.
    public let epoch: LeaseEpoch
    /// The first offset that no committed decision covers.
    public let nextOffset: Int64
    /// Makes a lease.
    public init(partition: InputPartition, epoch: LeaseEpoch, nextOffset: Int64) {
        self.partition = partition
        self.epoch = epoch
        self.nextOffset = nextOffset
    }
}

/// A task that exactly one worker does at a time.
public enum WorkerRole: String, Sendable, Hashable, CaseIterable {
    /// Seals committed receipts into batches and publishes them.
    case sealer
    /// Times out what waits too long.
    case sweeper
    /// Reads the control topic.
    case control
    /// Revokes, token by token, what a control event voided.
    case revoker
    /// Reads the topic of gateway receipts.
    case usage
    /// Reads the records of dead letters again.
    case redriver
    /// Asks vendors whether what sources say is so.
    case confirmer
    /// Streams security events to their sinks.
    case securityEvents = "security_events"
}

/// A held role.
public struct RoleLease: Sendable, Hashable {
    /// The role.
    public let role: WorkerRole
    /// The holder.
    public let owner: WorkerID
    /// The epoch under which commits must be made.
    public let epoch: LeaseEpoch
    /// Makes a role lease.
    public init(role: WorkerRole, owner: WorkerID, epoch: LeaseEpoch) {
        self.role = role
        self.owner = owner
        self.epoch = epoch
    }
}

/// What a heartbeat of a worker brought.
public struct LeaseView: Sendable, Hashable {
    /// Partitions this worker holds now, after renewing, claiming and giving up.
    public let held: [PartitionLease]
    /// Partitions this worker should give up as soon as its current batch is done, because others have too few.
    public let surplus: Int
    /// Live workers, this one included.
    public let liveWorkers: Int
    /// All partitions known to the ledger.
    public let totalPartitions: Int
    /// Makes a view.
    public init(held: [PartitionLease], surplus: Int, liveWorkers: Int, totalPartitions: Int) {
        self.held = held
        self.surplus = surplus
        self.liveWorkers = liveWorkers
        self.totalPartitions = totalPartitions
    }
}
