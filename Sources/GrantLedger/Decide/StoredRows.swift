import ClawWire
import IssuanceRules
import Postgres

/// Rows of the ledger as values.
enum StoredRows {
    static func controlOrders(_ result: PostgresResult) throws -> [StoredControlOrder] {
        var orders: [StoredControlOrder] = []
        for row in 0..<result.rowCount {
            orders.append(
                StoredControlOrder(
                    key: try result.string(row, 0), position: try result.int64(row, 1), body: try result.bytes(row, 2)))
        }
        return orders
    }

    static func usage(of job: JobID, _ body: [UInt8]) throws(LedgerError) -> JobUsage {
        do {
            return try JobUsage(decoding: body)
        } catch {
            throw PostgresLedger.corrupted("the usage of job \(job) (\(error))")
        }
    }

    static func approval(_ result: PostgresResult, _ row: Int) throws -> StoredApproval {
        StoredApproval(
            approvalID: ApprovalID(try result.string(row, 0)), state: try result.bytes(row, 1),
            subject: try result.optional(row, 2, as: String.self).map { PersonID($0) },
            ticket: try result.optional(row, 3),
            usedBy: try result.array(row, 4, of: String.self).map { RequestID($0) },
            outcome: try result.optional(row, 5), closeAt: try result.optionalTimestamp(row, 6),
            updatedAt: try result.optionalTimestamp(row, 7),
            trace: try result.optional(row, 8, as: [UInt8].self).flatMap { OriginCodec.decode(trace: $0) },
            principalName: try result.optional(row, 9, as: String.self).map { PersonID($0) },
            assignment: try result.optional(row, 10, as: String.self).map { PersonID($0) })
    }

    /// A row of ``ControlStatements/liveTokens(by:)``.
    static func voidedToken(_ result: PostgresResult, _ row: Int) throws -> VoidedToken {
        VoidedToken(
            requestID: RequestID(try result.string(row, 0)), jobID: JobID(try result.string(row, 1)),
            jobClass: JobClass(try result.string(row, 2)), agentDID: AgentDID(try result.string(row, 3)),
            approvals: try result.array(row, 4, of: String.self).map { ApprovalID($0) },
            tokenHash: try result.digest(row, 5), tokenID: TokenID(try result.string(row, 6)),
            kid: KeyID(try result.string(row, 7)), expiresAt: try result.timestampValue(row, 8),
            policyHash: try result.isNull(row, 9) ? nil : policyHash(try result.array(row, 9, of: String.self)),
            place: try result.string(row, 10))
    }

    private static func policyHash(_ scopes: [String]) -> Digest? {
        let pin = "policy_hash:"
        return scopes.first { $0.hasPrefix(pin) }.flatMap { Digest(b64u: String($0.dropFirst(pin.count))) }
    }

    private static func reach(_ result: PostgresResult, _ row: Int) throws -> IssuedToken.ControlReach? {
        guard try !result.isNull(row, 22) else { return nil }
        let scopes = try result.array(row, 22, of: String.self)
        return IssuedToken.ControlReach(
            scopes: scopes, isElevated: try result.optional(row, 23) ?? false, policyHash: policyHash(scopes))
    }

    static func request(_ result: PostgresResult, _ row: Int) throws -> StoredRequest {
        guard let state = RequestState(rawValue: Int16(clamping: try result.int64(row, 1))) else {
            throw PostgresLedger.corrupted("the state of request \(try result.string(row, 0))")
        }
        var token: IssuedToken?
        if try !result.isNull(row, 10) {
            token = IssuedToken(
                tokenHash: try result.digest(row, 10), tokenID: TokenID(try result.string(row, 11)),
                scopeHash: try result.digest(row, 12), kid: KeyID(try result.string(row, 13)),
                issuedAt: try result.timestampValue(row, 14), expiresAt: try result.timestampValue(row, 15),
                scope: try result.array(row, 16, of: String.self), control: try reach(result, row))
        }
        var revocation: TokenRevocation?
        if let at = try result.optionalTimestamp(row, 17) {
            revocation = TokenRevocation(at: at, reason: try result.optional(row, 18) ?? "")
        }
        return StoredRequest(
            requestID: RequestID(try result.string(row, 0)), state: state, jobID: JobID(try result.string(row, 2)),
            jobClass: JobClass(try result.string(row, 3)), agentDID: AgentDID(try result.string(row, 4)),
            body: try result.optional(row, 5), receivedAt: try result.timestampValue(row, 6),
            waitUntil: try result.optionalTimestamp(row, 7), decidedAt: try result.optionalTimestamp(row, 8),
            approvals: try result.array(row, 9, of: String.self).map { ApprovalID($0) }, token: token,
            revocation: revocation,
            approvalReference: try result.optional(row, 19, as: String.self).map { ApprovalID($0) },
            ticketReference: try result.optional(row, 20),
            subjectReference: try result.optional(row, 21, as: String.self).map { PersonID($0) })
    }
}
