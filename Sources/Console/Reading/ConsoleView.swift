import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import ReceiptLog

/// How things stand, as an object for the page. Pure.
///
/// What changes while nothing happens, such as the ledger's clock, is left out, so that an unchanged answer is known by its
/// tag.
struct ConsoleView {
    /// What the worker was told.
    struct Settings: Sendable {
        /// The control topic, and how old the last reading of it may be.
        let controlTopic: String?
        let viewMaximumAge: Duration
        /// Whether anybody may stop from the console.
        let stopIsAllowed: Bool
    }

    let standing: ConsoleStanding
    let control: ControlState
    let tallies: ConsoleTallies?
    let ends: [TopicPartition: Int64]
    /// The newest decision, as in their list.
    let latest: JSONValue?
    let rules: RuleSet
    let settings: Settings

    var document: JSONValue {
        [
            "log_id": .string(standing.logID), "latest": latest ?? .null, "verdict": verdict, "stops": .array(stops),
            "restrictions": .array(restrictions), "lifts_waiting": .array(waitingLifts), "lifted": .array(lifted),
            "cutoffs": .array(cutoffs), "revocation_runs": .array(runs), "log": log, "waiting": waiting,
            "grants": tallies.map { .array($0.grants.map(grants)) } ?? .null, "dead_letters": deadLetters,
            "findings": tallies.map { .array($0.findings.map(finding)) } ?? .null, "sources": .array(sources),
            "inputs": .array(inputs), "workers": .array(workers), "roles": .array(roles), "sinks": sinkRows,
            "stop_is_allowed": .bool(settings.stopIsAllowed),
        ]
    }

    // MARK: Stopped?

    private var liveWorkers: [ConsoleStanding.Worker] { standing.workers.filter { $0.expiresAt >= standing.now } }

    /// Milliseconds since the control topic was read to its end; negative when the ledger's clock was set back since.
    private var viewAge: Int64 { standing.now.milliseconds - standing.controlPolledAt.milliseconds }

    private var viewLimit: Int64 { Int64(settings.viewMaximumAge / .milliseconds(1)) }

    /// Workers issue nothing while the control topic has not been read to its end for too long.
    private var isViewStale: Bool { settings.controlTopic != nil && (viewAge > viewLimit || viewAge < -1_000) }

    private var stopped: String {
        let stops = control.activeStops
        if stops.contains(where: { $0.scope == .everything }) { return "everything" }
        return stops.isEmpty ? "no" : "partly"
    }

    private var headline: String {
        switch stopped {
        case "everything": return "STOPPED: everything"
        case "no": return "NOT STOPPED: no stop holds"
        default:
            let scopes = Set(control.activeStops.map(\.scope.text)).sorted()
            return "PARTLY STOPPED: " + scopes.prefix(5).joined(separator: ", ")
                + (scopes.count > 5 ? " and \(scopes.count - 5) more" : "")
        }
    }

    /// Why nothing is issued although not everything is stopped.
    private var obstacle: String? {
        guard stopped != "everything" else { return nil }
        if isViewStale {
            let reading =
                viewAge < 0
                ? "dated in the ledger's future, whose clock was set back since" : "\(standing.controlPolledAt)"
            return "NOTHING IS ISSUED: the control topic was last read to its end \(reading); "
                + "\(viewLimit) ms are allowed"
        }
        return liveWorkers.isEmpty ? "NOTHING IS ISSUED: no worker is alive" : nil
    }

    private var verdict: JSONValue {
        [
            "stopped": .string(stopped), "headline": .string(headline), "obstacle": .optional(obstacle),
            "is_issuing": .bool(stopped != "everything" && obstacle == nil),
            "control_position": .integer(standing.controlPosition),
            "control_topic": [
                "name": .optional(settings.controlTopic), "is_stale": .bool(isViewStale),
                "polled_at": isViewStale ? .string(standing.controlPolledAt.iso8601) : .null,
                "allowed_ms": .integer(viewLimit),
            ],
        ]
    }

    // MARK: Control

    private var stops: [JSONValue] {
        control.activeStops.map { stop in
            var object = stopObject(stop)
            let needed = rules.control.peopleToLift([stop])
            object["to_lift"] = .string(
                stop.isForGood
                    ? "never: what was revoked here does not come back"
                    : "\(needed) people, none of them a declarer, and an approval or a WPC that is newer than the stop")
            return .object(object)
        }
    }

    private func stopObject(_ stop: StandingStop) -> JSONObject {
        [
            "stop_id": .string(stop.stopID), "scope": .string(stop.scope.text),
            "what": .string(stop.isRevocation ? "revoked" : stop.revokesLive ? "revoke_and_deny" : "deny_new"),
            "is_widened": .bool(stop.isWidened), "at": .string(stop.at.iso8601),
            "by": .array(stop.declarers.map { .string($0.rawValue) }), "reason": .optional(stop.reason),
            "incident": .optional(stop.incident), "control_position": .integer(stop.position),
        ]
    }

    private var restrictions: [JSONValue] {
        let standing = control.standingOrders.filter { order in
            switch order.content {
            case .stop, .pendingLift: false
            case .barrier, .rotation, .elevation, .proxy, .suspectKey: true
            }
        }
        return standing.suffix(50).reversed().map { order in
            ["text": .string(order.line), "control_position": .integer(order.position)]
        }
    }

    private var waitingLifts: [JSONValue] {
        control.pendingLifts.suffix(50).map { pending in
            [
                "stop_id": .string(pending.lift.stopID), "event_id": .string(pending.event.rawValue),
                "by": .array(pending.people.map { .string($0.rawValue) }),
                "declared_at": .string(pending.declaredAt.iso8601),
            ]
        }
    }

    /// The last stops that were lifted.
    private var lifted: [JSONValue] {
        let ended = control.allOrders.compactMap { order -> (StandingStop, StandingStop.Ended)? in
            guard case .stop(let stop) = order.content, let lift = stop.lift else { return nil }
            return (stop, lift)
        }
        return ended.sorted { $0.1.at > $1.1.at }.prefix(20).map { stop, lift in
            var object = stopObject(stop)
            object["lifted_at"] = .string(lift.at.iso8601)
            object["lifted_by"] = .array(lift.people.map { .string($0.rawValue) })
            return .object(object)
        }
    }

    private var cutoffs: [JSONValue] {
        standing.cutoffs.map { cutoff in
            [
                "key": .string(cutoff.key), "control_position": .integer(cutoff.position),
                "ends_at": .optional(cutoff.endsAt?.iso8601),
            ]
        }
    }

    private var runs: [JSONValue] {
        standing.openRuns.prefix(50).map { run in
            [
                "id": .string(run.handle), "control_position": .integer(run.position),
                "scope": .string([run.scopeKind, run.scopeValue].compactMap(\.self).joined(separator: ":")),
                "revoked_tokens": .integer(run.revoked), "started_at": .string(run.startedAt.iso8601),
            ]
        }
    }

    // MARK: The log

    private var log: JSONValue {
        let last = standing.lastBatch
        return [
            "receipts": .integer(last.map { $0.lastPosition + 1 } ?? 0),
            "last_batch": last.map { .integer($0.number) } ?? .null,
            "sealed_at": .optional(last?.sealedAt.iso8601), "checkpoint": .optional(last?.checkpoint),
            "unsealed_groups": .integer(standing.unsealedGroups),
            "is_more_unsealed": .bool(standing.unsealedGroups >= ConsoleStanding.mostCounted),
            "oldest_unsealed_at": .optional(standing.oldestUnsealedAt?.iso8601),
            "lanes": .array(
                standing.lanes.map { lane in
                    [
                        "name": .string(lane.name), "next_batch": .integer(lane.nextBatch),
                        "batches_behind": .integer(max(0, (last?.number ?? -1) + 1 - lane.nextBatch)),
                    ]
                }),
        ]
    }

    private var sinkRows: JSONValue {
        guard let sinks = standing.sinks else { return .null }
        let end = standing.lastBatch.map { $0.lastPosition + 1 } ?? 0
        return .array(
            sinks.map { sink in
                [
                    "name": .string(sink.name), "next_position": .integer(sink.nextPosition),
                    "receipts_behind": .integer(max(0, end - sink.nextPosition)),
                    "delivered_at": .optional(sink.deliveredAt?.iso8601), "failures": .integer(sink.failures),
                    "failing_since": .optional(sink.failingSince?.iso8601),
                    "failure": sink.failures == 0 ? .null : .optional(sink.failure), "skipped": .integer(sink.skipped),
                ]
            })
    }

    // MARK: Requests, grants, what went wrong

    private var waiting: JSONValue {
        [
            "count": .integer(standing.waitingRequests),
            "is_more": .bool(standing.waitingRequests >= ConsoleStanding.mostCounted),
        ]
    }

    private func grants(_ grants: ConsoleTallies.LiveGrants) -> JSONValue {
        [
            "job_class": .string(grants.jobClass.rawValue), "live": .integer(grants.live),
            "soonest_expiry": .string(grants.soonestExpiry.iso8601),
        ]
    }

    private var deadLetters: JSONValue {
        guard let tallies else { return .null }
        return [
            "open": .integer(tallies.openDeadLetters.reduce(0) { $0 + $1.count }),
            "is_more": .bool(tallies.openDeadLetters.reduce(0) { $0 + $1.count } >= ConsoleStanding.mostCounted),
            "by_source": .array(
                tallies.openDeadLetters.map { ["source": .string($0.source.rawValue), "open": .integer($0.count)] }),
            "newest": .array(
                tallies.newestDeadLetters.map { letter in
                    [
                        "origin": .string(letter.origin.description), "source": .string(letter.source.rawValue),
                        "code": .string(letter.code), "set_aside_at": .string(letter.setAsideAt.iso8601),
                        "hops": .integer(letter.hops),
                    ]
                }),
        ]
    }

    private func finding(_ finding: ConsoleTallies.Finding) -> JSONValue {
        [
            "code": .string(finding.code), "severity": .string(finding.severity),
            "job_id": .optional(finding.jobID?.rawValue), "request_id": .optional(finding.requestID?.rawValue),
            "about": .string(finding.about), "detail": .string(finding.detail),
            "raised_at": .string(finding.raisedAt.iso8601),
        ]
    }

    // MARK: Inputs and workers

    private var sources: [JSONValue] {
        let topics = Dictionary(grouping: standing.partitions, by: \.topic)
        return rules.sources.values.sorted { $0.name < $1.name }.map { source in
            let stored = standing.sources[source.name]
            var health = SourceHealth()
            health.seenAt = stored?.seenAt
            let isSilent = source.health.map { health.isSilent(under: $0, at: standing.now) } ?? false
            let parts = source.topics.flatMap { topics[$0] ?? [] }
            return [
                "name": .string(source.name.rawValue), "kind": .string(source.kind.rawValue),
                "authenticity": .string(source.authenticity.rawValue),
                "topics": .array(source.topics.map { .string($0) }),
                "is_watched": .bool(source.health?.silence != nil),
                "allowed_silence_s": source.health?.silence.map { .integer($0.maximumSeconds) } ?? .null,
                "while_silent": .optional(source.health?.silence?.action.rawValue),
                "seen_at": .optional(stored?.seenAt?.iso8601), "is_silent": .bool(isSilent),
                "records_behind": behind(parts).map { .integer($0) } ?? .null,
            ]
        }
    }

    /// Records that are on partitions and not decided; `nil` when one of their ends is not known.
    private func behind(_ partitions: [ConsoleStanding.Partition]) -> Int64? {
        guard !partitions.isEmpty else { return nil }
        var sum: Int64 = 0
        for partition in partitions {
            guard let end = ends[TopicPartition(topic: partition.topic, partition: partition.number)] else {
                return nil
            }
            sum += max(0, end - partition.nextOffset)
        }
        return sum
    }

    private var inputs: [JSONValue] {
        let alive = Set(liveWorkers.map(\.id))
        return Dictionary(grouping: standing.partitions, by: \.topic).sorted { $0.key < $1.key }
            .map { topic, partitions in
                [
                    "topic": .string(topic), "partitions": .integer(Int64(partitions.count)),
                    "unread": .integer(
                        Int64(partitions.count { $0.owner.map { !alive.contains($0) } ?? true })),
                    "decided": .integer(partitions.reduce(0) { $0 + $1.nextOffset }),
                    "records_behind": behind(partitions).map { .integer($0) } ?? .null,
                ]
            }
    }

    private var workers: [JSONValue] {
        standing.workers.prefix(100).map { worker in
            let isAlive = worker.expiresAt >= standing.now
            return [
                "id": .string(worker.id.rawValue), "is_alive": .bool(isAlive),
                "started_at": .string(worker.startedAt.iso8601),
                "gone_since": isAlive ? .null : .string(worker.expiresAt.iso8601),
                "partitions": .integer(Int64(standing.partitions.count { $0.owner == worker.id })),
                "roles": .array(standing.roles.filter { $0.owner == worker.id }.map { .string($0.name) }),
            ]
        }
    }

    private var roles: [JSONValue] {
        let alive = Set(liveWorkers.map(\.id))
        return standing.roles.map { role in
            [
                "name": .string(role.name), "epoch": .integer(role.epoch),
                "owner": .optional(role.owner?.rawValue),
                "is_held": .bool(role.owner.map { alive.contains($0) } ?? false),
            ]
        }
    }
}
