import Logging

// Lines of the issuer's HTTP surface, the console and the sinks of security events.

extension LogLine {
    /// The HTTP surface is served.
    public static let surfaceServed = LogLine(
        "api.served", .info, "the HTTP surface is served",
        means: "Clients can connect at the host and port of the fields.")

    /// Changed callers cannot be used.
    public static let callersUnusable = LogLine(
        "api.callers_unusable", .error, "changed callers cannot be used",
        means: "A file of hashes of callers' tokens was changed and does not read; the earlier hashes stay in force.",
        do: "Mend the file; it is read again by itself.")

    /// Revocations cannot be read from the ledger.
    public static let revocationsUnread = LogLine(
        "api.revocations_unread", .error,
        "revocations cannot be read from the ledger; no token is called active before they can",
        means: "Introspection answers 503 as soon as what is known is older than http.introspection.max_age_ms.",
        do: "See to the database.")

    /// Revocations can be read from the ledger again.
    public static let revocationsRead = LogLine(
        "api.revocations_read", .notice, "revocations can be read from the ledger again",
        means: "Tokens are called active again.")

    /// A preflight could not be answered.
    public static let preflightFailed = LogLine(
        "api.preflight_failed", .error, "a preflight could not be answered",
        means: "The ledger or a policy could not be read; the caller was asked to come again.",
        do: "See to whichever the error names.")

    /// The key of nonces cannot be read.
    public static let nonceKeyUnread = LogLine(
        "api.nonce_key_unread", .error, "the key of nonces cannot be read",
        means: "The ledger did not answer; grants cannot be claimed before it does.",
        do: "See to the database.")

    /// A claim is held back.
    public static let claimHeldBack = LogLine(
        "api.claim_held_back", .warning, "a claim is held back",
        means: "Nothing is given out at the moment, for the reason in `why`; the caller was asked to come again.",
        do: "Look at the control topic and at `clawgrant stop status`.")

    /// A claim could not be answered.
    public static let claimFailed = LogLine(
        "api.claim_failed", .error, "a claim could not be answered",
        means: "Nothing was claimed; the caller was asked to come again.",
        do: "See to whichever the error names.")

    /// Evidence could not be read.
    public static let evidenceUnread = LogLine(
        "api.evidence_unread", .error, "evidence could not be read",
        means: "The ledger did not answer; the caller was asked to come again.",
        do: "See to the database.")

    /// The console could not be answered.
    public static let consoleUnanswered = LogLine(
        "console.unanswered", .warning, "the console could not be answered",
        means: "The ledger or the brokers did not answer; the page shows what is older, and says so.",
        do: "See to whichever the reason names if it lasts.")

    /// Somebody signed in to the console.
    public static let consoleSignedIn = LogLine(
        "console.signed_in", .notice, "somebody signed in to the console",
        means: "By the token or the certificate of the caller that is named.")

    /// A stop was declared from the console.
    public static let consoleStopDeclared = LogLine(
        "console.stop_declared", .critical, "a stop was declared from the console",
        means: "It holds: it is committed at the control position of the field.",
        do: "Ask whom `by` names if it was not expected; `clawgrant stop lift` lifts it (emergency-stop.md).")

    /// A stop from the console was not taken.
    public static let consoleStopFailed = LogLine(
        "console.stop_failed", .error, "a stop from the console was not taken",
        means: "The ledger refused it or did not answer; the page says which, and whether it may hold.",
        do: "Send it again, or declare it with `clawgrant stop`; halt workers one by one if the ledger is gone.")

    /// Security events are streamed.
    public static let sinksStreaming = LogLine(
        "siem.streaming", .info, "streaming security events",
        means: "It holds the role security_events.")

    /// Streaming security events starts anew.
    public static let sinksRestarted = LogLine(
        "siem.restarted", .warning, "streaming security events starts anew",
        means: "Positions are in the ledger; nothing is lost.",
        do: "See to the database if it comes again and again.")

    /// A sink cannot be made.
    public static let sinkUnusable = LogLine(
        "siem.sink_unusable", .error, "a sink cannot be made",
        means: "What the configuration says of it cannot be used; its position stays where it is.",
        do: "Mend what the reason names, and start the worker anew.")

    /// A syslog receiver was connected to.
    public static let syslogConnected = LogLine(
        "siem.syslog_connected", .info, "connected to a syslog receiver",
        means: "At the address in `receiver`.")

    /// A delivery failed.
    public static let sinkDeliveryFailed = LogLine(
        "siem.delivery_failed", .warning, "a delivery failed",
        means: "It is tried again. At level error a finding was raised.",
        do: "See to the collector that `sink` names (siem.md).")

    /// A sink delivers again.
    public static let sinkRecovered = LogLine(
        "siem.recovered", .notice, "a sink delivers again",
        means: "After as many failures as it says, from the position in `next` on.")

    /// Events are left out.
    public static let sinkEventsLeftOut = LogLine(
        "siem.left_out", .error, "events are left out",
        means: "The collector refuses them for good; the gap shows in the events' numbers, and a finding says so.",
        do: "Read `why`, mend the collector, and send them with `clawgrant siem replay --from FIRST`.")

    /// The ledger cannot be read for a sink.
    public static let sinkLedgerUnread = LogLine(
        "siem.ledger_unread", .warning, "the ledger cannot be read; trying again",
        means: "The sink waits; nothing is lost.",
        do: "See to the database if it comes again and again.")

    /// A sink's position cannot be written.
    public static let sinkPositionUnwritten = LogLine(
        "siem.position_unwritten", .warning, "the position cannot be written; trying again",
        means: "What was delivered may be delivered again.",
        do: "See to the database if it comes again and again.")
}
