import ClawWire
import GrantLedger
import Primitives

/// Looks issued tokens up in the ledger, many with one statement: those that are asked for while a statement is on its way
/// share the next one.
final class TokenLookup: Sendable {
    private static let maximumTokens = 500
    private static let maximumStatements = 2

    private struct Asked {
        let tokenHash: Digest
        let scopeHash: Digest
        let continuation: CheckedContinuation<LiveToken?, any Error>
    }

    private struct State {
        var asked: [Asked] = []
        var statements = 0
    }

    private let ledger: any LiveTokenLedger
    private let state = Lock(State())

    init(ledger: any LiveTokenLedger) { self.ledger = ledger }

    /// A token by its hash and that of its scope; `nil` when the ledger never issued it.
    ///
    /// - Throws: ``LedgerError``.
    func token(_ hash: Digest, scopeHash: Digest) async throws -> LiveToken? {
        try await withCheckedThrowingContinuation { continuation in
            let begins = state.withLock { state in
                state.asked.append(Asked(tokenHash: hash, scopeHash: scopeHash, continuation: continuation))
                guard state.statements < Self.maximumStatements else { return false }
                state.statements += 1
                return true
            }
            // Not a child of whoever asked first: others wait for it too.
            if begins { Task { await self.answer() } }
        }
    }

    private func answer() async {
        while true {
            let asked = state.withLock { state -> [Asked] in
                let next = Array(state.asked.prefix(Self.maximumTokens))
                state.asked.removeFirst(next.count)
                if next.isEmpty { state.statements -= 1 }
                return next
            }
            guard !asked.isEmpty else { return }
            do {
                let found = try await ledger.liveTokens(asked.map { ($0.tokenHash, $0.scopeHash) })
                let byHash = Dictionary(found.map { ($0.tokenHash, $0) }, uniquingKeysWith: { first, _ in first })
                for one in asked { one.continuation.resume(returning: byHash[one.tokenHash]) }
            } catch {
                for one in asked { one.continuation.resume(throwing: error) }
            }
        }
    }
}
