import ClawWire
import GrantLedger
import IssuanceRules
import Primitives
import ReceiptLog

/// What two workers do to a ledger, one step after the other, and what they see: the same for every ledger.
///
/// Each script writes down what it saw, without times and without identifiers that a ledger draws. Two ledgers that behave
/// alike give the same transcript.
struct LedgerScript: Sendable, CustomStringConvertible {
    /// The ledgers of two workers on one database.
    struct Stage: Sendable {
        let one: any Ledger
        let two: any Ledger
        let now: Timestamp
        static let first = WorkerID("worker-1")
        static let second = WorkerID("worker-2")
        private let lines = Lock<[String]>([])

        init(one: any Ledger, two: any Ledger, now: Timestamp) {
            self.one = one
            self.two = two
            self.now = now
        }

        var transcript: [String] { lines.withLock { $0 } }

        func saw(_ line: String) { lines.withLock { $0.append(line) } }

        /// Writes down what a step came to: its value, or the code of its error.
        func saw<Value>(_ name: String, _ step: () async throws -> Value) async {
            do {
                saw("\(name): \(try await step())")
            } catch let error as LedgerError {
                saw("\(name): \(error.code)")
            } catch {
                saw("\(name): \(error)")
            }
        }

        func beat(_ ledger: any Ledger, _ worker: WorkerID, partitions: Int32 = 4) async throws -> LeaseView {
            try await ledger.heartbeat(
                worker: worker, lifetime: .seconds(60), topics: ["approvals": partitions], initialOffset: { _ in 3 })
        }
    }

    let name: String
    let body: @Sendable (Stage) async throws -> Void
    var description: String { name }

    static let all: [LedgerScript] = [
        leases, roles, events, fences, conflicts, outcomes, holders, due, control, sealing, publishing, revoking,
        queries,
    ]

    // MARK: What is written

    static func text(_ view: LeaseView) -> String {
        let held = view.held.map { "\($0.partition)@\($0.epoch.value)+\($0.nextOffset)" }.joined(separator: " ")
        return "[\(held)] surplus \(view.surplus) live \(view.liveWorkers) of \(view.totalPartitions)"
    }

    static func text(_ error: (any Error)?) -> String { (error as? LedgerError).map { "\($0.code)" } ?? "done" }

    static func effect(_ name: String, _ stream: OutputStream = .decisions) -> Effect {
        Effect(
            receipt: Array("{\"name\":\"\(name)\"}".utf8), receiptKind: "grant.issued",
            outputs: [OutputRecord(stream: stream, key: Array(name.utf8), value: [1, 2])])
    }

    static func event(_ id: String, at now: Timestamp, _ content: String = "x") -> EventKey {
        EventKey(
            source: SourceName("native"), eventID: SourceEventID(id), occurredAt: now,
            recordDigest: Digest(hashing: content))
    }

    static func request(
        _ id: String, _ state: RequestState = .waiting, at now: Timestamp, approval: String? = nil,
        wait: Int64 = 60, token: Bool = false
    ) -> StoredRequest {
        StoredRequest(
            requestID: RequestID(id), state: state, jobID: JobID("job-\(id)"), jobClass: JobClass("run"),
            agentDID: AgentDID("did:web:agent.lakeside.example"), body: state == .waiting ? [1] : nil, receivedAt: now,
            waitUntil: state == .waiting ? now.adding(seconds: wait) : nil, decidedAt: state == .waiting ? nil : now,
            approvals: approval.map { [ApprovalID($0)] } ?? [],
            token: token
                ? IssuedToken(
                    tokenHash: Digest(hashing: id), tokenID: TokenID("jti-\(id)"), scopeHash: Digest(hashing: "scope"),
                    kid: KeyID("kid-1"), issuedAt: Timestamp(seconds: now.seconds - 10),
                    expiresAt: Timestamp(seconds: now.seconds + 600), scope: ["proxy:call"],
                    control: IssuedToken.ControlReach(
                        scopes: ["subject:\(id)"], isElevated: false, policyHash: nil)) : nil,
            revocation: nil, approvalReference: approval.map { ApprovalID($0) }, ticketReference: nil,
            subjectReference: nil)
    }

    static func approval(_ id: String, at now: Timestamp, close: Int64 = 90) -> StoredApproval {
        StoredApproval(
            approvalID: ApprovalID(id), state: [7], subject: PersonID("p-\(id)"), ticket: "CHG-\(id)",
            usedBy: [RequestID("r1")], outcome: nil, closeAt: now.adding(seconds: close))
    }

    /// A decide transaction under a lease.
    static func decide(
        _ ledger: any Ledger, _ worker: WorkerID, _ lease: PartitionLease, from: Int64, to: Int64,
        _ plan: @escaping @Sendable (DecideSnapshot) -> DecideWrite
    ) async throws -> DecideSnapshot {
        try await ledger.decide(read(worker, lease, from: from, to: to)) { (plan($0), $0) }
    }

    /// A decide transaction that writes nothing but the fence.
    static func look(
        _ ledger: any Ledger, _ worker: WorkerID, _ lease: PartitionLease, from: Int64, to: Int64,
        lock: StopLock = .first, _ prepare: (inout DecideRead) -> Void = { _ in }
    ) async throws -> DecideSnapshot {
        var read = read(worker, lease, from: from, to: to)
        read.stopLock = lock
        prepare(&read)
        return try await ledger.decide(read) { (DecideWrite(), $0) }
    }

    private static func read(_ worker: WorkerID, _ lease: PartitionLease, from: Int64, to: Int64) -> DecideRead {
        DecideRead(
            worker: worker,
            fence: .offsets([OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: from, to: to)]))
    }

    /// Issues tokens for requests.
    static func issue(_ stage: Stage, _ names: [String]) async throws -> PartitionLease {
        let lease = try await stage.beat(stage.one, Stage.first).held[0]
        let offset = try await stage.one.committedOffsets()[lease.partition] ?? 0
        _ = try await decide(stage.one, Stage.first, lease, from: offset, to: offset + 1) { snapshot in
            var write = DecideWrite()
            for (index, name) in names.enumerated() {
                write.newRequests.append(
                    request(name, .issued, at: snapshot.now, approval: "a-\(name)", token: true))
                write.effects.append(effect(name, .decisions))
                write.effectOfRequest[RequestID(name)] = index
            }
            return write
        }
        return lease
    }

    /// One control transaction that takes the next position.
    static func declare(
        _ ledger: any Ledger, _ worker: WorkerID, _ id: String, fence: ControlFence? = nil, revokes: Bool = false
    ) async throws -> ControlSnapshot {
        try await ledger.control(ControlRead(worker: worker, fence: fence, eventID: id, patience: .seconds(5))) { _ in
            [ApprovalID("a1"), ApprovalID("a-none")]
        } plan: { snapshot in
            guard snapshot.known == nil else { return (ControlWrite(), snapshot) }
            var write = ControlWrite()
            let position = snapshot.position + 1
            write.event = StoredControlEvent(
                eventID: id, position: position, operation: "stop", handle: id, result: "applied",
                digest: Digest(hashing: id), body: Array("{}".utf8))
            write.orders = [StoredControlOrder(key: "stop/\(id)", position: position, body: Array(id.utf8))]
            write.effects = [effect(id, .controlResults)]
            if revokes {
                write.runs = [
                    RevocationRun(
                        position: position, ordinal: 0, handle: id, scopeKind: "all", scopeValue: nil, part: .all,
                        cause: "admin_action", detail: "stop", issuedBefore: snapshot.now.adding(seconds: 1),
                        startedAt: snapshot.now)
                ]
                write.cutoffs = [
                    StoredCutoff(key: "cutoff/all", position: position, endsAt: snapshot.now.adding(seconds: 600))
                ]
            }
            return (write, snapshot)
        }
    }
}
