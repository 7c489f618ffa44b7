import ClawWire
import GrantLedger
import Metrics
import Primitives

/// What this process knows of what voids tokens: in memory, kept up to date from the ledger by looks at short intervals.
///
/// A look is one statement. What it finds new is read behind it, and only then does the view say that it is as of the
/// moment before the look: everything that was committed by then is in it, whoever committed it. How old it may be before
/// no token is called active is for whoever asks.
final class RevocationView: Sendable {
    /// Tokens and runs past this number are not held; the view is of no use then, rather than wrong.
    private static let maximumTokens = 2_000_000
    private static let page = 5_000
    private static let groupsPerQuery = 64

    /// What the view says against a token.
    enum Finding: Sendable, Hashable {
        /// It is revoked by its name.
        case revoked(at: Timestamp)
        /// A control event voids it.
        case void(RevocationRun)

        /// Since when.
        var at: Timestamp {
            switch self {
            case .revoked(let at): at
            case .void(let run): run.startedAt
            }
        }
    }

    /// A control position of one reading of the ledger: positions of another, after a backup was restored, say nothing.
    struct Clearance: Sendable, Hashable {
        fileprivate var reading: UInt64 = 0
        fileprivate var position: Int64 = -1

        /// Nothing is cleared.
        init() {}
    }

    /// There is more against tokens than is held.
    struct Overflow: Error, CustomStringConvertible {
        let description =
            "more than \(RevocationView.maximumTokens) tokens are revoked and alive; no token is called active"
    }

    /// The database was not held against the topics yet: it may have lost revocations.
    struct NotCompared: Error, CustomStringConvertible {
        let description = "the database was not held against the topics yet"
    }

    private struct State {
        /// Counts how often everything was read anew.
        var reading: UInt64 = 0
        /// When the look began whose findings are all here; `nil` before the first.
        var asOf: ContinuousClock.Instant?
        var controlPosition: Int64 = 0
        var lastBatch: Int64 = -1
        var nextSequence: Int64 = 0
        var runs: [String: [RevocationRun]] = [:]
        /// Tokens by hash, in two generations of which the older is forgotten once all of it has expired.
        var recent: [Digest: Timestamp] = [:]
        var older: [Digest: Timestamp] = [:]
        var turnedAt: ContinuousClock.Instant?
        /// Groups that were read before they were sealed.
        var readGroups: Set<EffectGroupKey> = []
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
    }

    private struct Waiter {
        let isMet: @Sendable (_ controlPosition: Int64, _ nextSequence: Int64) -> Bool
        let continuation: CheckedContinuation<Void, any Error>
    }

    private let ledger: any LiveTokenLedger
    private let interval: Duration
    /// No token lives longer, clocks included.
    private let horizon: Duration
    private let clock: @Sendable () -> Timestamp
    private let isCompared: @Sendable (LedgerIncarnation?) -> Bool
    private let report: @Sendable ((any Error)?) -> Void
    private let state = Lock(State())
    private let age = Gauge(label: "clawgrant_http_revocation_view_age_seconds")

    /// - Parameters:
    ///   - ledger: where it looks.
    ///   - interval: time between two looks.
    ///   - longestLife: of a token, in seconds.
    ///   - clock: the present.
    ///   - isCompared: whether a database was held against its topics; of another one nothing is believed.
    ///   - report: told of each look: what it failed with, `nil` for one that succeeded.
    init(
        ledger: any LiveTokenLedger, interval: Duration, longestLife: Int64, clock: @escaping @Sendable () -> Timestamp,
        isCompared: @escaping @Sendable (LedgerIncarnation?) -> Bool = { _ in true },
        report: @escaping @Sendable ((any Error)?) -> Void = { _ in }
    ) {
        self.ledger = ledger
        self.interval = interval
        // As long as the ledger itself revokes tokens past their expiry, in case a clock is wrong.
        horizon = .seconds(longestLife + 3_900)
        self.clock = clock
        self.isCompared = isCompared
        self.report = report
    }

    // MARK: Asking

    /// How old the view is; `nil` before the first look has succeeded.
    func age(at now: ContinuousClock.Instant = .now) -> Duration? { state.withLock { $0.asOf.map { now - $0 } } }

    /// The next sequence number of the revocations stream, as of the last look.
    var nextSequence: Int64 { state.withLock { $0.nextSequence } }

    /// Since when a token is known to be revoked by its name.
    func revocation(of hash: Digest) -> Timestamp? { state.withLock { $0.recent[hash] ?? $0.older[hash] } }

    /// What is said against a token; `nil` for nothing.
    ///
    /// - Parameter cleared: up to where no control event is known to void it; what control events void does not change.
    func finding(_ token: LiveToken, _ scopeKeys: [String], cleared: inout Clearance) -> Finding? {
        state.withLock { state in
            if let at = state.recent[token.tokenHash] ?? state.older[token.tokenHash] { return .revoked(at: at) }
            guard cleared.reading != state.reading || cleared.position < state.controlPosition else { return nil }
            for key in scopeKeys {
                if let run = state.runs[key]?.first(where: { token.isVoid(by: $0) }) { return .void(run) }
            }
            cleared.reading = state.reading
            cleared.position = state.controlPosition
            return nil
        }
    }

    /// Waits until the view has a control position.
    ///
    /// - Throws: `CancellationError`.
    func reach(controlPosition: Int64) async throws {
        try await wait { position, _ in position >= controlPosition }
    }

    /// Waits until the revocations stream has a record at a place.
    ///
    /// - Throws: `CancellationError`.
    func reach(sequence: Int64) async throws { try await wait { _, next in next > sequence } }

    private func wait(
        _ isMet: @escaping @Sendable (_ controlPosition: Int64, _ nextSequence: Int64) -> Bool
    ) async throws {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let answer: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.asOf != nil, isMet(state.controlPosition, state.nextSequence) { return .success(()) }
                    state.waiters[number] = Waiter(isMet: isMet, continuation: continuation)
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?
                .continuation.resume(throwing: CancellationError())
        }
    }

    // MARK: Looking

    /// Looks until cancelled. What fails is reported and tried again; the view grows old meanwhile.
    ///
    /// - Throws: `CancellationError` alone.
    func run() async throws {
        while true {
            do {
                try await look()
                report(nil)
            } catch let error as CancellationError {
                throw error
            } catch {
                report(error)
            }
            age.record((age().map { $0 / .seconds(1) }) ?? -1)
            try await Task.sleep(for: interval)
        }
    }

    /// One look. For one caller at a time.
    func look() async throws {
        let start = ContinuousClock.now
        let marks = try await ledger.revocationMarks()
        guard isCompared(marks.incarnation) else { throw NotCompared() }
        let known = state.withLock {
            ($0.asOf != nil, $0.controlPosition, $0.lastBatch, $0.nextSequence, $0.readGroups)
        }
        guard known.0, marks.controlPosition >= known.1, marks.lastBatch >= known.2, marks.nextSequence >= known.3
        else {
            // Nothing is known, or the ledger went back to a backup: what was known counts for nothing.
            try await load(marks, from: start)
            return
        }
        var found: [RevokedTokenMark] = []
        var read = known.4
        if marks.nextSequence > known.3 {
            var number = known.2
            while true {
                let batches = try await ledger.revocationBatches(after: number, through: marks.lastBatch, limit: 32)
                guard let last = batches.last else { break }
                number = last.number
                found += try await tokens(in: batches.flatMap(\.groups).filter { !read.contains($0) })
            }
        }
        let unsealed = Set(marks.unsealed)
        found += try await tokens(in: marks.unsealed.filter { !read.contains($0) })
        // Whatever is sealed by now was read above, and is not among the unsealed of a later look.
        read = unsealed
        var runs: [RevocationRun] = []
        if marks.controlPosition > known.1 {
            runs = try await ledger.revocationRuns(
                after: known.1, startedSince: clock().adding(seconds: -horizonSeconds))
        }
        try publish(marks, from: start, found, runs, read)
    }

    private var horizonSeconds: Int64 { Int64(horizon / .seconds(1)) }

    private func tokens(in groups: [EffectGroupKey]) async throws -> [RevokedTokenMark] {
        var found: [RevokedTokenMark] = []
        var rest = groups[...]
        while !rest.isEmpty {
            try Task.checkCancellation()
            found += try await ledger.revokedTokens(in: Array(rest.prefix(Self.groupsPerQuery)))
            rest = rest.dropFirst(Self.groupsPerQuery)
        }
        return found
    }

    /// Everything anew: whatever was committed by the look that the marks are of is in the tables that are read after it.
    private func load(_ marks: RevocationMarks, from start: ContinuousClock.Instant) async throws {
        var tokens: [Digest: Timestamp] = [:]
        var place = (expiry: clock().adding(seconds: -3_900), request: RequestID(""))
        while true {
            try Task.checkCancellation()
            let (found, last) = try await ledger.revokedTokenMarks(after: place.expiry, place.request, limit: Self.page)
            for mark in found { tokens[mark.tokenHash] = mark.revokedAt }
            guard found.count == Self.page, let last, tokens.count <= Self.maximumTokens else { break }
            place = last
        }
        let runs = try await ledger.revocationRuns(after: 0, startedSince: clock().adding(seconds: -horizonSeconds))
        state.withLock { state in
            state.reading += 1
            state.recent = tokens
            state.older = [:]
            state.runs = [:]
            state.turnedAt = start
        }
        try publish(marks, from: start, [], runs, [])
    }

    private func publish(
        _ marks: RevocationMarks, from start: ContinuousClock.Instant, _ found: [RevokedTokenMark],
        _ runs: [RevocationRun], _ read: Set<EffectGroupKey>
    ) throws {
        let met = state.withLock { state -> [Waiter]? in
            turn(&state, at: start)
            for mark in found where state.recent[mark.tokenHash] == nil && state.older[mark.tokenHash] == nil {
                state.recent[mark.tokenHash] = mark.revokedAt
            }
            for run in runs { state.runs[run.scopeKey, default: []].append(run) }
            state.controlPosition = marks.controlPosition
            state.lastBatch = marks.lastBatch
            state.nextSequence = marks.nextSequence
            state.readGroups = read
            // A view that does not hold everything is none.
            let isWhole = state.recent.count + state.older.count <= Self.maximumTokens
            state.asOf = isWhole ? start : nil
            guard isWhole else { return nil }
            let numbers = state.waiters.filter { $0.value.isMet(state.controlPosition, state.nextSequence) }.map(\.key)
            return numbers.compactMap { state.waiters.removeValue(forKey: $0) }
        }
        guard let met else { throw Overflow() }
        for waiter in met { waiter.continuation.resume() }
    }

    /// Forgets what no living token can be concerned by.
    private func turn(_ state: inout State, at now: ContinuousClock.Instant) {
        guard let turned = state.turnedAt, now - turned >= horizon else { return }
        state.older = state.recent
        state.recent = [:]
        state.turnedAt = now
        let oldest = clock().adding(seconds: -horizonSeconds)
        state.runs = state.runs.compactMapValues { runs in
            let left = runs.filter { $0.startedAt >= oldest }
            return left.isEmpty ? nil : left
        }
    }
}
