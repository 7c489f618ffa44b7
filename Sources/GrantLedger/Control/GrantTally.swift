import ClawWire
import Postgres

/// What a transaction adds to the counts that a stop reads instead of counting tokens.
struct GrantTally {
    private struct Key: Hashable {
        let jobClass: String
        let kid: String
        let policyHash: Digest?
        let expiresSecond: Int64
    }

    private struct Count {
        var grants: Int64 = 0
        var live: Int64 = 0
        var newest: Timestamp?
    }

    private var counts: [Key: Count] = [:]

    /// Counts the grants of a decide transaction and the live tokens that it revokes.
    init(_ write: DecideWrite, at now: Timestamp) {
        for requests in [write.newRequests, write.changedRequests] {
            for index in requests.indices {
                guard let token = requests[index].token else { continue }
                if requests[index].decidedAt == now, write.effectOfRequest[requests[index].requestID] != nil {
                    add(requests[index], token, grants: 1, live: 1)
                }
                if requests[index].revocation?.at == now { add(requests[index], token, grants: 0, live: -1) }
            }
        }
    }

    /// Counts revoked tokens.
    init(revoked: [StoredRequest]) {
        for request in revoked { if let token = request.token { add(request, token, grants: 0, live: -1) } }
    }

    /// Counts tokens that a run revokes.
    init(revoked: [VoidedToken]) {
        for token in revoked {
            let key = Key(
                jobClass: token.jobClass.rawValue, kid: token.kid.rawValue, policyHash: token.policyHash,
                expiresSecond: token.expiresAt.seconds)
            counts[key, default: Count()].live -= 1
        }
    }

    private mutating func add(_ request: StoredRequest, _ token: IssuedToken, grants: Int64, live: Int64) {
        let key = Key(
            jobClass: request.jobClass.rawValue, kid: token.kid.rawValue, policyHash: token.control?.policyHash,
            expiresSecond: token.expiresAt.seconds)
        var count = counts[key] ?? Count()
        count.grants += grants
        count.live += live
        if grants > 0 { count.newest = max(count.newest ?? token.issuedAt, token.issuedAt) }
        counts[key] = count
    }

    /// The statement that adds the counts; `nil` when there is nothing to add.
    var step: PipelineStep? {
        guard !counts.isEmpty else { return nil }
        let rows = Array(counts)
        var parameters = Parameters()
        parameters.append(column: rows) { $0.key.jobClass }
        parameters.append(column: rows) { $0.key.kid }
        parameters.append(nullableColumn: rows) { $0.key.policyHash?.bytes }
        parameters.append(column: rows) { $0.key.expiresSecond }
        parameters.append(column: rows) { $0.value.grants }
        parameters.append(column: rows) { $0.value.live }
        parameters.append(nullableColumn: rows) { $0.value.newest?.postgres }
        return .execute(DecideStatements.addToTally, parameters)
    }
}
