public import ClawWire
import ReceiptLog

/// The audit bundle of the reference (WIRE section 5) for one run: what was issued and what was revoked, newest first.
///
/// It is unsigned, as the reference's is: evidence is the export bundle, from which all of it follows.
public struct AuditBundle: Sendable, Hashable {
    /// `{generated_at, issuance, revocations}`.
    public let json: JSONValue
    /// Tokens that are left out because their claims could not be put together again.
    public let leftOut: Int

    /// Writes down a run's tokens and revocations. The same run gives the same bundle.
    public init(_ run: RunRecord) {
        var issued: [(key: String, record: JSONObject)] = []
        for token in run.tokens {
            guard let claims = token.claims, let members = (try? JSONReader.parse(claims.json))?.object else {
                continue
            }
            let record = AuditRecord(
                tokenHash: token.grant.token.tokenHash, issuedAt: token.grant.token.issuedAt,
                kid: token.grant.token.kid, claims: members)
            issued.append((record.eventKey, record.members))
        }
        leftOut = run.tokens.count - issued.count
        let revoked = run.material.log.receipts.compactMap(Self.revocation)
        json = [
            "generated_at": .string(run.material.log.sealedAt.iso8601),
            "issuance": Self.page(issued, isComplete: leftOut == 0 && run.material.log.leftOut == 0),
            "revocations": Self.page(revoked, isComplete: run.material.log.leftOut == 0),
        ]
    }

    /// The five members of the reference's record of a revocation.
    private static func revocation(_ logged: LoggedReceipt) -> (key: String, record: JSONObject)? {
        guard let encoded = try? logged.receipt?.encoded(), let revocation = RevocationRecord(encoded) else {
            return nil
        }
        var record: JSONObject = [
            "token_hash": .string(revocation.tokenHash.hex), "revoked_at": .integer(revocation.revokedAt.seconds),
            "revoked_at_iso": .string(revocation.revokedAt.iso8601),
        ]
        record["reason"] = revocation.reason.map { .string($0) }
        record["revoked_by"] = .string(revocation.revokedBy)
        return (AuditRecord.eventKey("revocations", at: revocation.revokedAt, revocation.tokenHash), record)
    }

    private static func page(_ events: [(key: String, record: JSONObject)], isComplete: Bool) -> JSONValue {
        [
            "events": .array(
                events.sorted { $0.key < $1.key }.map { ["key": .string($0.key), "record": .object($0.record)] }),
            "cursor": .null, "list_complete": .bool(isComplete),
        ]
    }
}
