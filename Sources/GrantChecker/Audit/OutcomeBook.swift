import ClawWire
import ReceiptLog

/// What became of each request, by the receipts: at most one token, and one outcome.
struct OutcomeBook {
    enum Outcome: UInt8 {
        case issued = 1
        case denied = 2
        case expired = 3
    }

    struct Entry {
        let outcome: Outcome
        /// Of the token's hash, when there is one.
        let token: Fingerprint?
    }

    private(set) var byRequest: [Fingerprint: Entry] = [:]
    private var tokens: Set<Fingerprint> = []
    private var revoked: Set<Fingerprint> = []
    private var claimed: Set<Fingerprint> = []
    /// Revoked tokens whose grant has not been read: revocations are sealed before grants that were committed before them.
    private var awaited: [Fingerprint: Digest] = [:]
    private var closedApprovals: Set<Fingerprint> = []
    /// Approvals that gave a token to a request, with how many they gave.
    private(set) var grantsOfApproval: [Fingerprint: Int] = [:]

    mutating func issue(_ receipt: Receipt, _ grant: Receipt.Grant) -> String? {
        guard let request = receipt.subject.requestID else { return "a grant without a request" }
        let token = Fingerprint(grant.token.tokenHash)
        if let fault = record(request, Entry(outcome: .issued, token: token)) { return fault }
        for approval in receipt.subject.approvalIDs {
            grantsOfApproval[Fingerprint(approval.rawValue), default: 0] += 1
        }
        awaited[token] = nil
        return tokens.insert(token).inserted ? nil : "the token of \(request) was issued before"
    }

    mutating func refuse(_ receipt: Receipt, _ outcome: Outcome) -> String? {
        if let request = receipt.subject.requestID { return record(request, Entry(outcome: outcome, token: nil)) }
        guard let approval = receipt.subject.approvalIDs.first else { return "an outcome of nothing" }
        return closedApprovals.insert(Fingerprint(approval.rawValue)).inserted
            ? nil : "\(approval) has an outcome of its own already"
    }

    /// A token that bears no `jti` here was revoked by its hash alone, whether or not anybody ever issued it.
    mutating func revoke(_ revocation: Receipt.Revocation) -> String? {
        let token = Fingerprint(revocation.tokenHash)
        if revocation.jti != nil, !tokens.contains(token) { awaited[token] = revocation.tokenHash }
        return revoked.insert(token).inserted ? nil : "token \(revocation.tokenHash.hex) is revoked twice"
    }

    /// A token is claimed once, and only after the receipt of its grant was sealed.
    mutating func claim(_ claim: Receipt.Claim) -> String? {
        let token = Fingerprint(claim.tokenHash)
        guard tokens.contains(token) else { return "token \(claim.tokenHash.hex) is claimed and was not issued before" }
        return claimed.insert(token).inserted ? nil : "token \(claim.tokenHash.hex) is claimed twice"
    }

    /// What does not fit, once the whole log was read.
    func faults() -> [String] {
        awaited.values.map(\.hex).sorted().map { "token \($0) is revoked and was never issued" }
    }

    private mutating func record(_ request: RequestID, _ entry: Entry) -> String? {
        let key = Fingerprint(request.rawValue)
        if let known = byRequest[key] {
            return known.outcome == .issued && entry.outcome == .issued
                ? "\(request) has a second token" : "\(request) has a second outcome"
        }
        byRequest[key] = entry
        return nil
    }
}
