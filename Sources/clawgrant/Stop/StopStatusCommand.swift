import ArgumentParser
import ClawWire
import Console
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules

/// `clawgrant stop status`: is it stopped?
struct StopStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Is it stopped? The first line answers.",
        discussion: "Then every stop and restriction that holds, and what is still on its way because of them.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let file = try source.load()
        let stopFile = file.worker.control.stopFile
        let isHalted = stopFile.map { FileManager.default.fileExists(atPath: $0) } ?? false
        let remedy =
            "what is stopped is not known; workers that cannot reach the database issue nothing"
            + (isHalted ? ", and the worker of this configuration is halted by \(stopFile ?? "")" : "")
            + "; " + LedgerDeclaration.withoutDatabase(file)
        let overview = try await LedgerAccess.ledger(file, ifUnreachable: remedy) { try await $0.controlOverview() }
        let status = StopStatus(
            overview, try ControlState(overview), file.worker.control, isHalted: isHalted)
        if output.isJSON {
            Console.out(status.json)
        } else {
            for line in status.lines { Console.out(line) }
        }
    }
}

/// What is stopped, and how far it has come.
struct StopStatus {
    private let overview: ControlOverview
    private let state: ControlState
    private let control: WorkerConfiguration.Control
    /// Whether the stop file of this configuration's worker exists.
    private let isHalted: Bool

    init(
        _ overview: ControlOverview, _ state: ControlState, _ control: WorkerConfiguration.Control, isHalted: Bool
    ) {
        self.overview = overview
        self.state = state
        self.control = control
        self.isHalted = isHalted
    }

    /// Milliseconds since the control topic was read to its end; negative when the ledger's clock was set back since.
    private var age: Int64 { (overview.now.microseconds - overview.polledAt.microseconds) / 1_000 }
    private var reading: String {
        age < -1_000 ? "\(-age) ms in the ledger's future, whose clock was set back since" : "\(max(0, age)) ms ago"
    }
    private var limit: Int64 { Int64(control.viewMaximumAge / .milliseconds(1)) }
    /// Workers issue nothing while the control topic has not been read to its end for too long.
    private var isStale: Bool { control.topic != nil && (age > limit || age < -1_000) }

    /// Restrictions that hold beside stops.
    private var restrictions: [ControlOrder] {
        state.standingOrders.filter { if case .stop = $0.content { false } else { true } }
    }

    /// What lifts left behind: there are more and more of them.
    private var barriers: [ControlOrder] { restrictions.filter(\.isBarrier) }
    private static let shownBarriers = 5

    private var stopped: String {
        let stops = state.activeStops
        if stops.contains(where: { $0.scope == .everything }) { return "everything" }
        return stops.isEmpty ? "no" : "partly"
    }

    /// The answer.
    var headline: String {
        let stops = state.activeStops
        var text: String
        switch stopped {
        case "everything": text = Console.styled("STOPPED", .red) + ": everything"
        case "no": text = Console.styled("NOT STOPPED", .green) + ": no stop holds"
        default:
            let scopes = Set(stops.map(\.scope.text)).sorted()
            text =
                Console.styled("PARTLY STOPPED", .yellow) + ": "
                + Console.plain(scopes.prefix(5).joined(separator: ", "))
                + (scopes.count > 5 ? " and \(scopes.count - 5) more" : "")
        }
        if isStale, stopped != "everything" {
            text += "; but NOTHING IS ISSUED: the control topic was last read \(reading), \(limit) ms are allowed"
        } else if overview.liveWorkers == 0, stopped != "everything" {
            text += "; but NOTHING IS ISSUED: no worker is alive"
        }
        return text
    }

    var lines: [String] {
        var lines = [headline]
        for stop in state.activeStops { lines.append("  \(Console.plain(stop.line))") }
        let shown = restrictions.filter { !$0.isBarrier } + barriers.suffix(Self.shownBarriers)
        if !shown.isEmpty {
            lines.append("restrictions that hold:")
            for order in shown { lines.append("  \(Console.plain(order.line))") }
            let hidden = barriers.count - Self.shownBarriers
            if hidden > 0 { lines.append("  and \(hidden) older scopes with dead approvals; --json lists them") }
        }
        var rows = [
            ["control position", "\(overview.position), as of \(overview.now)"],
            ["published", overview.isPublished ? "all of it" : "not all of it yet"],
            [
                "control topic",
                control.topic.map {
                    "\($0), last read to its end \(reading) by "
                        + (overview.reader?.rawValue ?? "a worker that is gone") + "; \(limit) ms are allowed"
                } ?? "none is configured: events come from the command line alone",
            ],
            ["live workers", "\(overview.liveWorkers)"],
            [
                "local stop",
                control.stopFile.map { isHalted ? "HALTED: the file \($0) exists" : "\($0) does not exist here" }
                    ?? "no stop file is configured",
            ],
        ]
        for run in overview.openRuns {
            rows.append([
                "revoking", Console.plain("\(run.handle): \(run.revoked) tokens so far, since \(run.startedAt)"),
            ])
        }
        return lines + Console.table(rows)
    }

    var json: JSONValue {
        [
            "stopped": .string(stopped),
            "is_issuing": .bool(stopped != "everything" && !isStale && overview.liveWorkers > 0),
            "control_position": .integer(overview.position), "as_of": .string(overview.now.iso8601),
            "stops": .array(
                state.activeStops.map { ControlOrder(position: $0.position, content: .stop($0)).json }),
            "restrictions": .array(restrictions.map(\.json)),
            "revocation_runs": .array(
                overview.openRuns.map {
                    [
                        "id": .string($0.handle), "control_position": .integer($0.position),
                        "scope": .string([$0.scopeKind, $0.scopeValue].compactMap(\.self).joined(separator: ":")),
                        "revoked_tokens": .integer($0.revoked), "started_at": .string($0.startedAt.iso8601),
                    ]
                }), "is_published": .bool(overview.isPublished),
            "control_topic": [
                "name": .optional(control.topic), "age_ms": .integer(age), "allowed_ms": .integer(limit),
                "is_stale": .bool(isStale), "reader": .optional(overview.reader?.rawValue),
            ], "live_workers": .integer(overview.liveWorkers),
            "local_stop": ["file": .optional(control.stopFile), "exists": .bool(isHalted)],
        ]
    }
}

extension ControlOrder {
    /// True for authority that is dead for ever.
    fileprivate var isBarrier: Bool { if case .barrier = content { true } else { false } }
}
