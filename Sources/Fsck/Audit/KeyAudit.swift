import ClawWire

/// Proves P4 for keys: whatever signs has a receipt of its first use; and P3: what was withdrawn issues nothing more.
///
/// Keys are few, so what is known of each is kept in memory; of more than ``maximum`` the others are passed over.
final class KeyAudit {
    private static let maximum = 10_000
    private static let maximumChanges = 64

    private struct Use {
        let place: String
        let batch: Int64
    }
    private struct Change {
        let at: Timestamp
        let name: String
    }
    private struct Grant {
        let issuedAt: Int64
        let place: String
    }

    private let plan: FsckPlan
    private let book: FindingBook
    /// Purposes under which a key was announced, by its `kid`.
    private var announced: [String: Set<String>] = [:]
    private var changes: [String: [Change]] = [:]
    /// DIDs that have signed batches.
    private var signers: Set<String> = []
    /// First uses by purpose and `kid`.
    private var uses: [String: [String: Use]] = [:]
    /// The newest grant of each key.
    private var newest: [String: Grant] = [:]

    init(_ plan: FsckPlan, _ book: FindingBook) {
        self.plan = plan
        self.book = book
    }

    /// Takes the receipt of a key change.
    func take(change receipt: Members) {
        guard let key = receipt.object("key"), let kid = key.string("kid"), let purpose = key.string("purpose"),
            let change = key.string("change"), let at = key.time("effective_at"),
            changes[kid] != nil || changes.count < Self.maximum
        else { return }
        if change == "activated" { announced[kid, default: []].insert(purpose) }
        guard changes[kid, default: []].count < Self.maximumChanges else { return }
        changes[kid, default: []].append(Change(at: at, name: change))
    }

    /// Takes the key under a batch; it is one of the log's.
    func take(signer did: String, at place: String, batch: Int64) {
        guard signers.insert(did).inserted, let key = Ed25519PublicKey(did: did) else { return }
        use("log", key.kid.rawValue, place, batch)
    }

    /// Takes a grant.
    func take(grant token: Members, at place: ReceiptPlace) {
        guard let kid = token.string("kid"), let issuedAt = token.integer("iat") else { return }
        use("token", kid, place.text, place.batch)
        guard newest[kid] != nil || newest.count < Self.maximum else { return }
        if newest[kid].map({ issuedAt > $0.issuedAt }) ?? true {
            newest[kid] = Grant(issuedAt: issuedAt, place: place.text)
        }
    }

    private func use(_ purpose: String, _ kid: String, _ place: String, _ batch: Int64) {
        guard uses[purpose]?[kid] == nil, uses[purpose, default: [:]].count < Self.maximum else { return }
        uses[purpose, default: [:]][kid] = Use(place: place, batch: batch)
    }

    /// Holds uses against what was announced.
    ///
    /// - Parameters:
    ///   - isWhole: true when everything from the first receipt of the log on was looked at.
    ///   - lastBatch: the last batch of the topic.
    func finish(isWhole: Bool, lastBatch: Int64?) {
        for (kid, grant) in newest.sorted(by: { $0.key < $1.key }) {
            // Whole seconds: a token of the same second may have been there before.
            let before = changes[kid, default: []].filter { $0.at.seconds < grant.issuedAt }
            guard let change = before.max(by: { $0.at < $1.at }), change.name != "activated" else { continue }
            book.add(
                .grantKeyWithdrawn, at: grant.place,
                "the key \(Place.quoted(kid)) is \(Place.quoted(change.name)) since \(change.at), and a token of it "
                    + "was issued at \(Timestamp(seconds: grant.issuedAt))")
        }
        guard isWhole else {
            book.note("whether every key has a receipt of its first use: needs the log from its first batch")
            return
        }
        for (purpose, keys) in uses.sorted(by: { $0.key < $1.key }) {
            for (kid, use) in keys.sorted(by: { $0.key < $1.key })
            where !(announced[kid]?.contains(purpose) ?? false) {
                // The receipt of a first use may stand in a batch that is still under way.
                guard plan.isSettled || use.batch < (lastBatch ?? 0) - 1 else { continue }
                book.add(
                    .keyUnannounced, at: use.place,
                    "the key \(Place.quoted(kid)) signs, and no receipt of the log says that it was put into force as "
                        + "a \(purpose) key")
            }
        }
    }
}
