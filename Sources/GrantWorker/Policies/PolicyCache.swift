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
    }

    /// Most WPCs held in memory.
    private static let capacity = 4_096
    private let state = Lock(State())
    private let sources: [any PolicySource]
    private let signers: Set<String>
    private let retryInterval: Duration
    private let logger: Logger

    init(
        sources: [any PolicySource], signers: [Ed25519PublicKey], retryInterval: Duration = .seconds(1),
        logger: Logger
    ) {
        self.sources = sources
        self.signers = Set(signers.map(\.did))
        self.retryInterval = retryInterval
        self.logger = logger
    }

    /// Everything known now.
    func known() -> [Digest: WPCAvailability] { state.withLock { $0.known } }

    /// Loads WPCs that are not known yet, from each source in turn until one has them.
    func load(_ hashes: Set<Digest>) async {
        for hash in hashes {
            let isDue = state.withLock { state in
                if case .available = state.known[hash] { return false }
                return state.retryAt[hash].map { $0 <= .now } ?? true
            }
            guard isDue else { continue }
            let availability = await fetch(hash)
            state.withLock { state in
                if state.known.count >= Self.capacity, state.known[hash] == nil { state.known.removeAll() }
                state.known[hash] = availability
                state.retryAt[hash] = .now + retryInterval
            }
        }
    }

    private func fetch(_ hash: Digest) async -> WPCAvailability {
        var failures: [String] = []
        for source in sources {
            do {
                guard let envelope = try await source.envelope(of: hash) else {
                    failures.append("\(source.name) has none")
                    continue
                }
                let verified = try WPCEnvelope.verify(envelope, expectedHash: hash, signerAllowlist: signers)
                return .available(verified.issuancePolicy, hash: hash)
            } catch let error as WPCError {
                logger.log(
                    .policyRefused,
                    metadata: ["policy_hash": "\(hash)", "source": "\(source.name)", "error": "\(error)"])
                return .invalid(code: error.code.rawValue, detail: error.description)
            } catch {
                failures.append("\(source.name): \(error)")
            }
        }
        return .unavailable(
            reason: failures.isEmpty ? "no source of WPCs is configured" : failures.joined(separator: "; "))
    }
}

/// Where signed WPC envelopes are found.
protocol PolicySource: Sendable {
    /// What errors and logs call it.
    var name: String { get }

    /// The envelope of a policy hash, or `nil` when the source has none.
    func envelope(of hash: Digest) async throws -> [UInt8]?
}
