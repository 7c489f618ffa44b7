import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

extension LedgerScript {
    static let leases = LedgerScript(name: "leases") { stage in
        await stage.saw("alone") { text(try await stage.beat(stage.one, Stage.first)) }
        await stage.saw("a second") { text(try await stage.beat(stage.two, Stage.second)) }
        let view = try await stage.beat(stage.one, Stage.first)
        stage.saw("too many: \(text(view))")
        await stage.saw("gives up") {
            try await stage.one.release(
                partitions: Set(view.held.suffix(view.surplus).map(\.partition)), of: Stage.first)
        }
        await stage.saw("the first") { text(try await stage.beat(stage.one, Stage.first)) }
        await stage.saw("the second") { text(try await stage.beat(stage.two, Stage.second)) }
        await stage.saw("grown") { text(try await stage.beat(stage.two, Stage.second, partitions: 6)) }
        await stage.saw("leaves") { try await stage.one.leave(worker: Stage.first) }
        await stage.saw("alone again") { text(try await stage.beat(stage.two, Stage.second, partitions: 6)) }
        await stage.saw("offsets") {
            try await stage.two.committedOffsets().sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        }
    }

    static let roles = LedgerScript(name: "roles") { stage in
        for role in [WorkerRole.sealer, .control, .revoker, .sweeper] {
            _ = try await stage.beat(stage.one, Stage.first)
            _ = try await stage.beat(stage.two, Stage.second)
            await stage.saw("\(role) one") {
                try await stage.one.claim(role: role, for: Stage.first)?.epoch.value ?? -1
            }
            await stage.saw("\(role) two") {
                try await stage.two.claim(role: role, for: Stage.second)?.epoch.value ?? -1
            }
            await stage.saw("\(role) kept") {
                try await stage.one.claim(role: role, for: Stage.first)?.epoch.value ?? -1
            }
            await stage.saw("\(role) left") { try await stage.one.leave(worker: Stage.first) }
            await stage.saw("\(role) taken") {
                try await stage.two.claim(role: role, for: Stage.second)?.epoch.value ?? -1
            }
            try await stage.two.leave(worker: Stage.second)
        }
    }

    static let events = LedgerScript(name: "events") { stage in
        let lease = try await stage.beat(stage.one, Stage.first).held[0]
        let now = stage.now
        for (from, names) in [(3, ["e1", "e2", "e1"]), (4, ["e3", "e2"]), (5, []), (6, ["e1!", "e4"])]
            as [(Int64, [String])]
        {
            await stage.saw("\(names)") {
                let snapshot = try await look(stage.one, Stage.first, lease, from: from, to: from + 1) { read in
                    read.events = names.map { event($0.hasSuffix("!") ? "e1" : $0, at: now, $0) }
                }
                return "new \(snapshot.newEvents.sorted()) conflicting \(snapshot.conflictingEvents.sorted())"
            }
        }
    }

    static let fences = LedgerScript(name: "fences") { stage in
        let lease = try await stage.beat(stage.one, Stage.first).held[0]
        let older = PartitionLease(
            partition: lease.partition, epoch: LeaseEpoch(lease.epoch.value - 1), nextOffset: 3)
        await stage.saw("another offset") {
            try await look(stage.one, Stage.first, lease, from: 9, to: 10).newEvents
        }
        await stage.saw("an older epoch") {
            try await look(stage.one, Stage.first, older, from: 3, to: 4).newEvents
        }
        await stage.saw("another worker") {
            try await look(stage.two, Stage.second, lease, from: 3, to: 4).newEvents
        }
        let now = stage.now
        await stage.saw("in order") {
            try await look(stage.one, Stage.first, lease, from: 3, to: 5) { $0.events = [event("e1", at: now)] }
                .newEvents
        }
        await stage.saw("again") {
            try await look(stage.one, Stage.first, lease, from: 3, to: 5).newEvents
        }
        guard let role = try await stage.one.claim(role: .sweeper, for: Stage.first) else { return }
        for (name, lease) in [
            ("the role", role),
            ("the role of another", RoleLease(role: .sweeper, owner: Stage.second, epoch: role.epoch)),
        ] {
            await stage.saw(name) {
                try await stage.one.decide(DecideRead(worker: Stage.first, fence: .role(lease))) { _ in
                    (DecideWrite(), 0)
                }
            }
        }
    }

    static let conflicts = LedgerScript(name: "conflicts") { stage in
        let leases = try await stage.beat(stage.one, Stage.first).held
        for (name, lease) in [("first", leases[0]), ("second", leases[1])] {
            for kind in ["request", "approval"] {
                let from = try await stage.one.committedOffsets()[lease.partition] ?? 0
                await stage.saw("\(name) \(kind)") {
                    try await decide(stage.one, Stage.first, lease, from: from, to: from + 1) { snapshot in
                        var write = DecideWrite()
                        if kind == "request" {
                            write.newRequests = [request("r1", at: snapshot.now)]
                        } else {
                            write.newApprovals = [approval("a1", at: snapshot.now)]
                        }
                        return write
                    }.newEvents
                }
            }
            await stage.saw("offset") { try await stage.one.committedOffsets()[lease.partition] ?? -1 }
        }
    }

    static let outcomes = LedgerScript(name: "outcomes") { stage in
        let lease = try await stage.beat(stage.one, Stage.first).held[0]
        _ = try await decide(stage.one, Stage.first, lease, from: 3, to: 4) { snapshot in
            var write = DecideWrite()
            write.newApprovals = [approval("a1", at: snapshot.now)]
            write.newRequests = [
                request("r1", at: snapshot.now, approval: "a1"), request("r2", .denied, at: snapshot.now),
                request("r3", at: snapshot.now),
            ]
            write.effects = [effect("r2")]
            write.effectOfRequest = [RequestID("r2"): 0]
            return write
        }
        await stage.saw("what waits for an approval") {
            let snapshot = try await look(stage.one, Stage.first, lease, from: 4, to: 5) { read in
                read.approvalIDs = [ApprovalID("a1"), ApprovalID("a9")]
            }
            return "\(snapshot.requests.keys.sorted()) \(snapshot.approvals.keys.sorted())"
        }
        await stage.saw("by subject and ticket") {
            let snapshot = try await look(stage.one, Stage.first, lease, from: 5, to: 6) { read in
                read.subjects = [PersonID("p-a1")]
                read.tickets = ["CHG-none"]
                read.requestIDs = [RequestID("r2")]
            }
            return "\(snapshot.requests.keys.sorted()) \(snapshot.approvals.keys.sorted())"
        }
        await stage.saw("what an approval's end reaches") {
            let snapshot = try await look(stage.one, Stage.first, lease, from: 6, to: 7) { read in
                read.endingApprovalIDs = [ApprovalID("a1")]
            }
            return "\(snapshot.requests.keys.sorted()) \(snapshot.approvals.keys.sorted())"
        }
        for (name, state) in [("r1", RequestState.issued), ("r2", .issued), ("r1", .denied), ("r1", .issued)] {
            let from = try await stage.one.committedOffsets()[lease.partition] ?? 0
            await stage.saw("\(name) \(state)") {
                try await decide(stage.one, Stage.first, lease, from: from, to: from + 1) { snapshot in
                    var write = DecideWrite()
                    write.changedRequests = [request(name, state, at: snapshot.now, token: state == .issued)]
                    write.effects = [effect(name)]
                    write.effectOfRequest = [RequestID(name): 0]
                    return write
                }.newEvents
            }
        }
    }

    static let holders = LedgerScript(name: "holders") { stage in
        let lease = try await stage.beat(stage.one, Stage.first).held[0]
        func end(_ subject: String, _ seconds: Int64, _ body: UInt8, _ index: Int32 = 0) -> HolderEnd {
            HolderEnd(
                subject: PersonID(subject), occurredAt: stage.now.adding(seconds: seconds),
                event: event("end-\(subject)", at: stage.now), factIndex: index, body: [body])
        }
        let rounds: [[HolderEnd]] = [
            [end("p-a1", -60, 1), end("p-a1", -30, 2), end("p-a2", -30, 3)],
            [end("p-a1", -60, 9), end("p-a1", -90, 4, 1)],
            [end("p-a2", -86_400 * 30, 5)],
        ]
        for (index, ends) in rounds.enumerated() {
            let from = Int64(3 + index)
            await stage.saw("ends \(index)") {
                try await decide(stage.one, Stage.first, lease, from: from, to: from + 1) { snapshot in
                    var write = DecideWrite()
                    write.holderEnds = ends
                    if index == 0 {
                        write.newApprovals = [approval("a1", at: snapshot.now), approval("a2", at: snapshot.now)]
                        write.newRequests = [
                            request("r1", .denied, at: snapshot.now, approval: "a1"),
                            request("r2", at: snapshot.now, approval: "a1"),
                            request("r3", at: snapshot.now, approval: "a2"), request("r4", at: snapshot.now),
                        ]
                    }
                    return write
                }.newEvents
            }
        }
        func known(_ from: Int64, _ prepare: (inout DecideRead) -> Void) async throws -> String {
            let snapshot = try await look(stage.one, Stage.first, lease, from: from, to: from + 1, prepare)
            let ends = snapshot.holderEnds.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            return "\(ends) \(snapshot.approvals.keys.sorted()) \(snapshot.requests.keys.sorted())"
        }
        await stage.saw("known") {
            try await known(6) { $0.holders = [PersonID("p-a1"), PersonID("p-a2"), PersonID("p-a3")] }
        }
        await stage.saw("known by a batch with a repeat") {
            try await known(7) { read in
                read.events = [event("e1", at: stage.now), event("e1", at: stage.now)]
                read.holders = [PersonID("p-a2")]
            }
        }
        await stage.saw("what a holder's end reaches") {
            try await known(8) { read in
                read.endingSubjects = [PersonID("p-a1")]
                read.holders = [PersonID("p-a1")]
            }
        }
        await stage.saw("forgets") { try await stage.one.ensureDays(past: 8, future: 2) }
        await stage.saw("left") { try await known(9) { $0.holders = [PersonID("p-a1"), PersonID("p-a2")] } }
        let first = try await look(stage.one, Stage.first, lease, from: 10, to: 11)
        let second = try await look(stage.one, Stage.first, lease, from: 11, to: 12)
        stage.saw("one incarnation: \(first.incarnation != nil && first.incarnation == second.incarnation)")
    }

    static let due = LedgerScript(name: "due") { stage in
        let lease = try await stage.beat(stage.one, Stage.first).held[0]
        _ = try await decide(stage.one, Stage.first, lease, from: 3, to: 4) { snapshot in
            var write = DecideWrite()
            write.newRequests = [
                request("late", at: snapshot.now, approval: "a9", wait: -5),
                request("later", at: snapshot.now, wait: -2),
                request("early", at: snapshot.now),
            ]
            write.newApprovals = [approval("over", at: snapshot.now, close: -3), approval("open", at: snapshot.now)]
            return write
        }
        await stage.saw("due") {
            let due = try await stage.one.due(limit: 10)
            return "\(due.requests.map { "\($0.requestID) \($0.approvalReference?.rawValue ?? "-")" }) \(due.approvals)"
        }
        await stage.saw("the first") { try await stage.one.due(limit: 1).requests.map(\.requestID) }
    }

    static let control = LedgerScript(name: "control") { stage in
        _ = try await issue(stage, ["r1", "r2"])
        for id in ["stop-1", "stop-1", "stop-2"] {
            await stage.saw(id) {
                let seen = try await declare(stage.one, Stage.first, id)
                let counts = seen.counts.map { "\($0.jobClass) \($0.grants) \($0.live)" }
                return
                    "at \(seen.position) known \(seen.known?.position ?? -1) \(counts) orders \(seen.orders.map(\.key))"
            }
        }
        guard let lease = try await stage.one.claim(role: .control, for: Stage.first) else { return }
        let older = RoleLease(role: .control, owner: Stage.first, epoch: LeaseEpoch(lease.epoch.value - 1))
        for (name, lease, from) in [
            ("in order", lease, Int64(0)), ("again", lease, 0), ("an older lease", older, 1), ("the next", lease, 1),
        ] {
            await stage.saw(name) {
                try await declare(
                    stage.one, Stage.first, "topic-\(name)",
                    fence: ControlFence(lease: lease, topic: "control", from: from, to: from + 1)
                ).position
            }
            await stage.saw("offset") { try await stage.one.controlOffset(of: "control") }
        }
        await stage.saw("offset of none") { try await stage.one.controlOffset(of: "other") }
        for (name, lease, offset) in [
            ("polled", lease, Int64(2)), ("polled by another", older, 2), ("polled further", lease, 3),
            ("polled less far", lease, 1),
        ] {
            await stage.saw(name) {
                try await stage.one.noteControlPoll(of: "control", coveredTo: offset, under: lease)
            }
        }
        await stage.saw("polled, never read") {
            try await stage.one.noteControlPoll(of: "other", coveredTo: 0, under: lease)
        }
        await stage.saw("state") {
            let state = try await stage.one.controlState(after: 2)
            return "\(state.position) \(state.orders.map { "\($0.key)@\($0.position)" })"
        }
        await stage.saw("pruned") {
            try await stage.one.pruneControlOrders(["stop/stop-1": 1, "stop/stop-2": 9, "stop/none": 1], under: lease)
        }
        await stage.saw("pruned by another") {
            try await stage.one.pruneControlOrders(["stop/stop-2": 2], under: older)
        }
        await stage.saw("left") { try await stage.one.controlState(after: 0).orders.map(\.key).sorted() }
        let held = try await stage.beat(stage.one, Stage.first).held[1]
        await stage.saw("decided under") {
            let snapshot = try await look(stage.one, Stage.first, held, from: 3, to: 4, lock: .last) { read in
                read.knownControlPosition = 3
            }
            return "\(snapshot.controlPosition) \(snapshot.newControlOrders.map(\.key).sorted())"
        }
    }

    // MARK: Sealing and after

    /// Seals everything that waits into one batch without evidence.
    private static func seal(
        _ ledger: any Ledger, _ lease: RoleLease, bytes: Int = 1 << 20, idle: Bool = false,
        ending: RevocationEnding? = nil
    ) async throws -> String {
        let beat: @Sendable (Timestamp) throws -> Effect = { _ in effect("idle") }
        let batches = try await ledger.seal(
            under: lease, maximumGroups: 10, maximumBytes: bytes, whenIdle: idle ? beat : nil, ending: ending
        ) { input in
            let number = input.tail.map { Int64($0[0]) + 1 } ?? 0
            var sequence = input.nextSequence
            for output in input.groups.flatMap({ $0.effects }).flatMap({ $0.outputs }) {
                sequence[Int(output.stream.rawValue)] += 1
            }
            guard let signature = Ed25519Signature(bytes: [UInt8](repeating: 1, count: 64)) else { return [] }
            return [
                SealedBatch(
                    number: number, firstPosition: number * 10, lastPosition: number * 10 + 1,
                    headerHash: Digest(hashing: "h"), header: [1], signature: signature, checkpoint: "c",
                    tail: [UInt8(number)], rootSignatures: nil, groups: input.groups, nextSequence: sequence,
                    sealedAt: input.now)
            ]
        }
        return batches.map { batch in
            let names = batch.groups.flatMap { $0.effects }.map { String(decoding: $0.receipt, as: UTF8.self) }
            return "\(batch.number) \(names) next \(batch.nextSequence)"
        }.joined(separator: "; ")
    }

    static let sealing = LedgerScript(name: "sealing") { stage in
        _ = try await issue(stage, ["r1"])
        _ = try await declare(stage.one, Stage.first, "stop-1")
        _ = try await issue(stage, ["r2"])
        guard let lease = try await stage.one.claim(role: .sealer, for: Stage.first) else { return }
        let older = RoleLease(role: .sealer, owner: Stage.second, epoch: lease.epoch)
        await stage.saw("another's role") { try await seal(stage.two, older) }
        await stage.saw("control alone") { try await seal(stage.one, lease, bytes: 0) }
        await stage.saw("everything") { try await seal(stage.one, lease) }
        await stage.saw("nothing") { try await seal(stage.one, lease) }
        await stage.saw("idle") { try await seal(stage.one, lease, idle: true) }
        await stage.saw("read back") {
            try await stage.two.batches(from: 1, limit: 5).map { "\($0.number) \($0.groups.count) \($0.tail)" }
        }
        await stage.saw("status") {
            let status = try await stage.one.status()
            return "\(status.batches) \(status.receipts) \(status.unsealedGroups) \(status.nextBatchToPublish)"
        }
    }

    static let publishing = LedgerScript(name: "publishing") { stage in
        _ = try await stage.beat(stage.one, Stage.first)
        guard let lease = try await stage.one.claim(role: .sealer, for: Stage.first) else { return }
        let older = RoleLease(role: .sealer, owner: Stage.first, epoch: LeaseEpoch(lease.epoch.value - 1))
        let place = [InputPartition(topic: "grants", partition: 1): Int64(7)]
        for (name, lease, next) in [
            ("forward", lease, Int64(4)), ("the same", lease, 4), ("back", lease, 3), ("another lease", older, 9),
        ] {
            await stage.saw(name) {
                try await stage.one.setPublishPosition(
                    PublishPosition(nextBatch: next, readFrom: place), of: .main, under: lease)
            }
            for lane in PublishLane.allCases {
                await stage.saw("\(lane)") {
                    let position = try await stage.two.publishPosition(of: lane)
                    return "\(position.nextBatch) \(position.readFrom.map { "\($0.key)=\($0.value)" })"
                }
            }
        }
    }

    static let revoking = LedgerScript(name: "revoking") { stage in
        _ = try await issue(stage, ["r1", "r2", "r3"])
        _ = try await declare(stage.one, Stage.first, "stop-1", revokes: true)
        guard let lease = try await stage.one.claim(role: .revoker, for: Stage.first) else { return }
        let older = RoleLease(role: .revoker, owner: Stage.second, epoch: lease.epoch)
        func revoke(_ lease: RoleLease) async throws -> String {
            let run = try await stage.one.revokeNext(under: lease, limit: 2) { chunk in
                chunk.tokens.map { effect("void-\($0.requestID)", .revocations) }
            }
            return run.map { "\($0.handle) \($0.revoked) finished \($0.finishedAt != nil)" } ?? "none"
        }
        await stage.saw("another's role") { try await revoke(older) }
        for round in 1...3 { await stage.saw("round \(round)") { try await revoke(lease) } }
        await stage.saw("revoked") {
            try await stage.one.revokedTokens(after: Timestamp(seconds: 0), RequestID(""), limit: 9).map(\.requestID)
        }
        await stage.saw("horizon") {
            let horizon = try await stage.one.revocationHorizon()
            return "\(horizon.controlPosition) \(horizon.isSealed) \(horizon.nextBatch) \(horizon.sweptPosition) "
                + "\(horizon.revokedTokens) \(horizon.cutoffs)"
        }
        await stage.saw("progress") {
            let progress = try await stage.one.controlProgress(of: 1)
            return progress.map { "\($0.isSealed) \($0.isSwept) \($0.openRuns) \($0.revokedTokens)" } ?? "none"
        }
        guard let sealer = try await stage.one.claim(role: .sealer, for: Stage.first) else { return }
        await stage.saw("sealed") { try await seal(stage.one, sealer) }
        let ending = RevocationEnding(grace: .seconds(-900), maximumTokens: 2, maximumCutoffs: 2) { ended in
            effect("end \(ended.tokens.count) \(ended.cutoffs)", .revocations)
        }
        for round in 1...3 {
            await stage.saw("ended \(round)") { try await seal(stage.one, sealer, ending: ending) }
        }
        await stage.saw("live") {
            try await stage.one.liveTokens(scopeKind: "all", value: nil, atMost: 9, within: .seconds(5)) ?? -1
        }
    }

    static let queries = LedgerScript(name: "queries") { stage in
        await stage.saw("log") { try await stage.one.openLog(LogID("lakeside.example/clawgrant")) }
        await stage.saw("another log") { try await stage.one.openLog(LogID("other.example/clawgrant")) }
        _ = try await issue(stage, ["r1", "r2"])
        _ = try await declare(stage.one, Stage.first, "stop-1", revokes: true)
        await stage.saw("history") {
            let history = try await stage.one.history(of: RequestID("r2"))
            return history.map { "\($0.request.state) \($0.effect?.receipt.count ?? 0) \($0.batchNumber ?? -1)" }
                ?? "none"
        }
        await stage.saw("no history") { try await stage.one.history(of: RequestID("none")) == nil }
        await stage.saw("no approval") { try await stage.one.approval(ApprovalID("none")) == nil }
        for (kind, value) in [
            ("all", nil), ("job_class", "run"), ("job", "job-r1"), ("jti", "jti-r2"), ("subject", "r1"), ("agent", "x"),
            ("approval", "a-r2"), ("token_hash", Digest(hashing: "r1").hex), ("issuer_key", "kid-1"),
        ] as [(String, String?)] {
            await stage.saw("live \(kind)") {
                try await stage.one.liveTokens(scopeKind: kind, value: value, atMost: 9, within: .seconds(5)) ?? -1
            }
        }
        for (kind, value) in [("agent", "did:key:zAgent"), ("job", "job-r1"), ("request", "r2"), ("jti", "jti-r2")] {
            await stage.saw("counted \(kind)") {
                var read = ControlRead(worker: Stage.first, eventID: nil)
                read.counted = ControlRead.CountedScope(kind: kind, value: value)
                return try await stage.one.control(read) { _ in
                    []
                } plan: {
                    (ControlWrite(), $0.live ?? -1)
                }
            }
        }
        await stage.saw("overview") {
            let overview = try await stage.one.controlOverview()
            return "\(overview.position) \(overview.orders.map(\.key)) \(overview.openRuns.map(\.handle)) "
                + "\(overview.liveWorkers) \(overview.reader?.rawValue ?? "-") \(overview.unsealedEvents) "
                + "\(overview.lastBatch) \(overview.nextBatchToPublish)"
        }
        guard let key = Ed25519PublicKey(bytes: [UInt8](repeating: 3, count: 32)) else { return }
        for _ in 0..<2 {
            await stage.saw("key") {
                try await stage.one.registerKey(
                    kid: KeyID("kid-9"), purpose: "token", publicKey: key, worker: Stage.first
                ) { _ in effect("key") }
            }
        }
        await stage.saw("folded") { try await stage.one.foldTallies() }
        await stage.saw("status") {
            let status = try await stage.one.status()
            return "\(status.requests.sorted { $0.key.rawValue < $1.key.rawValue }) \(status.approvals) "
                + "\(status.unsealedGroups) \(status.liveWorkers)"
        }
    }
}
