import Postgres

/// Identifiers of groups that were drawn ahead from the ledger's sequence, each for the session that drew it. A gap in them
/// means nothing.
///
/// A replica that takes over without the last commits draws again what was drawn before. The sessions with the server
/// before it have ended then, and nobody uses their identifiers any more.
struct DrawnGroupIDs {
    /// More than a pool has connections; what ended sessions leave is forgotten beyond it.
    private static let maximumSessions = 64

    private var ids: [SessionID: [Int64]] = [:]

    func count(of session: SessionID) -> Int { ids[session]?.count ?? 0 }

    mutating func add(_ drawn: [Int64], of session: SessionID) {
        guard !drawn.isEmpty else { return }
        ids[session, default: []] += drawn
        if ids.count > Self.maximumSessions, let oldest = ids.keys.min() { ids[oldest] = nil }
    }

    /// Takes up to so many identifiers of a session.
    mutating func take(_ count: Int, of session: SessionID) -> [Int64] {
        guard let all = ids[session] else { return [] }
        ids[session] = Array(all.dropFirst(count))
        return Array(all.prefix(count))
    }
}
