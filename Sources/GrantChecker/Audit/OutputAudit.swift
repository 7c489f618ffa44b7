import ClawWire
import ReceiptLog

/// Everything that can be told from the output topics alone. Pure: records go in, findings come out.
struct OutputAudit {
    let plan: CheckPlan
    var report = CheckReport()
    /// What became of each request, by the receipts.
    var outcomes = OutcomeBook()
    /// Hash of each batch's header, by number.
    private(set) var headerHashes: [Digest] = []
    /// The dead letters' origins, with the digest of the record that should stand there.
    private(set) var deadLetters: [Fingerprint: Fingerprint] = [:]
    /// Where something was done about a dead letter, by its origin.
    private var deadLetterActions: [Fingerprint: String] = [:]

    private let scanner: TokenScanner
    private var line = LineAudit()
    private var controlResults: [Fingerprint: Int] = [:]
    private var cutoffs: [Fingerprint: Int] = [:]
    private var ends = EndAudit()
    private var positions: [CheckedStream: StreamPositions] = [:]
    private var matcher = EffectMatcher()
    private var receiptIDs: Set<Fingerprint> = []
    private var gatewayReceipts: Set<Fingerprint> = []
    private var tail: LogTail?
    private var isChainBroken = false
    /// Batches that came before the ones they follow.
    private var earlyBatches: [Int: [UInt8]] = [:]
    private var nextBatch = 0
    private var grantsSeen = 0

    init(_ plan: CheckPlan) {
        self.plan = plan
        scanner = TokenScanner(keys: plan.tokenKeys)
        do {
            tail = try LogTail(logID: plan.logID)
        } catch {
            report.violate(.receipts, "the log's name cannot be one: \(error)")
        }
    }

    // MARK: Records

    mutating func take(_ record: PublishedRecord, of stream: CheckedStream) {
        let place = "\(stream.rawValue) partition \(record.partition) offset \(record.offset)"
        scan(record, of: stream, place)
        if stream == .revocations, record.header("claw_stream") == SignedRevocationHead.streamName {
            audit(head: record, place)
            return
        }
        guard record.header("claw_stream") == stream.rawValue, let sequence = record.number("claw_seq"),
            let batch = record.number("claw_batch"), sequence < 1 << 32
        else {
            report.violate(.positions, "\(place) has no claw_stream, claw_seq and claw_batch of its stream")
            return
        }
        switch positions[stream, default: StreamPositions()].take(
            sequence, Fingerprint(Digest(hashing: record.bytes)))
        {
        case .new: break
        case .identicalRepeat:
            report.counts.repeats += 1
            return
        case .alteredRepeat:
            report.violate(.positions, "\(place) repeats position \(sequence) with other bytes")
            return
        }
        guard let value = record.value else {
            if stream == .revocations, let key = record.key {
                report.counts.tombstones += 1
                ends.take(tombstone: key)
                return
            }
            report.violate(.receipts, "\(place) has no value")
            return
        }
        switch stream {
        case .receiptBatches:
            guard sequence == batch else {
                report.violate(.positions, "\(place) is position \(sequence) and batch \(batch); they are one number")
                return
            }
            earlyBatches[sequence] = value
            while let next = earlyBatches.removeValue(forKey: nextBatch) {
                audit(batch: next, number: nextBatch)
                nextBatch += 1
            }
        case .grants: audit(grant: value, record, batch: Int64(batch), place)
        case .decisions: audit(decision: value, record, batch: Int64(batch), place)
        case .revocations: audit(revocation: value, record, batch: Int64(batch), place)
        case .deadLetters: audit(deadLetter: value, record, batch: Int64(batch), place)
        case .controlResults: audit(controlResult: value, place)
        case .findings: audit(finding: value, record, batch: Int64(batch), place)
        }
    }

    private mutating func audit(head record: PublishedRecord, _ place: String) {
        do {
            _ = try SignedRevocationHead(verifying: record.value ?? [], logKeys: plan.logKeys, logID: plan.logID)
        } catch {
            report.violate(.receipts, "\(place): \(error)")
        }
    }

    private mutating func audit(controlResult value: [UInt8], _ place: String) {
        guard let document = try? JSONReader.parse(value), let digest = document["receipt_digest_b64u"]?.string,
            let receipt = Digest(b64u: digest)
        else {
            report.violate(.receipts, "\(place) is no result of a control event")
            return
        }
        controlResults[Fingerprint(receipt), default: 0] += 1
    }

    /// Takes what a receipt says of a control event.
    mutating func take(control payload: JSONObject, _ place: String) {
        if let fault = line.take(control: payload) { report.violate(.stopLine, "\(place): \(fault)") }
    }

    /// The stops that are to be held against the ledger's rows.
    var hiddenLine: HiddenLineAudit { line.hidden() }

    /// Says what is missing once every record was taken.
    mutating func finish() {
        let removable = removeCompacted()
        for stream in CheckedStream.allCases {
            // What compaction took of the revocations is known by the receipts that end it.
            if stream == .revocations, positions[stream]?.missing ?? 0 <= removable { continue }
            let gaps = positions[stream]?.gaps(limit: 5) ?? []
            if !gaps.isEmpty {
                report.violate(
                    .positions, "\(stream.rawValue) has gaps, first at \(gaps.map(String.init).joined(separator: ", "))"
                )
            }
        }
        if !earlyBatches.isEmpty {
            report.violate(.receipts, "batch \(nextBatch) is missing and \(earlyBatches.count) later ones are there")
        }
        if matcher.strayRecords > 0 {
            report.violate(
                .receipts, "\(matcher.strayRecords) records name no receipt of the log, or one that has its record")
        }
        if plan.isSettled, matcher.missingRecords > 0 {
            report.violate(.receipts, "\(matcher.missingRecords) records that receipts lead to are not on the topics")
        }
        for (origin, place) in deadLetterActions where deadLetters[origin] == nil {
            report.violate(.receipts, "\(place) is about a record that never went to the dead letters")
        }
        if plan.isSettled { for fault in outcomes.faults() { report.violate(.oneOutcome, fault) } }
        for fault in line.faults() { report.violate(.stopLine, fault) }
        if plan.isSettled, controlResults.values.contains(where: { $0 != 0 }) {
            report.violate(.receipts, "control events have no result of their own, or results no receipt")
        }
        for fault in ends.faults(isSettled: plan.isSettled, isCompacted: isCompacted) {
            report.violate(.receipts, fault)
        }
        if plan.isSettled, cutoffs.values.contains(where: { $0 > 0 || $0 < 0 && !isCompacted }) {
            report.violate(.receipts, "cut-offs on the topic and in the receipts of control events are not the same")
        }
        report.counts.stops = line.stops
        report.counts.batches = headerHashes.count
        report.counts.grants = positions[.grants]?.count ?? 0
    }

    /// True when the revocations topic does not hold every position any more.
    private var isCompacted: Bool { positions[.revocations]?.missing ?? 0 > 0 }

    /// Asks no longer for records of the revocations topic that compaction may have taken.
    ///
    /// - Returns: how many of them are not there.
    private mutating func removeCompacted() -> Int {
        guard isCompacted else { return 0 }
        var removed = ends.missingTombstones
        for receipt in ends.endedReceipts where matcher.forgive(receipt, .primary) { removed += 1 }
        return removed + cutoffs.values.reduce(0) { $0 - min(0, $1) }
    }

    private mutating func scan(_ record: PublishedRecord, of stream: CheckedStream, _ place: String) {
        for part in [record.key, record.value] + record.headers.map(\.value) {
            guard let part else { continue }
            report.counts.bytesScanned += part.count
            let tokens = scanner.tokens(in: part)
            guard !tokens.isEmpty, !isPlainDelivery(tokens, part, stream) else { continue }
            report.violate(.noBearerToken, "\(place) holds a token that its reader could use")
        }
    }

    /// True for the one token that a class allows by name to be delivered in the clear.
    private func isPlainDelivery(_ tokens: [String], _ value: [UInt8], _ stream: CheckedStream) -> Bool {
        guard stream == .grants, tokens.count == 1, let published = try? PublishedGrant(parsing: value),
            case .plain(let token) = published.delivery, token.exposed == tokens[0]
        else { return false }
        return published.grant.jobClass.map(plan.plainJobClasses.contains) ?? false
    }

    /// Looks for tokens in bytes that are no record.
    mutating func scan(_ bytes: [UInt8], _ place: @autoclosure () -> String) {
        report.counts.bytesScanned += bytes.count
        if !scanner.tokens(in: bytes).isEmpty {
            report.violate(.noBearerToken, "\(place()) holds a token that its reader could use")
        }
    }

    // MARK: The log

    private mutating func audit(batch value: [UInt8], number: Int) {
        let verified: VerifiedBatch
        do {
            verified = try VerifiedBatch(parsing: value, previous: tail, logID: plan.logID, logKeys: plan.logKeys)
        } catch {
            report.violate(.receipts, "batch \(number): \(error)")
            // What follows a batch that does not verify has nothing to be held against; it is checked alone.
            tail = nil
            guard
                let alone = try? VerifiedBatch(
                    parsing: value, previous: nil, logID: plan.logID, logKeys: plan.logKeys)
            else { return }
            take(alone, number)
            return
        }
        if tail == nil, !isChainBroken {
            isChainBroken = true
            report.violate(.receipts, "from batch \(number) on the chain cannot be followed")
        }
        tail = verified.tail
        if verified.checkpoint == nil { report.violate(.receipts, "batch \(number) has no signed checkpoint") }
        take(verified, number)
    }

    private mutating func take(_ batch: VerifiedBatch, _ number: Int) {
        headerHashes.append(batch.headerHash)
        for (index, bytes) in batch.receipts.enumerated() {
            let place = "receipt \(index) of batch \(number)"
            report.counts.receipts += 1
            do {
                let encoded = try Receipt(parsing: bytes).encoded()
                guard receiptIDs.insert(Fingerprint(encoded.receipt.id.rawValue)).inserted else {
                    report.violate(.receipts, "\(place): \(encoded.receipt.id) has a receipt already")
                    continue
                }
                take(encoded, batch, index, place)
            } catch {
                report.violate(.receipts, "\(place): \(error)")
            }
        }
    }

    private mutating func take(_ encoded: EncodedReceipt, _ batch: VerifiedBatch, _ index: Int, _ place: String) {
        let receipt = encoded.receipt
        let number = batch.header.number.value
        func expect(_ essence: Fingerprint?, _ slot: EffectMatcher.Slot) {
            guard let essence else {
                report.violate(.receipts, "\(place) leads to no record though its kind does")
                return
            }
            note(
                matcher.expect(
                    EffectMatcher.Record(essence: essence, batch: number), of: Fingerprint(encoded.digest), slot),
                place)
        }
        switch receipt.content {
        case .grantIssued(let grant):
            report.counts.issued += 1
            let proof = batch.proof(of: index)
            if let proof, !proof.leads(from: encoded.bytes, to: batch.header) {
                report.violate(.receipts, "\(place) is not proven by its path")
            }
            let record = GrantRecord(encoded, claimsDigest: encoded.digest)
            expect(record.flatMap { record in proof.map { Essence.of(record, $0) } }, .primary)
            expect(DecisionRecord(encoded).map(Essence.of), .decision)
            if let fault = outcomes.issue(receipt, grant) { report.violate(.oneOutcome, "\(place): \(fault)") }
            ends.take(grant.token)
            if let fault = line.take(grant: grant, receipt) { report.violate(.stopLine, "\(place): \(fault)") }
            for fault in ExtentCheck.faults(grant, receipt, plan) { report.violate(.neverWider, "\(place): \(fault)") }
        case .decisionDenied, .decisionExpired:
            let isDenial = if case .decisionDenied = receipt.content { true } else { false }
            if isDenial { report.counts.denied += 1 } else { report.counts.expired += 1 }
            expect(DecisionRecord(encoded).map(Essence.of), .decision)
            if let fault = outcomes.refuse(receipt, isDenial ? .denied : .expired) {
                report.violate(.oneOutcome, "\(place): \(fault)")
            }
        case .decisionQuarantined(let quarantine):
            report.counts.quarantined += 1
            expect(Essence.ofDeadLetter(encoded, quarantine), .primary)
            let origin = Fingerprint(quarantine.origin.description)
            if deadLetters.updateValue(Fingerprint(quarantine.valueDigest), forKey: origin) != nil {
                report.violate(.receipts, "\(place): \(quarantine.origin) is in the dead letters twice")
            }
        case .deadLetterRedriven(let action), .deadLetterDiscarded(let action):
            // A record that is read again was set aside before; what follows of it are receipts of their own.
            deadLetterActions[Fingerprint(action.origin.description)] = place
        case .revocation(let revocation):
            report.counts.revocations += 1
            expect(RevocationRecord(encoded).map(Essence.of), .primary)
            ends.take(revocation, receipt: Fingerprint(encoded.digest))
            if let fault = outcomes.revoke(revocation) { report.violate(.oneOutcome, "\(place): \(fault)") }
        case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
            .controlApplied(let payload):
            take(control: payload, place)
            controlResults[Fingerprint(encoded.digest), default: 0] -= 1
            cutoffs[Fingerprint(encoded.digest), default: 0] -= payload["cutoffs"]?.array?.count ?? 0
        case .controlRepeated: controlResults[Fingerprint(encoded.digest), default: 0] -= 1
        case .heartbeat: report.counts.heartbeats += 1
        case .revocationsEnded(let end):
            for fault in ends.take(end) { report.violate(.receipts, "\(place): \(fault)") }
        case .findingRaised: expect(FindingRecord(encoded).map(Essence.of), .primary)
        case .budgetReached: expect(BudgetRecord(encoded).map(Essence.of), .primary)
        case .gatewayReceipt(let call):
            report.counts.gatewayReceipts += 1
            if !gatewayReceipts.insert(Fingerprint(call.name)).inserted {
                report.violate(.receipts, "\(place): the gateway receipt \(call.name) is counted already")
            }
        case .grantClaimed(let claim):
            if let fault = outcomes.claim(claim) { report.violate(.oneOutcome, "\(place): \(fault)") }
        case .keyChanged: break
        }
    }

    private mutating func note(_ mismatches: [EffectMatcher.Mismatch], _ place: String) {
        for mismatch in mismatches {
            switch mismatch {
            case .differs: report.violate(.receipts, "\(place) and its record disagree")
            case .unexpected: report.violate(.receipts, "\(place) has more than one record")
            }
        }
    }

    // MARK: The records that follow

    private mutating func match(
        _ essence: Fingerprint, _ receipt: Digest, _ slot: EffectMatcher.Slot, _ batch: Int64, _ place: String
    ) {
        let record = EffectMatcher.Record(essence: essence, batch: batch)
        note(matcher.take(record, of: Fingerprint(receipt), slot).map { [$0] } ?? [], place)
    }

    private mutating func requireKey(_ record: PublishedRecord, _ key: [UInt8], _ place: String) {
        if record.key != key { report.violate(.receipts, "\(place) has a key that is not that of its content") }
    }

    private mutating func audit(grant value: [UInt8], _ record: PublishedRecord, batch: Int64, _ place: String) {
        do {
            let published = try PublishedGrant(parsing: value)
            let grant = published.grant
            requireKey(record, grant.recordKey, place)
            match(Essence.of(grant, published.proof), grant.receiptDigest, .primary, batch, place)
            grantsSeen += 1
            guard !plan.jobKeys.isEmpty, grantsSeen % max(1, plan.opensEvery) == 0 else { return }
            let opening = TokenOpening(jobKeys: plan.jobKeys, tokenKeys: plan.tokenKeys)
            switch opening.open(published) {
            case .opened: report.counts.tokensOpened += 1
            case .notOurs: break
            case .fault(let property, let fault): report.violate(property, "\(place): \(fault)")
            }
        } catch {
            report.violate(.receipts, "\(place): \(error)")
        }
    }

    private mutating func audit(decision value: [UInt8], _ record: PublishedRecord, batch: Int64, _ place: String) {
        do {
            let decision = try DecisionRecord(parsing: value)
            requireKey(record, decision.recordKey, place)
            match(Essence.of(decision), decision.receiptDigest, .decision, batch, place)
        } catch {
            report.violate(.receipts, "\(place): \(error)")
        }
    }

    private mutating func audit(revocation value: [UInt8], _ record: PublishedRecord, batch: Int64, _ place: String) {
        do {
            if case .cutoff = record.key.flatMap({ RevocationKey($0) }) {
                let cutoff = try CutoffRecord(parsing: value)
                requireKey(record, cutoff.recordKey, place)
                cutoffs[Fingerprint(cutoff.receiptDigest), default: 0] += 1
                return
            }
            let revocation = try RevocationRecord(parsing: value)
            requireKey(record, revocation.recordKey, place)
            match(Essence.of(revocation), revocation.receiptDigest, .primary, batch, place)
        } catch {
            report.violate(.receipts, "\(place): \(error)")
        }
    }

    private mutating func audit(finding value: [UInt8], _ record: PublishedRecord, batch: Int64, _ place: String) {
        do {
            if let mark = try? BudgetRecord(parsing: value) {
                requireKey(record, mark.recordKey, place)
                match(Essence.of(mark), mark.receiptDigest, .primary, batch, place)
                return
            }
            let finding = try FindingRecord(parsing: value)
            requireKey(record, finding.recordKey, place)
            match(Essence.of(finding), finding.receiptDigest, .primary, batch, place)
        } catch {
            report.violate(.receipts, "\(place): \(error)")
        }
    }

    private mutating func audit(deadLetter value: [UInt8], _ record: PublishedRecord, batch: Int64, _ place: String) {
        do {
            let letter = try DeadLetterRecord(parsing: value)
            requireKey(record, letter.recordKey, place)
            match(Essence.of(letter), letter.receiptDigest, .primary, batch, place)
        } catch {
            report.violate(.receipts, "\(place): \(error)")
        }
    }
}
