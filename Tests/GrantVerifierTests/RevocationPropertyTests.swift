import ClawWire
import GrantVerifier
import ReceiptLog
import TestSupport
import Testing

/// A ledger that revokes, cuts off and ends at random, and the records it publishes.
private struct World {
    struct Entry {
        let key: RevocationKey
        let record: RevocationTopicRecord
        let writtenAt: Timestamp
    }

    static let longestLife: Int64 = 600
    static let skew: Int64 = 60

    var random: SeededGenerator
    var clock = Samples.noon
    var sequence: Int64 = 0
    var position: Int64 = 0
    var log: [Entry] = []
    var revoked: Set<Digest> = []
    var cutoffs: [CutoffScope: Timestamp] = [:]
    let tokens: [VerifiedCST]
    let scopes: [CutoffScope]

    init(seed: UInt64, tokens: [VerifiedCST], scopes: [CutoffScope]) {
        random = SeededGenerator(seed: seed)
        self.tokens = tokens
        self.scopes = scopes
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            clock = clock.adding(seconds: Int64.random(in: 0...30, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: revoke()
            case 4..<6: cutOff()
            case 6..<8: end()
            default: try head()
            }
        }
        try head()
    }

    private mutating func publish(_ key: RevocationKey, _ record: RevocationTopicRecord) {
        log.append(Entry(key: key, record: record, writtenAt: clock))
        sequence += 1
    }

    private mutating func revoke() {
        let now = clock
        guard let hash = tokens.filter({ $0.claims.issued <= now }).randomElement(using: &random)?.hash.digest,
            revoked.insert(hash).inserted
        else { return }
        publish(.token(hash), Samples.revocation(hash, sequence, at: clock))
    }

    private mutating func cutOff() {
        guard let scope = scopes.randomElement(using: &random) else { return }
        let instant = Timestamp(seconds: clock.seconds + 1)
        cutoffs[scope] = instant
        let record = Samples.cutoff(scope, before: instant, position: position)
        position += 1
        publish(.cutoff(scope), Samples.topic(record, sequence))
    }

    /// Ends what no living token is affected by any more.
    private mutating func end() {
        let now = clock
        let overdue = tokens.filter {
            revoked.contains($0.hash.digest) && $0.claims.expires.adding(seconds: Self.skew) < now
        }
        for token in overdue {
            revoked.remove(token.hash.digest)
            publish(.token(token.hash.digest), Samples.tombstone(.token(token.hash.digest), sequence))
        }
        for (scope, instant) in cutoffs.sorted(by: { $0.key < $1.key })
        where instant.adding(seconds: Self.longestLife + Self.skew) < now {
            cutoffs[scope] = nil
            publish(.cutoff(scope), Samples.tombstone(.cutoff(scope), sequence))
        }
    }

    private mutating func head() throws {
        clock = clock.adding(seconds: 1)
        let record = try Samples.head(
            sequence, asOf: clock, position: position, swept: max(0, position - 1), tokens: Int64(revoked.count),
            cutoffs: Int64(cutoffs.count))
        log.append(Entry(key: .head, record: record, writtenAt: clock))
    }

    // MARK: What may happen to the records on their way

    /// Some records again, each after its original: a publisher that was thought dead.
    func withLateRepeats(_ random: inout SeededGenerator) -> [Entry] {
        var result = log
        for _ in 0..<max(1, log.count / 4) {
            let original = Int.random(in: 0..<log.count, using: &random)
            let entry = log[original]
            let first = result.firstIndex { $0.record == entry.record } ?? 0
            let place = Int.random(in: (first + 1)...result.count, using: &random)
            let copy = Entry(key: entry.key, record: entry.record, writtenAt: result[place - 1].writtenAt)
            result.insert(copy, at: place)
        }
        return result
    }

    /// What compaction leaves: of the records before a point the last of each key, and of old tombstones nothing. It
    /// does not touch what is younger than the longest life of a token, which is what `min.compaction.lag.ms` is for.
    func compacted(_ log: [Entry], _ random: inout SeededGenerator) -> [Entry] {
        let youngest = clock.adding(seconds: -Self.longestLife - Self.skew)
        let point = Int.random(in: 0...(log.firstIndex { $0.writtenAt >= youngest } ?? 0), using: &random)
        let forgotten = Int.random(in: 0...point, using: &random)
        var last: [RevocationKey: Int] = [:]
        for (n, entry) in log[..<point].enumerated() { last[entry.key] = n }
        return log.enumerated().filter { n, entry in
            n >= point || (last[entry.key] == n && (entry.record.value != nil || n >= forgotten))
        }.map(\.element)
    }

    /// Another order of the same records, in which only the order within each key is kept; the head comes last.
    func reordered(_ random: inout SeededGenerator) -> [Entry] {
        var queues: [RevocationKey: [Entry]] = [:]
        for entry in log where entry.key != .head { queues[entry.key, default: []].append(entry) }
        var order = log.filter { $0.key != .head }.map(\.key)
        order.shuffle(using: &random)
        let records = order.compactMap { key in queues[key]?.isEmpty == false ? queues[key]?.removeFirst() : nil }
        return records + log.suffix(1)
    }
}

struct RevocationPropertyTests {
    /// Tokens of some agents and jobs, issued one after the other.
    private static let tokens: [VerifiedCST] = (0..<60).compactMap { (n: Int) -> VerifiedCST? in
        let claims = Samples.claims(
            n, issuedAt: Samples.noon.adding(seconds: Int64(n * 30)), lifetime: 60 + Int64(n % 4) * 180,
            job: "job-\(n % 5)", agent: AgentDID("did:key:z6MkAgent\(n % 3)"))
        return try? Samples.verified(try Samples.mint(claims), at: claims.issued)
    }

    private static let scopes: [CutoffScope] =
        [.all]
        + [
            CutoffScope(.job, "job-1"), CutoffScope(.agent, "did:key:z6MkAgent2"),
            CutoffScope(.issuerKey, Samples.issuer.publicKey.kid.rawValue), CutoffScope(.jti, "jti-3"),
            CutoffScope(.jobClass, "prod_db_maintenance"), CutoffScope(.source, "entra-pim"),
        ].compactMap { $0 }

    private func world(_ seed: UInt64) throws -> World {
        #expect(Self.tokens.count == 60)
        var world = World(seed: seed, tokens: Self.tokens, scopes: Self.scopes)
        try world.run(steps: 120)
        return world
    }

    private func state(_ log: [World.Entry]) -> RevocationState { Samples.state(log.map(\.record)) }

    /// What a verifier would say: an expired token is refused as expired, whatever else is known.
    private func verdicts(_ state: RevocationState, at now: Timestamp) -> [String] {
        let contexts = [
            TokenContext.unknown, TokenContext(jobClass: JobClass("prod_db_maintenance")),
            TokenContext(jobClass: JobClass("other"), sources: []),
        ]
        let view = state.staleness(at: now, maximumAgeSeconds: 15, clockSkewSeconds: 0)
        return Self.tokens.flatMap { token in
            contexts.map { context -> String in
                guard token.claims.expires > now else { return "expired" }
                guard let finding = state.finding(for: token, context: context) else {
                    return "nothing \(String(describing: view))"
                }
                return "\(finding)"
            }
        }
    }

    @Test(arguments: 0..<24)
    func applyingAnyPrefixAgainChangesNothing(_ seed: Int) throws {
        let world = try world(UInt64(seed))
        let once = state(world.log)
        #expect(once.isComplete)
        var random = SeededGenerator(seed: UInt64(seed) &+ 1_000)
        var twice = once
        for _ in 0..<3 {
            for entry in world.log.prefix(Int.random(in: 0...world.log.count, using: &random)) {
                #expect(twice.apply(entry.record) == .repeated)
            }
            #expect(twice == once)
        }
    }

    @Test(arguments: 0..<24)
    func lateRepeatsChangeNothing(_ seed: Int) throws {
        let world = try world(UInt64(seed))
        var random = SeededGenerator(seed: UInt64(seed) &+ 2_000)
        #expect(state(world.withLateRepeats(&random)) == state(world.log))
    }

    @Test(arguments: 0..<24)
    func theOrderOfDifferentKeysDoesNotMatter(_ seed: Int) throws {
        let world = try world(UInt64(seed))
        var random = SeededGenerator(seed: UInt64(seed) &+ 3_000)
        let expected = verdicts(state(world.log), at: world.clock)
        for _ in 0..<3 {
            let other = state(world.reordered(&random))
            #expect(other.isComplete)
            #expect(verdicts(other, at: world.clock) == expected)
        }
    }

    @Test(arguments: 0..<24)
    func aCompactedTopicGivesTheSameVerdicts(_ seed: Int) throws {
        let world = try world(UInt64(seed))
        var random = SeededGenerator(seed: UInt64(seed) &+ 4_000)
        let full = state(world.log)
        let expected = verdicts(full, at: world.clock)
        for _ in 0..<4 {
            let plain = state(world.compacted(world.log, &random))
            #expect(plain.defect == nil)
            #expect(verdicts(plain, at: world.clock) == expected)
            // Compaction keeps the later copy of a record that was repeated, even after its tombstone.
            let repeated = state(world.compacted(world.withLateRepeats(&random), &random))
            #expect(repeated.defect == nil)
            #expect(verdicts(repeated, at: world.clock) == expected)
        }
    }

    @Test(arguments: 0..<20)
    func aReaderThatStopsHalfwayIsNeverWrongAboutHavingEverything(_ seed: Int) throws {
        let world = try world(UInt64(seed))
        var state = Samples.state()
        var published: Set<Digest> = []
        for entry in world.log {
            state.apply(entry.record)
            switch entry.key {
            case .token(let hash):
                if entry.record.value == nil { published.remove(hash) } else { published.insert(hash) }
            case .cutoff: break
            case .head: #expect(state.isComplete)
            }
            #expect(published.allSatisfy { state.revocation(of: TokenHash($0)) != nil })
        }
    }

    @Test func anyRecordIsSurvived() throws {
        var random = SeededGenerator(seed: 5)
        let world = try world(5)
        var state = Samples.state()
        for _ in 0..<3_000 {
            guard let record = world.log.randomElement(using: &random)?.record else { continue }
            var key = record.key
            var value = record.value
            if Bool.random(using: &random), !key.isEmpty {
                key[Int.random(in: 0..<key.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let bytes = value, !bytes.isEmpty, Bool.random(using: &random) {
                value?[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            state.apply(RevocationTopicRecord(key: key, value: value, sequence: record.sequence))
        }
        #expect(!state.isComplete)
    }
}
