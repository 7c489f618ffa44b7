import ClawWire
import GrantLedger
import GrantWorker
import ProofBundles
import ReceiptLog

/// Holds a run that was put together from the topics against the ledger.
enum LedgerCrossCheck {
    /// Where the two differ, one sentence each.
    static func differences(_ run: RunRecord, _ file: ConfigurationFile) async throws -> [String] {
        try await LedgerAccess.ledger(file) { ledger in
            var found: [String] = []
            for token in run.tokens {
                guard let id = token.subject.requestID else { continue }
                let name = "request \(Console.plain(id.rawValue))"
                guard let history = try await ledger.history(of: id) else {
                    found.append("\(name) is in the log and not in the ledger")
                    continue
                }
                let stored = history.request
                if stored.token?.tokenHash != token.grant.token.tokenHash {
                    found.append("\(name) has another token in the ledger than in the log")
                }
                if stored.jobID.rawValue != run.runID {
                    found.append("\(name) is of job \(stored.jobID) in the ledger")
                }
                if let effect = history.effect, effect.receipt != token.issuance.bytes {
                    found.append("\(name) has another receipt in the ledger than in the log")
                }
                if stored.revocation != nil, token.ending == nil {
                    found.append("the token of \(name) is revoked in the ledger; the log read here does not say so yet")
                }
                if stored.revocation == nil, token.ending?.kind == "revocation" {
                    found.append("the token of \(name) is revoked in the log and not in the ledger")
                }
            }
            return found
        }
    }
}
