import ClawWire
import ReceiptLog

/// Whether a grant is no wider than what was asked for and approved.
enum ExtentCheck {
    static func faults(_ grant: Receipt.Grant, _ receipt: Receipt, _ plan: CheckPlan) -> [String] {
        let (asked, granted) = (grant.asked, grant.granted)
        var faults: [String] = []
        func wider(_ what: String, _ granted: [String], _ asked: [String]) {
            let extra = granted.filter { !asked.contains($0) }
            if !extra.isEmpty { faults.append("\(what) \(extra.joined(separator: " ")) was granted and not asked for") }
        }
        wider("action", granted.actions, asked.actions)
        wider("scope", granted.scope, asked.scope + granted.actions.flatMap { plan.scopesOfActions[$0] ?? [] })
        if !asked.audience.isEmpty { wider("audience", granted.audience, asked.audience) }
        let lifetime = grant.token.expiresAt.seconds - grant.token.issuedAt.seconds
        if granted.ttlSeconds != lifetime {
            faults.append("the token lives \(lifetime) s and \(granted.ttlSeconds ?? -1) s are stated")
        }
        if lifetime <= 0 { faults.append("the token lives \(lifetime) s") }
        if let limit = asked.ttlSeconds, lifetime > limit {
            faults.append("the token lives \(lifetime) s and \(limit) s were asked for")
        }
        for approval in receipt.subject.approvalIDs {
            if let end = plan.windowEnds[approval], grant.token.expiresAt > end {
                faults.append(
                    "the token lives until \(grant.token.expiresAt) and the window of \(approval) ends \(end)")
            }
        }
        if grant.approverIDs.isEmpty { faults.append("nobody is named who approved") }
        return faults
    }
}
