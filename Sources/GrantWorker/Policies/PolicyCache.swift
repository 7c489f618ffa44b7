import ClawWire
import IssuanceRules
import Logging
import Observability
import Primitives

/// Verified WPCs by hash. A WPC is immutable, so what was verified once is kept; what was not found is asked for again
/// after a while.
final class PolicyCache: Sendable {
    private struct State {
        var known: [Digest: WPCAvailability] = [:]
        var retryAt: [Digest: ContinuousClock.Instant] = [:]
        /// WPCs that are being asked for, with those who wait for the answer.
        var asked: [Digest: [AsyncStream<Digest>.Continuation]] = [:]
    }

    /// Most WPCs held in memory.
    private static let capacity = 4_096
    private let state = Lock(State())
    private let sources: [any PolicySource]
    private let signers: Set<String>
    private let retryInterval: Duration
    private let patience: Duration
    private let logger: Logger

    /// Makes a cache.
    ///
    /// - Parameters:
    ///   - retryInterval: how soon a WPC is asked for again that no source had.
    ///   - patience: the longest time that ``load(_:)`` takes.
    init(
        sources: [any PolicySource], signers: [Ed25519PublicKey], retryInterval: Duration = .seconds(1),
        patience: Duration = .seconds(2), logger: Logger
    ) {
        self.sources = sources
        self.signers = Set(signers.map(\.did))
        self.retryInterval = retryInterval
        self.patience = patience
        self.logger = logger
    }

    /// Everything known now.
    func known() -> [Digest: WPCAvailability] { state.withLock { $0.known } }

    /// Loads WPCs that are not known yet: all at once, each from each source in turn until one has it.
    ///
    /// One slow source does not hold a batch back: what has not come in ``patience`` is unavailable for now, and goes on
    /// being asked for.
    func load(_ hashes: Set<Digest>) async {
        let (answers, listener) = AsyncStream<Digest>.makeStream()
        var open: Set<Digest> = []
        for hash in hashes {
            switch begin(hash, listener) {
            case .known: continue
            case .asked: open.insert(hash)
            case .new where sources.isEmpty: settle(hash, .unavailable(reason: "no source of WPCs is configured"))
            case .new:
                open.insert(hash)
                SteadyTime.detach { [self] in settle(hash, await fetch(hash)) }
            }
        }
        guard !open.isEmpty else { return }
        let timer = Task {
            try? await SteadyTime.sleep(for: patience)
            listener.finish()
        }
        for await hash in answers {
            open.remove(hash)
            if open.isEmpty { break }
        }
        timer.cancel()
        for hash in open { giveUp(hash) }
    }

    private enum Question {
        case known, asked, new
    }

    private func begin(_ hash: Digest, _ listener: AsyncStream<Digest>.Continuation) -> Question {
        state.withLock { state in
            if case .available = state.known[hash] { return .known }
            if let others = state.asked[hash] {
                state.asked[hash] = others + [listener]
                return .asked
            }
            if let retryAt = state.retryAt[hash], retryAt > .now { return .known }
            state.asked[hash] = [listener]
            return .new
        }
    }

    private func settle(_ hash: Digest, _ availability: WPCAvailability) {
        let listeners = state.withLock { state in
            if state.known.count >= Self.capacity, state.known[hash] == nil {
                state.known.removeAll()
                state.retryAt.removeAll()
            }
            state.known[hash] = availability
            state.retryAt[hash] = .now + retryInterval
            return state.asked.removeValue(forKey: hash) ?? []
        }
        for listener in listeners { listener.yield(hash) }
    }

    private func giveUp(_ hash: Digest) {
        state.withLock { state in
            guard state.known[hash] == nil else { return }
            state.known[hash] = .unavailable(reason: "no source has answered within \(patience); they are still asked")
        }
    }

    /// What the sources have. Only an envelope that was read and does not stand refuses, and only when no other source has
    /// one that does; a source that cannot be asked is asked again.
    private func fetch(_ hash: Digest) async -> WPCAvailability {
        var failures: [String] = []
        var refusal: WPCError?
        for source in sources {
            do {
                guard let envelope = try await source.envelope(of: hash) else {
                    failures.append("\(source.name) has none")
                    continue
                }
                let verified = try WPCEnvelope.verify(envelope, expectedHash: hash, signerAllowlist: signers)
                return .available(verified.issuancePolicy, hash: hash)
            } catch let error as WPCError where !error.isRetriable {
                logger.log(
                    .policyRefused,
                    metadata: ["policy_hash": "\(hash)", "source": "\(source.name)", "error": "\(error)"])
                refusal = refusal ?? error
            } catch {
                failures.append("\(source.name): \(error)")
            }
        }
        if let refusal { return .invalid(code: refusal.code.rawValue, detail: refusal.description) }
        return .unavailable(reason: failures.joined(separator: "; "))
    }
}

/// Where signed WPC envelopes are found.
protocol PolicySource: Sendable {
    /// What errors and logs call it.
    var name: String { get }

    /// The envelope of a policy hash, or `nil` when the source has none.
    func envelope(of hash: Digest) async throws -> [UInt8]?
}
