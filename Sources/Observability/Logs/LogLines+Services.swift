import Logging

// Lines of control events, sources, usage, HTTP, the webhook bridge and the Kafka client.

extension LogLine {
    /// This worker reads the control topic.
    public static let controlReading = LogLine(
        "control.reading", .info, "this worker reads the control topic",
        means: "It holds the role control.")

    /// Reading the control topic starts anew.
    public static let controlRestarted = LogLine(
        "control.restarted", .warning, "reading the control topic starts anew",
        means: "While nobody reads it for control.stop_view_max_age_ms, nothing is issued.",
        do: "See to the broker and the control topic.")

    /// A control event could not be read in full and stops more than it may have meant.
    public static let controlWidened = LogLine(
        "control.widened", .critical,
        "a control event could not be read in full and stops more than it may have meant",
        means: "A trusted stop with a part that does not read was widened, never dropped.",
        do: "Look at `clawgrant stop status`, lift what was not meant, and correct the sender.")

    /// A control event is not obeyed.
    public static let controlQuarantined = LogLine(
        "control.quarantined", .critical, "a control event is not obeyed",
        means: "It is not authentic or does not read, and it is set aside.",
        do: "If it was meant, declare it with `clawgrant stop`. If nobody of yours sent it, find out "
            + "who can write to the topic.")

    /// A control event was applied.
    public static let controlApplied = LogLine(
        "control.applied", .notice, "a control event was applied",
        means: "The fields say what it came to, and its position.")

    /// A control event of a source of approvals was applied.
    public static let sourceControlApplied = LogLine(
        "control.source_applied", .notice, "a control event of a source of approvals was applied",
        means: "A stop or lift that came among approvals, or a vendor's incident.")

    /// A signal or a removal matched no approval.
    public static let endMatchedNobody = LogLine(
        "source.end_matched_nobody", .warning, "a signal or a removal matched no open approval and ended nothing",
        means: "It was meant for approvals here, and names people or assignments that no open approval names.",
        do: "Compare what it names with the approvals of that person; revoke by hand what should not stand.")

    /// A control event is applied again.
    public static let controlRetried = LogLine(
        "control.retried", .warning, "a control event is applied again",
        means: "The transaction failed for a passing reason; a repeat changes nothing.",
        do: "See to the database.")

    /// Revoking tokens failed; trying again.
    public static let revokingFailed = LogLine(
        "control.revoking_failed", .warning, "revoking tokens failed; trying again",
        means: "The cut-off voids the tokens all the same.",
        do: "See to the database if it comes again and again.")

    /// Tokens voided by a control event are revoked one by one.
    public static let tokensRevoked = LogLine(
        "control.tokens_revoked", .notice, "tokens voided by a control event are revoked one by one",
        means: "How far it has come.")

    /// A source is silent.
    public static let sourceSilent = LogLine(
        "source.silent", .warning, "a source is silent",
        means: "No record of it came for max_source_silence; what rests on it is held or refused.",
        do: "See source-health.md: the vendor's export, the connector, the topic.")

    /// Watching the sources failed; trying again.
    public static let healthFailed = LogLine(
        "source.health_failed", .warning, "watching the sources failed; trying again",
        means: "The ledger did not answer.",
        do: "See to the database if it comes again and again.")

    /// Confirming starts anew.
    public static let confirmingRestarted = LogLine(
        "source.confirming_restarted", .warning, "confirming starts anew",
        means: "The ledger did not answer, or the role changed hands.")

    /// A source demands a confirmation of something that Microsoft Graph does not know.
    public static let unconfirmable = LogLine(
        "source.unconfirmable", .warning,
        "a source demands a confirmation of something that Microsoft Graph does not know",
        means: "The approval waits and times out.",
        do: "Correct the rules: only what Graph knows can be confirmed.")

    /// The vendor could not be asked.
    public static let vendorUnreachable = LogLine(
        "source.vendor_unreachable", .info, "the vendor could not be asked",
        means: "It is asked again later; at level error only somebody's doing can help.",
        do: "At error: see to the application's permissions and certificate.")

    /// The vendor contradicts a source.
    public static let vendorContradicts = LogLine(
        "source.contradicted", .error, "the vendor contradicts a source",
        means: "What the source said is not so. Nothing is issued on it, and a finding is raised.",
        do: "Find out who wrote the record: it was forged, or the pipeline is wrong.")

    /// Reading dead letters' records again failed.
    public static let redriveFailed = LogLine(
        "source.redrive_failed", .warning, "reading dead letters' records again failed",
        means: "It is tried again.",
        do: "See to broker and database if it comes again and again.")

    /// The record of a dead letter cannot be read now.
    public static let redriveUnreadable = LogLine(
        "source.redrive_unreadable", .warning, "the record of a dead letter cannot be read now",
        means: "It is tried again.",
        do: "See to the broker if it comes again and again.")

    /// A redrive was done or given up before.
    public static let redriveOver = LogLine(
        "source.redrive_over", .debug, "a redrive was done or given up before",
        means: "Nobody wants it any more.")

    /// Dead letters whose time is over are gone.
    public static let deadLettersExpired = LogLine(
        "source.dead_letters_expired", .info, "dead letters whose time is over are gone",
        means: "limits.dead_letter_keep_days; their receipts remain.")

    /// This worker reads gateway receipts.
    public static let usageReading = LogLine(
        "usage.reading", .info, "this worker reads gateway receipts",
        means: "It holds the role usage.")

    /// Reading gateway receipts starts anew.
    public static let usageRestarted = LogLine(
        "usage.restarted", .warning, "reading gateway receipts starts anew",
        means: "Budgets are counted later.",
        do: "See to broker and database if it comes again and again.")

    /// Gateway receipts are read and the rules list no gateway that is believed.
    public static let noGateways = LogLine(
        "usage.no_gateways", .warning, "gateway receipts are read and the rules list no gateway that is believed",
        means: "Every receipt is refused.",
        do: "List the gateways' keys in the rules (budgets.md).")

    /// Gateway receipts were deleted before they were read.
    public static let usageDeleted = LogLine(
        "usage.deleted_unread", .critical, "gateway receipts were deleted before they were read",
        means: "Retention was shorter than the backlog: usage from `from` up to `to` is not counted.",
        do: "Lengthen the topic's retention.")

    /// A batch of gateway receipts is recorded again.
    public static let usageRetried = LogLine(
        "usage.retried", .debug, "a batch of gateway receipts is recorded again",
        means: "The transaction met another; nothing was written.")

    /// Gateway receipts led to findings.
    public static let usageFindings = LogLine(
        "usage.findings", .warning, "gateway receipts led to findings",
        means: "A call that the grants do not cover; at level error it is critical.",
        do: "Look at the findings' topic (budgets.md).")

    /// Records of gateways were set aside; their dead letters say why.
    public static let usageSetAside = LogLine(
        "usage.set_aside", .warning, "records of gateways were set aside; their dead letters say why",
        means: "They are not authentic or do not read.",
        do: "Look at `clawgrant dlq list`.")

    /// Tokens were revoked because a budget is spent.
    public static let budgetSpent = LogLine(
        "usage.budget_spent", .notice, "tokens were revoked because a budget is spent",
        means: "In the transaction that found it out.")

    /// Requests were still being answered at the end of the drain and are dropped.
    public static let drainDropped = LogLine(
        "http.drain_dropped", .warning, "requests were still being answered at the end of the drain and are dropped",
        means: "Their callers come again.")

    /// Certificates were changed and are in force.
    public static let certificatesChanged = LogLine(
        "http.certificates_changed", .notice, "certificates were changed and are in force",
        means: "New connections use them.")

    /// Changed certificates cannot be used.
    public static let certificatesUnusable = LogLine(
        "http.certificates_unusable", .error, "changed certificates cannot be used",
        means: "The earlier ones stay in force until they expire.",
        do: "Mend the files; they are read again by themselves.")

    /// A request did not arrive whole.
    public static let requestCut = LogLine(
        "http.request_cut", .debug, "a request did not arrive whole",
        means: "The caller went away or was too slow.")

    /// Request.
    public static let requestAnswered = LogLine(
        "http.request", .info, "request",
        means: "One request and its answer; at level warning the answer was a fault of ours.",
        do: "At warning: look at the lines around it.")

    /// A connection ended before it could ask.
    public static let connectionEnded = LogLine(
        "http.connection_ended", .debug, "a connection ended before it could ask",
        means: "TLS was not agreed on, or the caller went away.")

    /// Listening.
    public static let bridgeListening = LogLine(
        "bridge.listening", .info, "listening",
        means: "Webhooks are taken.")

    /// Stopping: answering what is in hand; a second signal ends at once.
    public static let bridgeStopping = LogLine(
        "bridge.stopping", .info, "stopping: answering what is in hand; a second signal ends at once",
        means: "SIGTERM or SIGINT arrived.")

    /// A webhook could not be written and the vendor is asked to come again.
    public static let webhookUnwritten = LogLine(
        "bridge.unwritten", .error, "a webhook could not be written and the vendor is asked to come again",
        means: "The broker did not take the record.",
        do: "See to the broker. Vendors give up after some hours.")

    /// Some entries of a webhook were rejected and the others written.
    public static let webhookPartly = LogLine(
        "bridge.partly_rejected", .notice, "some entries of a webhook were rejected and the others written",
        means: "`codes` says why.",
        do: "Look at the source's page if they should have been taken.")

    /// An event could not be signed.
    public static let webhookUnsigned = LogLine(
        "bridge.unsigned", .error, "an event could not be signed",
        means: "The bridge's key cannot be used.",
        do: "See to bridge keys (bridge.md).")

    /// A webhook was refused.
    public static let webhookRefused = LogLine(
        "bridge.refused", .notice, "a webhook was refused",
        means: "Not authentic, too large, too many, or not understood; `code` and `at` say which.",
        do: "Many of `unauthorized`: the secret was changed on one side only, or somebody tries.")

    /// Librdkafka.
    public static let kafkaClient = LogLine(
        "kafka.client", .debug, "librdkafka",
        means: "What the Kafka client says; its severity is the line's level, `facility` and "
            + "`message` are librdkafka's.",
        do: "At error: see to brokers, certificates and credentials.")
}
