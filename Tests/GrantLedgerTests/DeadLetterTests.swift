import ClawWire
import DevStack
import GrantLedger
import ReceiptLog
import Testing

@Suite(.enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"))
struct DeadLetterTests {
    private static func origin(_ offset: Int64) -> RecordOrigin {
        RecordOrigin(topic: "approvals", partition: 0, offset: offset)
    }

    /// The effect of setting a record aside.
    private static func quarantine(_ offset: Int64, code: String = "not_json", source: String = "itsm") throws -> Effect
    {
        let digest = Digest(hashing: "record \(offset)")
        let receipt = Receipt(
            content: .decisionQuarantined(
                Receipt.Quarantine(origin: origin(offset), valueDigest: digest, valueBytes: 9)),
            subject: Receipt.Subject(),
            provenance: Receipt.Provenance(
                workerID: WorkerID("worker-1"),
                inputs: [EvidenceInput(digest: digest, origin: origin(offset), source: SourceName(source))]),
            reasons: [Receipt.Reason(code: code, detail: "at byte 0")], occurredAt: Timestamp(seconds: nowSeconds))
        let encoded = try receipt.encoded()
        let record = try #require(DeadLetterRecord(encoded, excerpt: Redaction.excerpt(Array("record \(offset)".utf8))))
        return Effect(
            receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue,
            outputs: [OutputRecord(stream: .deadLetters, key: record.recordKey, value: record.canonicalBytes)])
    }

    private static func action(
        _ letter: StoredDeadLetter, _ outcome: Receipt.DeadLetterAction.Outcome, at now: Timestamp
    ) throws -> Effect {
        let action = Receipt.DeadLetterAction(
            origin: letter.origin, valueDigest: letter.valueDigest, hops: letter.hops + 1, outcome: outcome,
            requestedBy: "soc-1")
        let receipt = Receipt(
            content: outcome == .discarded ? .deadLetterDiscarded(action) : .deadLetterRedriven(action),
            subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: WorkerID("worker-1")), occurredAt: now)
        return Effect(
            receipt: try receipt.encoded().bytes, receiptKind: receipt.content.kind.rawValue, outputs: [])
    }

    /// A ledger with dead letters at offsets 0 to 3, among other effects.
    private static func ledger() async throws -> (TestLedger, RoleLease) {
        let ledger = try await LedgerServer.shared.value.ledger()
        let lease = try #require(try await ledger.beat(["approvals": 1]).held.first)
        let other = Effect(receipt: Array("{\"a\":1}".utf8), receiptKind: "grant.issued", outputs: [])
        let effects = [
            other, try quarantine(0), try quarantine(1, code: "unsigned"), other,
            try quarantine(2, code: "unsigned", source: "desk"), try quarantine(3),
        ]
        let read = DecideRead(
            worker: ledger.worker,
            fence: .offsets([OffsetAdvance(partition: lease.partition, epoch: lease.epoch, from: 0, to: 4)]))
        try await ledger.ledger.decide(read) { _ in
            var write = DecideWrite()
            write.effects = effects
            return (write, ())
        }
        return (ledger, try #require(try await ledger.ledger.claim(role: .redriver, for: ledger.worker)))
    }

    private static func redrive(
        _ offset: Int64, _ outcome: Receipt.DeadLetterAction.Outcome, _ ledger: TestLedger, _ lease: RoleLease
    ) async throws -> Bool {
        var read = DecideRead(worker: ledger.worker, fence: .role(lease))
        read.redrive = origin(offset)
        return try await ledger.ledger.decide(read) { snapshot in
            guard let letter = snapshot.redrive else { return (DecideWrite(), false) }
            var write = DecideWrite()
            write.effects = [try action(letter, outcome, at: snapshot.now)]
            write.redriven = RedriveWrite(
                origin: letter.origin, outcome: outcome,
                refusal: outcome == .refused ? ("malformed", "at \u{0} byte 7") : nil)
            return (write, true)
        }
    }

    @Test func whatIsSetAsideIsListedByEveryFilter() async throws {
        let (ledger, _) = try await Self.ledger()
        func offsets(_ change: (inout DeadLetterFilter) -> Void = { _ in }, limit: Int64 = 10) async throws -> [Int64] {
            var filter = DeadLetterFilter()
            change(&filter)
            return try await ledger.ledger.deadLetters(matching: filter, limit: limit).map(\.origin.offset)
        }
        #expect(try await offsets() == [3, 2, 1, 0])
        #expect(try await offsets(limit: 2) == [3, 2])
        #expect(try await offsets { $0.code = "unsigned" } == [2, 1])
        #expect(try await offsets { $0.source = SourceName("desk") } == [2])
        #expect(try await offsets { $0.topic = "elsewhere" } == [])
        #expect(try await offsets { $0.partition = 0 } == [3, 2, 1, 0])
        #expect(
            try await offsets {
                $0.fromOffset = 1
                $0.toOffset = 2
            } == [2, 1])
        #expect(try await offsets { $0.until = Timestamp(seconds: nowSeconds - 86_400) } == [])
        #expect(try await offsets { $0.since = Timestamp(seconds: nowSeconds - 86_400) } == [3, 2, 1, 0])
        #expect(try await offsets { $0.state = .discarded } == [])
        let story = try #require(try await ledger.ledger.deadLetter(at: Self.origin(2)))
        #expect(story.letter.code == "unsigned")
        #expect(story.letter.source == SourceName("desk"))
        #expect(story.record?.origin == Self.origin(2))
        #expect(story.record?.detail == "at byte 0")
        #expect(story.record?.excerpt.text == "record 2")
        #expect(try await ledger.ledger.deadLetter(at: Self.origin(9)) == nil)
        #expect(try await ledger.ledger.openDeadLetters() == [SourceName("itsm"): 3, SourceName("desk"): 1])
    }

    @Test func aRedriveIsDoneOnce() async throws {
        let (ledger, lease) = try await Self.ledger()
        let answers = try await ledger.ledger.requestRedrive(
            of: [Self.origin(0), Self.origin(9)], by: "soc-1", maximumHops: 5)
        #expect(answers == [Self.origin(0): .accepted, Self.origin(9): .unknown])
        let waiting = try await ledger.ledger.requestRedrive(of: [Self.origin(0)], by: "soc-2", maximumHops: 5)
        #expect(waiting == [Self.origin(0): .waiting])
        let wanted = try await ledger.ledger.wantedRedrives(limit: 10)
        #expect(wanted.map(\.origin) == [Self.origin(0)])
        #expect(wanted.first?.request?.by == "soc-1")
        #expect(try await Self.redrive(0, .taken, ledger, lease))
        #expect(try await !Self.redrive(0, .taken, ledger, lease))
        let letter = try #require(try await ledger.ledger.deadLetter(at: Self.origin(0))).letter
        #expect(letter.state == .redriven)
        #expect(letter.outcome == .taken)
        #expect(letter.hops == 1)
        #expect(letter.request == nil)
        let closed = try await ledger.ledger.requestRedrive(of: [Self.origin(0)], by: "soc-1", maximumHops: 5)
        #expect(closed == [Self.origin(0): .closed(.redriven, .taken)])
        #expect(try await ledger.ledger.wantedRedrives(limit: 10).isEmpty)
    }

    @Test func whatIsRefusedAgainStaysOpenUntilItsHopsAreUsed() async throws {
        let (ledger, lease) = try await Self.ledger()
        for hop in Int64(1)...3 {
            let answers = try await ledger.ledger.requestRedrive(of: [Self.origin(1)], by: "soc-1", maximumHops: 3)
            #expect(answers == [Self.origin(1): .accepted])
            #expect(try await Self.redrive(1, .refused, ledger, lease))
            let letter = try #require(try await ledger.ledger.deadLetter(at: Self.origin(1))).letter
            #expect(letter.state == .open)
            #expect(letter.hops == hop)
            #expect(letter.code == "malformed")
            #expect(letter.detail == "at \u{FFFD} byte 7")
        }
        let last = try await ledger.ledger.requestRedrive(of: [Self.origin(1)], by: "soc-1", maximumHops: 3)
        #expect(last == [Self.origin(1): .tooManyHops(3)])
    }

    @Test func whatIsGivenUpIsNotDecided() async throws {
        let (ledger, lease) = try await Self.ledger()
        _ = try await ledger.ledger.requestRedrive(of: [Self.origin(2)], by: "soc-1", maximumHops: 5)
        let answer = try await ledger.ledger.discard(Self.origin(2), by: WorkerID("cli")) { letter, now in
            try Self.action(letter, .discarded, at: now)
        }
        #expect(answer == .discarded)
        #expect(try await !Self.redrive(2, .taken, ledger, lease))
        let again = try await ledger.ledger.discard(Self.origin(2), by: WorkerID("cli")) { letter, now in
            try Self.action(letter, .discarded, at: now)
        }
        #expect(again == .closed(.discarded, .discarded))
        let unknown = try await ledger.ledger.discard(Self.origin(9), by: WorkerID("cli")) { letter, now in
            try Self.action(letter, .discarded, at: now)
        }
        #expect(unknown == .unknown)
    }

    @Test func whatIsGoneStaysOpen() async throws {
        let (ledger, lease) = try await Self.ledger()
        _ = try await ledger.ledger.requestRedrive(of: [Self.origin(3)], by: "soc-1", maximumHops: 5)
        let isRecorded = try await ledger.ledger.loseRedrive(
            of: Self.origin(3), under: lease, code: "record_gone", detail: "retention took it"
        ) { letter, now in try Self.action(letter, .lost, at: now) }
        #expect(isRecorded)
        let letter = try #require(try await ledger.ledger.deadLetter(at: Self.origin(3))).letter
        #expect(letter.state == .open)
        #expect(letter.outcome == .lost)
        #expect(letter.code == "record_gone")
        let again = try await ledger.ledger.loseRedrive(
            of: Self.origin(3), under: lease, code: "record_gone", detail: "retention took it"
        ) { letter, now in try Self.action(letter, .lost, at: now) }
        #expect(!again)
        let heir = try ledger.other("worker-2")
        let stale = RoleLease(role: .redriver, owner: heir.worker, epoch: lease.epoch)
        _ = try await ledger.ledger.requestRedrive(of: [Self.origin(0)], by: "soc-1", maximumHops: 5)
        let error = await #expect(throws: LedgerError.self) {
            _ = try await ledger.ledger.loseRedrive(
                of: Self.origin(0), under: stale, code: "record_gone", detail: "retention took it"
            ) { letter, now in try Self.action(letter, .lost, at: now) }
        }
        #expect(error?.code == .fenced)
    }

    @Test func oldOnesAreTakenAwayInChunks() async throws {
        let (ledger, _) = try await Self.ledger()
        #expect(try await ledger.ledger.pruneDeadLetters(olderThan: .seconds(3_600), limit: 10) == 0)
        _ = try await ledger.ledger.requestRedrive(of: [Self.origin(0)], by: "soc-1", maximumHops: 5)
        #expect(try await ledger.ledger.pruneDeadLetters(olderThan: .zero, limit: 2) == 2)
        #expect(try await ledger.ledger.pruneDeadLetters(olderThan: .zero, limit: 2) == 1)
        // What is asked for is not forgotten.
        let left = try await ledger.ledger.deadLetters(matching: DeadLetterFilter(), limit: 10)
        #expect(left.map(\.origin) == [Self.origin(0)])
    }
}
