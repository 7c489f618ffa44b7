import ClawWire

/// P2 for scopes that receipts do not show: which subjects, entitlements, sources and WPC identifiers a token rests on is
/// told by its row of the ledger; on which side of a stop it lies, by its receipt in the log.
///
/// A row names the scopes by what any source of an approval states, which may be more than what the decision counted: a
/// stop of a source that the rules do not permit is held against such a token all the same.
struct HiddenLineAudit {
    private let holds: [String: [LineAudit.Hold]]
    private let positions: [Fingerprint: Int64]

    init(holds: [LineAudit.Hold], positions: [Fingerprint: Int64]) {
        self.holds = Dictionary(grouping: holds, by: \.scope)
        self.positions = positions
    }

    /// What does not fit of a token.
    ///
    /// - Parameters:
    ///   - request: its request.
    ///   - scopes: what the ledger says beside class, agent, request, job, approvals and key.
    func faults(of request: String, in scopes: [String]) -> [String] {
        guard !holds.isEmpty, let position = positions[Fingerprint(request)] else { return [] }
        return scopes.flatMap { text -> [String] in
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let scope = parts.count == 2 ? LineAudit.scope(String(parts[0]), String(parts[1])) : text
            return (holds[scope] ?? []).filter { $0.start <= position && position < $0.end }.map {
                "request \(request) got a token after \($0.handle) stopped \(scope)"
            }
        }
    }
}
