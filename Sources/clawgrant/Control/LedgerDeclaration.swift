import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Logging

/// Declares a control event straight to the ledger: with the broker gone as well as with it.
struct LedgerDeclaration {
    private let declaration: Declaration
    private let file: ConfigurationFile
    private var options: DeclarationOptions { declaration.options }

    init(_ declaration: Declaration, _ file: ConfigurationFile) {
        self.declaration = declaration
        self.file = file
    }

    func declare() async throws {
        #if DEBUG
            try CrashPlan.arm()
        #endif
        let rules = try declaration.rules(file)
        try declaration.refuseUseless(file)
        try await LedgerAccess.ledger(file, ifUnreachable: Self.withoutDatabase(file)) { ledger in
            // A drill is measured up to those who refuse tokens; what they read is published by workers.
            var isMeasured = declaration.operation.kind == .drill && (options.wait ?? .converged) == .converged
            if isMeasured { isMeasured = try await ledger.controlOverview().liveWorkers > 0 }
            try await GatewayReader.reading(file, isNeeded: isMeasured, atMost: options.timeout) { reader in
                try await declare(rules, ledger, reader)
            }
        }
    }

    private func declare(_ rules: RuleSet?, _ ledger: PostgresLedger, _ reader: GatewayReader?) async throws {
        // Whoever asks for no question wants the stop, not its preview: what it hits is counted by the stop itself.
        let isFirst = options.yes && declaration.isUrgent
        var overview: ControlOverview?
        if !isFirst {
            let read = try await ledger.controlOverview()
            tell(try await preview(read, rules, ledger))
            overview = read
            try declaration.confirm()
        }
        let stopwatch = Stopwatch()
        let answer = try await apply(rules ?? .unread, ledger, stopwatch)
        try tell(answer, stopwatch)
        if isFirst {
            overview = try await Self.whenReachable { try await ledger.controlOverview() }
            if let overview { try tellAfterwards(overview, rules, answer) }
        }
        // Nobody seals and publishes while no worker runs: there is nothing to wait for.
        let level = options.wait ?? (overview?.liveWorkers == 0 ? .acknowledged : .converged)
        if let position = answer.position, level > .acknowledged {
            try await follow(position, of: answer.voidedTokens, until: level, ledger, stopwatch)
            if let reader, level == .converged { try await tell(reader, position, stopwatch) }
        }
    }

    /// What to do when there is no database to stop in.
    static func withoutDatabase(_ file: ConfigurationFile) -> String {
        let local = file.worker.control.stopFile.map { "`touch \($0)` on its machine, or " } ?? ""
        return "workers that cannot reach it issue nothing either; to make sure, halt each worker by itself: \(local)"
            + "`kill -USR1` its process; or send the event with --via-topic --sign-key FILE; see docs/emergency-stop.md"
    }

    // MARK: Before

    private func preview(
        _ overview: ControlOverview, _ rules: RuleSet?, _ ledger: PostgresLedger
    ) async throws -> ControlPreview {
        let state = try ControlState(overview)
        var live: Int64?
        if let scope = declaration.operation.scope {
            live = overview.live(in: scope)
            if live == nil {
                live = try await ledger.liveTokens(
                    scopeKind: scope.kind.rawValue, value: scope.value, atMost: ControlPreview.most, within: .seconds(2)
                )
            }
        }
        return ControlPreview(declaration, overview, state, rules, file, live: live)
    }

    /// What the preview would have said, once the event is in force: the numbers for machines, the warnings for everybody.
    private func tellAfterwards(
        _ overview: ControlOverview, _ rules: RuleSet?, _ answer: ControlAcknowledgement
    ) throws {
        let live =
            answer.revocationRuns > 0
            ? answer.voidedTokens : declaration.operation.scope.flatMap { overview.live(in: $0) }
        let preview = ControlPreview(
            declaration, overview, try ControlState(overview), rules, file, live: live, isAfterwards: true)
        if options.output.isJSON {
            Console.out(preview.json)
        } else {
            for line in preview.warningLines { Console.out(line) }
        }
    }

    private func tell(_ preview: ControlPreview) {
        if options.output.isJSON {
            Console.out(preview.json)
        } else {
            for line in preview.lines { Console.out(line) }
        }
    }

    // MARK: The event

    /// Applies the event, again when its outcome is not known or the database cannot answer: a repeat changes nothing.
    private func apply(
        _ rules: RuleSet, _ ledger: PostgresLedger, _ stopwatch: Stopwatch
    ) async throws -> ControlAcknowledgement {
        let lookup = PolicyLookup(
            sources: file.worker.policySources(rules), rules: rules, kafka: file.worker.kafka,
            logger: Logger(label: "clawgrant") { _ in LineLogHandler(file.log) })
        var otherKeys: Set<KeyID> = []
        while true {
            do {
                if declaration.operation.kind == .suspectKey { otherKeys = try await ledger.keysWithoutTokens() }
                let applier = ControlApplier(
                    ledger: ledger, rules: rules, worker: LedgerAccess.name, otherKeys: otherKeys
                ) { hash in
                    await lookup.isVerified(hash)
                }
                return try await applier.apply(declaration.event, since: stopwatch.start)
            } catch let error as LedgerError {
                guard error.isRetriable, stopwatch.seconds < options.timeout else {
                    throw CommandFailure.negative(
                        "the ledger did not take the event: \(error)",
                        remedy: error.code == .outcomeUnknown
                            ? "whether it holds is not known: ask `clawgrant stop status`, or declare it again with "
                                + "--id \(declaration.id)"
                            : Self.withoutDatabase(file))
                }
                if !options.output.isJSON { Console.error("trying again: \(error)") }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func tell(_ answer: ControlAcknowledgement, _ stopwatch: Stopwatch) throws {
        let report = ControlReport(declaration, answer, milliseconds: stopwatch.milliseconds)
        if options.output.isJSON {
            Console.out(report.json)
        } else {
            for line in report.lines { Console.out(line) }
        }
        try declaration.check(answer.result)
    }

    // MARK: After

    private func follow(
        _ position: Int64, of voided: Int64?, until level: WaitLevel, _ ledger: PostgresLedger, _ stopwatch: Stopwatch
    ) async throws {
        var sealed: Int64?
        var swept: Int64?
        var isPublished = false
        var line = ProgressLine(voided: voided)
        while stopwatch.seconds - line.changedAt < options.timeout {
            if let progress = try await Self.whenReachable({ try await ledger.controlProgress(of: position) }) ?? nil {
                // What is sealed is in a batch no later than the last one that the same snapshot shows.
                if progress.isSealed { sealed = sealed ?? progress.lastBatch }
                if progress.isSwept { swept = swept ?? progress.lastBatch }
                if let text = line.take(progress, at: stopwatch.seconds) {
                    tell(revoking: progress, voided, stopwatch, text)
                }
                if !isPublished, let sealed, progress.nextBatchToPublish > sealed {
                    isPublished = true
                    tell(
                        .published, stopwatch,
                        "the answer is on \(file.worker.outputs.name(.controlResults)), cut-offs are on "
                            + file.worker.outputs.name(.revocations))
                }
                if isPublished, level == .published { return }
                if isPublished, let swept, progress.nextBatchToPublish > swept {
                    tell(
                        .converged, stopwatch, "\(progress.revokedTokens) tokens revoked one by one, all published",
                        revoked: progress.revokedTokens)
                    return
                }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CommandFailure.negative(
            "it is in force since control position \(position), and was not seen "
                + (isPublished ? "to have converged" : "published") + ": nothing moved for \(options.timeout) s; "
                + Self.known(line.last, isPublished: isPublished),
            remedy:
                "look whether a worker runs and reaches the broker; `clawgrant stop status` tells how far it has come, and "
                + "the same command with --id \(declaration.id) follows it to its end")
    }

    /// What is known of an event that is in force and whose end was not seen.
    private static func known(_ progress: ControlProgress?, isPublished: Bool) -> String {
        let revoked = progress?.revokedTokens ?? 0
        return isPublished
            ? "its answer and cut-offs are published, so that gateways refuse what they cover; \(revoked) tokens were "
                + "revoked one by one, which is not all published"
            : "\(revoked) tokens were revoked one by one, and gateways do not know of it yet: those that ask for a fresh "
                + "view refuse every token once theirs is too old"
    }

    /// Waits until a reader knows of it, as gateways do.
    private func tell(_ reader: GatewayReader, _ position: Int64, _ stopwatch: Stopwatch) async throws {
        let asOf = try await reader.head(of: position, within: .seconds(options.timeout))
        if options.output.isJSON {
            Console.out(
                .object([
                    "step": "seen", "ms": .number(stopwatch.milliseconds), "control_position": .integer(position),
                    "as_of": .string(asOf.iso8601),
                ]))
        } else {
            Console.out(
                ControlReport.line(
                    "seen", stopwatch.milliseconds,
                    "a reader of \(file.worker.outputs.name(.revocations)) has it, by a signed head of control position "
                        + "\(position): a gateway would refuse"))
        }
    }

    /// An answer, or `nil` while the database cannot tell: what is acknowledged stays so meanwhile.
    private static func whenReachable<Answer>(_ ask: () async throws -> Answer) async throws -> Answer? {
        do {
            return try await ask()
        } catch let error as LedgerError where error.isRetriable {
            return nil
        }
    }

    private func tell(
        revoking progress: ControlProgress, _ voided: Int64?, _ stopwatch: Stopwatch, _ text: String
    ) {
        if options.output.isJSON {
            var object: JSONObject = [
                "step": "revoking", "ms": .number(stopwatch.milliseconds),
                "revoked_tokens": .integer(progress.revokedTokens),
            ]
            object["voided_tokens"] = voided.map { .integer($0) }
            Console.out(.object(object))
        } else {
            Console.out(ControlReport.line("revoking", stopwatch.milliseconds, text))
        }
    }

    private func tell(_ step: WaitLevel, _ stopwatch: Stopwatch, _ text: String, revoked: Int64? = nil) {
        if options.output.isJSON {
            var object: JSONObject = ["step": .string(step.rawValue), "ms": .number(stopwatch.milliseconds)]
            object["revoked_tokens"] = revoked.map { .integer($0) }
            Console.out(.object(object))
        } else {
            Console.out(ControlReport.line(step.rawValue, stopwatch.milliseconds, text))
        }
    }
}

/// Tells once a second how many tokens are revoked, and knows when anything last moved.
struct ProgressLine {
    /// What was known last.
    private(set) var last: ControlProgress?

    private struct Moved: Hashable {
        let isSealed: Bool
        let isSwept: Bool
        let openRuns: Int64
        let revokedTokens: Int64
        let nextBatchToPublish: Int64
    }

    /// Live tokens that are void; `nil` when nobody counted them.
    let voided: Int64?
    /// The second in which anything last moved.
    private(set) var changedAt: Int64 = 0
    private var moved: Moved?
    private var toldAt: Int64 = 0

    init(voided: Int64?) { self.voided = voided }

    /// Takes what is known now.
    ///
    /// - Parameter second: Whole seconds since the beginning.
    /// - Returns: The line to show: while tokens are being revoked, one in each second.
    mutating func take(_ progress: ControlProgress, at second: Int64) -> String? {
        last = progress
        let now = Moved(
            isSealed: progress.isSealed, isSwept: progress.isSwept, openRuns: progress.openRuns,
            revokedTokens: progress.revokedTokens, nextBatchToPublish: progress.nextBatchToPublish)
        if now != moved {
            if moved != nil { changedAt = second }
            moved = now
        }
        guard progress.openRuns > 0, second > toldAt else { return nil }
        toldAt = second
        return "\(progress.revokedTokens)" + (voided.map { " of \(max($0, progress.revokedTokens))" } ?? "") + " tokens"
    }
}

/// Measures from when somebody has said yes.
struct Stopwatch {
    let start = ContinuousClock.now

    /// Milliseconds so far, to a tenth.
    var milliseconds: Double { ((ContinuousClock.now - start) / .milliseconds(1) * 10).rounded() / 10 }

    /// Whole seconds so far.
    var seconds: Int64 { Int64((ContinuousClock.now - start) / .seconds(1)) }
}

extension ControlState {
    /// The state that the ledger holds.
    init(_ overview: ControlOverview) throws {
        let orders = try overview.orders.map { row in
            do {
                return try ControlOrder(key: row.key, body: row.body, position: row.position)
            } catch {
                throw CommandFailure.negative(
                    "the control order \(row.key) does not read: \(error)", remedy: "compare the ledger with a backup")
            }
        }
        self.init(position: overview.position, orders: orders)
    }
}
