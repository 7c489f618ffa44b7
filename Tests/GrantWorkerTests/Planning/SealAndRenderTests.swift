import ApprovalSources
import ClawWire
import IssuanceRules
import Kafka
import Keys
import ReceiptLog
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// From committed effects to the bytes on the topics.
struct SealAndRenderTests {
    private let sealer = BatchSealer(logID: PlanFixture.logID, signer: PlanFixture.logKey)

    private func renderer() throws -> BatchRenderer {
        let minter = CSTMinter(signer: PlanFixture.tokenKey)
        return BatchRenderer(
            logID: PlanFixture.logID, topics: WorkerConfiguration.OutputTopics(),
            logKeys: [PlanFixture.logKey.publicKey], minters: [minter.kid: minter],
            sealingSecret: try #require(PlanFixture.sealingSecret))
    }

    /// Groups with grants of every delivery, denials, revocations and dead letters.
    private func groups() throws -> [EffectGroup] {
        var ledger = PaperLedger(try PlanFixture())
        for number in 0..<12 { try ledger.deliver([try Answer.contained("run-\(number)").record()]) }
        var plain = Answer.contained("plain", "open")
        plain.ask?.delivery = .plain
        var reference = Answer.contained("reference", "open")
        reference.ask?.delivery = .reference(claimKey: Digest(hashing: "claim key"))
        var denied = Answer.contained("no")
        denied.verdict = .denied
        try ledger.deliver([try plain.record(), try reference.record(), try denied.record(), DeadLetterTests.raw([1])])
        try ledger.deliver([try Answer.contained("run-1").then(.ended).record()])
        return ledger.groups.enumerated().map {
            EffectGroup(groupID: Int64($0.offset + 1), day: 20_000, effects: $0.element)
        }
    }

    private func seal(_ groups: [EffectGroup], perRound: Int) throws -> [SealedBatch] {
        var tail: [UInt8]?
        var sequence = OutputStream.allCases.map { _ in Int64(0) }
        var batches: [SealedBatch] = []
        var rest = groups[...]
        while !rest.isEmpty {
            let sealed = try sealer.seal(
                SealInput(
                    tail: tail, nextSequence: sequence, groups: Array(rest.prefix(perRound)), now: PlanFixture.now))
            rest = rest.dropFirst(perRound)
            batches += sealed
            tail = sealed.last?.tail
            sequence = sealed.last?.nextSequence ?? sequence
        }
        return batches
    }

    @Test func renderingTwiceGivesTheSameBytes() throws {
        for batch in try seal(try groups(), perRound: 3) {
            let first = try renderer().render(batch)
            let second = try renderer().render(batch)
            #expect(first.map(\.record) == second.map(\.record))
            #expect(first.map(\.sequence) == second.map(\.sequence))
        }
    }

    @Test func keptTokensAreNotSignedAgain() throws {
        let batches = try seal(try groups(), perRound: 3)
        let kept = KeptTokens()
        kept.open()
        let minter = CSTMinter(signer: PlanFixture.tokenKey)
        for material in batches.flatMap(\.groups).flatMap(\.effects).flatMap(\.outputs).compactMap(\.grant) {
            let hash = TokenHash(material.tokenHash)
            kept.keep(try minter.remint(payload: material.claims, expecting: hash), hash)
        }
        // Without a key nothing can be signed.
        let complete = try renderer()
        let keyless = BatchRenderer(
            logID: complete.logID, topics: complete.topics, logKeys: complete.logKeys, minters: [:],
            sealingSecret: complete.sealingSecret, kept: kept)
        for batch in batches {
            #expect(try keyless.render(batch).map(\.record) == complete.render(batch).map(\.record))
        }
        let granting = try #require(batches.first { $0.groups.contains { $0.effects.contains(where: \.isGrant) } })
        #expect(throws: BatchRenderer.RenderError.self, "what was taken is here no more") {
            try keyless.render(granting)
        }
    }

    @Test(arguments: [1, 2, 100]) func positionsAreDenseHoweverItIsCut(_ perRound: Int) throws {
        var next: [OutputStream: Int64] = [:]
        let batches = try seal(try groups(), perRound: perRound)
        #expect(batches.map(\.number) == Array(0..<Int64(batches.count)))
        for batch in batches {
            for record in try renderer().render(batch) {
                let expected = next[record.stream] ?? 0
                #expect(record.sequence == expected)
                next[record.stream, default: 0] += 1
                let headers = Dictionary(
                    uniqueKeysWithValues: record.record.headers.map {
                        ($0.name, String(decoding: $0.value ?? [], as: UTF8.self))
                    })
                #expect(headers["claw_stream"] == record.stream.name)
                #expect(headers["claw_seq"] == "\(record.sequence)")
                #expect(headers["claw_batch"] == "\(batch.number)")
            }
        }
        for (index, value) in (batches.last?.nextSequence ?? []).enumerated() {
            let stream = try #require(OutputStream(rawValue: UInt8(index)))
            let reached = next[stream] ?? 0
            #expect(reached == value)
        }
    }

    @Test func theLogVerifiesFromItsFirstBatch() throws {
        var tail = try LogTail(logID: PlanFixture.logID)
        var receipts = 0
        for batch in try seal(try groups(), perRound: 4) {
            let records = try renderer().render(batch)
            let record = try #require(records.first { $0.stream == .receiptBatches })
            let verified = try VerifiedBatch(
                parsing: try #require(record.record.value), previous: tail, logKeys: [PlanFixture.logKey.publicKey])
            tail = try #require(verified.tail)
            receipts += verified.receipts.count
            let proof = try #require(verified.compatibleProof(of: verified.receipts.count - 1))
            _ = try LogInclusionProof.verify(proof.json)
            _ = try LogInclusionProof.verifyStrictly(
                proof.json, logKey: PlanFixture.logKey.publicKey, logID: PlanFixture.logID)
        }
        let expected = try groups().reduce(0) { $0 + $1.effects.count }
        #expect(receipts == expected)
    }

    @Test func aBatchFromBeforeThereWereSignedRootsIsPublishedAsItWas() throws {
        let batch = try #require(try seal(try groups(), perRound: 1).first)
        let old = SealedBatch(
            number: batch.number, firstPosition: batch.firstPosition, lastPosition: batch.lastPosition,
            headerHash: batch.headerHash, header: batch.header, signature: batch.signature,
            checkpoint: batch.checkpoint, tail: batch.tail, rootSignatures: nil, groups: batch.groups,
            nextSequence: batch.nextSequence, sealedAt: batch.sealedAt)
        let record = try #require(try renderer().render(old).first { $0.stream == .receiptBatches })
        let verified = try VerifiedBatch(
            parsing: try #require(record.record.value), previous: nil, logKeys: [PlanFixture.logKey.publicKey])
        #expect(verified.compatibleRoot == nil)
    }

    @Test func aHeartbeatIsSealedAndPublishedLikeAnyBatch() throws {
        let effect = try BatchSealer.heartbeat(of: WorkerID("worker-a"), at: PlanFixture.now)
        let again = try BatchSealer.heartbeat(of: WorkerID("worker-a"), at: PlanFixture.now)
        #expect(effect == again)
        let batch = try #require(
            try seal([EffectGroup(groupID: 1, day: 20_000, effects: [effect])], perRound: 1).first)
        let records = try renderer().render(batch)
        #expect(records.map(\.stream) == [.receiptBatches])
        let verified = try VerifiedBatch(
            parsing: try #require(records[0].record.value), previous: try LogTail(logID: PlanFixture.logID),
            logKeys: [PlanFixture.logKey.publicKey])
        #expect(verified.header.counts == ["heartbeat": 1])
        #expect(try Receipt(parsing: verified.receipts[0]).content == .heartbeat)
    }

    @Test func whatIsOverIsForgottenByRecordsWithoutAValue() throws {
        let scope = try #require(CutoffScope(.jobClass, "deploy"))
        let ended = EndedRevocations(
            tokens: [Digest(hashing: "a"), Digest(hashing: "b")], cutoffs: ["cutoff:\(scope)", "cutoff:all"],
            expiredBefore: PlanFixture.now.adding(seconds: -60), now: PlanFixture.now)
        let effect = try RevocationEnds.effect(ended, by: WorkerID("worker-a"))
        let batch = try #require(
            try seal([EffectGroup(groupID: 1, day: 20_000, effects: [effect])], perRound: 1).first)
        let records = try renderer().render(batch).filter { $0.stream == .revocations }
        #expect(records.map(\.sequence) == [0, 1, 2, 3])
        #expect(records.allSatisfy { $0.record.value == nil })
        let keys = records.compactMap { $0.record.key.flatMap { RevocationKey($0) } }
        #expect(keys == [.cutoff(scope), .cutoff(.all)] + ended.tokens.map { .token($0) })
        guard case .revocationsEnded(let end) = try Receipt(parsing: effect.receipt).content else {
            Issue.record("another kind of receipt")
            return
        }
        #expect(end.keys == keys)
        let spoiled = EndedRevocations(
            tokens: [], cutoffs: ["head"], expiredBefore: PlanFixture.now, now: PlanFixture.now)
        #expect(throws: LedgerError.self) {
            // The head is no cut-off: it is replaced, never ended.
            try RevocationEnds.effect(spoiled, by: WorkerID("worker-a"))
        }
    }

    @Test func oneChunkOfTheLongestKeysFitsItsReceipt() throws {
        let value = String(repeating: "\u{1}", count: CutoffScope.maximumValueBytes)
        let scope = try #require(CutoffScope(.job, "x\(value.dropFirst())"))
        let ended = EndedRevocations(
            tokens: (0..<RevocationEnds.maximumTokens).map { Digest(hashing: "\($0)") },
            cutoffs: [String](repeating: "cutoff:\(scope)", count: RevocationEnds.maximumCutoffs),
            expiredBefore: PlanFixture.now, now: PlanFixture.now)
        let effect = try RevocationEnds.effect(ended, by: WorkerID("worker-a"))
        #expect(try EffectCodec.decode(EffectCodec.encode([effect])) == [effect])
    }

    @Test func aSealedTokenOpensWithTheJobsKeyAndIsTheRecordedOne() throws {
        let jobKey = try #require(PlanFixture.jobKey)
        var modes: [DeliveryMode: Int] = [:]
        for batch in try seal(try groups(), perRound: 100) {
            for record in try renderer().render(batch) where record.stream == .grants {
                let published = try PublishedGrant(parsing: try #require(record.record.value))
                modes[published.delivery.mode, default: 0] += 1
                let compact: String
                switch published.delivery {
                case .sealed(let jwe):
                    let opened = try SealedToken.open(jwe, privateKey: jobKey)
                    #expect(opened.context == Array(published.grant.requestID.rawValue.utf8))
                    compact = opened.token.exposed
                case .plain(let token): compact = token.exposed
                case .reference(let claim):
                    #expect(claim.reference == published.grant.token.jti.rawValue)
                    #expect(claim.key == Digest(hashing: "claim key"))
                    #expect(claim.address == "https://issuer.harborline.example/v1/grants/req-reference/claim")
                    continue
                }
                #expect(Digest(hashing: compact) == published.grant.token.tokenHash)
                let verified = try CST.verify(
                    try CST.parse(compact), keys: AcceptedKeys(signing: [PlanFixture.tokenKey.publicKey]),
                    now: PlanFixture.now, rules: .strict(audiences: nil))
                #expect(verified.claims.missionID == published.grant.jobID.rawValue)
            }
        }
        #expect(modes == [.sealed: 12, .plain: 1, .reference: 1])
    }

    @Test func aGrantGoesToItsJobWithTheProofOfItsOwnReceipt() throws {
        for batch in try seal(try groups(), perRound: 100) {
            let header = try BatchHeader(parsing: batch.header)
            let receipts = batch.groups.flatMap(\.effects).map(\.receipt)
            for record in try renderer().render(batch) where record.stream == .grants {
                let published = try PublishedGrant(parsing: try #require(record.record.value))
                #expect(record.record.key == published.grant.recordKey)
                let receipt = receipts[published.proof.index]
                #expect(Digest(hashing: receipt) == published.grant.receiptDigest)
                #expect(published.proof.leads(from: receipt, to: header))
            }
        }
    }

    @Test func whatIsMadeSideBySideStandsInItsOrder() async throws {
        // More than one task takes at a time.
        let groups = try (0..<15).flatMap { _ in try self.groups() }
        for batch in try seal(groups, perRound: groups.count) {
            let inTurn = try renderer().render(batch).map(\.record)
            var byLane: [ProducerRecord] = []
            for lane in [PublishLane.control, .main] {
                byLane += try await renderer().render(batch, for: lane).map(\.record)
            }
            #expect(inTurn == byLane)
        }
    }

    @Test func aTokenThatIsNotTheRecordedOneIsNotPublished() throws {
        let group = try groups()[0]
        let effect = group.effects[0]
        let output = effect.outputs[0]
        let material = try #require(output.grant)
        let altered = GrantMaterial(
            claims: material.claims, kid: material.kid, tokenHash: Digest(hashing: "another"),
            recipientKey: material.recipientKey, isPlain: material.isPlain)
        let forged = Effect(
            receipt: effect.receipt, receiptKind: effect.receiptKind,
            outputs: [OutputRecord(stream: output.stream, key: output.key, value: output.value, grant: altered)])
        let batch = try #require(try seal([EffectGroup(groupID: 1, day: 1, effects: [forged])], perRound: 1).first)
        #expect(throws: (any Error).self) { try renderer().render(batch) }
    }

    @Test func noBearerTokenIsInWhatTheLedgerKeepsOrTheTopicsCarry() throws {
        let groups = try groups()
        let jobKey = try #require(PlanFixture.jobKey)
        var tokens: [String] = []
        var published: [(OutputStream, [UInt8])] = []
        for batch in try seal(groups, perRound: 100) {
            for record in try renderer().render(batch) {
                let value = try #require(record.record.value)
                published.append((record.stream, value))
                guard record.stream == .grants else { continue }
                if case .sealed(let jwe) = try PublishedGrant(parsing: value).delivery {
                    tokens.append(try SealedToken.open(jwe, privateKey: jobKey).token.exposed)
                }
            }
        }
        #expect(tokens.count == 12)
        let signatures = tokens.compactMap { $0.split(separator: ".").last.map(String.init) }
        let kept = groups.flatMap { EffectCodec.encode($0.effects) }
        for signature in signatures {
            #expect(!contains(kept, Array(signature.utf8)))
            for (stream, value) in published { #expect(!contains(value, Array(signature.utf8)), "\(stream)") }
        }
    }

    private func contains(_ haystack: [UInt8], _ needle: [UInt8]) -> Bool {
        String(decoding: haystack, as: UTF8.self).contains(String(decoding: needle, as: UTF8.self))
    }

    @Test func storedEffectsReadBackAsTheyWere() throws {
        var effects = try groups().flatMap(\.effects)
        // Origins are kept beside the effects.
        for index in effects.indices { effects[index].origin = nil }
        #expect(try EffectCodec.decode(EffectCodec.encode(effects)) == effects)
        let bytes = EffectCodec.encode(effects)
        for cut in stride(from: 0, to: bytes.count, by: 97) {
            #expect(throws: EffectCodec.Malformed.self) { try EffectCodec.decode(Array(bytes[..<cut])) }
        }
        #expect(throws: EffectCodec.Malformed.self) { try EffectCodec.decode(bytes + [0]) }
    }

    @Test func batchesStayWithinTheirLimitsAndNoGroupIsCut() throws {
        let one = try groups()[0].effects
        let groups = (0..<900).map {
            EffectGroup(groupID: Int64($0), day: 1, effects: $0.isMultiple(of: 3) ? one + one : one)
        }
        let divided = BatchSealer.divide(groups)
        #expect(divided.flatMap { $0 } == groups)
        for part in divided {
            let receipts = part.flatMap(\.effects)
            #expect(receipts.count <= BatchSealer.maximumReceipts)
            #expect(receipts.reduce(0) { $0 + $1.receipt.count } <= BatchSealer.maximumReceiptBytes)
        }
        var tail = try LogTail(logID: PlanFixture.logID)
        for batch in try seal(groups, perRound: 900) {
            for record in try renderer().render(batch) {
                let value = try #require(record.record.value)
                #expect(value.count < 1_000_000)
                guard record.stream == .receiptBatches else { continue }
                // Batches of one round follow each other like those of several.
                let verified = try VerifiedBatch(
                    parsing: value, previous: tail, logKeys: [PlanFixture.logKey.publicKey], depth: .hashes)
                tail = try #require(verified.tail)
            }
        }
        #expect(tail.nextPosition.value == groups.reduce(0) { $0 + Int64($1.effects.count) })
    }
}

extension Effect {
    fileprivate var isGrant: Bool { outputs.contains { $0.grant != nil } }
}
