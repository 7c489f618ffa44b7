import Logging

// Lines of a worker: process, reading, deciding, sealing and publishing.

extension LogLine {
    /// The worker starts.
    public static let workerStarts = LogLine(
        "worker.starts", .info, "the worker starts",
        means: "Everything it needs is open, and it takes work up. The fields name log and rules.")

    /// The worker has left.
    public static let workerLeft = LogLine(
        "worker.left", .info, "the worker has left",
        means: "It gave back what it held; what it had in hand is committed or left to others.")

    /// Stopping: finishing what is in hand; a second signal ends at once.
    public static let workerStopping = LogLine(
        "worker.stopping", .info, "stopping: finishing what is in hand; a second signal ends at once",
        means: "SIGTERM or SIGINT arrived.")

    /// Stopping: answering what is in hand; a second signal ends at once.
    public static let serveStopping = LogLine(
        "serve.stopping", .info, "stopping: answering what is in hand; a second signal ends at once",
        means: "SIGTERM or SIGINT arrived.")

    /// The ledger is behind its topics.
    public static let ledgerBehind = LogLine(
        "ledger.behind", .critical, "the ledger is behind its topics",
        means: "The topics show what this ledger does not hold: it was restored or lost its end. Nothing is committed.",
        do: "Follow docs/backup.md.")

    /// The ledger could not be compared with its topics.
    public static let ledgerNotCompared = LogLine(
        "ledger.not_compared", .warning,
        "nothing is issued before the ledger was compared with the topics, which failed; trying again",
        means: "Broker or database did not answer while the two were held against each other.",
        do: "See to whichever the error names.")

    /// Another database than the one compared answers.
    public static let ledgerChanged = LogLine(
        "ledger.changed", .notice,
        "the database restarted, was taken over or restored; the ledger is compared with the topics",
        means: "The database that answers is not the one that was compared with the topics.")

    /// The database could not be asked who it is.
    public static let ledgerUnidentified = LogLine(
        "ledger.unidentified", .warning, "the database could not be asked who it is",
        means: "A look at the database failed; deciding and sealing wait for it as well.",
        do: "See to the database if it lasts.")

    /// Halted by a signal: this worker issues nothing until its process ends.
    public static let workerHalted = LogLine(
        "worker.halted", .critical, "halted by a signal: this worker issues nothing until its process ends",
        means: "SIGUSR1 arrived. Sealing, publishing and control events go on.",
        do: "Declare the stop in the ledger too (emergency-stop.md). Start the worker anew to undo it.")

    /// What is in hand was not committed in time; it is left to other workers.
    public static let drainTimedOut = LogLine(
        "worker.drain_timed_out", .warning, "what is in hand was not committed in time; it is left to other workers",
        means: "limits.drain_timeout_ms was over. Nothing is lost: another worker decides it.",
        do: "Look why the database is slow if it comes often.")

    /// The worker did not come to its end in time, and its process is ended.
    public static let workerAbandoned = LogLine(
        "worker.abandoned", .error, "the worker did not come to its end in time, and its process is ended",
        means:
            "Twice limits.drain_timeout_ms, two lifetimes of a lease and ten seconds are over since the signal. Nothing is lost: "
            + "what was not committed is decided by others.",
        do: "Look whether broker and database were gone; report it if they were not.")

    /// A companion failed and is started again.
    public static let companionFailed = LogLine(
        "worker.companion_failed", .error, "a companion failed and is started again",
        means: "The HTTP surface, a sink or another service beside the worker ended with an error; "
            + "deciding goes on.",
        do: "Read the reason; mend what it names.")

    /// The rules have budgets and the configuration names no topic of gateway receipts: nothing enforces them.
    public static let budgetsUnenforced = LogLine(
        "worker.budgets_unenforced", .warning,
        "the rules have budgets and the configuration names no topic of gateway receipts: nothing enforces them",
        means: "Usage is not followed.",
        do: "Set gateway_receipts.topic, or take the budgets out of the rules.")

    /// worker.confirmation_missing
    public static let confirmationMissing = LogLine(
        "worker.confirmation_missing", .warning,
        "sources are to be confirmed and the configuration has no section confirmation: they go to the dead letters",
        means: "What these sources say cannot be read back, so nothing of it is taken.",
        do: "Add the section confirmation (sources/confirmation.md).")

    /// The metrics could not be written to their file.
    public static let metricsFileFailed = LogLine(
        "worker.metrics_file_failed", .warning, "the metrics could not be written to their file",
        means: "The node exporter shows the figures of the last file.",
        do: "See to the directory of metrics.textfile: it must exist and belong to the worker's user.")

    /// Spans were not delivered.
    public static let spansLost = LogLine(
        "worker.spans_lost", .warning, "spans were not delivered",
        means: "The collector of traces is gone, slow, or refuses them. Nothing but traces is lost.",
        do: "See to the collector and to tracing.endpoint.")

    /// The ledger could not be measured.
    public static let ledgerUnmeasured = LogLine(
        "worker.ledger_unmeasured", .debug, "the ledger could not be measured",
        means: "Its gauges keep their last values, clawgrant_ledger_up is 0.")

    /// The lag could not be measured.
    public static let lagUnmeasured = LogLine(
        "worker.lag_unmeasured", .debug, "the lag could not be measured",
        means: "The brokers did not say where partitions end; the gauges keep their last values.")

    /// Partitions changed.
    public static let partitionsChanged = LogLine(
        "input.partitions_changed", .info, "partitions changed",
        means: "Leases of input partitions were taken, lost or given to others.")

    /// Earlier starts of this worker were ended.
    public static let predecessorsEnded = LogLine(
        "input.predecessors_ended", .info, "earlier starts of this worker were ended",
        means: "They ended without leaving and have no session in the database; what they held is free at once.")

    /// An input topic does not exist.
    public static let topicMissing = LogLine(
        "input.topic_missing", .warning, "an input topic does not exist",
        means: "A source's topic is not on the broker; it is looked for every 10 s.",
        do: "Make it with `clawgrant topics apply`, or correct the rules.")

    /// The broker did not tell its topics.
    public static let topicsUnknown = LogLine(
        "input.topics_unknown", .warning, "the broker did not tell its topics",
        means: "Partitions that were added since are not read yet.",
        do: "See to the broker if it comes again and again.")

    /// A heartbeat failed.
    public static let heartbeatFailed = LogLine(
        "input.heartbeat_failed", .warning, "a heartbeat failed",
        means: "The ledger did not answer. After limits.lease_lifetime_ms others take over.",
        do: "See to the database and to the network.")

    /// Leaving failed; the lease runs out by itself.
    public static let leavingFailed = LogLine(
        "input.leaving_failed", .warning, "leaving failed; the lease runs out by itself",
        means: "Others take over when the lease is over.")

    /// Partitions could not be unassigned.
    public static let unassignFailed = LogLine(
        "input.unassign_failed", .warning, "partitions could not be unassigned",
        means: "The consumer is closing or lost; what it reads is not committed.")

    /// The consumer failed.
    public static let consumerFailed = LogLine(
        "input.consumer_failed", .error, "the consumer failed",
        means: "An error of the client that names no partition.",
        do: "See to the broker; librdkafka says more in the error.")

    /// Input was deleted before it was read.
    public static let inputDeleted = LogLine(
        "input.deleted_unread", .critical, "input was deleted before it was read",
        means: "Retention was shorter than the backlog: records from `from` up to `to` are lost.",
        do: "Lengthen the topic's retention. Have what was lost sent again: its events are not known, so it counts.")

    /// The partition is shorter than what was committed; it is not read until that is explained.
    public static let partitionShorter = LogLine(
        "input.partition_shorter", .critical,
        "the partition is shorter than what was committed; it is not read until that is explained",
        means: "The topic was made anew or lost its end. Nothing of it is read, because offsets mean "
            + "something else now.",
        do: "Find out why. When the topic was made anew, see disasters.md before the worker reads it again.")

    /// A partition cannot be read now.
    public static let partitionUnreadable = LogLine(
        "input.partition_unreadable", .warning, "a partition cannot be read now",
        means: "It is laid down and taken up at the next heartbeat.",
        do: "See to the broker if it comes again and again.")

    /// Group offsets were not committed.
    public static let offsetsUncommitted = LogLine(
        "input.offsets_uncommitted", .debug, "group offsets were not committed",
        means: "Only lag displays of the broker rest on them.")

    /// A batch was fenced off.
    public static let batchFenced = LogLine(
        "decide.fenced", .warning, "a batch was fenced off",
        means: "Another worker holds the partition; nothing was written, and it decides the batch.",
        do: "Nothing, once. Often: heartbeats are late; look at the load and at limits.lease_lifetime_ms.")

    /// A batch that is held back is laid down.
    public static let batchLaidDown = LogLine(
        "decide.laid_down", .info, "a batch that is held back is laid down",
        means: "It is read again when its partition is taken up.")

    /// A batch is decided again.
    public static let batchRetried = LogLine(
        "decide.retried", .info, "a batch is decided again",
        means: "The transaction met another, a stop or a failure that passes; nothing was written.")

    /// A batch is held back.
    public static let batchHeldBack = LogLine(
        "decide.held_back", .warning, "a batch is held back",
        means: "Nothing is issued for a reason that `why` states: a stop view that is too old, clocks "
            + "that differ, a local stop.",
        do: "See troubleshooting.md, by `why`.")

    /// No signing key can be used; waiting.
    public static let keyUnusable = LogLine(
        "decide.key_unusable", .error, "no signing key can be used; waiting",
        means: "No active key may sign now. Nothing is issued, and nothing is lost.",
        do: "Rotate the key or mend the module (keys.md).")

    /// A WPC was refused.
    public static let policyRefused = LogLine(
        "decide.policy_refused", .error, "a WPC was refused",
        means: "Its envelope does not verify or names another policy; requests that need it wait.",
        do: "Ask whoever publishes the WPC.")

    /// The WPC topic is read anew.
    public static let policyTopicRestarted = LogLine(
        "decide.policy_topic_restarted", .warning, "the WPC topic is read anew",
        means: "The consumer failed; WPCs that are known stay known.",
        do: "See to the broker if it comes again and again.")

    /// WPCs on the WPC topic are not kept.
    public static let policyTopicFull = LogLine(
        "decide.policy_topic_full", .error, "the WPC topic holds more WPCs than are kept",
        means: "WPCs past the first 10 000 keys are not found here; requests that need them wait.",
        do: "Delete the WPCs that are out of use from the topic, or name a registry beside it.")

    /// A sweep failed.
    public static let sweepFailed = LogLine(
        "decide.sweep_failed", .warning, "a sweep failed",
        means: "What waits too long is looked at again at the next sweep.",
        do: "See to the database if it comes again and again.")

    /// Control orders that can never matter again are gone.
    public static let ordersPruned = LogLine(
        "decide.orders_pruned", .info, "control orders that can never matter again are gone",
        means: "Housekeeping.")

    /// This worker seals and publishes.
    public static let sealing = LogLine(
        "seal.elected", .info, "this worker seals and publishes",
        means: "It holds the role sealer.")

    /// Sealing and publishing start anew.
    public static let sealingRestarted = LogLine(
        "seal.restarted", .warning, "sealing and publishing start anew",
        means: "A doubt about the broker or the ledger: the producer is made anew and the tail of the "
            + "topics read back.",
        do: "See to broker and database if it comes again and again: grants wait meanwhile.")

    /// Publishing goes on.
    public static let publishingGoesOn = LogLine(
        "seal.publishing", .info, "publishing goes on",
        means: "The tail of the topics was read back; `found` records were there already.")

    /// Acknowledged records are gone from the broker; they are published again.
    public static let recordsGone = LogLine(
        "seal.records_gone", .critical, "acknowledged records are gone from the broker; they are published again",
        means: "Output partitions are shorter than what the broker had acknowledged.",
        do: "The broker loses data: see to its replication, min.insync.replicas and disks.")

    /// Status lists are not published; trying again.
    public static let statusListFailed = LogLine(
        "seal.status_list_failed", .warning, "status lists are not published; trying again",
        means:
            "Verifiers keep the last list until its time is over. None is signed while a stop's tokens are still revoked "
            + "one by one: it would call them valid.",
        do: "See to the broker and the topic of status lists, or wait until the stop has converged.")

    /// A status list is too large to publish.
    public static let statusListTooLarge = LogLine(
        "seal.status_list_too_large", .warning, "a status list is too large to publish",
        means: "Its record is larger than the topic takes.",
        do: "Raise max.message.bytes of the topic and message.max.bytes of the client.")
}
