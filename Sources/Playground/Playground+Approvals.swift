public import ClawWire
import Foundation
public import IssuanceRules
import Postgres

extension Playground {
    /// What an approval amounts to now, by the ledger and the rules of this playground.
    ///
    /// - Returns: `nil` when the ledger does not know it.
    /// - Throws: what keeps ledger or rules from being read.
    public func assessment(of approval: ApprovalID) async throws -> ApprovalAssessment? {
        let name = approval.rawValue.replacing("'", with: "''")
        let result = try await query(
            "SELECT coalesce((SELECT encode(state, 'hex') FROM clawgrant.approval WHERE approval_id = '\(name)'), '')")
        guard let bytes = Hex.decode(try result.string(0, 0)), !bytes.isEmpty else { return nil }
        let rules = try RuleSet(yaml: String(contentsOfFile: "\(directory)/rules.yaml", encoding: .utf8))
        return try ApprovalState(decoding: bytes).assess(at: .playgroundNow, entitlements: rules.entitlements)
    }
}
