import ClawWire

/// The positions of one output stream: dense from 0, and the same bytes whenever one comes again.
struct StreamPositions {
    enum Arrival: Equatable {
        case new
        case identicalRepeat
        case alteredRepeat
    }

    /// By position; `nil` where nothing has come yet.
    private var fingerprints: [Fingerprint?] = []
    private(set) var count = 0

    mutating func take(_ sequence: Int, _ fingerprint: Fingerprint) -> Arrival {
        while fingerprints.count <= sequence { fingerprints.append(nil) }
        if let known = fingerprints[sequence] { return known == fingerprint ? .identicalRepeat : .alteredRepeat }
        fingerprints[sequence] = fingerprint
        count += 1
        return .new
    }

    /// How many positions below the last that came never did.
    var missing: Int { fingerprints.count - count }

    /// Positions that never came below the last that did, at most `limit` of them.
    func gaps(limit: Int) -> [Int] {
        guard count < fingerprints.count else { return [] }
        return Array(fingerprints.indices.lazy.filter { fingerprints[$0] == nil }.prefix(limit))
    }
}
