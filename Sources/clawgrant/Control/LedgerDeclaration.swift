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
        let rules = try file.rules()
        try await LedgerAccess.ledger(file, ifUnreachable: Self.withoutDatabase(file)) { ledger in
            let overview = try await ledger.controlOverview()
            let preview = try await preview(overview, rules, ledger)
            tell(preview)
            try declaration.confirm()
            let stopwatch = Stopwatch()
            let answer = try await apply(rules, ledger, stopwatch)
            try tell(answer, stopwatch)
            // Nobody seals and publishes while no worker runs: there is nothing to wait for.
            let level = options.wait ?? (overview.liveWorkers == 0 ? .acknowledged : .published)
            if let position = answer.position, level > .acknowledged {
                try await follow(position, until: level, ledger, stopwatch)
            }
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
        _ overview: ControlOverview, _ rules: RuleSet, _ ledger: PostgresLedger
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
        let applier = ControlApplier(ledger: ledger, rules: rules, worker: LedgerAccess.name) { hash in
            await lookup.isVerified(hash)
        }
        while true {
            do {
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
        _ position: Int64, until level: WaitLevel, _ ledger: PostgresLedger, _ stopwatch: Stopwatch
    ) async throws {
        var sealed: Int64?
        var swept: Int64?
        var isPublished = false
        while stopwatch.seconds < options.timeout {
            if let progress = try await Self.progress(ledger, position) {
                // What is sealed is in a batch no later than the last one that the same snapshot shows.
                if progress.isSealed { sealed = sealed ?? progress.lastBatch }
                if progress.isSwept { swept = swept ?? progress.lastBatch }
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
                + (isPublished ? "to have converged" : "published") + " within \(options.timeout) s",
            remedy:
                "look whether a worker runs and reaches the broker; `clawgrant stop status` tells how far it has come")
    }

    /// Progress, or `nil` while the database cannot tell: what is acknowledged stays so meanwhile.
    private static func progress(_ ledger: PostgresLedger, _ position: Int64) async throws -> ControlProgress? {
        do {
            return try await ledger.controlProgress(of: position)
        } catch  where error.isRetriable {
            return nil
        }
    }

    private func tell(_ step: WaitLevel, _ stopwatch: Stopwatch, _ text: String, revoked: Int64? = nil) {
        if options.output.isJSON {
            var object: JSONObject = ["step": .string(step.rawValue), "ms": .number(stopwatch.milliseconds)]
            object["revoked_tokens"] = revoked.map { .integer($0) }
            Console.out(.object(object))
        } else {
            Console.out(ControlReport.line(step, stopwatch.milliseconds, text))
        }
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
