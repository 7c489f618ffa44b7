extension LogLine {
    /// Every line, by part, in the order of the documentation.
    public static let byPart: [(part: String, lines: [LogLine])] = [
        (
            "The process",
            [
                .workerStarts, .workerLeft, .workerStopping, .workerHalted, .drainTimedOut, .workerAbandoned,
                .companionFailed,
                .budgetsUnenforced, .confirmationMissing, .metricsFileFailed, .spansLost, .ledgerUnmeasured,
                .lagUnmeasured, .serveStopping, .ledgerBehind, .ledgerNotCompared, .ledgerChanged, .ledgerUnidentified,
            ]
        ),
        (
            "Reading",
            [
                .partitionsChanged, .predecessorsEnded, .topicMissing, .topicsUnknown, .heartbeatFailed,
                .leavingFailed,
                .unassignFailed, .consumerFailed, .inputDeleted, .partitionShorter, .partitionUnreadable,
                .offsetsUncommitted,
            ]
        ),
        (
            "Deciding",
            [
                .batchFenced, .batchLaidDown, .batchRetried, .batchHeldBack, .keyUnusable, .policyRefused,
                .policyTopicRestarted, .policyTopicFull, .sweepFailed, .ordersPruned,
            ]
        ),
        (
            "Control events",
            [
                .controlReading, .controlRestarted, .controlWidened, .controlQuarantined, .controlApplied,
                .sourceControlApplied, .controlRetried, .revokingFailed, .tokensRevoked,
            ]
        ),
        (
            "Sealing and publishing",
            [
                .sealing, .sealingRestarted, .publishingGoesOn, .recordsGone, .statusListFailed,
                .statusListTooLarge,
            ]
        ),
        (
            "Sources",
            [
                .sourceSilent, .endMatchedNobody, .healthFailed, .confirmingRestarted, .unconfirmable,
                .vendorUnreachable,
                .vendorContradicts, .redriveFailed, .redriveUnreadable, .redriveOver, .deadLettersExpired,
            ]
        ),
        (
            "Usage",
            [
                .usageReading, .usageRestarted, .noGateways, .usageDeleted, .usageRetried, .usageFindings,
                .usageSetAside, .budgetSpent,
            ]
        ),
        (
            "HTTP",
            [
                .drainDropped, .certificatesChanged, .certificatesUnusable, .requestCut, .requestAnswered,
                .connectionEnded,
            ]
        ),
        (
            "The issuer's surface",
            [
                .surfaceServed, .callersUnusable, .revocationsUnread, .revocationsRead, .preflightFailed,
                .nonceKeyUnread, .claimHeldBack, .claimFailed, .evidenceUnread,
            ]
        ),
        ("The console", [.consoleUnanswered, .consoleSignedIn, .consoleStopDeclared, .consoleStopFailed]),
        (
            "Security events",
            [
                .sinksStreaming, .sinksRestarted, .sinkUnusable, .syslogConnected, .sinkDeliveryFailed, .sinkRecovered,
                .sinkEventsLeftOut, .sinkLedgerUnread, .sinkPositionUnwritten,
            ]
        ),
        (
            "The webhook bridge",
            [
                .bridgeListening, .bridgeStopping, .webhookUnwritten, .webhookPartly, .webhookUnsigned,
                .webhookRefused,
            ]
        ),
        (
            "The Kafka client",
            [
                .kafkaClient
            ]
        ),
    ]

    /// Every line.
    public static let all = byPart.flatMap(\.lines)
}
